"""`starcli figure`: the paper's figures from runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starcli.cli import completion
from starcli.cli.help import Command, Group
from starcli.cli.options import Config, Device, Json, Run, StorePath, path
from starcli.cli.output import execute, print_document
from starcli.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from starcli.experiment import Experiment
    from starcli.store.artifacts import Artifact

figure = typer.Typer(
    help="The paper's figures from runs, as PNG, SVG and PDF.",
    no_args_is_help=True,
    rich_markup_mode=None,
    cls=Group,
)

Out = Annotated[
    Path | None, typer.Option(parser=path, help="Folder of the files; default the first run's.")
]


@figure.command(cls=Command)
def gamma(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN", help="Runs; default the latest.", autocompletion=completion.runs
        ),
    ] = None,
    out: Out = None,
    store: StorePath = None,
    config: Config = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """S, U and H over gamma, validation and test (figure 3 a, b).

    Example: starcli figure gamma first second
    """
    from starcli.figures import gamma_curve
    from starcli.report.document import calibration_document

    experiments = _open(runs or [None], store, config, device)
    results = _results(experiments, "calibrate")
    calibrations = [
        calibration_document(run, each, results[run]) for run, each in experiments.items()
    ]
    rows = [each.document(frozenset({"ok", "files"})) for each in calibrations]
    folder = out or _folder(experiments)
    _show("gamma", folder, {"runs": rows}, lambda: gamma_curve.draw(calibrations), as_json)


@figure.command(cls=Command)
def attributes(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Runs that differ in m and seed alone.",
            autocompletion=completion.runs,
        ),
    ],
    out: Out = None,
    store: StorePath = None,
    config: Config = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """ZSL accuracy and H over m, visual attributes (figure 3 c, d).

    Example: starcli figure attributes m50-s0 m100-s0 m150-s0
    """
    from starcli.figures import attributes
    from starcli.report.document import evaluation_document

    experiments = _open(runs, store, config, device)
    settings = {run: each.identity for run, each in experiments.items()}
    attributes.require_alike(settings)
    results = _results(experiments, "calibrate")
    documents = [evaluation_document(run, each, results[run]) for run, each in experiments.items()]
    numbers = attributes.numbers(documents, attributes.attribute_counts(settings))
    folder = out or _folder(experiments)
    _show("attributes", folder, numbers, lambda: attributes.draw(numbers), as_json)


@figure.command(cls=Command)
def space(
    run: Run = None,
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", help="A class to show; repeatable; default the unseen ones."),
    ] = None,
    clips: Annotated[int, typer.Option(min=1, help="At most so many test clips of a class.")] = 50,
    out: Out = None,
    store: StorePath = None,
    config: Config = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """t-SNE of clips and texts, without and with prompts (figure 4).

    Example: starcli figure space --clips 30
    """
    from starcli.figures import space
    from starcli.report.document import warning

    experiments = _open([run], store, config, device)
    ((name, experiment),) = experiments.items()
    space.require_drawable(experiment, name)
    chosen = space.choose_classes(experiment, classes or [])
    results = _results(experiments, "train")[name]
    numbers, admitted = (
        space.numbers(experiment, results, chosen, clips),
        warning(experiment, results),
    )
    document = {"run": name, "warning": admitted, **numbers}
    folder = out or _folder(experiments)
    _show("space", folder, document, lambda: space.draw(numbers, name, admitted), as_json)


@figure.command(cls=Command)
def confusion(
    first: Run = None,
    second: Annotated[
        str | None, typer.Argument(metavar="OTHER", help="Another over the same split.")
    ] = None,
    out: Out = None,
    store: StorePath = None,
    config: Config = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Which classes a run takes for one another, and how often; of two, unseen ones (figure 5).

    Example: starcli figure confusion --out pictures
    """
    from starcli.figures import confusion
    from starcli.report.document import evaluation_document

    experiments = _open([first] if second is None else [first, second], store, config, device)
    if second is not None and len(experiments) < 2:
        raise UsageError("two different runs are compared, not one with itself", "name another")
    confusion.require_comparable({run: each.settings.dataset for run, each in experiments.items()})
    results = _results(experiments, "calibrate")
    confusion.require_same_clips(
        {run: own["evaluate"].data()["clips"] for run, own in results.items()}
    )
    numbers = confusion.numbers(
        [evaluation_document(run, each, results[run]) for run, each in experiments.items()]
    )
    folder = out or _folder(experiments)
    _show("confusion", folder, numbers, lambda: confusion.draw(numbers), as_json)


@figure.command(cls=Command)
def reliability(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN", help="Runs; default the latest.", autocompletion=completion.runs
        ),
    ] = None,
    out: Out = None,
    store: StorePath = None,
    config: Config = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """How far probabilities are from accuracies, on test clips.

    Example: starcli figure reliability my-run
    """
    from starcli.figures import reliability
    from starcli.report.document import evaluation_document

    experiments = _open(runs or [None], store, config, device)
    results = _results(experiments, "calibrate")
    documents = [evaluation_document(run, each, results[run]) for run, each in experiments.items()]
    wanted = {"run", "warning", "confidence", "trust"}
    rows = [each.model_dump(mode="json", include=wanted) for each in documents]
    folder = out or _folder(experiments)
    _show("reliability", folder, {"runs": rows}, lambda: reliability.draw(documents), as_json)


def _open(
    runs: Sequence[str | None], store: Path | None, config: Path | None, device: str | None
) -> dict[str, Experiment]:
    """The runs by name, each once."""
    from starcli import api

    opened = [api.open_run(run, store=store, config=config, device=device) for run in runs]
    return {each.name: each.experiment for each in opened}


def _results(
    experiments: Mapping[str, Experiment], stage: str
) -> dict[str, Mapping[str, Artifact]]:
    """The results of every run up to a stage, which runs where it has not yet."""
    return {run: execute(each, stage)[0] for run, each in experiments.items()}


def _folder(experiments: Mapping[str, Experiment]) -> Path:
    """Where the first run's other pictures are."""
    from starcli import api

    return api.Run(*next(iter(experiments.items()))).folder


def _show(
    name: str,
    folder: Path,
    numbers: Mapping[str, object],
    draw: Callable[[], Figure],
    as_json: bool,
) -> None:
    """Write a figure and print its paths, with the numbers in it where a document is asked for."""
    from starcli.cli import console
    from starcli.figures.style import save

    files = [folder / f"{name}.{ending}" for ending in ("png", "svg", "pdf")]
    lacking = save(draw, *files)
    if lacking:
        console.note(f"the font lacks {lacking}: drawn as boxes")
    if as_json:
        print_document({"ok": True, "figure": name, **numbers, "files": [str(f) for f in files]})
        return
    for file in files:
        print(file)

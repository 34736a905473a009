"""How good runs are: `starcli evaluate`, `starcli calibrate`, and several seeds at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from starcli.cli import completion
from starcli.cli.options import (
    Calibrator,
    Config,
    Device,
    Gamma,
    Json,
    Run,
    Select,
    StorePath,
    Verify,
)
from starcli.cli.output import end_skipped, execute, print_document, working
from starcli.errors import UsageError

if TYPE_CHECKING:
    from starcli import api
    from starcli.evaluation.gzsl import Choice
    from starcli.report.differences import Answers
    from starcli.settings.resolve import Loaded

Runs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN",
        help="Run, default the latest; several: side by side, averaged over seeds and folds alone.",
        autocompletion=completion.runs,
    ),
]


def evaluate(
    runs: Runs = None,
    fuse: Annotated[
        bool,
        typer.Option("--fuse", help="Add the scores of several runs of the same split and seed."),
    ] = False,
    gamma: Gamma = None,
    select: Select = "validation",
    calibrator: Calibrator = "stacking",
    store: StorePath = None,
    config: Config = None,
    device: Device = None,
    verify: Verify = False,
    as_json: Json = False,
) -> None:
    """Score the test clips of a run: ZSL and generalised ZSL accuracy.

    Example: starcli evaluate first second
    """
    from starcli import api
    from starcli.cli import console
    from starcli.evaluation.gzsl import Choice
    from starcli.report import replicates, tables

    choice = Choice(gamma, select, calibrator)  # what cannot be is refused before any work
    names: list[str | None] = [*runs] if runs else [None]
    each = [
        api.open_run(name, store=store, config=config, device=device, verify=verify)
        for name in names
    ]
    opened = {run.name: run for run in each}
    if fuse:
        _fuse([*opened.values()], choice, as_json)
        return
    if len(opened) > 1:
        _compare(opened, choice, as_json)
        return
    ((name, run),) = opened.items()
    with working("evaluate", run.experiment) as progress:
        document = api.evaluation(run, choice, progress)
    if as_json:
        print_document(document.document())
        return
    rows = [*tables.rows(document), *replicates.spread_rows(document.other_folds)]
    console.table(tables.title(name, document), ("measure", "value"), rows)
    columns = ("class", "role", "ZSL", "GZSL")
    console.table("per class", columns, tables.class_rows(document))


def calibrate(
    run: Run = None,
    gamma_sweep: Annotated[
        bool, typer.Option("--gamma-sweep", help="Print the curve of S, U and H over gamma.")
    ] = False,
    gamma: Gamma = None,
    select: Select = "validation",
    calibrator: Calibrator = "stacking",
    store: StorePath = None,
    config: Config = None,
    device: Device = None,
    verify: Verify = False,
    as_json: Json = False,
) -> None:
    """Choose gamma on classes held out of the seen ones, and show what it does.

    Example: starcli calibrate --gamma-sweep
    """
    from starcli import api
    from starcli.cli import console
    from starcli.evaluation.gzsl import Choice
    from starcli.report import tables

    choice = Choice(gamma, select, calibrator)  # what cannot be is refused before any work
    opened = api.open_run(run, store=store, config=config, device=device, verify=verify)
    with working("calibrate", opened.experiment) as progress:
        document = api.calibration(opened, choice, progress)
    if as_json:
        print_document(document.document())
        return
    if gamma_sweep:
        columns = ("gamma from", "to", "S", "U", "H")
        curves = document.curves
        console.table("validation clips", columns, tables.curve_rows(curves.validation))
        console.table("test clips", columns, tables.curve_rows(curves.test))
    title = tables.title(opened.name, document)
    console.table(title, ("measure", "value"), tables.calibration_rows(document))
    for file in document.files:
        print(file)


def train_seeds(many: Sequence[Loaded], run: str | None, as_json: bool) -> None:
    """Train and evaluate a run per seed, and print them side by side.

    Args:
        many: The settings with each seed.
        run: Name of the runs, which the seed is added to; None for their usual names.
        as_json: Print one JSON document.
    """
    from starcli import pipeline
    from starcli.experiment import Experiment
    from starcli.report.differences import answers
    from starcli.report.document import evaluation_document

    answered, skipped = {}, []
    for loaded in many:
        experiment = Experiment(loaded)
        results, ran = execute(experiment, "train")
        named = None if run is None else run_name(run, loaded.settings.seed)
        name = pipeline.record(experiment, results, named)
        skipped += [results["prepare"]] if "prepare" in ran else []
        results, _ = execute(experiment, "calibrate")
        document = evaluation_document(name, experiment, results)
        answered[name] = answers(document, results["evaluate"])
    _show_summary(answered, {}, as_json)
    for artifact in skipped:
        end_skipped(artifact)


def run_name(run: str, seed: int | None) -> str:
    """What a run is called: as asked for, and by its seed where there are several."""
    return run if seed is None else f"{run}-s{seed}"


def parse_seeds(text: str) -> list[int]:
    """`0,1,2` -> seeds.

    Raises:
        UsageError: It is not a list of different natural numbers.
    """
    items = [item.strip() for item in text.split(",")]
    if not all(item.isdecimal() for item in items) or len(set(map(int, items))) < len(items):
        raise UsageError(
            f"--seeds '{text}' is not a list of different seeds", "for example --seeds 0,1,2"
        )
    return [int(item) for item in items]


def _compare(runs: Mapping[str, api.Run], choice: Choice, as_json: bool) -> None:
    """Evaluate several runs and print them side by side."""
    from starcli.report import replicates
    from starcli.report.differences import answers
    from starcli.report.document import evaluation_document

    differ = replicates.differing({name: run.experiment.identity for name, run in runs.items()})
    answered = {}
    for name, run in runs.items():
        results, _ = execute(run.experiment, "calibrate")
        document = evaluation_document(name, run.experiment, results, choice)
        answered[name] = answers(document, results["evaluate"])
    _show_summary(answered, differ, as_json)


def _fuse(runs: Sequence[api.Run], choice: Choice, as_json: bool) -> None:
    """Evaluate several runs as one and print it beside them."""
    from starcli import api
    from starcli.cli import console
    from starcli.report import fused
    from starcli.report.document import MEASURES

    with working("evaluate", runs[0].experiment) as progress:
        document = api.fusion(runs, choice, progress)
    if as_json:
        print_document(document.document())
        return
    console.table(fused.title(document), ("run", "weight", *MEASURES), fused.rows(document))


def _show_summary(
    answered: Mapping[str, Answers], differ: Mapping[str, Sequence[object]], as_json: bool
) -> None:
    """Print runs side by side, and their means, or how they differ beside seed and fold."""
    from starcli.cli import console
    from starcli.report import differences, replicates
    from starcli.report.document import MEASURES

    summary = replicates.summary(answered, differ)
    if as_json:
        print_document(summary)
        return
    columns = ("run", *MEASURES)
    documents = {name: run.document for name, run in answered.items()}
    console.table(replicates.title(documents, summary), columns, replicates.rows(summary))
    if found := summary["differences"]:
        heads = ("", "difference", "interval")
        console.table(differences.title(found), heads, differences.rows(found))

"""How good runs are: `starcli evaluate`, `starcli calibrate`, and several seeds at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from starcli.errors import UsageError

if TYPE_CHECKING:
    from starcli.experiment import Experiment
    from starcli.settings import Loaded

StorePath = Annotated[Path | None, typer.Option("--store", help="Folder of all results.")]
Config = Annotated[Path | None, typer.Option(help="Settings file; default starcli.toml if there.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Run = Annotated[str | None, typer.Argument(metavar="[RUN]", help="Run; default the latest.")]
Runs = Annotated[list[str] | None, typer.Argument(
    metavar="[RUN]...", help="Run, default the latest; several: their mean and deviation."
)]  # fmt: skip
Gamma = Annotated[float | None, typer.Option(help="Fix gamma instead of the chosen one.")]
Select = Annotated[Literal["validation", "oracle"], typer.Option(
    help="What gamma is chosen on; oracle, the test clips, is never a result."
)]  # fmt: skip
Calibrator = Annotated[Literal["stacking", "gate"], typer.Option(
    help="Take gamma from seen scores, or decide on seen or unseen first."
)]  # fmt: skip


def evaluate(
    runs: Runs = None, gamma: Gamma = None, select: Select = "validation",
    calibrator: Calibrator = "stacking", store: StorePath = None, config: Config = None,
    device: Device = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Score the test clips of a run: ZSL and generalised ZSL accuracy."""
    from starcli import console, report
    from starcli.cli import execute, print_document
    from starcli.stages.calibrate import Choice

    choice = Choice(gamma, select, calibrator)
    documents = {}
    asked: list[str | None] = [*dict.fromkeys(runs or [])]
    for wanted in asked or [None]:
        name, experiment = open_run(wanted, store, config, device)
        results, _ = execute(experiment, "calibrate")
        documents[name] = report.document(experiment, results, choice)
    if len(documents) > 1:
        show_summary(documents, as_json)
        return
    name, document = next(iter(documents.items()))
    if as_json:
        print_document({**document, "run": name})
        return
    console.table(report.title(name, document), ("measure", "value"), report.rows(document))
    columns = ("class", "role", "ZSL", "GZSL")
    console.table("per class", columns, report.class_rows(document))


def calibrate(
    run: Run = None,
    gamma_sweep: Annotated[
        bool, typer.Option("--gamma-sweep", help="Print the curve of S, U and H over gamma.")
    ] = False,
    gamma: Gamma = None, select: Select = "validation", calibrator: Calibrator = "stacking",
    store: StorePath = None, config: Config = None, device: Device = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Choose gamma on classes held out of the seen ones, and show what it does."""
    from starcli import console, report
    from starcli.cli import execute, print_document
    from starcli.stages.calibrate import Choice

    choice = Choice(gamma, select, calibrator)
    name, experiment = open_run(run, store, config, device)
    results, _ = execute(experiment, "calibrate")
    found = report.calibration(experiment, results, choice)
    files = report.save_calibration(found, name, choice, experiment.store.root / "runs" / name)
    if as_json:
        print_document({"ok": True, "run": name, **found, "files": [str(f) for f in files]})
        return
    if gamma_sweep:
        for side, curve in found["curves"].items():
            columns = ("gamma from", "to", "S", "U", "H")
            console.table(f"{side} clips", columns, report.curve_rows(curve))
    console.table(report.title(name, found), ("measure", "value"), report.calibration_rows(found))
    for file in files:
        print(file)


def train_seeds(many: Sequence[Loaded], run: str | None, as_json: bool) -> None:
    """Train and evaluate a run per seed, and print them side by side.

    Args:
        many: The settings with each seed.
        run: Name of the runs, which the seed is added to; None for their usual names.
        as_json: Print one JSON document.
    """
    from starcli import pipeline, report
    from starcli.cli import end_skipped, execute
    from starcli.experiment import Experiment

    documents, skipped = {}, []
    for loaded in many:
        experiment = Experiment(loaded)
        results, ran = execute(experiment, "train")
        name = run and f"{run}-s{loaded.settings.seed}"
        name = pipeline.record(experiment, results, name)
        skipped += [results["prepare"]] if "prepare" in ran else []
        results, _ = execute(experiment, "calibrate")
        documents[name] = report.document(experiment, results)
    show_summary(documents, as_json)
    for artifact in skipped:
        end_skipped(artifact)


def parse_seeds(text: str) -> list[int]:
    """`0,1,2` -> seeds.

    Raises:
        UsageError: It is not a list of different natural numbers.
    """
    items = [item.strip() for item in text.split(",")]
    if not all(item.isdecimal() for item in items) or len(set(map(int, items))) < len(items):
        raise UsageError(f"--seeds '{text}' is not a list of different seeds",
                         "for example --seeds 0,1,2")  # fmt: skip
    return [int(item) for item in items]


def show_summary(documents: Mapping[str, Mapping[str, Any]], as_json: bool) -> None:
    """Print runs side by side, with mean and deviation."""
    from starcli import console, report
    from starcli.cli import print_document

    found = report.summary(documents)
    if as_json:
        print_document(found)
        return
    columns = ("run", *report.MEASURES)
    console.table(report.summary_title(documents), columns, report.summary_rows(found))


def open_run(
    name: str | None, store: Path | None, config: Path | None, device: str | None
) -> tuple[str, Experiment]:
    """A run's name, and the settings it was trained with.

    Args:
        name: The run; None for the latest.
        store: Folder of all results.
        config: Settings file, for the store and the device.
        device: Where to compute now.
    """
    from starcli.experiment import Experiment
    from starcli.pipeline import require_same
    from starcli.settings import load_recorded, run_section
    from starcli.store import Store
    from starcli.workers import size

    here = {"run.store": store, "run.device": device}
    place = run_section({k: v for k, v in here.items() if v is not None}, config)
    name, recorded = Store(place.store).load_run(name)
    if size() > 1:
        raise UsageError("this command runs in one process", "start it without torchrun")
    experiment = Experiment(load_recorded(recorded["settings"], place), recorded)
    require_same(experiment, name, recorded["steps"])
    return name, experiment

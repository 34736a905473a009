"""A trained run: opened, evaluated, calibrated and exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from starcli.contracts import Progress, silent
from starcli.errors import UsageError
from starcli.training.distributed import size

if TYPE_CHECKING:
    from starcli.evaluation.gzsl import Calibrator, Choice, Select
    from starcli.evaluation.report import Calibration, Document, Evaluation, Fused
    from starcli.experiment import Experiment


class Exported(TypedDict):
    """What `export --json` prints."""

    ok: bool
    run: str
    folder: str
    files: list[str]


@dataclass(frozen=True)
class Run:
    """A trained run.

    Args:
        name: What the store knows it by.
        experiment: Its settings and plugins.
    """

    name: str
    experiment: Experiment

    @property
    def folder(self) -> Path:
        """Where its record and its pictures are."""
        from starcli.store.runs import folder

        return folder(self.experiment.store.root, self.name)


def open_run(
    name: str | None = None,
    *,
    store: str | Path | None = None,
    config: str | Path | None = None,
    device: str | None = None,
    verify: bool = False,
) -> Run:
    """A run that was trained before, with the settings it was trained with.

    Args:
        name: Its name; None or `latest` for the latest.
        store: Folder of all results.
        config: Settings file.
        device: Where to compute now.
        verify: Read its results whole when they are used, to see that none is damaged.

    Raises:
        UsageError: There is no such run.
        DataError: Its training would come out different today.
    """
    from starcli.experiment import Experiment
    from starcli.pipeline import require_same
    from starcli.settings.resolve import load_recorded, run_section
    from starcli.store.runs import load_run

    here = {"run.store": store, "run.device": device, "run.verify": verify or None}
    given = {key: value for key, value in here.items() if value is not None}
    place = run_section(given, None if config is None else Path(config))
    name, recorded = load_run(place.store, None if name == "latest" else name)
    if size() > 1:
        raise UsageError("this command runs in one process", "start it without torchrun")
    experiment = Experiment(load_recorded(recorded["settings"], place), recorded)
    require_same(experiment, name, recorded["steps"])
    return Run(name, experiment)


def evaluate(
    run: Run,
    *,
    gamma: float | None = None,
    select: Select = "validation",
    calibrator: Calibrator = "stacking",
    progress: Progress = silent,
) -> Document:
    """ZSL and generalised ZSL accuracy on a run's test clips, as `starcli evaluate --json` has it.

    Args:
        run: A trained run.
        gamma: Fixes gamma.
        select: What gamma is chosen on otherwise; `oracle`, the test clips, is never a result.
        calibrator: Take gamma from seen scores, or decide on seen or unseen first.
        progress: Told about every step.
    """
    from starcli.evaluation.gzsl import Choice

    return evaluation(run, Choice(gamma, select, calibrator), progress).document()


def evaluation(run: Run, choice: Choice, progress: Progress = silent) -> Evaluation:
    """What `evaluate` gives as JSON.

    Args:
        run: A trained run.
        choice: How seen and unseen classes are balanced.
        progress: Told about every step.
    """
    from starcli import pipeline
    from starcli.report import replicates
    from starcli.report.document import evaluation_document

    results, _ = pipeline.run_steps(run.experiment, "calibrate", progress)
    document = evaluation_document(run.name, run.experiment, results, choice)
    others = replicates.other_folds(run.experiment, choice)
    return document.model_copy(update={"other_folds": others})


def fuse(
    runs: Sequence[Run],
    *,
    gamma: float | None = None,
    select: Select = "validation",
    calibrator: Calibrator = "stacking",
    progress: Progress = silent,
) -> Document:
    """Several runs as one, a weighted sum of their scores, as `evaluate --fuse --json` has it.

    Args:
        runs: Trained runs of the same data set, protocol, split and seed, such as those of joints,
            bones and motions.
        gamma: Fixes gamma.
        select: What gamma is chosen on otherwise; `oracle`, the test clips, is never a result.
        calibrator: Take gamma from seen scores, or decide on seen or unseen first.
        progress: Told about every step.

    Raises:
        UsageError: There is one run only, or they have other clips or classes.
    """
    from starcli.evaluation.gzsl import Choice

    return fusion(runs, Choice(gamma, select, calibrator), progress).document()


def fusion(runs: Sequence[Run], choice: Choice, progress: Progress = silent) -> Fused:
    """What `fuse` gives as JSON.

    Args:
        runs: Trained runs.
        choice: How seen and unseen classes are balanced.
        progress: Told about every step.
    """
    from starcli import pipeline
    from starcli.report.fused import fused_document

    made = {run.name: pipeline.run_steps(run.experiment, "calibrate", progress)[0] for run in runs}
    return fused_document({run.name: run.experiment for run in runs}, made, choice)


def calibrate(
    run: Run,
    *,
    gamma: float | None = None,
    select: Select = "validation",
    calibrator: Calibrator = "stacking",
    progress: Progress = silent,
) -> Document:
    """Gamma and what it does, with the curves, as `starcli calibrate --json` has it.

    Args:
        run: A trained run; `files` of the document are written to its folder.
        gamma: Fixes gamma.
        select: What gamma is chosen on otherwise; `oracle`, the test clips, is never a result.
        calibrator: Take gamma from seen scores, or decide on seen or unseen first.
        progress: Told about every step.
    """
    from starcli.evaluation.gzsl import Choice

    return calibration(run, Choice(gamma, select, calibrator), progress).document()


def calibration(run: Run, choice: Choice, progress: Progress = silent) -> Calibration:
    """What `calibrate` gives as JSON.

    Args:
        run: A trained run.
        choice: How seen and unseen classes are balanced.
        progress: Told about every step.
    """
    from starcli import pipeline
    from starcli.report.document import calibration_document, save_calibration

    results, _ = pipeline.run_steps(run.experiment, "calibrate", progress)
    document = calibration_document(run.name, run.experiment, results, choice)
    return save_calibration(document, choice, run.folder)


def export(
    run: Run,
    folder: str | Path,
    *,
    half: bool = False,
    onnx: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Exported:
    """Write a run's model as a folder that names clips wherever starcli is installed.

    Args:
        run: A trained run.
        folder: Gets `model.safetensors`, `config.json` and the model card `README.md`, whole or
            not at all.
        half: Write tensors as float16: half the size, and scores that differ in the third digit.
        onnx: Write `model.onnx`, too, for ONNX Runtime: clips and texts in, scores out.
        overwrite: Replace an exported model that is there.
        progress: Told about every step.

    Raises:
        UsageError: The folder is there, or the model cannot be written as ONNX.
        MissingError: The ONNX tools are not installed.
        OutputError: It cannot be written.
    """
    from starcli.exporting import folder as exporting

    made = exporting.export(
        run.experiment,
        run.name,
        Path(folder),
        half=half,
        onnx=onnx,
        overwrite=overwrite,
        progress=progress,
    )
    return {"ok": True, "run": run.name, "folder": str(folder), "files": [str(f) for f in made]}

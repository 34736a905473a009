"""The documents of a run, as `evaluate --json` and `calibrate --json` print them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypedDict

from starcli.evaluation.documents import (
    CalibratorDocument,
    CurvesDocument,
    GammaDocument,
    GapDocument,
    GeneralizedDocument,
    Selection,
    ZeroShotDocument,
)
from starcli.evaluation.gzsl import Choice, measure
from starcli.evaluation.model_selection import open_scored, select_model
from starcli.evaluation.report import EvaluationReport
from starcli.experiment import Experiment
from starcli.figures import gamma
from starcli.figures.style import save
from starcli.files import holds, save_text
from starcli.stages.calibrate import open_report
from starcli.store.artifacts import Artifact

SELECTED_BY = {
    "validation": "gamma and epochs chosen on pseudo-unseen classes of nested runs that never saw "
    "them",
    "user": "gamma fixed by the user; epochs chosen on pseudo-unseen classes",
    "oracle": "oracle: gamma tuned on the test clips, never a result",
}
"""What every table says of the way its gamma was found."""

Measure = Literal["ZSL", "S", "U", "H"]
MEASURES: Mapping[Measure, tuple[str, str]] = {
    "ZSL": ("zsl", "accuracy"),
    "S": ("gzsl", "seen_accuracy"),
    "U": ("gzsl", "unseen_accuracy"),
    "H": ("gzsl", "harmonic_mean"),
}
"""Short name -> where a document has it."""


class Measures(TypedDict):
    """The accuracies of a run that are compared, as fractions."""

    ZSL: float
    S: float
    U: float
    H: float


class GeneralizedWithOracle(GeneralizedDocument):
    """Accuracies among all classes, and those of the gamma that the test clips would choose."""

    oracle_harmonic_mean: float
    oracle_gamma: float


class Classes(TypedDict):
    """The classes of a data set; ids of those seen and unseen, names of those without clips."""

    names: list[str]
    seen: list[int]
    unseen: list[int]
    without_test_clips: list[str]


class Judged(TypedDict):
    """How the gamma of a run was chosen, and what its results must admit."""

    selection: Selection
    selected_by: str
    validation_folds: int
    transductive: bool
    warning: str | None
    doubts: list[str]
    calibrator: CalibratorDocument


class Evaluation(Judged):
    """What was run, how it was chosen, how good it is."""

    ok: bool
    dataset: str
    protocol: str
    split: str
    parts: int
    seed: int
    backbone: str
    backbone_weights: str | None
    encoder: str
    describer: str
    method: str
    epochs: int
    variant: float | None
    zsl: ZeroShotDocument
    gzsl: GeneralizedWithOracle
    classes: Classes


class Calibration(Judged, Measures):
    """What calibration found."""

    gamma: GammaDocument
    harmonic_mean: float
    oracle: GammaDocument
    gap: GapDocument
    curves: CurvesDocument


class OtherFold(Measures):
    """A finished run of another fold."""

    run: str
    split: str
    seed: int


class RunEvaluation(Evaluation):
    """What `evaluate --json` prints of a run."""

    run: str
    other_folds: list[OtherFold]


class RunCalibration(Calibration):
    """What `calibrate --json` prints of a run."""

    ok: bool
    run: str
    files: list[str]


def evaluated(
    experiment: Experiment, results: Mapping[str, Artifact], choice: Choice
) -> EvaluationReport:
    """How good a run is; the choice on validation is in the store.

    Args:
        experiment: Settings and plugins.
        results: Artifacts by step name.
        choice: How seen and unseen classes are balanced.
    """
    if choice == Choice():
        return open_report(results["calibrate"])
    nested = select_model([results[f"train/{role}"] for role in experiment.folds])
    scored = open_scored(results["evaluate"])
    return measure(nested, scored, choice, len(experiment.source.classes))


def evaluation_document(
    experiment: Experiment, results: Mapping[str, Artifact], choice: Choice | None = None
) -> Evaluation:
    """Everything that `evaluate --json` prints: what was run, how it was chosen, how good it is.

    Args:
        experiment: Settings and plugins.
        results: Artifacts by step name.
        choice: How seen and unseen classes are balanced; None for gamma chosen on validation.
    """
    settings, source = experiment.settings, experiment.source
    weights = settings.backbone.weights
    report = evaluated(experiment, results, choice or Choice())
    found, names = report.document(), list(source.classes)
    clips = [sum(row) for row in report.gzsl.confusion]
    return {
        "ok": True,
        "dataset": settings.dataset.name,
        "protocol": settings.dataset.protocol,
        "split": settings.dataset.split,
        "parts": settings.parts,
        "seed": settings.seed,
        "backbone": settings.backbone.name,
        "backbone_weights": None if weights is None else str(weights),
        "transductive": experiment.transductive,
        "warning": warning(experiment, results),
        "encoder": settings.encoder.name,
        "describer": settings.describer.name,
        "method": settings.method.name,
        "selection": report.selection,
        "selected_by": SELECTED_BY[report.selection],
        "validation_folds": len(experiment.folds),
        "calibrator": found["calibrator"],
        "doubts": found["doubts"],
        "epochs": report.epochs,
        "variant": results["train"].summary["variant"],
        "zsl": found["zsl"],
        "gzsl": {
            **found["gzsl"],
            "oracle_harmonic_mean": report.oracle.harmonic_mean,
            "oracle_gamma": report.oracle.gamma,
        },
        "classes": {
            "names": names,
            "seen": list(experiment.seen),
            "unseen": list(experiment.unseen),
            "without_test_clips": [n for n, count in zip(names, clips, strict=True) if not count],
        },
    }


def measures(document: Evaluation) -> Measures:
    """The accuracies of an evaluation that are compared."""
    return _measures(document["zsl"], document["gzsl"])


def _measures(zsl: ZeroShotDocument, gzsl: GeneralizedDocument) -> Measures:
    return {
        "ZSL": zsl["accuracy"],
        "S": gzsl["seen_accuracy"],
        "U": gzsl["unseen_accuracy"],
        "H": gzsl["harmonic_mean"],
    }


def backbone_note(experiment: Experiment, results: Mapping[str, Artifact]) -> str | None:
    """What every result must say of a backbone that was not pretrained in its own run."""
    if results["pretrain"].summary["classes"] is None:
        return "NOT KNOWN whether the backbone saw unseen classes: this may not be zero-shot"
    if experiment.settings.backbone.weights is not None:
        return "the weights given to the backbone may know the pseudo-unseen classes"
    return None


def warning(experiment: Experiment, results: Mapping[str, Artifact]) -> str | None:
    """All that every result must admit, in one line."""
    notes = [backbone_note(experiment, results)]
    if experiment.transductive:
        notes.append("TRANSDUCTIVE: the method learned from text of the unseen classes")
    return "; ".join(note for note in notes if note) or None


def calibration_document(
    experiment: Experiment, results: Mapping[str, Artifact], choice: Choice | None = None
) -> Calibration:
    """What calibration found, with the exact curves.

    Args:
        experiment: Settings and plugins.
        results: Artifacts by step name.
        choice: How seen and unseen classes are balanced; None for gamma chosen on validation.
    """
    report = evaluated(experiment, results, choice or Choice())
    found = report.document()
    return {
        "selection": report.selection,
        "selected_by": SELECTED_BY[report.selection],
        "validation_folds": len(experiment.folds),
        "transductive": experiment.transductive,
        "warning": warning(experiment, results),
        "doubts": found["doubts"],
        "calibrator": found["calibrator"],
        "gamma": found["gamma"],
        **_measures(found["zsl"], found["gzsl"]),
        "harmonic_mean": report.gzsl.harmonic_mean,
        "oracle": found["oracle"],
        "gap": found["gap"],
        "curves": found["curves"],
    }


def save_calibration(found: Calibration, run: str, choice: Choice, folder: Path) -> list[Path]:
    """Write what calibration found and its picture; their paths.

    Args:
        found: What it found.
        run: Name of the run.
        choice: How seen and unseen classes are balanced.
        folder: Folder of the run, which gets `calibration.json` and `calibration.png`, with the
            choice in their names where it is another than gamma on validation.
    """
    others = {choice.calibrator, choice.selection} - {"stacking", "validation"}
    name = "-".join(["calibration", *sorted(others)])
    numbers, picture = folder / f"{name}.json", folder / f"{name}.png"
    text = json.dumps(found, indent=2) + "\n"
    if not (holds(numbers, text) and picture.is_file()):
        # The picture first: where the numbers are there, it is theirs and not drawn again.
        save(lambda: gamma.draw({run: found}), picture)
        save_text(numbers, text)
    return [numbers, picture]

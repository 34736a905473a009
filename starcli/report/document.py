"""The documents of a run, as `evaluate --json` and `calibrate --json` print them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypedDict, get_args

from starcli.evaluation.gzsl import Choice, measure
from starcli.evaluation.model_selection import open_scored, select_model
from starcli.evaluation.report import (
    Calibration,
    Classes,
    Evaluation,
    EvaluationReport,
)
from starcli.experiment import Experiment
from starcli.figures import gamma_curve
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
MEASURES: tuple[Measure, ...] = get_args(Measure)
"""The accuracies of a run that are compared, by their short names."""


class Measures(TypedDict):
    """The accuracies of a run that are compared, as fractions."""

    ZSL: float
    S: float
    U: float
    H: float


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
    classes, settings = len(experiment.source.classes), experiment.settings
    return measure(nested, scored, choice, classes, settings.calibrate.false_alarms)


def evaluation_document(
    run: str,
    experiment: Experiment,
    results: Mapping[str, Artifact],
    choice: Choice | None = None,
) -> Evaluation:
    """What was run, how gamma was chosen, how good it is.

    Args:
        run: Name of the run.
        experiment: Settings and plugins.
        results: Artifacts by step name.
        choice: How seen and unseen classes are balanced; None for gamma chosen on validation.
    """
    settings, weights = experiment.settings, experiment.settings.backbone.weights
    report = evaluated(experiment, results, choice or Choice())
    return Evaluation(
        dataset=settings.dataset.name,
        protocol=settings.dataset.protocol,
        split=settings.dataset.split,
        parts=settings.parts,
        seed=settings.seed,
        backbone=settings.backbone.name,
        backbone_weights=None if weights is None else str(weights),
        transductive=experiment.transductive,
        warning=warning(experiment, results),
        encoder=settings.encoder.name,
        describer=settings.describer.name,
        method=settings.method.name,
        selection=report.selection,
        selected_by=SELECTED_BY[report.selection],
        validation_folds=len(experiment.folds),
        calibrator=report.calibrator,
        caveats=[*report.caveats, *teacher_caveats(results), *source_caveats(results)],
        epochs=report.epochs,
        variant=results["train"].summary["variant"],
        zsl=report.zsl,
        gzsl=report.beside_oracle(),
        confidence=report.confidence,
        trust=report.trust,
        classes=_classes(experiment, report),
        run=run,
    )


def _classes(experiment: Experiment, report: EvaluationReport) -> Classes:
    names = list(experiment.source.classes)
    clips = [sum(row) for row in report.gzsl.confusion]
    return Classes(
        names=names,
        seen=list(experiment.seen),
        unseen=list(experiment.unseen),
        without_test_clips=[n for n, count in zip(names, clips, strict=True) if not count],
    )


def measures(report: EvaluationReport | Evaluation) -> Measures:
    """The accuracies of a run that are compared."""
    return {
        "ZSL": report.zsl.accuracy,
        "S": report.gzsl.seen_accuracy,
        "U": report.gzsl.unseen_accuracy,
        "H": report.gzsl.harmonic_mean,
    }


def backbone_note(experiment: Experiment, results: Mapping[str, Artifact]) -> str | None:
    """What every result must say of a backbone that was not pretrained in its own run."""
    if results["pretrain"].summary["classes"] is None:
        return "NOT KNOWN whether the backbone saw unseen classes: this may not be zero-shot"
    if experiment.settings.backbone.weights is not None:
        return "the weights given to the backbone may know the pseudo-unseen classes"
    return None


def teacher_note(results: Mapping[str, Artifact]) -> str | None:
    """What every result must say of made-up movements that mean nearly what unseen classes do."""
    summary = results["pretrain"].summary
    if summary.get("made_up"):
        return "TOLD: the weights given learned from made-up movements, of any meaning"
    teacher = summary.get("teacher")
    if teacher is None or not teacher["told"] or not teacher["near"]:
        return None
    return (
        f"TOLD: {len(teacher['near'])} made-up movements near to unseen classes were learned from"
    )


def teacher_caveats(results: Mapping[str, Artifact]) -> list[str]:
    """What a reader must know of a teacher that lacked movements near to unseen classes."""
    teacher = results["pretrain"].summary.get("teacher")
    if teacher is None or teacher["told"] or not teacher["near"]:
        return []
    return [f"{len(teacher['near'])} made-up movements near to unseen classes were left out"]


def source_caveats(results: Mapping[str, Artifact]) -> list[str]:
    """What a reader must know of classes of other data sets that are learned from as well."""
    summary = results["pretrain"].summary
    said = {
        "left_out": "classes of other data sets that are the same as unseen ones were left out",
        "near_unseen": "classes of other data sets that are near to unseen ones were learned from",
    }
    return [
        f"{what}: {', '.join(f'{name} ({other})' for name, other in summary[key].items())}"
        for key, what in said.items()
        if key in summary
    ]


def warning(experiment: Experiment, results: Mapping[str, Artifact]) -> str | None:
    """All that every result must admit, in one line."""
    notes = [backbone_note(experiment, results)]
    if experiment.transductive:
        notes.append("TRANSDUCTIVE: the method learned from text of the unseen classes")
    notes.append(teacher_note(results))
    return "; ".join(note for note in notes if note) or None


def calibration_document(
    run: str,
    experiment: Experiment,
    results: Mapping[str, Artifact],
    choice: Choice | None = None,
) -> Calibration:
    """What calibration finds, with the exact curves.

    Args:
        run: Name of the run.
        experiment: Settings and plugins.
        results: Artifacts by step name.
        choice: How seen and unseen classes are balanced; None for gamma chosen on validation.
    """
    report = evaluated(experiment, results, choice or Choice())
    return Calibration(
        run=run,
        selection=report.selection,
        selected_by=SELECTED_BY[report.selection],
        validation_folds=len(experiment.folds),
        transductive=experiment.transductive,
        warning=warning(experiment, results),
        caveats=[*report.caveats, *teacher_caveats(results), *source_caveats(results)],
        calibrator=report.calibrator,
        gamma=report.gamma,
        confidence=report.confidence,
        **measures(report),
        harmonic_mean=report.gzsl.harmonic_mean,
        oracle=report.oracle,
        gap=report.gap,
        curves=report.curves,
    )


def save_calibration(calibration: Calibration, choice: Choice, folder: Path) -> Calibration:
    """Write what calibration found and its picture; the same with their paths.

    Args:
        calibration: What it found.
        choice: How seen and unseen classes are balanced.
        folder: Folder of the run, which gets `calibration.json` and `calibration.png`, with the
            choice in their names where it is another than gamma on validation.
    """
    others = {choice.calibrator, choice.selection} - {"stacking", "validation"}
    name = "-".join(["calibration", *sorted(others)])
    numbers, picture = folder / f"{name}.json", folder / f"{name}.png"
    text = json.dumps(calibration.document(frozenset({"ok", "run", "files"})), indent=2) + "\n"
    if not (holds(numbers, text) and picture.is_file()):
        # The picture first: where the numbers are there, it is theirs and not drawn again.
        save(lambda: gamma_curve.draw([calibration]), picture)
        save_text(numbers, text)
    return calibration.model_copy(update={"files": [str(numbers), str(picture)]})

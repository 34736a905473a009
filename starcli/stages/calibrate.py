"""calibrate: gamma from the nested run's scores, then the report on the test clips."""

from __future__ import annotations

from typing import Any

import numpy as np

from starcli import calibration, metrics
from starcli.experiment import Experiment, Job
from starcli.metrics import Judged
from starcli.store import Artifact

REVISION = 1
SELECTION = "gamma and epochs chosen on pseudo-unseen classes of a nested run that never saw them"


def recipe(experiment: Experiment, role: str) -> dict[str, Any]:
    """Everything that matters is in the inputs."""
    return {}


def run(job: Job) -> None:
    """Choose gamma on validation, measure at that gamma on test, and add the oracle's."""
    nested, judged = open_judged(job.inputs["validation"]), open_judged(job.inputs["scores"])
    validation_curve, test_curve = calibration.sweep(nested), calibration.sweep(judged)
    best, oracle = calibration.choose(validation_curve), calibration.choose(test_curve)
    names = job.experiment.source.classes
    job.draft.json(
        {
            "selection": SELECTION,
            "epochs": job.inputs["validation"].summary["epochs"],
            "gamma": best.document(),
            **report(judged, best.gamma, len(names)),
            "oracle": oracle.document(),
        }
    )
    job.draft.json(
        {"validation": validation_curve.document(), "test": test_curve.document()}, "curves"
    )
    job.draft.summary = {"gamma": best.gamma}


def report(judged: Judged, gamma: float, count: int) -> dict[str, Any]:
    """Accuracies of test clips with a gamma, as fractions.

    Args:
        judged: Scores and labels of the test clips.
        gamma: Taken from the scores of seen classes.
        count: C.
    """
    seen, unseen, harmonic = metrics.generalized(judged, gamma)
    predicted = metrics.predict(judged, gamma)
    rows = judged.is_unseen
    zsl = metrics.best_of(judged.scores[rows], judged.unseen)
    labels = judged.labels[rows]
    return {
        "zsl": {
            "accuracy": metrics.zero_shot_accuracy(judged),
            "chance": 1 / len(judged.unseen),
            "clips": int(rows.sum()),
            "per_class_accuracy": metrics.per_class_accuracy(zsl, labels, count),
            "confusion": metrics.confusion(zsl, labels, count).tolist(),
        },
        "gzsl": {
            "gamma": gamma,
            "seen_accuracy": seen,
            "unseen_accuracy": unseen,
            "harmonic_mean": harmonic,
            "clips": len(judged.labels),
            "per_class_accuracy": metrics.per_class_accuracy(predicted, judged.labels, count),
            "confusion": metrics.confusion(predicted, judged.labels, count).tolist(),
        },
    }


def open_judged(artifact: Artifact) -> Judged:
    """Scores and labels of an artifact of `evaluate`, or of `train` in the nested run."""
    tensors, summary = artifact.tensors(), artifact.summary
    scores = tensors["scores"].double().numpy()
    labels = tensors["labels"].numpy().astype(np.int64)
    return Judged(scores, labels, summary["seen"], summary["unseen"])

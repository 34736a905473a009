"""calibrate: gamma from the nested runs' scores, then the report on the test clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from starcli.errors import DataError, UsageError
from starcli.evaluation import calibrated_stacking, gate, metrics
from starcli.evaluation.calibrated_stacking import Curve, GammaChoice, Stacking
from starcli.evaluation.gate import Gate
from starcli.evaluation.metrics import Ints, ScoredClips
from starcli.evaluation.model_selection import open_scored, select_model
from starcli.experiment import Experiment, Job

REVISION = 4

_FIT: dict[str, Callable[[Sequence[ScoredClips]], tuple[Stacking | Gate, Curve, GammaChoice]]] = {
    "stacking": calibrated_stacking.fit,
    "gate": gate.fit,
}


@dataclass(frozen=True)
class Choice:
    """How clips of seen and of unseen classes are balanced.

    Args:
        gamma: A value fixed by the user.
        select: Where gamma comes from otherwise: `validation`, or `oracle`, the test clips.
        calibrator: `stacking` takes gamma from seen scores; `gate` decides on the group first.

    Raises:
        UsageError: Gamma is fixed and chosen at once, or not finite.
    """

    gamma: float | None = None
    select: Literal["validation", "oracle"] = "validation"
    calibrator: Literal["stacking", "gate"] = "stacking"

    def __post_init__(self) -> None:
        if self.gamma is None:
            return
        if not math.isfinite(self.gamma):
            raise UsageError(
                f"--gamma {self.gamma} is not a finite number", "leave it out or give a number"
            )
        if self.select == "oracle":
            raise UsageError("--gamma fixes what --select oracle chooses", "give one of them")

    @property
    def selection(self) -> str:
        """`validation`, `oracle`, or `user` for a fixed gamma."""
        return self.select if self.gamma is None else "user"


def recipe(experiment: Experiment, role: str) -> dict[str, Any]:
    """Everything that matters is in the inputs."""
    return {}


def run(job: Job) -> None:
    """Store what the choice on validation finds, which no test clip has influenced."""
    nested = select_model(job.nested)
    scored = open_scored(job.inputs["scores"])
    found = measure(nested.scored, scored, Choice(), len(job.experiment.source.classes))
    curves = found.pop("curves")
    job.draft.json({"epochs": nested.epochs, **found})
    job.draft.json(curves, "curves")
    job.draft.summary = {"gamma": found["gamma"]["gamma"]}


def measure(
    folds: Sequence[ScoredClips], scored: ScoredClips, choice: Choice, count: int
) -> dict[str, Any]:
    """Choose on validation, or as asked, and measure on test.

    Args:
        folds: Scores of the nested runs.
        scored: Scores of the test clips.
        choice: How to balance.
        count: C.

    Returns:
        `selection`, `calibrator`, `gamma` as chosen on validation, `zsl` and `gzsl` accuracies,
        `oracle`, `gap` to it, `doubts` and `curves`.

    Raises:
        DataError: There are no test clips of seen classes, or none of unseen ones.
    """
    if not scored.is_seen.any():
        accuracy = 100 * metrics.zero_shot_accuracy(scored)
        raise DataError(
            f"no test clips of seen classes, and GZSL needs both; ZSL accuracy is {accuracy:.1f} %",
            "check protocol and split",
        )
    fitted, validation, best = _FIT[choice.calibrator](folds)
    margins = fitted.margins(scored)
    test = calibrated_stacking.sweep(scored, margins)
    oracle = calibrated_stacking.choose(test)
    chosen = oracle if choice.select == "oracle" else best
    gamma = chosen.gamma if choice.gamma is None else choice.gamma
    used = replace(fitted, gamma=gamma)
    report = accuracies(scored, used.predict(scored), count)
    report["gzsl"]["gamma"] = gamma
    return {
        "selection": choice.selection,
        "calibrator": used.document(),
        "gamma": best.document(),
        **report,
        "oracle": oracle.document(),
        "gap": {
            "gamma": gamma - oracle.gamma,
            "harmonic_mean": oracle.harmonic_mean - report["gzsl"]["harmonic_mean"],
        },
        "doubts": calibrated_stacking.caveats(
            scored, margins, gamma, chosen if choice.gamma is None else None
        ),
        "curves": {"validation": validation.document(), "test": test.document()},
    }


def accuracies(scored: ScoredClips, predicted: Ints, count: int) -> dict[str, Any]:
    """Accuracies of test clips, as fractions.

    Args:
        scored: Scores and labels of the test clips.
        predicted: Classes [N] chosen among seen and unseen ones.
        count: C.
    """
    seen, unseen, harmonic = metrics.generalized(scored, predicted)
    rows = scored.is_unseen
    zsl, labels = metrics.best_of(scored.scores[rows], scored.unseen), scored.labels[rows]
    return {
        "zsl": {
            "accuracy": metrics.zero_shot_accuracy(scored),
            "chance": 1 / len(scored.unseen),
            "clips": int(rows.sum()),
            **_by_class(zsl, labels, count),
        },
        "gzsl": {
            "seen_accuracy": seen,
            "unseen_accuracy": unseen,
            "harmonic_mean": harmonic,
            "clips": len(scored.labels),
            **_by_class(predicted, scored.labels, count),
        },
    }


def _by_class(predicted: Ints, labels: Ints, count: int) -> dict[str, Any]:
    """Accuracy of every class with clips, the mean over these, and who was taken for whom."""
    each = metrics.per_class_accuracy(predicted, labels, count)
    return {
        "per_class_accuracy": each,
        "class_mean_accuracy": metrics.class_mean(each),
        "confusion": metrics.confusion(predicted, labels, count).tolist(),
    }

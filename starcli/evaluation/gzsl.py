"""Generalised zero-shot evaluation: how good scores are at a gamma that others have chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from starcli.errors import DataError, UsageError
from starcli.evaluation import calibrated_stacking, confidence, gate, metrics, reliability
from starcli.evaluation.calibrated_stacking import Curve, GammaChoice, Stacking
from starcli.evaluation.confidence import Confidence
from starcli.evaluation.gate import Gate
from starcli.evaluation.metrics import Ints, ScoredClips
from starcli.evaluation.model_selection import SelectedModel
from starcli.evaluation.report import (
    Curves,
    EvaluationReport,
    Gap,
    Generalized,
    Selection,
    ZeroShot,
)

Select = Literal["validation", "oracle"]
Calibrator = Literal["stacking", "gate"]

_FIT: dict[
    Calibrator, Callable[[Sequence[ScoredClips]], tuple[Stacking | Gate, Curve, GammaChoice]]
]
_FIT = {"stacking": calibrated_stacking.fit, "gate": gate.fit}


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
    select: Select = "validation"
    calibrator: Calibrator = "stacking"

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
    def selection(self) -> Selection:
        """`validation`, `oracle`, or `user` for a fixed gamma."""
        return self.select if self.gamma is None else "user"


def measure(
    model: SelectedModel, scored: ScoredClips, choice: Choice, classes: int, false_alarms: float
) -> EvaluationReport:
    """Choose gamma on validation, or as asked, and measure on test.

    Args:
        model: What the nested runs chose, with their scores.
        scored: Scores of the test clips.
        choice: How to balance.
        classes: C.
        false_alarms: Share of clips of candidates that may be called none.

    Raises:
        DataError: There are no test clips of seen classes, or none of unseen ones.
    """
    zsl = zero_shot(scored, classes)
    if not scored.is_seen.any():
        raise DataError(
            "no test clips of seen classes, and GZSL needs both; "
            f"ZSL accuracy is {100 * zsl.accuracy:.1f} %",
            "check protocol and split",
        )
    fitted, validation, best = _FIT[choice.calibrator](model.scored)
    margins = fitted.margins(scored)
    test = calibrated_stacking.sweep(scored, margins)
    oracle = calibrated_stacking.choose(test)
    chosen = oracle if choice.select == "oracle" else best
    gamma = chosen.gamma if choice.gamma is None else choice.gamma
    used = fitted.model_copy(update={"gamma": gamma})
    gzsl = generalized(scored, used.predict(scored), gamma, classes)
    sure = _confidence(model, used, false_alarms)
    return EvaluationReport(
        epochs=model.epochs,
        selection=choice.selection,
        calibrator=used,
        gamma=best,
        confidence=sure,
        trust=None if sure is None else reliability.measure(scored, gamma, sure),
        zsl=zsl,
        gzsl=gzsl,
        oracle=oracle,
        gap=Gap(
            gamma=gamma - oracle.gamma, harmonic_mean=oracle.harmonic_mean - gzsl.harmonic_mean
        ),
        caveats=calibrated_stacking.caveats(
            scored, margins, gamma, chosen if choice.gamma is None else None
        ),
        curves=Curves(validation=validation.points(), test=test.points()),
    )


def _confidence(
    model: SelectedModel, calibrator: Stacking | Gate, false_alarms: float
) -> Confidence | None:
    """What is fitted at the gamma in use; None for a gate, which changes no scores."""
    if isinstance(calibrator, Gate):
        return None
    return confidence.fit(model.scored, calibrator.gamma, false_alarms)


def zero_shot(scored: ScoredClips, classes: int) -> ZeroShot:
    """Accuracy on the clips of unseen classes, named among these alone.

    Args:
        scored: Scores and labels of the test clips.
        classes: C.
    """
    rows = scored.is_unseen
    predicted = metrics.best_of(scored.scores[rows], scored.unseen)
    return ZeroShot(
        accuracy=metrics.zero_shot_accuracy(scored),
        chance=1 / len(scored.unseen),
        clips=int(rows.sum()),
        **_by_class(predicted, scored.labels[rows], classes),
    )


def generalized(scored: ScoredClips, predicted: Ints, gamma: float, classes: int) -> Generalized:
    """Accuracies on all test clips, named among all classes.

    Args:
        scored: Scores and labels of the test clips.
        predicted: Classes [N] that they were taken for.
        gamma: The value at which.
        classes: C.
    """
    seen, unseen, harmonic = metrics.generalized(scored, predicted)
    return Generalized(
        seen_accuracy=seen,
        unseen_accuracy=unseen,
        harmonic_mean=harmonic,
        clips=len(scored.labels),
        gamma=gamma,
        **_by_class(predicted, scored.labels, classes),
    )


class _ByClass(TypedDict):
    per_class_accuracy: list[float | None]
    class_mean_accuracy: float | None
    confusion: list[list[int]]


def _by_class(predicted: Ints, labels: Ints, classes: int) -> _ByClass:
    """Accuracy of every class with clips, the mean over these, and who was taken for whom."""
    each = metrics.per_class_accuracy(predicted, labels, classes)
    return {
        "per_class_accuracy": each,
        "class_mean_accuracy": metrics.class_mean(each),
        "confusion": metrics.confusion(predicted, labels, classes).tolist(),
    }

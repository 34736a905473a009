"""Zero-shot and generalised zero-shot accuracy of scores (paper section 4.2).

In numpy: importing scikit-learn's metrics takes longer than evaluating.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from starcli.errors import NumericalError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ScoredClips:
    """Scores of test clips with the truth.

    Args:
        scores: float64 [N, C].
        labels: int64 [N].
        seen: Class ids that were learned from.
        unseen: Class ids known by text only.
    """

    scores: Floats
    labels: Ints
    seen: Sequence[int]
    unseen: Sequence[int]

    @property
    def is_unseen(self) -> npt.NDArray[np.bool_]:
        """[N], whether each clip is of an unseen class."""
        return np.isin(self.labels, list(self.unseen))

    @property
    def is_seen(self) -> npt.NDArray[np.bool_]:
        """[N], whether each clip is of a seen class."""
        return np.isin(self.labels, list(self.seen))


def require_finite(scores: Floats, names: Sequence[str]) -> None:
    """Refuse scores with NaN or infinity, which metrics would count as something.

    Raises:
        NumericalError: With the count and the first clip.
    """
    bad = np.flatnonzero(~np.isfinite(scores).all(1))
    if len(bad):
        raise NumericalError(
            f"scores of {len(bad)} clips are not finite, first of '{names[bad[0]]}'",
            "train again with a lower learning rate",
        )


def best_of(scores: Floats, classes: Sequence[int]) -> Ints:
    """The class of highest score among some [N]; of equal scores the lowest id."""
    ids = np.asarray(sorted(classes))
    best: Ints = ids[scores[:, ids].argmax(1)]
    return best


def gaps(scored: ScoredClips) -> Floats:
    """How far each clip's best seen score is above its best unseen score [N]."""
    best_seen, best_unseen = (
        scored.scores[:, sorted(ids)].max(1) for ids in (scored.seen, scored.unseen)
    )
    above: Floats = best_seen - best_unseen
    return above


def separate(scores: Floats) -> bool:
    """Whether any clip has different scores for different classes."""
    return bool((scores != scores[:, :1]).any())


def stacked(scored: ScoredClips, gamma: float) -> Floats:
    """Scores [N, C] after gamma is taken from every seen class (calibrated stacking, eq. 9)."""
    shifted = scored.scores.copy()
    shifted[:, list(scored.seen)] -= gamma
    return shifted


def predict(scored: ScoredClips, gamma: float) -> Ints:
    """Classes [N] after gamma is taken from every seen class."""
    return best_of(stacked(scored, gamma), [*scored.seen, *scored.unseen])


def zero_shot_accuracy(scored: ScoredClips) -> float:
    """Top-1 accuracy over clips of unseen classes, choosing among unseen classes."""
    rows = scored.is_unseen
    return _accuracy(best_of(scored.scores[rows], scored.unseen), scored.labels[rows])


def predict_within(scored: ScoredClips, to_seen: npt.NDArray[np.bool_]) -> Ints:
    """Classes [N], each clip's best among the seen or among the unseen ones, as decided [N]."""
    chosen = (best_of(scored.scores, ids) for ids in (scored.seen, scored.unseen))
    return np.where(to_seen, *chosen)


def generalized(scored: ScoredClips, predicted: Ints) -> tuple[float, float, float]:
    """S, U and their harmonic mean H of predicted classes [N], per clip."""
    rows = scored.is_seen, scored.is_unseen
    seen, unseen = (_accuracy(predicted[r], scored.labels[r]) for r in rows)
    return seen, unseen, float(harmonic_mean(seen, unseen))


def harmonic_mean(seen: float | Floats, unseen: float | Floats) -> Floats:
    """2 S U / (S + U), and 0 where both are 0."""
    seen, unseen = np.asarray(seen), np.asarray(unseen)
    total = seen + unseen
    return np.where(total > 0, 2 * seen * unseen / np.where(total > 0, total, 1), 0.0)


def per_class_accuracy(predicted: Ints, labels: Ints, count: int) -> list[float | None]:
    """Accuracy of every class; None for a class without clips."""
    totals = np.bincount(labels, minlength=count)
    right = np.bincount(labels[predicted == labels], minlength=count)
    return [float(r / t) if t else None for r, t in zip(right, totals, strict=True)]


def class_mean(accuracies: Sequence[float | None]) -> float | None:
    """Mean over the classes that have clips; None where none has."""
    known = [value for value in accuracies if value is not None]
    return sum(known) / len(known) if known else None


def confusion(predicted: Ints, labels: Ints, count: int) -> Ints:
    """Counts [C, C], row the true class, column the predicted one."""
    matrix = np.zeros((count, count), dtype=np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def _accuracy(predicted: Ints, labels: Ints) -> float:
    return float((predicted == labels).mean()) if len(labels) else 0.0

"""One answer of several runs, such as those of joints, bones and motions: a weighted sum of scores.

The weights are chosen on the nested runs, as gamma is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from starcli.evaluation.calibrated_stacking import AS_GOOD, sweep
from starcli.evaluation.metrics import ScoredClips
from starcli.evaluation.model_selection import SelectedModel

STEPS = 4
"""Weights are multiples of one over this."""

Weights = tuple[float, ...]


@dataclass(frozen=True)
class Stream:
    """A run whose scores are to be added to others'.

    Args:
        model: What its nested runs chose, with their scores.
        scored: Scores of its test clips.
    """

    model: SelectedModel
    scored: ScoredClips

    @property
    def scale(self) -> float:
        """How far the scores of a clip lie apart: mean deviation over classes, on validation."""
        each = np.concatenate([scored.scores.std(1) for scored in self.model.scored])
        return float(each.mean()) or 1.0


def fuse(streams: Sequence[Stream]) -> tuple[Weights, Stream]:
    """The weights that the nested runs choose, and the stream of the weighted sums.

    Of weights whose area under the seen-unseen curve is about the largest, the most even ones are
    taken: which of them is highest is luck.

    Args:
        streams: Of the same clips and classes, in the same order.

    Returns:
        The weights, which sum to 1, of scores divided by `Stream.scale`.
    """
    scales = [stream.scale for stream in streams]
    folds = [
        _scaled(fold, scales)
        for fold in zip(*(stream.model.scored for stream in streams), strict=True)
    ]
    candidates = sorted(_simplex(len(streams)), key=lambda weights: (max(weights), weights))
    areas = [
        np.mean([sweep(_added(fold, weights)).area for fold in folds]) for weights in candidates
    ]
    best = next(n for n, area in enumerate(areas) if area >= AS_GOOD * max(areas))
    weights = candidates[best]
    test = _added(_scaled([stream.scored for stream in streams], scales), weights)
    epochs = max(stream.model.epochs for stream in streams)
    nested = [_added(fold, weights) for fold in folds]
    return weights, Stream(SelectedModel(epochs, None, nested), test)


def _simplex(count: int) -> Iterator[Weights]:
    """All weights of so many streams that sum to 1, and the even ones."""
    yield (1 / count,) * count
    for whole in _sums(count, STEPS):
        yield tuple(part / STEPS for part in whole)


def _sums(count: int, total: int) -> Iterator[tuple[int, ...]]:
    if count == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _sums(count - 1, total - first):
            yield (first, *rest)


def _scaled(streams: Sequence[ScoredClips], scales: Sequence[float]) -> list[ScoredClips]:
    return [
        replace(scored, scores=scored.scores / scale)
        for scored, scale in zip(streams, scales, strict=True)
    ]


def _added(streams: Sequence[ScoredClips], weights: Weights) -> ScoredClips:
    scores = sum(w * scored.scores for w, scored in zip(weights, streams, strict=True))
    return replace(streams[0], scores=np.asarray(scores))

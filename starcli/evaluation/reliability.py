"""How far probabilities are from accuracies, on clips that chose nothing.

A clip counts by the probability of the class that it is named, in one of equal bins. The expected
calibration error is the mean over clips of how far their bin's mean probability is from its
accuracy (Guo et al., ICML 2017).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from starcli.evaluation.confidence import Confidence, candidate_scores, probabilities
from starcli.evaluation.metrics import Floats, Ints, ScoredClips, stacked

BINS = 15


class Bin(BaseModel, frozen=True, extra="forbid"):
    """Clips that are named with about the same probability.

    Args:
        low: Where the bin begins, which is not in it.
        high: Where it ends.
        clips: How many there are, at least one.
        probability: Their mean probability.
        accuracy: Share of them that is named right.
    """

    low: float
    high: float
    clips: int
    probability: float
    accuracy: float


class Reliability(BaseModel, frozen=True, extra="forbid"):
    """Probabilities of some clips among some classes, beside accuracies.

    Args:
        error: Expected calibration error, a fraction.
        error_before: The same at temperature 1.
        bins: Those with clips, rising.
    """

    error: float
    error_before: float
    bins: list[Bin]


class Trust(BaseModel, frozen=True, extra="forbid"):
    """How far answers can be trusted on test clips.

    Args:
        zsl: Probabilities of clips of unseen classes, among these alone.
        gzsl: Probabilities of all clips, among all classes.
        false_alarms_seen: Share of clips of seen classes that are "none of these" among all; None
            without a threshold.
        false_alarms_unseen: The same of unseen classes.
        recognised: Share of clips of unseen classes that are "none of these" among the seen ones.
    """

    zsl: Reliability
    gzsl: Reliability
    false_alarms_seen: float | None
    false_alarms_unseen: float | None
    recognised: float | None


def measure(scored: ScoredClips, gamma: float, sure: Confidence) -> Trust:
    """How far answers can be trusted.

    Args:
        scored: Scores of the test clips, some of seen and some of unseen classes.
        gamma: What is taken from the scores of seen classes where there are unseen ones.
        sure: What makes probabilities of scores.
    """
    every, truth = candidate_scores(scored, gamma)
    unseen, seen = sorted(scored.unseen), sorted(scored.seen)
    rows = scored.is_unseen
    own = scored.scores[rows][:, unseen]
    known, nobody = stacked(scored, gamma), every[:, :0]
    return Trust(
        zsl=reliability(own, np.searchsorted(unseen, scored.labels[rows]), sure.temperature),
        gzsl=reliability(every, truth, sure.temperature),
        false_alarms_seen=_none(every[scored.is_seen], nobody[scored.is_seen], sure),
        false_alarms_unseen=_none(every[rows], nobody[rows], sure),
        recognised=_none(known[rows][:, seen], known[rows][:, unseen], sure),
    )


def _none(candidates: Floats, others: Floats, sure: Confidence) -> float | None:
    """Share of clips with scores [N, C] and [N, O] that are "none of these"."""
    return None if sure.threshold is None else float(sure.none(candidates, others).mean())


def reliability(scores: Floats, truth: Ints, temperature: float) -> Reliability:
    """Probabilities beside accuracies.

    Args:
        scores: [N, C].
        truth: Positions of the true classes [N].
        temperature: Divides the scores.
    """
    right = scores.argmax(1) == truth
    bins, before = (in_bins(probabilities(scores, at).max(1), right) for at in (temperature, 1.0))
    return Reliability(
        error=calibration_error(bins), error_before=calibration_error(before), bins=bins
    )


def in_bins(sure: Floats, right: npt.NDArray[np.bool_]) -> list[Bin]:
    """Clips by the probabilities [N] of what they are named, which is right [N] or not."""
    numbers = np.clip(np.ceil(sure * BINS).astype(int), 1, BINS)
    return [
        Bin(
            low=(number - 1) / BINS,
            high=number / BINS,
            clips=int(inside.sum()),
            probability=float(sure[inside].mean()),
            accuracy=float(right[inside].mean()),
        )
        for number in np.unique(numbers)
        for inside in [numbers == number]
    ]


def calibration_error(bins: Collection[Bin]) -> float:
    """The expected calibration error."""
    apart = sum(each.clips * abs(each.accuracy - each.probability) for each in bins)
    return apart / sum(each.clips for each in bins)

"""How sure an answer is: its probability, and the score below which no candidate is meant.

Probabilities are the softmax of the scores, divided by one temperature (Guo et al., ICML 2017). The
threshold is a quantile of the scores that clips give their own class. Whatever the candidates are,
the best of them scores no less than the true one, so that clips of candidates fall below it at most
as often as is asked for (split conformal prediction; Vovk et al., 2005). Both are fitted on the
scores of the nested runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, Field

from starcli.evaluation.metrics import Floats, Ints, ScoredClips, stacked

FURTHEST = 1e4
"""Temperatures that are tried are at most so many times the deviation of the scores, or less."""
HALVINGS = 60


class Confidence(BaseModel, frozen=True, extra="forbid"):
    """What turns scores into probabilities and into "none of these".

    Args:
        temperature: Divides the scores, from those of seen classes gamma is taken, before softmax.
        threshold: A clip whose best score is lower is of no candidate; None where too few clips
            were there to choose it.
        false_alarms: The share of clips of candidates that may be lower.
    """

    temperature: float = Field(gt=0, allow_inf_nan=False)
    threshold: float | None = Field(allow_inf_nan=False)
    false_alarms: float = Field(gt=0, lt=1)


def fit(folds: Sequence[ScoredClips], gamma: float, false_alarms: float) -> Confidence:
    """The temperature of the highest likelihood, and the threshold of a rate of false alarms.

    Args:
        folds: Scores of the nested runs, each with clips of seen and of unseen classes.
        gamma: What is taken from the scores of seen classes.
        false_alarms: Share of clips of candidates, seen or unseen, that may be called none.
    """
    own = [_own_scores(fold, gamma) for fold in folds]
    groups = (
        np.concatenate([scores[fold.is_seen] for scores, fold in zip(own, folds, strict=True)]),
        np.concatenate([scores[fold.is_unseen] for scores, fold in zip(own, folds, strict=True)]),
    )
    limits = [limit for group in groups if (limit := lowest(group, false_alarms)) is not None]
    return Confidence(
        temperature=temperature([candidate_scores(fold, gamma) for fold in folds]),
        threshold=min(limits) if len(limits) == len(groups) else None,
        false_alarms=false_alarms,
    )


def candidate_scores(scored: ScoredClips, gamma: float) -> tuple[Floats, Ints]:
    """Scores of all classes [N, C'] at a gamma, and positions [N] of the true ones."""
    ids = np.asarray(sorted([*scored.seen, *scored.unseen]))
    return stacked(scored, gamma)[:, ids], np.searchsorted(ids, scored.labels)


def _own_scores(scored: ScoredClips, gamma: float) -> Floats:
    """What each clip scores for its own class [N]."""
    own: Floats = stacked(scored, gamma)[np.arange(len(scored.labels)), scored.labels]
    return own


def lowest(own: Floats, share: float) -> float | None:
    """The score that a further clip is below with at most a probability.

    Args:
        own: What N clips score for their own class.
        share: The probability.

    Returns:
        The score; None where N clips are too few to say.
    """
    rank = math.floor(share * (len(own) + 1))
    return float(np.sort(own)[rank - 1]) if rank else None


def temperature(answers: Sequence[tuple[Floats, Ints]]) -> float:
    """The temperature at which the true classes are the likeliest; 1 where scores are all equal.

    Targets are smoothed as in Platt's method: one clip among N + 1 may be of any class. Without it,
    scores that are all right would be certain.

    Args:
        answers: Scores [N, C] and positions of the true classes [N], of every fold.
    """
    spread = math.sqrt(np.mean([np.var(scores, axis=1).mean() for scores, _ in answers]))
    if not spread:
        return 1.0
    low, high = spread / FURTHEST, spread * FURTHEST
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _too_sure(answers, middle) else (low, middle)
    return math.sqrt(low * high)


def _too_sure(answers: Sequence[tuple[Floats, Ints]], at: float) -> bool:
    """Whether a higher temperature makes the true classes likelier.

    The likelihood rises with the temperature where scores expected of the answers are higher than
    those of the true classes.
    """
    any_class = 1 / (1 + sum(len(truth) for _, truth in answers))
    surplus = 0.0
    for scores, truth in answers:
        expected = (probabilities(scores, at) * scores).sum(1)
        own = scores[np.arange(len(truth)), truth]
        surplus += float((expected - (1 - any_class) * own - any_class * scores.mean(1)).sum())
    return surplus > 0


def probabilities(scores: Floats, temperature: float) -> Floats:
    """Softmax of scores [N, C] at a temperature."""
    powers = np.exp((scores - scores.max(1, keepdims=True)) / temperature)
    shares: Floats = powers / powers.sum(1, keepdims=True)
    return shares

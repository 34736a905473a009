"""How sure an answer is: its probability, and the score below which no candidate is meant.

Probabilities are the softmax of the scores, divided by one temperature (Guo et al., ICML 2017). The
threshold is a quantile of the scores that clips give their own class (split conformal prediction;
Vovk et al., 2005). Where the model knows other names beside the candidates, what counts is how
likely the candidates are together beside these; see `openness`. All are fitted on the scores of the
nested runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, Field

from starcli.evaluation import openness
from starcli.evaluation.metrics import Bools, Floats, Ints, ScoredClips, stacked
from starcli.evaluation.openness import Level

FURTHEST = 1e4
"""Temperatures that are tried are at most so many times the deviation of the scores, or less."""
HALVINGS = 60


class Confidence(BaseModel, frozen=True, extra="forbid"):
    """What turns scores into probabilities and into "none of these".

    Args:
        temperature: Divides the scores, from those of seen classes gamma is taken, before softmax.
        threshold: The score that clips of candidates have for their own; None where too few clips
            were there to choose it.
        false_alarms: The share of clips of candidates that may be lower.
        levels: How likely candidates are beside other names, rising; empty in folders of format 2.
    """

    temperature: float = Field(gt=0, allow_inf_nan=False)
    threshold: float | None = Field(allow_inf_nan=False)
    false_alarms: float = Field(gt=0, lt=1)
    levels: tuple[Level, ...] = ()

    def surplus(self, candidates: Floats, others: Floats) -> Floats | None:
        """How far clips [N] are above what clips of candidates have; None where nobody knows.

        Args:
            candidates: Scores of what clips may be [N, C], C at least 1.
            others: Scores of the other names that the model knows [N, O], O maybe 0.
        """
        if self.threshold is None:
            return None
        if not self.levels:
            above: Floats = candidates.max(1) - self.threshold
            return above
        odds = openness.log_odds(candidates, others, self.temperature, self.threshold)
        count = candidates.shape[1]
        return odds - openness.least(self.levels, count / (count + others.shape[1]))

    def none(self, candidates: Floats, others: Floats) -> Bools:
        """Which clips [N] are of no candidate.

        Args:
            candidates: Scores of what clips may be [N, C], C at least 1.
            others: Scores of the other names that the model knows [N, O], O maybe 0.
        """
        above = self.surplus(candidates, others)
        return np.zeros(len(candidates), bool) if above is None else above < 0


def fit(folds: Sequence[ScoredClips], gamma: float, false_alarms: float) -> Confidence:
    """The temperature of the highest likelihood, and the threshold of a rate of false alarms.

    Args:
        folds: Scores of the nested runs, each with clips of seen and of unseen classes.
        gamma: What is taken from the scores of seen classes.
        false_alarms: Share of clips of candidates, seen or unseen, that may be called none.
    """
    own = [_own_scores(fold, gamma) for fold in folds]
    answers = [candidate_scores(fold, gamma) for fold in folds]
    groups = (
        np.concatenate([scores[fold.is_seen] for scores, fold in zip(own, folds, strict=True)]),
        np.concatenate([scores[fold.is_unseen] for scores, fold in zip(own, folds, strict=True)]),
    )
    limits = [limit for group in groups if (limit := lowest(group, false_alarms)) is not None]
    at, threshold = temperature(answers), min(limits) if len(limits) == len(groups) else None
    seen = [fold.is_seen for fold in folds]
    return Confidence(
        temperature=at,
        threshold=threshold,
        false_alarms=false_alarms,
        levels=()
        if threshold is None
        else openness.levels(answers, seen, at, threshold, false_alarms),
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

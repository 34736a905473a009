"""How likely candidates are together beside the other names that a model knows.

The more candidates there are, the better the best of them fits anything: a score of its own then
tells little of whether a clip is of any. What tells more is whether another name fits better, as in
open-set recognition with known unknowns (Scheirer et al., PAMI 2014). The candidates' share of the
softmax over all names, and over one that scores what few clips give their own, is compared with
what clips of candidates have. That depends on how many of the names are candidates, and is found
for some shares with names at random.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, Field

from starcli.evaluation.metrics import Bools, Floats, Ints

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Numbers of candidates that levels are found for, as far as there are names."""
DRAWS = 50
"""Vocabularies of a size."""
SEED = 0


class Level(BaseModel, frozen=True, extra="forbid"):
    """What clips of candidates have, where a share of all names are candidates.

    Args:
        share: Candidates among all names, above 0 to 1.
        odds: Natural logarithm of the odds that they have at least.
    """

    share: float = Field(gt=0, le=1)
    odds: float = Field(allow_inf_nan=False)


def log_odds(candidates: Floats, others: Floats, temperature: float, floor: float) -> Floats:
    """Natural logarithm of the odds of any candidate against all other names [N].

    Args:
        candidates: Scores [N, C], C at least 1.
        others: Scores [N, O], O maybe 0.
        temperature: Divides scores before softmax.
        floor: Score of a name that stands for all that nobody has named.
    """
    rest = np.concatenate([others, np.full((len(others), 1), floor)], axis=1)
    return _log_sum(candidates / temperature) - _log_sum(rest / temperature)


def least(levels: Sequence[Level], share: float) -> float:
    """The odds that clips of candidates have at least, between two levels in proportion.

    Args:
        levels: Rising in `share`, at least one.
        share: Candidates among all names.
    """
    shares, odds = zip(*((level.share, level.odds) for level in levels), strict=True)
    return float(np.interp(math.log(share), np.log(shares), odds))


def levels(
    answers: Sequence[tuple[Floats, Ints]],
    seen: Sequence[Bools],
    temperature: float,
    floor: float,
    false_alarms: float,
) -> tuple[Level, ...]:
    """What all but a share of clips have among candidates at random, their own with them.

    Args:
        answers: Scores [N, C] and positions of the true classes [N], of every fold.
        seen: Which clips [N] are of seen classes, of every fold: both groups keep to the share.
        temperature: Divides scores before softmax.
        floor: Score of a name that stands for all that nobody has named.
        false_alarms: The share.
    """
    names = min(scores.shape[1] for scores, _ in answers)
    found = []
    for size in (*(size for size in SIZES if size < names), names):
        odds = [_drawn(*answer, size, temperature, floor) for answer in answers]
        groups = [
            np.concatenate([own[rows == group] for own, rows in zip(odds, seen, strict=True)])
            for group in (True, False)
        ]
        found.append(
            Level(share=size / names, odds=min(_quantile(each, false_alarms) for each in groups))
        )
    return tuple(found)


def _drawn(scores: Floats, truth: Ints, size: int, temperature: float, floor: float) -> Floats:
    """Log odds [N, draws] of candidates, each clip's own and others at random."""
    top = np.maximum(scores.max(1), floor)[:, None]
    powers = np.exp((scores - top) / temperature)
    none = np.exp((floor - top) / temperature)
    every = powers.sum(1, keepdims=True) + none
    order = np.random.default_rng(SEED).random((DRAWS, scores.shape[1])).argsort(1)
    chosen = (order < size).T
    # Its own takes the place of the last one, where it is not among them.
    last = (order == size - 1).argmax(1)
    own, without = np.take_along_axis(powers, truth[:, None], 1), ~chosen[truth]
    candidates = powers @ chosen + without * (own - powers[:, last])
    candidates = np.maximum(candidates, own)
    odds: Floats = np.log(candidates) - np.log(np.maximum(every - candidates, none))
    return odds


def _quantile(odds: Floats, share: float) -> float:
    """What a further clip is below with at most a probability, over draws [N, draws]."""
    rank = math.floor(share * (len(odds) + 1))
    return float(np.sort(odds, axis=None)[max(rank, 1) * odds.shape[1] - 1])


def _log_sum(values: Floats) -> Floats:
    top = values.max(1)
    total: Floats = top + np.log(np.exp(values - top[:, None]).sum(1))
    return total

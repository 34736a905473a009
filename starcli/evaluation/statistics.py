"""Whether one row of runs is better than another: paired by fold, seed and clip, with intervals.

Clips of a class are drawn again with replacement, the same ones for every row, and so are the seeds
of a fold. Folds are not: together they have every class, so that an interval speaks of these
classes. How far single folds lie from their mean is told beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from starcli.evaluation.metrics import Floats, Ints, ScoredClips, best_of, harmonic_mean

DRAWS = 1000
"""How often clips and seeds are drawn again; a standard error is then known to two hundredths."""
LEVEL = 0.95
"""Probability with which all intervals of a column hold together."""
MANY = 1e6
"""Degrees of freedom of a normal distribution."""
Right = Mapping[str, Mapping[str, str]]
"""What was asked -> class -> a digit for each of its test clips, 1 where it was named right.

Clips are asked for their class among the unseen ones (`zsl`) and among all (`gzsl`); those of a
target for its name (`top1`) and for five names (`top5`).
"""
Draws = Mapping[str, Mapping[str, Floats]]
"""Measure -> row -> its value in each draw [2, DRAWS], of clips alone and of seeds as well."""


class Part(NamedTuple):
    """What a fold contributes to a mean.

    Args:
        share: Its share of the mean.
        draws: Every row's value in each draw [2, DRAWS], of clips alone and of seeds as well.
        seeds: How many runs of each row there are.
        clips: What names the clips that are counted; folds with one name have clips in common.
    """

    share: float
    draws: Mapping[str, Floats]
    seeds: int
    clips: str


class Interval(NamedTuple):
    """Where a difference lies.

    Args:
        low: Lower end.
        high: Upper end.
    """

    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether there is a difference."""
        return self.low > 0 or self.high < 0


def right(scored: ScoredClips, predicted: Ints, names: Sequence[str]) -> Right:
    """Which test clips a run names right.

    Args:
        scored: Scores with the truth.
        predicted: Classes [N] that clips are taken for among all.
        names: Names of the classes.
    """
    rows = scored.is_unseen
    among_unseen = best_of(scored.scores[rows], scored.unseen)
    return {
        "zsl": by_class(among_unseen == scored.labels[rows], scored.labels[rows], names),
        "gzsl": by_class(predicted == scored.labels, scored.labels, names),
    }


def by_class(hits: Sequence[bool] | Ints, labels: Ints, names: Sequence[str]) -> dict[str, str]:
    """Class -> a digit for each of its clips, in their order.

    Args:
        hits: Whether each clip is right [N].
        labels: Class ids [N].
        names: Names of the classes.
    """
    digits = np.where(hits, "1", "0")
    return {names[c]: "".join(digits[labels == c]) for c in np.unique(labels)}


def clips(asked: Right) -> dict[tuple[str, str], int]:
    """How many clips each class has, by what was asked: what runs on the same clips share."""
    return {(what, c): len(own) for what, each in asked.items() for c, own in each.items()}


def resample(runs: Mapping[str, Sequence[Right]]) -> Draws:
    """Every measure of every row, with clips and seeds drawn again.

    Of n that there are, n - 1 are drawn: the spread of a mean comes out as n would have it, also
    for the three seeds that there may be. A single one stays as it is.

    Args:
        runs: Row -> its runs on one fold, seed by seed, all on the same clips.
    """
    source = np.random.default_rng(0)
    every = [[*own] for own in runs.values()]
    shares = {
        what: _by_class(source, [[run[what] for run in row] for row in every])
        for what in every[0][0]
    }
    count = len(every[0])
    seeds = np.stack([np.full((DRAWS, count), 1 / count), _weights(source, count)])
    return {
        measure: dict(zip(runs, np.einsum("rsd,wds->rwd", values, seeds), strict=True))
        for measure, values in _measures(shares, every[0][0]).items()
    }


def _by_class(
    source: np.random.Generator, every: Sequence[Sequence[Mapping[str, str]]]
) -> dict[str, Floats]:
    """Class -> share of its clips that is right, by row, seed and draw."""
    shares = {}
    for c in every[0][0]:
        digits = np.array([[np.frombuffer(run[c].encode(), np.uint8) for run in r] for r in every])
        shares[c] = (digits == ord("1")) @ _weights(source, digits.shape[2]).T
    return shares


def _weights(source: np.random.Generator, count: int) -> Floats:
    """How much each of so many counts in each draw [DRAWS, count]; rows add up to 1."""
    drawn = max(count - 1, 1)
    weights: Floats = source.multinomial(drawn, np.full(count, 1 / count), DRAWS) / drawn
    return weights


def _measures(shares: Mapping[str, Mapping[str, Floats]], asked: Right) -> dict[str, Floats]:
    """The measures that there are, from shares by class."""
    nothing = np.zeros_like(next(own for each in shares.values() for own in each.values()))

    def pooled(what: str, classes: Iterable[str]) -> Floats:
        counts = {c: len(asked[what][c]) for c in classes}
        total = sum((n * shares[what][c] for c, n in counts.items()), nothing)
        return total / max(sum(counts.values()), 1)

    if "top1" in shares:
        return {
            "top1": pooled("top1", shares["top1"]),
            "by_class": np.mean([*shares["top1"].values()], axis=0),
            "top5": pooled("top5", shares["top5"]),
        }
    unseen = pooled("gzsl", [c for c in shares["gzsl"] if c in shares["zsl"]])
    seen = pooled("gzsl", [c for c in shares["gzsl"] if c not in shares["zsl"]])
    zsl = pooled("zsl", shares["zsl"])
    return {"ZSL": zsl, "S": seen, "U": unseen, "H": harmonic_mean(seen, unseen)}


def interval(
    difference: float, parts: Sequence[Part], row: str, other: str, comparisons: int
) -> Interval:
    """Where the difference of two rows lies, together with those of other rows.

    The difference plus and minus its standard error times a quantile of Student's t, with the
    degrees of freedom that Welch and Satterthwaite give few seeds beside many clips. Of folds with
    clips in common, as those of seen classes are, errors are added as if they went together; those
    of other folds are independent. The level is shared between all comparisons (Bonferroni).

    Args:
        difference: Of the means, the row's minus the other's.
        parts: The folds that they are means of.
        row: A row.
        other: What it is compared with.
        comparisons: How many there might have been: where `other` is the highest row, which is
            seen before, each row with each other one.
    """
    from scipy.special import stdtrit

    spread = [np.var(p.draws[row] - p.draws[other], axis=1) * p.share**2 for p in parts]
    clips_alone, both = np.array(spread).T
    of_seeds = (both - clips_alone).clip(0)
    together: dict[str, float] = {}
    for part, variance in zip(parts, clips_alone, strict=True):
        together[part.clips] = together.get(part.clips, 0.0) + float(np.sqrt(variance))
    error = sum(deviation**2 for deviation in together.values()) + of_seeds.sum()
    if not error:
        return Interval(difference, difference)
    unsure = sum(v**2 / (p.seeds - 1) for v, p in zip(of_seeds, parts, strict=True) if p.seeds > 1)
    freedom = min(error**2 / unsure, MANY) if unsure else MANY
    reach = float(np.sqrt(error) * stdtrit(freedom, 1 - (1 - LEVEL) / (2 * comparisons)))
    return Interval(max(difference - reach, -1.0), min(difference + reach, 1.0))

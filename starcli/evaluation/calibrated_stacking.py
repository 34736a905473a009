"""Calibrated stacking (Chao et al., ECCV 2016): the exact curve over gamma, and its choice.

Subtracting gamma from the seen classes changes a clip's prediction once, where gamma passes the
gap between its best seen and its best unseen score. Between neighbouring gaps nothing changes, so
the curve is a staircase with one step per clip and is computed, not sampled. Any other number that
says how much a clip looks like a seen class, such as a gate's, makes a staircase in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel

from starcli.errors import DataError
from starcli.evaluation.metrics import (
    Floats,
    Ints,
    ScoredClips,
    best_of,
    gaps,
    harmonic_mean,
    predict,
    separate,
)

AS_GOOD = 0.9
"""Share of the highest value that counts as equally good on validation.

With a few pseudo-unseen classes, smaller differences are luck. From one choice of such classes to
another, the last epoch and the middle gamma of those that are as good carry over better than the
place of the highest value.
"""


@dataclass(frozen=True)
class Curve:
    """S, U and H as functions of gamma, constant between breakpoints.

    Args:
        gammas: P breakpoints, rising.
        seen: S on the P + 1 intervals, the first below all breakpoints.
        unseen: U, likewise.
        harmonic: H, likewise.
        area: Area under U over S (AUSUC), independent of any gamma.
    """

    gammas: Floats
    seen: Floats
    unseen: Floats
    harmonic: Floats
    area: float

    def points(self) -> CurvePoints:
        """The curve as it is reported."""
        return CurvePoints(
            breakpoints=self.gammas.tolist(),
            seen_accuracy=self.seen.tolist(),
            unseen_accuracy=self.unseen.tolist(),
            harmonic_mean=self.harmonic.tolist(),
            area=self.area,
        )


class CurvePoints(BaseModel, frozen=True, extra="forbid"):
    """A `Curve` in a report.

    Args:
        breakpoints: P gammas, rising.
        seen_accuracy: S on the P + 1 intervals, the first below all breakpoints.
        unseen_accuracy: U, likewise.
        harmonic_mean: H, likewise.
        area: Area under U over S (AUSUC).
    """

    breakpoints: tuple[float, ...]
    seen_accuracy: tuple[float, ...]
    unseen_accuracy: tuple[float, ...]
    harmonic_mean: tuple[float, ...]
    area: float


class GammaChoice(BaseModel, frozen=True, extra="forbid"):
    """A place on a curve where the harmonic mean is the highest, or about as good.

    Args:
        gamma: The middle of the interval; of a flat curve, its smallest breakpoint.
        low: Lower end of the interval; None without end.
        high: Upper end of the interval; None without end.
        harmonic_mean: H at gamma.
        identifiable: False where H is the same everywhere.
    """

    gamma: float
    low: float | None
    high: float | None
    harmonic_mean: float
    identifiable: bool


class Stacking(BaseModel, frozen=True, extra="forbid"):
    """Takes gamma from the scores of seen classes, then names the best class of all.

    Args:
        name: What it is called in reports.
        gamma: The penalty.
    """

    name: Literal["stacking"] = "stacking"
    gamma: float

    def margins(self, scored: ScoredClips) -> Floats:
        """What gamma is compared with [N]."""
        return gaps(scored)

    def predict(self, scored: ScoredClips) -> Ints:
        """Classes [N]."""
        return predict(scored, self.gamma)


def fit(folds: Sequence[ScoredClips]) -> tuple[Stacking, Curve, GammaChoice]:
    """Gamma in the middle of where the mean H over the folds of validation is about highest.

    Args:
        folds: Scores of the nested runs, each with clips of seen and of unseen classes.

    Returns:
        The calibrator, the mean curve over gamma, and the best place on it.
    """
    curve = mean([sweep(fold) for fold in folds])
    best = choose(curve, AS_GOOD)
    return Stacking(gamma=best.gamma), curve, best


def sweep(scored: ScoredClips, margins: Floats | None = None) -> Curve:
    """The exact curve of S, U and H over gamma.

    Args:
        scored: Scores with the truth.
        margins: What gamma is compared with [N]: a clip goes to a seen class where it is higher.
            None for the gaps between best seen and best unseen scores.

    Raises:
        DataError: Clips of seen or of unseen classes are missing.
    """
    seen_rows, unseen_rows = scored.is_seen, scored.is_unseen
    for rows, kind in ((seen_rows, "seen"), (unseen_rows, "unseen")):
        if not rows.any():
            raise DataError(
                f"no clips of {kind} classes: GZSL needs both seen and unseen ones",
                "check protocol and split",
            )
    margins = gaps(scored) if margins is None else margins
    seen_right = seen_rows & (best_of(scored.scores, scored.seen) == scored.labels)
    unseen_right = unseen_rows & (best_of(scored.scores, scored.unseen) == scored.labels)
    gammas = np.unique(margins)
    lost = np.searchsorted(np.sort(margins[seen_right]), gammas, side="right")
    won = np.searchsorted(np.sort(margins[unseen_right]), gammas, side="right")
    seen = (seen_right.sum() - np.concatenate([[0], lost])) / seen_rows.sum()
    unseen = np.concatenate([[0], won]) / unseen_rows.sum()
    area = float(np.trapezoid(unseen, -seen))
    return Curve(gammas, seen, unseen, harmonic_mean(seen, unseen), area)


def mean(curves: Sequence[Curve]) -> Curve:
    """S, U, H and area averaged over the folds of validation, exact at every gamma.

    Each fold counts the same, whatever its number of clips. H is the mean of the folds' own.
    """
    gammas = np.unique(np.concatenate([curve.gammas for curve in curves]))

    def over_folds(name: str) -> Floats:
        spread = []
        for curve in curves:
            interval = np.searchsorted(curve.gammas, gammas, side="right")
            spread.append(getattr(curve, name)[np.concatenate([[0], interval])])
        average: Floats = np.mean(spread, axis=0)
        return average

    area = float(np.mean([curve.area for curve in curves]))
    return Curve(gammas, over_folds("seen"), over_folds("unseen"), over_folds("harmonic"), area)


def choose(curve: Curve, as_good: float = 1.0) -> GammaChoice:
    """The interval around the first highest H in which H is at least a share of it.

    A curve that is flat tells nothing: then its smallest breakpoint is taken and marked.

    Args:
        curve: S, U and H over gamma.
        as_good: The share; 1 for the first interval with the highest H itself.
    """
    harmonic = curve.harmonic
    first = last = int(harmonic.argmax())
    enough = as_good * harmonic[first]
    while first > 0 and harmonic[first - 1] >= enough:
        first -= 1
    while last + 1 < len(harmonic) and harmonic[last + 1] >= enough:
        last += 1
    low = None if first == 0 else float(curve.gammas[first - 1])
    high = None if last == len(harmonic) - 1 else float(curve.gammas[last])
    inside = [end for end in (low, high) if end is not None]
    flat = bool((harmonic == harmonic[0]).all())
    gamma = float(curve.gammas[0]) if flat else float(np.mean(inside))
    there = harmonic[np.searchsorted(curve.gammas, gamma, side="right")]
    return GammaChoice(
        gamma=gamma, low=low, high=high, harmonic_mean=float(there), identifiable=not flat
    )


def caveats(
    scored: ScoredClips, margins: Floats, gamma: float, chosen: GammaChoice | None
) -> list[str]:
    """What a reader must know before trusting a gamma's numbers; empty where all is well.

    Args:
        scored: Scores of the test clips.
        margins: What gamma is compared with there [N].
        gamma: The value in use.
        chosen: How it was chosen; None where the user fixed it.
    """
    doubts = []
    if chosen is not None and not chosen.identifiable:
        doubts.append("H is the same for every gamma: gamma is not identifiable")
    if not separate(scored.scores):
        doubts.append("scores do not separate classes: of equal scores the lowest class id counts")
    low, high = margins.min(), margins.max()
    if not low <= gamma <= high:
        side = "unseen" if gamma > high else "seen"
        doubts.append(
            f"gamma {gamma:.4g} is outside the gaps of the test clips, {low:.4g} to "
            f"{high:.4g}: every clip goes to {side} classes"
        )
    return doubts

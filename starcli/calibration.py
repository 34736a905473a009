"""Calibrated stacking (Chao et al., ECCV 2016): the exact curve over gamma and its best value.

Subtracting gamma from the seen classes changes a clip's prediction once, where gamma passes the
gap between its best seen and its best unseen score. Between neighbouring gaps nothing changes, so
the curve is a staircase with one step per clip and is computed, not sampled.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from starcli.errors import DataError
from starcli.metrics import Floats, Judged, best_of, harmonic_mean


@dataclass(frozen=True)
class Curve:
    """S, U and H as functions of gamma, constant between breakpoints.

    Args:
        gammas: P breakpoints, rising.
        seen: S on the P + 1 intervals, the first below all breakpoints.
        unseen: U, likewise.
    """

    gammas: Floats
    seen: Floats
    unseen: Floats

    @property
    def harmonic(self) -> Floats:
        """H on the P + 1 intervals."""
        return harmonic_mean(self.seen, self.unseen)

    @property
    def area(self) -> float:
        """Area under U over S (AUSUC), independent of any gamma."""
        return float(np.trapezoid(self.unseen, -self.seen))

    def document(self) -> dict[str, Any]:
        """The curve as JSON."""
        return {
            "breakpoints": self.gammas.tolist(),
            "seen_accuracy": self.seen.tolist(),
            "unseen_accuracy": self.unseen.tolist(),
            "harmonic_mean": self.harmonic.tolist(),
            "area": self.area,
        }


@dataclass(frozen=True)
class Best:
    """The best harmonic mean of a curve and where it is reached.

    Args:
        gamma: A value inside the interval.
        low: Lower end of the interval; None without end.
        high: Upper end of the interval; None without end.
        harmonic_mean: H there.
        identifiable: False where H is the same everywhere.
    """

    gamma: float
    low: float | None
    high: float | None
    harmonic_mean: float
    identifiable: bool

    def document(self) -> dict[str, Any]:
        """The choice as JSON."""
        return asdict(self)


def sweep(judged: Judged) -> Curve:
    """The exact curve of S, U and H over gamma.

    Raises:
        DataError: Clips of seen or of unseen classes are missing.
    """
    seen_rows, unseen_rows = judged.is_seen, judged.is_unseen
    if not seen_rows.any() or not unseen_rows.any():
        raise DataError("calibration needs clips of seen and of unseen classes")
    best_seen, best_unseen = (
        best_of(judged.scores, judged.seen),
        best_of(judged.scores, judged.unseen),
    )
    every = np.arange(len(judged.labels))
    gaps = judged.scores[every, best_seen] - judged.scores[every, best_unseen]
    seen_right = seen_rows & (best_seen == judged.labels)
    unseen_right = unseen_rows & (best_unseen == judged.labels)
    gammas = np.unique(gaps)
    lost = np.searchsorted(np.sort(gaps[seen_right]), gammas, side="right")
    won = np.searchsorted(np.sort(gaps[unseen_right]), gammas, side="right")
    seen = (seen_right.sum() - np.concatenate([[0], lost])) / seen_rows.sum()
    unseen = np.concatenate([[0], won]) / unseen_rows.sum()
    return Curve(gammas, seen, unseen)


def choose(curve: Curve) -> Best:
    """The middle of the first interval with the highest H; its inner end where it has no other.

    A curve that is flat tells nothing: then its smallest breakpoint is taken and marked.
    """
    harmonic = curve.harmonic
    top = int(harmonic.argmax())
    last = top
    while last + 1 < len(harmonic) and harmonic[last + 1] == harmonic[top]:
        last += 1
    low = None if top == 0 else float(curve.gammas[top - 1])
    high = None if last == len(harmonic) - 1 else float(curve.gammas[last])
    inside = [end for end in (low, high) if end is not None]
    flat = bool((harmonic == harmonic[0]).all())
    gamma = float(curve.gammas[0]) if flat else float(np.mean(inside))
    return Best(gamma, low, high, float(harmonic[top]), not flat)

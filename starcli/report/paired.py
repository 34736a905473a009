"""Two runs on the same test clips, clip by clip."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]


class Paired(NamedTuple):
    """How the answers of two runs to the same clips differ.

    Args:
        clips: How many clips there are.
        both: Named right by both runs.
        first: By the first alone.
        second: By the second alone.
        p: Probability of so unequal numbers, or more so, if neither run were better (McNemar's
            exact test); 1 where no clip tells them apart.
    """

    clips: int
    both: int
    first: int
    second: int
    p: float

    @property
    def difference(self) -> float:
        """How much more of the clips the second run names right, a fraction."""
        return (self.second - self.first) / self.clips if self.clips else 0.0


def paired(first: Bools, second: Bools) -> Paired:
    """Compare two runs by the clips that each names right.

    Args:
        first: Whether the first run names each clip right [N].
        second: The same of the second.
    """
    from scipy.stats import binomtest

    alone = int((first & ~second).sum()), int((second & ~first).sum())
    p = float(binomtest(alone[0], sum(alone)).pvalue) if sum(alone) else 1.0
    return Paired(len(first), int((first & second).sum()), *alone, p)

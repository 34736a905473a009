"""Learning rates over a training, as shares of the highest.

Functions of how far the training is, not torch's schedulers, whose state checkpoints would keep.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

Rate = Callable[[float], float]
"""Share of the peak learning rate after a share of the training."""


def warm_cosine(progress: float, warm: float = 0.2) -> float:
    """Share of the learning rate: linear rise over `warm` of the steps, then half a cosine."""
    if progress < warm:
        return 0.04 + 0.96 * progress / warm
    return 0.5 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm)))


def warm_steps(progress: float, warm: float, milestones: Sequence[float]) -> float:
    """Share of the learning rate: linear rise, then a tenth of it after every milestone.

    Args:
        progress: Share of the training that is done.
        warm: Share of the training in which the rate rises.
        milestones: Shares of the training after which it falls.
    """
    if progress < warm:
        return 0.04 + 0.96 * progress / warm
    # A hair of tolerance: 35 of 65 epochs and 35 / 65 need not be the same float.
    return float(0.1 ** sum(progress >= m - 1e-9 for m in milestones))


def schedule(kind: str, epochs: int, milestones: Sequence[float], warm: float) -> Rate:
    """A schedule of the learning rate by name.

    Args:
        kind: `cosine`, or `steps`.
        epochs: Length of the training.
        milestones: Epochs after which `steps` falls to a tenth.
        warm: Share of the training in which the rate rises.
    """
    if kind == "cosine":
        return partial(warm_cosine, warm=warm)
    return partial(warm_steps, warm=warm, milestones=[m / epochs for m in milestones])

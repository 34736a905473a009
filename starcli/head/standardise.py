"""Tokens on one scale: mean and deviation of every channel over the training clips."""

from __future__ import annotations

import torch
from torch import Tensor

from starcli.contracts import TokenSet

SLICE = 256
"""Clips that are read at a time."""


def moments(train: TokenSet) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of every channel, float64 [D] each.

    Args:
        train: Joint tokens [N, L, V, D] of the training clips, read in slices.
    """
    total = square = torch.zeros((), dtype=torch.float64)
    count = 0
    for ids in torch.split(torch.arange(len(train)), SLICE):
        flat = train.batch(ids).flatten(0, -2).double()
        total, square, count = total + flat.sum(0), square + (flat**2).sum(0), count + len(flat)
    mean = total / count
    return mean, (square / count - mean**2).clamp_min(1e-8).sqrt()

"""Loss terms that several methods have."""

from __future__ import annotations

import torch
from torch import Tensor


def hinge_rank(scores: Tensor, targets: Tensor, margin: float) -> Tensor:
    """How far false classes come within a margin of the true one, summed over them.

    Args:
        scores: [B, S].
        targets: Positions [B] of the true classes.
        margin: By which the true class is to win.
    """
    own = targets[:, None]
    violations = (margin + scores - scores.gather(1, own)).relu()
    return violations.scatter(1, own, 0.0).sum(1).mean()


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances of all pairs, [B, d] and [B', d] -> [B, B'], by one product of matrices."""
    return a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T


def mmd(a: Tensor, b: Tensor, kappa: float) -> Tensor:
    """Squared maximum mean discrepancy of two samples with the kernel exp(-kappa |x - y|^2).

    Args:
        a: [B, d].
        b: [B', d].
        kappa: Sharpness of the kernel.
    """

    def mean_kernel(x: Tensor, y: Tensor) -> Tensor:
        return torch.exp(-kappa * squared_distances(x, y)).mean()

    return mean_kernel(a, a) + mean_kernel(b, b) - 2 * mean_kernel(a, b)

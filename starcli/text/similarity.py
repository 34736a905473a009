"""How alike the texts of classes are: cosines of their vectors, facet by facet."""

from __future__ import annotations

import torch
from torch import Tensor

from starcli.contracts import TextBank

MEAN = "mean of all"
"""What stands beside the facets: the mean of their cosines."""


def cosines(bank: TextBank) -> dict[str, Tensor]:
    """Facet -> cosine of every pair of classes [C, C], and the same for the mean of all facets.

    Args:
        bank: The vectors of all classes.
    """
    unit = torch.nn.functional.normalize(bank.vectors.double(), dim=2)
    each = torch.einsum("cfe,dfe->fcd", unit, unit).clamp(-1, 1)
    by_facet = dict(zip(bank.facets, each, strict=True))
    return by_facet if len(by_facet) == 1 else {**by_facet, MEAN: each.mean(0)}


def nearest(alike: Tensor, label: int, count: int) -> list[tuple[int, float]]:
    """The classes most like one class, the nearest first.

    Args:
        alike: Cosines [C, C].
        label: The class.
        count: How many at most.

    Returns:
        (class, cosine).
    """
    order = alike[label].argsort(descending=True, stable=True).tolist()
    return [(other, float(alike[label, other])) for other in order if other != label][:count]


def closest(alike: Tensor, count: int) -> list[tuple[int, int, float]]:
    """The pairs of classes that are most alike, the closest first.

    Args:
        alike: Cosines [C, C].
        count: How many at most.

    Returns:
        (class, another class, cosine).
    """
    one, other = torch.triu_indices(len(alike), len(alike), 1)
    values = alike[one, other]
    order = values.argsort(descending=True, stable=True)[:count]
    return list(
        zip(one[order].tolist(), other[order].tolist(), values[order].tolist(), strict=True)
    )


def grouped(alike: Tensor) -> list[int]:
    """All classes in an order that puts like ones side by side, by average linkage.

    Args:
        alike: Cosines [C, C].
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(alike) < 3:
        return list(range(len(alike)))
    apart = (1 - (alike + alike.T) / 2).clamp(min=0).fill_diagonal_(0)
    order: list[int] = leaves_list(
        linkage(squareform(apart.numpy(), checks=False), "average", optimal_ordering=True)
    ).tolist()
    return order

"""How well clips are named among some names, none of which need be learned from."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from starcli.evaluation.metrics import Floats, Ints, class_mean, per_class_accuracy

TOP = 5
"""Names of highest scores, among which the right one may be."""


class Naming(TypedDict):
    """Shares of clips that are named right, and of those with the most frequent name."""

    top1: float
    by_class: float
    top5: float
    frequent: float
    most_frequent: str


def naming(scores: Floats, labels: Ints, names: tuple[str, ...]) -> Naming:
    """How well scores name clips; of equal scores the first name is taken.

    Args:
        scores: [N, C].
        labels: The right names, int64 [N].
        names: C names.
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    best: Ints = order[:, 0]
    given = np.bincount(best, minlength=len(names))
    by_class = class_mean(per_class_accuracy(best, labels, len(names)))
    return {
        "top1": float((best == labels).mean()),
        "by_class": float(by_class or 0.0),
        "top5": float((order[:, :TOP] == labels[:, None]).any(1).mean()),
        "frequent": float(given.max() / len(labels)),
        "most_frequent": names[int(given.argmax())],
    }

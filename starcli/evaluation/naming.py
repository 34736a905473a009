"""How well clips are named among some names, none of which need be learned from."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from starcli.evaluation.metrics import Floats, Ints, class_mean, per_class_accuracy
from starcli.evaluation.statistics import Right, by_class

TOP = 5
"""Names of highest scores, among which the right one may be."""


class Naming(TypedDict):
    """Shares of clips that are named right, which those are, and the most frequent name's share."""

    top1: float
    by_class: float
    top5: float
    frequent: float
    most_frequent: str
    right: Right


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
    mean = class_mean(per_class_accuracy(best, labels, len(names)))
    hits = {"top1": best == labels, "top5": (order[:, :TOP] == labels[:, None]).any(1)}
    return {
        "top1": float(hits["top1"].mean()),
        "by_class": float(mean or 0.0),
        "top5": float(hits["top5"].mean()),
        "frequent": float(given.max() / len(labels)),
        "most_frequent": names[int(given.argmax())],
        "right": {what: by_class(each, labels, names) for what, each in hits.items()},
    }

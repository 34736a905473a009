"""Choosing clips, laying features out in the plane, and measuring how well classes part there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from starcli.evaluation.metrics import Floats
from starcli.training.seeds import derive


def pick(
    test: Sequence[int], labels: Sequence[int], classes: Sequence[int], count: int, seed: int
) -> list[int]:
    """At most `count` random test clips of each class, in the order of classes.

    Args:
        test: Positions of the test clips among all clips.
        labels: Class id of every clip.
        classes: Ids of the wanted classes.
        count: Most clips of a class.
        seed: Seed of the choice.
    """
    rng = np.random.default_rng(derive(seed, "pick"))
    own = [[i for i in test if labels[i] == c] for c in classes]
    return [int(i) for clips in own for i in sorted(rng.permutation(clips)[:count])]


def embed(features: Tensor, seed: int) -> Floats:
    """t-SNE by cosine distance (van der Maaten and Hinton, JMLR 2008).

    Args:
        features: [N, W], of 3 points or more.
        seed: Seed of what is random in it.

    Returns:
        Places [N, 2].
    """
    from sklearn.manifold import TSNE

    tsne = TSNE(
        perplexity=min(30.0, (len(features) - 1) / 3),
        metric="cosine",
        init="pca" if features.shape[1] > 1 else "random",
        random_state=derive(seed, "t-SNE") % 2**32,
        n_jobs=1,
    )
    points: Floats = tsne.fit_transform(features.double().numpy()).astype(float)
    return points


def silhouette(features: Tensor, labels: Sequence[int]) -> float | None:
    """Mean silhouette by cosine distance (Rousseeuw, 1987): 1 where classes are compact and apart.

    Args:
        features: [N, W].
        labels: Class of every point [N].

    Returns:
        The mean; None for a single class, or where every class has one point.
    """
    from sklearn.metrics import silhouette_score

    if not 1 < len(set(labels)) < len(labels):
        return None
    return float(silhouette_score(features.double().numpy(), labels, metric="cosine"))

"""What the nested runs say together: the epoch that all folds like best, and their scores then."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from starcli.metrics import Floats, Judged, require_finite
from starcli.store import Artifact


def open_judged(artifact: Artifact, position: int | None = None) -> Judged:
    """Scores and labels that an artifact holds.

    Args:
        artifact: Of `evaluate`, or of `train` in a nested run.
        position: Which of a nested run's scores are meant.

    Raises:
        NumericalError: A score is not finite.
    """
    tensors, summary = artifact.tensors(), artifact.summary
    stored = tensors["scores"] if position is None else tensors["scores"][position]
    scores: Floats = stored.double().numpy()
    require_finite(scores, artifact.data()["clips"])
    labels = tensors["labels"].numpy().astype(np.int64)
    return Judged(scores, labels, summary["seen"], summary["unseen"])


def open_folds(nested: Sequence[Artifact]) -> tuple[int, list[Judged]]:
    """The number of epochs chosen on all nested runs together, and their scores after it.

    Args:
        nested: Artifacts of `train`, one per fold of validation.
    """
    position = choose_epoch([fold.summary["area_by_epoch"] for fold in nested])
    epochs = int(nested[0].summary["judged_epochs"][position])
    return epochs, [open_judged(fold, position) for fold in nested]


def choose_epoch(areas: Sequence[Sequence[float]]) -> int:
    """Position of the epoch with the largest area under the seen-unseen curve, over all folds.

    The area needs both sides, so an epoch that knows the pseudo-unseen classes by luck before it
    knows the seen ones is not chosen. It is averaged with its neighbours': on few clips a single
    epoch's area jumps. Of folds that stopped early, only epochs that all have count.

    Args:
        areas: For every fold, the area after each judged epoch.
    """
    common = min(map(len, areas))
    mean = np.mean([fold[:common] for fold in areas], axis=0)
    smooth = np.convolve(np.pad(mean, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    return int(smooth.argmax())

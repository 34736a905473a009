"""What the nested runs say together: the number of epochs, and their scores after as many.

Where a method leaves a number of its inference open, its variants are judged beside the epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from starcli.evaluation.calibrated_stacking import AS_GOOD
from starcli.evaluation.metrics import Floats, ScoredClips, require_finite
from starcli.store.artifacts import Artifact


@dataclass(frozen=True)
class SelectedModel:
    """What all nested runs chose together.

    Args:
        epochs: Number of epochs.
        variant: The method's open number; None where it has none.
        scored: Every run's scores with both.
    """

    epochs: int
    variant: float | None
    scored: list[ScoredClips]


def open_scored(artifact: Artifact, position: tuple[int, int] | None = None) -> ScoredClips:
    """Scores and labels that an artifact holds.

    Args:
        artifact: Of `evaluate`, or of `train` in a nested run.
        position: Which of a nested run's scores are meant: of the judged epochs, of the variants.

    Raises:
        NumericalError: A score is not finite.
    """
    tensors, summary = artifact.tensors(), artifact.summary
    stored = tensors["scores"] if position is None else tensors["scores"][position]
    scores: Floats = stored.double().numpy()
    require_finite(scores, artifact.data()["clips"])
    labels = tensors["labels"].numpy().astype(np.int64)
    return ScoredClips(scores, labels, summary["seen"], summary["unseen"])


def select_model(nested: Sequence[Artifact]) -> SelectedModel:
    """The number of epochs, and the variant, chosen on all nested runs together.

    Args:
        nested: Artifacts of `train`, one per fold of validation.
    """
    epoch, variant = choose([fold.summary["areas"] for fold in nested])
    first = nested[0].summary
    return SelectedModel(
        epochs=int(first["judged_epochs"][epoch]),
        variant=first["variants"][variant] if first["variants"] else None,
        scored=[open_scored(fold, (epoch, variant)) for fold in nested],
    )


def choose(areas: Sequence[Sequence[Sequence[float]]]) -> tuple[int, int]:
    """Positions of the last epoch and variant whose area is about the largest.

    The area under the seen-unseen curve needs both sides, so an epoch that knows the pseudo-unseen
    classes by luck before it knows the seen ones is not chosen. It is averaged with its
    neighbours': on few clips a single epoch's area jumps. Of epochs that are as good the last is
    taken: which of them is highest is luck, and early in the schedule the method changes much from
    epoch to epoch. Of its variants then, likewise: a method names the one it prefers last. Of folds
    that stopped early, only epochs that all have count.

    Args:
        areas: For every fold, the area after each judged epoch with each variant.

    Returns:
        Positions of the epoch and of the variant.
    """
    common = min(map(len, areas))
    mean = np.mean([fold[:common] for fold in areas], axis=0)
    padded = np.pad(mean, ((1, 1), (0, 0)), mode="edge")
    smooth = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    epoch = _last_as_good(smooth.max(1))
    return epoch, _last_as_good(smooth[epoch])


def _last_as_good(values: Floats) -> int:
    return int(np.flatnonzero(values >= AS_GOOD * values.max())[-1])

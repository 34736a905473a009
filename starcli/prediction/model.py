"""A trained model: its networks, and what naming clips needs beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Unpack

import torch
from torch import Tensor

from starcli.contracts import (
    Backbone,
    DatasetSource,
    Method,
    Modality,
    Normalisation,
    Progress,
    TextBank,
    silent,
)
from starcli.data.clips import ClipSet
from starcli.data.views import Views
from starcli.evaluation.confidence import Confidence
from starcli.prediction.actions import Actions, Described
from starcli.stages.extract import encode_clips

if TYPE_CHECKING:
    from starcli.prediction.answer import Predicted, Recordings
    from starcli.prediction.question import Question

Describe = Callable[[Actions, str | None, Progress], Described]
"""Describes and encodes actions by a describer; None for the one that the run had."""


@dataclass(frozen=True)
class TrainedModel:
    """What names clips, wherever it was taken from: a run in its store, or an exported folder.

    Args:
        name: Name of the run that it is of.
        source: The data set that it has learned from; only its facts, and how it reads files.
        normalise: What was done to every clip.
        persons: M, most persons of a clip.
        frames: T.
        crop: Share of a clip that is read, its middle.
        modality: What of the skeletons is read.
        batch: Clips at a time.
        backbone: Frozen, in eval mode, on the device.
        method: In eval mode, on the device.
        method_name: What the method is called.
        bank: Text of the classes that the method was trained with.
        seen: Their ids that were learned from.
        unseen: Their ids that are known by their text only.
        gamma: What is taken from the scores of seen classes, chosen on validation.
        confidence: What makes probabilities and "none of these" of scores, fitted on validation.
        warning: What every result must admit, in one line.
        device: Where to compute.
        describe: Gives further actions a text bank.
        learned: Names of all that it learned from, classes and made-up movements.
        texts: Of each class the texts that the bank has vectors of.
        notes: What to beware of, a line each.
    """

    name: str
    source: DatasetSource
    normalise: tuple[Normalisation, ...]
    persons: int
    frames: int
    crop: float
    modality: Modality
    batch: int
    backbone: Backbone
    method: Method
    method_name: str
    bank: TextBank
    seen: tuple[int, ...]
    unseen: tuple[int, ...]
    gamma: float
    confidence: Confidence
    warning: str | None
    device: torch.device
    describe: Describe
    learned: Sequence[str] = field(default=())
    texts: Sequence[Sequence[str]] = field(default=())
    notes: Sequence[str] = field(default=())

    def encode(self, clips: ClipSet) -> Tensor:
        """Joint tokens float16 [N, L, V, D] of all clips of a set."""
        layout, every = self.source.layout, range(len(clips.places))
        views = Views(clips, layout, self.frames, self.crop, self.modality)
        return encode_clips(self.backbone, views.plain, clips, every, self.batch, self.device)

    def predict(
        self, recordings: Recordings, *, progress: Progress = silent, **question: Unpack[Question]
    ) -> Predicted:
        """What is done in recordings: `model.predict(array, actions=["squat", "wave"])`.

        Threads may share the model. The texts of new actions are made once, and then remembered.

        Args:
            recordings: Arrays of joints and files, one or several, as `starcli.predict` reads them.
            progress: Told about every step.
            **question: The other options of `starcli.predict`, such as `layout`, `up` and `unit`.

        Raises:
            DataError: No recording could be read.
            UsageError: The method names only the classes that it was trained with.
        """
        from starcli.prediction.answer import answer

        return answer(self, recordings, question, progress)

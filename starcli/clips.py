"""Prepared clips on disk, and what of them a backbone reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from torch import Tensor

from starcli.contracts import Layout
from starcli.sampling import augment, middle_crop, modality, motion_masked, resample_all
from starcli.sections import ExtractSection, PretrainSection
from starcli.splits import ClipIndex
from starcli.store import Artifact

Place = tuple[int, int, int, int]
"""Where a clip lies: shard, first row, frames, persons."""


@dataclass(frozen=True)
class ClipSet:
    """Prepared clips, memory-mapped: reading a clip reads its rows and nothing else.

    Args:
        index: What is known of every clip without reading it.
        shard: Number of a shard -> its skeletons [rows, V, 3]; the rows of a clip are its frames
            times its persons.
        places: Where each clip lies.
        persons: M.
    """

    index: ClipIndex
    shard: Callable[[int], Tensor]
    places: Sequence[Place]
    persons: int

    @classmethod
    def open(cls, artifact: Artifact) -> ClipSet:
        """The clips that `prepare` made."""
        data = artifact.data()
        index = ClipIndex(data["names"], data["labels"], data["sides"], data["subjects"])
        names, places = data["shards"], data["places"]
        # Opened when it is first read from, for then all of it is read to be verified.
        shard = cache(lambda number: artifact.tensors(names[number])["joints"])
        return cls(index, shard, places, max(persons for *_, persons in places))

    def frames(self, clip: int) -> int:
        """Number of frames of a clip."""
        return self.places[clip][2]

    def joints(self, clip: int) -> Tensor:
        """One clip [frames, M, V, 3]; persons that the recording lacks are zeros."""
        shard, start, frames, persons = self.places[clip]
        rows = self.shard(shard)[start : start + frames * persons]
        joints = rows.view(frames, persons, *rows.shape[1:])
        if persons == self.persons:
            return joints
        whole = joints.new_zeros(frames, self.persons, *joints.shape[2:])
        whole[:, :persons] = joints
        return whole


class Views:
    """What a backbone reads of clips: T frames of the chosen modality.

    Args:
        clips: All clips.
        layout: Their layout.
        shape: T and the augmentation.
        extract: The crop, the masking and the modality.
    """

    def __init__(
        self, clips: ClipSet, layout: Layout, shape: PretrainSection, extract: ExtractSection
    ) -> None:
        self.clips, self.layout, self.shape, self.extract = clips, layout, shape, extract

    def plain(self, chosen: Sequence[int]) -> Tensor:
        """The middle of each clip [B, 3, T, V, M]."""
        return self._streams(resample_all(self._middle(chosen), self.shape.frames))

    def masked(self, chosen: Sequence[int]) -> Tensor:
        """The middle of each clip without its frames of most motion [B, 3, T, V, M]."""
        quiet = [motion_masked(clip, self.extract.masked) for clip in self._middle(chosen)]
        return self._streams(resample_all(quiet, self.shape.frames))

    def augmented(self, chosen: Sequence[int], draws: Tensor) -> Tensor:
        """Each clip at random [B, 3, T, V, M], by its draws [B, 6 or more], uniform in [0, 1)."""
        shape: dict[str, Any] = {
            "shortest": self.shape.crop,
            "least": self.shape.crop_frames,
            "rotation": self.shape.rotation,
            "scale": self.shape.scale,
        }
        joints = [self.clips.joints(clip) for clip in chosen]
        return self._streams(augment(joints, self.shape.frames, draws, **shape))

    def _middle(self, chosen: Sequence[int]) -> list[Tensor]:
        return [middle_crop(self.clips.joints(clip), self.extract.crop) for clip in chosen]

    def _streams(self, joints: Tensor) -> Tensor:
        return modality(joints, self.layout.bones, self.extract.modality)

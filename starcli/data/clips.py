"""Prepared clips on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from torch import Tensor

from starcli.data.splits import ClipIndex
from starcli.store.artifacts import Artifact

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

"""Read recordings into shards of clips: several processes at a time, resumable, bounded memory.

Recordings are read in groups. A group's shards are written first and its list of clips last, so
that a group is there when its list is; who does the reading, and in which order, changes no byte.
No module of this one imports torch: the processes that read start fast.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NotRequired, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

from starcli import processes
from starcli.contracts import BadClip, Clip, DatasetSource, Normalisation, Recording, Subset
from starcli.data.body_frame import is_hip_centred
from starcli.data.normalise import NORMALISATIONS
from starcli.errors import DataError, ErrorFields
from starcli.files import save_text, save_whole
from starcli.store.artifacts import SHARD_BYTES
from starcli.store.recipe_key import canonical

T = TypeVar("T")
GROUP = 64
"""Recordings that are read in one go."""
WORTH = 4
"""Groups that pay for starting one more process."""


@dataclass(frozen=True)
class Group:
    """Recordings that are read in one go.

    Args:
        number: Its place among the groups.
        recordings: What it reads.
    """

    number: int
    recordings: Sequence[Recording]

    def list_in(self, folder: Path) -> Path:
        """The file that lists its clips once they are read."""
        return folder / f"group-{self.number:05d}.json"

    def is_in(self, folder: Path) -> bool:
        """Whether it has been read, and all that its list names is there."""
        try:
            names = json.loads(self.list_in(folder).read_text("utf-8"))["shards"]
            return all(_shard(folder, name).is_file() for name in names)
        except (OSError, ValueError, LookupError, TypeError):
            return False


def groups(recordings: Sequence[Recording]) -> list[Group]:
    """Recordings in groups, in order."""
    starts = range(0, len(recordings), GROUP)
    return [Group(n, recordings[start : start + GROUP]) for n, start in enumerate(starts)]


def each_group(work: Callable[[Group], T], wanted: Sequence[Group], workers: int) -> Iterator[T]:
    """Do something with every group, several at a time.

    Args:
        work: What to do; it is sent to other processes and must not use torch, whose threads a
            process that is forked would lack.
        wanted: The groups.
        workers: Number of processes.

    Yields:
        What it returns, in any order.
    """
    count = min(workers, len(wanted) // WORTH)
    if count < 2:
        yield from map(work, wanted)
        return
    start = "fork" if sys.platform == "linux" else "spawn"  # a fork starts at once
    left = dict(enumerate(wanted))
    try:
        with processes.pool(count, start) as pool:
            numbers = {pool.submit(work, group): number for number, group in left.items()}
            for done in as_completed(list(numbers)):
                result = done.result()
                del left[numbers[done]]
                yield result
    except BrokenProcessPool:  # a process was killed; what is left is done here
        yield from map(work, list(left.values()))


class BadRow(ErrorFields):
    """What is noted of a recording or clip that cannot be read."""

    recording: str


class _ClipRow(TypedDict):
    name: str
    label: int
    subject: str
    sides: dict[str, Subset]
    place: list[int]
    floored: NotRequired[bool]
    """Whether its ankles were put on the floor; only where they were."""


class Columns(TypedDict):
    """All clips by column, each in the order of clips, but for the names of shards."""

    names: list[str]
    labels: list[int]
    subjects: list[str]
    places: list[list[int]]
    """Shard, first row, frames and persons of each clip."""
    shards: list[str]
    sides: list[dict[str, Subset]]
    """Protocol -> subset of each clip."""


def read_group(
    source: DatasetSource, group: Group, *, folder: Path, normalise: Sequence[Normalisation]
) -> int:
    """Read a group into `folder`, and tell how many recordings it has.

    What cannot be read, a recording or a clip of one, is listed beside the clips; the rest is read
    all the same.
    """
    shards = _Shards(folder, group.number)
    clips: list[_ClipRow] = []
    bad: list[BadRow] = []
    for recording in group.recordings:
        done = len(clips)
        try:
            for clip in source.clips(recording):
                if isinstance(clip, BadClip):
                    bad.append(bad_row(clip.name, clip.error))
                else:
                    clips.append(_row(clip, source, recording, shards, normalise))
        except DataError as error:
            del clips[done:]  # half a recording is none; its rows in the shard are never read
            bad.append(bad_row(recording.name, error))
    shards.flush()
    content = canonical({"clips": clips, "bad": bad, "shards": shards.names})
    save_text(group.list_in(folder), content)
    return len(group.recordings)


def bad_row(name: str, error: DataError) -> BadRow:
    """What is noted of a recording or clip that cannot be read."""
    return BadRow(recording=name, **error.document()["error"])


def _row(
    clip: Clip,
    source: DatasetSource,
    recording: Recording,
    shards: _Shards,
    normalise: Sequence[Normalisation],
) -> _ClipRow:
    """Store a clip, and what is known of it."""
    if not 0 <= clip.label < len(source.classes):
        raise DataError(
            f"clip '{clip.name}' has label {clip.label}, classes are "
            f"0 to {len(source.classes) - 1}",
            "check its label",
            file=recording.where,
        )
    joints, floored = clip.joints, False
    for name in normalise:
        floored |= name == "floor" and is_hip_centred(joints, source.layout)
        joints = NORMALISATIONS[name](joints, source.layout)
    frames, persons = joints.shape[:2]
    shard, start = shards.add(joints.reshape(frames * persons, *joints.shape[2:]))
    row: _ClipRow = {
        "name": clip.name,
        "label": clip.label,
        "subject": clip.subject,
        "sides": dict(clip.subsets),
        "place": [shard, start, frames, persons],
    }
    return {**row, "floored": True} if floored else row


class _Shards:
    """The shards of a group, the one being filled in memory."""

    def __init__(self, folder: Path, group: int) -> None:
        self.folder, self.group = folder, group
        self.names: list[str] = []
        self.pending: list[NDArray[np.float32]] = []
        self.rows = 0

    def add(self, rows: NDArray[np.float32]) -> tuple[int, int]:
        """Add rows [n, V, 3]; the shard of the group, and the row in it, where they start."""
        if self.rows and (self.rows + len(rows)) * rows[0].nbytes > SHARD_BYTES:
            self.flush()
        self.pending.append(rows)
        self.rows += len(rows)
        return len(self.names), self.rows - len(rows)

    def flush(self) -> None:
        """Write the shard being filled, if it has anything."""
        from safetensors.numpy import save_file

        if not self.pending:
            return
        name = f"clips-{self.group:05d}-{len(self.names):03d}"
        joints = {"joints": np.concatenate(self.pending)}
        save_whole(_shard(self.folder, name), partial(save_file, joints))
        self.names.append(name)
        self.pending, self.rows = [], 0


def _shard(folder: Path, name: str) -> Path:
    return folder / f"{name}.safetensors"


def read_lists(done: Sequence[Group], folder: Path) -> tuple[Columns, list[BadRow]]:
    """The clips of all groups by column, shards counted through, and what could not be read.

    Raises:
        DataError: Two clips have one name.
    """
    columns: Columns = {
        "names": [],
        "labels": [],
        "subjects": [],
        "places": [],
        "shards": [],
        "sides": [],
    }
    bad: list[BadRow] = []
    for group in done:
        content = json.loads(group.list_in(folder).read_text("utf-8"))
        for row in content["clips"]:
            shard, *place = row["place"]
            columns["names"].append(row["name"])
            columns["labels"].append(row["label"])
            columns["subjects"].append(row["subject"])
            columns["sides"].append(row["sides"])
            columns["places"].append([len(columns["shards"]) + shard, *place])
        columns["shards"] += content["shards"]
        bad += content["bad"]
    return columns, bad


def count_floored(done: Sequence[Group], folder: Path) -> int:
    """Number of clips of all groups whose ankles were put on the floor."""
    lists = (json.loads(group.list_in(folder).read_text("utf-8")) for group in done)
    return sum(row.get("floored", False) for content in lists for row in content["clips"])

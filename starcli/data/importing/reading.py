"""Recordings with their readers -> clips of one layout, each with what is known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from starcli import registry
from starcli.contracts import Layout, Progress, silent
from starcli.data import body
from starcli.data.importing.conversion import Facts, Joints, Meaning, convert, is_far, upward
from starcli.data.importing.index import Entry
from starcli.data.importing.labels import Labelled
from starcli.data.importing.sources import Source
from starcli.errors import DataError
from starcli.poses import Poses, Unit, Up

T = TypeVar("T")
LOOKED_AT = 12
"""Recordings whose bodies say which axis points up, and the unit, where no file does."""


@dataclass(frozen=True)
class Clip:
    """A clip of a recording.

    Args:
        entry: Its name, class, subject, view and subsets.
        joints: float32 [T, M, V, 3], metres, y up.
        layout: The layout of the joints.
        facts: What is known of it.
        format: Name of its reader.
    """

    entry: Entry
    joints: Joints
    layout: Layout
    facts: Facts
    format: str


def layouts() -> dict[str, Layout]:
    """The layouts that are installed, by name."""
    return {entry.name: registry.layout(entry.name) for entry in registry.entries("layout")}


def clips(
    items: Sequence[Labelled],
    meaning: Meaning,
    fps: float | None = None,
    progress: Progress = silent,
) -> Iterator[Clip]:
    """The clips of recordings, one after the other; a file of several parts is read once.

    Args:
        items: The recordings.
        meaning: What is said of them, as `agreed` completes it.
        fps: Their frames a second, where a file does not say.
        progress: Told about every recording.

    Raises:
        DataError: Something is damaged, of another layout than the others, or no person.
    """
    target, done = meaning.target, 0
    for source, parts in by_file(items).items():
        for entry, poses in recordings(parts, fps):
            layout = meaning.layout or registry.layout(poses.layout)
            if target is None:
                target = layout
            elif meaning.target is None and layout.name != target.name:
                raise entry.wrong(
                    f"is in {layout.name}, others are in {target.name}",
                    "import recordings of each layout as a data set of their own",
                )
            yield clip_of(entry, poses, replace(meaning, target=target), source.format)
        done += len(parts)
        progress.update("read", done, len(items))


def by_file(items: Sequence[Labelled]) -> dict[Source, list[Labelled]]:
    """The recordings of each file, which is read once."""
    files: dict[Source, list[Labelled]] = {}
    for item in items:
        files.setdefault(item.source, []).append(item)
    return files


def clip_of(entry: Entry, poses: Poses, meaning: Meaning, format_: str) -> Clip:
    """The clip of a recording.

    Args:
        entry: What is said of it.
        poses: What its reader gave.
        meaning: What is said of all, as `agreed` completes it.
        format_: Name of the reader.

    Raises:
        DataError: It is of another layout than is said, of nobody, or no body.
    """
    layout = meaning.target or meaning.layout or registry.layout(poses.layout)
    joints, facts = convert(poses, registry.layout, replace(meaning, target=layout), _where(entry))
    return Clip(entry, joints, layout, facts, format_)


def _where(entry: Entry) -> str:
    path, line = entry.place
    return f"{path}:{line}" if line else str(entry.name)


def recordings(parts: Sequence[Labelled], fps: float | None) -> Iterator[tuple[Entry, Poses]]:
    """The recordings of a file, cut to the parts that are meant, each with a name of its own.

    Args:
        parts: What is said of the file, of one source.
        fps: Its frames a second, where it does not say.

    Raises:
        DataError: It is damaged, or has not what is meant.
    """
    source, numbers = parts[0].source, set[int]()
    for poses in _once(source):
        for number, item in enumerate(parts):
            # A recording that is alone in its file has no name to be asked for.
            if item.entry.key and poses.name not in ("", item.entry.key):
                continue
            numbers.add(number)
            yield _entry(item.entry, poses), _part(item, poses, fps)
    for number, item in enumerate(parts):
        if number not in numbers:
            key = item.entry.key
            what = f"has no recording '{key}'" if key else "has no recordings"
            raise item.entry.wrong(f"{source.name} {what}", "check its name")


def _once(source: Source) -> Iterator[Poses]:
    """The recordings of a source, of which nothing stays in memory."""
    try:
        yield from source.reader.read(source.files)
    finally:
        for file in source.files:
            file.forget()


def _entry(entry: Entry, poses: Poses) -> Entry:
    name = f"{entry.name}#{poses.name}" if poses.name and not entry.key else entry.name
    return replace(entry, name=name, action=entry.action or poses.label)


def _part(item: Labelled, poses: Poses, fps: float | None) -> Poses:
    if item.interval is not None:
        poses = item.interval.of(poses, item.entry, fps)
    return replace(poses, fps=poses.fps or fps)


def agreed(sources: Sequence[Source], meaning: Meaning) -> Meaning:
    """What is said of recordings, with the axis that points up and the unit of files that do not
    say them: those of most of some that are looked at. Damaged ones say nothing.

    Args:
        sources: The recordings; those that are damaged say nothing.
        meaning: What the user says of them.
    """
    if meaning.up and meaning.unit:
        return meaning
    known, ups, units = layouts(), Counter[Up](), Counter[Unit]()
    for poses in _some(sources):
        layout = meaning.layout or known[poses.layout]
        if poses.joints.shape[2:] != (len(layout.joints), 3) or is_far(poses.joints).any():
            continue
        if poses.axes is None and (up := upward(poses.joints, layout)):
            ups[up] += 1
        if poses.unit is None and (unit := body.unit_of(body.trunk(poses.joints, layout))):
            units[unit] += 1
    return replace(meaning, usual_up=_most(ups), usual_unit=_most(units))


def _some(sources: Sequence[Source]) -> Iterator[Poses]:
    """The first recordings of some files from all over the place."""
    files = list(dict.fromkeys(sources))
    for source in files[:: max(1, len(files) // LOOKED_AT)]:
        with suppress(DataError):
            yield from islice(source.reader.read(source.files), max(1, LOOKED_AT // len(files)))


def _most(votes: Counter[T]) -> T | None:
    return votes.most_common(1)[0][0] if votes else None

"""Recordings with their readers -> clips of one layout, each with what is known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from starcli import registry
from starcli.contracts import Layout
from starcli.data.importing.conversion import Facts, Joints, Meaning, Up, convert, upward
from starcli.data.importing.index import Entry
from starcli.data.importing.labels import Labelled
from starcli.poses import Poses

LOOKED_AT = 12
"""Recordings whose bodies say which axis points up, where no file does."""


@dataclass(frozen=True)
class Clip:
    """A clip of a recording.

    Args:
        entry: Its name, class, subject, view and subsets.
        joints: float32 [T, M, V, 3], metres, y up.
        facts: What is known of it.
        format: Name of its reader.
    """

    entry: Entry
    joints: Joints
    facts: Facts
    format: str


def layouts() -> dict[str, Layout]:
    """The layouts that are installed, by name."""
    return {entry.name: registry.layout(entry.name) for entry in registry.entries("layout")}


def clips(
    items: Sequence[Labelled],
    meaning: Meaning,
    fps: float | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Iterator[Clip]:
    """The clips of recordings, one after the other.

    Args:
        items: The recordings.
        meaning: What the user says of them.
        fps: Their frames a second, where a file does not say.
        progress: Called with the number of recordings that are done.

    Raises:
        DataError: Something is damaged, of another layout than the others, or no person.
    """
    known = layouts()
    meaning = replace(meaning, usual_up=_agreed_up(items, meaning.layout, known, fps))
    target = meaning.target
    for number, item in enumerate(items, start=1):
        for entry, poses in _recordings(item, fps):
            layout = meaning.layout or known[poses.layout]
            if target is None:
                target = layout
            elif meaning.target is None and layout.name != target.name:
                raise entry.wrong(
                    f"is in {layout.name}, others are in {target.name}",
                    f"name the layout of all with --layout, such as --layout {target.name}",
                )
            joints, facts = convert(
                poses, known.__getitem__, replace(meaning, target=target), _where(entry)
            )
            yield Clip(entry, joints, facts, item.source.format)
        progress(number)


def _where(entry: Entry) -> str:
    path, line = entry.place
    return f"{path}:{line}" if line else str(entry.name)


def _recordings(item: Labelled, fps: float | None) -> Iterator[tuple[Entry, Poses]]:
    """The recordings of a file, cut to what is meant, each with a name of its own."""
    entry, found = item.entry, False
    for poses in item.source.reader.read(item.source.files):
        if entry.key and poses.name != entry.key:
            continue
        found = True
        if item.interval is not None:
            poses = item.interval.of(poses, entry, fps)
        name = f"{entry.name}#{poses.name}" if poses.name and not entry.key else entry.name
        yield (
            replace(entry, name=name, action=entry.action or poses.label),
            replace(poses, fps=poses.fps or fps),
        )
    if not found:
        what = f"no recording '{entry.key}'" if entry.key else "has no recordings"
        raise entry.wrong(what, "check its name")


def _agreed_up(
    items: Sequence[Labelled], said: Layout | None, known: dict[str, Layout], fps: float | None
) -> Up | None:
    """The axis that points up in most recordings whose files do not say it."""
    votes: Counter[Up] = Counter()
    step = max(1, len(items) // LOOKED_AT)
    for item in items[::step]:
        for _, poses in _recordings(item, fps):
            layout = said or known[poses.layout]
            if poses.axes is not None or poses.joints.shape[2:] != (len(layout.joints), 3):
                break
            if up := upward(poses.joints, layout):
                votes[up] += 1
    return votes.most_common(1)[0][0] if votes else None

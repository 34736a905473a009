"""What a file, folder, zip or index of poses holds, without keeping any of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypedDict

from starcli.contracts import Progress, silent
from starcli.data.importing import checks, options
from starcli.data.importing.conversion import Facts, Meaning
from starcli.data.importing.index import Entry
from starcli.data.importing.labels import labelled
from starcli.data.importing.reading import Clip, agreed, clips, layouts
from starcli.data.importing.sources import unpacked

NAMED = 5
"""Files of no known format that are named before they are counted."""


class Inspection(TypedDict):
    """What `starcli data inspect --json`, and `import` too, print of recordings."""

    reader: str
    layout: str
    clips: int
    classes: list[str]
    unlabelled: int
    frames: int
    people: int
    fps: float | None
    unit: str
    axes: str
    missing: float
    warnings: list[str]


class Known(NamedTuple):
    """What is kept of a recording.

    Args:
        entry: What is said of it.
        format: Name of its reader.
        facts: What is known of it.
    """

    entry: Entry
    format: str
    facts: Facts

    @classmethod
    def of(cls, clip: Clip) -> Known:
        """What is kept of a clip."""
        return cls(clip.entry, clip.format, clip.facts)


def inspect(
    place: Path,
    meaning: Meaning,
    *,
    reader: str | None = None,
    pattern: str | None = None,
    fps: float | None = None,
    progress: Progress = silent,
) -> Inspection:
    """What recordings are: reader, layout, people, frames, unit, axes, and what contradicts a body.

    Args:
        place: A file, folder, zip or index.
        meaning: What the user says of them.
        reader: The only reader that is to be used; None for the one that knows the format.
        pattern: A regular expression with groups `class`, `subject`, `view` for their names.
        fps: Their frames a second, where no file says them.
        progress: Told about every recording.

    Raises:
        DataError: Something is damaged, of no known format, or of another layout than the rest.
    """
    with unpacked(place) as folder:
        items, unknown = labelled(folder, reader, pattern, meaning.layout, place)
        agreement = agreed([item.source for item in items], meaning)
        kept = [Known.of(clip) for clip in clips(items, agreement, fps, progress)]
    warnings = notes(kept, unknown)
    warnings += options.doubtful(sorted({known.entry.action for known in kept} - {""}))
    warnings += checks.warnings(_named(kept), list(layouts().values()))
    return summary(kept, warnings)


def contradictions(clips: Sequence[Known]) -> list[str]:
    """What contradicts a body in some recordings, a line each.

    Raises:
        DataError: Most of them contradict a body.
    """
    return checks.contradictions(_named(clips), list(layouts().values()))


def _named(clips: Sequence[Known]) -> list[checks.Clip]:
    return [checks.Clip(known.entry.name, known.facts) for known in clips]


def notes(clips: Sequence[Known], unknown: Sequence[str]) -> list[str]:
    """What was done by rule, or left out, a line each with the recordings that it is about.

    Args:
        clips: The recordings.
        unknown: Names of files of no known format.
    """
    names: dict[str, list[str]] = {}
    lines: dict[str, str] = {}
    for known in clips:
        for note in known.facts.notes:
            kind = re.sub(r"\d+", "#", note)
            lines.setdefault(kind, note)
            names.setdefault(kind, []).append(known.entry.name)
    noted = []
    for kind, where in names.items():
        more = f" and {len(where) - 1} more" if len(where) > 1 else ""
        noted.append(f"{lines[kind]} ({where[0]}{more})")
    if unknown:
        more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
        noted.append(f"of no known format: {', '.join(unknown[:NAMED])}{more}")
    if outside := [known.entry.name for known in clips if _leads_out(known.entry.name)]:
        files = "file lies" if len(outside) == 1 else "files lie"
        noted.append(
            f"{len(outside)} {files} outside the folder of the index, the first is {outside[0]}"
        )
    return noted


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts


def summary(clips: Sequence[Known], warnings: list[str]) -> Inspection:
    """What recordings are, all together."""
    facts = [clip.facts for clip in clips]
    rates = {each.fps for each in facts}
    frames = sum(each.frames for each in facts)
    return {
        "reader": _alike(clip.format for clip in clips),
        "layout": _alike(each.layout for each in facts),
        "clips": len(clips),
        "classes": sorted({clip.entry.action for clip in clips} - {""}),
        "unlabelled": sum(not clip.entry.action for clip in clips),
        "frames": frames,
        "people": max(each.people for each in facts),
        "fps": rates.pop() if len(rates) == 1 else None,
        "unit": _alike(each.unit for each in facts),
        "axes": _alike(" ".join(each.axes) for each in facts),
        "missing": sum(each.missing * each.frames for each in facts) / frames,
        "warnings": warnings,
    }


def _alike(values: Iterable[str]) -> str:
    """A value that all have, or all values."""
    return ", ".join(dict.fromkeys(values))

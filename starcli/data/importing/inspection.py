"""What a file, folder, zip or index of poses holds, without keeping any of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

from starcli.data.importing import checks
from starcli.data.importing.conversion import Facts, Meaning
from starcli.data.importing.labels import labelled
from starcli.data.importing.reading import clips, layouts
from starcli.data.importing.sources import unpacked
from starcli.errors import DataError

NAMED = 5
"""Files of no known format that are named before they are counted."""


class Inspection(TypedDict):
    """What `starcli data inspect --json` prints of recordings."""

    reader: str
    layout: str
    clips: int
    classes: list[str]
    frames: int
    people: int
    fps: float | None
    unit: str
    axes: str
    missing: float
    warnings: list[str]


class Known(NamedTuple):
    """What is kept of a recording."""

    name: str
    action: str
    format: str
    facts: Facts


def inspect(
    place: Path,
    meaning: Meaning,
    *,
    reader: str | None = None,
    pattern: str | None = None,
    fps: float | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Inspection:
    """What recordings are: reader, layout, people, frames, unit, axes, and what contradicts a body.

    Args:
        place: A file, folder, zip or index.
        meaning: What the user says of them.
        reader: The only reader that is to be used; None for the one that knows the format.
        pattern: A regular expression with groups `class`, `subject`, `view` for their names.
        fps: Their frames a second, where no file says them.
        progress: Called with the number of recordings that are done.

    Raises:
        DataError: Something is damaged, of no known format, or of another layout than the rest.
    """
    with unpacked(place) as folder:
        items, unknown = labelled(folder, reader, pattern)
        found = [
            Known(clip.entry.name, clip.entry.action, clip.format, clip.facts)
            for clip in clips(items, meaning, fps, progress)
        ]
    warnings = [f"{note} ({name})" for name, note in _notes(found)]
    if unknown:
        more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
        warnings.append(f"of no known format: {', '.join(unknown[:NAMED])}{more}")
    checked = [checks.Clip(clip.name, clip.facts) for clip in found]
    try:
        warnings += checks.contradictions(checked, list(layouts().values()))
    except DataError as error:
        warnings.append(f"{error}; {error.fix}")
    return _summary(found, warnings)


def _notes(found: Sequence[Known]) -> list[tuple[str, str]]:
    """What was done by rule, each once, with the recordings that it was done to."""
    names: dict[str, list[str]] = {}
    for clip in found:
        for note in clip.facts.notes:
            names.setdefault(note, []).append(clip.name)
    return [
        (where[0] if len(where) == 1 else f"{where[0]} and {len(where) - 1} more", note)
        for note, where in names.items()
    ]


def _summary(found: Sequence[Known], warnings: list[str]) -> Inspection:
    facts = [clip.facts for clip in found]
    rates = {each.fps for each in facts}
    frames = sum(each.frames for each in facts)
    return {
        "reader": _alike(clip.format for clip in found),
        "layout": _alike(each.layout for each in facts),
        "clips": len(found),
        "classes": sorted({clip.action for clip in found} - {""}),
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

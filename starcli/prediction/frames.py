"""Frames of a stream: who is where at a time, as a line of JSON or as arrays."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict, TypeGuard

import numpy as np
import numpy.typing as npt

from starcli.contracts import Layout
from starcli.errors import DataError

Values = npt.NDArray[np.float64]
Person = npt.NDArray[np.floating | np.integer] | Sequence[Sequence[float | None] | None]
LONGEST = 2**20
"""Bytes of a line that are read."""
LATEST = 1e12
"""Seconds after which no frame comes."""
FIX = 'write one frame a line: {"time": 0.1, "persons": [[[0.0, 1.7, 2.5], ...], ...]}'


class FrameError(DataError):
    """A frame that nothing can be made of; a stream goes on without it."""


class Frame(TypedDict):
    """A frame as callers and lines of JSON have it.

    Args:
        time: Seconds, later than in the frame before.
        persons: Those who are seen, by name, or without names in any order; of each V joints of 2
            or 3 numbers, None or NaN in place of what is not seen.
    """

    time: float
    persons: Sequence[Person] | Mapping[str, Person]


class Seen(NamedTuple):
    """What a frame says.

    Args:
        time: Seconds.
        names: What the persons are called; None where they have no names.
        joints: float64 [persons, V, axes], NaN where a joint was not seen.
    """

    time: float
    names: tuple[str, ...] | None
    joints: Values


def read_line(line: bytes) -> object:
    """The JSON of a line; bare `NaN`, which some tools write, is a number.

    Args:
        line: Its bytes; the rest of one that is longer than `LONGEST` may be left out.

    Raises:
        FrameError: It is too long, or not JSON.
    """
    if len(line) > LONGEST:
        raise FrameError(f"is longer than {LONGEST:,} bytes", FIX)
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        cut = "" if line.endswith(b"\n") else ", and the stream ends in it"
        raise FrameError(f"not readable JSON ({error}){cut}", FIX) from error


def seen(frame: object, layout: Layout) -> Seen:
    """What a frame says, without persons of whom no joint is seen.

    Args:
        frame: As `Frame` is.
        layout: The layout of its joints.

    Raises:
        FrameError: It is no frame, or of other joints.
    """
    try:
        return _seen(frame, layout)
    except OverflowError as error:
        raise FrameError(f"has a number that is too large ({error})", FIX) from error


def _seen(frame: object, layout: Layout) -> Seen:
    if not isinstance(frame, Mapping) or not {"time", "persons"} <= set(frame):
        raise FrameError("expected a frame with time and persons", FIX)
    time, persons = frame["time"], _plain(frame["persons"])
    if not _is_number(time) or not abs(time) < LATEST:
        raise FrameError(f"expected a time in seconds, got {time!r:.60}", FIX)
    if not isinstance(persons, Mapping) and not _is_list(persons):
        raise FrameError("expected a list of persons, or persons by name", FIX)
    named = isinstance(persons, Mapping)
    people = persons if isinstance(persons, Mapping) else dict(enumerate(persons))
    joints = {name: _joints(person, layout) for name, person in people.items()}
    there = {name: each for name, each in joints.items() if np.isfinite(each).all(-1).any()}
    if len({each.shape[1] for each in there.values()}) > 1:
        raise FrameError("some joints have two axes, others three", "give all three, or two")
    stacked = np.stack(list(there.values())) if there else np.empty((0, len(layout.joints), 3))
    return Seen(float(time), tuple(map(str, there)) if named else None, stacked)


def _joints(person: object, layout: Layout) -> Values:
    """The joints of a person [V, axes]."""
    points = _plain(person)
    if not _is_list(points):
        raise FrameError("expected a person to be a list of joints", FIX)
    if len(points) != len(layout.joints):
        raise FrameError(
            f"has {len(points)} joints, layout {layout.name} has {len(layout.joints)}",
            "name another with --layout",
        )
    axes = max((len(point) for point in points if _is_list(point)), default=3)
    out = np.full((len(points), axes), np.nan)
    for row, point, name in zip(out, points, layout.joints, strict=True):
        if point is None:
            continue
        if not _is_list(point) or len(point) != axes or axes not in (2, 3):
            raise FrameError(f"expected 2 or 3 numbers of the {name}, got {point!r:.60}", FIX)
        row[:] = [_coordinate(value, name) for value in point]
    return out


def _coordinate(value: object, joint: str) -> float:
    """A number; NaN for what is not seen."""
    if value is None:
        return math.nan
    if not _is_number(value):
        raise FrameError(f"expected numbers of the {joint}, got {value!r:.60}", FIX)
    return float(value) if abs(value) < math.inf else math.nan


def _plain(value: object) -> object:
    """Lists in place of an array."""
    listed: object = value.tolist() if isinstance(value, np.ndarray) else value
    return listed


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list | tuple)

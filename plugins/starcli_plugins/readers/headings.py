"""Columns of a table of joints, recognised by their headings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from starcli_plugins.readers.cells import is_number
from starcli_plugins.readers.shapes import column_shapes

AXES = {"x": 0, "y": 1, "z": 2}
SCORE = "score|conf|confidence|c|v|vis|visibility|likelihood|prob"
SUFFIX = re.compile(rf"(?P<name>.+?)(?:[._ :-]?(?P<axis>[xyz])|[._ :-](?P<score>{SCORE}))")
PREFIX = re.compile(rf"(?:(?P<axis>[xyz])|(?P<score>{SCORE}))[._ :-](?P<name>.+)")
AXIS = re.compile(rf"(?P<axis>[xyz])|(?P<score>{SCORE})")
OTHERS = {
    "frame": {"frame", "frameid", "frameno", "framenumber", "frameindex", "frame#"},
    "time": {"time", "timestamp", "timestampms", "times", "seconds", "t"},
    "person": {"person", "personid", "id", "trackid", "bodyid", "trackingid", "userid", "subject"},
    "label": {"label", "class", "action", "activity"},
    "clip": {"clip", "video", "file", "filename", "sequence", "recording"},
}
"""What a column may be beside joints -> its headings, in small letters without separators."""
JOINT = {"joint", "landmark", "name", "keypoint", "bodypart", "marker", "jointname", "landmarkname"}


@dataclass(frozen=True)
class Heading:
    """Columns of joints, scores and the rest in a row.

    Args:
        joints: Name of each joint, J of them; empty where rows are numbers without names.
        places: For each joint, its columns of x, y and z; -1 where there is none.
        scores: For each joint, its column of confidence; -1 where there is none.
        others: What else there is, such as `frame` -> its column.
        rows: How many rows the heading has.
        width: How many columns there are.
        long: The column of joint names, where each row is one joint.
    """

    joints: tuple[str, ...]
    places: tuple[tuple[int, int, int], ...]
    scores: tuple[int, ...]
    others: dict[str, int]
    rows: int
    width: int
    long: int | None = None

    @property
    def is_solid(self) -> bool:
        """Whether joints have a third coordinate."""
        return all(place[2] >= 0 for place in self.places)


def heading_of(first: Sequence[list[str]]) -> Heading | None:
    """The heading of a table by its first rows, two at the most; None where there are no joints."""
    if not first:
        return None
    heads = [_squeezed(cell) for cell in first[0]]
    if all(is_number(cell) for cell in first[0]):
        return _nameless(len(heads))
    long = next((n for n, head in enumerate(heads) if head in JOINT), None)
    if long is not None and {"x", "y"} <= set(heads):
        places = tuple(heads.index(axis) if axis in heads else -1 for axis in AXES)
        score = next((n for n, head in enumerate(heads) if head in SCORE.split("|")), -1)
        return Heading(
            (), ((places[0], places[1], places[2]),), (score,), _others(heads), 1, len(heads), long
        )
    if len(first) > 1 and _are_axes(first[1]):
        return _named(_joined(first[0], first[1]), 2)
    return _named(first[0], 1)


def _squeezed(cell: str) -> str:
    return re.sub(r"[\s_.\-]", "", cell).lower()


def _nameless(width: int) -> Heading | None:
    """The columns of rows of numbers alone, as far as their number tells."""
    shapes = column_shapes(width)
    if len(shapes) != 1:
        return None
    ((joints, each),) = shapes
    places = tuple(
        (n * each, n * each + 1, n * each + 2 if each > 2 else -1) for n in range(joints)
    )
    scores = tuple(n * each + 3 if each > 3 else -1 for n in range(joints))
    return Heading((), places, scores, {}, 0, width)


def _others(heads: Sequence[str]) -> dict[str, int]:
    """What columns are that are not joints; `id` is a person only beside nothing better."""
    others: dict[str, int] = {}
    for place, head in enumerate(heads):
        for what, words in OTHERS.items():
            if head in words and (what not in others or heads[others[what]] == "id"):
                others[what] = place
    return others


def _are_axes(cells: Sequence[str]) -> bool:
    words = [cell.lower() for cell in cells if cell]
    axes = [word for word in words if AXIS.fullmatch(word)]
    return len(axes) >= 26 and len(words) - len(axes) <= 4


def _joined(names: Sequence[str], axes: Sequence[str]) -> list[str]:
    """One heading of two rows: a joint's name stands above its first axis, or above all."""
    out, last = [], ""
    for place, axis in enumerate(axes):
        name = names[place] if place < len(names) else ""
        last = name or last
        out.append(f"{last}_{axis}" if AXIS.fullmatch(axis.lower()) else name or axis)
    return out


def _named(row: Sequence[str], rows: int) -> Heading | None:
    others = _others([_squeezed(cell) for cell in row])
    columns_of: dict[str, list[int]] = {}
    for place, cell in enumerate(row):
        head = re.sub(r"[\[\]()]", " ", cell).strip().lower()
        match = (
            None if place in others.values() else SUFFIX.fullmatch(head) or PREFIX.fullmatch(head)
        )
        if match:
            slot = 3 if match["score"] else AXES[match["axis"]]
            name = cell.strip()[match.start("name") : match.end("name")]
            columns = columns_of.setdefault(name.strip("[( "), [-1, -1, -1, -1])
            columns[slot] = place if columns[slot] < 0 else columns[slot]
    joints = {name: at for name, at in columns_of.items() if at[0] >= 0 and at[1] >= 0}
    if not joints:
        return None
    places = tuple((x, y, z) for x, y, z, _ in joints.values())
    scores = tuple(score for *_, score in joints.values())
    return Heading(tuple(joints), places, scores, others, rows, len(row))

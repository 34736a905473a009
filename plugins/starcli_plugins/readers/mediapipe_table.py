"""Tables of MediaPipe's landmarks: 33 x (x, y, z) or 33 x (x, y, z, visibility) columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from starcli.poses import PoseFile, Poses
from starcli_plugins.readers.people import AGAIN, FRAME, Frame, Person, Values, recording, seen

COUNT = 33
NAMES = (
    "nose",
    "left_eye_inner",
    "left_eye",
    "left_eye_outer",
    "right_eye_inner",
    "right_eye",
    "right_eye_outer",
    "left_ear",
    "right_ear",
    "mouth_left",
    "mouth_right",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_pinky",
    "right_pinky",
    "left_index",
    "right_index",
    "left_thumb",
    "right_thumb",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_heel",
    "right_heel",
    "left_foot_index",
    "right_foot_index",
)
NUMBERS = {name.replace("_", ""): number for number, name in enumerate(NAMES)}
AXES = {"x": 0, "y": 1, "z": 2, "v": 3, "visibility": 3, "vis": 3}
AXIS = f"({'|'.join(AXES)})"
HEADINGS = (
    re.compile(rf"(?P<name>[a-z_ ]+)[._ ](?P<axis>{AXIS})"),
    re.compile(rf"(?P<axis>{AXIS})[_ ]?(?P<number>\d+)"),
    re.compile(rf"[a-z_ ]*?(?P<number>\d+)[._ ](?P<axis>{AXIS})"),
)
LABEL = ("class", "label", "action", "pose_class")
PERSON = ("person", "person_id", "track_id", "id")
FAR = 10.0
"""Coordinates beyond this, without visibility, are not MediaPipe's: maybe millimetres."""


@dataclass(frozen=True)
class Columns:
    """Columns of landmarks, frame, person and class in a row.

    Args:
        places: Columns of landmarks [33, 3 or 4]; of z or visibility -1 where there is none.
        label: Column of the class; None where there is none.
        frame: Column of the frame's number.
        person: Column of the person's name.
        headed: Whether the first row is a heading.
    """

    places: list[list[int]]
    label: int | None
    frame: int | None = None
    person: int | None = None
    headed: bool = True


def recognises(file: PoseFile) -> bool:
    """Whether the first rows are landmarks: of what is far away without visibility, that is not."""
    lines = _rows(file.opening)
    columns = _columns(lines[0]) if lines else None
    if columns is None:
        return False
    places = [place for landmark in columns.places for place in landmark[:2]]
    rows = lines[columns.headed : 3]
    values = [_value(row[place]) for row in rows for place in places if place < len(row)]
    known = [abs(value) for value in values if value is not None]
    visible = len(columns.places[0]) == 4
    return bool(known) and (visible or max(known) <= FAR)


def from_landmarks(values: Values) -> Person:
    """A person from rows x, y, z and maybe visibility, NaN where one is not told."""
    flat = np.isnan(values[:, 2]).all()
    confident = values.shape[1] == 4 and not np.isnan(values[:, 3]).all()
    return Person(seen(values[:, : 2 if flat else 3]), values[:, 3] if confident else None)


def read(file: PoseFile) -> Iterator[Poses]:
    """The recordings of a table: one, or one for each run of rows of a class."""
    lines = _rows(file.text)
    columns = _columns(lines[0])
    if columns is None:
        raise file.wrong("not a table of 33 landmarks", AGAIN, line=1)
    kept = [(number, row) for number, row in enumerate(lines, 1) if number > columns.headed and row]
    labelled = groupby(kept, lambda pair: _text(pair[1], columns.label))
    runs = [(label, list(run)) for label, run in labelled]
    for place, (label, run) in enumerate(runs, 1):
        name = f"{label}-{place}" if len(runs) > 1 else ""
        yield replace(_recording(run, columns, file), label=label, name=name)


def _recording(run: Sequence[tuple[int, list[str]]], columns: Columns, file: PoseFile) -> Poses:
    frames: dict[int, list[Person]] = {}
    for place, (line, row) in enumerate(run):
        number = place
        if columns.frame is not None:
            declared = _value(_text(row, columns.frame))
            if declared is None or not abs(declared) < 1e15 or declared % 1:
                raise file.wrong("no frame number", AGAIN, line=line)
            number = int(declared)
        values = np.array(
            [[_cell(row, column, line, file) for column in landmark] for landmark in columns.places]
        )
        person = from_landmarks(values)
        if columns.person is not None:
            person = replace(person, name=_text(row, columns.person))
        elif number in frames:
            raise file.wrong("duplicate frame", "leave one of the two out", line=line, frame=number)
        frames.setdefault(number, []).append(person)
    listed = [Frame(number, people, file) for number, people in frames.items()]
    return recording(listed, layout="mediapipe-33")


def _rows(text: str) -> list[list[str]]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        return list(csv.reader(text.splitlines(), delimiter=delimiter))
    except csv.Error:
        return []


def _columns(first: list[str]) -> Columns | None:
    """The columns by the heading, or by how many there are; None where they are others."""
    heads = [head.strip().lower() for head in first]
    by_name = {name: place for place, name in reversed(list(enumerate(heads)))}

    def column(names: Sequence[str]) -> int | None:
        return next((by_name[name.lower()] for name in names if name.lower() in by_name), None)

    places = _headed(heads)
    if places is not None:
        return Columns(places, column(LABEL), column(FRAME), column(PERSON))
    label = None if heads and _value(heads[0]) is not None else 0
    start = 0 if label is None else 1
    if any(_value(head) is None and head for head in heads[start:]):
        return None
    for width in (3, 4):
        if len(heads) - start == COUNT * width:
            places = [
                [start + width * joint + axis for axis in range(width)] for joint in range(COUNT)
            ]
            return Columns(places, label, headed=False)
    return None


def _headed(heads: Sequence[str]) -> list[list[int]] | None:
    """Columns of the 33 landmarks by their headings."""
    columns: dict[tuple[bool, int, int], int] = {}
    for place, head in enumerate(heads):
        if (meant := _heading(head)) is not None:
            columns.setdefault(meant, place)
    for named, first in ((True, 0), (False, 0), (False, 1)):
        places = [
            [columns.get((named, joint, axis), -1) for axis in range(4)]
            for joint in range(first, first + COUNT)
        ]
        if all(landmark[0] >= 0 and landmark[1] >= 0 for landmark in places):
            visible = any(landmark[3] >= 0 for landmark in places)
            return [landmark if visible else landmark[:3] for landmark in places]
    return None


def _heading(head: str) -> tuple[bool, int, int] | None:
    """Whether a heading names its landmark, the landmark's number as told, and the axis."""
    for pattern in HEADINGS:
        if match := pattern.fullmatch(head):
            parts = match.groupdict()
            axis = AXES[parts["axis"]]
            if "number" in parts:
                return False, int(parts["number"][:6]), axis
            name = re.sub("[_ ]", "", parts["name"])
            return (True, NUMBERS[name], axis) if name in NUMBERS else None
    return None


def _text(row: Sequence[str], column: int | None) -> str:
    """A cell; empty where there is none."""
    return row[column].strip() if column is not None and column < len(row) else ""


def _value(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _cell(row: list[str], column: int, line: int, file: PoseFile) -> float:
    """A number, NaN of an empty cell or where there is no such column."""
    if column < 0:
        return np.nan
    if column >= len(row):
        raise file.wrong(f"expected {column + 1} cells or more, got {len(row)}", AGAIN, line=line)
    value = _value(row[column])
    if value is None and row[column].strip():
        raise file.wrong(f"'{row[column][:40]}' is not a number", AGAIN, line=line)
    return np.nan if value is None or not np.isfinite(value) else value

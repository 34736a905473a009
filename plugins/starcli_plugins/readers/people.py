"""People in frames, for several readers: checked numbers, and frames that become a recording."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from starcli.poses import PoseFile, Poses, natural, stacked

Values = npt.NDArray[np.float64]
AGAIN = "write the file again, or leave it out"
FRAME = (
    "frame",
    "frame_id",
    "frame_number",
    "frame_index",
    "frame_idx",
    "frameNumber",
    "frameIndex",
    "frameId",
)
"""What people and tools call the number of a frame."""
NUMBER_IN_NAME = re.compile(r"(.*?)[_\-. ]*(\d{1,15})")


@dataclass(frozen=True)
class Person:
    """One person in one frame.

    Args:
        joints: [V, 2 or 3], NaN where a joint was not seen.
        confidence: [V]; None where there is none.
        name: What the person is called from frame to frame; empty where that is not known.
    """

    joints: Values
    confidence: Values | None = None
    name: str = ""


@dataclass(frozen=True)
class Frame:
    """The people of one frame.

    Args:
        number: As the file counts it.
        people: In the file's order.
        file: Where it was read from, for messages.
    """

    number: int
    people: Sequence[Person]
    file: PoseFile


def numbers(values: object, file: PoseFile, frame: int | None) -> Values:
    """A list of numbers as an array, null as NaN.

    Raises:
        DataError: It is not a list, or something in it is not a number.
    """
    if not isinstance(values, list) or not set(map(type, values)) <= {int, float, type(None)}:
        raise file.wrong("expected a list of numbers", AGAIN, frame=frame)
    try:
        array = np.array(values, np.float64)
    except OverflowError as error:
        raise file.wrong(f"not a coordinate ({error})", AGAIN, frame=frame) from error
    array[np.isinf(array)] = np.nan
    return array


def rows(values: object, width: int, file: PoseFile, frame: int | None) -> Values:
    """A flat list, or a list of lists, as an array [V, width].

    Raises:
        DataError: Something in it is not a number, or rows are not of that width.
    """
    if isinstance(values, list) and any(isinstance(row, list) for row in values):
        if any(not isinstance(row, list) or len(row) != width for row in values):
            raise file.wrong(f"expected rows of {width} numbers", AGAIN, frame=frame)
        values = [number for row in values for number in row]
    flat = numbers(values, file, frame)
    if len(flat) % width:
        raise file.wrong(f"{len(flat)} numbers are not rows of {width}", AGAIN, frame=frame)
    return flat.reshape(-1, width)


def is_flat(values: object) -> bool:
    """Whether it is a list that begins with a number."""
    return isinstance(values, list) and bool(values) and isinstance(values[0], int | float)


def seen(joints: Values, absent: npt.NDArray[np.bool_] | None = None) -> Values:
    """Joints with NaN in the place of those at the origin, without a coordinate, or `absent`."""
    missing = np.isnan(joints).any(-1) | (joints == 0).all(-1)
    if absent is not None:
        missing |= absent
    return np.where(missing[..., None], np.nan, joints)


def scored(triples: Values, name: str = "") -> Person:
    """A person from rows x, y, (z,) confidence."""
    return Person(seen(triples[:, :-1]), triples[:, -1], name)


def known_model(table: Values, models: Container[int], file: PoseFile, frame: int | None) -> Values:
    """Rows of joints, as many as a model has.

    Raises:
        DataError: No model of those has as many.
    """
    if len(table) not in models:
        known = ", ".join(str(count) for count in range(200) if count in models)
        raise file.wrong(
            f"{len(table)} joints are of no known model", f"known are {known} joints", frame=frame
        )
    return table


def recording(frames: Sequence[Frame], **facts: Any) -> Poses:
    """Frames as one recording, in the order of their numbers.

    People are followed by name where all have one and none is in a frame twice; otherwise they stay
    in the order of each frame.

    Args:
        frames: At least one.
        facts: Further fields of the poses, `layout` among them.

    Raises:
        DataError: Nobody is in any frame, a frame is a duplicate, or people differ in their joints.
    """
    ordered = sorted(frames, key=lambda frame: frame.number)
    _require_alike(ordered)
    names = _names(ordered)
    places = {name: slot for slot, name in enumerate(names or ())}
    first = next(person for frame in ordered for person in frame.people)
    joints, dims = first.joints.shape
    lined = [_lined(frame.people, places) for frame in ordered]
    table = stacked(lined, joints, dims + 1)
    confident = any(p.confidence is not None for frame in ordered for p in frame.people)
    return Poses(
        joints=table[..., :-1],
        confidence=table[..., -1] if confident else None,
        frames=np.array([frame.number for frame in ordered], np.int64),
        people=names,
        **facts,
    )


def _lined(people: Sequence[Person], places: Mapping[str, int]) -> list[Values]:
    """Tables [V, dimensions + 1] of joints and confidence, each in its person's place."""
    if not people:
        return []
    shape = (*people[0].joints.shape[:-1], people[0].joints.shape[-1] + 1)
    out = [np.full(shape, np.nan) for _ in range(len(places) or len(people))]
    for number, person in enumerate(people):
        row = out[places[person.name] if places else number]
        row[:, :-1] = person.joints
        if person.confidence is not None:
            row[:, -1] = person.confidence
    return out


def _require_alike(ordered: Sequence[Frame]) -> None:
    people = [person for frame in ordered for person in frame.people]
    if not people:
        raise ordered[0].file.wrong("nobody is in any frame", "leave the file out")
    shape = people[0].joints.shape
    for number, frame in enumerate(ordered):
        if number and frame.number == ordered[number - 1].number:
            raise frame.file.wrong(
                "duplicate frame", "leave one of the two out", frame=frame.number
            )
        for person in frame.people:
            if person.joints.shape != shape:
                got = "{} joints in {} dimensions".format(*person.joints.shape)
                raise frame.file.wrong(
                    f"expected {shape[0]} joints in {shape[1]} dimensions as before, got {got}",
                    "keep one pose model to a recording",
                    frame=frame.number,
                )


def _names(frames: Sequence[Frame]) -> tuple[str, ...] | None:
    """Names of all people in the order of their coming, if they tell people apart."""
    listed = [[person.name for person in frame.people] for frame in frames]
    if any("" in names or len(set(names)) < len(names) for names in listed):
        return None
    return tuple(dict.fromkeys(name for names in listed for name in names))


def mapped(poses: Poses, layout: str, joints: Sequence[int]) -> Poses:
    """The joints of a layout from those of another order.

    Args:
        poses: Joints [T, M, any, 2 or 3].
        layout: The layout.
        joints: For each of its V joints, which one it is; -1 where there is none.
    """
    index, absent = np.array(joints), np.array(joints) < 0
    picked = poses.joints[:, :, index]
    picked[:, :, absent] = np.nan
    confidence = None
    if poses.confidence is not None:
        confidence = poses.confidence[:, :, index]
        confidence[:, :, absent] = np.nan
    return replace(poses, joints=picked, confidence=confidence, layout=layout)


def documents(file: PoseFile) -> list[Any]:
    """The JSON documents of a file: one, or one a line.

    Raises:
        DataError: It is not JSON.
    """
    first, _, rest = file.text.strip().partition("\n")
    if not rest or not _is_document(first):
        return [file.json]
    lines = enumerate(file.text.split("\n"), 1)
    return [_document(line, number, file) for number, line in lines if line.strip()]


def _is_document(line: str) -> bool:
    with suppress(ValueError, RecursionError):
        json.loads(line)
        return True
    return False


def _document(line: str, number: int, file: PoseFile) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise file.wrong(f"not readable JSON ({error})", AGAIN, line=number) from error


def numbered(names: Sequence[str]) -> list[int]:
    """Frame numbers of names such as `12.jpg`: the numbers that they end in.

    Names that do not differ in their last number only are numbered by their natural order.
    """
    parts = [frame_name(name) for name in names]
    known = [name for name in parts if name is not None]
    values = [number for _, number in known]
    if len(set(values)) == len(names) and len({stem for stem, _ in known}) == 1:
        return values
    order = {name: place for place, name in enumerate(sorted(set(names), key=natural))}
    return [order[name] for name in names]


def frame_name(name: str) -> tuple[str, int] | None:
    """A recording's name and the frame's number of a file name such as `walks/take_12.json`."""
    path = PurePath(name)
    match = NUMBER_IN_NAME.fullmatch(path.stem)
    if match is None:
        return None
    return str(path.with_name(match[1]) if match[1] else path.parent), int(match[2])


def number_of(item: object, place: int) -> int:
    """The frame number that an object tells, or its place."""
    number = (
        next((item[key] for key in FRAME if key in item), None) if isinstance(item, dict) else None
    )
    text = str(number)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else place


class Written(NamedTuple):
    """One person of a frame as most tools write it: what was not seen is 0."""

    name: str
    joints: Values
    scores: Values


def written_people(poses: Poses) -> Iterator[tuple[int, list[Written]]]:
    """Frame numbers, and of each frame the people who are there."""
    frames = range(len(poses.joints)) if poses.frames is None else poses.frames.tolist()
    for row, number in enumerate(frames):
        people = []
        for slot, joints in enumerate(poses.joints[row]):
            if np.isnan(joints).all():
                continue
            scores = (
                np.ones(len(joints)) if poses.confidence is None else poses.confidence[row, slot]
            )
            name = poses.people[slot] if poses.people else ""
            people.append(Written(name, np.nan_to_num(joints), np.nan_to_num(scores)))
        yield number, people

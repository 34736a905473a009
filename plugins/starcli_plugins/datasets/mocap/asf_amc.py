"""ASF and AMC of Acclaim: a skeleton of bones, and the angles of their joints frame by frame.

A bone points from its joint along `direction` in the rest pose. Its angles are about axes of its
own, which `axis` turns from the world's, so with C for these and M for the angles, a bone turns by
C M C^-1 after its parent. Angles `rx ry rz` are applied in this order. Lengths are divided by the
file's unit of length, which makes them inches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from starcli.errors import DataError
from starcli_plugins.readers.bvh import rotation

Values = npt.NDArray[np.float64]
ROOT = "root"
AGAIN = "download it again"


@dataclass
class Bone:
    """A bone, or the root, which has no length.

    Args:
        name: As in the file.
        parent: The bone that it hangs on; empty for the root.
        offset: Its end as seen from its start in the rest pose, [3]; of the root, its place.
        axes: Rotation [3, 3] from the world's axes to those of its angles.
        channels: What its values are, such as `rx` and, of the root, `tx`.
    """

    name: str
    parent: str = ""
    offset: Values = field(default_factory=lambda: np.zeros(3))
    axes: Values = field(default_factory=lambda: np.eye(3))
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skeleton:
    """The bones of a file.

    Args:
        bones: The root first, parents before children.
        inches: Inches of its unit of length.
        degrees: Whether its angles are in degrees, else in radians.
    """

    bones: tuple[Bone, ...]
    inches: float
    degrees: bool


@dataclass(frozen=True)
class _Line:
    number: int
    words: Sequence[str]


def skeleton(text: str, where: str) -> Skeleton:
    """The skeleton of an ASF file.

    Args:
        text: The file.
        where: Its place, for messages.

    Raises:
        DataError: A section is missing or a line is not understood.
    """
    sections = _sections(text)
    if absent := [s for s in ("root", "bonedata", "hierarchy") if s not in sections]:
        raise DataError(f"has no section :{absent[0]}", AGAIN, file=where)
    units = {line.words[0]: line for line in sections.get("units", [])}
    length = _numbers(units["length"], where)[0] if "length" in units else 1.0
    if length <= 0:
        raise DataError(f"length unit {length:g} is not positive", AGAIN, file=where)
    degrees = "angle" not in units or units["angle"].words[-1].lower().startswith("deg")
    bones = {ROOT: _bone(ROOT, sections["root"], degrees, where)}
    for lines in _blocks(sections["bonedata"]):
        name = next((line.words[-1] for line in lines if line.words[0] == "name"), "")
        bones[name] = _bone(name, lines, degrees, where)
    return Skeleton(_hung(bones, sections["hierarchy"], where), 1 / length, degrees)


def _sections(text: str) -> dict[str, list[_Line]]:
    """The lines of each section that begins with `:NAME`."""
    sections: dict[str, list[_Line]] = {}
    current: list[_Line] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words and words[0].startswith(":"):
            current = sections.setdefault(words[0][1:].lower(), [])
        elif words:
            current.append(_Line(number, words))
    return sections


def _blocks(lines: Sequence[_Line]) -> Iterator[list[_Line]]:
    """What is between each `begin` and `end`."""
    block: list[_Line] = []
    for line in lines:
        if line.words[0] == "begin":
            block = []
        elif line.words[0] == "end":
            yield block
        else:
            block.append(line)


def _bone(name: str, lines: Sequence[_Line], degrees: bool, where: str) -> Bone:
    entries = {line.words[0]: line for line in lines}
    bone = Bone(name)
    if "direction" in entries and "length" in entries:
        direction = np.array(_numbers(entries["direction"], where, 3))
        bone.offset = direction * _numbers(entries["length"], where, 1)[0]
    if "position" in entries:
        bone.offset = np.array(_numbers(entries["position"], where, 3))
    angles = "orientation" if name == ROOT else "axis"
    if angles in entries:
        turns = _numbers(entries[angles], where, 3)
        order = entries["axis"].words[-1] if "axis" in entries else "XYZ"
        kinds = [f"r{axis}" for axis in order.lower()]
        bone.axes = _turn(kinds, np.array([turns]), degrees)[0]
    if channels := entries.get("order" if name == ROOT else "dof"):
        bone.channels = tuple(word.lower() for word in channels.words[1:])
    if unknown := [
        c for c in bone.channels if len(c) != 2 or c[0] not in "rt" or c[1] not in "xyz"
    ]:
        raise DataError(
            f"bone {name}: '{unknown[0]}' is not a rotation or place", AGAIN, file=where
        )
    return bone


def _numbers(line: _Line, where: str, count: int = 1) -> list[float]:
    """The numbers after the first word of a line."""
    try:
        values = [float(word) for word in line.words[1 : 1 + count]]
    except ValueError as error:
        raise DataError(str(error), AGAIN, file=where, line=line.number) from error
    if len(values) < count:
        raise DataError(
            f"expected {count} numbers, got {len(values)}", AGAIN, file=where, line=line.number
        )
    return values


def _hung(bones: Mapping[str, Bone], lines: Sequence[_Line], where: str) -> tuple[Bone, ...]:
    """The bones in an order in which parents come before children."""
    ordered = [bones[ROOT]]
    rows = [line for block in _blocks(lines) for line in block]
    for line in rows:
        parent, *children = line.words
        for name in children:
            if name not in bones or parent not in {bone.name for bone in ordered}:
                raise DataError(
                    f"'{name if name not in bones else parent}' is not a bone above this line",
                    AGAIN,
                    file=where,
                    line=line.number,
                )
            bones[name].parent = parent
            ordered.append(bones[name])
    if not rows or len(ordered) != len(bones):
        raise DataError(
            f"the hierarchy has {len(ordered)} of {len(bones)} bones", AGAIN, file=where
        )
    return tuple(ordered)


def motion(text: str, body: Skeleton, where: str) -> dict[str, Values]:
    """The values of an AMC file: bone -> [T, its channels].

    Args:
        text: The file.
        body: The skeleton that it moves.
        where: Its place, for messages.

    Raises:
        DataError: A frame lacks a bone or has one twice, or a line is not understood.
    """
    sizes = {bone.name: len(bone.channels) for bone in body.bones if bone.channels}
    frames: list[dict[str, Sequence[float]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0][0] in "#:":
            continue
        if len(words) == 1 and words[0].isdecimal():
            _require_whole(frames, sizes, where, number)
            frames.append({})
            continue
        name, cells = words[0], words[1:]
        # Asked at once, of millions of lines; what is wrong is found out where something is.
        if not frames or name in frames[-1] or sizes.get(name) != len(cells):
            wrong = _wrong(name, len(cells), frames, sizes)
            raise DataError(wrong, AGAIN, file=where, line=number)
        try:
            frames[-1][name] = list(map(float, cells))
        except ValueError as error:
            raise DataError(str(error), AGAIN, file=where, line=number) from error
    _require_whole(frames, sizes, where, None)
    if not frames:
        raise DataError("has no frames", AGAIN, file=where)
    return {name: np.array([frame[name] for frame in frames]) for name in sizes}


def _wrong(
    name: str, count: int, frames: Sequence[Mapping[str, object]], sizes: Mapping[str, int]
) -> str:
    """What is wrong with a line of values of a bone."""
    if not frames:
        return f"'{name[:40]}' comes before the number of the first frame"
    if name not in sizes:
        return f"'{name[:40]}' is not a bone of the skeleton that moves"
    if name in frames[-1]:
        return f"duplicate values of {name}"
    return f"{name}: expected {sizes[name]} values, got {count}"


def _require_whole(
    frames: Sequence[Mapping[str, object]],
    sizes: Mapping[str, int],
    where: str,
    line: int | None,
) -> None:
    """Refuse a last frame that lacks a bone."""
    if frames and (absent := [name for name in sizes if name not in frames[-1]]):
        raise DataError(
            f"has no values of {absent[0]}", AGAIN, file=where, line=line, frame=len(frames)
        )


def positions(body: Skeleton, values: Mapping[str, Values]) -> dict[str, Values]:
    """Where every bone ends, [T, 3] in inches; of the root, where it is.

    Args:
        body: The skeleton.
        values: Bone -> [T, its channels].
    """
    frames = len(values[ROOT])
    turns: dict[str, Values] = {}
    ends: dict[str, Values] = {}
    for bone in body.bones:
        own = values.get(bone.name, np.zeros((frames, 0)))
        turn = bone.axes @ _turn(bone.channels, own, body.degrees) @ bone.axes.T
        if bone.name == ROOT:
            turns[ROOT], ends[ROOT] = turn, bone.offset + _shift(bone.channels, own)
            continue
        turns[bone.name] = turns[bone.parent] @ turn
        ends[bone.name] = ends[bone.parent] + turns[bone.name] @ bone.offset
    return {name: end * body.inches for name, end in ends.items()}


def _turn(channels: Sequence[str], values: Values, degrees: bool) -> Values:
    """Rotations [T, 3, 3] by the angles of some channels, the first one applied first."""
    out = np.broadcast_to(np.eye(3), (len(values), 3, 3))
    for place, channel in enumerate(channels):
        if channel[0] == "r":
            angle = values[:, place] if degrees else np.degrees(values[:, place])
            out = rotation("xyz".index(channel[1]), angle) @ out
    return out


def _shift(channels: Sequence[str], values: Values) -> Values:
    """Places [T, 3] by the channels `tx`, `ty` and `tz`."""
    out = np.zeros((len(values), 3))
    for place, channel in enumerate(channels):
        if channel[0] == "t":
            out[:, "xyz".index(channel[1])] += values[:, place]
    return out

"""The text of BVH files: a tree of joints, then the values of their channels frame by frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from starcli.errors import DataError
from starcli.poses import PoseFile
from starcli_plugins.readers.joint_names import Values

CHANNELS = re.compile(r"([xyz])(position|rotation)", re.IGNORECASE)
FRAMES = re.compile(r"\s*frames\s*:\s*(\d+)\s*", re.IGNORECASE)
FRAME_TIME = re.compile(r"\s*frame\s+time\s*:\s*([-+.\deE]+)\s*", re.IGNORECASE)
EXPORT = "export it again"


@dataclass
class Node:
    """A joint of the tree.

    Args:
        name: As in the file.
        parent: Number of its parent; -1 for a root.
        offset: Where it is from its parent, unless it has position channels.
        channels: Axis (0 to 2) and whether it is a rotation, in the order of the file.
    """

    name: str
    parent: int
    offset: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    channels: list[tuple[int, bool]] = field(default_factory=list)


def hierarchy(lines: Sequence[str], file: PoseFile) -> tuple[list[Node], int]:
    """The joints, and the number of lines to the motion."""
    nodes: list[Node] = []
    inside: list[int] = []
    latest = -1
    for number, line in enumerate(lines, 1):
        words = line.replace("{", " { ").replace("}", " } ").split()
        key = words[0].upper() if words else ""
        if key == "MOTION":
            if inside or not nodes:
                raise file.wrong(
                    "the hierarchy does not end before the motion", EXPORT, line=number
                )
            return nodes, number
        if key in ("ROOT", "JOINT", "END"):
            latest = _begin(nodes, inside, key, [w for w in words[1:] if w != "{"])
        elif key == "OFFSET" and nodes:
            nodes[latest].offset = _floats(words[1:4], 3, file, number)
        elif key == "CHANNELS" and nodes:
            nodes[latest].channels = _channels(words[1:], file, number)
        elif key not in ("", "{", "}", "HIERARCHY"):
            raise file.wrong(f"'{words[0]}' is not a word of a hierarchy", EXPORT, line=number)
        inside += [latest] * words.count("{")
        if words.count("}") > len(inside):
            raise file.wrong("a bracket closes that did not open", EXPORT, line=number)
        del inside[len(inside) - words.count("}") :]
    raise file.wrong("has no motion", EXPORT, line=len(lines))


def _begin(nodes: list[Node], inside: Sequence[int], key: str, words: Sequence[str]) -> int:
    """Add the joint that a line begins; its number."""
    parent = inside[-1] if inside else -1
    name = f"{nodes[parent].name}_end" if key == "END" and inside else " ".join(words)
    nodes.append(Node(name, parent))
    return len(nodes) - 1


def _channels(words: Sequence[str], file: PoseFile, line: int) -> list[tuple[int, bool]]:
    """Axis and kind of each channel of a joint."""
    count, names = words[0] if words else "", words[1:]
    if not count.isdecimal() or int(count) != len(names):
        raise file.wrong(
            f"expected {count or 'a number of'} channels, got {len(names)}", EXPORT, line=line
        )
    matches = [CHANNELS.fullmatch(name) for name in names]
    unknown = [name for name, match in zip(names, matches, strict=True) if not match]
    if unknown:
        raise file.wrong(
            f"channel '{unknown[0]}' is not a position or rotation",
            "export it without scales",
            line=line,
        )
    return [("xyz".index(m[1].lower()), m[2].lower() == "rotation") for m in matches if m]


def _floats(
    words: Sequence[str], count: int, file: PoseFile, line: int, frame: int | None = None
) -> list[float]:
    """The numbers of a line.

    Raises:
        DataError: One is not a number, or there are not so many.
    """
    try:
        values = list(map(float, words))
    except ValueError as error:
        raise _not_a_number(words, file, line, frame) from error
    if len(values) != count:
        raise file.wrong(
            f"expected {count} numbers, got {len(values)}", EXPORT, line=line, frame=frame
        )
    return values


def _not_a_number(words: Sequence[str], file: PoseFile, line: int, frame: int | None) -> DataError:
    word = next(word for word in words if not _is_number(word))
    comma = "," in word
    return file.wrong(
        f"'{word[:40]}' is not a number",
        "export it with decimal points" if comma else EXPORT,
        line=line,
        frame=frame,
    )


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def motion(
    lines: Sequence[str], start: int, columns: int, file: PoseFile
) -> tuple[Values, float, list[str]]:
    """Values [T, columns] of the channels, seconds a frame, and notes.

    Args:
        lines: The file.
        start: The first line after `MOTION`.
        columns: Number of channels.
        file: The file, for messages.
    """
    header: dict[str, str] = {}
    rows: list[tuple[int, str]] = []
    for number, line in enumerate(lines[start:], start + 1):
        for key, pattern in (("frames", FRAMES), ("time", FRAME_TIME)):
            if key not in header and (match := pattern.fullmatch(line)):
                header[key] = match[1]
                break
        else:
            if line.strip():
                rows.append((number, line))
    if len(header) < 2:
        raise file.wrong("expected 'Frames:' and 'Frame Time:'", EXPORT, line=start)
    declared, (time,) = int(header["frames"]), _floats([header["time"]], 1, file, start)
    if len(rows) < declared or not declared:
        raise file.wrong(f"expected {declared} frames, got {len(rows)}", EXPORT, line=len(lines))
    if not 1e-5 < time < 1e3:
        raise file.wrong(f"frame time {time:g} is not a time", "set it, such as 0.0333333")
    values = np.empty((declared, columns))
    for row, (number, line) in enumerate(rows[:declared]):
        values[row] = _floats(line.split(), columns, file, number, row + 1)
    values[~np.isfinite(values)] = np.nan
    more = f"has {len(rows)} rows of motion, of which the declared {declared} were read"
    return values, time, [more] if len(rows) > declared else []

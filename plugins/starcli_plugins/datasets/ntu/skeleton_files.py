"""NTU `.skeleton` files: the bodies that a Kinect v2 tracks, frame by frame, as text.

The first line is the number of frames. A frame is a line with its number of bodies, then for each
body a line of 10 columns that starts with its id, a line with the number of joints, and a line of
12 columns for each joint that starts with x, y and z in metres (protocol of NTU RGB+D, Shahroudy
et al., CVPR 2016).

Files in the usual form are read here by steps over whole arrays. Any other file goes to
`skeleton_parser`, which walks its lines and alone decides what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from starcli.data.normalise import LIMIT_METRES
from starcli.errors import LEAVE_OUT, DataError
from starcli_plugins.datasets.io import float_parsing
from starcli_plugins.datasets.ntu import skeleton_parser
from starcli_plugins.datasets.ntu.skeleton_parser import (
    BODY_COLUMNS,
    COUNT,
    ID_LIMIT,
    JOINT_COLUMNS,
    JOINTS,
    MAX_LINE_BYTES,
    Rows,
)

Joints = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

# The C library of Linux gives freed memory back to the system beyond twice the largest block freed
# so far. Until a large one was freed, the arrays of every file fault their pages in anew, which
# nearly doubles the time of `read`; this block itself is never touched.
np.empty(2**24, np.uint8)


@dataclass(frozen=True)
class Body:
    """One tracked body.

    Args:
        id: The 64-bit tracking id.
        frames: int64 [n], rising: the kept frames that it is in, counted from 0.
        joints: float32 [n, 25, 3], metres, y up.
    """

    id: int
    frames: Indices
    joints: Joints


@dataclass(frozen=True)
class Bodies:
    """The tracked bodies of a file.

    Args:
        frames: Number of frames that are kept, those with a body, be it of zeros.
        dropped: Number of frames without one.
        bodies: One per id, in the order in which they appear; at least one.
    """

    frames: int
    dropped: int
    bodies: tuple[Body, ...]


def read(data: bytes, where: str) -> Bodies:
    """The bodies of a file.

    A body whose joints are all exactly zero in a frame appears in it, as by the published
    preparation.

    Args:
        data: The file's bytes.
        where: The file, for messages.

    Raises:
        DataError: It is not a whole `.skeleton` file of 25 joints, or holds no body but of zeros.
    """
    return _grouped(rows(data, where), where)


def rows(data: bytes, where: str) -> Rows:
    """The bodies of all frames as the file has them, those of all zeros included.

    Args:
        data: The file's bytes.
        where: The file, for messages.

    Raises:
        DataError: It is not a whole `.skeleton` file of 25 joints.
    """
    return _usual(data) or skeleton_parser.read(data, where)


def _grouped(rows: Rows, where: str) -> Bodies:
    if not rows.joints.any():
        raise DataError(
            "no body in any frame, like the clips on the official list of missing skeletons",
            LEAVE_OUT,
            file=where,
        )
    kept, frames = np.unique(rows.frames, return_inverse=True)
    order = {id: number for number, id in enumerate(dict.fromkeys(rows.ids))}
    owner = np.array([order[id] for id in rows.ids])
    bodies = tuple(
        Body(id, frames[owner == number], rows.joints[owner == number])
        for id, number in order.items()
    )
    return Bodies(len(kept), rows.declared - len(kept), bodies)


_COLUMNS = re.compile(rb"\x01\x01+(?:\x0a\x01\x0c{25}\x01*)+")
"""The number of columns of every line: the first line, then frames; in these bodies, one at least.

After a body's last joint, each line of one column starts a frame.
"""


@dataclass(frozen=True)
class _Text:
    """A text in the usual form: lines of cells that single spaces keep apart.

    Args:
        data: The bytes, whose lines end with line feeds alone.
        codes: uint8, the same bytes.
        ends: int64, where each cell ends, those of all lines in a row; the last of a line ends at
            the line feed.
        first: int64 [lines], which cell is the first of each line.
        columns: int64 [lines], number of cells of each line.
    """

    data: bytes
    codes: npt.NDArray[np.uint8]
    ends: Indices
    first: Indices
    columns: Indices

    def cells(self, numbers: Indices) -> tuple[Indices, Indices]:
        """Where these cells, none of them the very first, start and end."""
        return self.ends[numbers - 1] + 1, self.ends[numbers]


def _usual(data: bytes) -> Rows | None:
    """The rows of a file in the usual form; None for any other file, sound or not."""
    text = _text(data)
    if text is None:
        return None
    bodies = np.flatnonzero(text.columns == BODY_COLUMNS)
    frames, ids = _frames(text, bodies), _ids(text, bodies)
    if frames is None or ids is None or len(set(zip(frames.tolist(), ids, strict=True))) < len(ids):
        return None
    cells = (text.first[text.columns == JOINT_COLUMNS][:, None] + np.arange(3)).ravel()
    values = float_parsing.parse(text.data, *text.cells(cells))
    if values is None or not (np.abs(values) <= LIMIT_METRES).all():
        return None
    joints = values.astype(np.float32).reshape(-1, JOINTS, 3)
    return Rows(int(text.data[: text.ends[0]]), frames, ids, joints)


def _text(data: bytes) -> _Text | None:
    """The cells of a text whose lines follow each other as in the format."""
    if not data.endswith(b"\n"):
        data += b"\r\n" if b"\r" in data else b"\n"
    plain = data.replace(b"\r", b"")
    codes = np.frombuffer(plain, np.uint8)
    ends = np.flatnonzero(codes < ord("-"))  # of all usual bytes, spaces and line feeds
    marks = codes[ends]
    last = np.flatnonzero(marks == ord("\n"))
    first = np.concatenate(([0], last[:-1] + 1))
    columns = last - first + 1
    lines = ends[last]
    usual = (
        len(last) + np.count_nonzero(marks == ord(" ")) == len(ends)
        and b"/" not in plain
        and (codes.max() <= ord("9") or not codes[codes > ord("9")].tobytes().strip(b"eE"))
        and ends[0] > 0
        and (np.diff(ends) > 1).all()
        and columns.max() <= JOINT_COLUMNS
        and np.diff(lines, prepend=-1).max() <= MAX_LINE_BYTES
        and _COLUMNS.fullmatch(columns.astype(np.uint8).tobytes())
        and _are_lines_alike(data, lines)
    )
    return _Text(plain, codes, ends, first, columns) if usual else None


def _are_lines_alike(data: bytes, feeds: Indices) -> bool:
    """Whether carriage returns are before all line feeds or before none, and nowhere else.

    Args:
        data: The bytes.
        feeds: int64 [lines], where its line feeds are once all carriage returns are left out.
    """
    returns = len(data) - int(feeds[-1]) - 1
    if returns != len(feeds):
        return returns == 0
    # Each line feed is moved by the returns of the lines before it, which its own one follows.
    places = feeds + np.arange(returns)
    return bool((np.frombuffer(data, np.uint8)[places] == ord("\r")).all())


def _frames(text: _Text, bodies: Indices) -> Indices | None:
    """The frame of each body, if all counts of the file are right.

    Args:
        bodies: int64 [R], the lines that bodies start with.
    """
    single = text.columns == 1
    single[0] = False
    single[bodies + 1] = False
    frames = np.flatnonzero(single)
    counts = np.diff(np.searchsorted(bodies, frames), append=len(bodies))
    starts, ends = text.cells(text.first[frames])
    declared = text.data[: text.ends[0]]
    if (
        not COUNT.fullmatch(declared)
        or int(declared) != len(frames)
        or (ends - starts != 1).any()
        or (text.codes[starts] != counts + ord("0")).any()
    ):
        return None
    starts, ends = text.cells(text.first[bodies + 1])
    tens, units = f"{JOINTS}".encode()
    right = (ends - starts == 2) & (text.codes[starts] == tens) & (text.codes[starts + 1] == units)
    return np.repeat(np.arange(len(frames)), counts) if right.all() else None


def _ids(text: _Text, bodies: Indices) -> list[int] | None:
    """The tracking id of each body, if all are such."""
    starts, ends = (place.tolist() for place in text.cells(text.first[bodies]))
    cells = [text.data[start:end] for start, end in zip(starts, ends, strict=True)]
    known = {cell: int(cell) for cell in set(cells) if COUNT.fullmatch(cell)}
    ids = [known.get(cell, ID_LIMIT) for cell in cells]
    return ids if max(ids) < ID_LIMIT else None


_BODY_REST = "0 1 1 1 1 0 0.01234567 -0.2345678 2"
_JOINT_REST = "277.4321 191.8765 1036.246 519.1357 -0.2012345 0.05312345 0.9612345 -0.1212345 2"
"""Columns that nobody reads: made up, as wide as those of recorded files."""


def write(frames: Sequence[Mapping[int, npt.ArrayLike]], *, crlf: bool = False) -> bytes:
    """A file of these bodies, whose coordinates are read again as the same float32 numbers.

    Args:
        frames: For each frame, tracking id -> joints [25, 3], metres.
        crlf: End lines with CRLF instead of LF.
    """
    end = "\r\n" if crlf else "\n"
    return "".join(line + end for line in _lines(frames)).encode("ascii")


def _lines(frames: Sequence[Mapping[int, npt.ArrayLike]]) -> Iterator[str]:
    yield str(len(frames))
    for bodies in frames:
        yield str(len(bodies))
        for id, joints in bodies.items():
            yield f"{id} {_BODY_REST}"
            yield str(JOINTS)
            for x, y, z in np.asarray(joints, np.float32):
                yield f"{x!s} {y!s} {z!s} {_JOINT_REST}"

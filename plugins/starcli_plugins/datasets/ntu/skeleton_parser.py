"""The strict reader of NTU `.skeleton` files: line by line, and exact about what is wrong where."""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from starcli.data.normalise import LIMIT_METRES
from starcli.errors import LEAVE_OUT, DataError
from starcli_plugins.datasets.io.float_parsing import NUMBER
from starcli_plugins.layouts import KINECT_V2

JOINTS = len(KINECT_V2.joints)
BODY_COLUMNS = 10
JOINT_COLUMNS = 12
ID_LIMIT = 2**64
MAX_LINE_BYTES = 64 * 2**10

COUNT = re.compile(rb"\d{1,20}")
_NOT_FINITE = re.compile(rb"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_NOT_KEPT = re.compile(rb"[0-9eE.+-]+|" + _NOT_FINITE.pattern, re.IGNORECASE)
"""What may stand in columns that nobody uses; NaN is known from published files."""
_NOT_TEXT = re.compile(rb"[^\t\r\n -~]")
_MAGIC = {
    b"PK": "a zip",
    b"\x1f\x8b": "a gzip file",
    b"MATLAB": "a MATLAB file",
    b"\x89HDF": "an HDF5 file",
    codecs.BOM_UTF16_LE: "UTF-16 text",
    codecs.BOM_UTF16_BE: "UTF-16 text",
}

DAMAGED = "download it again"


@dataclass(frozen=True)
class Rows:
    """The bodies of all frames, one below the other, R of them.

    Args:
        declared: Number of frames of the file.
        frames: int64 [R], the frame of each, counted from 0.
        ids: R tracking ids.
        joints: float32 [R, 25, 3], metres.
    """

    declared: int
    frames: npt.NDArray[np.int64]
    ids: list[int]
    joints: npt.NDArray[np.float32]


def read(data: bytes, where: str) -> Rows:
    """The rows of a whole file.

    Line ends may be LF or CRLF, columns may be apart by any spaces or tabs, the text may start
    with a UTF-8 byte order mark and end with blank lines.

    Args:
        data: The file's bytes.
        where: The file, for messages.

    Raises:
        DataError: Anything else is not as the format says.
    """
    _check_text(data, where)
    lines = _Lines(data.removeprefix(codecs.BOM_UTF8), where)
    declared = lines.declared()
    frames: list[int] = []
    ids: list[int] = []
    joints: list[list[list[float]]] = []
    for frame in range(declared):
        bodies = lines.bodies(frame, declared)
        ids += bodies.keys()
        joints += bodies.values()
        frames += [frame] * len(bodies)
    lines.check_end(declared)
    array = np.array(joints, np.float32).reshape(-1, JOINTS, 3)
    return Rows(declared, np.array(frames, np.int64), ids, array)


def _check_text(data: bytes, where: str) -> None:
    if not data:
        raise DataError("file is empty", DAMAGED, file=where)
    start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    strange = _NOT_TEXT.search(data, start)
    if strange:
        kinds = [kind for magic, kind in _MAGIC.items() if data.startswith(magic)]
        looks = f", it looks like {kinds[0]}" if kinds else ""
        raise DataError(f"not ASCII text at byte {strange.start() + 1}{looks}", DAMAGED, file=where)


def _shown(cell: bytes) -> str:
    text = cell.decode("ascii")
    return repr(text if len(text) <= 40 else text[:40] + "...")


class _Lines:
    """The lines of a file one after the other, and where in the file they are."""

    def __init__(self, text: bytes, where: str) -> None:
        self.stream = io.BytesIO(text)
        self.rest = len(text)
        self.where = where
        self.line = 0
        self.frame: int | None = None
        self.body = 0
        self.sound = 0

    def fault(self, message: str, fix: str = DAMAGED) -> DataError:
        """The error at this place."""
        who = f"body {self.body}: " if self.body else ""
        return DataError(who + message, fix, file=self.where, line=self.line, frame=self.frame)

    def content(self) -> tuple[bytes, bool]:
        """The next line without its end, and whether it has one."""
        line = self.stream.readline(MAX_LINE_BYTES + 3)
        self.rest -= len(line)
        self.line += bool(line)
        content = line.removesuffix(b"\r\n").removesuffix(b"\n")
        if b"\r" in content:
            raise self.fault("carriage return without line feed", "end lines with LF or CRLF")
        if len(content) > MAX_LINE_BYTES:
            raise self.fault(f"line is longer than {MAX_LINE_BYTES:,} bytes")
        return content, line.endswith(b"\n")

    def cells(self, expected: int, missing: str) -> list[bytes]:
        """The columns of the next line; `missing` says what is, should the file end instead."""
        content, ended = self.content()
        columns = content.split()
        if len(columns) < expected and not ended:
            raise self.fault(f"file ends, {missing}")
        if len(columns) != expected:
            raise self.fault(f"expected {expected} columns, got {len(columns)}")
        return columns

    def count(self, what: str, missing: str) -> int:
        """The next line, a number of things."""
        (cell,) = self.cells(1, missing)
        if not COUNT.fullmatch(cell):
            raise self.fault(f"number of {what}: expected a whole number, got {_shown(cell)}")
        return int(cell)

    def declared(self) -> int:
        """The number of frames, once the file is known to be able to hold them."""
        frames = self.count("frames", "no number of frames")
        if frames == 0:
            raise self.fault("0 frames", LEAVE_OUT)
        if frames > self.rest:
            raise self.fault(f"declares {frames:,} frames, but only {self.rest:,} bytes follow")
        return frames

    def bodies(self, frame: int, declared: int) -> dict[int, list[list[float]]]:
        """Tracking id -> joints of the next frame."""
        self.frame, self.body = frame + 1, 0
        bodies: dict[int, list[list[float]]] = {}
        for number in range(self.count("bodies", f"expected {declared} frames, got {frame}")):
            self.body = number + 1
            tracking_id = self.id()
            if tracking_id in bodies:
                raise self.fault(f"duplicate id {tracking_id} in this frame")
            bodies[tracking_id] = self.joints()
        return bodies

    def id(self) -> int:
        """The tracking id, which leads the next line."""
        cell, *others = self.cells(BODY_COLUMNS, "the lines of this body missing")
        self.check_not_kept(others)
        if not COUNT.fullmatch(cell) or int(cell) >= ID_LIMIT:
            raise self.fault(f"body id {_shown(cell)} is not a 64-bit whole number")
        return int(cell)

    def joints(self) -> list[list[float]]:
        """The coordinates of a body's joints."""
        count = self.count("joints", f"{JOINTS} joint lines missing")
        if count != JOINTS:
            change = f"; the bodies before have {JOINTS}" if self.sound else ""
            raise self.fault(
                f"expected {JOINTS} joints, got {count}{change}",
                f"NTU files have the {JOINTS} joints of layout {KINECT_V2.name}; "
                "import other layouts as arrays",
            )
        joints = [self.joint(number) for number in range(JOINTS)]
        self.sound += 1
        return joints

    def joint(self, number: int) -> list[float]:
        """x, y and z of the next line."""
        cells = self.cells(JOINT_COLUMNS, f"{JOINTS - number} joint lines missing")
        self.check_not_kept(cells[3:])
        return [self.coordinate(cell, number) for cell in cells[:3]]

    def coordinate(self, cell: bytes, joint: int) -> float:
        """A coordinate, once it is known to be one."""
        if not NUMBER.fullmatch(cell) and not _NOT_FINITE.fullmatch(cell):
            raise self.fault(f"{_shown(cell)} is not a number")
        value = float(cell)
        if not abs(value) <= LIMIT_METRES:
            name = KINECT_V2.joints[joint]
            raise self.fault(
                f"joint {joint} ({name}): expected metres below 100, got {value:g}",
                "repair or remove the clip",
            )
        return value

    def check_not_kept(self, cells: list[bytes]) -> None:
        """Columns that nobody uses must still look like numbers."""
        for cell in cells:
            if not _NOT_KEPT.fullmatch(cell):
                raise self.fault(f"{_shown(cell)} is not a number")

    def check_end(self, declared: int) -> None:
        """Nothing but blank lines may follow."""
        self.frame, self.body = None, 0
        while self.rest:
            content, _ = self.content()
            if content.strip():
                raise self.fault(f"more text than the declared {declared} frames")

"""Poses as files have them, before any choice, repair or mapping: the contract of readers.

A reader turns the files of one format into `Poses` and decides nothing: who is meant, what is done
about joints that were not seen, and which way is up where a format does not say are the business of
`starcli.data`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from starcli.contracts import Layout, Plugin
from starcli.errors import DataError

HEAD_BYTES = 65536
"""What is read of a file to recognise it."""
MAX_BYTES = 2**31
"""Of one file of text or JSON; more is split before it is read."""

Unit = Literal["m", "dm", "cm", "mm", "inch", "cmu", "pixel", "image"]
"""Of coordinates: a length (`cmu` is inch / 0.45, as in the CMU mocap files), pixels, or shares of
the image's width and height, 0 to 1."""
Up = Literal["x", "-x", "y", "-y", "z", "-z"]
"""The axis that points up."""
METRES: dict[Unit, float] = {
    "m": 1.0,
    "dm": 0.1,
    "cm": 0.01,
    "mm": 0.001,
    "inch": 0.0254,
    "cmu": 0.0254 / 0.45,
}
"""Unit of length -> metres."""

Axes = tuple[str, str, str]
"""Which axis of the file, with its sign, becomes x, y and z of the product's frame, which is that
of Kinect: x to the left as the camera sees it, y up, z away from the camera; right-handed."""
KINECT: Axes = ("x", "y", "z")
IMAGE: Axes = ("-x", "-y", "z")
"""x right, y down, z away from the camera: pictures, MediaPipe, Azure Kinect."""
Y_UP: Axes = ("-x", "y", "-z")
"""y up, the person's left at +x when facing +z: BVH, HumanML3D, SMPL."""
Z_UP: Axes = ("x", "z", "-y")
"""z up, right-handed: C3D, FreeMoCap, AMASS."""


_MARKS = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[][{},]', re.DOTALL)


def _encoding(data: bytes) -> str:
    """UTF-8, or UTF-16 where a byte order mark says so."""
    return "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _closed(text: str) -> str:
    """The beginning of a JSON document without its last, cut item, and with all brackets closed."""
    inside: list[str] = []
    whole = ""
    for mark in _MARKS.finditer(text):
        if mark[0] in ("[", "{"):
            inside.append("]" if mark[0] == "[" else "}")
        elif mark[0] in ("]", "}"):
            del inside[-1:]
        if mark[0] in ("]", "}", ","):
            end = mark.start() if mark[0] == "," else mark.end()
            whole, after = text[:end], "".join(reversed(inside))
    return whole + after if whole else ""


@dataclass(frozen=True)
class PoseFile:
    """A file that may hold poses.

    Args:
        path: The file.
        name: What it is called in messages and clip names, such as its path below the source.
    """

    path: Path
    name: str

    def forget(self) -> None:
        """Free what is in memory of it; whoever asks for it again reads it again."""
        for name in [
            name for name, what in vars(PoseFile).items() if type(what) is cached_property
        ]:
            vars(self).pop(name, None)

    @cached_property
    def head(self) -> bytes:
        """Its first bytes, enough to recognise a format.

        Raises:
            DataError: It cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                return file.read(HEAD_BYTES)
        except OSError as error:
            raise self.wrong(f"cannot be read ({error.strerror})", "check the path") from error

    @cached_property
    def opening(self) -> str:
        """The text that it begins with, as far as that is text."""
        return self.head.decode(_encoding(self.head), "ignore")

    @cached_property
    def text(self) -> str:
        """Its text: UTF-8, or UTF-16 with a byte order mark.

        Raises:
            DataError: It cannot be read, is too large, or is not text.
        """
        try:
            size = self.path.stat().st_size
            if size > MAX_BYTES:
                raise self.wrong(f"has {size:,} bytes, at most {MAX_BYTES:,} are read", "split it")
            data = self.path.read_bytes()
        except OSError as error:
            raise self.wrong(f"cannot be read ({error.strerror})", "check the path") from error
        try:
            return data.decode(_encoding(data))
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise self.wrong(
                f"not UTF-8 at byte {error.start}", "save it as UTF-8", line=line
            ) from error

    @cached_property
    def json(self) -> Any:  # of any tool
        """Its JSON document; bare `NaN` and `Infinity`, which some tools write, are numbers.

        Raises:
            DataError: It is not JSON.
        """
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise self.wrong(
                f"not readable JSON ({error})",
                "write it again, or leave it out",
                line=getattr(error, "lineno", None),
            ) from error

    @property
    def is_json(self) -> bool:
        """Whether it begins as a JSON object or list does."""
        return self.opening.lstrip()[:1] in ("{", "[")

    @cached_property
    def glimpse(self) -> Any:  # likewise
        """Its JSON as far as the first bytes go, closed where they end; None where it is not JSON.

        Formats are recognised by it: quick however large the file is, and the same where it is cut.
        """
        decode, text = json.JSONDecoder().raw_decode, self.opening.lstrip()
        with suppress(ValueError, RecursionError):
            try:
                return decode(text)[0] if self.is_json else None
            except json.JSONDecodeError as error:
                return decode(_closed(text[: error.pos]))[0]
        return None

    def wrong(
        self, message: str, fix: str, *, line: int | None = None, frame: int | None = None
    ) -> DataError:
        """An error in the file; `frame` as the file counts it."""
        return DataError(message, fix, file=self.name, line=line, frame=frame)


@dataclass(frozen=True)
class Poses:
    """The people of one recording as a file tells of them.

    Args:
        joints: float64 [T, M, V, 2 or 3] in the file's own axes and unit; NaN where a joint was not
            seen or a person is not there.
        layout: Name of the layout that the joints are in.
        name: What tells the recording from others of the same files; empty for the only one.
        confidence: float64 [T, M, V], 0 to 1 where the tool keeps to it; None where it gives none.
        frames: int64 [T], the frames' numbers as the file counts them, rising; numbers that are
            left out are frames in which nobody was found. None: one after the other.
        people: M names, where the file follows people from frame to frame; None where the order of
            people in a frame means nothing.
        fps: Frames a second; None where the file does not say.
        image_size: Width and height in pixels; None where the file does not say.
        unit: What the coordinates are in; None where the format leaves it open.
        axes: How the file's axes lie; None where the format leaves it open.
        centred: Whether the body's middle is the origin of every frame, so that no path is known.
        resembles: The layout as whose joints these lie, where the reader was told another one.
        label: The class that the file names, or its number; empty where it names none.
        notes: What a user should know of how the file was read, a line each.
    """

    joints: npt.NDArray[np.float64]
    layout: str
    name: str = ""
    confidence: npt.NDArray[np.float64] | None = None
    frames: npt.NDArray[np.int64] | None = None
    people: tuple[str, ...] | None = None
    fps: float | None = None
    image_size: tuple[float, float] | None = None
    unit: Unit | None = None
    axes: Axes | None = None
    centred: bool = False
    resembles: str = ""
    label: str = ""
    notes: tuple[str, ...] = ()


class Reader(Plugin, Protocol):
    """A format of pose files: `Reader(settings)`."""

    def __init__(self, settings: BaseModel, /) -> None: ...

    title: ClassVar[str]
    """What the format is called, such as `OpenPose JSON`."""
    suffixes: ClassVar[tuple[str, ...]]
    """How names of its files end, in small letters; files of other names are not looked into."""
    layouts: ClassVar[Mapping[str, Literal[2, 3]]]
    """Layouts that its files come in, the usual one first -> their dimensions."""
    several: ClassVar[bool]
    """Whether a file can tell of several people."""

    def recognises(self, file: PoseFile) -> bool:
        """Whether a file is of this format, by its content; never raises on a readable file."""

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """Recording and frame number by the name of a file that holds one frame; None where a file
        holds all frames of its recordings."""

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recordings of a file, or the one of all files of single frames, in natural order.

        Raises:
            DataError: Something is damaged or not what the format says, with file, line and frame.
        """

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write a recording as the tool itself does; the files made, `path` or others in its place.

        What the format cannot say is left out; `read` gives back what it can.
        """


@runtime_checkable
class UnnamedJoints(Protocol):
    """A reader of files that do not name their joints, which can be told the layout."""

    def in_layout(self, layout: Layout) -> Reader:
        """A reader of files of the format that are said to be in a layout."""


def turned(
    joints: npt.NDArray[np.float64], axes: Axes, to: Axes = KINECT
) -> npt.NDArray[np.float64]:
    """Coordinates [..., 2 or 3] of one frame as those [..., 3] of another; in 2-D, z is 0.

    Args:
        joints: Coordinates.
        axes: How the axes of their frame lie.
        to: How those of the other frame do.
    """
    flat = np.zeros((*joints.shape[:-1], 3 - joints.shape[-1]))
    wide = np.concatenate([joints, flat], axis=-1)
    out = np.empty_like(wide)
    for old, new in zip(axes, to, strict=True):
        sign = -1.0 if (old[0] == "-") != (new[0] == "-") else 1.0
        out[..., "xyz".index(new[-1])] = sign * wide[..., "xyz".index(old[-1])]
    return out


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A sorting key under which numbers in names count as numbers: `2` before `10`."""
    parts = re.split(r"(\d+)", name)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)


def stacked(
    people: Sequence[Sequence[npt.NDArray[np.float64]]], joints: int, width: int
) -> npt.NDArray[np.float64]:
    """People of each frame as one array [T, M, V, width], NaN where there is nobody.

    Args:
        people: For each of T frames its people, [V, width] each.
        joints: V, for frames without anybody.
        width: Numbers of a joint.
    """
    most = max((len(frame) for frame in people), default=0)
    out = np.full((len(people), max(most, 1), joints, width), np.nan)
    for place, frame in enumerate(people):
        for slot, person in enumerate(frame):
            out[place, slot] = person
    return out

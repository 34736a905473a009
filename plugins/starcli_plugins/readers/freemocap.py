"""FreeMoCap: bodies in millimetres as CSV with names or as arrays, z up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from starcli import array_files
from starcli.contracts import NoSettings
from starcli.errors import DataError
from starcli.poses import Z_UP, PoseFile, Poses
from starcli_plugins.layouts import MEDIAPIPE_33
from starcli_plugins.readers.cells import lines_of
from starcli_plugins.readers.joint_names import Values, fit
from starcli_plugins.readers.tables import heading, recordings
from starcli_plugins.readers.writing import as_written, every_frame, write_table

COUNTS = (33, 553)
"""Joints of its arrays: the body, or the body, hands and face."""
FAR = 10.0
"""Coordinates beyond this are millimetres or pixels; MediaPipe's own are metres or shares."""
UPRIGHT = 0.3
"""Share of the body's size that the head is above the ankles along z; of pixels, z is depth."""
EXPECTED = "[frames, 33 or 553, 3]"


class FreeMoCap:
    """Bodies of FreeMoCap, `..._body_3d_xyz.csv` and `.npy`, one person.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "FreeMoCap"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".npy")
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"mediapipe-33": 3}
    several: ClassVar[bool] = False

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether there are x, y and z of MediaPipe's joints, in millimetres."""
        if file.head.startswith(b"\x93NUMPY"):
            with suppress(DataError):
                array = array_files.read(file.path, shaped=_is_body)
                return _is_freemocap(array.astype(np.float64))
            return False
        return _is_table(file)

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of each file."""
        for file in files:
            if file.head.startswith(b"\x93NUMPY"):
                yield _from_array(file)
            else:
                yield from recordings(file, [MEDIAPIPE_33], unit="mm", axes=Z_UP)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write the table of one person, a row for each frame."""
        joints = every_frame(poses, as_written(poses, Z_UP, "mm"))
        write_table(path, poses.layout, joints[:, :1], "xyz")
        return [path]


def _is_body(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[1] in COUNTS and shape[2] == 3 and shape[0] > 0


def _is_freemocap(joints: Values) -> bool:
    """Whether joints [T, 33 or more, 3] are in millimetres and upright along z."""
    body = joints[:, : len(MEDIAPIPE_33.joints)]
    body = body[np.isfinite(body).all((1, 2))]
    if not len(body) or np.abs(body).max() <= FAR:
        return False
    size = np.linalg.norm(np.ptp(body, axis=1), axis=-1)
    nose, *ankles = (MEDIAPIPE_33.joints.index(n) for n in ("nose", "left ankle", "right ankle"))
    height = body[:, nose, 2] - body[:, ankles, 2].mean(-1)
    return bool(np.median(height / np.maximum(size, 1e-9)) > UPRIGHT)


def _is_table(file: PoseFile) -> bool:
    head = heading(file)
    if head is None or not head.joints or not head.is_solid or max(head.scores) >= 0:
        return False
    joints = fit(head.joints)
    if joints.layout is not MEDIAPIPE_33 or min(joints.index) < 0 or "person" in head.others:
        return False
    rows = [row for _, row in lines_of(file.opening) if len(row) >= head.width][1:]
    columns = [column for place in head.places for column in place]
    values = np.array([[_value(row[column]) for column in columns] for row in rows])
    return bool(rows) and _is_freemocap(joints.of(values.reshape(len(rows), -1, 3)))


def _value(cell: str) -> float:
    with suppress(ValueError):
        return float(cell)
    return np.nan


def _from_array(file: PoseFile) -> Poses:
    array = array_files.read(file.path, shaped=_is_body, expected=EXPECTED, name=file.name)
    joints = array[:, None, : len(MEDIAPIPE_33.joints)].astype(np.float64)
    joints[~np.isfinite(joints).all(-1)] = np.nan
    return Poses(joints, MEDIAPIPE_33.name, unit="mm", axes=Z_UP)

"""C3D: joints that a motion-capture system computed, or rough ones from markers on the skin."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from starcli.contracts import NoSettings
from starcli.errors import DataError, MissingError
from starcli.poses import METRES, PoseFile, Poses, Unit
from starcli_plugins.layouts import KINECT_V2
from starcli_plugins.readers import plug_in_gait
from starcli_plugins.readers.joint_names import Joints, Values, fit, require
from starcli_plugins.readers.writing import every_frame, frame_numbers, joint_names

BLOCK = 512
PROCESSORS = (84, 85, 86)
NO_POINTS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS")
"""Lists of labels that are not places."""
EXPORT = "export it again"
UNITS: Mapping[str, Unit] = {unit: unit for unit in METRES}


class C3d:
    """C3D files whose labels are joints, or the markers of Plug-in Gait.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "C3D"
    suffixes: ClassVar[tuple[str, ...]] = (".c3d",)
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"smpl-22": 3, "kinect-v2": 3}
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether its first bytes lead to a block of parameters."""
        head = file.head
        if len(head) < BLOCK or head[1] != 0x50 or not head[0]:
            return False
        processor = (head[0] - 1) * BLOCK + 3
        return processor < len(head) and head[processor] in PROCESSORS

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of each file."""
        yield from map(_read, files)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write points named by joint, with the subject before the name."""
        points = every_frame(poses, poses.joints)
        names = joint_names(poses.layout)
        people = poses.people or tuple(f"{n + 1}" for n in range(points.shape[1]))
        package = import_module("c3d")
        writer = package.Writer(poses.fps or 30, point_units=poses.unit or "m")
        writer.set_point_labels([f"S{person}:{name}" for person in people for name in names])
        for frame in points.reshape(len(points), -1, 3):
            seen = np.isfinite(frame).all(-1)
            residual = np.where(seen, 0.0, -1.0)[:, None]
            row = np.concatenate([np.nan_to_num(frame), residual, residual], axis=1)
            writer.add_frames([(row.astype(np.float32), np.zeros((0, 1)))])
        writer.set_start_frame(frame_numbers(poses, 1)[0])
        with path.open("wb") as handle, _quiet():
            writer.write(handle)
        return [path]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the package's warnings, such as of no analog data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _read(file: PoseFile) -> Poses:
    package = _package(file)
    try:
        with file.path.open("rb") as handle, _quiet():
            return _poses(package.Reader(handle), file)
    except DataError:
        raise
    except Exception as error:  # the package raises whatever the damage leads it to
        raise file.wrong(f"cannot be read ({error or type(error).__name__})", EXPORT) from error


def _package(file: PoseFile) -> Any:
    """The package c3d.

    Raises:
        MissingError: It is not installed.
    """
    try:
        return import_module("c3d")
    except ImportError as error:
        raise MissingError(
            "reading C3D needs the package c3d", "pip install 'starcli[c3d]'", file=file.name
        ) from error


def _poses(reader: Any, file: PoseFile) -> Poses:
    labels = _labels(reader)
    if not labels:
        raise file.wrong("has no labels of points", "export it with points")
    frames, points = _points(reader, file)
    subjects = _subjects(labels, _not_places(reader))
    people, layout, notes = _people(subjects, points, file)
    unit = _text(reader, "POINT:UNITS").strip().lower()
    return Poses(
        np.stack(list(people.values()), axis=1),
        layout,
        frames=frames,
        notes=notes,
        people=tuple(people) if len(people) > 1 else None,
        fps=float(reader.point_rate) or None,
        unit=UNITS.get(unit),
    )


def _text(reader: Any, name: str) -> str:
    parameter = reader.get(name)
    return str(parameter.string_value) if parameter is not None else ""


def _labels(reader: Any) -> list[str]:
    """Names of all points; those beyond 255 are in lists of their own."""
    labels: list[str] = []
    for number in ("", *range(2, 20)):
        part = reader.get(f"POINT:LABELS{number}")
        if part is not None:
            labels += [str(label).strip() for label in np.ravel(part.string_array)]
    return labels


def _not_places(reader: Any) -> set[str]:
    """Labels of angles and forces."""
    lists = (reader.get(f"POINT:{name}") for name in NO_POINTS)
    return {
        str(label).strip()
        for part in lists
        if part is not None
        for label in np.ravel(part.string_array)
    }


def _points(reader: Any, file: PoseFile) -> tuple[np.ndarray[Any, np.dtype[np.int64]], Values]:
    """Numbers of the frames, and places [T, points, 3] with NaN for what was not seen."""
    frames: list[int] = []
    points: list[Values] = []
    for number, rows, _ in reader.read_frames(copy=True):
        frames.append(int(number))
        points.append(np.where(rows[:, 3:4] < 0, np.nan, rows[:, :3]).astype(np.float64))
    if not frames:
        raise file.wrong("has no frames", EXPORT)
    declared = reader.last_frame - reader.first_frame + 1
    if len(frames) < declared:
        raise file.wrong(f"expected {declared} frames, got {len(frames)}", EXPORT)
    return np.array(frames, np.int64), np.stack(points)


def _subjects(labels: Sequence[str], others: set[str]) -> dict[str, dict[str, int]]:
    """For each subject, which stands before a colon, the place of each label."""
    out: dict[str, dict[str, int]] = {}
    for place, label in enumerate(labels):
        subject, _, name = label.rpartition(":")
        if label not in others and name and not name.startswith("*"):
            out.setdefault(subject, {}).setdefault(name, place)
    return out


def _people(
    subjects: Mapping[str, Mapping[str, int]], points: Values, file: PoseFile
) -> tuple[dict[str, Values], str, tuple[str, ...]]:
    """Joints [T, V, 3] of each subject that has them, their layout, and notes."""
    people: dict[str, tuple[Joints, Values]] = {}
    notes: tuple[str, ...] = ()
    for subject, places in subjects.items():
        own = points[:, list(places.values())]
        joints = fit(list(places))
        if joints.lacking and (
            made := plug_in_gait.joints(dict(zip(places, own.swapaxes(0, 1), strict=True)))
        ):
            own = np.stack(list(made.values()), axis=1)
            joints = fit(list(made), [KINECT_V2])
            notes = ("joints are rough: they come from markers on the skin",)
        if not joints.lacking:
            people[subject] = joints, joints.of(own)
    if not people:
        require([name for places in subjects.values() for name in places], file)
        raise file.wrong("no subject has all joints", "export one subject with its joints")
    layout = next(joints.layout.name for joints, _ in people.values())
    return (
        {
            subject: values
            for subject, (joints, values) in people.items()
            if joints.layout.name == layout
        },
        layout,
        notes,
    )

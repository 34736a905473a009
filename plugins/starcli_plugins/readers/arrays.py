"""Arrays of joints in `.npy` and `.npz` files, known by their shape and where the joints lie."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from starcli import array_files
from starcli.array_files import Shape
from starcli.contracts import Layout, NoSettings
from starcli.errors import DataError
from starcli.poses import IMAGE, PoseFile, Poses
from starcli_plugins.layouts import LAYOUTS
from starcli_plugins.readers.freemocap import FreeMoCap
from starcli_plugins.readers.joint_names import Values
from starcli_plugins.readers.shapes import (
    FORMS,
    HOLISTIC,
    Form,
    column_shapes,
    form_of,
    given_form,
    hips_are_origin,
    parted,
    picked,
    picture_unit,
    root,
    seen,
)

SCORES = re.compile(r"score|conf|visib|likelihood", re.IGNORECASE)
NO_JOINTS = re.compile(r"box|rot|quat|trans$|vel|orient", re.IGNORECASE)
RATES = ("fps", "frame_rate", "framerate", "mocap_framerate", "mocap_frame_rate")
PARAMETERS = ({"poses", "trans"}, {"pose_body", "trans"})
"""Keys of files of AMASS, which hold angles of the SMPL models."""
FEATURES = 263
"""Columns of HumanML3D's `new_joint_vecs`."""
FLAT = {"coco-17", "coco-18", "body-25", "halpe-26"}
UNNAMED = "name its layout with --layout, or the joints in a CSV file"
WANT = (
    "[frames, joints, 2 to 4], [frames, persons, joints, 2 to 4], [persons, frames, joints, "
    "2 to 4] or [frames, columns]"
)


class Arrays:
    """`.npy` and `.npz` arrays of joints; of several in a file, each is a recording.

    Args:
        settings: None.
        told: The layout that files are said to be in; None for what their shapes say.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "NumPy arrays"
    suffixes: ClassVar[tuple[str, ...]] = (".npy", ".npz")
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {
        "coco-17": 2,
        **{x.name: 2 if x.name in FLAT else 3 for x in LAYOUTS},
    }
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings, given: Layout | None = None) -> None:
        self._freemocap, self._given = FreeMoCap(settings), given

    def in_layout(self, layout: Layout) -> Arrays:
        """A reader of arrays of a layout: any number of joints, and shapes decide nothing."""
        return Arrays(NoSettings(), layout)

    def recognises(self, file: PoseFile) -> bool:
        """Whether an array has the shape of joints, or is known to hold none."""
        if self._given is not None:
            return True
        if not file.head.startswith((b"\x93NUMPY", b"PK\x03\x04")):
            return False
        headers = _headers(file)
        known = bool(_poses_in(headers) or _refusal(headers))
        return known and not self._freemocap.recognises(file)

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """A recording for each array of joints, named by its key where there are several."""
        for file in files:
            yield from _read(file, self._given)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write [frames, persons, joints, axes], in 2-D with the confidence last."""
        data = poses.joints
        if data.shape[-1] == 2 and poses.confidence is not None:
            data = np.concatenate([data, poses.confidence[..., None]], axis=-1)
        with path.open("wb") as file:
            if path.suffix == ".npz":
                np.savez(file, keypoints=data, fps=np.array(poses.fps or 30.0))
            else:
                np.save(file, data)
        return [path]


Headers = Mapping[str, tuple[Shape, np.dtype[Any]]]


def _headers(file: PoseFile) -> Headers:
    with suppress(DataError):
        return array_files.headers(file.path)
    return {}


def _poses_in(headers: Headers, given: Layout | None = None) -> list[str]:
    """Keys of the arrays of joints; of those that a layout fits, if it is told and fits any."""
    if {"x_train", "y_train"} <= set(headers):  # a whole data set, which has a reader of its own
        return []
    keys = [
        key
        for key, (shape, dtype) in headers.items()
        if dtype.kind in "fiu"
        and _is_shape_of_joints(shape, given)
        and not SCORES.search(key)
        and not NO_JOINTS.search(key)
    ]
    fitting = [key for key in keys if given and headers[key][0][-2] == len(given.joints)]
    return fitting or keys


def _is_shape_of_joints(shape: Shape, given: Layout | None) -> bool:
    if min(shape, default=0) < 1 or len(shape) not in (2, 3, 4):
        return False
    if len(shape) == 2:
        return bool(_columns(shape[1], given))
    known = given is not None or shape[-2] in FORMS
    return known and shape[-1] in (2, 3, 4) and not _is_raw_movenet(shape)


def _columns(columns: int, given: Layout | None) -> list[tuple[int, int]]:
    """The numbers of joints and of values each that rows of so many columns may have."""
    if given is None:
        return column_shapes(columns)
    joints = len(given.joints)
    return [(joints, width) for width in (2, 3, 4) if joints * width == columns]


def _is_raw_movenet(shape: Shape) -> bool:
    """Whether it is the output of MoveNet as the network gives it, y before x."""
    return shape[-4:] == (1, 1, 17, 3) or shape[-2:] == (6, 56)


def _refusal(headers: Headers) -> tuple[str, str] | None:
    """What is wrong with a file that is known to hold no joints, and what to do."""
    if any(keys <= set(headers) for keys in PARAMETERS) and not _poses_in(headers):
        return (
            "holds angles of a body model (AMASS), no joints",
            "export joints [frames, 22, 3] with the smplx package, or use HumanML3D's new_joints",
        )
    if any(shape[1:] == (FEATURES,) for shape, _ in headers.values()):
        return "holds HumanML3D's features, no joints", "use the files of new_joints"
    if any(_is_raw_movenet(shape) for shape, _ in headers.values()):
        return (
            "is raw output of MoveNet, which has y before x",
            "save it as [frames, 17, 3] of x, y and score",
        )
    if any(
        dtype.hasobject and re.match("positions|joints|keypoints", key)
        for key, (_, dtype) in headers.items()
    ):
        return "contains Python objects, refused", array_files.AGAIN
    return None


def _read(file: PoseFile, given: Layout | None) -> Iterator[Poses]:
    try:
        headers = array_files.headers(file.path)
    except DataError as error:
        raise file.wrong(error.message, error.fix) from error
    refusal = _refusal(headers)
    if refusal and given is None:
        raise file.wrong(*refusal)
    keys = _poses_in(headers, given)
    if not keys:
        if any(dtype.hasobject for _, dtype in headers.values()):
            raise file.wrong("contains Python objects, refused", array_files.AGAIN)
        shapes = ", ".join(
            f"{key} {dtype} {list(shape)}".strip() for key, (shape, dtype) in headers.items()
        )
        fix = (
            f"check that it has the {len(given.joints)} joints of {given.name}"
            if given
            else UNNAMED
        )
        raise file.wrong(f"expected {WANT}, got {shapes[:300]}", fix)
    for key in keys:
        poses = _poses(array_files.read(file.path, key, name=file.name), key, file, given)
        poses = replace(poses, fps=_fps(headers, file))
        if poses.confidence is None:
            poses = _with_confidence(poses, headers[key][0], headers, file, given)
        yield replace(poses, name=key if len(keys) > 1 else "")


def _poses(array: npt.NDArray[Any], key: str, file: PoseFile, given: Layout | None) -> Poses:
    """One array as a recording."""
    points = array.astype(np.float64)
    if points.ndim == 2:
        points = _from_columns(points, key, file, given)
    notes = []
    if _is_persons_first(points.shape):
        points = points.swapaxes(0, 1)
        notes.append("taken as [persons, frames, joints, axes]")
    points = points if points.ndim == 4 else points[:, None]
    form = _form(points, given)
    place, confidence = parted(picked(points, form), form)
    if confidence is not None and points.shape[-1] == 3:
        notes.append("the third number of each joint is its confidence")
    people = place.shape[1]
    poses = Poses(
        seen(place, form.layout),
        form.layout,
        confidence=confidence,
        centred=root(place, form.layout) is not None,
        people=tuple(f"{n + 1}" for n in range(people)) if people > 1 else None,
        resembles="" if given is None else _other(points, given),
        notes=tuple(notes),
    )
    return _placed(poses)


def _form(points: Values, given: Layout | None) -> Form:
    """What joints [..., V, 2 to 4] are: as told, else by where they lie."""
    return _lying(points) if given is None else given_form(given, points)


def _lying(points: Values) -> Form:
    """What joints are by where they lie."""
    return form_of(np.where((points == 0).all(-1, keepdims=True), np.nan, points))


def _other(points: Values, given: Layout) -> str:
    """The layout of which joints are by where they lie, where it is another one than is said."""
    known = [form.layout for form in FORMS.get(points.shape[-2], ())]
    layout = _lying(points).layout if given.name in known else given.name
    return "" if layout == given.name else layout


def _from_columns(rows: Values, key: str, file: PoseFile, given: Layout | None) -> Values:
    """Joints [T, V, 2 to 4] of rows of numbers [T, columns]."""
    shapes = _columns(rows.shape[1], given)
    if len(shapes) > 1:
        forms = " or ".join(f"{joints} x {width}" for joints, width in shapes)
        raise file.wrong(
            f"{f'array {key}: ' if key else ''}{rows.shape[1]} columns may be {forms}",
            "name its layout with --layout, or reshape the array to [frames, joints, axes]",
        )
    ((joints, width),) = shapes
    if rows.shape[1] == HOLISTIC:
        rows = rows[:, : joints * width]
    return rows.reshape(len(rows), joints, width)


def _is_persons_first(shape: Shape) -> bool:
    """Whether the first axis of four is the persons', as pyskl has it: there are fewer of them."""
    return len(shape) == 4 and shape[0] < shape[1]


def _placed(poses: Poses) -> Poses:
    """The poses with the unit and axes that their form fixes."""
    if poses.joints.shape[-1] == 2:
        return replace(poses, unit=picture_unit(poses.joints), axes=IMAGE)
    if poses.layout == "mediapipe-33":
        if hips_are_origin(poses.joints, poses.layout):
            return replace(poses, unit="m", axes=IMAGE, centred=True)
        if picture_unit(poses.joints) == "image":
            return replace(poses, unit="image", axes=IMAGE)
    return poses


def _fps(headers: Headers, file: PoseFile) -> float | None:
    """The frame rate that a file has as a number of its own."""
    for key in RATES:
        if key in headers and headers[key][0] in ((), (1,)) and headers[key][1].kind in "fiu":
            rate = float(array_files.read(file.path, key, name=file.name).reshape(()))
            return rate if rate > 0 else None
    return None


def _with_confidence(
    poses: Poses, shape: Shape, headers: Headers, file: PoseFile, given: Layout | None
) -> Poses:
    """The poses with the confidence of another array that has a number for each joint."""
    for key, (other, dtype) in headers.items():
        fits = len(shape) > 2 and other in (shape[:-1], (*shape[:-1], 1))
        if fits and SCORES.search(key) and dtype.kind in "fiu":
            scores = array_files.read(file.path, key, name=file.name).reshape(shape[:-1])
            wide = scores if scores.ndim == 3 else scores[:, None]
            wide = wide.swapaxes(0, 1) if _is_persons_first(shape) else wide
            values = wide.astype(np.float64)
            if given is None:
                form = next(f for f in FORMS[shape[-2]] if f.layout == poses.layout)
                values = picked(values[..., None], form)[..., 0]
            return replace(poses, confidence=values)
    return poses

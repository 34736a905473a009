"""Pickles of pyskl and MMAction2: sets of annotations, or one; nothing in them is ever run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from starcli.contracts import NoSettings
from starcli.errors import DataError
from starcli.poses import IMAGE, KINECT, PoseFile, Poses
from starcli_plugins.datasets.ntu.annotations import load, save
from starcli_plugins.readers.models import COMMON
from starcli_plugins.readers.people import (
    AGAIN,
    Frame,
    Values,
    known_model,
    mapped,
    recording,
    scored,
    seen,
)

FLAT: Mapping[int, tuple[str, Sequence[int]]] = {**COMMON, 18: ("coco-18", range(18))}
SOLID: Mapping[int, tuple[str, Sequence[int]]] = {
    25: ("kinect-v2", range(25)),
    20: ("kinect-v1", range(20)),
}
"""Number of joints in 2-D and in 3-D -> the layout, and where its joints are."""


class Pyskl:
    """Pickles of pyskl and MMAction2, a recording for each annotation.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "pyskl and MMAction2 pickle"
    suffixes: ClassVar[tuple[str, ...]] = (".pkl", ".pickle")
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"coco-17": 2, "kinect-v2": 3}
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether it is a pickle that soon names keypoints, or splits."""
        head = file.head
        if head[:1] != b"\x80" or head[1:2] not in (b"\2", b"\3", b"\4", b"\5"):
            return False
        return b"keypoint" in head or b"split" in head[:64] or b"annotations" in head[:64]

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of each annotation, by its name where there are several."""
        for file in files:
            yield from _from_file(file)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write a set of one annotation; whoever is not there is zeros, as pyskl writes it."""
        frames = np.arange(len(poses.joints)) if poses.frames is None else poses.frames
        rows = frames - frames[0]
        shape = (rows[-1] + 1, *poses.joints.shape[1:])
        joints, scores = np.zeros(shape), np.zeros(shape[:3])
        joints[rows] = poses.joints
        joints[np.isnan(joints).all((2, 3))] = 0
        clip: dict[str, Any] = {"frame_dir": path.stem, "total_frames": len(joints)}
        if poses.label.isdecimal():
            clip["label"] = int(poses.label)
        if joints.shape[-1] == 2:
            joints = np.nan_to_num(joints)
            if poses.confidence is not None:
                scores[rows] = np.nan_to_num(poses.confidence)
            clip["keypoint_score"] = scores.transpose(1, 0, 2).astype(np.float16)
        if poses.image_size is not None:
            width, height = map(int, poses.image_size)
            clip["img_shape"] = clip["original_shape"] = (height, width)
        clip["keypoint"] = joints.transpose(1, 0, 2, 3).astype(np.float16)
        save(path, {"split": {"train": [path.stem]}, "annotations": [clip]})
        return [path]


def _from_file(file: PoseFile) -> Iterator[Poses]:
    try:
        content = load(file.path)
    except DataError as error:
        raise file.wrong(
            error.message, "save it with numpy arrays, lists and dicts only"
        ) from error
    clips = content.get("annotations", [content]) if isinstance(content, dict) else content
    if not isinstance(clips, list) or not all(isinstance(clip, dict) for clip in clips):
        raise file.wrong("expected a list of annotations", AGAIN)
    names = [str(clip.get("frame_dir", number)) for number, clip in enumerate(clips, 1)]
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise file.wrong(f"duplicate annotation '{double}'", "leave one of the two out")
    for name, clip in zip(names, clips, strict=True):
        poses = _from_clip(clip, replace(file, name=f"{file.name}/{name}"))
        yield replace(poses, name=name if len(clips) > 1 else "")


def _from_clip(clip: Mapping[str, Any], file: PoseFile) -> Poses:
    """The recording of an annotation, which the file's name for messages tells."""
    keypoint = clip.get("keypoint")
    if keypoint is None and "raw_file" in clip:
        raise file.wrong(
            "is a table of contents: the keypoints are in other files", "pass a file with keypoints"
        )
    joints = _numbers(keypoint, "keypoint", file)
    if joints.ndim == 3:
        poses = _untracked(joints, clip, file)
    elif joints.ndim == 4 and joints.shape[3] in (2, 3):
        poses = _tracked(joints.transpose(1, 0, 2, 3), clip, file)
    else:
        raise file.wrong(
            f"expected keypoint [people, frames, joints, 2 or 3], got shape {list(joints.shape)}",
            AGAIN,
        )
    if np.isnan(poses.joints).all():
        raise file.wrong("nobody is in any frame", "leave it out")
    models = SOLID if poses.joints.shape[-1] == 3 else FLAT
    known_model(poses.joints[0, 0], models, file, None)
    poses = mapped(poses, *models[poses.joints.shape[2]])
    label = clip.get("label")
    return replace(
        poses,
        label="" if label is None or isinstance(label, list | dict) else str(label),
        image_size=_size(clip),
        unit="m" if models is SOLID else "pixel",
        axes=KINECT if models is SOLID else IMAGE,
    )


def _tracked(joints: Values, clip: Mapping[str, Any], file: PoseFile) -> Poses:
    """Joints [T, M, V, 2 or 3] with the scores of the annotation."""
    if not joints.size:
        raise file.wrong("nobody is in any frame", "leave it out")
    scores = None
    if clip.get("keypoint_score") is not None:
        scores = _numbers(clip["keypoint_score"], "keypoint_score", file)
        if scores.shape != (joints.shape[1], joints.shape[0], joints.shape[2]):
            raise file.wrong(
                f"keypoint_score has shape {list(scores.shape)}, keypoint "
                f"{list(joints.transpose(1, 0, 2, 3).shape)}",
                AGAIN,
            )
        scores = scores.transpose(1, 0, 2)
    if joints.shape[-1] == 2:
        return Poses(seen(joints), "", confidence=scores)
    # In 3-D a joint at the origin may be what the clip is centred on; only whole bodies are absent.
    absent = (joints == 0).all((2, 3))
    joints = np.where(
        np.isnan(joints).any(-1, keepdims=True) | absent[:, :, None, None], np.nan, joints
    )
    there = joints[:, 0][~absent[:, 0]]
    centred = len(there) > 1 and bool((there == 0).all((0, 2)).any())
    people = tuple(str(slot) for slot in range(joints.shape[1]))
    return Poses(joints, "", confidence=scores, people=people, centred=centred)


def _untracked(table: Values, clip: Mapping[str, Any], file: PoseFile) -> Poses:
    """People [N, V, 3] whose frames `frame_inds` tells, with scores in the last column."""
    frames = clip.get("frame_inds")
    numbers = _numbers(frames, "frame_inds", file)
    if numbers.shape != table.shape[:1] or table.shape[2] != 3:
        raise file.wrong(
            f"expected frame_inds for each of the keypoints {list(table.shape)}, "
            f"got {list(numbers.shape)}",
            AGAIN,
        )
    listed = [
        Frame(int(number), [scored(person) for person in table[numbers == number]], file)
        for number in np.unique(numbers)
    ]
    if not listed:
        raise file.wrong("nobody is in any frame", "leave it out")
    return recording(listed, layout="")


def _numbers(values: Any, name: str, file: PoseFile) -> Values:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "iuf":
            raise ValueError(f"{name} is not an array of numbers")
    except ValueError as error:
        raise file.wrong(str(error), AGAIN) from error
    out = array.astype(np.float64)
    out[~np.isfinite(out)] = np.nan
    return out


def _size(clip: Mapping[str, Any]) -> tuple[float, float] | None:
    """Width and height of the picture, which annotations tell the other way round."""
    shape = clip.get("original_shape", clip.get("img_shape"))
    if isinstance(shape, tuple | list) and len(shape) >= 2:
        height, width = shape[:2]
        if all(isinstance(side, int) and side > 0 for side in (height, width)):
            return float(width), float(height)
    return None

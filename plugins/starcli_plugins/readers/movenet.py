"""Poses of tfjs as JSON: MoveNet, PoseNet new and old, and BlazePose with its 3-D keypoints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from starcli.contracts import NoSettings
from starcli.poses import IMAGE, PoseFile, Poses, turned
from starcli_plugins.readers.models import COCO, by_names
from starcli_plugins.readers.people import (
    AGAIN,
    FRAME,
    Frame,
    Person,
    documents,
    number_of,
    numbered,
    numbers,
    recording,
    seen,
    written_people,
)

LISTS = ("frames", "poses", "predictions", "results", "data")
FLAT, SOLID = "keypoints", "keypoints3D"
MODELS = {17: "coco-17", 33: "mediapipe-33"}
SHARES = 2.0
"""Coordinates up to this are shares of the picture."""
MOST = 6
"""People that MoveNet finds at most; more poses in a list are those of frames."""
HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


class MoveNet:
    """Poses of MoveNet, PoseNet and BlazePose as tfjs gives them.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "MoveNet and PoseNet JSON"
    suffixes: ClassVar[tuple[str, ...]] = (".json", ".jsonl")
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"coco-17": 2, "mediapipe-33": 3}
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether there is a pose of 17 or 33 keypoints that are objects with x and y."""
        return _has_pose(file.glimpse)

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of each file."""
        for file in files:
            content = documents(file)
            items = _frames(content[0] if len(content) == 1 else content)
            poses = [(number, _poses(item, file, number)) for number, item in items]
            solid = any(pose.get(SOLID) for _, listed in poses for pose in listed)
            key = SOLID if solid else FLAT
            yield _finished(
                [
                    Frame(number, [_person(pose, key, file, number) for pose in listed], file)
                    for number, listed in poses
                ]
            )

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write a list with the poses of each frame, as `estimatePoses` gives them."""
        people = dict(written_people(poses))
        frames = [
            [
                _written(person.joints, person.scores.tolist(), person.name, poses)
                for person in people.get(number, ())
            ]
            for number in range(min(people), max(people) + 1)
        ]
        path.write_text(json.dumps(frames), "utf-8")
        return [path]


def _written(
    joints: np.ndarray[Any, Any], scores: list[float], name: str, poses: Poses
) -> dict[str, Any]:
    """A pose of tfjs; of three dimensions, the keypoints of the picture are left out."""
    key, names = FLAT, [{"name": joint} for joint in COCO]
    if joints.shape[1] == 3:
        key, names = SOLID, [{} for _ in joints]
        joints = turned(joints, poses.axes or IMAGE, IMAGE)
    rows = zip(joints.tolist(), scores, names, strict=True)
    keypoints = [
        {**dict(zip("xyz", point, strict=False)), "score": score, **named}
        for point, score, named in rows
    ]
    return {"score": 0.9, "keypoints": keypoints, key: keypoints, "id": int(name or 0)}


def _is_pose(item: Any) -> bool:
    listed = item.get(FLAT) if isinstance(item, dict) else None
    if not isinstance(listed, list) or len(listed) not in MODELS or not isinstance(listed[0], dict):
        return False
    return {"x", "y"} <= listed[0].keys() or "position" in listed[0]


def _has_pose(item: Any, depth: int = 0) -> bool:
    if _is_pose(item):
        return True
    if depth > 3 or not isinstance(item, list | dict):
        return False
    inside = list(item.values()) if isinstance(item, dict) else item
    return any(_has_pose(each, depth + 1) for each in inside[:100])


def _frames(document: Any) -> list[tuple[int, Any]]:
    """The frames of a document, with their numbers."""
    if isinstance(document, dict) and not _is_pose(document):
        inside = next((document[key] for key in LISTS if key in document), None)
        if inside is None:
            return list(zip(numbered(list(document)), document.values(), strict=True))
        document = inside
    if not isinstance(document, list):
        return [(0, document)]
    poses = [item for item in document if _is_pose(item)]
    timed = any(pose.keys() & {"timestamp", *FRAME} for pose in poses)
    if len(poses) < len(document) or timed or len(poses) > MOST:
        return [(number_of(item, place), item) for place, item in enumerate(document)]
    return [(0, document)]


def _poses(item: Any, file: PoseFile, frame: int) -> list[dict[str, Any]]:
    """The poses of a frame."""
    if isinstance(item, dict) and FLAT not in item:
        item = next((item[key] for key in LISTS if key in item), None)
    listed = [item] if isinstance(item, dict) else item or []
    if not isinstance(listed, list) or not all(
        isinstance(pose, dict) and isinstance(pose.get(FLAT), list) for pose in listed
    ):
        raise file.wrong("expected poses with keypoints", AGAIN, frame=frame)
    return listed


def _person(pose: dict[str, Any], key: str, file: PoseFile, frame: int) -> Person:
    points = pose.get(key)
    if not isinstance(points, list) or len(points) not in MODELS:
        got = len(points) if isinstance(points, list) else "none"
        raise file.wrong(f"expected 17 or 33 {key}, got {got}", AGAIN, frame=frame)
    if not all(isinstance(point, dict) for point in points):
        raise file.wrong("expected objects with x and y", AGAIN, frame=frame)
    placed = [point.get("position", point) for point in points]
    if not all(isinstance(place, dict) for place in placed):
        raise file.wrong("expected objects with x and y", AGAIN, frame=frame)
    axes = "xyz" if key == SOLID else "xy"
    joints = np.column_stack(
        [numbers([place.get(axis) for place in placed], file, frame) for axis in axes]
    )
    scores = numbers([point.get("score", point.get("visibility")) for point in points], file, frame)
    names = [HUMP.sub("_", str(point.get("name", point.get("part", "")))) for point in points]
    order = by_names(names) if len(points) == 17 else None
    if order is not None and min(order) >= 0:
        joints, scores = joints[list(order)], scores[list(order)]
    name = pose.get("id")
    confidence = None if np.isnan(scores).all() else scores
    return Person(seen(joints), confidence, "" if name is None else str(name))


def _finished(frames: Sequence[Frame]) -> Poses:
    """The recording, in the unit that its dimensions or its numbers tell."""
    poses = recording(frames, layout="", axes=IMAGE)
    poses = replace(poses, layout=MODELS[poses.joints.shape[2]])
    if poses.joints.shape[-1] == 3:
        return replace(poses, unit="m", centred=True)
    shares = np.nanmax(np.abs(poses.joints), initial=0) <= SHARES
    return replace(poses, unit="image" if shares else "pixel")

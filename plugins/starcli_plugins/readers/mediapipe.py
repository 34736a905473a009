"""MediaPipe Pose as people write it down: JSON, protobuf text, and CSV of 33 landmarks.

There is no official file. World landmarks (metres, from the middle of the hips) are preferred to
those in the image (shares of width and height), which know the path but not the depth.
"""

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
from starcli_plugins.readers import mediapipe_table
from starcli_plugins.readers.mediapipe_table import COUNT, from_landmarks
from starcli_plugins.readers.people import (
    AGAIN,
    Frame,
    Person,
    documents,
    number_of,
    numbered,
    recording,
    rows,
    written_people,
)

HIPS = [23, 24]
WORLD = ("pose_world_landmarks", "poseWorldLandmarks", "world_landmarks", "worldLandmarks")
PICTURE = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark")
LISTS = ("frames", "data", "results")
CENTRED = 0.02
"""Metres that the middle of the hips is from the origin of world landmarks at most."""
SHARES = 4.0
"""Shares of an image that landmarks are at most; they may lie outside of it."""
TEXT = re.compile(r"landmark\s*\{([^{}]*)\}")
FIELD = re.compile(r"(\w+)\s*:\s*([-+.\w]+)")


class MediaPipe:
    """Landmarks of MediaPipe Pose in JSON, protobuf text or CSV, one or more people.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "MediaPipe Pose"
    suffixes: ClassVar[tuple[str, ...]] = (
        ".json",
        ".jsonl",
        ".csv",
        ".txt",
        ".pbtxt",
        ".textproto",
    )
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"mediapipe-33": 3}
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether there are 33 landmarks."""
        if file.is_json:
            return _has_landmarks(file.glimpse)
        return bool(TEXT.search(file.opening)) or mediapipe_table.recognises(file)

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of a file; of a table with classes, one for each run of a class."""
        for file in files:
            if file.is_json:
                yield _from_json(file)
            elif TEXT.search(file.opening):
                yield finished(recording(_from_text(file), layout="mediapipe-33"))
            else:
                yield from map(finished, mediapipe_table.read(file))

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write world landmarks as a list of frames, people as Tasks give them."""
        listed = []
        for number, people in written_people(poses):
            world = [
                [
                    {"x": x, "y": y, "z": z, "visibility": v}
                    for (x, y, z), v in zip(joints.tolist(), scores.tolist(), strict=True)
                ]
                for joints, scores in (
                    (turned(p.joints, poses.axes or IMAGE, IMAGE), p.scores) for p in people
                )
            ]
            listed.append({"frame": number, "pose_world_landmarks": world})
        path.write_text(json.dumps(listed), "utf-8")
        return [path]


def _is_person(item: object) -> bool:
    """33 landmarks, each an object with x and y or a list of 3 or 4 numbers."""
    if not isinstance(item, list) or len(item) != COUNT:
        return False
    if isinstance(item[0], dict):
        return "x" in item[0] and "y" in item[0]
    return isinstance(item[0], list) and len(item[0]) in (3, 4) and _is_number(item[0][0])


def _is_number(item: object) -> bool:
    return isinstance(item, int | float)


def _has_landmarks(item: object, depth: int = 0) -> bool:
    """Whether landmarks of a pose are where they are looked for in a document."""
    if _is_person(item):
        return True
    if depth > 4 or not isinstance(item, list | dict):
        return False
    if isinstance(item, dict):
        item = [
            value
            for key, value in item.items()
            if key in (*WORLD, *PICTURE, *LISTS) or key.isdecimal()
        ]
    return any(_has_landmarks(inside, depth + 1) for inside in item[:100])


def _from_json(file: PoseFile) -> Poses:
    content = documents(file)
    items = _frames(content[0] if len(content) == 1 else content)
    worlds = any(_people(item, WORLD, file, number) for number, item in items)
    keys = WORLD if worlds else PICTURE
    frames = [
        Frame(n, [_person(p, file, n) for p in _people(item, keys, file, n)], file)
        for n, item in items
    ]
    poses = recording(frames, layout="mediapipe-33")
    return replace(finished(poses), unit="m", centred=True) if worlds else finished(poses)


def _frames(document: Any) -> list[tuple[int, Any]]:
    """The frames of a document, with their numbers."""
    if isinstance(document, dict):
        inside = next((document[key] for key in LISTS if isinstance(document.get(key), list)), None)
        if inside is not None:
            return _frames(inside)
        if all(key.isdecimal() for key in document):
            return list(zip(numbered(list(document)), document.values(), strict=True))
        lists = {
            key: value
            for key, value in document.items()
            if key in (*WORLD, *PICTURE)
            and isinstance(value, list)
            and value
            and not _is_person(value)
        }
        # Lists of lists may be the people of one frame; but a recording has many frames.
        length = max(map(len, lists.values()), default=0)
        return [
            (place, {key: value[place] for key, value in lists.items() if place < len(value)})
            for place in range(length)
        ] or [(0, document)]
    if _is_person(document):
        return [(0, document)]
    return [(number_of(item, place), item) for place, item in enumerate(document)]


def _people(item: Any, keys: Sequence[str], file: PoseFile, frame: int) -> list[list[Any]]:
    """Landmarks of each person of a frame; of an object, what is under the first of the keys."""
    if not item:
        return []
    if isinstance(item, dict):
        known = [item[key] for key in keys if key in item]
        if not known and not (item.keys() & {*WORLD, *PICTURE}):
            inner = item.get("people") or item.get("persons")
            return _people(inner, keys, file, frame)
        return _people(known[0], PICTURE, file, frame) if known else []
    if _is_person(item):
        return [] if keys is WORLD else [item]
    if not isinstance(item, list) or any(not isinstance(one, list | dict) for one in item):
        raise file.wrong(f"expected {COUNT} landmarks", AGAIN, frame=frame)
    if (isinstance(item[0], list) and item[0] and _is_number(item[0][0])) or "x" in item[0]:
        raise file.wrong(f"expected {COUNT} landmarks, got {len(item)}", AGAIN, frame=frame)
    return [person for one in item for person in _people(one, keys, file, frame)]


def _person(landmarks: list[Any], file: PoseFile, frame: int) -> Person:
    if isinstance(landmarks[0], dict):
        if not all(isinstance(landmark, dict) for landmark in landmarks):
            raise file.wrong("expected objects with x and y", AGAIN, frame=frame)
        names = ("x", "y", "z", "visibility")
        landmarks = [[landmark.get(name) for name in names] for landmark in landmarks]
    values = rows(landmarks, len(landmarks[0]), file, frame)
    return from_landmarks(values)


def _from_text(file: PoseFile) -> list[Frame]:
    """Landmarks of protobuf text, 33 to a frame."""
    marks = [dict(FIELD.findall(inside)) for inside in TEXT.findall(file.text)]
    if len(marks) % COUNT or file.text.count("landmark {") > len(marks):
        raise file.wrong(f"{len(marks)} landmarks are not {COUNT} in each frame", AGAIN)
    names, frames = ("x", "y", "z", "visibility"), []
    for number in range(len(marks) // COUNT):
        landmarks = marks[number * COUNT : (number + 1) * COUNT]
        try:
            values = [
                [float(mark[name]) if name in mark else None for name in names]
                for mark in landmarks
            ]
        except ValueError as error:
            raise file.wrong(f"not a number ({error})", AGAIN, frame=number) from error
        frames.append(Frame(number, [_person(values, file, number)], file))
    return frames


def finished(poses: Poses) -> Poses:
    """Poses with the unit that their numbers tell, and visibility from 0 to 1."""
    notes, confidence = list(poses.notes), poses.confidence
    if confidence is not None and (np.nanmin(confidence) < -0.01 or np.nanmax(confidence) > 1.01):
        confidence = 1 / (1 + np.exp(-confidence))
        notes.append("visibility is beyond 0 to 1: taken for the argument of a sigmoid")
    poses = replace(poses, confidence=confidence, axes=IMAGE)
    hips = poses.joints[:, :, HIPS, :2].mean(2)
    if np.nanmax(np.abs(hips), initial=0) < CENTRED:
        return replace(poses, unit="m", centred=True, notes=tuple(notes))
    if np.nanmax(np.abs(poses.joints[..., :2]), initial=0) <= SHARES:
        return replace(poses, unit="image", notes=tuple(notes))
    notes.append("coordinates are far beyond 0 to 1: taken for pixels")
    return replace(poses, unit="pixel", notes=tuple(notes))

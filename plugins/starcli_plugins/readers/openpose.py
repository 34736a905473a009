"""OpenPose's JSON, one file a frame, and its many copies: RTMPose by Pose2Sim, ControlNet, DWPose,
frames in one file, Kinetics-Skeleton.

The model is not named: the number of joints tells it.
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
from starcli.poses import IMAGE, PoseFile, Poses
from starcli_plugins.readers.models import COMMON
from starcli_plugins.readers.people import (
    AGAIN,
    Frame,
    Person,
    Values,
    frame_name,
    is_flat,
    known_model,
    mapped,
    number_of,
    numbered,
    numbers,
    recording,
    rows,
    seen,
    written_people,
)

BODY_25B = (0, -1, 6, 8, 10, 5, 7, 9, -1, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3, *range(19, 25))
MODELS: Mapping[int, tuple[str, Sequence[int]]] = {
    25: ("body-25", range(25)),
    18: ("coco-18", range(18)),
    15: ("coco-18", (-1, *range(1, 14), -1, -1, -1, -1)),  # MPI: no face
    19: ("body-25", (*range(19), *[-1] * 6)),  # BODY_19: no feet
    23: ("body-25", (0, -1, *range(1, 7), -1, *range(7, 23))),  # BODY_23: no neck, no hip centre
    135: ("body-25", BODY_25B),
    **{count: COMMON[count] for count in (17, 26, 133, 136)},
    33: ("mediapipe-33", range(33)),
}
"""Number of joints -> the layout, and where its joints are in that order."""
FLAT = ("pose_keypoints_2d", "pose_keypoints", "joints")
SPATIAL = "pose_keypoints_3d"
VIEW = re.compile(r"(.*)_(?:keypoints|pose|rendered)(_\d+)?(\.json)")


class OpenPose:
    """JSON of OpenPose and of those who write as it does.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "OpenPose JSON"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {
        "body-25": 2,
        "coco-18": 2,
        "coco-17": 2,
        "halpe-26": 2,
        "mediapipe-33": 2,
    }
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether there are `people` with `pose_keypoints`, or frames with a `skeleton`."""
        document = file.glimpse
        return _is_frame(document) or any(_is_frame(item) for _, item in _items(document))

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """By the number in the name, where a file holds one frame; views are recordings apart."""
        if not _is_frame(file.glimpse):
            return None
        view = VIEW.fullmatch(file.name)
        name, number = frame_name(view[1] + view[3] if view else file.name) or (file.name, 0)
        return name + (view[2] or "" if view else ""), number

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of all files of single frames, or of each file of frames."""
        if all(self.frame_of(file) for file in files):
            frames = [
                (frame[1], file.json, file) for file in files if (frame := self.frame_of(file))
            ]
            yield _recording(frames)
        else:
            yield from map(_whole, files)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write one file a frame, as OpenPose names them."""
        made = []
        for number, people in written_people(poses):
            document = {
                "version": 1.3,
                "people": [
                    {
                        "person_id": [-1],
                        "face_keypoints_2d": [],
                        "pose_keypoints_2d": np.column_stack([p.joints, p.scores]).ravel().tolist(),
                    }
                    for p in people
                ],
            }
            made.append(path.with_name(f"{path.stem}_{number:012}_keypoints.json"))
            made[-1].write_text(json.dumps(document), "utf-8")
        return made


def _is_frame(item: Any) -> bool:
    """People of one frame: as OpenPose writes them, or Kinetics-Skeleton."""
    people = _listed(item) if isinstance(item, dict) else None
    if not isinstance(people, list) or str(item.get("version", "")).startswith("AlphaPose"):
        return False
    if not people:
        return bool(item.keys() & {"version", "canvas_width", "frame_index", "part_candidates"})
    first = people[0]
    return isinstance(first, dict) and bool(
        (isinstance(first.get("pose"), list) and "score" in first)
        or first.keys() & {*FLAT[:2], SPATIAL}
        or ("bodies" in item and is_flat(first.get("joints")))
    )


def _listed(frame: Any) -> Any:
    """The list of people of a frame; of none, an empty one."""
    if not frame:
        return []
    if not isinstance(frame, dict):
        return None
    return next((frame[key] for key in ("people", "bodies", "skeleton") if key in frame), None)


def _items(document: Any) -> list[tuple[int, Any]]:
    """The frames of a document of many, with their numbers."""
    if isinstance(document, dict):
        listed = next((document[key] for key in ("data", "frames") if key in document), None)
        if listed is None:
            return list(zip(numbered(list(document)), document.values(), strict=True))
        document = listed
    if not isinstance(document, list):
        return []
    return [(number_of(item, place), item) for place, item in enumerate(document)]


def _whole(file: PoseFile) -> Poses:
    """The recording of a file of many frames."""
    poses = _recording([(number, item, file) for number, item in _items(file.json)])
    label = file.json.get("label") if isinstance(file.json, dict) else None
    return replace(poses, label=label) if isinstance(label, str) else poses


def _recording(items: Sequence[tuple[int, Any, PoseFile]]) -> Poses:
    """The recording of frames: number, content and file of each."""
    spatial = any(
        person.get(SPATIAL)
        for _, item, _ in items
        for person in _listed(item) or ()
        if isinstance(person, dict)
    )
    frames = [
        Frame(number, _people(item, spatial, file, number), file) for number, item, file in items
    ]
    poses = recording(frames, layout="", image_size=_canvas(items[0][1]))
    joints = poses.joints
    layout, order = MODELS[joints.shape[2]]
    if joints.shape[2] == 25 and _off_middle(joints, 17, 5, 6) < _off_middle(joints, 1, 2, 5):
        order = BODY_25B
        poses = replace(poses, notes=(*poses.notes, "25 joints that lie as those of BODY_25B do"))
    poses = mapped(poses, layout, order)
    return poses if spatial else _scaled(poses)


def _off_middle(joints: Values, middle: int, left: int, right: int) -> float:
    """How far a joint is from the middle of two others, as a rule; infinite if it is not known."""
    off = joints[:, :, middle] - joints[:, :, [left, right]].mean(2)
    with np.errstate(over="ignore"):  # numbers that are no coordinates are named later
        far = np.linalg.norm(off, axis=-1)
    return float(np.median(far[~np.isnan(far)])) if not np.isnan(far).all() else np.inf


def _scaled(poses: Poses) -> Poses:
    """Poses in pixels or in shares of the picture, as `--keypoint_scale` was; it is not stored."""
    poses = replace(poses, axes=IMAGE, unit="pixel")
    if np.nanmax(np.abs(poses.joints), initial=0) > 1:
        return poses
    if np.nanmin(poses.joints, initial=0) < 0:
        note = "coordinates from -1 to 1: taken for `--keypoint_scale 4`"
        return replace(
            poses, joints=(poses.joints + 1) / 2, unit="image", notes=(*poses.notes, note)
        )
    return replace(poses, unit="image")


def _canvas(frame: Any) -> tuple[float, float] | None:
    """The size of the picture, which ControlNet writes."""
    sides = [frame.get(key) for key in ("canvas_width", "canvas_height")]
    if all(isinstance(side, int | float) and side > 0 for side in sides):
        return float(sides[0]), float(sides[1])
    return None


def _people(frame: Any, spatial: bool, file: PoseFile, number: int) -> list[Person]:
    listed = _listed(frame)
    if not isinstance(listed, list) or not all(isinstance(person, dict) for person in listed):
        raise file.wrong("expected a list of people", AGAIN, frame=number)
    people = [_person(person, spatial, file, number) for person in listed]
    return [person for person in people if person is not None]


def _person(person: Mapping[str, Any], spatial: bool, file: PoseFile, frame: int) -> Person | None:
    """A person; None where no body was found, but a hand or a face maybe."""
    if "pose" in person:
        scores = numbers(person.get("score"), file, frame)
        pairs = rows(person["pose"], 2, file, frame)
        if len(scores) != len(pairs):
            raise file.wrong(f"{len(scores)} scores of {len(pairs)} joints", AGAIN, frame=frame)
        table = np.column_stack([pairs, scores])
    else:
        keys = (SPATIAL,) if spatial else FLAT
        values = next((person[key] for key in keys if person.get(key)), None)
        table = rows(values or [], 4 if spatial else 3, file, frame)
    if not len(table):
        return None
    known_model(table, MODELS, file, frame)
    coordinates, scores = table[:, :-1], table[:, -1]
    name = person.get("person_id")
    name = name[0] if isinstance(name, list) and name else name
    followed = isinstance(name, int) and name >= 0
    absent = (scores == 0) & (coordinates <= 0).all(-1)
    return Person(seen(coordinates, absent), scores, str(name) if followed else "")

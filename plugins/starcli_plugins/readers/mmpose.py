"""JSON of MMPose's inferencers and demo scripts, in two and three dimensions.

In three, MMPose turns camera coordinates (x, y, z) into (-x, z, -y), which mirrors the figure; the
axes of the poses undo it. Every person stands on the ground with the hips above the origin, frame
by frame, so that neither paths nor jumps are known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel

from starcli.contracts import NoSettings
from starcli.poses import IMAGE, Axes, PoseFile, Poses, turned
from starcli_plugins.readers.models import COMMON, by_names
from starcli_plugins.readers.people import (
    AGAIN,
    Frame,
    Person,
    Values,
    frame_name,
    known_model,
    mapped,
    number_of,
    numbers,
    recording,
    rows,
    seen,
    written_people,
)

MIRRORED: Axes = ("x", "z", "y")
DROPPED = -10.0
"""The y of a person that the demo leaves out."""


class MMPose:
    """JSON of MMPose: videos, images, demo scripts.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "MMPose JSON"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"coco-17": 2, "halpe-26": 2, "h36m-17": 3}
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether there are `instances` with a `frame_id`, or keypoints with `keypoint_scores`."""
        document = file.glimpse
        if isinstance(document, dict):
            meta = document.get("meta_info")
            named = isinstance(meta, dict) and "keypoint_id2name" in meta
            return named or _are_frames(document.get("instance_info"))
        return _are_frames(document) or _are_people(document)

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """By the number in the name, where a file holds the people of one image."""
        return (frame_name(file.name) or (file.name, 0)) if _are_people(file.glimpse) else None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of all files of images, or of each file of a video."""
        singles = [(frame[1], file) for file in files if (frame := self.frame_of(file))]
        if singles:
            frames = [
                Frame(number, _people(file.json, file, number), file) for number, file in singles
            ]
            yield _recording(frames, None)
            return
        for file in files:
            yield _from_video(file)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write a video's frames, as the inferencer does."""
        frames = []
        for number, people in written_people(poses):
            placed = [
                turned(p.joints, poses.axes or MIRRORED, MIRRORED)
                if p.joints.shape[1] == 3
                else p.joints
                for p in people
            ]
            instances = [
                {
                    "keypoints": joints.tolist(),
                    "keypoint_scores": person.scores.tolist(),
                    "bbox": [[0.0, 0.0, 1.0, 1.0]],
                    "bbox_score": 0.9,
                }
                for joints, person in zip(placed, people, strict=True)
            ]
            frames.append({"frame_id": number, "instances": instances})
        path.write_text(json.dumps(frames), "utf-8")
        return [path]


def _are_frames(items: Any) -> bool:
    return (
        isinstance(items, list)
        and bool(items)
        and isinstance(items[0], dict)
        and "frame_id" in items[0]
        and isinstance(items[0].get("instances"), list)
    )


def _are_people(items: Any) -> bool:
    return (
        isinstance(items, list)
        and bool(items)
        and isinstance(items[0], dict)
        and {"keypoints", "keypoint_scores"} <= items[0].keys()
    )


def _from_video(file: PoseFile) -> Poses:
    document, names = file.json, None
    if isinstance(document, dict):
        names = _names(document.get("meta_info"))
        document = document.get("instance_info")
    if not isinstance(document, list) or not document:
        raise file.wrong("expected a list of frames as instance_info", AGAIN)
    frames = []
    for place, item in enumerate(document):
        number = number_of(item, place)
        instances = item.get("instances") if isinstance(item, dict) else None
        frames.append(Frame(number, _people(instances, file, number), file))
    return _recording(frames, names)


def _names(meta: Any) -> list[str] | None:
    """Names of the joints in their order, if the demo told them."""
    named = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if not isinstance(named, dict) or not all(str(key).isdecimal() for key in named):
        return None
    return [str(named[key]) for key in sorted(named, key=int)]


def _recording(frames: Sequence[Frame], names: Sequence[str] | None) -> Poses:
    poses = recording(frames, layout="h36m-17", axes=MIRRORED, centred=True)
    count, dims = poses.joints.shape[2:]
    if dims == 3 and count == 17:
        return poses
    if dims == 2:
        poses = replace(poses, axes=IMAGE, unit="pixel", centred=False)
    layout, order = COMMON.get(count, ("coco-17", ()))
    own = by_names(names) if names and len(names) == count else None
    if layout == "coco-17" and own is not None:
        order = own
    elif count not in COMMON:
        known_model(poses.joints[0, 0], COMMON, frames[0].file, None)
    return mapped(poses, layout, order)


def _people(instances: Any, file: PoseFile, frame: int) -> list[Person]:
    if not isinstance(instances, list):
        raise file.wrong("expected a list of instances", AGAIN, frame=frame)
    people = [_person(instance, file, frame) for instance in instances]
    return [person for person in people if not (person.joints[:, 1] == DROPPED).all()]


def _person(instance: Any, file: PoseFile, frame: int) -> Person:
    if not isinstance(instance, dict) or "keypoints" not in instance:
        raise file.wrong("expected an instance with keypoints", AGAIN, frame=frame)
    keypoints = _unwrapped(instance["keypoints"], 2)
    first = keypoints[0] if isinstance(keypoints, list) and keypoints else None
    width = len(first) if isinstance(first, list) and len(first) in (2, 3) else 2
    joints = rows(keypoints, width, file, frame)
    scores: Values | None = None
    if instance.get("keypoint_scores") is not None:
        scores = numbers(_unwrapped(instance["keypoint_scores"], 1), file, frame)
        if len(scores) != len(joints):
            raise file.wrong(f"{len(scores)} scores of {len(joints)} joints", AGAIN, frame=frame)
    track = instance.get("track_id")
    return Person(seen(joints), scores, "" if track is None else str(track))


def _unwrapped(values: Any, depth: int) -> Any:
    """A list of so many levels, out of lists of one item or an array of json_tricks."""
    if isinstance(values, dict):
        values = values.get("__ndarray__")
    inner, levels = values, 0
    while isinstance(inner, list) and inner:
        inner, levels = inner[0], levels + 1
    for _ in range(levels - depth):
        if len(values) != 1:
            break
        values = values[0]
    return values

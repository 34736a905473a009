"""AlphaPose's JSON: one list of people, or `--format open` and `cmu`, an object of images."""

from __future__ import annotations

import json
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
    frame_name,
    is_flat,
    known_model,
    mapped,
    numbered,
    recording,
    rows,
    scored,
    written_people,
)

NECK, SHOULDERS = 1, [2, 5]


class AlphaPose:
    """JSON of AlphaPose in its three formats.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "AlphaPose JSON"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"halpe-26": 2, "coco-17": 2}
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether people have `idx` or `box` beside their image, or the version says AlphaPose."""
        document = file.glimpse
        if isinstance(document, dict):
            return _is_frame(document) or any(map(_is_frame, list(document.values())[:1]))
        return isinstance(document, list) and any(map(_is_item, document[:1]))

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """By the name of a file of `sep-json`, which holds one image."""
        return (frame_name(file.name) or (file.name, 0)) if _is_frame(file.glimpse) else None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of all files of single images, or of each file of images."""
        singles = [(frame[1], file) for file in files if (frame := self.frame_of(file))]
        if singles:
            yield _from_images([(number, file.json, file) for number, file in singles])
            return
        for file in files:
            if isinstance(file.json, list):
                yield _from_list(file)
            else:
                places = numbered(list(file.json))
                frames = zip(places, file.json.values(), strict=True)
                yield _from_images([(number, item, file) for number, item in frames])

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write a list of people with tracks."""
        items = [
            {
                "image_id": f"{number}.jpg",
                "category_id": 1,
                "score": 2.5,
                "box": [0, 0, 1, 1],
                "keypoints": np.column_stack([person.joints, person.scores]).ravel().tolist(),
                "idx": [float(person.name)] if person.name else 0,
            }
            for number, people in written_people(poses)
            for person in people
        ]
        path.write_text(json.dumps(items), "utf-8")
        return [path]


def _is_item(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and "image_id" in item
        and is_flat(item.get("keypoints"))
        and bool(item.keys() & {"idx", "box"})
    )


def _is_frame(item: Any) -> bool:
    """The people of an image in `--format open` or `cmu`."""
    return (
        isinstance(item, dict)
        and str(item.get("version", "")).startswith("AlphaPose")
        and isinstance(_listed(item), list)
    )


def _listed(item: Mapping[str, Any]) -> Any:
    return item.get("people", item.get("bodies"))


def _from_list(file: PoseFile) -> Poses:
    """The recording of a list of people, followed by `idx` where that is a track."""
    frames: dict[str, list[Person]] = {}
    for place, item in enumerate(file.json, 1):
        if not isinstance(item, dict) or "image_id" not in item or "keypoints" not in item:
            raise file.wrong(f"item {place} has no image_id and keypoints", AGAIN)
        image = str(item["image_id"])
        number = frame_name(image)
        frame = number[1] if number else None
        table = known_model(rows(item["keypoints"], 3, file, frame), COMMON, file, frame)
        frames.setdefault(image, []).append(scored(table, _track(item.get("idx"))))
    tracks = {person.name for people in frames.values() for person in people}
    if len(tracks) < 2:  # without tracking it is always the same
        frames = {
            image: [replace(person, name="") for person in people]
            for image, people in frames.items()
        }
    places = numbered(list(frames))
    listed = [Frame(n, p, file) for n, p in zip(places, frames.values(), strict=True)]
    poses = recording(listed, layout="", unit="pixel", axes=IMAGE)
    return mapped(poses, *COMMON[poses.joints.shape[2]])


def _track(idx: Any) -> str:
    """A track's number, which comes bare or in lists of lists."""
    while isinstance(idx, list) and idx:
        idx = idx[0]
    return f"{idx:g}" if isinstance(idx, int | float) else ""


def _from_images(images: Sequence[tuple[int, Any, PoseFile]]) -> Poses:
    """The recording of images, with the neck in the middle of the shoulders.

    AlphaPose itself takes the joint after 17 for the neck, which is another one in most models.
    """
    frames = []
    for number, item, file in images:
        people = _listed(item) if isinstance(item, dict) else None
        if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
            raise file.wrong("expected a list of people", AGAIN, frame=number)
        frames.append(Frame(number, [_person(person, file, number) for person in people], file))
    return recording(frames, layout="coco-18", unit="pixel", axes=IMAGE)


def _person(person: Mapping[str, Any], file: PoseFile, frame: int) -> Person:
    values = next((person[key] for key in ("pose_keypoints_2d", "joints") if key in person), None)
    table = rows(values, 3, file, frame)
    if len(table) != 18:
        raise file.wrong(f"expected 18 joints, got {len(table)}", AGAIN, frame=frame)
    body = scored(table)
    body.joints[NECK] = body.joints[SHOULDERS].mean(0)
    if body.confidence is not None:
        body.confidence[NECK] = body.confidence[SHOULDERS].mean()
    return body

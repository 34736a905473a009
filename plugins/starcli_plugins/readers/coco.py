"""COCO's keypoints: results, a list of one item a person, and annotations, an object of lists.

Detectron2, MMPose, OpenPose's `--write_coco_json` and PoseTrack write them too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from starcli.contracts import NoSettings
from starcli.errors import DataError
from starcli.poses import HEAD_BYTES, IMAGE, PoseFile, Poses, natural
from starcli_plugins.readers.models import COCO, COMMON, by_names
from starcli_plugins.readers.people import (
    AGAIN,
    Frame,
    Person,
    is_flat,
    known_model,
    mapped,
    numbered,
    recording,
    rows,
    seen,
    written_people,
)

Size = tuple[float, float]
LARGE = 10**6
"""Pixels of a picture's side that nobody has."""


class Coco:
    """Keypoints of COCO: results and annotations.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "COCO keypoints"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"coco-17": 2, "halpe-26": 2}
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether people have `image_id` and flat `keypoints`, in a list or as `annotations`."""
        document = file.glimpse
        if isinstance(document, dict):
            if "annotations" in document:
                return any(map(_is_item, _listed(document, "annotations")))
            # Images come first, and annotations maybe after what was glimpsed.
            return "images" in document and len(file.head) == HEAD_BYTES and _has_keypoints(file)
        return isinstance(document, list) and any(map(_is_item, document[:1]))

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """A recording for each folder of images, where there are several, else one."""
        for file in files:
            if isinstance(file.json, dict):
                yield from _annotations(file)
            else:
                yield from _results(file)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write annotations, with images, categories and tracks."""
        width, height = poses.image_size or (640.0, 480.0)
        images: list[dict[str, Any]] = []
        items: list[dict[str, Any]] = []
        for number, people in written_people(poses):
            images.append(
                {"id": number, "file_name": f"{number:06}.jpg", "width": width, "height": height}
            )
            for person in people:
                table = np.column_stack([person.joints, person.scores]).ravel().tolist()
                items.append(
                    {
                        "id": len(items) + 1,
                        "image_id": number,
                        "category_id": 1,
                        "keypoints": table,
                        "track_id": person.name,
                    }
                )
        named = {"keypoints": COCO} if poses.layout == "coco-17" else {}
        categories = [{"id": 1, "name": "person", **named}]
        document = {"images": images, "annotations": items, "categories": categories}
        path.write_text(json.dumps(document), "utf-8")
        return [path]


def _is_item(item: Any) -> bool:
    """A person of results or annotations; AlphaPose's have `idx` and `box`."""
    return (
        isinstance(item, dict)
        and "image_id" in item
        and is_flat(item.get("keypoints"))
        and not item.keys() & {"idx", "box"}
    )


def _listed(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in one of the lists of annotations."""
    items = document.get(key)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _has_keypoints(file: PoseFile) -> bool:
    try:
        return '"annotations"' in file.text and '"keypoints"' in file.text
    except DataError:
        return False


def _results(file: PoseFile) -> Iterator[Poses]:
    """Recordings of results: images are known by their ids, maybe names, alone."""
    items = _checked(file.json, file)
    images = {str(item["image_id"]): str(item["image_id"]) for item in items}
    yield from _recordings(items, images, {}, file)


def _annotations(file: PoseFile) -> Iterator[Poses]:
    """Recordings of annotations: images tell folders, sizes and frames without people."""
    document = file.json
    items = _checked(list(filter(_is_item, _listed(document, "annotations"))), file)
    listed = [image for image in _listed(document, "images") if "id" in image]
    images = {str(image["id"]): str(image.get("file_name", image["id"])) for image in listed}
    images = {str(item["image_id"]): str(item["image_id"]) for item in items} | images
    sizes = {str(image["id"]): size for image in listed if (size := _size(image)) is not None}
    yield from _recordings(items, images, sizes, file, _order(document, file))


def _size(image: Mapping[str, Any]) -> Size | None:
    sides = [
        float(side)
        for side in (image.get("width"), image.get("height"))
        if isinstance(side, int | float) and 0 < side < LARGE
    ]
    return (sides[0], sides[1]) if len(sides) == 2 else None


def _checked(items: Any, file: PoseFile) -> list[dict[str, Any]]:
    """Items, of which each has an image and keypoints."""
    for place, item in enumerate(items, 1):
        if not isinstance(item, dict) or "image_id" not in item or "keypoints" not in item:
            raise file.wrong(f"item {place} has no image_id and keypoints", AGAIN)
    return list(items)


def _order(document: Mapping[str, Any], file: PoseFile) -> Sequence[int] | None:
    """Where the joints of COCO-17 are by the names of the category; None where it names none."""
    for category in _listed(document, "categories"):
        names = category.get("keypoints")
        if isinstance(names, list) and len(names) != 26:
            order = by_names([str(name) for name in names])
            if order is None:
                raise file.wrong(
                    f"joints '{', '.join(map(str, names))[:80]}' are not a person's",
                    "keep the annotations of people only",
                )
            return order
    return None


def _recordings(
    items: Sequence[Mapping[str, Any]],
    images: Mapping[str, str],
    sizes: Mapping[str, Size],
    file: PoseFile,
    order: Sequence[int] | None = None,
) -> Iterator[Poses]:
    """One recording for each folder of images.

    Args:
        items: People.
        images: Image id -> its name, or the id again.
        sizes: Image id -> width and height.
        file: Where all is from.
        order: Where the joints of COCO-17 are; None where their number tells.
    """
    of_image: dict[str, list[Mapping[str, Any]]] = {image: [] for image in images}
    for item in items:
        of_image[str(item["image_id"])].append(item)
    folders: dict[str, list[str]] = {}
    for image, name in images.items():
        folders.setdefault(str(PurePath(name).parent), []).append(image)
    for folder in sorted(folders, key=natural):
        ids = folders[folder]
        places = numbered([images[image] for image in ids])
        frames = [
            Frame(n, _people(of_image[image], file, n), file)
            for n, image in zip(places, ids, strict=True)
        ]
        if not any(frame.people for frame in frames) and len(folders) > 1:
            continue
        size = {sizes.get(image) for image in ids}
        poses = recording(
            frames,
            layout="",
            name=folder if len(folders) > 1 else "",
            unit="pixel",
            axes=IMAGE,
            image_size=size.pop() if len(size) == 1 else None,
        )
        count = poses.joints.shape[2]
        if order and max(order) >= count:
            raise file.wrong(f"{count} joints are fewer than the category names", AGAIN)
        layout, joints = COMMON[count]
        yield mapped(poses, "coco-17" if order else layout, order or joints)


def _people(items: Sequence[Mapping[str, Any]], file: PoseFile, frame: int) -> list[Person]:
    """The people of an image of whom anything was seen."""
    people = []
    for item in items:
        table = known_model(rows(item["keypoints"], 3, file, frame), COMMON, file, frame)
        below = (table[:, :2] < 0).all(-1)
        absent = below & ((table[:, 2] == 0) | (table[:, :2] == -1).all(-1))
        track = item.get("track_id")
        joints = seen(table[:, :2], absent)
        if not np.isnan(joints).all():
            people.append(Person(joints, table[:, 2], "" if track is None else str(track)))
    return people

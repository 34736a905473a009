"""COCO's results and annotations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.poses import IMAGE
from starcli_plugins.readers.coco import Coco
from starcli_plugins.readers.models import COCO
from tests.pose_files import Numbers, flat, made, one, points, recordings, refused, same, unknown


@conforms("reader", Coco)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


PEOPLE = points(4, 17, 3, start=20)


def item(image: object, values: Numbers, **more: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": 1, "keypoints": flat(values), "score": 0.9, **more}


def missing(poses: Any) -> list[int]:
    return [int(joint) for joint in np.isnan(poses.joints[0, 0, :, 0]).nonzero()[0]]


def test_results_have_an_item_a_person(tmp_path: Path) -> None:
    items = [item(10, PEOPLE[0]), item(2, PEOPLE[1], bbox=[1, 2, 3, 4]), item(2, PEOPLE[2])]
    poses = one(Coco, made(tmp_path, "a.json", items))
    assert poses.frames is not None and poses.frames.tolist() == [2, 10]
    same(poses.joints[0], PEOPLE[1:3, :, :2])
    same(poses.joints[1, 0], PEOPLE[0, :, :2])
    assert np.isnan(poses.joints[1, 1]).all()
    assert poses.confidence is not None
    same(poses.confidence[0], PEOPLE[1:3, :, 2])
    assert (poses.layout, poses.unit, poses.axes) == ("coco-17", "pixel", IMAGE)
    assert (poses.people, poses.image_size, poses.name) == (None, None, "")


def test_ids_that_are_names_sort_naturally(tmp_path: Path) -> None:
    items = [item("frame10.jpg", PEOPLE[0]), item("frame9.jpg", PEOPLE[1])]
    poses = one(Coco, made(tmp_path, "a.json", items))
    assert poses.frames is not None and poses.frames.tolist() == [9, 10]
    items = [item("b10", PEOPLE[0]), item("b9", PEOPLE[1]), item("a11", PEOPLE[2])]
    poses = one(Coco, made(tmp_path, "a.json", items))
    assert poses.frames is not None and poses.frames.tolist() == [0, 1, 2]
    same(poses.joints[:, 0], PEOPLE[[2, 1, 0], :, :2])


def test_folders_are_recordings(tmp_path: Path) -> None:
    items = [item("v10/1.jpg", PEOPLE[0]), item("v2/1.jpg", PEOPLE[1]), item("v2/3.jpg", PEOPLE[2])]
    found = recordings(Coco, made(tmp_path, "a.json", items))
    assert [(p.name, len(p.joints)) for p in found] == [("v2", 2), ("v10", 1)]
    same(found[0].joints[:, 0], PEOPLE[1:3, :, :2])


def test_joints_not_seen(tmp_path: Path) -> None:
    values = PEOPLE[0].copy()
    values[1] = -1, -1, 0  # OpenPose
    values[2] = -1, -1, 1
    values[3] = 0, 0, 0  # v = 0
    values[4] = 0, 0, 0.7
    values[5] = -3, 40, 0.2  # outside of the picture
    values[6, 2] = -0.25
    poses = one(Coco, made(tmp_path, "a.json", [item(1, values)]))
    assert missing(poses) == [1, 2, 3, 4]
    assert poses.confidence is not None and poses.confidence[0, 0, 6] == -0.25


@pytest.mark.parametrize(
    ("joints", "layout", "count"),
    [(133, "coco-17", 17), (26, "halpe-26", 26), (136, "halpe-26", 26)],
)
def test_other_models(tmp_path: Path, joints: int, layout: str, count: int) -> None:
    poses = one(Coco, made(tmp_path, "a.json", [item(1, points(joints, 3))]))
    assert poses.layout == layout
    same(poses.joints[0, 0], points(joints, 3)[:count, :2])


def image(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "file_name": name, "width": 320, "height": 240}


def annotated(names: Any = COCO) -> dict[str, Any]:
    """Two videos; nobody is in the second image of the first."""
    return {
        "images": [
            image(7, "a/0001.jpg"),
            image(8, "a/0002.jpg"),
            image(9, "a/0003.jpg"),
            image(5, "b/0001.jpg"),
        ],
        "annotations": [
            item(9, PEOPLE[0], track_id=4),
            item(7, PEOPLE[1], track_id=4),
            item(7, PEOPLE[2], track_id=2),
            item(5, PEOPLE[3]),
            {"image_id": 8, "iscrowd": 1, "keypoints": [0] * 51, "num_keypoints": 0},
            {"image_id": 8, "bbox": [1, 2, 3, 4]},
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(names)}],
    }


def test_annotations(tmp_path: Path) -> None:
    first, second = recordings(Coco, made(tmp_path, "a.json", annotated()))
    assert (first.name, second.name) == ("a", "b")
    assert first.frames is not None and first.frames.tolist() == [1, 2, 3]
    assert (first.people, second.people) == (("4", "2"), None)
    assert first.image_size == (320, 240)
    same(first.joints[0], PEOPLE[1:3, :, :2])
    same(first.joints[2, 0], PEOPLE[0, :, :2])
    assert np.isnan(first.joints[1]).all()
    same(second.joints[0, 0], PEOPLE[3, :, :2])


def test_the_names_of_the_category_are_used(tmp_path: Path) -> None:
    names = [COCO[0], "head_bottom", "head_top", *COCO[3:]]  # PoseTrack
    first, _ = recordings(Coco, made(tmp_path, "a.json", annotated(names)))
    assert missing(first) == [1, 2]
    same(first.joints[0, 0, 3:], PEOPLE[1, 3:, :2])
    first, _ = recordings(Coco, made(tmp_path, "a.json", annotated(COCO[::-1])))
    same(first.joints[0, 0], PEOPLE[1, ::-1, :2])
    animal = annotated(["left_eye", "right_eye", "tail", *(f"paw{n}" for n in range(14))])
    refused(Coco, made(tmp_path, "a.json", animal), said="are not a person's")


def test_images_of_several_sizes(tmp_path: Path) -> None:
    document = annotated()
    document["images"][0]["width"] = 1
    assert [p.image_size for p in recordings(Coco, made(tmp_path, "a.json", document))] == [
        None,
        (320, 240),
    ]


def test_annotations_after_many_images(tmp_path: Path) -> None:
    document = annotated()
    many = [image(100 + n, f"c/{n:04}.jpg") for n in range(2000)]
    document["images"] = document["images"][:3] + many
    document["annotations"] = document["annotations"][:3]
    file = made(tmp_path, "a.json", document)
    assert len(file.head) < file.path.stat().st_size
    (poses,) = recordings(Coco, file)
    assert (poses.name, len(poses.joints)) == ("a", 3)
    assert unknown(Coco, made(tmp_path, "b.json", {"images": many, "annotations": [{"bbox": [1]}]}))


def test_damaged_files(tmp_path: Path) -> None:
    def bad(document: Any, said: str, frame: int | None = None) -> None:
        refused(Coco, made(tmp_path, "a.json", document), said=said, frame=frame)

    bad([item(1, PEOPLE[0]), item(3, points(26, 3))], "expected 17 joints", 3)
    bad([item(1, PEOPLE[0]), item(3, points(5, 3))], "5 joints are of no known model", 3)
    bad([item(1, PEOPLE[0]), item(3, PEOPLE[0][:, :2])], "34 numbers are not rows of 3", 3)
    bad([item(1, PEOPLE[0]), {"image_id": 3}], "item 2 has no image_id and keypoints")
    bad([item(1, np.zeros((17, 3)))], "nobody is in any frame")
    bad(
        {**annotated(), "annotations": [item(1, points(14, 3))]},
        "14 joints are fewer than the category names",
    )
    text = json.dumps([item(1, PEOPLE[0]), item(2, PEOPLE[1])])
    bad(text[: len(text) * 2 // 3], "not readable JSON")
    nulls = json.loads(text)
    nulls[0]["keypoints"][3] = None
    poses = one(Coco, made(tmp_path, "a.json", nulls))
    assert missing(poses) == [1]


def test_what_is_of_others(tmp_path: Path) -> None:
    assert unknown(
        Coco,
        made(tmp_path, "a.json", [item("1.jpg", PEOPLE[0], idx=1, box=[1, 2, 3, 4])]),
        made(tmp_path, "b.json", [{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]),
        made(tmp_path, "c.json", {"annotations": [{"keypoint": 1}], "split": {}}),
    )

"""AlphaPose's JSON: its list of people, and formats `open` and `cmu`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.contracts import NoSettings
from starcli.poses import IMAGE
from starcli_plugins.readers.alphapose import AlphaPose
from tests.pose_files import Numbers, flat, made, one, points, refused, same, unknown


@conforms("reader", AlphaPose)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


PEOPLE = points(4, 26, 3, start=20)


def item(image: object, values: Numbers, idx: Any = 0, **more: Any) -> dict[str, Any]:
    return {
        "image_id": image,
        "category_id": 1,
        "keypoints": flat(values),
        "score": 2.9,
        "box": [1.0, 2.0, 3.0, 4.0],
        "idx": idx,
        **more,
    }


def test_a_list_of_people_in_natural_order(tmp_path: Path) -> None:
    items = [item("10.jpg", PEOPLE[0]), item("2.jpg", PEOPLE[1]), item("2.jpg", PEOPLE[2])]
    poses = one(AlphaPose, made(tmp_path, "alphapose-results.json", items))
    assert poses.frames is not None and poses.frames.tolist() == [2, 10]
    same(poses.joints[0], PEOPLE[1:3, :, :2])
    same(poses.joints[1, 0], PEOPLE[0, :, :2])
    assert poses.confidence is not None
    same(poses.confidence[0], PEOPLE[1:3, :, 2])
    assert (poses.layout, poses.unit, poses.axes) == ("halpe-26", "pixel", IMAGE)
    assert poses.people is None


@pytest.mark.parametrize("idx", [0, [0.0], [[0.0], [0.0]], None])
def test_idx_of_one_value_is_no_track(tmp_path: Path, idx: Any) -> None:
    items = [item("0.jpg", PEOPLE[0], idx), item("1.jpg", PEOPLE[1], idx)]
    assert one(AlphaPose, made(tmp_path, "a.json", items)).people is None


@pytest.mark.parametrize("form", [lambda n: n, lambda n: [float(n)], lambda n: [[n], [0.0]]])
def test_idx_is_a_track_where_it_tells_people_apart(
    tmp_path: Path, form: Callable[[int], Any]
) -> None:
    items = [
        item("0.jpg", PEOPLE[0], form(3)),
        item("0.jpg", PEOPLE[1], form(17)),
        item("1.jpg", PEOPLE[2], form(17)),
    ]
    poses = one(AlphaPose, made(tmp_path, "a.json", items))
    assert poses.people == ("3", "17")
    same(poses.joints[1, 1], PEOPLE[2, :, :2])
    items[0]["idx"] = form(17)  # twice in a frame
    items[2]["idx"] = form(3)
    assert one(AlphaPose, made(tmp_path, "a.json", items)).people is None


@pytest.mark.parametrize(
    ("joints", "layout", "count"),
    [(17, "coco-17", 17), (133, "coco-17", 17), (136, "halpe-26", 26), (68, "halpe-26", 26)],
)
def test_other_models(tmp_path: Path, joints: int, layout: str, count: int) -> None:
    poses = one(AlphaPose, made(tmp_path, "a.json", [item("0.jpg", points(joints, 3))]))
    assert poses.layout == layout
    same(poses.joints[0, 0], points(joints, 3)[:count, :2])


def test_mpii_has_no_face(tmp_path: Path) -> None:
    poses = one(AlphaPose, made(tmp_path, "a.json", [item("0.jpg", points(16, 3))]))
    assert np.isnan(poses.joints[0, 0, :, 0]).nonzero()[0].tolist() == [0, 1, 2, 3, 4]
    left_shoulder, right_ankle = points(16, 3)[13, :2], points(16, 3)[0, :2]
    same(poses.joints[0, 0, [5, 16]], [left_shoulder, right_ankle])


def test_numbers_for_images(tmp_path: Path) -> None:
    items = [item(9, PEOPLE[0]), item(10, PEOPLE[1])]
    poses = one(AlphaPose, made(tmp_path, "a.json", items))
    assert poses.frames is not None and poses.frames.tolist() == [9, 10]


BODY = points(3, 18, 3, start=20)


def opened(*people: Numbers) -> dict[str, Any]:
    return {
        "version": "AlphaPose v0.3",
        "people": [{"pose_keypoints_2d": flat(values)} for values in people],
    }


def cmu(*people: Numbers) -> dict[str, Any]:
    return {"version": "AlphaPose v0.3", "bodies": [{"joints": flat(values)} for values in people]}


def necked(values: Numbers) -> Numbers:
    """With the neck in the middle of the shoulders."""
    out = values[..., :2].copy()
    out[..., 1, :] = (values[..., 2, :2] + values[..., 5, :2]) / 2
    return out


@pytest.mark.parametrize("form", [opened, cmu])
def test_images_of_open_and_cmu(tmp_path: Path, form: Callable[..., dict[str, Any]]) -> None:
    document = {"10.jpg": form(BODY[0]), "9.jpg": form(BODY[1], BODY[2]), "11.jpg": form()}
    poses = one(AlphaPose, made(tmp_path, "a.json", document))
    assert poses.frames is not None and poses.frames.tolist() == [9, 10, 11]
    assert poses.layout == "coco-18"
    same(poses.joints[0], necked(BODY[1:]))
    same(poses.joints[1, 0], necked(BODY[0]))
    hidden = BODY[0].copy()
    hidden[5] = 0
    poses = one(AlphaPose, made(tmp_path, "a.json", {"0.jpg": form(hidden)}))
    assert np.isnan(poses.joints[0, 0, :, 0]).nonzero()[0].tolist() == [1, 5]


def test_files_of_single_images(tmp_path: Path) -> None:
    files = [
        made(tmp_path, "sep-json/9.json", opened(BODY[0])),
        made(tmp_path, "sep-json/10.json", opened(BODY[1])),
    ]
    assert AlphaPose(NoSettings()).frame_of(files[1]) == ("sep-json", 10)
    poses = one(AlphaPose, *files)
    assert poses.frames is not None and poses.frames.tolist() == [9, 10]
    same(poses.joints[:, 0], necked(BODY[:2]))


def test_damaged_files(tmp_path: Path) -> None:
    def bad(document: Any, said: str, frame: int | None = None) -> None:
        refused(AlphaPose, made(tmp_path, "a.json", document), said=said, frame=frame)

    bad([item("1.jpg", PEOPLE[0]), item("3.jpg", points(17, 3))], "expected 26 joints", 3)
    bad([item("1.jpg", PEOPLE[0]), item("3.jpg", points(20, 3))], "20 joints are of no known", 3)
    bad([item("1.jpg", PEOPLE[0]), item("3.jpg", PEOPLE[0, :, :2])], "are not rows of 3", 3)
    bad([item("1.jpg", PEOPLE[0]), {"idx": 1}], "item 2 has no image_id and keypoints")
    bad({"1.jpg": opened(BODY[0]), "2.jpg": opened(PEOPLE[0])}, "expected 18 joints, got 26", 2)
    bad({"1.jpg": opened(BODY[0]), "2.jpg": 3}, "expected a list of people", 2)
    text = json.dumps([item("1.jpg", PEOPLE[0]), item("2.jpg", PEOPLE[0])])
    bad(text[: len(text) * 2 // 3], "not readable JSON")


def test_what_is_of_others(tmp_path: Path) -> None:
    without = {key: value for key, value in item(1, PEOPLE[0]).items() if key not in ("idx", "box")}
    assert unknown(
        AlphaPose,
        made(tmp_path, "a.json", [without]),
        made(tmp_path, "b.json", {**opened(BODY[0]), "version": 1.3}),
        made(tmp_path, "c.json", {"1.jpg": {"version": 1.3, "people": []}}),
    )

"""Poses of tfjs: MoveNet, PoseNet and BlazePose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.poses import IMAGE
from starcli_plugins.readers.models import COCO
from starcli_plugins.readers.movenet import MoveNet
from tests.pose_files import Numbers, made, one, points, refused, same, unknown


@conforms("reader", MoveNet)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


PEOPLE = points(4, 17, 3, start=20)


def pose(values: Numbers, **more: Any) -> dict[str, Any]:
    keypoints = [
        {"y": y, "x": x, "score": s, "name": n}
        for (x, y, s), n in zip(values.tolist(), COCO, strict=True)
    ]
    return {"score": 0.8, "keypoints": keypoints, **more}


def old(values: Numbers) -> dict[str, Any]:
    """As PoseNet wrote it first."""
    camel = [name.partition("_")[0] + name.partition("_")[2].capitalize() for name in COCO]
    keypoints = [
        {"score": s, "part": n, "position": {"x": x, "y": y}}
        for (x, y, s), n in zip(values.tolist(), camel, strict=True)
    ]
    return {"score": 0.8, "keypoints": keypoints}


A, B, C, D = map(pose, PEOPLE)
FORMS: list[Any] = [
    [[A, B], [], [C]],
    [[A, B], None, C],
    {"fps": 30, "frames": [[A, B], [], [C]]},
    {"0": [A, B], "1": [], "2": [C]},
    [{"frame": 0, "poses": [A, B]}, {"frame": 1, "poses": []}, {"frame": 2, "poses": [C]}],
    "\n".join(map(json.dumps, [[A, B], [], [C]])),
    [list(map(old, PEOPLE[:2])), [], [old(PEOPLE[2])]],
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form(tmp_path: Path, form: Any) -> None:
    poses = one(MoveNet, made(tmp_path, "a.json", form))
    same(poses.joints[0], PEOPLE[:2, :, :2])
    same(poses.joints[2, 0], PEOPLE[2, :, :2])
    assert np.isnan(poses.joints[1]).all()
    assert poses.confidence is not None
    same(poses.confidence[0], PEOPLE[:2, :, 2])
    assert (poses.layout, poses.unit, poses.axes) == ("coco-17", "pixel", IMAGE)
    assert (poses.people, poses.centred) == (None, False)


@pytest.mark.parametrize("form", [[A, B], {"poses": [A, B]}])
def test_people_of_one_frame(tmp_path: Path, form: Any) -> None:
    same(one(MoveNet, made(tmp_path, "a.json", form)).joints, PEOPLE[None, :2, :, :2])


def test_one_person_a_frame_in_a_list(tmp_path: Path) -> None:
    frames = [{**A, "frame": 3}, {**B, "frame": 8}]
    poses = one(MoveNet, made(tmp_path, "a.json", frames))
    assert poses.frames is not None and poses.frames.tolist() == [3, 8]
    same(poses.joints, PEOPLE[:2, None, :, :2])
    assert one(MoveNet, made(tmp_path, "a.json", [A] * 7)).joints.shape == (7, 1, 17, 2)
    timed = [{**A, "timestamp": 0.1}, {**B, "timestamp": 0.2}]
    same(one(MoveNet, made(tmp_path, "a.json", timed)).joints, PEOPLE[:2, None, :, :2])


def test_names_tell_the_order(tmp_path: Path) -> None:
    for form in (pose, old):
        turned_round = form(PEOPLE[0])
        turned_round["keypoints"].reverse()
        poses = one(MoveNet, made(tmp_path, "a.json", [[turned_round]]))
        same(poses.joints[0, 0], PEOPLE[0, :, :2])


def test_ids_are_followed(tmp_path: Path) -> None:
    frames = [[{**A, "id": 5}, {**B, "id": 1}], [{**C, "id": 1}]]
    poses = one(MoveNet, made(tmp_path, "a.json", frames))
    assert poses.people == ("5", "1")
    same(poses.joints[1, 1], PEOPLE[2, :, :2])


def test_shares_of_the_picture(tmp_path: Path) -> None:
    poses = one(MoveNet, made(tmp_path, "a.json", [[pose(PEOPLE[0] / 100)]]))
    assert poses.unit == "image"


def test_blaze_pose_has_three_dimensions(tmp_path: Path) -> None:
    flat, solid = points(33, 3, start=50), points(33, 4)
    both = {
        "keypoints": [dict(zip(("x", "y", "score"), row, strict=True)) for row in flat.tolist()],
        "keypoints3D": [
            dict(zip(("x", "y", "z", "score"), row, strict=True)) for row in solid.tolist()
        ],
    }
    poses = one(MoveNet, made(tmp_path, "a.json", [[both]]))
    same(poses.joints[0, 0], solid[:, :3])
    assert (poses.layout, poses.unit, poses.centred) == ("mediapipe-33", "m", True)
    del both["keypoints3D"]
    poses = one(MoveNet, made(tmp_path, "a.json", [[both]]))
    same(poses.joints[0, 0], flat[:, :2])
    assert (poses.layout, poses.unit, poses.centred) == ("mediapipe-33", "pixel", False)


def test_damaged_files(tmp_path: Path) -> None:
    def bad(item: Any, said: str) -> None:
        refused(MoveNet, made(tmp_path, "a.json", [[A], item]), said=said, frame=1)

    def changed(**point: Any) -> dict[str, Any]:
        return {"keypoints": [{**each, **point} for each in B["keypoints"]]}

    bad(["?"], "expected poses with keypoints")
    bad([{"keypoints": B["keypoints"][:9]}], "expected 17 or 33 keypoints, got 9")
    bad([{"keypoints": [1] * 17}], "expected objects with x and y")
    bad([changed(x="left")], "expected a list of numbers")
    bad([changed(position=3)], "expected objects with x and y")
    bad([{"keypoints": [{"x": 1, "y": 1}] * 33}], "expected 17 joints in 2 dimensions as before")
    text = json.dumps([[A], [B]])
    refused(MoveNet, made(tmp_path, "a.json", text[:-100]), said="not readable JSON")
    null = json.loads(text)
    null[1][0]["keypoints"][6]["x"] = None
    poses = one(MoveNet, made(tmp_path, "a.json", null))
    assert np.argwhere(np.isnan(poses.joints[..., 0])).tolist() == [[1, 0, 6]]


def test_what_is_of_others(tmp_path: Path) -> None:
    assert unknown(
        MoveNet,
        made(tmp_path, "a.json", [[{"x": 1, "y": 2, "z": 3}] * 33]),
        made(tmp_path, "b.json", [{"keypoints": [[1, 2]] * 17}]),
        made(tmp_path, "c.json", [{"keypoints": {"x": [1] * 17, "y": [1] * 17}}]),
        made(tmp_path, "d.json", [{"keypoints": [{"x": 1, "y": 2}] * 21}]),
    )

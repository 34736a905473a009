"""OpenPose's JSON, and all who write as it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.conformance.bodies import sample
from starcli.contracts import NoSettings
from starcli.poses import IMAGE
from starcli_plugins.readers.openpose import MODELS, OpenPose
from tests.pose_files import Numbers, made, one, points, refused, same, unknown


@conforms("reader", OpenPose)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


def person(values: Numbers, key: str = "pose_keypoints_2d") -> dict[str, Any]:
    return {"person_id": [-1], key: values.ravel().tolist(), "hand_left_keypoints_2d": []}


def frame(*people: Any) -> dict[str, Any]:
    return {"version": 1.3, "people": list(people)}


BODY = points(4, 25, 3, start=20)
BODY[:, 1] = BODY[:, [2, 5]].mean(1)
"""The neck of BODY_25 is the middle of the shoulders."""


def test_one_file_a_frame_from_0_with_holes(tmp_path: Path) -> None:
    names = [f"walks/walk_{n:012}_keypoints.json" for n in (0, 1, 12)]
    frames = [frame(person(BODY[0]), person(BODY[1])), frame(), frame(person(BODY[2]))]
    files = [made(tmp_path, *pair) for pair in zip(names, frames, strict=True)]
    reader = OpenPose(NoSettings())
    assert [reader.frame_of(file) for file in files] == [("walks/walk", n) for n in (0, 1, 12)]
    poses = one(OpenPose, *files)
    assert poses.frames is not None and poses.frames.tolist() == [0, 1, 12]
    same(poses.joints[0], BODY[:2, :, :2])
    same(poses.joints[2, 0], BODY[2, :, :2])
    assert np.isnan(poses.joints[1]).all() and np.isnan(poses.joints[2, 1]).all()
    assert poses.confidence is not None
    same(poses.confidence[0], BODY[:2, :, 2])
    assert (poses.layout, poses.unit, poses.axes) == ("body-25", "pixel", IMAGE)
    assert (poses.people, poses.image_size, poses.fps) == (None, None, None)


def test_names_of_views_and_pictures(tmp_path: Path) -> None:
    reader = OpenPose(NoSettings())
    assert [
        reader.frame_of(made(tmp_path, name, frame()))
        for name in ("a/v_000000000007_keypoints_1.json", "a/jump_keypoints.json", "5.json")
    ] == [("a/v_1", 7), ("a/jump_keypoints.json", 0), (".", 5)]


def test_frames_without_anybody_only(tmp_path: Path) -> None:
    refused(OpenPose, made(tmp_path, "a_0_keypoints.json", frame()), said="nobody is in any frame")


@pytest.mark.parametrize("version", [{"version": 1.0}, {"version": 1.2}, {}])
@pytest.mark.parametrize("key", ["pose_keypoints_2d", "pose_keypoints"])
def test_older_versions(tmp_path: Path, version: dict[str, Any], key: str) -> None:
    document = {**version, "people": [person(BODY[0], key)]}
    same(one(OpenPose, made(tmp_path, "a_0.json", document)).joints[0, 0], BODY[0, :, :2])


def test_version_0_1(tmp_path: Path) -> None:
    document = {"version": 0.1, "bodies": [{"joints": points(18, 3).ravel().tolist()}]}
    poses = one(OpenPose, made(tmp_path, "a_0.json", document))
    assert poses.layout == "coco-18"
    same(poses.joints[0, 0], points(18, 3)[:, :2])


def test_joints_not_seen(tmp_path: Path) -> None:
    values = BODY[0].copy()
    values[3] = 0
    values[9] = -1, -1, 0
    values[11, 2] = -0.5
    poses = one(OpenPose, made(tmp_path, "a_0.json", frame(person(values))))
    assert np.isnan(poses.joints[0, 0]).any(-1).nonzero()[0].tolist() == [3, 9]
    assert poses.confidence is not None and poses.confidence[0, 0, 11] == -0.5


@pytest.mark.parametrize(
    ("joints", "layout", "right_wrist", "left_ankle"),
    [
        (25, "body-25", 4, 14),
        (18, "coco-18", 4, 13),
        (15, "coco-18", 4, 13),
        (19, "body-25", 4, 14),
        (23, "body-25", 3, 12),
        (135, "body-25", 10, 15),
        (17, "coco-17", 10, 15),
        (26, "halpe-26", 10, 15),
        (133, "coco-17", 10, 15),
        (136, "halpe-26", 10, 15),
        (33, "mediapipe-33", 16, 27),
    ],
)
def test_the_number_of_joints_tells_the_model(
    tmp_path: Path, joints: int, layout: str, right_wrist: int, left_ankle: int
) -> None:
    values = points(joints, 3)
    if joints == 25:
        values = BODY[0]
    poses = one(OpenPose, made(tmp_path, "a_0.json", frame(person(values))))
    count, wrist, ankle = {
        "body-25": (25, 4, 14),
        "coco-18": (18, 4, 13),
        "coco-17": (17, 10, 15),
        "halpe-26": (26, 10, 15),
        "mediapipe-33": (33, 16, 27),
    }[layout]
    assert (poses.layout, poses.joints.shape[2]) == (layout, count)
    same(poses.joints[0, 0, wrist], values[right_wrist, :2])
    same(poses.joints[0, 0, ankle], values[left_ankle, :2])
    assert len(MODELS[joints][1]) == count


def test_mpi_has_no_face_and_body_19_no_feet(tmp_path: Path) -> None:
    poses = one(OpenPose, made(tmp_path, "a_0.json", frame(person(points(15, 3)))))
    assert np.isnan(poses.joints[0, 0, :, 0]).nonzero()[0].tolist() == [0, 14, 15, 16, 17]
    poses = one(OpenPose, made(tmp_path, "a_0.json", frame(person(points(19, 3)))))
    assert np.isnan(poses.joints[0, 0, :, 0]).nonzero()[0].tolist() == list(range(19, 25))


def test_body_25b_is_known_by_where_its_joints_lie(tmp_path: Path) -> None:
    people = sample("halpe-26", 2, 1)
    body = people.joints[0, 0]
    order = [*range(17), 18, 17, 20, 22, 24, 21, 23, 25]
    values = np.column_stack([body[order], np.ones(25)])
    poses = one(OpenPose, made(tmp_path, "a_0.json", frame(person(values))))
    want = sample("body-25", 2, 1).joints[0, 0]
    want[[1, 8]] = np.nan
    same(poses.joints[0, 0], want)
    assert "BODY_25B" in poses.notes[0]
    values = np.column_stack([sample("body-25", 2, 1).joints[0, 0], np.ones(25)])
    poses = one(OpenPose, made(tmp_path, "a_0.json", frame(person(values))))
    assert not poses.notes


def test_three_dimensions(tmp_path: Path) -> None:
    flat, deep = BODY[0], points(25, 4)
    deep[6] = 0
    both = person(flat) | {"pose_keypoints_3d": deep.ravel().tolist()}
    poses = one(OpenPose, made(tmp_path, "a_0.json", frame(both)))
    deep[6] = np.nan
    same(poses.joints[0, 0], deep[:, :3])
    assert (poses.unit, poses.axes) == (None, None)


def test_lists_of_lists(tmp_path: Path) -> None:
    document = frame({"pose_keypoints_2d": BODY[0].tolist()})
    same(one(OpenPose, made(tmp_path, "a_0.json", document)).joints[0, 0], BODY[0, :, :2])


def test_keypoint_scales(tmp_path: Path) -> None:
    shares = BODY[0] / 100
    poses = one(OpenPose, made(tmp_path, "a_0.json", frame(person(shares))))
    assert poses.unit == "image"
    same(poses.joints[0, 0], shares[:, :2])
    both_sides = shares * (2, 2, 1) - (1, 1, 0)
    both_sides[3] = 0
    poses = one(OpenPose, made(tmp_path, "a_0.json", frame(person(both_sides))))
    shares[3] = np.nan
    assert poses.unit == "image" and "keypoint_scale 4" in poses.notes[0]
    same(poses.joints[0, 0], shares[:, :2])


def control(values: Numbers) -> dict[str, Any]:
    person = {"pose_keypoints_2d": values.ravel().tolist(), "hand_left_keypoints_2d": None}
    return {"people": [person], "canvas_width": 512, "canvas_height": 768}


def test_control_net(tmp_path: Path) -> None:
    values = points(3, 18, 3)
    frames = [control(each) for each in values]
    poses = one(OpenPose, made(tmp_path, "a.json", frames))
    same(poses.joints, values[:, None, :, :2])
    assert (poses.layout, poses.unit, poses.image_size) == ("coco-18", "pixel", (512, 768))
    poses = one(OpenPose, made(tmp_path, "a_3.json", control(values[0] / 100)))
    assert (poses.unit, poses.image_size) == ("image", (512, 768))
    frames[1]["people"] = [{"pose_keypoints_2d": None, "face_keypoints_2d": [1, 2, 3]}]
    poses = one(OpenPose, made(tmp_path, "a.json", frames))
    assert np.isnan(poses.joints[1]).all()


def test_frames_in_one_file(tmp_path: Path) -> None:
    frames = {f"walk_{n}": frame(person(BODY[i])) for i, n in enumerate((2, 10, 1))}
    poses = one(OpenPose, made(tmp_path, "a.json", frames))
    assert poses.frames is not None and poses.frames.tolist() == [1, 2, 10]
    same(poses.joints[:, 0], BODY[[2, 0, 1], :, :2])
    listed = [*frames.values(), None, {"frame": 9, **frame(person(BODY[3]))}]
    poses = one(OpenPose, made(tmp_path, "a.json", {"frames": listed}))
    assert poses.frames is not None and poses.frames.tolist() == [0, 1, 2, 3, 9]


def test_kinetics_skeleton(tmp_path: Path) -> None:
    values = points(3, 18, 3) / 40
    people = [{"pose": v[:, :2].ravel().tolist(), "score": v[:, 2].tolist()} for v in values]
    data = [
        {"frame_index": 1, "skeleton": people[:2]},
        {"frame_index": 2, "skeleton": []},
        {"frame_index": 4, "skeleton": people[2:]},
    ]
    document: dict[str, Any] = {"data": data, "label": "jumping jacks", "label_index": 3}
    poses = one(OpenPose, made(tmp_path, "a.json", document))
    assert poses.frames is not None and poses.frames.tolist() == [1, 2, 4]
    assert (poses.layout, poses.unit, poses.label) == ("coco-18", "image", "jumping jacks")
    same(poses.joints[0], values[:2, :, :2])
    assert poses.confidence is not None
    same(poses.confidence[2, 0], values[2, :, 2])
    people[0]["score"].pop()
    refused(OpenPose, made(tmp_path, "a.json", document), said="17 scores of 18 joints", frame=1)


def test_people_with_ids_are_followed(tmp_path: Path) -> None:
    def known(values: Numbers, name: int) -> dict[str, Any]:
        return person(values) | {"person_id": [name]}

    frames = [frame(known(BODY[0], 4), known(BODY[1], 0)), frame(known(BODY[2], 0))]
    poses = one(OpenPose, made(tmp_path, "a.json", frames))
    assert poses.people == ("4", "0")
    same(poses.joints[1, 1], BODY[2, :, :2])


def test_damaged_files(tmp_path: Path) -> None:
    good = made(tmp_path, "a_4_keypoints.json", frame(person(BODY[0])))

    def also(name: str, document: Any, said: str, number: int | None = 5) -> None:
        refused(OpenPose, good, made(tmp_path, name, document), said=said, frame=number)

    also("a_5_keypoints.json", frame(person(points(18, 3))), "expected 25 joints")
    also("a_5_keypoints.json", frame(person(points(24, 3))), "24 joints are of no known model")
    also("a_5_keypoints.json", frame(person(BODY[0][:, :2])), "are not rows of 3")
    also("a_5_keypoints.json", frame({"pose_keypoints_2d": ["a"] * 75}), "a list of numbers")
    also("b/a_4_keypoints.json", frame(person(BODY[0])), "duplicate frame", 4)
    text = json.dumps(frame(person(BODY[0])))
    also("a_5_keypoints.json", text[: len(text) // 2], "not readable JSON", None)
    also("a_5_keypoints.json", text.replace("20.125", "-nan"), "not readable JSON", None)
    nulls = text.replace("20.0", "null")
    poses = one(OpenPose, made(tmp_path, "a_5_keypoints.json", nulls))
    assert np.isnan(poses.joints[0, 0]).any(-1).nonzero()[0].tolist() == [0]


def test_what_is_of_others(tmp_path: Path) -> None:
    alpha = {"version": "AlphaPose v0.3", "people": [{"pose_keypoints_2d": [1.0] * 54}]}
    assert unknown(
        OpenPose,
        made(tmp_path, "a.json", alpha),
        made(tmp_path, "b.json", {"1.jpg": alpha}),
        made(tmp_path, "c.json", {"people": []}),
        made(tmp_path, "d.json", {"bodies": [{"tracked": True, "joints": [{"cameraX": 1}]}]}),
    )

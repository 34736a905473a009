"""MMPose's JSON: videos, images, demo scripts, two and three dimensions."""

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
from starcli.poses import IMAGE, turned
from starcli_plugins.readers.mmpose import MMPose
from starcli_plugins.readers.models import COCO
from tests.pose_files import Numbers, made, one, points, refused, same, unknown


@conforms("reader", MMPose)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


PEOPLE = points(4, 17, 3, start=20)


def instance(values: Numbers, **more: Any) -> dict[str, Any]:
    """One with its scores in the last column."""
    return {
        "keypoints": values[:, :-1].tolist(),
        "keypoint_scores": values[:, -1].tolist(),
        "bbox": [[1.0, 2.0, 3.0, 4.0]],
        "bbox_score": 0.9,
        **more,
    }


A, B, C, D = map(instance, PEOPLE)
FRAMES: list[dict[str, Any]] = [
    {"frame_id": 0, "instances": [A, B]},
    {"frame_id": 1, "instances": []},
    {"frame_id": 5, "instances": [C]},
]


def demo(names: Any = COCO) -> dict[str, Any]:
    frames = [{**frame, "frame_id": frame["frame_id"] + 1} for frame in FRAMES]
    named = {str(number): name for number, name in enumerate(names)}
    return {"meta_info": {"keypoint_id2name": named}, "instance_info": frames}


@pytest.mark.parametrize(("document", "first"), [(FRAMES, 0), (demo(), 1)])
def test_videos(tmp_path: Path, document: Any, first: int) -> None:
    poses = one(MMPose, made(tmp_path, "a.json", document))
    assert poses.frames is not None and (poses.frames - first).tolist() == [0, 1, 5]
    same(poses.joints[0], PEOPLE[:2, :, :2])
    same(poses.joints[2, 0], PEOPLE[2, :, :2])
    assert np.isnan(poses.joints[1]).all()
    assert poses.confidence is not None
    same(poses.confidence[0], PEOPLE[:2, :, 2])  # above 1, as SimCC's are
    assert (poses.layout, poses.unit, poses.axes) == ("coco-17", "pixel", IMAGE)
    assert (poses.people, poses.centred) == (None, False)


def test_a_video_that_begins_without_anybody(tmp_path: Path) -> None:
    poses = one(MMPose, made(tmp_path, "a.json", FRAMES[1:]))
    assert poses.joints.shape == (2, 1, 17, 2)


def test_files_of_images(tmp_path: Path) -> None:
    files = [
        made(tmp_path, "predictions/img_10.json", [A, B]),
        made(tmp_path, "predictions/img_9.json", [C]),
    ]
    assert MMPose(NoSettings()).frame_of(files[0]) == ("predictions/img", 10)
    poses = one(MMPose, *files)
    assert poses.frames is not None and poses.frames.tolist() == [9, 10]
    same(poses.joints[1], PEOPLE[:2, :, :2])


@pytest.mark.parametrize(
    ("joints", "layout", "count"),
    [(26, "halpe-26", 26), (133, "coco-17", 17)],
)
def test_other_models(tmp_path: Path, joints: int, layout: str, count: int) -> None:
    frames = [{"frame_id": 0, "instances": [instance(points(joints, 3))]}]
    poses = one(MMPose, made(tmp_path, "a.json", frames))
    assert poses.layout == layout
    same(poses.joints[0, 0], points(joints, 3)[:count, :2])


def test_crowd_pose_has_no_face(tmp_path: Path) -> None:
    values = points(14, 3)
    poses = one(MMPose, made(tmp_path, "a.json", [instance(values)]))
    assert np.isnan(poses.joints[0, 0, :, 0]).nonzero()[0].tolist() == [0, 1, 2, 3, 4]
    same(poses.joints[0, 0, 5:], values[:12, :2])


def test_names_of_the_demo_are_used(tmp_path: Path) -> None:
    poses = one(MMPose, made(tmp_path, "a.json", demo(COCO[::-1])))
    same(poses.joints[0, 0], PEOPLE[0, ::-1, :2])
    human_art = [*COCO, "left_kpt1", "left_kpt2", "right_kpt1", "right_kpt2"]
    document = demo(human_art)
    document["instance_info"] = [{"frame_id": 1, "instances": [instance(points(21, 3))]}]
    poses = one(MMPose, made(tmp_path, "a.json", document))
    same(poses.joints[0, 0], points(21, 3)[:17, :2])
    document["meta_info"] = {}
    refused(MMPose, made(tmp_path, "a.json", document), said="21 joints are of no known model")


def test_three_dimensions_are_not_mirrored(tmp_path: Path) -> None:
    """What MMPose does to camera coordinates is undone: the left side stays the left side."""
    people = sample("h36m-17", 3, 1)
    camera = turned(people.joints[0, 0], people.axes or IMAGE, IMAGE)
    written = np.column_stack([-camera[:, 0], camera[:, 2], -camera[:, 1], np.ones(17)])
    frames = [{"frame_id": 0, "instances": [instance(written)]}]
    poses = one(MMPose, made(tmp_path, "a.json", frames))
    assert (poses.layout, poses.unit, poses.centred) == ("h36m-17", None, True)
    assert poses.axes is not None
    same(turned(poses.joints[0, 0], poses.axes), people.joints[0, 0])


def test_people_that_the_demo_drops(tmp_path: Path) -> None:
    gone = np.column_stack([points(17, 3), np.ones(17)])
    gone[:, 1] = -10
    there = np.column_stack([points(17, 3), np.ones(17)])
    frames = [{"frame_id": 0, "instances": [instance(gone), instance(there)]}]
    poses = one(MMPose, made(tmp_path, "a.json", frames))
    same(poses.joints, points(17, 3)[None, None])


def test_arrays_of_json_tricks_and_nested_lists(tmp_path: Path) -> None:
    array = {"__ndarray__": A["keypoints"], "dtype": "float64", "shape": [17, 2]}
    scores = {"__ndarray__": A["keypoint_scores"], "dtype": "float64", "shape": [17]}
    document = [{"frame_id": 0, "instances": [{"keypoints": array, "keypoint_scores": scores}]}]
    poses = one(MMPose, made(tmp_path, "a.json", document))
    same(poses.joints[0, 0], PEOPLE[0, :, :2])
    nested = {"keypoints": [A["keypoints"]], "keypoint_scores": [A["keypoint_scores"]]}
    poses = one(MMPose, made(tmp_path, "a.json", [{"frame_id": 0, "instances": [nested]}]))
    same(poses.joints[0, 0], PEOPLE[0, :, :2])
    assert poses.confidence is not None
    same(poses.confidence[0, 0], PEOPLE[0, :, 2])


def test_tracks_are_followed(tmp_path: Path) -> None:
    frames = [
        {"frame_id": 0, "instances": [{**A, "track_id": 1}, {**B, "track_id": 0}]},
        {"frame_id": 1, "instances": [{**C, "track_id": 0}]},
    ]
    poses = one(MMPose, made(tmp_path, "a.json", frames))
    assert poses.people == ("1", "0")
    same(poses.joints[1, 1], PEOPLE[2, :, :2])


def test_damaged_files(tmp_path: Path) -> None:
    def bad(item: Any, said: str) -> None:
        document = [*FRAMES, {"frame_id": 7, "instances": item}]
        refused(MMPose, made(tmp_path, "a.json", document), said=said, frame=7)

    bad([instance(points(26, 3))], "expected 17 joints in 2 dimensions as before, got 26")
    bad([instance(np.column_stack([points(17, 3), np.ones(17)]))], "got 17 joints in 3 dimensions")
    bad(None, "expected a list of instances")
    bad([{"bbox": []}], "expected an instance with keypoints")
    bad([{**A, "keypoint_scores": [1.0]}], "1 scores of 17 joints")
    bad([{**A, "keypoints": [[1.0, "2"]] * 17}], "expected a list of numbers")
    bad([{**A, "keypoints": [*A["keypoints"], [1.0]]}], "expected rows of 2 numbers")
    refused(MMPose, made(tmp_path, "a.json", [*FRAMES, FRAMES[0]]), said="duplicate frame", frame=0)
    text = json.dumps(FRAMES)
    refused(MMPose, made(tmp_path, "a.json", text[: len(text) // 2]), said="not readable JSON")
    null = json.loads(text)
    null[0]["instances"][0]["keypoints"][4] = [None, None]
    poses = one(MMPose, made(tmp_path, "a.json", null))
    assert np.isnan(poses.joints[0, 0, :, 0]).nonzero()[0].tolist() == [4]


def test_what_is_of_others(tmp_path: Path) -> None:
    assert unknown(
        MMPose,
        made(tmp_path, "a.json", [{"frame_id": 0, "people": []}]),
        made(tmp_path, "b.json", {"frames": [{"frame_id": 0, "bodies": []}]}),
        made(tmp_path, "c.json", [{"keypoints": [1, 2, 3]}]),
    )

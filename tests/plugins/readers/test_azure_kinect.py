"""The JSON of Azure Kinect: names, levels, skipped frames, and what can be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.contracts import NoSettings
from starcli.errors import DataError
from starcli.poses import IMAGE, PoseFile, Poses
from starcli_plugins.layouts import AZURE_32
from starcli_plugins.readers.azure_kinect import AzureKinect

READER = AzureKinect(NoSettings())
NAMES = (
    "PELVIS SPINE_NAVEL SPINE_CHEST NECK CLAVICLE_LEFT SHOULDER_LEFT ELBOW_LEFT WRIST_LEFT"
    " HAND_LEFT HANDTIP_LEFT THUMB_LEFT CLAVICLE_RIGHT SHOULDER_RIGHT ELBOW_RIGHT WRIST_RIGHT"
    " HAND_RIGHT HANDTIP_RIGHT THUMB_RIGHT HIP_LEFT KNEE_LEFT ANKLE_LEFT FOOT_LEFT HIP_RIGHT"
    " KNEE_RIGHT ANKLE_RIGHT FOOT_RIGHT HEAD NOSE EYE_LEFT EAR_LEFT EYE_RIGHT EAR_RIGHT"
)


@conforms("reader", AzureKinect)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


def body(number: int, shift: float = 0.0, count: int = 32, **more: Any) -> dict[str, Any]:
    """Joint n of a body lies at x = n + shift."""
    places = [[n + shift, -500.0, 2000.0] for n in range(count)]
    return {
        "body_id": number,
        "joint_positions": places,
        "joint_orientations": [[1, 0, 0, 0]] * count,
        **more,
    }


def recording(*frames: tuple[int, list[dict[str, Any]]], names: str = NAMES) -> dict[str, Any]:
    listed = [
        {
            "bodies": bodies,
            "frame_id": number,
            "num_bodies": len(bodies),
            "timestamp_usec": 66_667 * number,
        }
        for number, bodies in frames
    ]
    return {
        "bone_list": [],
        "frames": listed,
        "joint_names": names.split(),
        "k4abt_sdk_version": "1.1.2",
        "source_file": "a.mkv",
    }


def write(folder: Path, content: Any) -> PoseFile:
    path = folder / "a.json"
    path.write_text(json.dumps(content), "utf-8")
    return PoseFile(path, "a.json")


def read(file: PoseFile) -> Poses:
    assert READER.recognises(file)
    (poses,) = READER.read([file])
    return poses


def test_bodies_are_followed_and_skipped_frames_are_known(tmp_path: Path) -> None:
    frames = [(3, [body(1), body(2, 100)]), (4, []), (5, [body(2, 101)]), (9, [body(1, 3)])]
    poses = read(write(tmp_path, recording(*frames)))
    assert poses.frames is not None and poses.frames.tolist() == [3, 4, 5, 9]
    assert (poses.people, poses.fps, poses.layout) == (("1", "2"), 15.0, "azure-32")
    assert (poses.unit, poses.axes, poses.confidence) == ("mm", IMAGE, None)
    x = poses.joints[:, :, 6, 0]
    np.testing.assert_array_equal(x, [[6, 106], [np.nan] * 2, [np.nan, 107], [9, np.nan]])


def test_a_long_file_is_recognised_by_its_beginning(tmp_path: Path) -> None:
    content = recording(*((n, [body(1)]) for n in range(100)))
    file = write(tmp_path, dict(sorted(content.items())))
    assert file.path.stat().st_size > len(file.head)
    assert len(read(file).joints) == 100


@pytest.mark.parametrize("old", ["SPINE_NAVEL", "SPINE_NAVAL"])
def test_names_of_all_versions(tmp_path: Path, old: str) -> None:
    names = NAMES.replace("SPINE_NAVEL", old)
    poses = read(write(tmp_path, recording((0, [body(1)]), names=names)))
    assert poses.joints[0, 0, :, 0].tolist()[1:] == list(range(1, 32))
    # Before SDK 0.9.4 there were no hands, fingertips and thumbs.
    few = " ".join(n for n in names.split() if not n.startswith(("HAND", "THUMB")))
    poses = read(write(tmp_path, recording((0, [body(1, 5, count=26)]), names=few)))
    x = dict(zip(AZURE_32.joints, poses.joints[0, 0, :, 0].tolist(), strict=True))
    assert (x["left wrist"], x["right clavicle"], x["right ear"]) == (12, 13, 30)
    assert np.isnan([x["left hand"], x["right thumb"]]).all()


def test_levels_are_confidence_and_none_is_not_seen(tmp_path: Path) -> None:
    levels = [2] * 32
    levels[8], levels[9] = 0, 1
    poses = read(write(tmp_path, recording((0, [body(1, confidence_level=levels)]))))
    assert poses.confidence is not None
    assert poses.confidence[0, 0, 7:10].tolist() == [1.0, 0.0, 0.5]
    assert np.isnan(poses.joints[0, 0, 8]).all() and not np.isnan(poses.joints[0, 0, 9]).any()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (recording((0, [body(1)]), (0, [body(1)])), "duplicate frame"),
        (recording((0, [body(1, count=31)])), "expected 32 joints, got 31"),
        (recording((0, [body(1, confidence_level=[2])])), "expected 32 levels, got 1"),
        (recording((0, [body(1)]), names=NAMES.replace("KNEE_LEFT", "TAIL")), "left knee"),
        (recording((0, [{"body_id": 1, "joint_positions": "none"}])), "list of numbers"),
        (recording((0, [])), "nobody is in any frame"),
        ({**recording(), "frames": [1]}, "expected a list of frames"),
        ({**recording(), "frames": [{"bodies": 3}]}, "expected a list of bodies"),
        ({**recording(), "joint_names": [1]}, "expected names of joints"),
    ],
)
def test_damage_is_named(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        list(READER.read([write(tmp_path, content)]))
    assert caught.value.file == "a.json" and caught.value.fix

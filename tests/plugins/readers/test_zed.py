"""The JSON of ZED: times as keys, gaps in both dialects, 18, 34 and 38 keypoints."""

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
from starcli.poses import PoseFile, Poses
from starcli_plugins.readers.zed import Zed

READER = Zed(NoSettings())


@conforms("reader", Zed)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


def body(number: int, count: int = 38, shift: float = 0.0, **more: Any) -> dict[str, Any]:
    """Joint n of a body lies at x = n + shift."""
    return {
        "id": number,
        "keypoint": [[n + shift, 1.0, -2.0] for n in range(count)],
        "keypoint_confidence": [80.0] * count,
        "keypoint_2d": [[-1.0, -1.0]] * count,
        **more,
    }


def write(folder: Path, frames: dict[int, list[dict[str, Any]]] | dict[str, Any]) -> PoseFile:
    path = folder / "bodies.json"
    content = {
        str(time): {"is_new": True, "body_list": bodies} if isinstance(bodies, list) else bodies
        for time, bodies in frames.items()
    }
    path.write_text(json.dumps(content), "utf-8")
    return PoseFile(path, "bodies.json")


def read(file: PoseFile) -> Poses:
    assert READER.recognises(file)
    (poses,) = READER.read([file])
    return poses


def test_times_are_sorted_as_numbers(tmp_path: Path) -> None:
    frames = {1000: [body(1, shift=2)], 960: [body(1, shift=1)], 920: [body(2), body(1)], 1040: []}
    poses = read(write(tmp_path, frames))
    assert poses.joints[:, :, 0, 0].tolist()[:1] == [[0.0, 0.0]]
    assert poses.joints[1:3, 1, 0, 0].tolist() == [1.0, 2.0]
    assert np.isnan(poses.joints[1:, 0]).all() and np.isnan(poses.joints[3]).all()
    assert (poses.people, poses.fps) == (("2", "1"), 25.0)
    assert (poses.unit, poses.axes) == (None, None)
    assert poses.confidence is not None
    assert poses.confidence[0].tolist() == [[0.8] * 38] * 2


@pytest.mark.parametrize(
    ("count", "layout", "kept"), [(18, "coco-18", 18), (34, "azure-32", 32), (38, "zed-38", 38)]
)
def test_bodies_of_all_sizes(tmp_path: Path, count: int, layout: str, kept: int) -> None:
    poses = read(write(tmp_path, {1: [body(1, count)]}))
    assert poses.layout == layout
    assert poses.joints[0, 0, :, 0].tolist() == list(range(kept))


def test_joints_that_were_not_seen(tmp_path: Path) -> None:
    one = body(1)
    one["keypoint"][3] = [float("nan")] * 3
    one["keypoint"][4] = [None] * 3
    one["keypoint"][5] = [0.0, 0.0, 0.0]
    one["keypoint_confidence"][3] = float("nan")
    file = write(tmp_path, {1: [one]})
    assert b"NaN" in file.head and b"null" in file.head
    missing = np.isnan(read(file).joints).any(-1)
    assert np.flatnonzero(missing).tolist() == [3, 4, 5]


@pytest.mark.parametrize(
    ("frames", "said", "frame"),
    [
        ({1: [body(1)], 2: [body(1, 18)]}, "expected 38 as before keypoints, got 18", 1),
        ({1: [body(1, 17)]}, "expected 18, 34 or 38 keypoints, got 17", 0),
        ({1: [body(1, keypoint_confidence=[1.0])]}, "expected 38 confidences, got 1", 0),
        ({1: [body(1)], 2: {"a": 1}}, "expected a body_list at 2", 1),
        ({1: [body(1, keypoint=[["x", 1, 2]])]}, "list of numbers", 0),
        ({1: [body(1)], "x": 1}, "expected times as keys", None),
        ({1: []}, "nobody is in any frame", None),
    ],
)
def test_damage_is_named(
    tmp_path: Path, frames: dict[Any, Any], said: str, frame: int | None
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        list(READER.read([write(tmp_path, frames)]))
    assert (caught.value.file, caught.value.frame) == ("bodies.json", frame)
    assert caught.value.fix

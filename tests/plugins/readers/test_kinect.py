"""Kinect v1 and v2: JSON as tools write it, CSV, and text of NTU RGB+D."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.contracts import NoSettings
from starcli.errors import DataError
from starcli.poses import KINECT, PoseFile, Poses
from starcli_plugins.readers.kinect import Kinect

READER = Kinect(NoSettings())
V2 = (
    "SpineBase SpineMid Neck Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight"
    " ElbowRight WristRight HandRight HipLeft KneeLeft AnkleLeft FootLeft HipRight KneeRight"
    " AnkleRight FootRight SpineShoulder HandTipLeft ThumbLeft HandTipRight ThumbRight"
)
V1 = (
    "HipCenter Spine ShoulderCenter Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight"
    " ElbowRight WristRight HandRight HipLeft KneeLeft AnkleLeft FootLeft HipRight KneeRight"
    " AnkleRight FootRight"
)


@conforms("reader", Kinect)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


def write(folder: Path, content: Any, name: str = "x.json") -> PoseFile:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return PoseFile(path, name)


def read(file: PoseFile) -> Poses:
    assert READER.recognises(file)
    (poses,) = READER.read([file])
    assert (poses.unit, poses.axes) == ("m", KINECT)
    return poses


def point(n: float) -> dict[str, float]:
    return {"x": n, "y": n + 0.25, "z": 2.0}


def skeleton(names: str, shift: float = 0.0, **states: str) -> dict[str, Any]:
    """A body as the SDK of v1 writes it; joint n lies at x = n + shift."""
    return {
        name: {
            "jointType": name,
            "position": point(n + shift),
            "trackingState": states.get(name, "Tracked"),
        }
        for n, name in enumerate(names.split())
    }


@pytest.mark.parametrize(("names", "layout"), [(V1, "kinect-v1"), (V2, "kinect-v2")])
def test_bodies_with_names_and_states(tmp_path: Path, names: str, layout: str) -> None:
    states = {"Head": "Inferred", "FootLeft": "NotTracked"}
    one = {"trackingId": 7, "joints": skeleton(names, 0.0, **states)}
    two = {"trackingId": 72057594037928017, "joints": skeleton(names, 0.5)}
    poses = read(
        write(tmp_path, [{"skeletons": [one, two]}, {"skeletons": []}, {"skeletons": [two]}])
    )
    assert poses.layout == layout
    assert poses.people == ("7", "72057594037928017")
    head, foot = 3, 15
    assert poses.confidence is not None
    assert poses.confidence[0, 0, [0, head, foot]].tolist() == [1.0, 0.5, 0.0]
    assert np.isnan(poses.joints[0, 0, foot]).all()
    assert poses.joints[0, 0, head].tolist() == [3.0, 3.25, 2.0]
    assert poses.joints[2, 1, 0].tolist() == [0.5, 0.75, 2.0]
    assert np.isnan(poses.joints[1]).all() and np.isnan(poses.joints[2, 0]).all()


def test_names_may_come_in_any_order(tmp_path: Path) -> None:
    joints = dict(reversed(skeleton(V1).items()))
    poses = read(write(tmp_path, {"joints": joints}))
    assert poses.joints[0, 0, :, 0].tolist() == list(range(20))
    listed = [
        {"name": name, "isTracked": name != "Head", "positions": [joint["position"]]}
        for name, joint in skeleton(V2).items()
    ]
    poses = read(write(tmp_path, [{"bodyParts": listed}, {"bodyParts": listed}]))
    assert poses.joints[1, 0, [0, 24], 0].tolist() == [0, 24]
    assert np.isnan(poses.joints[0, 0, 3]).all()


def test_kinectron_writes_six_bodies_of_which_few_are_tracked(tmp_path: Path) -> None:
    joints = [{"cameraX": n / 10, "cameraY": 1.0, "cameraZ": 2.0, "depthX": 0.5} for n in range(25)]
    bodies = [
        {
            "bodyIndex": n,
            "tracked": n == 4,
            **({"joints": joints, "trackingId": "81"} if n == 4 else {}),
        }
        for n in range(6)
    ]
    frames = [{"bodies": bodies}] * 2
    for content in (frames, {"frames": frames}, "\n".join(map(json.dumps, frames))):
        poses = read(write(tmp_path, content))
        assert poses.joints.shape == (2, 1, 25, 3)
        assert (poses.people, poses.layout, poses.confidence) == (("81",), "kinect-v2", None)
        assert poses.joints[0, 0, 7].tolist() == [0.7, 1.0, 2.0]


def test_csv_with_the_names_of_joints(tmp_path: Path) -> None:
    for names, layout, style in (
        (V1, "kinect-v1", "{}{}"),
        (V2, "kinect-v2", "{}.{}"),
        (V2, "kinect-v2", "{}_{}"),
    ):
        head = ["Timestamp", *(style.format(n, axis) for n in names.split() for axis in "XYZ")]
        rows = [
            ",".join(head),
            *(",".join(map(str, [t, *range(1, len(head))])) for t in (0, 50, 100)),
        ]
        poses = read(write(tmp_path, "\n".join(rows), "x.csv"))
        assert (poses.layout, poses.fps) == (layout, 20.0)
        assert poses.joints[0, 0, 1].tolist() == [4, 5, 6]


def test_recordings_of_kinder_gator(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "data" / "kinect" / "kinder_gator.zip") as archive:
        name = next(
            n for n in archive.namelist() if n.endswith("01-Raise-your-hand-1469182402284.csv")
        )
        path = tmp_path / "x.csv"
        path.write_bytes(archive.read(name))
    poses = read(PoseFile(path, "x.csv"))
    assert poses.layout == "kinect-v1" and not np.isnan(poses.joints).any()
    assert (poses.label, poses.people) == ("Raise-your-hand", ("565",))
    np.testing.assert_allclose(poses.joints[0, 0, 1], [0.01702515, 0.2075403, 3.382316])
    assert poses.fps is not None and 25 < poses.fps < 35


def ntu(frames: list[list[tuple[int, float]]]) -> str:
    """A `.skeleton` of frames of bodies, each an id and the x of all joints."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body, x in bodies:
            lines += [f"{body} 0 1 1 1 1 0 0.1 0.2 2", "25"]
            lines += [f"{x} {0.1 * x} {x and 2.0} 1 2 3 4 0 0 0 1 2"] * 25
    return "\n".join(lines) + "\n"


def test_every_body_of_ntu_is_there_in_its_frames(tmp_path: Path) -> None:
    text = ntu([[(72057594037931101, 0.5)], [], [(72057594037931101, 0.6), (7, 0.7)], [(7, 0.0)]])
    poses = read(write(tmp_path, text, "S001C001P001R001A023.skeleton"))
    assert poses.people == ("72057594037931101", "7")
    assert (poses.layout, poses.fps, poses.joints.shape) == ("kinect-v2", 30.0, (4, 2, 25, 3))
    there = ~np.isnan(poses.joints).any((2, 3))
    assert there.tolist() == [[True, False], [False, False], [True, True], [False, False]]
    np.testing.assert_allclose(poses.joints[2, 1, 9], [0.7, 0.07, 2.0], rtol=1e-6)


def refused(file: PoseFile) -> DataError:
    with pytest.raises(DataError) as caught:
        list(READER.read([file]))
    assert caught.value.file == file.name and caught.value.fix
    return caught.value


def test_damage_is_named(tmp_path: Path) -> None:
    good = {"skeletons": [{"joints": skeleton(V1)}]}
    bad = {"skeletons": [{"joints": skeleton(V1, Head="Lost")}]}
    error = refused(write(tmp_path, [good, bad]))
    assert (error.message, error.frame) == ("'Lost' is not a tracking state", 1)
    few = {"skeletons": [{"joints": {k: v for k, v in skeleton(V1).items() if k != "KneeLeft"}}]}
    assert "no joint found for left knee" in refused(write(tmp_path, [good, few])).message
    short = [{"bodies": [{"joints": [{"cameraX": 1, "cameraY": 1, "cameraZ": 1}] * 24}]}]
    assert refused(write(tmp_path, short)).message == "expected 25 or 20 joints, got 24"
    text = ntu([[(1, 0.5)]] * 3)
    error = refused(write(tmp_path, text[: len(text) // 2], "x.skeleton"))
    assert error.frame == 2
    assert "nobody is in any frame" in refused(write(tmp_path, [{"bodies": []}])).message

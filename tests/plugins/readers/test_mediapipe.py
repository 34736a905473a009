"""MediaPipe's landmarks in every form that people write them in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.poses import IMAGE
from starcli_plugins.readers.mediapipe import MediaPipe
from starcli_plugins.readers.mediapipe_table import NAMES
from tests.pose_files import Numbers, made, one, recordings, refused, same, unknown


@conforms("reader", MediaPipe)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


def shares(frames: int) -> Numbers:
    """Landmarks [frames, 33, 4] in an image, the last number being visibility."""
    return np.round(np.random.default_rng(0).uniform(0.2, 0.9, (frames, 33, 4)), 4)


def metres(frames: int) -> Numbers:
    """World landmarks [frames, 33, 4]: the middle of the hips is the origin."""
    values = shares(frames) - 0.5
    values[..., 3] += 0.5
    values[:, 24, :3] = -values[:, 23, :3]
    return values


def objects(landmarks: Numbers) -> list[dict[str, float]]:
    return [
        dict(zip(("x", "y", "z", "visibility"), row, strict=True)) for row in landmarks.tolist()
    ]


def camel(landmarks: Numbers) -> dict[str, Any]:
    return {"poseLandmarks": objects(landmarks), "faceLandmarks": [{"x": 1, "y": 1}]}


FORMS: list[Callable[[Numbers], Any]] = [
    lambda values: [objects(frame) for frame in values],
    lambda values: [frame.tolist() for frame in values],
    lambda values: [{"landmark": objects(frame)} for frame in values],
    lambda values: [
        {"pose_landmarks": objects(frame), "frame": n} for n, frame in enumerate(values)
    ],
    lambda values: [{"pose_landmarks": [objects(frame)]} for frame in values],
    lambda values: [{"poseLandmarks": {"landmark": objects(frame)}} for frame in values],
    lambda values: [camel(frame) for frame in values],
    lambda values: {"fps": 30, "frames": [camel(frame) for frame in values]},
    lambda values: {"pose_landmarks": [objects(frame) for frame in values]},
    lambda values: {str(number): objects(frame) for number, frame in enumerate(values)},
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_json(tmp_path: Path, form: Callable[[Numbers], Any]) -> None:
    values = shares(3)
    poses = one(MediaPipe, made(tmp_path, "a.json", form(values)))
    same(poses.joints, values[:, None, :, :3])
    same(poses.confidence, values[:, None, :, 3])
    assert (poses.layout, poses.unit, poses.axes) == ("mediapipe-33", "image", IMAGE)
    assert (poses.people, poses.centred) == (None, False)


@pytest.mark.parametrize("form", [lambda v: objects(v), camel, lambda v: {"landmark": objects(v)}])
def test_one_frame(tmp_path: Path, form: Callable[[Numbers], Any]) -> None:
    poses = one(MediaPipe, made(tmp_path, "a.json", form(shares(1)[0])))
    same(poses.joints, shares(1)[:, None, :, :3])


def test_json_lines(tmp_path: Path) -> None:
    import json

    lines = "\n".join(json.dumps({"pose_landmarks": objects(frame)}) for frame in shares(3)) + "\n"
    poses = one(MediaPipe, made(tmp_path, "a.jsonl", lines))
    same(poses.joints, shares(3)[:, None, :, :3])


def test_world_landmarks_are_preferred(tmp_path: Path) -> None:
    frames = [
        {"pose_landmarks": objects(picture), "pose_world_landmarks": objects(world)}
        for picture, world in zip(shares(3), metres(3), strict=True)
    ]
    poses = one(MediaPipe, made(tmp_path, "a.json", [*frames, {"pose_landmarks": None}]))
    same(poses.joints[:3], metres(3)[:, None, :, :3])
    assert np.isnan(poses.joints[3]).all()
    assert (poses.unit, poses.centred) == ("m", True)


def test_world_landmarks_are_known_without_a_key(tmp_path: Path) -> None:
    poses = one(MediaPipe, made(tmp_path, "a.json", [objects(frame) for frame in metres(3)]))
    assert (poses.unit, poses.centred) == ("m", True)


def test_several_people_and_frames_without_anybody(tmp_path: Path) -> None:
    a, b, c = map(objects, shares(3))
    nothing: tuple[object, ...] = ([], None, {})
    for nobody in nothing:
        poses = one(MediaPipe, made(tmp_path, "a.json", [[a, b], nobody, [c]]))
        same(poses.joints[0], shares(3)[:2, :, :3])
        assert poses.joints.shape == (3, 2, 33, 3)
        assert np.isnan(poses.joints[1]).all() and np.isnan(poses.joints[2, 1]).all()


def test_numbers_of_frames_are_kept(tmp_path: Path) -> None:
    frames = [
        {"frame": n, "pose_landmarks": objects(frame)}
        for n, frame in zip((7, 3, 10), shares(3), strict=True)
    ]
    poses = one(MediaPipe, made(tmp_path, "a.json", frames))
    assert poses.frames is not None and poses.frames.tolist() == [3, 7, 10]
    same(poses.joints, shares(3)[[1, 0, 2], None, :, :3])
    frames[0]["frame"] = 10
    refused(MediaPipe, made(tmp_path, "a.json", frames), said="duplicate frame", frame=10)


def test_protobuf_text(tmp_path: Path) -> None:
    text = "".join(
        f"landmark {{\n  x: {x}\n  y: {y}\n  z: {z}\n  visibility: {v}\n}}\n"
        for frame in shares(2).tolist()
        for x, y, z, v in frame
    )
    poses = one(MediaPipe, made(tmp_path, "a.txt", text))
    same(poses.joints, shares(2)[:, None, :, :3])
    same(poses.confidence, shares(2)[:, None, :, 3])
    refused(MediaPipe, made(tmp_path, "a.txt", text[:-9]), said="65 landmarks are not")
    broken = made(tmp_path, "a.txt", text.replace("x: 0", "x: O", 1))
    refused(MediaPipe, broken, said="not a number", frame=0)


def table(heading: list[str] | None, rows: list[list[Any]], delimiter: str = ",") -> str:
    lines = [*([heading] if heading else []), *rows]
    return "\r\n".join(delimiter.join(map(str, line)) for line in lines) + "\r\n"


HEADINGS: list[Callable[[int, str], str]] = [
    lambda joint, axis: f"{axis}{joint + 1}",
    lambda joint, axis: f"{axis}{joint}",
    lambda joint, axis: f"{NAMES[joint]}_{axis}",
    lambda joint, axis: f"{NAMES[joint].upper()}.{axis}",
    lambda joint, axis: f"landmark_{joint}_{axis}",
    lambda joint, axis: f"{joint}_{axis}".replace("_v", "_visibility"),
]


@pytest.mark.parametrize("width", [3, 4])
@pytest.mark.parametrize("heading", HEADINGS)
def test_tables_with_a_heading(
    tmp_path: Path, heading: Callable[[int, str], str], width: int
) -> None:
    heads = ["frame", *(heading(joint, axis) for joint in range(33) for axis in "xyzv"[:width])]
    rows = [[n + 2, *frame[:, :width].ravel()] for n, frame in enumerate(shares(3))]
    for delimiter in ",;\t":
        poses = one(MediaPipe, made(tmp_path, "a.csv", table(heads, rows, delimiter)))
        same(poses.joints, shares(3)[:, None, :, :3])
        assert (poses.confidence is None) == (width == 3)
        assert poses.frames is not None and poses.frames.tolist() == [2, 3, 4]


@pytest.mark.parametrize("width", [3, 4])
def test_tables_without_a_heading(tmp_path: Path, width: int) -> None:
    rows = [["wave", *frame[:, :width].ravel()] for frame in shares(3)]
    poses = one(MediaPipe, made(tmp_path, "a.csv", table(None, rows)))
    same(poses.joints, shares(3)[:, None, :, :3])
    assert (poses.label, poses.name) == ("wave", "")
    poses = one(MediaPipe, made(tmp_path, "b.csv", table(None, [row[1:] for row in rows])))
    same(poses.joints, shares(3)[:, None, :, :3])
    assert poses.label == ""


def test_runs_of_a_class_are_recordings(tmp_path: Path) -> None:
    heads = ["class", *(f"{axis}{joint}" for joint in range(1, 34) for axis in "xyzv")]
    labels = ["sit", "sit", "wave", "sit"]
    rows = [[label, *frame.ravel()] for label, frame in zip(labels, shares(4), strict=True)]
    found = recordings(MediaPipe, made(tmp_path, "a.csv", table(heads, rows)))
    assert [(p.name, p.label, len(p.joints)) for p in found] == [
        ("sit-1", "sit", 2),
        ("wave-2", "wave", 1),
        ("sit-3", "sit", 1),
    ]


def test_face_and_hands_in_a_table_are_left_out(tmp_path: Path) -> None:
    heads = [f"{axis}{joint}" for joint in range(1, 502) for axis in "xyzv"]
    values = np.concatenate([shares(2), np.full((2, 468, 4), 0.5)], axis=1)
    poses = one(MediaPipe, made(tmp_path, "a.csv", table(heads, [v.ravel() for v in values])))
    same(poses.joints, shares(2)[:, None, :, :3])


def test_damaged_tables(tmp_path: Path) -> None:
    heads = [f"{axis}{joint}" for joint in range(1, 34) for axis in "xyzv"]
    rows = [list(frame.ravel()) for frame in shares(3)]
    text = table(heads, rows)
    error = refused(MediaPipe, made(tmp_path, "a.csv", text[:-30]), said="cells or more")
    assert error.line == 4
    rows[1][0] = "much"
    error = refused(MediaPipe, made(tmp_path, "a.csv", table(heads, rows)), said="'much' is not a")
    assert error.line == 3
    rows[1][0] = ""
    poses = one(MediaPipe, made(tmp_path, "a.csv", table(heads, rows)))
    assert np.isnan(poses.joints[1, 0, 0]).all() and np.isnan(poses.joints).sum() == 3


@pytest.mark.parametrize("number", ["", "soon", "nan", "inf", "1e300", "1.5"])
def test_frames_without_a_number(tmp_path: Path, number: str) -> None:
    heads = ["frame", *(f"{axis}{joint}" for joint in range(1, 34) for axis in "xyzv")]
    text = table(heads, [[number, *shares(1).ravel()]])
    error = refused(MediaPipe, made(tmp_path, "a.csv", text), said="no frame number")
    assert error.line == 2


def test_other_tables_are_not_recognised(tmp_path: Path) -> None:
    names = [f"{name}_{axis}" for name in NAMES for axis in "xyz"]
    far = [list(frame[:, :3].ravel() * 1000) for frame in shares(2)]
    assert unknown(MediaPipe, made(tmp_path, "a.csv", table(names, far)))
    assert unknown(MediaPipe, made(tmp_path, "a.csv", table(names[3:], [row[3:] for row in far])))
    assert unknown(MediaPipe, made(tmp_path, "a.csv", table(None, [["a", "b"] * 50])))


def test_visibility_before_the_sigmoid(tmp_path: Path) -> None:
    values = shares(2)
    values[..., 3] = 2.0
    values[0, 0, 3] = -2.0
    poses = one(MediaPipe, made(tmp_path, "a.json", [objects(frame) for frame in values]))
    assert poses.confidence is not None
    assert poses.confidence[0, 0, 0] == pytest.approx(0.119203, abs=1e-6)
    assert poses.confidence[1, 0, 0] == pytest.approx(0.880797, abs=1e-6)
    assert "sigmoid" in poses.notes[0]


def test_pixels_are_known(tmp_path: Path) -> None:
    values = shares(2) * (640, 480, 640, 1)
    poses = one(MediaPipe, made(tmp_path, "a.json", [objects(frame) for frame in values]))
    assert poses.unit == "pixel" and "pixels" in poses.notes[0]


def test_bad_json(tmp_path: Path) -> None:
    frames: list[Any] = [objects(frame) for frame in shares(3)]
    broken = [frames[0], frames[1][:20], frames[2]]
    refused(
        MediaPipe, made(tmp_path, "a.json", broken), said="expected 33 landmarks, got 20", frame=1
    )
    frames[2][5]["x"] = "left"
    refused(MediaPipe, made(tmp_path, "a.json", frames), said="expected a list of numbers", frame=2)
    frames[2][5]["x"] = None
    assert np.isnan(one(MediaPipe, made(tmp_path, "a.json", frames)).joints[2, 0, 5]).all()
    assert unknown(MediaPipe, made(tmp_path, "a.json", [[{"x": 1, "y": 2}] * 17]))
    assert unknown(MediaPipe, made(tmp_path, "a.json", {"pose_landmarks": "none"}))

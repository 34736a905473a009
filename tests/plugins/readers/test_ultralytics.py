"""Label files, JSON and CSV of Ultralytics YOLO."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.contracts import NoSettings
from starcli_plugins.readers.ultralytics import Ultralytics
from tests.pose_files import Numbers, made, one, points, refused, same, unknown


@conforms("reader", Ultralytics)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


SHARES = points(4, 17, 3) / 40
"""People in shares of a picture, with confidence."""


def line(person: Numbers, *rest: object) -> str:
    return " ".join(map(str, [0, 0.5, 0.5, 0.3, 0.6, *person.ravel(), *rest])) + "\n"


def test_label_files_in_natural_order_with_holes(tmp_path: Path) -> None:
    names = ["labels/clip_2.txt", "labels/clip_10.txt", "labels/clip_1.txt"]
    files = [made(tmp_path, n, line(SHARES[i])) for i, n in enumerate(names)]
    reader = Ultralytics(NoSettings())
    assert [reader.frame_of(file) for file in files] == [
        ("labels/clip", 2),
        ("labels/clip", 10),
        ("labels/clip", 1),
    ]
    poses = one(Ultralytics, *files)
    assert poses.frames is not None and poses.frames.tolist() == [1, 2, 10]
    same(poses.joints, SHARES[[2, 0, 1], None, :, :2])
    same(poses.confidence, SHARES[[2, 0, 1], None, :, 2])
    assert (poses.unit, poses.people) == ("image", None)


def test_an_image_has_a_name_without_a_number(tmp_path: Path) -> None:
    file = made(tmp_path, "jump.txt", line(SHARES[0]))
    assert Ultralytics(NoSettings()).frame_of(file) == ("jump.txt", 0)
    same(one(Ultralytics, file).joints, SHARES[None, :1, :, :2])


@pytest.mark.parametrize(
    ("rests", "people"),
    [
        ([(), ()], None),
        ([(0.91,), (0.5,)], None),
        ([(1,), (0.5,)], None),
        ([(7,), (4,)], ("7", "4")),
        ([(0.91, 7), (1, 4)], ("7", "4")),
    ],
)
@pytest.mark.parametrize("width", [2, 3])
def test_what_comes_after_the_joints(
    tmp_path: Path, rests: list[tuple[float, ...]], people: tuple[str, ...] | None, width: int
) -> None:
    text = "".join(line(SHARES[i][:, :width], *rest) for i, rest in enumerate(rests))
    poses = one(Ultralytics, made(tmp_path, "clip_1.txt", text))
    assert poses.people == people
    same(poses.joints[0], SHARES[:2, :, :2])
    assert (poses.confidence is None) == (width == 2)


def test_tracks_are_followed(tmp_path: Path) -> None:
    first = made(tmp_path, "clip_1.txt", line(SHARES[0], 0.9, 5) + line(SHARES[1], 0.8, 2))
    second = made(tmp_path, "clip_2.txt", line(SHARES[2], 0.9, 2))
    poses = one(Ultralytics, first, second)
    assert poses.people == ("5", "2")
    same(poses.joints[1, 1], SHARES[2, :, :2])
    assert np.isnan(poses.joints[1, 0]).all()


def test_a_second_run_is_left_out(tmp_path: Path) -> None:
    file = made(tmp_path, "clip_1.txt", (line(SHARES[0]) + line(SHARES[1])) * 2)
    assert one(Ultralytics, file).joints.shape == (1, 2, 17, 2)


def test_joints_not_seen_have_zeros_at_any_confidence(tmp_path: Path) -> None:
    person = SHARES[0].copy()
    person[4, :2] = 0
    poses = one(Ultralytics, made(tmp_path, "clip_1.txt", line(person)))
    assert np.isnan(poses.joints[0, 0]).any(-1).nonzero()[0].tolist() == [4]
    assert poses.confidence is not None and poses.confidence[0, 0, 4] == person[4, 2]


def test_damaged_label_files(tmp_path: Path) -> None:
    good = line(SHARES[0])
    error = refused(
        Ultralytics,
        made(tmp_path, "clip_3.txt", good + good[:50] + "\n"),
        said="expected 56 numbers as before",
        frame=3,
    )
    assert error.line == 2
    refused(
        Ultralytics,
        made(tmp_path, "clip_3.txt", good + good.replace("0.5", "O.5", 1)),
        said="not a number",
    )
    refused(
        Ultralytics,
        made(tmp_path, "a/clip_3.txt", good),
        made(tmp_path, "b/clip_3.txt", good),
        said="duplicate frame",
        frame=3,
    )
    assert unknown(
        Ultralytics,
        made(tmp_path, "box.txt", "0 0.5 0.5 0.2 0.2\n"),
        made(tmp_path, "words.txt", "a " * 56),
        made(tmp_path, "empty.txt", ""),
        made(tmp_path, "hand.txt", "0 0.5 0.5 0.2 0.2 " + "0.1 0.2 0.9 " * 21),
        made(tmp_path, "broken.txt", good[:1] + "\r" + good[1:]),
    )


PIXELS = points(4, 17, 3, start=50)


def detected(person: Numbers, track: int | None = None) -> dict[str, Any]:
    x, y, visible = person.T.tolist()
    found = {"name": "person", "class": 0, "confidence": 0.9, "box": {"x1": 1.0, "y1": 2.0}}
    keypoints = {"x": x, "y": y, "visible": visible}
    return {**found, **({} if track is None else {"track_id": track}), "keypoints": keypoints}


A, B, C, D = map(detected, PIXELS)
FORMS: list[Any] = [
    [[A, B], [], [C]],
    {"frames": [[A, B], [], [C]]},
    {"0": [A, B], "1": [], "2": [C]},
    {"frame_0.jpg": [A, B], "frame_1.jpg": [], "frame_2.jpg": [C]},
    [
        {"frame": 0, "detections": [A, B]},
        {"frame": 1, "detections": []},
        {"frame": 2, "detections": [C]},
    ],
    [json.dumps([A, B]), "[]", json.dumps([C])],
    "\n".join(map(json.dumps, [[A, B], [], [C]])) + "\n",
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_json(tmp_path: Path, form: Any) -> None:
    poses = one(Ultralytics, made(tmp_path, "a.json", form))
    same(poses.joints[0], PIXELS[:2, :, :2])
    same(poses.joints[2, 0], PIXELS[2, :, :2])
    assert poses.confidence is not None
    same(poses.confidence[2, 0], PIXELS[2, :, 2])
    assert np.isnan(poses.joints[1]).all()
    assert (poses.unit, poses.people) == ("pixel", None)


def test_json_of_single_frames(tmp_path: Path) -> None:
    files = [made(tmp_path, "clip_9.json", [A]), made(tmp_path, "clip_10.json", [B, C])]
    assert Ultralytics(NoSettings()).frame_of(files[1]) == ("clip", 10)
    poses = one(Ultralytics, *files)
    assert poses.frames is not None and poses.frames.tolist() == [9, 10]
    same(poses.joints[1], PIXELS[1:3, :, :2])


def test_json_with_tracks_and_without_confidence(tmp_path: Path) -> None:
    frames = [[detected(PIXELS[0], 3), detected(PIXELS[1], 8)], [detected(PIXELS[2], 8)]]
    for frame in frames:
        for person in frame:
            del person["keypoints"]["visible"]
    poses = one(Ultralytics, made(tmp_path, "a.json", frames))
    assert (poses.people, poses.confidence) == (("3", "8"), None)
    same(poses.joints[1, 1], PIXELS[2, :, :2])


def test_normalised_json(tmp_path: Path) -> None:
    poses = one(Ultralytics, made(tmp_path, "a.json", [[detected(SHARES[0])]]))
    assert poses.unit == "image"


def test_damaged_json(tmp_path: Path) -> None:
    short = detected(PIXELS[0][:12])
    refused(Ultralytics, made(tmp_path, "a.json", [[A], [short]]), said="got 12 and 12", frame=1)
    refused(Ultralytics, made(tmp_path, "a.json", [[A], ["?"]]), said="people with key", frame=1)
    text = json.dumps([[A], [B]])
    refused(Ultralytics, made(tmp_path, "a.json", text[: len(text) // 2]), said="not readable JSON")
    null = detected(PIXELS[0])
    null["keypoints"]["x"][3] = None
    poses = one(Ultralytics, made(tmp_path, "a.json", [[null]]))
    assert np.isnan(poses.joints[0, 0]).any(-1).nonzero()[0].tolist() == [3]


def rows(index: bool = True) -> list[str]:
    people = [(0, A), (1, B), (0, C), (0, D)]
    return [
        ",".join(
            [
                *([str(i)] if index else []),
                "person",
                "0",
                "0.9",
                f'"{p["box"]}"',
                f'"{p["keypoints"]}"',
            ]
        )
        for i, p in people
    ]


def test_tables_count_people_anew_in_each_frame(tmp_path: Path) -> None:
    text = "\n".join([",name,class,confidence,box,keypoints", *rows()])
    poses = one(Ultralytics, made(tmp_path, "a.csv", text + "\n\n"))
    assert poses.joints.shape == (3, 2, 17, 2)
    same(poses.joints[0], PIXELS[:2, :, :2])
    same(poses.joints[1:, 0], PIXELS[2:, :, :2])


def test_tables_with_frames_and_tracks(tmp_path: Path) -> None:
    heading = "frame,track_id,name,class,confidence,box,keypoints"
    marks = [(4, 1), (4, 2), (7, 2), (8, 1)]
    lines = [f"{f},{t},{row}" for (f, t), row in zip(marks, rows(index=False), strict=True)]
    poses = one(Ultralytics, made(tmp_path, "a.csv", "\n".join([heading, *lines])))
    assert poses.frames is not None and poses.frames.tolist() == [4, 7, 8]
    assert poses.people == ("1", "2")
    same(poses.joints[1, 1], PIXELS[2, :, :2])
    error = refused(
        Ultralytics,
        made(tmp_path, "a.csv", "\n".join([heading, *lines])[:-40]),
        said="expected a box and keypoints",
    )
    assert error.line == 5


def test_tables_without_counts_have_a_person_a_frame(tmp_path: Path) -> None:
    text = "\n".join(["name,class,confidence,box,keypoints", *rows(index=False)])
    poses = one(Ultralytics, made(tmp_path, "a.csv", text))
    same(poses.joints, PIXELS[:, None, :, :2])


def test_cells_run_nothing(tmp_path: Path) -> None:
    line = '''person,0,0.9,{},"__import__('os').system('false')"'''
    file = made(tmp_path, "a.csv", f"name,class,confidence,box,keypoints\n{line}\n")
    assert unknown(Ultralytics, file)

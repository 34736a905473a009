"""KARD as distributed, and everything that can be wrong with it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from starcli.contracts import Clip
from starcli.data import body
from starcli_plugins.datasets.kinect import joint_lines
from starcli_plugins.datasets.kinect.kard import Kard
from tests.plugins.datasets.clips import clips_of, folds_cover, refused, subset_counts

SOURCE = Kard(Kard.Settings())
NAME = "a16_s04_e02_realworld.txt"
GOOD = np.random.default_rng(0).normal(size=(4, 15, 3)) * 500
JOINTS = {name: j for j, name in enumerate(Kard.layout.joints)}


@pytest.fixture(scope="module")
def clips(shared: Path) -> list[Clip]:
    return list(clips_of(SOURCE, shared / "data" / "kinect" / "kard.zip"))


def of(clips: list[Clip], name: str) -> list[Clip]:
    """The clips of a class."""
    return [clip for clip in clips if SOURCE.classes[clip.label] == name]


@pytest.mark.slow
def test_totals_are_those_of_the_distribution(clips: list[Clip]) -> None:
    """540 clips, 18 activities three times by 10 people, one by one."""
    totals = SOURCE.totals
    assert (len(clips), totals.clips, totals.subjects, totals.views) == (540, 540, 10, 1)
    assert totals.names is not None
    assert sorted(totals.names()) == sorted(clip.name for clip in clips)
    assert totals.subsets["xsub"] == subset_counts(clips, "xsub", 18)
    assert set(Counter(clip.label for clip in clips).values()) == {30}
    lengths = [len(clip.joints) for clip in clips]
    assert (min(lengths), max(lengths)) == (42, 310)


@pytest.mark.slow
def test_odd_subjects_train_and_even_ones_test(clips: list[Clip]) -> None:
    train = {clip.subject for clip in clips if clip.subsets["xsub"] == "train"}
    assert train == {"s01", "s03", "s05", "s07", "s09"}
    assert Counter(clip.subsets["xsub"] for clip in clips) == {"train": 270, "test": 270}


@pytest.mark.slow
def test_the_right_hand_drinks_phones_throws_and_draws(clips: list[Clip]) -> None:
    for name in ("drink", "phone call", "high throw", "draw x"):
        for clip in of(clips, name):
            report = body.report(clip.joints.astype(np.float64), SOURCE.layout)
            assert report.right_higher > report.left_higher, clip.name


@pytest.mark.slow
def test_who_sits_faces_forward_on_the_named_sides(clips: list[Clip]) -> None:
    """Left is up x forward, where forward is from the hips to the knees of somebody seated."""
    sound = []
    for clip in of(clips, "sit down"):
        last = clip.joints[-10:, 0].mean(0)
        places = {name: last[place] for name, place in JOINTS.items()}
        knees = places["left knee"] + places["right knee"]
        forward = knees - places["left hip"] - places["right hip"]
        across = places["left hip"] - places["right hip"]
        sound.append(float(np.cross([0, 1, 0], forward) @ across) > 0)
    assert sound == [True] * 30


@pytest.mark.slow
def test_bodies_are_upright_and_as_large_as_people_are(clips: list[Clip]) -> None:
    reports = [body.report(clip.joints.astype(np.float64), SOURCE.layout) for clip in clips]
    assert all(report.head_up > 0.5 for report in reports)
    assert 1.3 < np.median([report.height for report in reports]) < 1.7


def test_folds_leave_every_class_unseen_once() -> None:
    folds_cover(SOURCE, range(18))


def test_x_is_negated_and_the_left_side_comes_first(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(joint_lines.text(GOOD), "utf-8")
    (clip,) = clips_of(SOURCE, tmp_path)
    assert (clip.name, clip.label, clip.subject) == ("a16_s04_e02", 15, "s04")
    rows = {
        "head": 0,
        "neck base": 1,
        "right shoulder": 2,
        "right elbow": 3,
        "right wrist": 4,
        "left shoulder": 5,
        "left elbow": 6,
        "left wrist": 7,
        "spine mid": 8,
        "right hip": 9,
        "right knee": 10,
        "right ankle": 11,
        "left hip": 12,
        "left knee": 13,
        "left ankle": 14,
    }
    for joint, row in rows.items():
        want = GOOD[:, row] * [-0.001, 0.001, 0.001]
        np.testing.assert_allclose(clip.joints[:, 0, JOINTS[joint]], want, atol=1e-6)


def test_one_clip_of_the_distribution(shared: Path) -> None:
    source = shared / "data" / "kinect" / "kard.zip"
    recording = next(r for r in SOURCE.recordings(source) if r.name.startswith("a01_s01_e01"))
    (clip,) = SOURCE.clips(recording)
    head = np.array([-133.46135, 562.2903, 2687.6377]) / 1000
    np.testing.assert_allclose(clip.joints[0, 0, JOINTS["head"]], head, rtol=1e-6)
    right = np.array([50.386364, 355.6442, 2743.4885]) / 1000
    np.testing.assert_allclose(clip.joints[0, 0, JOINTS["right shoulder"]], right, rtol=1e-6)
    assert clip.subsets == {"xsub": "train"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1 2 3\n" * 44, ["expected 15 lines a frame", "the last frame has 14"]),
        ("1 2 3\n" * 7 + "1 2 3 4\n" * 8, [":8", "expected 3 numbers, got 4"]),
        ("1 2 3\n" * 14 + "1 2 3", [":15", "the last line does not end"]),
        ("1 2 1e999\n" * 15, ["inf"]),
        ("1,2,3\n" * 15, [":1", "got 1"]),
    ],
)
def test_bad_file_is_named(content: str, words: list[str], tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(content, "utf-8")
    refused(SOURCE, tmp_path, NAME, *words)


@pytest.mark.parametrize("action", [0, 19])
def test_action_out_of_range(action: int, tmp_path: Path) -> None:
    name = f"a{action:02}_s01_e01_realworld.txt"
    (tmp_path / name).write_text(joint_lines.text(GOOD), "utf-8")
    refused(SOURCE, tmp_path, name, f"action {action}, the data set has 1 to 18")


def test_coordinates_of_the_screen_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a01_s01_e01_screen.txt").write_text("1 2 3\n" * 15, "utf-8")
    assert "data.mendeley.com" in refused(SOURCE, tmp_path, "no recordings here").fix


def test_sample_reads_back(tmp_path: Path) -> None:
    SOURCE.write_sample(tmp_path)
    clips = list(clips_of(SOURCE, tmp_path))
    assert Counter(clip.label for clip in clips) == dict.fromkeys(range(18), 2)
    assert Counter(clip.subsets["xsub"] for clip in clips) == {"train": 18, "test": 18}

"""UTKinect-Action3D as distributed, and everything that can be wrong with it."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from starcli.contracts import Clip
from starcli.data import body
from starcli_plugins.datasets.kinect import joint_lines
from starcli_plugins.datasets.kinect.utkinect import UtKinect
from tests.plugins.datasets.clips import clips_of, folds_cover, refused, subset_counts

SOURCE = UtKinect(UtKinect.Settings())
NAME = "pickUp_s04_e02.txt"
GOOD = np.random.default_rng(0).normal(size=(4, 20, 3))
JOINTS = {name: j for j, name in enumerate(UtKinect.layout.joints)}


@pytest.fixture(scope="module")
def clips(shared: Path) -> list[Clip]:
    return list(clips_of(SOURCE, shared / "data" / "kinect" / "utkinect.zip"))


def test_totals_are_those_of_the_distribution(clips: list[Clip]) -> None:
    """200 clips, 10 actions twice by 10 people, one by one."""
    totals = SOURCE.totals
    assert (len(clips), totals.clips, totals.subjects, totals.views) == (200, 200, 10, 1)
    assert totals.names is not None
    assert sorted(totals.names()) == sorted(clip.name for clip in clips)
    assert totals.subsets["xsub"] == subset_counts(clips, "xsub", 10)
    assert set(Counter(clip.label for clip in clips).values()) == {20}
    lengths = [len(clip.joints) for clip in clips]
    assert (min(lengths), max(lengths)) == (6, 115)


def test_odd_subjects_train_and_even_ones_test(clips: list[Clip]) -> None:
    train = {clip.subject for clip in clips if clip.subsets["xsub"] == "train"}
    assert train == {"s01", "s03", "s05", "s07", "s09"}
    assert Counter(clip.subsets["xsub"] for clip in clips) == {"train": 100, "test": 100}


def test_folds_leave_every_class_unseen_once() -> None:
    folds_cover(SOURCE, range(10))


def test_labels_follow_the_words_of_file_names(clips: list[Clip]) -> None:
    for clip in clips:
        word = clip.name.partition("_")[0].lower()
        assert SOURCE.classes[clip.label].replace(" ", "") == word


@pytest.mark.slow
def test_bodies_are_upright_and_right_handed(clips: list[Clip]) -> None:
    """Left is left in 198 of 200 clips."""
    reports = [body.report(clip.joints.astype(np.float64), SOURCE.layout) for clip in clips]
    assert all(report.head_up > 0.5 for report in reports)
    assert sum(report.handed > 0.5 for report in reports) == 198
    assert 1.3 < np.median([report.height for report in reports]) < 1.7


def test_the_right_hand_pushes_and_pulls(clips: list[Clip]) -> None:
    """The right wrist is the higher one in all pulls and pushes: files name sides as people do."""
    for clip in clips:
        if SOURCE.classes[clip.label] in ("push", "pull"):
            report = body.report(clip.joints.astype(np.float64), SOURCE.layout)
            assert report.right_higher > 0.9 and report.left_higher == 0


def test_joints_are_metres_in_the_order_of_the_layout(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(joint_lines.text(GOOD), "utf-8")
    (clip,) = clips_of(SOURCE, tmp_path)
    assert (clip.name, clip.label, clip.subject) == ("pickUp_s04_e02", 3, "s04")
    assert clip.subsets == {"xsub": "test"}
    np.testing.assert_allclose(clip.joints[:, 0], GOOD, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1 2 3\n" * 39, ["the last frame has 19"]),
        (joint_lines.text(GOOD[:, :19]), ["expected 20 lines a frame, got 76"]),
        ("1 2 inf\n" * 20, ["'inf' is not a number"]),
        ("", ["expected 3 numbers, got 0"]),
    ],
)
def test_bad_file_is_named(content: str, words: list[str], tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(content, "utf-8")
    refused(SOURCE, tmp_path, NAME, *words)


def test_action_that_the_data_set_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "fly_s01_e01.txt").write_text(joint_lines.text(GOOD), "utf-8")
    refused(SOURCE, tmp_path, "fly_s01_e01.txt", "'fly' is not an action of the data set")


def test_truncated_zip_says_where_to_get_it(shared: Path, tmp_path: Path) -> None:
    path = tmp_path / "utkinect.zip"
    path.write_bytes((shared / "data" / "kinect" / "utkinect.zip").read_bytes()[:500_000])
    assert "University of Texas at Austin" in refused(SOURCE, path, "utkinect.zip", "zip").fix


def test_without_recordings_it_says_where_to_get_them() -> None:
    assert "CLASS_sXX_eYY.txt" in refused(SOURCE, None, "utkinect needs its recordings").fix


def test_sample_reads_back(tmp_path: Path) -> None:
    SOURCE.write_sample(tmp_path)
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for path in tmp_path.glob("*.txt"):
            archive.write(path, f"utKinect_joints/{path.name}")
    clips = list(clips_of(SOURCE, tmp_path / "packed.zip"))
    assert Counter(clip.label for clip in clips) == dict.fromkeys(range(10), 2)
    assert Counter(clip.subsets["xsub"] for clip in clips) == {"train": 10, "test": 10}

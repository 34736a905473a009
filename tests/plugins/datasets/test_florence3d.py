"""Florence 3D Actions as distributed, and everything that can be wrong with it."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from starcli.contracts import Clip
from starcli.data import body
from starcli_plugins.datasets.kinect import joint_lines
from starcli_plugins.datasets.kinect.florence3d import Florence3d
from tests.plugins.datasets.clips import clips_of, folds_cover, refused, subset_counts

SOURCE = Florence3d(Florence3d.Settings())
NAME = "a03_s4_id77.txt"
GOOD = np.random.default_rng(0).normal(size=(4, 15, 3)) * 500
JOINTS = {name: j for j, name in enumerate(Florence3d.layout.joints)}


@pytest.fixture(scope="module")
def clips(shared: Path) -> list[Clip]:
    return list(clips_of(SOURCE, shared / "data" / "kinect" / "florence3d.zip"))


def test_totals_are_those_of_the_distribution(clips: list[Clip]) -> None:
    """215 clips in 9 classes by 10 people, one by one, and where they are on which subset."""
    totals = SOURCE.totals
    assert (len(clips), totals.clips, totals.subjects, totals.views) == (215, 215, 10, 1)
    assert totals.names is not None
    assert sorted(totals.names()) == sorted(clip.name for clip in clips)
    assert totals.subsets["xsub"] == subset_counts(clips, "xsub", 9)
    counts = totals.counts("xsub", SOURCE.splits["fold0"])
    assert counts is not None
    assert (counts.train, counts.test) == (109, 106)


def test_clips_of_each_action_are_the_published_ones(clips: list[Clip]) -> None:
    counts = Counter(SOURCE.classes[clip.label] for clip in clips)
    assert [counts[name] for name in SOURCE.classes] == [24, 21, 22, 29, 26, 20, 20, 23, 30]
    lengths = [len(clip.joints) for clip in clips]
    assert (min(lengths), max(lengths), float(np.median(lengths))) == (7, 34, 17)


def test_odd_subjects_train_and_even_ones_test(clips: list[Clip]) -> None:
    train = {clip.subject for clip in clips if clip.subsets["xsub"] == "train"}
    test = {clip.subject for clip in clips if clip.subsets["xsub"] == "test"}
    assert train == {"s1", "s3", "s5", "s7", "s9"}
    assert test == {"s2", "s4", "s6", "s8", "s10"}


def test_folds_leave_every_class_unseen_once() -> None:
    folds_cover(SOURCE, range(9))


@pytest.mark.slow
def test_bodies_are_upright_and_as_large_as_people_are(clips: list[Clip]) -> None:
    reports = [body.report(clip.joints.astype(np.float64), SOURCE.layout) for clip in clips]
    assert all(report.head_up > 0.5 for report in reports)
    assert 1.3 < np.median([report.height for report in reports]) < 1.7
    assert all(0.3 < report.trunk < 0.6 for report in reports)


def test_who_sits_down_moves_the_knees_forward_of_the_hips_on_the_named_sides(
    clips: list[Clip],
) -> None:
    """Left is up x forward, where forward is from the hips to the knees of somebody seated."""
    sound = []
    for clip in (clip for clip in clips if SOURCE.classes[clip.label] == "sit down"):
        last = clip.joints[-3:, 0].mean(0)
        sides = {name: last[place] for name, place in JOINTS.items()}
        knees = sides["left knee"] + sides["right knee"]
        forward = knees - sides["left hip"] - sides["right hip"]
        left = sides["left hip"] - sides["right hip"]
        sound.append(np.cross([0, 1, 0], forward) @ left > 0)
    assert len(sound) == 20
    assert np.mean(sound) >= 0.9


def test_joints_are_metres_in_the_order_of_the_layout(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(joint_lines.text(GOOD), "utf-8")
    (clip,) = clips_of(SOURCE, tmp_path)
    assert (clip.name, clip.label, clip.subject) == ("a03_s4_id77", 2, "s4")
    assert clip.subsets == {"xsub": "test"}
    rows = {"head": 0, "neck base": 1, "spine mid": 2, "left shoulder": 3, "right wrist": 8}
    for joint, row in {**rows, "left hip": 9, "right ankle": 14}.items():
        np.testing.assert_allclose(clip.joints[:, 0, JOINTS[joint]], GOOD[:, row] / 1000, atol=1e-6)


def test_zip_and_unpacked_folder_are_the_same(tmp_path: Path, shared: Path) -> None:
    path = shared / "data" / "kinect" / "florence3d.zip"
    with zipfile.ZipFile(path) as archive:
        archive.extract("florence/a01_s10_id193.txt", tmp_path)
    (loose,) = clips_of(SOURCE, tmp_path)
    member = next(r for r in SOURCE.recordings(path) if r.name == f"{loose.name}.txt")
    (zipped,) = SOURCE.clips(member)
    np.testing.assert_array_equal(loose.joints, zipped.joints)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["expected 3 numbers, got 0"]),
        ("1 2 3\n" * 14, ["14 lines"]),
        ("1 2 3\n" * 31, ["the last frame has 1"]),
        ("1 2 3\n" * 20 + "1 2\n" + "1 2 3\n" * 9, [":21", "got 2"]),
        ("1 2 nan\n" * 15, [":1", "'nan' is not a number"]),
        ("1 2 3_0\n" * 15, ["'3_0'"]),
        ("1 2 3\n\n" * 15, [":2", "got 0"]),
        ("1 2 300000\n" * 15, ["frame 1", "metres below 100"]),
        ("<html>log in</html>", [":1"]),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_bad_file_is_named(content: str, words: list[str], packed: bool, tmp_path: Path) -> None:
    if packed:
        with zipfile.ZipFile(tmp_path / "florence3d.zip", "w") as archive:
            archive.writestr(f"florence/{NAME}", content)
    else:
        (tmp_path / NAME).write_text(content, "utf-8")
    assert ("florence3d.zip" in str(refused(SOURCE, tmp_path, NAME, *words))) == packed


def test_action_that_the_data_set_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "a10_s1_id1.txt").write_text(joint_lines.text(GOOD), "utf-8")
    refused(SOURCE, tmp_path, "a10_s1_id1.txt", "action 10, the data set has 1 to 9")


@pytest.mark.parametrize("name", [None, "", "missing"])
def test_without_recordings_it_says_where_to_get_them(name: str | None, tmp_path: Path) -> None:
    error = refused(SOURCE, None if name is None else tmp_path / name)
    assert "University of Florence" in error.fix


def test_sample_reads_back(tmp_path: Path) -> None:
    SOURCE.write_sample(tmp_path)
    clips = list(clips_of(SOURCE, tmp_path))
    assert Counter(clip.label for clip in clips) == dict.fromkeys(range(9), 2)
    assert Counter(clip.subsets["xsub"] for clip in clips) == {"train": 9, "test": 9}

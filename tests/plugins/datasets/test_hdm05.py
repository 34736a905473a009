"""The cuts of HDM05 as distributed, and everything that can be wrong with them."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from starcli.contracts import Clip
from starcli.data import body
from starcli_plugins.datasets.mocap.hdm05 import Hdm05
from tests.plugins.datasets.clips import clips_of, folds_cover, refused, subset_counts

SOURCE = Hdm05(Hdm05.Settings())
JOINTS = {name: j for j, name in enumerate(Hdm05.layout.joints)}
NAME = "HDM_bd_squat1Reps_001_120.amc"


@pytest.fixture(scope="module")
def clips(shared: Path) -> list[Clip]:
    return list(clips_of(SOURCE, shared / "data" / "mocap" / "hdm05_cuts.zip"))


def clip_named(shared: Path, name: str) -> Clip:
    """One clip of the distribution, without reading the others."""
    raw = shared / "data" / "mocap" / "hdm05_cuts.zip"
    recording = next(r for r in SOURCE.recordings(raw) if r.name == f"HDM_{name}_120.amc")
    (clip,) = SOURCE.clips(recording)
    return clip


@pytest.fixture
def squat(tmp_path: Path) -> Path:
    """A folder with the sample's first actor doing one squat."""
    SOURCE.write_sample(tmp_path)
    for path in tmp_path.iterdir():
        if path.name not in (NAME, "HDM_bd.asf"):
            path.unlink()
    return tmp_path


@pytest.mark.slow
def test_totals_are_those_of_the_distribution(clips: list[Clip]) -> None:
    """287 clips of 11 actions by 5 actors, one by one."""
    totals = SOURCE.totals
    assert (len(clips), totals.clips, totals.subjects) == (287, 287, 5)
    assert totals.names is not None
    assert sorted(totals.names()) == sorted(clip.name for clip in clips)
    assert totals.subsets["xsub"] == subset_counts(clips, "xsub", 11)
    assert Counter(clip.subject for clip in clips) == {
        "bd": 62,
        "bk": 65,
        "dg": 61,
        "mm": 44,
        "tr": 55,
    }
    lengths = [len(clip.joints) for clip in clips]
    assert (min(lengths), max(lengths)) == (14, 226)


@pytest.mark.slow
def test_actors_train_and_test_as_in_the_folders_of_the_distribution(
    clips: list[Clip], shared: Path
) -> None:
    train = {clip.subject for clip in clips if clip.subsets["xsub"] == "train"}
    test = {clip.subject for clip in clips if clip.subsets["xsub"] == "test"}
    assert (train, test) == ({"bd", "bk", "dg"}, {"mm", "tr"})
    raw = shared / "data" / "mocap" / "hdm05_cuts.zip"
    for recording in SOURCE.recordings(raw):
        assert recording.member.split("/")[0] == (
            "train" if recording.name[4:6] in train else "test"
        )


@pytest.mark.slow
def test_bodies_are_upright_right_handed_and_possible(clips: list[Clip]) -> None:
    reports = [body.report(clip.joints.astype(np.float64), SOURCE.layout) for clip in clips]
    assert all(report.handed > 0.5 and not report.odd for report in reports)
    lying = SOURCE.classes.index("lie down on the floor")
    upright = [r for clip, r in zip(clips, reports, strict=True) if clip.label != lying]
    assert all(report.head_up == 1 for report in upright)
    assert all(0.42 < report.trunk < 0.62 for report in reports)
    assert max(report.step for report in reports) < 0.15


def test_sides_are_those_of_the_class_names(shared: Path) -> None:
    grab = body.report(
        clip_named(shared, "bd_grabHighR_001").joints.astype(np.float64), SOURCE.layout
    )
    assert grab.right_higher > 0.7 and grab.left_higher == 0
    kick = clip_named(shared, "bd_kickLFront1Reps_001").joints[:, 0]
    left, right = (kick[:, JOINTS[f"{side} ankle"], 1] for side in ("left", "right"))
    assert np.ptp(left) > 0.5 > 4 * np.ptp(right)


def test_lying_ends_on_the_floor(shared: Path) -> None:
    lying = clip_named(shared, "bd_lieDownFloor_001").joints[:, 0]
    head = lying[:, JOINTS["head"], 1]
    assert head[0] > 1.3
    assert head[-1] < 0.4


def test_frames_are_every_fourth_of_120_a_second(shared: Path) -> None:
    raw = shared / "data" / "mocap" / "hdm05_cuts.zip"
    with zipfile.ZipFile(raw) as archive:
        name = next(n for n in archive.namelist() if n.endswith(NAME))
        frames = sum(line.isdecimal() for line in archive.read(name).decode("latin-1").split("\n"))
    assert len(clip_named(shared, "bd_squat1Reps_001").joints) == -(-frames // 4)
    assert SOURCE.fps == 30


def test_clavicles_lie_a_quarter_of_the_way_to_the_shoulders(shared: Path) -> None:
    joints = clip_named(shared, "bd_squat1Reps_001").joints[:, 0]
    for side in ("left", "right"):
        centre, shoulder = joints[:, JOINTS["spine upper"]], joints[:, JOINTS[f"{side} shoulder"]]
        want = 0.75 * centre + 0.25 * shoulder
        np.testing.assert_allclose(joints[:, JOINTS[f"{side} clavicle"]], want, atol=1e-6)


def test_folds_leave_every_class_unseen_once() -> None:
    folds_cover(SOURCE, range(11))


def test_zip_and_unpacked_folder_are_the_same(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "data" / "mocap" / "hdm05_cuts.zip") as archive:
        folder = next(n for n in archive.namelist() if n.endswith(NAME)).rpartition("/")[0]
        archive.extract(f"{folder}/{NAME}", tmp_path)
        archive.extract(f"{folder}/HDM_bd.asf", tmp_path)
    (loose,) = clips_of(SOURCE, tmp_path)
    np.testing.assert_array_equal(loose.joints, clip_named(shared, "bd_squat1Reps_001").joints)
    assert [path.name for path in SOURCE.files(tmp_path)] == [NAME, "HDM_bd.asf"]


def test_the_skeleton_must_be_beside_the_motion(squat: Path) -> None:
    (squat / "HDM_bd.asf").rename(squat / "HDM_mm.asf")
    refused(SOURCE, squat, NAME, "needs HDM_bd.asf in the same folder")
    with zipfile.ZipFile(squat / "cuts.zip", "w") as archive:
        archive.write(squat / NAME, f"train/10/{NAME}")
        archive.write(squat / "HDM_mm.asf", "train/9/HDM_bd.asf")
    refused(SOURCE, squat / "cuts.zip", f"train/10/{NAME}", "needs HDM_bd.asf")


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        (NAME, "lfemur", "femur", [f"{NAME}:", "'femur"]),
        (NAME, "21\nroot", "21\nnothing\nroot", ["'nothing'"]),
        ("HDM_bd.asf", "lfemur", "femur", ["lfemur"]),
        ("HDM_bd.asf", ":hierarchy", "", ["HDM_bd.asf", "has no section :hierarchy"]),
        ("HDM_bd.asf", "length 0.45", "length none", ["HDM_bd.asf:2", "'none'"]),
    ],
)
def test_bad_file_is_named(file: str, old: str, new: str, words: list[str], squat: Path) -> None:
    text = (squat / file).read_text("utf-8")
    assert old in text
    (squat / file).write_text(text.replace(old, new, 1), "utf-8")
    refused(SOURCE, squat, *words)


def test_a_cut_file_is_named(squat: Path) -> None:
    text = (squat / NAME).read_text("utf-8")
    (squat / NAME).write_text(text[: text.index("\n11\n")] + "\n11\nroot 0 0 0 0 0 0\n", "utf-8")
    error = refused(SOURCE, squat, NAME, "has no values of lowerback")
    assert error.frame == 11


@pytest.mark.parametrize("name", ["HDM_bd_fly_001_120.amc", "HDM_xx_squat1Reps_001_120.amc"])
def test_action_or_actor_that_the_data_set_does_not_have(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("", "utf-8")
    refused(SOURCE, tmp_path, name, "is not in the data set")


def test_skeletons_alone_are_no_recordings(squat: Path) -> None:
    (squat / NAME).unlink()
    assert "CC BY-SA 3.0" in refused(SOURCE, squat, "no recordings here").fix


def test_sample_reads_back(tmp_path: Path) -> None:
    SOURCE.write_sample(tmp_path)
    clips = list(clips_of(SOURCE, tmp_path))
    assert Counter(clip.label for clip in clips) == dict.fromkeys(range(11), 2)
    assert Counter(clip.subsets["xsub"] for clip in clips) == {"train": 11, "test": 11}
    assert {len(clip.joints) for clip in clips} == {6}  # of 21 frames

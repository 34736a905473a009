"""Bandai-Namco-Research-Motiondataset as distributed, and what can be wrong with it."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from starcli.contracts import Clip
from starcli.data import body
from starcli.poses import Poses
from starcli_plugins.datasets.mocap.bandai_namco import STYLES, BandaiNamco
from starcli_plugins.layouts import SMPL_22
from starcli_plugins.readers.bvh_samples import sample
from tests.plugins.datasets.clips import clips_of, folds_cover, refused, subset_counts

SOURCE = BandaiNamco(BandaiNamco.Settings())
NAME = "dataset-1_walk-back_sad_001.bvh"
JOINTS = {name: j for j, name in enumerate(SMPL_22.joints)}
CENTIMETRES = np.random.default_rng(0).normal(size=(6, 1, 22, 3)) * 50
GOOD = sample(Poses(CENTIMETRES, SMPL_22.name, fps=30))


@pytest.fixture(scope="module")
def clips(shared: Path) -> list[Clip]:
    return list(clips_of(SOURCE, shared / "data" / "mocap" / "bandai_namco.zip"))


def clip_named(shared: Path, name: str) -> Clip:
    """One clip of the distribution, without reading the others."""
    raw = shared / "data" / "mocap" / "bandai_namco.zip"
    recording = next(r for r in SOURCE.recordings(raw) if r.name == f"dataset-{name}.bvh")
    (clip,) = SOURCE.clips(recording)
    return clip


@pytest.mark.slow
def test_totals_are_those_of_what_is_read(clips: list[Clip]) -> None:
    totals = SOURCE.totals
    assert (len(clips), totals.clips, totals.subjects) == (639, 639, None)
    assert totals.names is not None
    assert sorted(totals.names()) == sorted(clip.name for clip in clips)
    assert totals.subsets["xtake"] == subset_counts(clips, "xtake", 24)
    counts = Counter(SOURCE.classes[clip.label] for clip in clips)
    assert (counts["walk"], counts["run"], counts["raise up left hand"]) == (54, 67, 76)
    assert {name for name, count in counts.items() if count == 1} == {"respond", "kick", "dance"}


@pytest.mark.slow
def test_bodies_are_upright_right_handed_and_as_large_as_people_are(clips: list[Clip]) -> None:
    reports = [body.report(clip.joints.astype(np.float64), SOURCE.layout) for clip in clips]
    assert all(report.head_up > 0.5 and not report.odd for report in reports)
    assert all(report.handed > 0.5 for report in reports)
    assert 1.3 < np.median([report.height for report in reports]) < 1.7


@pytest.mark.slow
def test_the_hand_that_is_named_is_the_higher_one(clips: list[Clip]) -> None:
    for clip in clips:
        words = SOURCE.classes[clip.label].split()
        report = body.report(clip.joints.astype(np.float64), SOURCE.layout)
        if "left" in words and "hand" in words:
            assert report.left_higher > 0.4 and report.right_higher == 0, clip.name
        if "right" in words and "hand" in words:
            assert report.right_higher > 0.4 and report.left_higher == 0, clip.name


def test_styles_and_numbers_train_and_test_by_turns() -> None:
    """The first clip of `normal` trains, the second tests; the first of the next style tests."""
    train = {
        SOURCE.classes[label]
        for label, count in enumerate(SOURCE.totals.subsets["xtake"]["train"])
        if count
    }
    assert train == set(SOURCE.classes)
    counts = dict(
        zip(
            SOURCE.classes,
            zip(*(SOURCE.totals.subsets["xtake"][s] for s in ("train", "test")), strict=True),
            strict=True,
        )
    )
    # 15 styles once: 8 and 7; 2 numbers of 15 styles: 15 and 15, and 24 of set 2: 12 and 12.
    assert counts["bow"] == (8, 7)
    assert counts["walk"] == (27, 27)
    assert counts["wave left hand"] == (16, 15)
    assert (counts["punch"], counts["kick"]) == ((1, 1), (1, 0))


def test_folds_leave_every_class_of_two_clips_unseen_once() -> None:
    single = {SOURCE.classes.index(name) for name in ("respond", "kick", "dance")}
    folds_cover(SOURCE, sorted(set(range(24)) - single))


def test_walks_and_turns_go_where_they_are_called(shared: Path) -> None:
    """Facing +z, left is +x: turning left the angle of facing from z to x grows."""

    def facing(clip: Clip) -> npt.NDArray[np.float64]:
        joints = clip.joints[:, 0].astype(np.float64)
        toes = sum(
            joints[:, JOINTS[f"{s} foot"]] - joints[:, JOINTS[f"{s} ankle"]]
            for s in ("left", "right")
        )
        return np.asarray(toes)

    for name, sign in (("2_walk-turn-left_normal_001", 1), ("2_walk-turn-right_normal_001", -1)):
        ahead = facing(clip_named(shared, name))
        angle = np.unwrap(np.arctan2(ahead[:, 0], ahead[:, 2]))
        assert 1.2 < sign * (angle[-1] - angle[0]) < 2.2
    back = clip_named(shared, "1_walk-back_angry_001")
    steps = np.diff(back.joints[:, 0, JOINTS["spine base"]].astype(np.float64), axis=0)
    assert (steps * facing(back)[1:]).sum(-1).mean() < 0


def test_positions_are_metres_turned_to_the_camera(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(GOOD, "utf-8")
    (clip,) = clips_of(SOURCE, tmp_path)
    assert (clip.name, clip.subject) == ("1_walk-back_sad_001", "sad")
    assert (SOURCE.classes[clip.label], clip.subsets) == ("walk back", {"xtake": "train"})
    want = CENTIMETRES[:, 0] * [-0.01, 0.01, -0.01]
    sided = [place for name, place in JOINTS.items() if "spine" not in name]
    np.testing.assert_allclose(clip.joints[:, 0, sided], want[:, sided], atol=1e-4)


def test_the_lower_spine_is_put_between_its_neighbours(shared: Path) -> None:
    joints = clip_named(shared, "1_bow_active_001").joints[:, 0]
    lower, base, mid = (joints[:, JOINTS[f"spine {n}"]] for n in ("lower", "base", "mid"))
    np.testing.assert_allclose(lower, (base + mid) / 2, atol=1e-6)


def test_other_styles_of_set_2_and_the_long_dance_are_left_out(tmp_path: Path) -> None:
    for name in ("2_walk_active_001", "1_dance-long_normal_001", "2_walk_normal_001"):
        (tmp_path / f"dataset-{name}.bvh").write_text(GOOD, "utf-8")
    assert [clip.name for clip in clips_of(SOURCE, tmp_path)] == ["2_walk_normal_001"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["has no motion"]),
        (GOOD[: len(GOOD) // 2], ["frames, got"]),
        (GOOD[: GOOD.index("MOTION")], ["has no motion"]),
        (GOOD.replace("Hips", "Thing").replace("Head", "Lamp"), ["no joint found for head"]),
        (GOOD.rsplit("\n", 2)[0] + "\n1 2 3\n", ["frame 6", "got 3"]),
    ],
)
def test_bad_file_is_named(content: str, words: list[str], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bandai_namco.zip", "w") as archive:
        archive.writestr(f"data/{NAME}", content)
    refused(SOURCE, tmp_path, NAME, *words)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(GOOD.encode() + b"\xff")
    refused(SOURCE, tmp_path, NAME, "not UTF-8")


@pytest.mark.parametrize("name", ["dataset-1_fly_sad_001.bvh", "dataset-1_walk_blue_001.bvh"])
def test_content_or_style_that_the_data_set_does_not_have(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(GOOD, "utf-8")
    refused(SOURCE, tmp_path, name, "is not a content or style")


def test_without_recordings_it_says_where_to_get_them() -> None:
    assert "CC BY-NC 4.0" in refused(SOURCE, None, "bandai-namco needs its recordings").fix


def test_sample_reads_back(tmp_path: Path) -> None:
    SOURCE.write_sample(tmp_path)
    clips = list(clips_of(SOURCE, tmp_path))
    assert {clip.label for clip in clips} == set(range(24))
    assert {clip.subsets["xtake"] for clip in clips} == {"train", "test"}
    assert len(STYLES) == len(set(STYLES)) == 15

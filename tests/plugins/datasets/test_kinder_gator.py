"""Kinder-Gator as distributed, and everything that can be wrong with it."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from starcli.contracts import Clip
from starcli.data import body
from starcli_plugins.datasets.kinect.kinder_gator import MERGED, KinderGator
from tests.plugins.datasets.clips import clips_of, folds_cover, refused, subset_counts

SOURCE = KinderGator(KinderGator.Settings())
NAME = "POSE-p577_04-Wave-your-other-hand-1469182460147.csv"
JOINTS = {name: j for j, name in enumerate(KinderGator.layout.joints)}
Values = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def clips(shared: Path) -> list[Clip]:
    return list(clips_of(SOURCE, shared / "data" / "kinect" / "kinder_gator.zip"))


@pytest.fixture(scope="module")
def header(shared: Path) -> str:
    """The first line of a file of the distribution."""
    with zipfile.ZipFile(shared / "data" / "kinect" / "kinder_gator.zip") as archive:
        name = next(n for n in archive.namelist() if "p577_04" in n)
        return archive.read(name).decode().splitlines()[0]


def table(header: str, joints: Values) -> str:
    """A file of joints [frames, 20, 3]."""
    rows = [
        f"{32 * n},{','.join(f'{x:.5f}' for x in frame.ravel())},577,Wave-your-other-hand,"
        for n, frame in enumerate(joints)
    ]
    return "\n".join([header, *rows]) + "\n"


def standing(frames: int, level: bool) -> Values:
    """Somebody whose arms are level at first, or hang; x of the hip counts the frames."""
    joints = np.zeros((frames, 20, 3))
    for side, sign in (("left", -1), ("right", 1)):
        joints[:, JOINTS[f"{side} shoulder"]] = (0.2 * sign, 0.5, 2)
        joints[:, JOINTS[f"{side} wrist"]] = (0.25 * sign, 0, 2)
        if level:
            joints[0, JOINTS[f"{side} wrist"]] = (0.7 * sign, 0.4, 2)
    joints[:, JOINTS["hip centre"], 0] = np.arange(frames) / 1000
    return joints


@pytest.mark.slow
def test_totals_are_those_of_the_distribution(clips: list[Clip]) -> None:
    """1,159 clips: 58 motions by 20 people but for one, one by one."""
    totals = SOURCE.totals
    assert (len(clips), totals.clips, totals.subjects, totals.views) == (1159, 1159, 20, 1)
    assert totals.names is not None
    assert sorted(totals.names()) == sorted(clip.name for clip in clips)
    for protocol in ("xsub", "xage"):
        assert totals.subsets[protocol] == subset_counts(clips, protocol, 28)
    counts = Counter(SOURCE.classes[clip.label] for clip in clips)
    assert (counts["jump"], counts["swim"], counts["kick a ball"]) == (39, 20, 80)
    assert counts["draw in the air"] == counts["make a letter with the body"] == 160


@pytest.mark.slow
def test_bodies_are_upright_and_right_handed(clips: list[Clip]) -> None:
    reports = [body.report(clip.joints.astype(np.float64), SOURCE.layout) for clip in clips]
    assert all(report.head_up > 0.5 for report in reports)
    assert sum(report.handed > 0.5 for report in reports) == 1158
    assert 1.2 < np.median([report.height for report in reports]) < 1.7


@pytest.mark.slow
def test_no_clip_begins_with_arms_as_high_as_the_shoulders(clips: list[Clip]) -> None:
    """Once the T-pose is cut, arms hang in most first frames."""
    low = [
        clip.joints[0, 0, [JOINTS["left wrist"], JOINTS["right wrist"]], 1].max()
        < clip.joints[0, 0, JOINTS["shoulder centre"], 1] - 0.2
        for clip in clips
    ]
    assert np.mean(low) > 0.85


def test_motions_of_each_class_are_those_that_were_asked_for() -> None:
    words = [word for group in MERGED.values() for word in group]
    assert len(words) == len(set(words)) == 58
    assert len(MERGED) == 28
    assert all("other" not in name and "as-you-can" not in name for name in MERGED)


def test_half_of_the_adults_and_of_the_children_train() -> None:
    """Five of ten adults, five of ten children; who misses one jump, an adult, trains."""
    counts, ages = SOURCE.totals.subsets["xsub"], SOURCE.totals.subsets["xage"]
    swim, jump = (SOURCE.classes.index(name) for name in ("swim", "jump"))
    assert (counts["train"][swim], counts["test"][swim]) == (10, 10)
    assert (ages["train"][jump], ages["test"][jump]) == (19, 20)
    assert (counts["train"][jump], counts["test"][jump]) == (19, 20)


@pytest.mark.parametrize(
    ("person", "subsets"),
    [
        (565, {"xsub": "train", "xage": "train"}),
        (577, {"xsub": "test", "xage": "train"}),
        (103, {"xsub": "train", "xage": "test"}),
        (723, {"xsub": "test", "xage": "test"}),
    ],
)
def test_protocols_by_hand(
    person: int, subsets: dict[str, str], header: str, tmp_path: Path
) -> None:
    (tmp_path / f"POSE-p{person}_05-Bow-1.csv").write_text(table(header, standing(9, False)))
    (clip,) = clips_of(SOURCE, tmp_path)
    assert (clip.name, clip.subject, clip.subsets) == (f"p{person}_Bow", f"p{person}", subsets)


def test_folds_leave_every_class_unseen_once() -> None:
    folds_cover(SOURCE, range(28))


@pytest.mark.parametrize(
    ("frames", "level", "cut"),
    [(100, True, 25), (400, True, 40), (3, True, 0), (100, False, 0)],
)
def test_a_t_pose_is_cut_with_the_first_quarter(
    frames: int, level: bool, cut: int, header: str, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_text(table(header, standing(frames, level)))
    (clip,) = clips_of(SOURCE, tmp_path)
    numbers = np.rint(clip.joints[:, 0, JOINTS["hip centre"], 0] * 1000)
    assert numbers.tolist() == list(range(cut, frames))


def test_columns_are_read_by_name(header: str, tmp_path: Path) -> None:
    joints = np.random.default_rng(0).normal(size=(2, 20, 3))
    (tmp_path / NAME).write_text(table(header, joints))
    (clip,) = clips_of(SOURCE, tmp_path)
    assert SOURCE.classes[clip.label] == "wave hand"
    columns = header.split(",")
    for joint, column in {
        "hip centre": "HipCenter",
        "spine": "Spine",
        "head": "Head",
        "left hand": "HandLeft",
        "right foot": "FootRight",
    }.items():
        place = (columns.index(f"{column}X") - 1) // 3
        np.testing.assert_allclose(clip.joints[:, 0, JOINTS[joint]], joints[:, place], atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "", ["has no column HipCenterX"]),
        (lambda text: text.replace("HandLeftY", "Hand"), ["has no column HandLeftY", ":1"]),
        (lambda text: text[:-40], [":10", "expected 64 cells"]),
        (lambda text: text.split("\n")[0], ["has no frames"]),
        (lambda text: text.replace(",0.00000,", ",zero,", 1), [":2", "'zero'"]),
        (lambda text: text.replace(",0.00000,", ",nan,", 1), ["frame 1", "nan"]),
    ],
)
def test_bad_file_is_named(
    change: Callable[[str], str], words: list[str], header: str, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "kinder_gator.zip", "w") as archive:
        archive.writestr(f"Adults/{NAME}", change(table(header, standing(9, False))))
    refused(SOURCE, tmp_path, NAME, *words)


@pytest.mark.parametrize("name", ["POSE-p577_01-Fly-1.csv", "POSE-p1_01-Bow-1.csv"])
def test_motion_or_person_that_the_data_set_does_not_have(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("")
    refused(SOURCE, tmp_path, name, "is not in the data set")


def test_without_recordings_it_says_where_to_get_them() -> None:
    assert "hayeesha/Kinder-Gator" in refused(SOURCE, None, "kinder-gator needs").fix


def test_sample_reads_back(tmp_path: Path) -> None:
    SOURCE.write_sample(tmp_path)
    clips = list(clips_of(SOURCE, tmp_path))
    assert Counter(clip.label for clip in clips) == dict.fromkeys(range(28), 2)
    assert Counter(clip.subsets["xsub"] for clip in clips) == {"train": 28, "test": 28}
    assert Counter(clip.subsets["xage"] for clip in clips) == {"train": 28, "test": 28}

"""UTD-MHAD as distributed, and everything that can be wrong with it."""

from __future__ import annotations

import io
import itertools
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from starcli.contracts import Clip
from starcli.errors import DataError
from starcli_plugins.datasets.utd_mhad import UtdMhad

SOURCE = UtdMhad(UtdMhad.Settings())
NAME = "a7_s3_t2_skeleton.mat"
GOOD = np.random.default_rng(0).normal(size=(20, 3, 41))
JOINTS = {name: j for j, name in enumerate(UtdMhad.layout.joints)}


def clips_of(raw: Path | None) -> Iterator[Clip]:
    return (clip for recording in SOURCE.recordings(raw) for clip in SOURCE.clips(recording))


@pytest.fixture(scope="module")
def clips(shared: Path) -> list[Clip]:
    return list(clips_of(shared / "data" / "utd_mhad" / "Skeleton.zip"))


def changed(frame: int, joint: int, value: float) -> np.ndarray[Any, Any]:
    out = GOOD.copy()
    out[joint, 1, frame] = value
    return out


def mat(**variables: Any) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, variables)
    return buffer.getvalue()


def refused(raw: Path | None, *said: str) -> DataError:
    """The error of reading `raw`, once it is known to say what, where and what next."""
    with pytest.raises(DataError) as caught:
        list(clips_of(raw))
    assert caught.value.exit_code == 3
    for words in said:
        assert words in str(caught.value)
    assert caught.value.fix, f"no next step: {caught.value}"
    return caught.value


def test_counts_are_the_published_ones(clips: list[Clip]) -> None:
    assert len(clips) == 861
    assert len({clip.name for clip in clips}) == 861
    assert {clip.subject for clip in clips} == {f"s{n}" for n in range(1, 9)}
    per_class = Counter(clip.label for clip in clips)
    # 8 subjects times 4 trials; a8_s1_t4, a23_s6_t4 and a27_s8_t4 do not exist.
    assert per_class == {label: 31 if label in (7, 22, 26) else 32 for label in range(27)}


def test_totals_are_those_of_the_distribution(clips: list[Clip]) -> None:
    """861 clips in 27 classes by 8 people, one by one, and where they are on which subset."""
    totals = SOURCE.totals
    assert (totals.clips, totals.subjects, totals.views) == (861, 8, 1)
    assert totals.names is not None
    assert set(totals.names()) == {clip.name for clip in clips}
    for subset in ("train", "test"):
        found = Counter(clip.label for clip in clips if clip.subsets["xsub"] == subset)
        assert totals.subsets["xsub"][subset] == [found[label] for label in range(27)]
    counts = totals.counts("xsub", SOURCE.splits["fold0"])
    assert counts is not None
    assert (counts.train, counts.test) == (431, 430)


def test_a_name_in_other_case_is_named_a28(tmp_path: Path) -> None:
    (tmp_path / "A1_S1_T1_SKELETON.MAT").write_bytes(b"")
    with pytest.raises(DataError, match="is not a name of the form aX_sY_tZ") as caught:
        list(clips_of(tmp_path))
    assert str(caught.value.file).endswith("A1_S1_T1_SKELETON.MAT")


def test_odd_subjects_train_and_even_ones_test(clips: list[Clip]) -> None:
    assert all(set(clip.subsets) == {"xsub"} for clip in clips)
    assert Counter(clip.subsets["xsub"] for clip in clips) == {"train": 431, "test": 430}
    train = {clip.subject for clip in clips if clip.subsets["xsub"] == "train"}
    assert train == {"s1", "s3", "s5", "s7"}


def test_clips_are_float32_of_one_person_within_the_published_lengths(clips: list[Clip]) -> None:
    assert {clip.joints.dtype for clip in clips} == {np.dtype(np.float32)}
    assert {clip.joints.shape[1:] for clip in clips} == {(1, 20, 3)}
    lengths = [len(clip.joints) for clip in clips]
    assert (min(lengths), max(lengths)) == (41, 125)


def test_labels_follow_the_file_names(clips: list[Clip]) -> None:
    assert all(clip.name.startswith(f"a{clip.label + 1}_{clip.subject}_t") for clip in clips)
    assert SOURCE.classes[clips[0].label] == "right hand draw circle (counter clockwise)"
    assert [clip.name for clip in clips] == sorted(clip.name for clip in clips)


def test_known_coordinates_stand_under_the_right_joints(clips: list[Clip]) -> None:
    clip = next(clip for clip in clips if clip.name == "a10_s1_t1")
    head = [-0.12486531, 0.49349073, 2.87606621]
    np.testing.assert_allclose(clip.joints[0, 0, JOINTS["head"]], head, rtol=1e-6)


def test_joints_are_where_a_body_has_them(clips: list[Clip]) -> None:
    height = np.concatenate([clip.joints[:, 0, :, 1] for clip in clips])
    across = np.concatenate([clip.joints[:, 0, :, 0] for clip in clips])

    def above(upper: str, lower: str) -> float:
        return float((height[:, JOINTS[upper]] > height[:, JOINTS[lower]]).mean())

    torso = ["head", "shoulder centre", "spine", "hip centre", "left knee", "left ankle"]
    for upper, lower in pairwise(torso):
        assert above(upper, lower) > 0.97, (upper, lower)
    # The subjects face the camera, so every left joint lies on the same subset of its right one.
    for joint in ("shoulder", "hip", "knee"):
        left, right = across[:, JOINTS[f"left {joint}"]], across[:, JOINTS[f"right {joint}"]]
        assert (left < right).mean() > 0.95, joint


def test_bones_keep_their_length(clips: list[Clip]) -> None:
    joints = np.concatenate([clip.joints[:, 0] for clip in clips])
    for child, parent in SOURCE.layout.bones:
        length = np.linalg.norm(joints[:, child] - joints[:, parent], axis=1)
        assert length.mean() < 0.55, (child, parent)
        assert length.std() < 0.1, (child, parent)


def test_right_hand_moves_most_where_the_name_says_right_hand(clips: list[Clip]) -> None:
    for label in (2, 7, 8, 9):
        moved = {
            subset: np.mean(
                [
                    c.joints[:, 0, JOINTS[f"{subset} hand"]].std(0).sum()
                    for c in clips
                    if c.label == label
                ]
            )
            for subset in ("left", "right")
        }
        assert moved["right"] > 2 * moved["left"], SOURCE.classes[label]


def test_folds_leave_every_class_unseen_once() -> None:
    unseen = Counter(c for fold in SOURCE.splits.values() for c in fold)

    assert list(SOURCE.splits) == [f"fold{n}" for n in range(5)]
    assert unseen == Counter(range(27))
    assert SOURCE.splits["fold0"] == (3, 5, 10, 14, 17)
    assert SOURCE.splits["fold3"] == (6, 9, 11, 15, 20, 26)
    assert SOURCE.preset["dataset.protocol"] in SOURCE.protocols
    assert SOURCE.preset["dataset.split"] in SOURCE.splits


def test_zip_its_folder_and_an_unpacked_folder_are_the_same(shared: Path, tmp_path: Path) -> None:
    chosen = ["a1_s1_t1", "a27_s8_t3", "a10_s2_t4", "a8_s1_t3"]
    zipped, loose = tmp_path / "zipped", tmp_path / "loose"
    zipped.mkdir()
    with (
        zipfile.ZipFile(shared / "data" / "utd_mhad" / "Skeleton.zip") as source,
        zipfile.ZipFile(zipped / "Skeleton.zip", "w") as target,
    ):
        for name in chosen:
            member = f"Skeleton/{name}_skeleton.mat"
            target.writestr(member, source.read(member))
            source.extract(member, loose)
    before = sorted(tmp_path.rglob("*"))
    forms = [list(clips_of(raw)) for raw in (zipped / "Skeleton.zip", zipped, loose)]

    assert [clip.name for clip in forms[0]] == sorted(chosen)
    for other in forms[1:]:
        for one, two in zip(forms[0], other, strict=True):
            assert (one.name, one.label, one.subsets) == (two.name, two.label, two.subsets)
            np.testing.assert_array_equal(one.joints, two.joints)
    assert sorted(tmp_path.rglob("*")) == before


def test_reading_leaves_the_distributed_folder_alone(shared: Path) -> None:
    folder = shared / "data" / "utd_mhad"
    assert len(list(clips_of(folder))) == 861
    assert [path.name for path in folder.iterdir()] == ["Skeleton.zip"]


def test_joints_become_float32_in_the_order_of_the_layout(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(mat(d_skel=GOOD))
    (clip,) = clips_of(tmp_path)

    assert (clip.name, clip.label, clip.subject) == ("a7_s3_t2", 6, "s3")
    raw = {
        "head": 0,
        "shoulder centre": 1,
        "spine": 2,
        "hip centre": 3,
        "left shoulder": 4,
        "right hand": 11,
        "right foot": 19,
    }
    for joint, row in raw.items():
        want = GOOD[row].T.astype(np.float32)
        np.testing.assert_array_equal(clip.joints[:, 0, JOINTS[joint]], want)


def test_clip_of_one_frame_is_valid(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(mat(d_skel=GOOD[:, :, :1]))
    assert [clip.joints.shape for clip in clips_of(tmp_path)] == [(1, 1, 20, 3)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (mat(skel=GOOD), ["d_skel"]),
        (mat(d_skel=GOOD[:19]), ["d_skel", "[19, 3, 41]"]),
        (mat(d_skel=GOOD[:, :2]), ["[20, 2, 41]"]),
        (mat(d_skel=GOOD.transpose(2, 0, 1)), ["[41, 20, 3]"]),
        (mat(d_skel=GOOD[0]), ["[3, 41]"]),
        (mat(d_skel=GOOD + 1j), ["complex"]),
        (mat(d_skel="text"), ["d_skel"]),
        (mat(d_skel={"joints": GOOD}), ["d_skel"]),
        (mat(d_skel=changed(4, 0, np.nan)), ["frame 5", "head", "nan"]),
        (mat(d_skel=changed(40, 3, np.inf)), ["frame 41", "hip centre", "inf"]),
        (mat(d_skel=changed(0, 4, -np.inf)), ["frame 1", "left shoulder", "inf"]),
        (mat(d_skel=changed(0, 4, 1234.5)), ["frame 1", "1234.5", "metres"]),
        (mat(d_skel=np.zeros((20, 3, 0))), ["frames"]),
        (mat(d_skel=GOOD)[:2000], ["not a readable MATLAB file"]),
        (mat(d_skel=GOOD)[:100], ["not a readable MATLAB file"]),
        (b"", ["not a readable MATLAB file"]),
        (b"<html>please log in</html>" * 20, ["not a readable MATLAB file"]),
    ],
    ids=itertools.count(),
)
@pytest.mark.parametrize("packed", [True, False])
def test_bad_file_is_named(content: bytes, said: list[str], packed: bool, tmp_path: Path) -> None:
    if packed:
        with zipfile.ZipFile(tmp_path / "Skeleton.zip", "w") as archive:
            archive.writestr(f"Skeleton/{NAME}", content)
    else:
        (tmp_path / NAME).write_bytes(content)

    error = refused(tmp_path, NAME, *said)

    assert ("Skeleton.zip" in str(error)) == packed
    assert (error.frame is None) == (not any("frame " in words for words in said))


@pytest.mark.parametrize("action", [0, 28])
def test_action_out_of_range(action: int, tmp_path: Path) -> None:
    (tmp_path / f"a{action}_s1_t1_skeleton.mat").write_bytes(mat(d_skel=GOOD))
    refused(tmp_path, f"a{action}_s1_t1_skeleton.mat", f"a{action}")


@pytest.mark.parametrize("name", [None, "", "missing"])
def test_without_recordings_it_says_where_to_request_them(name: str | None, tmp_path: Path) -> None:
    error = refused(None if name is None else tmp_path / name)
    assert "utdallas.edu" in error.fix and "Skeleton.zip" in error.fix


def test_truncated_zip_says_where_to_request_it(shared: Path, tmp_path: Path) -> None:
    path = tmp_path / "Skeleton.zip"
    shutil.copy(shared / "data" / "utd_mhad" / "Skeleton.zip", path)
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.truncate(10_000_000)

    assert "utdallas.edu" in refused(path, "Skeleton.zip", "zip").fix


def test_sample_reads_back(tmp_path: Path) -> None:
    SOURCE.write_sample(tmp_path)
    clips = list(clips_of(tmp_path))

    assert Counter(clip.label for clip in clips) == dict.fromkeys(range(27), 2)
    assert Counter(clip.subsets["xsub"] for clip in clips) == {"train": 27, "test": 27}
    assert len({clip.name for clip in clips}) == 54

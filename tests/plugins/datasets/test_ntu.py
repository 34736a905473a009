"""NTU RGB+D from every form it comes in, and what may be wrong with them."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from starcli.contracts import BadClip, Clip, NoSettings, Recording
from starcli.data.normalise import centre
from starcli.errors import DataError
from starcli_plugins.datasets.ntu import annotations as ntu_annotations
from starcli_plugins.datasets.ntu import ctr_npz, sample, skeleton_files
from starcli_plugins.datasets.ntu.source import Ntu60, Ntu120

SIXTY, BOTH = Ntu60(NoSettings()), Ntu120(NoSettings())
NAMES = ("S001C001P001R001A001", "S001C002P003R002A055", "S017C003P008R001A060")


def rows_of(source: Ntu60 | Ntu120, raw: Path | None) -> Iterator[Clip | BadClip]:
    for recording in source.recordings(raw):
        yield from source.clips(recording)


def clips_of(source: Ntu60 | Ntu120, raw: Path | None) -> Iterator[Clip]:
    for clip in rows_of(source, raw):
        assert isinstance(clip, Clip)
        yield clip


def unpacked(folder: Path, *names: str) -> Path:
    for depth, name in enumerate(names):
        path = folder.joinpath(*["deep"] * depth, f"{name}.skeleton")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample.text(name, 20))
    return folder


def refused(source: Ntu60 | Ntu120, raw: Path | None, *said: str) -> None:
    with pytest.raises(DataError) as caught:
        for clip in rows_of(source, raw):
            if isinstance(clip, BadClip):
                raise clip.error
    for words in said:
        assert words in f"{caught.value} {caught.value.fix}"


def test_a_clip_is_what_its_name_says(tmp_path: Path) -> None:
    one, two, three = clips_of(SIXTY, unpacked(tmp_path, *NAMES))
    assert [c.name for c in (one, two, three)] == list(NAMES)
    assert [c.label for c in (one, two, three)] == [0, 54, 59]
    assert [c.subject for c in (one, two, three)] == ["P001", "P003", "P008"]
    assert one.subsets == {"xsub": "train", "xview": "test"}
    assert two.subsets == {"xsub": "test", "xview": "train"}
    assert [c.joints.shape for c in (one, two)] == [(20, 1, 25, 3), (20, 2, 25, 3)]
    assert not one.joints[0, 0, 1].any()  # mid-spine at the origin


@pytest.mark.slow
def test_zips_and_folders_hold_the_same_clips(tmp_path: Path) -> None:
    loose, zips = tmp_path / "loose", tmp_path / "zips"
    zips.mkdir()
    SIXTY.write_sample(zips)
    with zipfile.ZipFile(next(zips.iterdir())) as archive:
        archive.extractall(loose)
    for one, other in zip(clips_of(SIXTY, zips), clips_of(SIXTY, loose), strict=True):
        assert (one.name, one.label, one.subsets) == (other.name, other.label, other.subsets)
        np.testing.assert_array_equal(one.joints, other.joints)


@pytest.mark.slow
def test_clips_of_the_addition_are_not_of_sixty(tmp_path: Path) -> None:
    BOTH.write_sample(tmp_path)
    assert {r.name[:4] for r in SIXTY.recordings(tmp_path)} == {"S001", "S002"}
    assert {r.name[:4] for r in BOTH.recordings(tmp_path)} == {"S001", "S002", "S018", "S019"}
    assert len(BOTH.recordings(tmp_path)) == 240


@pytest.mark.slow
@pytest.mark.parametrize("setup", [1, 18])
def test_half_of_120_names_the_other_zip(setup: int, tmp_path: Path) -> None:
    BOTH.write_sample(tmp_path)
    path = tmp_path / sample.ZIPS[setup]
    refused(BOTH, path, "half", sample.ZIPS[19 - setup])


def test_clips_on_the_official_missing_list_are_left_out(tmp_path: Path) -> None:
    unpacked(tmp_path, "S001C002P005R002A008", "S001C002P005R002A009")
    assert [r.name for r in SIXTY.recordings(tmp_path)] == ["S001C002P005R002A009.skeleton"]


def pickled(folder: Path, *clips: Clip) -> Path:
    path = folder / "ntu120_3danno.pkl"
    split = {"xsub_train": [clip.name for clip in clips], "xsub_val": []}
    ntu_annotations.write(path, [(clip.name, clip.label, clip.joints) for clip in clips], split)
    return path


def test_the_missing_list_is_for_annotations_too(tmp_path: Path) -> None:
    """Listed clips, and those of the addition, are left out of both forms without a look."""
    names = "S001C002P005R002A008", "S001C002P005R002A009", "S018C001P041R001A061"
    folder = unpacked(tmp_path / "raw", *names)
    joints = np.ones((3, 1, 25, 3), np.float32)
    listed = [Clip(name, joints * n, n, {}, "") for n, name in zip((7, 8, 60), names, strict=True)]
    for raw in (folder, pickled(tmp_path, *listed)):
        assert [clip.name for clip in clips_of(SIXTY, raw)] == ["S001C002P005R002A009"]


def test_hidden_files_are_no_recordings(tmp_path: Path) -> None:
    folder = unpacked(tmp_path, NAMES[0])
    (folder / f"._{NAMES[0]}.skeleton").write_bytes(b"what a system notes")
    assert [r.name for r in SIXTY.recordings(folder)] == [f"{NAMES[0]}.skeleton"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("S001C001P001R001A061", "A001 to A060"),
        ("S001C004P001R001A001", "C001 to C003"),
        ("S001C001P107R001A001", "P001 to P040"),
        ("S001C001P041R001A001", "P001 to P040"),
        ("S033C001P001R001A001", "S001 to S017"),
        ("walking", "SsssCcccPpppRrrrAaaa"),
    ],
)
def test_other_names_are_refused_a25_a26(name: str, said: str, tmp_path: Path) -> None:
    shutil.copy(
        unpacked(tmp_path / "good", NAMES[0]) / f"{NAMES[0]}.skeleton",
        tmp_path / "good" / f"{name}.skeleton",
    )
    refused(SIXTY, tmp_path / "good", said, f"{name}.skeleton")


def test_a_damaged_file_names_line_and_frame(tmp_path: Path) -> None:
    path = unpacked(tmp_path, NAMES[0]) / f"{NAMES[0]}.skeleton"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError) as caught:
        list(clips_of(SIXTY, tmp_path))
    assert caught.value.file == str(path)
    assert (caught.value.line or 0) > 2
    assert caught.value.frame == 1


def test_nothing_named_says_where_to_request_them() -> None:
    refused(SIXTY, None, "rose1.ntu.edu.sg")
    refused(BOTH, None, "s018_to_s032")


def test_the_arrays_of_ctr_gcn_hold_the_clips_of_one_protocol(tmp_path: Path) -> None:
    train, test, _ = clips_of(SIXTY, unpacked(tmp_path / "raw", *NAMES))
    path = tmp_path / "NTU60_CS.npz"
    ctr_npz.write(path, [(train.label, train.joints)], [(test.label, test.joints)])
    for raw in (path, tmp_path):
        found = {clip.subsets["xsub"]: clip for clip in clips_of(SIXTY, raw)}
        for got, want in ((found["train"], train), (found["test"], test)):
            assert set(got.subsets) == {"xsub"}
            assert got.label == want.label
            np.testing.assert_array_equal(got.joints, want.joints)
    refused(BOTH, path, "NTU120_CSub.npz")
    shutil.copy(path, tmp_path / "NTU60_CV.npz")
    refused(SIXTY, tmp_path, "NTU60_CS.npz, NTU60_CV.npz", "--raw")


def test_the_annotations_of_pyskl_hold_the_same_clips(tmp_path: Path) -> None:
    clips = list(clips_of(SIXTY, unpacked(tmp_path / "raw", *NAMES)))
    split = {
        f"{protocol}_{part}": [c.name for c in clips if c.subsets[protocol] == subset]
        for protocol in ("xsub", "xview")
        for part, subset in (("train", "train"), ("val", "test"))
    }
    path = tmp_path / "ntu60_3danno.pkl"
    # pyskl does not move clips to the origin; the preset's `centre` does.
    away = [
        (c.name, c.label, np.where(c.joints.any((2, 3), keepdims=True), c.joints + 2, 0))
        for c in clips
    ]
    ntu_annotations.write(path, away, split)
    for raw in (path, tmp_path):
        for clip, want in zip(clips_of(SIXTY, raw), clips, strict=True):
            assert (clip.name, clip.label, clip.subsets) == (want.name, want.label, want.subsets)
            moved = centre(clip.joints, SIXTY.layout)
            np.testing.assert_allclose(moved, want.joints, atol=4e-3)  # float16 metres


def test_a_lone_person_of_120_is_there_twice_as_published(tmp_path: Path) -> None:
    """The published script writes `hstack((joints, joints))` for 120, and zeros for 60.

    A clip of two tracked ids that one actor is made of keeps zeros in the second place.
    """
    alone, pair, switch = "S018C001P041R001A061", "S018C001P041R001A106", "S018C001P041R001A062"
    folder = unpacked(tmp_path / "raw", NAMES[0], alone, pair)
    bodies = np.random.default_rng(0).random((2, 25, 3)) * [0.3, 1.8, 0.2]
    frames = [{1: bodies[0] + [0, 0, 0.01 * f]} for f in range(12)]
    frames += [{2: bodies[1] + [0, 0, 0.02 * f]} for f in range(12)]
    (folder / f"{switch}.skeleton").write_bytes(skeleton_files.write(frames))
    found = {clip.name: clip.joints for clip in clips_of(BOTH, folder)}
    assert all(joints.shape[1] == 2 for joints in found.values())
    for name in (NAMES[0], alone):
        np.testing.assert_array_equal(found[name][:, 1], found[name][:, 0])
        assert found[name].any()
    assert not np.array_equal(found[pair][:, 1], found[pair][:, 0])
    assert not found[switch][:, 1].any()
    (sixty,) = (c.joints for c in clips_of(SIXTY, folder) if c.name == NAMES[0])
    np.testing.assert_array_equal(sixty, found[NAMES[0]][:, :1])

    path = tmp_path / "NTU120_CSub.npz"
    order = sorted(found)
    labels = [BOTH.facts.parse(name, name).label for name in order]
    published = [found[name] for name in order]
    ctr_npz.write(path, list(zip(labels, published, strict=True)), [(0, sixty)], classes=120)
    arrays = [clip.joints for clip in clips_of(BOTH, path) if clip.name.startswith("train")]
    for name, joints in zip(order, arrays, strict=True):
        np.testing.assert_array_equal(joints, found[name][:, : joints.shape[1]])
        assert joints.shape[1] == 2 or name == switch


def test_a_lone_person_of_120_is_there_twice_in_every_other_form(tmp_path: Path) -> None:
    joints = np.ones((3, 1, 25, 3), np.float32)
    clip = Clip(NAMES[0], joints, 0, {}, "")
    (annotated,) = clips_of(BOTH, pickled(tmp_path, clip))
    assert (annotated.joints == np.ones((3, 2, 25, 3))).all()
    single = next(clips_of(BOTH, unpacked(tmp_path / "raw", NAMES[0], "S018C001P041R001A106")))
    recording = Recording("any.skeleton", tmp_path / "raw" / f"{NAMES[0]}.skeleton")
    np.testing.assert_array_equal(BOTH.skeleton(recording), single.joints)
    absent = np.concatenate([joints, np.zeros_like(joints)], 1)
    np.testing.assert_array_equal(BOTH.fill_persons(absent), annotated.joints)
    two = np.concatenate([joints, 2 * joints], 1)
    np.testing.assert_array_equal(BOTH.fill_persons(two), two)
    np.testing.assert_array_equal(SIXTY.fill_persons(absent), absent)


def test_labels_that_the_data_set_has_not_are_bad_rows_c19(tmp_path: Path) -> None:
    joints = np.ones((3, 1, 25, 3), np.float32)
    path = tmp_path / "NTU60_CS.npz"
    ctr_npz.write(path, [(60, joints), (59, joints)], [(0, joints)], classes=120)
    found = list(rows_of(SIXTY, path))
    assert [isinstance(clip, BadClip) for clip in found] == [False, True, False]
    refused(SIXTY, path, "label 60, ntu60 has 0 to 59", "train-00000000")


def test_a_label_that_the_name_contradicts_is_refused(tmp_path: Path) -> None:
    (clip,) = clips_of(SIXTY, unpacked(tmp_path / "raw", NAMES[0]))
    path = tmp_path / "ntu60_3danno.pkl"
    split = {"xsub_train": [clip.name], "xview_val": [clip.name]}
    ntu_annotations.write(path, [(clip.name, 7, clip.joints)], split)
    refused(SIXTY, path, "label is 7, its name says 0", clip.name)


@pytest.mark.parametrize("source", [SIXTY, BOTH])
def test_the_preset_is_the_published_feeder(source: Ntu60 | Ntu120) -> None:
    assert source.preset["prepare.normalise"] == ("centre",)
    assert source.preset["dataset.split"] in source.splits
    shape = {key: source.preset[f"pretrain.{key}"] for key in ("frames", "crop", "crop_frames")}
    assert shape == {"frames": 64, "crop": 0.5, "crop_frames": 64}
    assert source.preset["pretrain.rotation"] == 0.3

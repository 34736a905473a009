"""Recordings that nobody labelled are read as a data set reads its own."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli import registry
from starcli.contracts import NoSettings, Recording
from starcli.data.importing.builder import ImportRequest, make
from starcli.data.importing.options import meaning
from starcli.data.normalise import Joints
from starcli.errors import DataError, StarError
from starcli.poses import METRES, Axes, turned
from starcli.prediction.reader import Incoming, Reader
from starcli_plugins.datasets.ntu import ctr_npz
from starcli_plugins.datasets.pku.files import read_labels
from starcli_plugins.layouts import COCO_17
from tests.bodies import body


def source_of(name: str) -> Any:
    plugin = registry.load("dataset", name)
    return plugin(plugin.Settings())


def bytes_of(recording: Recording) -> bytes:
    if not recording.member:
        return recording.file.read_bytes()
    with zipfile.ZipFile(recording.file) as archive:
        return archive.read(recording.member)


def read(source: Any, *files: Path, persons: int = 2) -> list[Incoming | StarError]:
    reader = Reader(source, (), persons)
    return [each for file in files for each in reader.read(file)]


def joints_of(each: Incoming | StarError) -> Joints:
    assert isinstance(each, Incoming), each
    return each.joints


@pytest.mark.slow
@pytest.mark.parametrize("name", ["utd-mhad", "nw-ucla", "ntu60", "ntu120"])
def test_a_file_has_its_clips_joints_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    source = source_of(name)
    source.write_sample(tmp_path)
    recording = source.recordings(tmp_path)[-1]
    (clip,) = source.clips(recording)
    for other in (f"what I did{source.suffix}", f"X{source.suffix.upper()}"):
        (tmp_path / other).write_bytes(bytes_of(recording))
        (found,) = read(source, tmp_path / other)
        np.testing.assert_array_equal(joints_of(found), clip.joints)


@pytest.mark.slow
def test_a_video_of_pku_mmd_is_one_clip(tmp_path: Path) -> None:
    """The lines of an interval alone are the clip of that interval."""
    source = source_of("pku-mmd")
    source.write_sample(tmp_path)
    recording = source.recordings(tmp_path)[0]
    (clip, *_), label = source.clips(recording), read_labels(source._labels[recording.name])[0]
    lines = bytes_of(recording).split(b"\n")[label.start - 1 : label.end]
    (tmp_path / "mine.txt").write_bytes(b"\n".join(lines))
    (found,) = read(source, tmp_path / "mine.txt")
    np.testing.assert_array_equal(joints_of(found), clip.joints)


def test_a_folder_or_zip_gives_what_the_data_set_reads(tmp_path: Path) -> None:
    source = source_of("nw-ucla")
    source.write_sample(tmp_path)
    want = {c.name: c.joints for r in source.recordings(tmp_path) for c in source.clips(r)}
    found = {
        each.name: each.joints for each in read(source, tmp_path) if isinstance(each, Incoming)
    }
    assert found.keys() == want.keys()
    assert all((found[name] == want[name]).all() for name in want)


@pytest.mark.parametrize(("up", "unit"), [("y", "m"), ("-y", "mm"), ("z", "cm")])
def test_own_clips_are_turned_and_scaled_as_when_they_were_imported(
    tmp_path: Path, up: Any, unit: Any
) -> None:
    axes: dict[str, Axes] = {
        "y": ("x", "y", "z"),
        "-y": ("x", "-y", "-z"),
        "z": ("x", "-z", "y"),
    }
    for label, name in enumerate(("bow", "wave", "jump")):
        for number, subject in enumerate("ab"):
            path = tmp_path / "clips" / name / subject / "1.npy"
            path.parent.mkdir(parents=True)
            joints = turned(body(label, number, COCO_17), axes[up]) / METRES[unit]
            np.save(path, joints.astype(np.float32))
    request = ImportRequest(tmp_path / "clips", meaning("coco-17", up=up, unit=unit))
    source = make("mine", request, tmp_path / "store").dataset(NoSettings())
    want = [clip.joints for r in source.recordings(None) for clip in source.clips(r)]
    found = read(source, tmp_path / "clips")
    assert len(found) == 6
    for one, other in zip(found, want, strict=True):
        np.testing.assert_array_equal(joints_of(one), other)


def test_a_bad_clip_hides_none_of_those_after_it(tmp_path: Path) -> None:
    joints = np.ones((3, 1, 25, 3), np.float32)
    bad = np.full_like(joints, np.nan)
    ctr_npz.write(tmp_path / "NTU60_CS.npz", [(0, bad), (0, joints)], [(0, joints)])
    found = read(source_of("ntu60"), tmp_path / "NTU60_CS.npz")
    assert [isinstance(each, StarError) for each in found] == [False, True, False]
    np.savez(tmp_path / "own.npz", a=bad[:, 0], b=np.zeros((3, 25, 3)), c=joints[:, 0])
    found = read(source_of("simulated"), tmp_path / "own.npz", persons=1)
    assert [isinstance(each, StarError) for each in found] == [True, True, False]


@pytest.mark.parametrize(("name", "people"), [("ntu60", 1), ("ntu120", 2)])
def test_an_array_of_one_person_is_filled_as_the_data_set_fills_its_clips(
    tmp_path: Path, name: str, people: int
) -> None:
    """A run on ntu120 has learned from the same person twice."""
    joints = np.stack([np.ones((3, 25, 3)), np.zeros((3, 25, 3))], 1)
    np.save(tmp_path / "a.npy", joints)
    (found,) = read(source_of(name), tmp_path / "a.npy")
    assert (joints_of(found)[:, 0] == 1).all()
    assert (joints_of(found)[:, 1:] == 1).all()
    assert joints_of(found).shape[1] == people


def test_what_is_done_to_every_clip_is_done_here_too(tmp_path: Path) -> None:
    source = source_of("simulated")
    joints = np.random.default_rng(0).normal(size=(4, 25, 3))
    np.save(tmp_path / "a.npy", joints)
    (found,) = Reader(source, ("centre",), 1).read(tmp_path / "a.npy")
    want = joints - joints[0, source.layout.origin]
    np.testing.assert_allclose(joints_of(found)[:, 0], want, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.zip", b"no zip", "not a zip file"),
        ("a.mat", b"no mat", "not a readable MATLAB file"),
        ("a.npy", b"no npy", "no readable .npy header"),
        ("a.csv", b"1,2", "of no known format of poses"),
        ("none.mat", None, "no such file or folder"),
        ("x" * 300, None, "cannot be read"),
        (".", None, "has no files"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    (found,) = read(source_of("utd-mhad"), file)
    assert isinstance(found, DataError)
    assert said in found.message
    assert found.file and found.file.startswith(str(tmp_path)[:20])
    assert found.fix


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("name", "content", "said", "frame"),
    [
        (
            "wave/t_1_keypoints.json",
            '{"version": 1.3, "people": []}',
            "nobody is in any frame",
            None,
        ),
        (
            "wave/t_1_keypoints.json",
            '{"people": [{"pose_keypoints_2d": [1, 1, 1, 2, 2, 2]}, {"pose_keypoints_2d": [1,',
            "not readable JSON",
            None,
        ),
        ("wave/t_1_keypoints.json", '{"people": [{"pose_keypoints_2d": ["x"]}]}', "numbers", 1),
        ("wave/t_1_keypoints.json", '{"people": [{"pose_keypoints_2d": [1, 2]}]}', "", 1),
        ("wave/other.json", '{"name": "x"}', "none of its 1 files is of a known format", None),
    ],
    ids=["nobody", "cut", "words", "short", "other"],
)
def test_a_bad_file_is_named_as_the_user_sees_it(
    tmp_path: Path, name: str, content: str, said: str, frame: int | None, zipped: bool
) -> None:
    """Below the folder or zip that was named, never where a zip was unpacked."""
    place = tmp_path / ("clips.zip" if zipped else "clips")
    if zipped:
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr("readme.txt", "words")
            archive.writestr(name, content)
    else:
        (place / name).parent.mkdir(parents=True)
        (place / name).write_text(content)
    (found,) = read(source_of("utd-mhad"), place)
    assert isinstance(found, DataError) and found.fix
    assert (said.replace("1 files", f"{1 + zipped} files") in found.message, found.frame) == (
        True,
        frame,
    )
    whole = str(place) if "known format" in said else f"{place}/{name}"
    assert found.file == whole


def test_one_bad_recording_does_not_spoil_its_folder(tmp_path: Path) -> None:
    source = source_of("nw-ucla")
    source.write_sample(tmp_path)
    bad = min(tmp_path.iterdir())
    bad.write_text("{")
    found = read(source, tmp_path)
    (error,) = [each for each in found if isinstance(each, StarError)]
    assert error.file == str(bad)
    assert len(found) == 60


def test_clips_that_are_put_on_the_floor_are_named(tmp_path: Path) -> None:
    source = source_of("simulated")
    squat = body(source.classes.index("do squats with arms held out in front"))[:, None].astype(
        np.float32
    )
    hips = [source.layout.joints.index(f"{side} hip") for side in ("left", "right")]
    ankles = [source.layout.joints.index(f"{side} ankle") for side in ("left", "right")]
    centred = squat - squat[:, :, hips].mean(2, keepdims=True)
    reader = Reader(source, ("floor",), 2)

    joints = joints_of(reader._incoming(tmp_path, "mine", centred))

    assert reader.warnings == ["mine: is centred on the hips: its lower ankle was put on the floor"]
    np.testing.assert_allclose(joints[:, :, ankles, 1].min(2), 0, atol=0.05)
    again = joints_of(reader._incoming(tmp_path, "other", squat))
    np.testing.assert_array_equal(again, squat)
    assert len(reader.warnings) == 1

"""Pickles of pyskl and MMAction2, which are read and never run."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.poses import IMAGE, KINECT
from starcli_plugins.readers.pyskl import Pyskl
from tests.pose_files import Numbers, made, one, points, recordings, refused, same, unknown


@conforms("reader", Pyskl)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


FLAT = points(2, 3, 17, 2, start=20)
"""Two people, three frames; pixels that float16 holds exactly."""
SCORES = points(2, 3, 17, start=1) / 32
SOLID = points(2, 3, 25, 3) / 4


def clip(keypoint: Any = FLAT, **more: Any) -> dict[str, Any]:
    """An annotation of keypoints, as float16 where they are numbers."""
    if np.asarray(keypoint).dtype.kind == "f":
        keypoint = np.asarray(keypoint, np.float16)
    found = {
        "frame_dir": "S001A003",
        "label": 2,
        "total_frames": 3,
        "keypoint": keypoint,
        "img_shape": (1080, 1920),
        "original_shape": (1080, 1920),
    }
    if np.shape(keypoint) == FLAT.shape:
        found["keypoint_score"] = SCORES.astype(np.float16)
    return {**found, **more}


def dumped(folder: Path, content: Any, protocol: int = 4) -> Any:
    return made(folder, "a.pkl", pickle.dumps(content, protocol))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_one_clip(tmp_path: Path, protocol: int) -> None:
    poses = one(Pyskl, dumped(tmp_path, clip(), protocol))
    same(poses.joints, FLAT.transpose(1, 0, 2, 3))
    assert poses.confidence is not None
    np.testing.assert_allclose(poses.confidence, SCORES.transpose(1, 0, 2), atol=1e-3)
    assert (poses.layout, poses.unit, poses.axes) == ("coco-17", "pixel", IMAGE)
    assert (poses.label, poses.image_size, poses.name) == ("2", (1920, 1080), "")
    assert poses.people is None and poses.joints.dtype == np.float64


def test_a_set_has_a_recording_an_annotation(tmp_path: Path) -> None:
    clips = [clip(), clip(SOLID, frame_dir="b", label=np.int64(5)), clip(frame_dir="c")]
    del clips[2]["label"]
    content = {"split": {"train": ["b"], "val": ["c"]}, "annotations": clips}
    for found in (
        recordings(Pyskl, dumped(tmp_path, content)),
        recordings(Pyskl, dumped(tmp_path, clips)),
    ):
        assert [(p.name, p.label, p.layout) for p in found] == [
            ("S001A003", "2", "coco-17"),
            ("b", "5", "kinect-v2"),
            ("c", "", "coco-17"),
        ]
        same(found[1].joints, SOLID.transpose(1, 0, 2, 3))
        assert (found[1].unit, found[1].axes, found[1].people) == ("m", KINECT, ("0", "1"))


def test_absent_people_are_zeros(tmp_path: Path) -> None:
    values = SOLID.copy()
    values[1, 1:] = 0
    values[0, 0, 7] = 0
    poses = one(Pyskl, dumped(tmp_path, clip(values)))
    assert np.isnan(poses.joints[1:, 1]).all() and np.isnan(poses.joints).sum() == 2 * 75
    flat = FLAT.copy()
    flat[0, 1, 4] = 0
    flat[1, 2, 3] = np.nan
    poses = one(Pyskl, dumped(tmp_path, clip(flat)))
    assert np.argwhere(np.isnan(poses.joints[..., 0])).tolist() == [[1, 0, 4], [2, 1, 3]]


def test_centred_clips_are_known(tmp_path: Path) -> None:
    values = SOLID.copy()
    assert not one(Pyskl, dumped(tmp_path, clip(values))).centred
    values[:, 0, 1] = 0  # on the spine in the first frame
    assert not one(Pyskl, dumped(tmp_path, clip(values))).centred
    values[:, :, 1] = 0
    poses = one(Pyskl, dumped(tmp_path, clip(values)))
    assert poses.centred and not np.isnan(poses.joints).any()


def test_people_that_are_not_followed(tmp_path: Path) -> None:
    table = points(4, 17, 3)
    content = clip(table, frame_inds=np.array([5, 5, 2, 9]), num_person_raw=2)
    poses = one(Pyskl, dumped(tmp_path, content))
    assert poses.frames is not None and poses.frames.tolist() == [2, 5, 9]
    same(poses.joints[1], table[:2, :, :2])
    same(poses.joints[0, 0], table[2, :, :2])
    assert poses.confidence is not None
    same(poses.confidence[1], table[:2, :, 2])


def test_damaged_clips(tmp_path: Path) -> None:
    def bad(content: Any, said: str) -> None:
        assert "a.pkl" in str(refused(Pyskl, dumped(tmp_path, content), said=said))

    bad({"annotations": [clip(), clip()]}, "duplicate annotation 'S001A003'")
    bad({"annotations": 3}, "expected a list of annotations")
    bad(clip(FLAT[..., :1]), "got shape [2, 3, 17, 1]")
    bad(clip(points(1, 3, 40, 3)), "40 joints are of no known model")
    bad(clip(np.zeros((1, 3, 25, 3))), "nobody is in any frame")
    bad(clip(np.zeros((0, 3, 17, 2))), "nobody is in any frame")
    bad(clip(keypoint_score=SCORES[:1]), "keypoint_score has shape [1, 3, 17], keypoint [2, 3,")
    bad(clip(points(4, 17, 3), frame_inds=[1, 2]), "expected frame_inds for each")
    bad(clip(keypoint="none"), "keypoint is not an array of numbers")
    bad({"annotations": [{"raw_file": "x.pkl", "frame_dir": "x"}]}, "a table of contents")


def test_an_error_names_the_annotation(tmp_path: Path) -> None:
    content = {"annotations": [clip(), clip(frame_dir="b", keypoint="none")]}
    with pytest.raises(Exception, match=r"^a\.pkl/b: keypoint is not an array"):
        recordings(Pyskl, dumped(tmp_path, content))


class Evil:
    """What would run a command where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def test_nothing_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    refused(Pyskl, dumped(tmp_path, {"keypoint": Evil(mark)}), said="asks for 'posix.system'")
    assert not mark.exists()


def test_objects_of_other_libraries_are_refused(tmp_path: Path) -> None:
    content = b"\x80\x02}X\x08\x00\x00\x00keypointctorch._utils\n_rebuild_tensor_v2\n)Rs."
    refused(Pyskl, made(tmp_path, "a.pkl", content), said="torch._utils._rebuild_tensor_v2")
    records = np.array([{"a": 1}], dtype=object)
    refused(Pyskl, dumped(tmp_path, clip(keypoint=records)), said="Python objects")


def test_what_is_of_others(tmp_path: Path) -> None:
    assert unknown(
        Pyskl,
        dumped(tmp_path, {"joints": [1, 2, 3]}),
        made(tmp_path, "b.pkl", b"\x80\x07keypoint"),
        made(tmp_path, "c.pkl", "keypoint"),
    )
    values: Numbers = np.ones(3)
    assert unknown(Pyskl, dumped(tmp_path, {"poses": values}))

"""SLEAP analysis files in both orders of axes, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.contracts import NoSettings
from starcli.errors import DataError
from starcli.poses import IMAGE, PoseFile, Poses
from starcli_plugins.layouts import COCO_17
from starcli_plugins.readers.sleap import Sleap

READER = Sleap(NoSettings())
NAMES = [name.replace(" ", "_") for name in COCO_17.joints]
TRACKS = np.arange(1.0, 5 * 2 * 17 * 2 + 1).reshape(5, 2, 17, 2)
"""[frames, tracks, nodes, axes]"""
SCORES = np.linspace(0, 1, 5 * 2 * 17).reshape(5, 2, 17)


@pytest.mark.parametrize("way", ["link", "bytes", "view"])
def test_nothing_of_another_file_is_read_e09(tmp_path: Path, way: str) -> None:
    """HDF5 has three ways to lead to one; by the second, any file is numbers."""
    secret, shape = tmp_path / "secret.h5", TRACKS.T.shape
    with h5py.File(secret, "w") as file:
        file["tracks"] = TRACKS.T
    file = write(tmp_path, tracks=None)
    with h5py.File(file.path, "a") as open_file:
        if way == "link":
            open_file["tracks"] = h5py.ExternalLink(secret, "tracks")
        elif way == "bytes":
            open_file.create_dataset("tracks", shape, "u1", external=[(secret, 0, TRACKS.size)])
        else:
            seen = h5py.VirtualLayout(shape, "f8")
            seen[...] = h5py.VirtualSource(secret, "tracks", shape)
            open_file.create_virtual_dataset("tracks", seen)
    with pytest.raises(DataError, match="'tracks' lies in another file"):
        list(READER.read([file]))


def test_what_claims_too_much_is_refused_before_memory_is_asked_for_b12(tmp_path: Path) -> None:
    file = write(tmp_path, tracks=None)
    with h5py.File(file.path, "a") as open_file:
        open_file.create_dataset("tracks", (2, 2, 17, 2**40), "f4", chunks=(1, 1, 17, 2**10))
    assert file.path.stat().st_size < 2**16
    with pytest.raises(DataError, match="'tracks' claims 299,067,162,755,072 bytes"):
        list(READER.read([file]))


@conforms("reader", Sleap)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


def write(
    folder: Path, name: str = "a.analysis.h5", preset: Any = "matlab", **sets: Any
) -> PoseFile:
    """An analysis file; data sets of None are left out."""
    standard = preset in ("standard", b"standard")
    tracks = TRACKS if standard else TRACKS.transpose(1, 3, 2, 0)
    scores = SCORES if standard else SCORES.transpose(1, 2, 0)
    found = {
        "tracks": tracks,
        "point_scores": scores,
        "node_names": [n.encode() for n in NAMES],
        "track_names": [b"ann", b"bob"],
        **sets,
    }
    with h5py.File(folder / name, "w") as file:
        for key, value in found.items():
            if value is not None:
                file[key] = value
        if preset and "tracks" in file:
            file["tracks"].attrs["preset"] = preset
    return PoseFile(folder / name, name)


def read(file: PoseFile) -> Poses:
    assert READER.recognises(file)
    (poses,) = READER.read([file])
    return poses


@pytest.mark.parametrize("preset", ["matlab", "", "standard", b"standard"])
def test_both_orders_of_axes(tmp_path: Path, preset: str | bytes) -> None:
    poses = read(write(tmp_path, preset=preset))
    np.testing.assert_array_equal(poses.joints, TRACKS)
    np.testing.assert_array_equal(poses.confidence, SCORES)
    assert poses.frames is not None and poses.frames.tolist() == [0, 1, 2, 3, 4]
    assert (poses.people, poses.layout) == (("ann", "bob"), "coco-17")
    assert (poses.unit, poses.axes) == ("pixel", IMAGE)


def test_nodes_in_another_order_and_further_ones(tmp_path: Path) -> None:
    names = [b"hat", *(n.encode() for n in reversed(NAMES))]
    tracks = np.concatenate([TRACKS[:, :, :1] * 0 + 9, TRACKS[:, :, ::-1]], axis=2)
    poses = read(
        write(tmp_path, node_names=names, tracks=tracks.transpose(1, 3, 2, 0), point_scores=None)
    )
    np.testing.assert_array_equal(poses.joints, TRACKS)
    assert poses.confidence is None


def test_tracks_without_names(tmp_path: Path) -> None:
    assert read(write(tmp_path, track_names=None)).people is None
    assert read(write(tmp_path, track_names=[b"a", b"a"])).people is None


def test_nodes_that_were_not_seen(tmp_path: Path) -> None:
    tracks = TRACKS.copy()
    tracks[2, 0, 3] = np.nan
    tracks[3, 1] = np.nan
    poses = read(write(tmp_path, tracks=tracks.transpose(1, 3, 2, 0)))
    assert np.isnan(poses.joints[2, 0, 3]).all() and np.isnan(poses.joints[3, 1]).all()
    assert np.isnan(poses.joints).sum() == 2 + 34


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ({"pred_points": np.ones(3)}, "file of labels"),
        ({"tracks": None}, "expected tracks .*, got None"),
        ({"tracks": np.ones((2, 2, 16, 5))}, r"got \[5, 2, 16, 2\]"),
        ({"tracks": np.ones((2, 2, 17))}, "expected tracks with 4 axes, got 3"),
        ({"tracks": np.ones((0, 2, 17, 5))}, "has no tracks"),
        ({"point_scores": np.ones((2, 17, 4))}, "not of the shape of tracks"),
        ({"node_names": [n.encode() for n in ["tail", *NAMES[:16]]]}, "right ankle"),
    ],
)
def test_damage_is_named(tmp_path: Path, sets: dict[str, Any], said: str) -> None:
    file = write(tmp_path, **sets)
    assert READER.recognises(file)
    with pytest.raises(DataError, match=said) as caught:
        list(READER.read([file]))
    assert caught.value.file == file.name and caught.value.fix


def test_other_hdf5_is_not_recognised(tmp_path: Path) -> None:
    file = write(tmp_path, node_names=None)
    assert not READER.recognises(file)

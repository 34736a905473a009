"""DeepLabCut: CSV of one and several animals, pandas tables in HDF5, and traps inside these."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.contracts import NoSettings
from starcli.errors import DataError, MissingError
from starcli.poses import IMAGE, PoseFile, Poses
from starcli_plugins.layouts import COCO_17
from starcli_plugins.readers import hdf5
from starcli_plugins.readers.deeplabcut import DeepLabCut

READER = DeepLabCut(NoSettings())
NAMES = [name.replace(" ", "_") for name in COCO_17.joints]
Column = tuple[str, ...]


@conforms("reader", DeepLabCut)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


def columns(
    people: Sequence[str] = (),
    parts: Sequence[str] = ("x", "y", "likelihood"),
    names: Sequence[str] = NAMES,
) -> list[Column]:
    return [
        ("DLC", *([person] if person else []), name, part)
        for person in people or [""]
        for name in names
        for part in parts
    ]


def values(listed: Sequence[Column]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Rows that count from 1, with likelihoods of 0.75."""
    out = np.arange(1.0, 3 * len(listed) + 1).reshape(3, -1)
    out[:, [n for n, column in enumerate(listed) if column[-1] == "likelihood"]] = 0.75
    return out


def csv(folder: Path, listed: Sequence[Column], rows: Any = None, index: str = "frame") -> PoseFile:
    levels = ["scorer", *(["individuals"] if len(listed[0]) == 4 else []), "bodyparts", "coords"]
    lines = [
        ",".join([level, *cells])
        for level, cells in zip(levels, zip(*listed, strict=True), strict=True)
    ]
    for number, row in enumerate(values(listed) if rows is None else rows):
        first = str(number + 5) if index == "frame" else f"labeled-data/img{number}.png"
        lines.append(",".join([first, *("" if v != v else str(v) for v in row)]))
    path = folder / "videoDLC_resnet50.csv"
    path.write_text("\n".join(lines) + "\n")
    return PoseFile(path, path.name)


def pandas_h5(
    folder: Path,
    listed: Sequence[Any],
    group: str = "df_with_missing",
    pickled: bytes | None = None,
    rows: Any = None,
) -> PoseFile:
    """As pandas writes a table, checked against files of pandas 3 and PyTables."""
    path = folder / "videoDLC_resnet50.h5"
    rows = values(listed) if rows is None else rows
    table = np.zeros(len(rows), [("index", "<i8"), ("values_block_0", "<f8", (len(listed),))])
    table["index"], table["values_block_0"] = np.arange(len(rows)) + 5, rows
    with h5py.File(path, "w") as file:
        file.create_dataset(f"{group}/table", data=table)
        names = pickle.dumps(list(listed), 0) if pickled is None else pickled
        file[group]["table"].attrs["values_block_0_kind"] = np.void(names)
    return PoseFile(path, path.name)


def read(file: PoseFile) -> Poses:
    assert READER.recognises(file)
    (poses,) = READER.read([file])
    return poses


@pytest.mark.parametrize("make", [csv, pandas_h5])
def test_one_animal(tmp_path: Path, make: Callable[..., PoseFile]) -> None:
    listed = columns()
    poses = read(make(tmp_path, listed))
    np.testing.assert_array_equal(poses.joints[:, 0], values(listed).reshape(3, 17, 3)[..., :2])
    assert poses.confidence is not None and (poses.confidence == 0.75).all()
    assert poses.frames is not None and poses.frames.tolist() == [5, 6, 7]
    assert (poses.layout, poses.unit, poses.axes, poses.people) == ("coco-17", "pixel", IMAGE, None)


@pytest.mark.parametrize("make", [csv, pandas_h5])
def test_several_animals_and_joints_of_none(tmp_path: Path, make: Callable[..., PoseFile]) -> None:
    listed = [
        *columns(["ann", "bob"]),
        ("DLC", "single", "ball", "x"),
        ("DLC", "single", "ball", "y"),
    ]
    poses = read(make(tmp_path, listed))
    assert poses.people == ("ann", "bob")
    want = values(listed)[:, :-2].reshape(3, 2, 17, 3)
    np.testing.assert_array_equal(poses.joints, want[..., :2])
    assert poses.notes == ("joints of no individual were left out",)
    only = read(make(tmp_path, columns(["single"])))
    assert (only.people, only.notes) == (("single",), ())


def test_a_joint_that_is_missing_may_have_a_likelihood_of_one(tmp_path: Path) -> None:
    listed = columns()
    rows = values(listed)
    rows[1, :3] = [np.nan, np.nan, 1.0]
    poses = read(csv(tmp_path, listed, rows))
    assert np.argwhere(np.isnan(poses.joints).any(-1)).tolist() == [[1, 0, 0]]
    assert poses.confidence is not None and poses.confidence[1, 0, 0] == 1.0


def test_3d_has_no_likelihood_and_no_known_axes(tmp_path: Path) -> None:
    poses = read(csv(tmp_path, columns(parts=("x", "y", "z"))))
    assert poses.joints.shape == (3, 1, 17, 3)
    assert (poses.confidence, poses.unit, poses.axes) == (None, None, None)


def test_pictures_have_no_frame_numbers(tmp_path: Path) -> None:
    poses = read(csv(tmp_path, columns(), index="picture"))
    assert poses.frames is None and len(poses.joints) == 3


def refused(file: PoseFile) -> str:
    with pytest.raises(DataError) as caught:
        list(READER.read([file]))
    assert caught.value.file == file.name and caught.value.fix
    return str(caught.value)


def test_damage_is_named(tmp_path: Path) -> None:
    mouse = ["nose", "tail", *NAMES[2:9]]
    assert "no joint found for left wrist, right wrist" in refused(
        csv(tmp_path, columns(names=mouse))
    )
    assert "'q' is not x, y, z or likelihood" in refused(
        csv(tmp_path, columns(parts=("x", "y", "q")))
    )
    file = csv(tmp_path, columns())
    lines = file.path.read_text().splitlines()
    for text, said in [
        ("\n".join([lines[0], lines[3]]), ":2: expected a row of scorer or"),
        ("\n".join([*lines[:4], lines[4] + ",9"]), ":5: expected 52 cells, got 53"),
        ("\n".join([*lines[:4], lines[3]]), "frames do not rise"),
        ("\n".join(lines[:3]), "has no rows below its heading"),
        (lines[0], "has no rows bodyparts and coords"),
        ("\n".join([*lines[:3], lines[3].replace("1.0", "1.o", 1)]), ":4: '1.o' is not a number"),
    ]:
        file.path.write_text(text)
        assert said in refused(PoseFile(file.path, file.name))


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo run",)


@pytest.mark.parametrize(
    "pickled",
    [
        pickle.dumps([Trap()], 0),
        pickle.dumps([Trap()], 4),
        pickle.dumps({"a": 1}),
        b"",
        b"(lp0\n",
        pickle.dumps([("a", 1)] * 51),
        pickle.dumps([("a",), ("a", "b")]),
        b"\x80\x04]\x94(\x8c",
        pickle.dumps([]),
    ],
)
def test_names_are_never_unpickled(
    tmp_path: Path, pickled: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "system", lambda command: pytest.fail("was run"))
    said = refused(pandas_h5(tmp_path, columns(), pickled=pickled or b"."))
    assert "names of columns are not tuples of text" in said


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_names_in_every_protocol(tmp_path: Path, protocol: int) -> None:
    listed = columns(["ann", "bob"])
    file = pandas_h5(tmp_path, listed, "tracks", pickle.dumps(listed, protocol))
    assert read(file).people == ("ann", "bob")


def test_hdf5_of_others_and_cut_files(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["weights"] = np.ones(3)
    assert not READER.recognises(PoseFile(path, "x.h5"))
    assert "has no table of pandas" in refused(PoseFile(path, "x.h5"))
    content = pandas_h5(tmp_path, columns()).path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert not READER.recognises(PoseFile(path, "x.h5"))
    assert "cannot be read" in refused(PoseFile(path, "x.h5"))


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = pandas_h5(tmp_path, columns())

    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(hdf5, "import_module", absent)
    assert READER.recognises(file)
    with pytest.raises(MissingError) as caught:
        list(READER.read([file]))
    assert caught.value.exit_code == 4
    assert caught.value.fix == "pip install 'starcli[deeplabcut]'"

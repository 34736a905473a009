"""FreeMoCap: tables and arrays in millimetres, apart from MediaPipe's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.conformance.bodies import sample
from starcli.contracts import NoSettings
from starcli.errors import DataError
from starcli.poses import IMAGE, KINECT, Z_UP, PoseFile, Poses, turned
from starcli_plugins.layouts import MEDIAPIPE_33
from starcli_plugins.readers.arrays import Arrays
from starcli_plugins.readers.freemocap import FreeMoCap
from starcli_plugins.readers.mediapipe import MediaPipe
from starcli_plugins.readers.table import Table

READER = FreeMoCap(NoSettings())
PLACES = turned(sample("mediapipe-33", 3, 1).joints[[0, 2], 0] * 1000, KINECT, Z_UP)


@conforms("reader", FreeMoCap)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


def table(folder: Path, places: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> PoseFile:
    names = [name.replace(" ", "_") for name in MEDIAPIPE_33.joints]
    head = ",".join(f"{name}_{axis}" for name in names for axis in "xyz")
    rows = [",".join("" if np.isnan(v) else str(v) for v in row.ravel()) for row in places]
    path = folder / "mediapipe_body_3d_xyz.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return PoseFile(path, path.name)


def array(folder: Path, places: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> PoseFile:
    path = folder / "skeleton_3d.npy"
    np.save(path, places)
    return PoseFile(path, path.name)


def read(file: PoseFile) -> Poses:
    assert READER.recognises(file)
    (poses,) = READER.read([file])
    assert (poses.layout, poses.unit, poses.axes) == ("mediapipe-33", "mm", Z_UP)
    return poses


def test_tables_and_arrays_say_the_same(tmp_path: Path) -> None:
    places = PLACES.copy()
    places[1, 4] = np.nan
    hands = np.ones((2, 553 - 33, 3))
    for file in (table(tmp_path, places), array(tmp_path, places)):
        np.testing.assert_array_equal(read(file).joints[:, 0], places)
    long = array(tmp_path, np.concatenate([places, hands], axis=1))
    np.testing.assert_array_equal(read(long).joints[:, 0], places)


def test_what_is_not_far_is_mediapipes(tmp_path: Path) -> None:
    others: list[Table | Arrays | MediaPipe] = [
        Table(NoSettings()),
        Arrays(NoSettings()),
        MediaPipe(NoSettings()),
    ]
    near, far = PLACES / 1000, PLACES
    assert not READER.recognises(table(tmp_path, near))
    assert [r.recognises(table(tmp_path, near)) for r in others] == [False, False, True]
    assert [r.recognises(table(tmp_path, far)) for r in others] == [False, False, False]
    assert not READER.recognises(array(tmp_path, near))
    assert others[1].recognises(array(tmp_path, near))
    assert not others[1].recognises(array(tmp_path, far))


def test_pixels_with_depth_are_not_millimetres(tmp_path: Path) -> None:
    pixels = turned(PLACES, Z_UP, IMAGE) * [0.4, 0.4, 0.1] + [320, 400, 0]
    assert not READER.recognises(table(tmp_path, pixels))
    assert not READER.recognises(array(tmp_path, pixels))
    assert Table(NoSettings()).recognises(table(tmp_path, pixels))
    assert Arrays(NoSettings()).recognises(array(tmp_path, pixels))


@pytest.mark.parametrize("cell", ["null", "NA", "inf"])
def test_cells_that_say_that_there_is_no_number(tmp_path: Path, cell: str) -> None:
    places = PLACES.copy()
    places[0, 3, 1] = 987.625
    file = table(tmp_path, places)
    file.path.write_text(file.path.read_text().replace("987.625", cell))
    joints = read(PoseFile(file.path, file.name)).joints[:, 0]
    assert np.isnan(joints[0, 3, 1])
    np.testing.assert_array_equal(joints[1], PLACES[1])


def test_damage_is_named(tmp_path: Path) -> None:
    file = table(tmp_path, PLACES)
    lines = file.path.read_text().splitlines()
    file.path.write_text("\n".join([lines[0], lines[1].replace("1600.0", "l600"), lines[2]]))
    with pytest.raises(DataError, match="'l600' is not a number") as caught:
        list(READER.read([file]))
    assert (caught.value.file, caught.value.line) == (file.name, 2)

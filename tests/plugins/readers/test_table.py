"""Tables of joints as people write them, and what is wrong in which line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.contracts import NoSettings
from starcli.errors import DataError
from starcli.poses import IMAGE, PoseFile, Poses
from starcli_plugins.layouts import COCO_17, SMPL_22
from starcli_plugins.readers.cells import rate_of
from starcli_plugins.readers.table import Table

READER = Table(NoSettings())
NAMES = [name.replace(" ", "_") for name in COCO_17.joints]
PLACES = 100 + np.arange(3 * 17 * 2).reshape(3, 17, 2)
"""x and y in three frames."""


@conforms("reader", Table)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


def text_of(rows: Sequence[Sequence[Any]], delimiter: str = ",") -> str:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    return buffer.getvalue()


def write(folder: Path, text: str | bytes, name: str = "wave.csv") -> PoseFile:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return PoseFile(path, name)


def read(file: PoseFile) -> Poses:
    assert READER.recognises(file)
    (poses,) = READER.read([file])
    return poses


def wide(style: str = "{name}_{axis}", **columns: Sequence[Any]) -> list[list[Any]]:
    """A heading and three rows, further columns first."""
    head = [style.format(name=name, axis=axis) for name in NAMES for axis in "xy"]
    more = list(zip(*columns.values(), strict=True)) or [()] * 3
    body = [[*first, *row] for first, row in zip(more, PLACES.reshape(3, -1), strict=True)]
    return [[*columns, *head], *body]


@pytest.mark.parametrize(
    "style",
    [
        "{name}_{axis}",
        "{name}.{axis}",
        "{name} {axis}",
        "{axis}_{name}",
        "{name}[{axis}]",
        "{name} ({axis})",
        "{name}-{axis}",
    ],
)
@pytest.mark.parametrize("capital", [str, str.upper, str.title])
def test_headings(tmp_path: Path, style: str, capital: Callable[[str], str]) -> None:
    head, *body = wide(style)
    poses = read(write(tmp_path, text_of([[capital(cell) for cell in head], *body])))
    np.testing.assert_array_equal(poses.joints[:, 0], PLACES)
    assert (poses.layout, poses.unit, poses.axes, poses.people) == ("coco-17", "pixel", IMAGE, None)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_forms_of_text(tmp_path: Path, delimiter: str, encoding: str, end: str) -> None:
    text = text_of(wide(), delimiter).replace("\r\n", end)
    poses = read(write(tmp_path, text.encode(encoding)))
    np.testing.assert_array_equal(poses.joints[:, 0], PLACES)


def test_two_rows_of_heading(tmp_path: Path) -> None:
    axes = ["x", "y"] * 17
    names = [cell for name in NAMES for cell in (name, "")]
    repeated = [name for name in NAMES for _ in "xy"]
    body: list[list[object]] = [
        [7 + n, *row] for n, row in enumerate(PLACES.reshape(3, -1).tolist())
    ]
    for first in (names, repeated):
        for corner in (("frame", ""), ("", "frame"), ("frame", "frame")):
            rows: list[list[object]] = [[corner[0], *first], [corner[1], *axes], *body]
            poses = read(write(tmp_path, text_of(rows)))
            np.testing.assert_array_equal(poses.joints[:, 0], PLACES)
            assert poses.frames is not None and poses.frames.tolist() == [7, 8, 9]


def test_long_form(tmp_path: Path) -> None:
    rows = [
        [frame, name, *PLACES[place, joint], 0.5]
        for place, frame in enumerate((10, 9, 2))
        for joint, name in enumerate(NAMES)
    ]
    poses = read(write(tmp_path, text_of([["frame", "joint", "x", "y", "score"], *rows])))
    np.testing.assert_array_equal(poses.joints[:, 0], PLACES[::-1])
    assert poses.frames is not None and poses.frames.tolist() == [2, 9, 10]
    assert poses.confidence is not None and (poses.confidence == 0.5).all()
    file = write(tmp_path, text_of([["frame", "joint", "x", "y", "score"], *rows, rows[-1]]))
    assert "duplicate joint right_ankle" in refused(file, 53)


def test_rows_of_several_people_out_of_order(tmp_path: Path) -> None:
    rows = wide(frame=[10, 2, 2], person=["b", "a", "b"])
    poses = read(write(tmp_path, text_of(rows)))
    assert poses.frames is not None and poses.frames.tolist() == [2, 10]
    assert poses.people == ("b", "a")
    np.testing.assert_array_equal(poses.joints[:, 0], PLACES[[2, 0]])
    np.testing.assert_array_equal(poses.joints[0, 1], PLACES[1])
    assert np.isnan(poses.joints[1, 1]).all()


def test_people_without_frames_are_followed_by_time_or_in_order(tmp_path: Path) -> None:
    timed = read(write(tmp_path, text_of(wide(person=[1, 2, 1], timestamp=[0, 0, 40]))))
    assert timed.joints.shape[:2] == (2, 2)
    assert timed.fps == 25.0
    np.testing.assert_array_equal(timed.joints[1, 0], PLACES[2])
    ordered = read(write(tmp_path, text_of(wide(person=[1, 2, 1]))))
    np.testing.assert_array_equal(ordered.joints, timed.joints)


def test_classes_and_clips_are_recordings(tmp_path: Path) -> None:
    found = list(READER.read([write(tmp_path, text_of(wide(label=["sit", "sit", "run"])))]))
    assert [(p.name, p.label, len(p.joints)) for p in found] == [
        ("sit-1", "sit", 2),
        ("run-2", "run", 1),
    ]
    found = list(
        READER.read([write(tmp_path, text_of(wide(video=["a", "b", "a"], frame=[1, 1, 2])))])
    )
    assert [(p.name, len(p.joints)) for p in found] == [("a", 2), ("b", 1)]
    alone = read(write(tmp_path, text_of(wide(label=["sit"] * 3))))
    assert (alone.name, alone.label) == ("", "sit")


@pytest.mark.parametrize(
    ("rate", "times"),
    [
        (30.0, [0, 1 / 30, 2 / 30]),
        (30.0, [5, 38.333, 71.667]),
        (20.0, [0, 5e4, 1e5]),
        (60.0, [0, 16666667, 33333333]),
        (None, [1, 1, 1]),
        (None, [1]),
        (None, [np.nan, 1]),
        (25.0, [0, 0.04, 0.08, 0.4, 0.44]),
    ],
)
def test_rates_of_times_in_any_unit(rate: float | None, times: list[float]) -> None:
    assert rate_of(np.array(times)) == rate


def test_empty_cells_and_joints_at_the_origin_were_not_seen(tmp_path: Path) -> None:
    rows = wide()
    rows[1][0], rows[2][3], rows[3][4:6] = "", "NaN", [0, 0]
    poses = read(write(tmp_path, text_of(rows)))
    missing = np.argwhere(np.any(np.isnan(poses.joints), axis=-1)[:, 0]).tolist()
    assert missing == [[0, 0], [1, 1], [2, 2]]
    assert (np.isnan(poses.joints).any(-1) == np.isnan(poses.joints).all(-1)).all()


def test_a_frame_without_anybody_stays_a_frame(tmp_path: Path) -> None:
    rows = wide()
    rows[2] = [""] * 34
    poses = read(write(tmp_path, text_of(rows)))
    assert poses.joints.shape[0] == 3 and np.isnan(poses.joints[1]).all()
    numbered = wide(frame=[1, 2, 3])
    numbered.append([""] * 35)
    assert len(read(write(tmp_path, text_of(numbered))).joints) == 3


def test_shares_of_the_image_and_metres(tmp_path: Path) -> None:
    head, *body = wide()
    poses = read(
        write(tmp_path, text_of([head, *((np.array(row) / 640).tolist() for row in body)]))
    )
    assert (poses.unit, poses.axes) == ("image", IMAGE)
    head = [f"{name}_{axis}" for name in SMPL_22.joints for axis in "xyz"]
    solid = read(write(tmp_path, text_of([head, (np.arange(1, 67) / 60).tolist()])))
    assert (solid.layout, solid.unit, solid.axes) == ("smpl-22", None, None)
    assert solid.joints.shape == (1, 1, 22, 3)


def test_numbers_without_names(tmp_path: Path) -> None:
    body = PLACES[:, :, [0, 1, 1]].astype(float)
    body[..., 2] = 0.25
    body[:, :5, :2] = [[500, 100]]  # the face is close together
    poses = read(write(tmp_path, text_of(body.reshape(3, -1).tolist())))
    assert poses.layout == "coco-17" and poses.joints.shape == (3, 1, 17, 2)
    assert poses.confidence is not None and (poses.confidence == 0.25).all()
    assert poses.notes == ("columns without names were taken as 17 joints of coco-17",)
    np.testing.assert_array_equal(poses.joints[:, 0], body[..., :2])


def test_columns_of_nothing_are_passed_over(tmp_path: Path) -> None:
    rows = wide(frame=[1, 2, 3])
    for n, row in enumerate(rows):
        row.append("remarks" if n == 0 else "fine")
    rows[0].append("")
    assert (
        len(read(write(tmp_path, text_of([rows[0], *([*row, ""] for row in rows[1:])]))).joints)
        == 3
    )


def refused(file: PoseFile, line: int) -> str:
    with pytest.raises(DataError) as caught:
        list(READER.read([file]))
    assert (caught.value.file, caught.value.line) == (file.name, line)
    assert caught.value.fix
    return f"{caught.value.message} | {caught.value.fix}"


@pytest.mark.parametrize(
    ("row", "cell", "said"),
    [
        (2, "abc", "'abc' is not a number"),
        (3, "1;5", "'1;5' is not a number"),
        (1, "1.2.3", "'1.2.3' is not a number"),
    ],
)
def test_cells_that_are_no_numbers(tmp_path: Path, row: int, cell: str, said: str) -> None:
    rows = wide()
    rows[row][5] = cell
    assert said in refused(write(tmp_path, text_of(rows)), row + 1)


def test_decimal_commas_are_refused_with_their_line(tmp_path: Path) -> None:
    head, *body = wide()
    local = [head, *([str(float(v)).replace(".", ",") for v in row] for row in body)]
    assert "'100,0' is not a number | save it with decimal points" in refused(
        write(tmp_path, text_of(local, ";")), 2
    )
    doubled = text_of([head]) + ",".join(local[1]) + "\n"
    assert "expected 34 cells, got 68 | save it with decimal points" in refused(
        write(tmp_path, doubled), 2
    )


def test_damage_is_named_with_its_line(tmp_path: Path) -> None:
    rows = wide(frame=[1, 2, 2])
    assert "duplicate frame" in refused(write(tmp_path, text_of(rows)), 4)
    rows = wide(frame=[1, "", 3])
    assert "no frame number" in refused(write(tmp_path, text_of(rows)), 3)
    rows = wide()
    del rows[2][-1]
    assert "expected 34 cells, got 33" in refused(write(tmp_path, text_of(rows)), 3)


def test_other_tables_are_not_recognised(tmp_path: Path) -> None:
    for text in (
        "name,age\nAda,36\n",
        "",
        "a;b\n",
        "nose_x,nose_y\n1,2\n",
        "1,2,3\n",
        text_of([["frame", "joint", "x", "y"], [1, "nose", 2, 3]]),
        text_of(np.ones((2, 66)).tolist()),
    ):
        assert not READER.recognises(write(tmp_path, text))


def test_a_long_table_is_read_whole(tmp_path: Path) -> None:
    head, *body = wide()
    poses = read(write(tmp_path, text_of([head, *(body * 700)])))
    assert poses.joints.shape == (2100, 1, 17, 2)
    np.testing.assert_array_equal(poses.joints[-1, 0], PLACES[-1])

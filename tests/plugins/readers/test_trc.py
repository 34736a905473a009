"""TRC: names in any order, empty cells, units, and what can be wrong in which line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.contracts import NoSettings
from starcli.errors import DataError
from starcli.poses import PoseFile, Poses
from starcli_plugins.layouts import HALPE_26
from starcli_plugins.readers.trc import Trc

READER = Trc(NoSettings())
POSE2SIM = (
    "Hip RHip RKnee RAnkle RBigToe RSmallToe RHeel LHip LKnee LAnkle LBigToe LSmallToe LHeel Neck"
    " Head Nose RShoulder RElbow RWrist LShoulder LElbow LWrist"
)
KEYS = (
    "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames"
)


@conforms("reader", Trc)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


def row(number: int, count: int, **cells: str) -> str:
    """Marker n lies at x = n + 0.1, y = 1, z = 2; `m3="..."` replaces the cells of marker 3."""
    places = [cells.get(f"m{n}", f"{n + 0.1}\t1\t2") for n in range(count)]
    return "\t".join([str(number), f"{number / 60:.4f}", *places])


def trc(
    rows: list[str],
    names: str = POSE2SIM,
    units: str = "m",
    frames: int | None = None,
    blank: bool = False,
) -> str:
    listed = names.split()
    count = len(rows) if frames is None else frames
    head = [
        "PathFileType\t4\t(X/Y/Z)\twalk.trc",
        "\t".join(KEYS.split()),
        f"60.0\t60.0\t{count}\t{len(listed)}\t{units}\t60.0\t1\t{count}",
        "Frame#\tTime\t" + "\t\t\t".join(name.replace("+", " ") for name in listed) + "\t\t",
        "\t\t" + "\t".join(f"X{n}\tY{n}\tZ{n}" for n in range(1, len(listed) + 1)),
    ]
    return "\n".join([*head, *([""] if blank else []), *rows]) + "\n"


def write(folder: Path, text: str) -> PoseFile:
    path = folder / "walk_P0.trc"
    path.write_bytes(text.encode())
    return PoseFile(path, path.name)


def read(file: PoseFile) -> Poses:
    assert READER.recognises(file)
    (poses,) = READER.read([file])
    return poses


def test_pose2sim_is_mapped_by_name(tmp_path: Path) -> None:
    for blank in (False, True):
        poses = read(write(tmp_path, trc([row(4, 22), row(5, 22)], blank=blank)))
        x = dict(zip(HALPE_26.joints, (poses.joints[0, 0, :, 0] - 0.1).round(6), strict=True))
        names = POSE2SIM.split()
        assert poses.layout == "halpe-26"
        for joint, name in [
            ("spine base", "Hip"),
            ("neck base", "Neck"),
            ("head top", "Head"),
            ("left wrist", "LWrist"),
            ("right big toe", "RBigToe"),
        ]:
            assert x[joint] == names.index(name)
        assert {n for n, value in x.items() if np.isnan(value)} == {
            "left eye",
            "right eye",
            "left ear",
            "right ear",
        }
        assert poses.frames is not None and poses.frames.tolist() == [4, 5]
        assert (poses.fps, poses.unit, poses.axes) == (60.0, "m", None)


def test_an_empty_cell_is_a_joint_not_seen_and_moves_no_other(tmp_path: Path) -> None:
    rows = [
        row(1, 22, m0="\t\t", m9="nan\tnan\tnan"),
        row(2, 22, m21="\t\t").rstrip("\t"),
        row(3, 22, m21="\t\t"),
    ]
    poses = read(write(tmp_path, trc(rows)))
    missing = np.any(np.isnan(poses.joints), axis=-1)[:, 0]
    x = {name: HALPE_26.joints.index(name) for name in ("spine base", "left ankle", "left wrist")}
    assert missing[0, [x["spine base"], x["left ankle"], x["left wrist"]]].tolist() == [
        True,
        True,
        False,
    ]
    assert missing[1:, x["left wrist"]].all() and not missing[1:, x["left ankle"]].any()
    assert poses.joints[0, 0, HALPE_26.joints.index("right hip"), 0] == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("units", "unit"), [("mm", "mm"), ("m", "m"), ("CM", "cm"), ("meters", "m"), ("", None)]
)
def test_units(tmp_path: Path, units: str, unit: str | None) -> None:
    assert read(write(tmp_path, trc([row(1, 22)], units=units))).unit == unit


def test_names_with_spaces_and_other_markers(tmp_path: Path) -> None:
    names = " ".join(f"x+{n}" if n == "Nose" else n for n in POSE2SIM.split())
    poses = read(write(tmp_path, trc([row(1, 22)], names=names)))
    joints = dict(zip(HALPE_26.joints, poses.joints[0, 0, :, 0], strict=True))
    assert joints["right shoulder"] == pytest.approx(16.1)
    assert np.isnan(joints["nose"])


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_other_line_ends(tmp_path: Path, end: str) -> None:
    text = trc([row(1, 22), row(2, 22)])
    assert len(read(write(tmp_path, text.replace("\n", end))).joints) == 2


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        (trc([row(1, 22), row(2, 22)], frames=3), "expected 3 frames, got 2", 3),
        (trc([row(1, 22), row(1, 22)]), "frames do not rise", 7),
        (trc([row(1, 22), row(2, 22, m3="1,5\t1\t2")]), "'1,5' is not a number", 7),
        (trc([row(1, 22, m3="a\t1\t2")]), "'a' is not a number", 6),
        (trc([row(1, 22).replace("1", "x", 1)]), "'x' is not a number", 6),
        (trc([row(1, 22)], units="furlong"), "unit 'furlong' is not known", 3),
        (trc([row(1, 22)], names=POSE2SIM.replace("LKnee", "Tail")), "left knee", None),
        (
            trc([row(1, 22)], names=POSE2SIM.replace("LWrist", "Hip")),
            "two markers have one name",
            4,
        ),
        (trc([]), "has no rows below its heading", None),
        ("PathFileType\t4\n", "ends in its heading", 1),
    ],
)
def test_damage_is_named(tmp_path: Path, text: str, said: str, line: int | None) -> None:
    with pytest.raises(DataError, match=said) as caught:
        list(READER.read([write(tmp_path, text)]))
    assert (caught.value.file, caught.value.line) == ("walk_P0.trc", line)
    assert caught.value.fix

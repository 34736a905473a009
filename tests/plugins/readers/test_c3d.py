"""C3D: joints by name, subjects, markers of Plug-in Gait, and what is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import c3d
import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.contracts import NoSettings
from starcli.errors import DataError, MissingError
from starcli.poses import PoseFile, Poses
from starcli_plugins.layouts import KINECT_V2, SMPL_22
from starcli_plugins.readers.c3d import C3d

READER = C3d(NoSettings())
CENTRES = "PELO LHJC RHJC LKJC RKJC LAJC RAJC LSJC RSJC LEJC REJC LWJC RWJC HEDO"
MARKERS = (
    "LFHD RFHD LBHD RBHD LSHO RSHO LELB RELB LWRA LWRB RWRA RWRB LASI RASI LPSI RPSI LKNE RKNE LKNM"
    " RKNM LANK RANK LTOE RTOE"
)
Points = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@conforms("reader", C3d)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


def write(
    folder: Path,
    labels: Sequence[str],
    points: Points,
    scale: float = -1.0,
    angles: Sequence[str] = (),
) -> PoseFile:
    """A file of points [T, labels, 3] at 100 frames a second that begins with frame 7."""
    writer = c3d.Writer(100.0, point_units="mm", point_scale=scale)
    writer.set_point_labels(list(labels))
    for frame in points:
        lost = np.where(np.isfinite(frame).all(-1), 0.0, -1.0)[:, None]
        row = np.concatenate([np.nan_to_num(frame), lost, lost], axis=1)
        writer.add_frames([(row.astype(np.float32), np.zeros((0, 1)))])
    if angles:
        width = max(map(len, angles))
        text = "".join(name.ljust(width) for name in angles)
        writer.point_group.add_str("ANGLES", "", text, width, len(angles))
    writer.set_start_frame(7)
    path = folder / "walk.c3d"
    with path.open("wb") as handle, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of no analog data
        writer.write(handle)
    return PoseFile(path, "walk.c3d")


def read(file: PoseFile) -> Poses:
    assert READER.recognises(file)
    (poses,) = READER.read([file])
    return poses


def counted(labels: Sequence[str], frames: int = 2) -> Points:
    return np.arange(1.0, frames * len(labels) * 3 + 1).reshape(frames, -1, 3)


def at(poses: Poses, name: str) -> list[float]:
    return [float(v) for v in poses.joints[0, 0, KINECT_V2.joints.index(name)].round(3)]


def test_centres_of_joints_are_found_by_name(tmp_path: Path) -> None:
    labels = ["Ann:LANK", *(f"Ann:{n}" for n in CENTRES.split()), "*17"]
    points = counted(labels)
    points[1, 3] = np.nan
    poses = read(write(tmp_path, labels, points))
    x = dict(zip(labels, points[0, :, 0].tolist(), strict=True))
    assert poses.layout == "smpl-22"
    found = dict(zip(SMPL_22.joints, poses.joints[0, 0, :, 0].tolist(), strict=True))
    assert (found["left hip"], found["right ankle"]) == (x["Ann:LHJC"], x["Ann:RAJC"])
    assert (found["left wrist"], found["left elbow"]) == (x["Ann:LWJC"], x["Ann:LEJC"])
    assert np.isnan(poses.joints[1, 0, SMPL_22.joints.index("right hip")]).all()
    assert poses.frames is not None and poses.frames.tolist() == [7, 8]
    assert (poses.fps, poses.unit, poses.axes, poses.people) == (100.0, "mm", None, None)
    assert poses.notes == ()


def test_whole_numbers_are_scaled(tmp_path: Path) -> None:
    labels = CENTRES.split()
    floats = read(write(tmp_path, labels, counted(labels)))
    whole = read(write(tmp_path, labels, counted(labels), scale=0.1))
    np.testing.assert_allclose(whole.joints, floats.joints, atol=0.05)


def test_subjects_are_people(tmp_path: Path) -> None:
    labels = [
        f"{who}:{name}"
        for who in ("Ann", "Bob", "Box")
        for name in CENTRES.split()
        if who != "Box" or name == "PELO"
    ]
    points = counted(labels)
    poses = read(write(tmp_path, labels, points))
    assert poses.people == ("Ann", "Bob")
    np.testing.assert_array_equal(np.nanmin(poses.joints[0], (1, 2)), points[0, [0, 14], 0])


def test_angles_are_no_places(tmp_path: Path) -> None:
    labels = [*CENTRES.split(), "LKnee"]
    file = write(
        tmp_path, [n for n in labels if n != "LKJC"], counted(labels[1:]), angles=["LKnee"]
    )
    assert "no joint found for left knee" in refused(file)


def test_rough_joints_of_markers(tmp_path: Path) -> None:
    """A person 1.8 m tall, z up, who faces +x: the left is at +y."""
    where = {
        "FHD": (100, 70, 1700),
        "BHD": (-100, 70, 1700),
        "SHO": (0, 180, 1450),
        "ELB": (0, 300, 1150),
        "WRA": (40, 300, 900),
        "WRB": (-40, 300, 900),
        "ASI": (100, 120, 1000),
        "PSI": (-100, 50, 1000),
        "KNE": (0, 160, 500),
        "KNM": (0, 60, 500),
        "ANK": (0, 130, 100),
        "TOE": (150, 110, 50),
    }
    labels = MARKERS.split()
    point = {
        f"{side}{name}": (x, y if side == "L" else -y, z)
        for name, (x, y, z) in where.items()
        for side in "LR"
    }
    poses = read(write(tmp_path, labels, np.array([[point[name] for name in labels]] * 2, float)))
    assert poses.layout == "kinect-v2"
    assert poses.notes == ("joints are rough: they come from markers on the skin",)
    assert at(poses, "head") == [0, 0, 1700]
    assert at(poses, "left wrist") == [0, 300, 900]
    assert at(poses, "right knee") == [0, -110, 500]
    assert at(poses, "left foot") == [150, 110, 50]
    # 240 mm between the front markers: 33.6 mm inwards, 72 mm down, 45.6 mm back.
    assert at(poses, "left hip") == [54.4, 86.4, 928]
    assert at(poses, "right hip") == [54.4, -86.4, 928]
    assert at(poses, "spine base") == [54.4, 0, 928]


def refused(file: PoseFile) -> str:
    with pytest.raises(DataError) as caught:
        list(READER.read([file]))
    assert caught.value.file == file.name and caught.value.fix
    return str(caught.value)


def test_markers_without_a_body_are_refused(tmp_path: Path) -> None:
    labels = [n for n in MARKERS.split() if n not in ("LWRA", "LWRB")]
    assert "no joint found for" in refused(write(tmp_path, labels, counted(labels)))


def test_cut_and_other_files(tmp_path: Path) -> None:
    labels = CENTRES.split()
    file = write(tmp_path, labels, counted(labels, 40))
    content = file.path.read_bytes()
    for size in (len(content) - 1024, len(content) // 2, 600):
        file.path.write_bytes(content[:size])
        refused(PoseFile(file.path, file.name))
    for junk in (b"", b"\x02P", b"\x02P" + bytes(1000), b"\x89PNG" + bytes(70000)):
        file.path.write_bytes(junk)
        assert not READER.recognises(PoseFile(file.path, file.name))


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = CENTRES.split()
    file = write(tmp_path, labels, counted(labels))

    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("starcli_plugins.readers.c3d.import_module", absent)
    assert READER.recognises(file)
    with pytest.raises(MissingError) as caught:
        list(READER.read([file]))
    assert caught.value.exit_code == 4
    assert caught.value.fix == "pip install 'starcli[c3d]'"

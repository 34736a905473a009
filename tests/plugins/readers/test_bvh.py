"""BVH: kinematics of hand-made trees and real files, and everything that can be wrong with one."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.conformance.bodies import sample
from starcli.conformance.readers import compare
from starcli.contracts import NoSettings
from starcli.errors import DataError
from starcli.poses import PoseFile, Poses
from starcli_plugins.layouts import SMPL_22
from starcli_plugins.readers.bvh import Bvh, positions
from starcli_plugins.readers.bvh_text import Node

READER = Bvh(NoSettings())
BOW = "dataset/Bandai-Namco-Research-Motiondataset-1/data/dataset-1_bow_active_001.bvh"
ROTATIONS = "3 Zrotation Yrotation Xrotation"
ARM = ("Shoulder", "Arm", "ForeArm", "Hand")
LEG = ("UpLeg", "Leg", "Foot")


@conforms("reader", Bvh)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


def write(folder: Path, text: str, name: str = "walk.bvh") -> PoseFile:
    path = folder / name
    path.write_bytes(text.encode())
    return PoseFile(path, name)


def read(file: PoseFile) -> Poses:
    assert READER.recognises(file)
    (poses,) = READER.read([file])
    return poses


def joint(
    name: str, offset: str, *inside: str, channels: str = ROTATIONS, kind: str = "JOINT"
) -> str:
    body = "\n".join(inside) or "End Site\n{\nOFFSET 0 0 0\n}"
    return f"{kind} {name}\n{{\nOFFSET {offset}\nCHANNELS {channels}\n{body}\n}}"


def chain(names: list[str], offsets: list[str]) -> str:
    inside = [chain(names[1:], offsets[1:])] if names[1:] else []
    return joint(names[0], offsets[0], *inside)


def skeleton(channels: str = "6 Xposition Yposition Zposition " + ROTATIONS[2:]) -> str:
    """A person of 1.6 units with 17 joints: limbs down, arms to the sides."""
    limbs = [
        chain([f"{side}{name}" for name in LEG], [f"{x} 0 0", "0 -0.4 0", "0 -0.4 0"])
        for side, x in (("Left", 0.1), ("Right", -0.1))
    ]
    arms = [
        chain(
            [f"{side}{name}" for name in ARM],
            [f"{0.05 * x} 0.4 0", f"{0.15 * x} 0 0", f"{0.3 * x} 0 0", f"{0.3 * x} 0 0"],
        )
        for side, x in (("Left", 1), ("Right", -1))
    ]
    spine = joint("Spine", "0 0.1 0", joint("Neck", "0 0.4 0", joint("Head", "0 0.1 0")), *arms)
    return "HIERARCHY\n" + joint("Hips", "0 0 0", spine, *limbs, channels=channels, kind="ROOT")


COLUMNS = 6 + 3 * 17


def bvh(rows: list[list[float]], frames: int | None = None, time: str = "0.0333333") -> str:
    lines = [" ".join(map(str, row)) for row in rows]
    head = [skeleton(), "MOTION", f"Frames: {len(rows) if frames is None else frames}"]
    return "\n".join([*head, f"Frame Time: {time}", *lines]) + "\n"


def rest(**values: float) -> list[float]:
    """A row of all zeros but for some columns: `c0=1.0`."""
    row = [0.0] * COLUMNS
    for name, value in values.items():
        row[int(name[1:])] = value
    return row


def at(poses: Poses, name: str, frame: int = 0, person: int = 0) -> list[float]:
    values = poses.joints[frame, person, SMPL_22.joints.index(name)]
    return [round(float(value), 6) + 0.0 for value in values]


def matrix(axis: str, degrees: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return {
        "x": np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]),
        "y": np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]),
        "z": np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]),
    }[axis]


@pytest.mark.parametrize("order", ["zyx", "xyz", "zxy", "yzx"])
def test_the_first_named_rotation_is_the_leftmost(order: str) -> None:
    root = Node("a", -1, [1, 2, 3], [("xyz".index(axis), True) for axis in order])
    values = np.array([[10.0, -40.0, 70.0], [0.0, 0.0, 90.0]])
    found = positions([root, Node("b", 0, [4, 5, 6])], values)
    for frame, row in enumerate(values):
        turn = np.eye(3)
        for axis, degrees in zip(order, row, strict=True):
            turn = turn @ matrix(axis, degrees)
        np.testing.assert_allclose(found[frame, 1], [1, 2, 3] + turn @ [4, 5, 6], atol=1e-12)


def test_position_channels_stand_in_place_of_the_offset() -> None:
    root = Node("a", -1, [9, 9, 9], [(1, False), (2, True)])
    child = Node("b", 0, [1, 0, 0], [(0, False), (1, False), (2, False)])
    found = positions([root, child], np.array([[5.0, 90.0, 2.0, 0.0, 0.0]]))
    np.testing.assert_allclose(found[0, 0], [9, 5, 9])
    np.testing.assert_allclose(found[0, 1], [9, 7, 9], atol=1e-12)


def test_a_turned_arm_by_hand(tmp_path: Path) -> None:
    text = bvh([rest(c1=1.0), rest(c1=1.0)])
    first = read(write(tmp_path, text))
    assert at(first, "left wrist") == [0.8, 1.5, 0]
    # Columns: hips 6, spine 3, neck 3, head 3, left clavicle 3, then the left shoulder's z.
    raised = read(write(tmp_path, bvh([rest(c1=1.0), rest(c1=1.0, c18=90.0)])))
    assert at(raised, "left shoulder", 1) == [0.2, 1.5, 0]
    assert at(raised, "left elbow", 1) == [0.2, 1.8, 0]
    assert at(raised, "left wrist", 1) == [0.2, 2.1, 0]
    assert at(raised, "right wrist", 1) == [-0.8, 1.5, 0]
    assert first.fps == 30.0 and first.people is None and first.unit is None and first.axes is None


def test_frames_of_bandai_namco(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "data" / "mocap" / "bandai_namco.zip") as archive:
        path = tmp_path / "bow.bvh"
        path.write_bytes(archive.read(BOW))
    poses = read(PoseFile(path, "bow.bvh"))
    wanted = {
        "spine base": (-0.5, 93.5, -9.0),
        "neck": (0.4, 134.6, -10.3),
        "head": (0.5, 141.0, -10.1),
        "left shoulder": (10.6, 130.4, -9.7),
        "left wrist": (25.1, 90.0, 4.1),
        "right shoulder": (-9.9, 130.7, -11.4),
        "left ankle": (8.9, 11.7, -7.2),
        "left foot": (8.7, 4.2, 1.9),
        "right foot": (-13.2, 5.5, -3.4),
    }
    for name, where in wanted.items():
        np.testing.assert_allclose(at(poses, name), where, atol=0.051)
    assert poses.joints.shape == (128, 1, 22, 3)
    assert (poses.fps, poses.layout, poses.unit, poses.notes) == (30.0, "smpl-22", None, ())
    lacking = np.isnan(poses.joints).all((0, 1, 3))
    assert [SMPL_22.joints[j] for j in np.flatnonzero(lacking)] == ["spine lower"]


def test_a_recording_comes_back(tmp_path: Path) -> None:
    poses = sample("smpl-22", 3, 1)
    (path,) = READER.write_sample(poses, tmp_path / "x.bvh")
    found = read(PoseFile(path, "x.bvh"))
    compare(found, poses, "smpl-22")
    assert found.fps == poses.fps


def test_an_added_t_pose_is_left_out(tmp_path: Path) -> None:
    walking = [rest(c0=2.0 + 0.01 * n, c1=1.0, c18=-80.0, c21=-20.0) for n in range(5)]
    poses = read(write(tmp_path, bvh([rest(c1=1.0), *walking])))
    assert len(poses.joints) == 5
    assert at(poses, "spine base") == [2, 1, 0]
    assert poses.notes == ("the first frame, a T-pose, was left out",)
    # Straight limbs alone are no T-pose, a jump alone is none either.
    assert len(read(write(tmp_path, bvh([rest(c0=0.01 * n) for n in range(5)]))).joints) == 5
    bent = rest(c1=1.0, c21=-60.0)
    assert len(read(write(tmp_path, bvh([bent, *walking]))).joints) == 6


def test_several_roots_are_several_people(tmp_path: Path) -> None:
    box = joint("Box", "1 1 1", kind="ROOT")
    text = bvh([rest() + rest(c0=3.0) + [0.0] * 3])
    second = skeleton().removeprefix("HIERARCHY\n")
    poses = read(write(tmp_path, text.replace("MOTION", f"{second}\n{box}\nMOTION")))
    assert poses.joints.shape == (1, 2, 22, 3)
    assert poses.people == ("1", "2")
    assert at(poses, "spine base", person=1) == [3, 0, 0]
    assert poses.notes == ("of 3 roots, 2 are people",)


def test_cmu_files_are_known_by_their_joints_and_size(tmp_path: Path) -> None:
    text = bvh([rest(), rest()])
    text = text.replace("JOINT Spine\n", "JOINT LowerBack\n").replace(
        "JOINT Head\n", "JOINT LHipJoint\n"
    )
    assert "no joint found for head" in refused(write(tmp_path, text))
    text = text.replace("JOINT Neck\n", "JOINT Head\n")
    assert read(write(tmp_path, text)).unit is None  # a torso of 0.4
    large = [
        line
        if not line.startswith("OFFSET")
        else "OFFSET " + " ".join(str(13 * float(v)) for v in line.split()[1:])
        for line in text.splitlines()
    ]
    assert read(write(tmp_path, "\n".join(large))).unit == "cmu"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("Frames: ", "Frames:\t").replace("Frame Time: ", "FRAME TIME:\t"),
        lambda text: text.replace("\n{", " {"),
        lambda text: text.replace("JOINT ", "JOINT Rig 1:"),
        lambda text: text.replace(" ", "\t"),
        lambda text: text.replace("Zrotation", "zRotation"),
        lambda text: text.replace("0.0333333", ".0333333"),
    ],
)
def test_forms_of_the_same_file(tmp_path: Path, change: object) -> None:
    assert callable(change)
    text = bvh([rest(c1=1.0), rest(c1=1.0, c18=30.0)])
    want, found = read(write(tmp_path, text)), read(write(tmp_path, change(text)))
    np.testing.assert_array_equal(found.joints, want.joints)
    assert found.fps == 30.0


def test_rows_beyond_the_declared_frames_are_left_out(tmp_path: Path) -> None:
    poses = read(write(tmp_path, bvh([rest(), rest(), rest(c0=9.0)], frames=2)))
    assert len(poses.joints) == 2
    assert poses.notes == ("has 3 rows of motion, of which the declared 2 were read",)


def test_a_value_that_is_no_number_is_a_joint_not_seen(tmp_path: Path) -> None:
    poses = read(write(tmp_path, bvh([rest(), rest(c18=float("nan"))])))
    assert np.isnan(at(poses, "left elbow", 1)).all()
    assert at(poses, "right wrist", 1) == [-0.8, 0.5, 0]


def refused(file: PoseFile) -> str:
    """The message of reading a file, which names it and what to do next."""
    with pytest.raises(DataError) as caught:
        list(READER.read([file]))
    assert str(caught.value).startswith(file.name)
    assert caught.value.fix
    return str(caught.value)


ROW = " ".join(["0.0"] * COLUMNS)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("3 Zrotation", "3 Wrotation", r"channel 'Wrotation' is not a position or rotation"),
        (
            "3 Zrotation Yrotation Xrotation",
            "9 Xposition Yposition Zposition Zrotation Yrotation Xrotation Xscale Yscale Zscale",
            "channel 'Xscale' is not",
        ),
        ("3 Zrotation", "4 Zrotation", "expected 4 channels, got 3"),
        ("OFFSET 0 0.1 0", "OFFSET 0 0,1 0", "'0,1' is not a number"),
        ("OFFSET 0 0.1 0", "OFFSET 0 0.1", "expected 3 numbers, got 2"),
        ("JOINT Spine", "Bone Spine", "'Bone' is not a word of a hierarchy"),
        ("MOTION", "}\nMOTION", "a bracket closes that did not open"),
        ("MOTION", "JOINT x\n{\nMOTION", "the hierarchy does not end before the motion"),
        ("Frames: 2", "Frames: 3", "expected 3 frames, got 2"),
        ("Frames: 2\n", "", "expected 'Frames:' and 'Frame Time:'"),
        ("0.0333333", "0", "frame time 0 is not a time"),
        (ROW, ROW.replace("0.0", "0,0", 1), "(frame 1): '0,0' is not a number"),
        (f"{ROW}\n{ROW}\n", f"{ROW}\n{ROW[:-8]}\n", "(frame 2): expected 57 numbers, got 55"),
        (ROW, ROW + " 1", "expected 57 numbers, got 58"),
        ("JOINT LeftForeArm", "JOINT Tail", "no joint found for left elbow"),
    ],
)
def test_damage_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = bvh([rest(), rest()])
    assert old in text
    message = refused(write(tmp_path, text.replace(old, new, 1)))
    assert said in message


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    text = bvh([rest(), rest()])
    for size in (
        20,
        len(text) // 2,
        text.index("MOTION"),
        text.index("MOTION") + 8,
        len(text) - 40,
    ):
        refused(write(tmp_path, text[:size]))


def test_other_text_is_not_recognised(tmp_path: Path) -> None:
    assert not READER.recognises(write(tmp_path, "MOTION\n"))
    assert not READER.recognises(write(tmp_path, ""))

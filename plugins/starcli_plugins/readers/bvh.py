"""BVH: motion capture as angles on a tree of bones, turned into positions of joints.

A joint's rotation is the product of the rotations about the axes in the order of its `CHANNELS`,
the first one leftmost; position channels stand in place of its `OFFSET`. Files do not say their
unit, nor which axis is up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from starcli.contracts import NoSettings
from starcli.poses import PoseFile, Poses, Unit
from starcli_plugins.layouts import SMPL_22
from starcli_plugins.readers.bvh_samples import sample
from starcli_plugins.readers.bvh_text import Node, hierarchy, motion
from starcli_plugins.readers.joint_names import Values, require

LIMBS = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
STRAIGHT = 0.99
"""Share of an arm's or leg's length that its ends are apart in a T-pose."""
JUMP = 5.0
CMU = {"LHipJoint", "LowerBack"}
CMU_TORSO = (5.5, 8.0)


class Bvh:
    """BVH files, one person for each root.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "BVH"
    suffixes: ClassVar[tuple[str, ...]] = (".bvh",)
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"smpl-22": 3}
    several: ClassVar[bool] = False

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether it begins with a hierarchy."""
        head = file.head.removeprefix(b"\xef\xbb\xbf").lstrip()
        return head[:9].upper() == b"HIERARCHY"

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of each file."""
        for file in files:
            yield _poses(file)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write the first person, with position channels on every joint as Bandai-Namco do."""
        path.write_text(sample(poses), "utf-8")
        return [path]


def _poses(file: PoseFile) -> Poses:
    lines = file.text.splitlines()
    nodes, start = hierarchy(lines, file)
    values, time, notes = motion(lines, start, sum(len(n.channels) for n in nodes), file)
    points = positions(nodes, values)
    people = [_fitted(nodes, members, points, file) for members in _people(nodes, file)]
    joints = np.stack(people, axis=1)
    if _begins_in_a_t_pose(joints[:, 0]):
        joints = joints[1:]
        notes.append("the first frame, a T-pose, was left out")
    roots = [node.name for node in nodes if node.parent < 0]
    if len(roots) > joints.shape[1]:
        notes.append(f"of {len(roots)} roots, {joints.shape[1]} are people")
    return Poses(
        joints,
        SMPL_22.name,
        fps=round(1 / time, 2),
        unit=_unit(nodes, joints[:, 0]),
        people=tuple(f"{n + 1}" for n in range(joints.shape[1])) if joints.shape[1] > 1 else None,
        notes=tuple(notes),
    )


def positions(nodes: Sequence[Node], values: Values) -> Values:
    """Where all joints are: forward kinematics over all frames at once.

    Args:
        nodes: The tree, parents before children.
        values: [T, channels], degrees and lengths.

    Returns:
        [T, joints, 3].
    """
    out = np.empty((len(values), len(nodes), 3))
    turns: dict[int, Values] = {-1: np.broadcast_to(np.eye(3), (len(values), 3, 3))}
    path = [-1]
    column = 0
    for number, node in enumerate(nodes):
        while path[-1] != node.parent:
            del turns[path.pop()]
        local = np.tile(node.offset, (len(values), 1))
        turn = turns[node.parent]
        out[:, number] = 0 if node.parent < 0 else out[:, node.parent]
        for at, (axis, rotates) in enumerate(node.channels, column):
            if not rotates:
                local[:, axis] = values[:, at]
        out[:, number] += (turn @ local[:, :, None])[:, :, 0]
        for at, (axis, rotates) in enumerate(node.channels, column):
            if rotates:
                turn = turn @ rotation(axis, values[:, at])
        column += len(node.channels)
        turns[number] = turn
        path.append(number)
    return out


def rotation(axis: int, degrees: npt.NDArray[np.float64]) -> Values:
    """Rotations [T, 3, 3] about an axis."""
    out = np.zeros((len(degrees), 3, 3))
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    a, b = (axis + 1) % 3, (axis + 2) % 3
    out[:, axis, axis] = 1
    out[:, a, a], out[:, b, b], out[:, a, b], out[:, b, a] = cos, cos, -sin, sin
    return out


def _people(nodes: Sequence[Node], file: PoseFile) -> list[list[int]]:
    """The joints of each root that is a person."""
    roots = [-1] * len(nodes)
    for number, node in enumerate(nodes):
        roots[number] = number if node.parent < 0 else roots[node.parent]
    trees = [[n for n, root in enumerate(roots) if root == tree] for tree in sorted(set(roots))]
    bodies = [tree for tree in trees if len(trees) == 1 or len(tree) > 12]
    return bodies or trees[:1]


def _fitted(
    nodes: Sequence[Node], members: Sequence[int], points: Values, file: PoseFile
) -> Values:
    """The joints of the layout [T, V, 3] of one person."""
    names = [nodes[n].name for n in members]
    return require(names, file, (SMPL_22,), points[0, members]).of(points[:, members])


def _named(joints: Values, name: str) -> Values:
    return joints[:, SMPL_22.joints.index(name)]


def _begins_in_a_t_pose(joints: Values) -> bool:
    """Whether arms and legs are straight in the first frame and far from there in the next."""
    if len(joints) < 4:
        return False
    for side in ("left", "right"):
        for limb in LIMBS:
            a, b, c = (_named(joints, f"{side} {name}")[0] for name in limb)
            length = np.linalg.norm(a - b) + np.linalg.norm(b - c)
            if not np.linalg.norm(a - c) > STRAIGHT * length:
                return False
    steps = np.nanmean(np.linalg.norm(np.diff(joints, axis=0), axis=-1), axis=-1)
    return bool(steps[0] > JUMP * np.median(steps))


def _unit(nodes: Sequence[Node], joints: Values) -> Unit | None:
    """The unit of files of the CMU collection, which is known by its joints; otherwise None."""
    if not {node.name for node in nodes} >= CMU:
        return None
    hips, shoulders = (
        (_named(joints, f"left {name}") + _named(joints, f"right {name}")) / 2
        for name in ("hip", "shoulder")
    )
    torso = float(np.nanmedian(np.linalg.norm(shoulders - hips, axis=-1)))
    return "cmu" if CMU_TORSO[0] < torso < CMU_TORSO[1] else None

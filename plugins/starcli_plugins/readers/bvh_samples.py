"""A recording as BVH: a tree of joints that all have position channels and never turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from starcli.contracts import Layout
from starcli.poses import Poses
from starcli_plugins.layouts import BY_NAME

NAMES = {
    "spine base": "Hips",
    "spine lower": "Spine",
    "spine mid": "Spine1",
    "spine upper": "Spine2",
    "neck": "Neck",
    "head": "Head",
}
LIMBS = {
    "clavicle": "Shoulder",
    "shoulder": "Arm",
    "elbow": "ForeArm",
    "wrist": "Hand",
    "hip": "UpLeg",
    "knee": "Leg",
    "ankle": "Foot",
    "foot": "ToeBase",
}
"""Joints of SMPL-22 -> their names in most files; the sides are before them."""


def sample(poses: Poses) -> str:
    """The text of a file of the first person, in the axes and unit of the poses."""
    layout = BY_NAME[poses.layout]
    children = _children(layout)
    root = layout.joints.index("spine base")
    order: list[int] = []
    lines = ["HIERARCHY", *_tree(layout, children, root, 0, order)]
    parents = {child: parent for parent, group in children.items() for child in group}
    where = poses.joints[:, 0]
    local = np.stack(
        [where[:, j] - (where[:, parents[j]] if j in parents else 0) for j in order], 1
    )
    rows = np.concatenate([local, np.zeros_like(local)], axis=-1).reshape(len(local), -1)
    lines += ["MOTION", f"Frames:\t{len(rows)}", f"Frame Time:\t{1 / (poses.fps or 30):.7f}"]
    return "\n".join([*lines, *(" ".join(f"{v:.6g}" for v in row) for row in rows)]) + "\n"


def _children(layout: Layout) -> Mapping[int, list[int]]:
    """Joint -> those that hang on it in a tree from the spine's base."""
    near: dict[int, list[int]] = {j: [] for j in range(len(layout.joints))}
    for child, parent in layout.bones:
        near[child].append(parent)
        near[parent].append(child)
    out: dict[int, list[int]] = {}
    queue = [(layout.joints.index("spine base"), -1)]
    for joint, parent in queue:
        out[joint] = [other for other in near[joint] if other != parent]
        queue += [(other, joint) for other in out[joint]]
    return out


def _tree(
    layout: Layout, children: Mapping[int, list[int]], joint: int, depth: int, order: list[int]
) -> Iterator[str]:
    """Lines of a joint and those below it, whose numbers are added to `order`."""
    order.append(joint)
    space = "  " * depth
    yield f"{space}{'JOINT' if depth else 'ROOT'} {_name(layout.joints[joint], layout)}"
    yield space + "{"
    yield f"{space}  OFFSET 0 0 0"
    yield f"{space}  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
    for child in children[joint]:
        yield from _tree(layout, children, child, depth + 1, order)
    if not children[joint]:
        yield from (
            f"{space}  End Site",
            f"{space}  {{",
            f"{space}    OFFSET 0 0 0",
            f"{space}  }}",
        )
    yield space + "}"


def _name(joint: str, layout: Layout) -> str:
    """Its name in files of motion capture; in other layouts than SMPL's, its own."""
    side, _, limb = joint.partition(" ")
    if layout.name == "smpl-22":
        return NAMES.get(joint) or side.capitalize() + LIMBS[limb]
    return "".join(word.capitalize() for word in joint.split())

"""A body of 25 Kinect v2 joints: joint angles over time -> joint positions.

The body frame is that of a Kinect that looks at the body: x to the body's right, y up,
z away from the camera, so the body faces -z. Units are metres and radians; S is 3 axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from starcli_plugins.layouts import KINECT_V2

Array = npt.NDArray[np.float64]
Axis = Literal["bend", "twist", "spread"]

AXES: tuple[Axis, ...] = ("bend", "twist", "spread")
"""Rotations of a joint about x, y and z.

`bend` > 0 swings what hangs below the joint forward and tips what stands above it back,
`twist` > 0 turns right limbs inward and the trunk to its left, `spread` > 0 moves right
limbs outward and tips the trunk to its left. Left limbs are mirrored.
"""

INDEX = {name: joint for joint, name in enumerate(KINECT_V2.joints)}
ROOT = INDEX["spine base"]
HIPS = (INDEX["left hip"], INDEX["right hip"])
ANKLES = (INDEX["left ankle"], INDEX["right ankle"])
FEET = (INDEX["left foot"], INDEX["right foot"])
MIRROR = np.array([[1, -1, -1] if name.startswith("left") else [1, 1, 1] for name in INDEX])

SOLE = {**dict.fromkeys(ANKLES, 0.08), **dict.fromkeys(FEET, 0.03)}
"""How high a joint of a foot that stands flat is above the floor, in metres."""


def _parents() -> dict[int, int]:
    """Joint -> parent in the layout's tree, rooted at the pelvis, parents first."""
    parents = {ROOT: ROOT}
    reached = [ROOT]
    for joint in reached:
        ends = {sum(bone) - joint for bone in KINECT_V2.bones if joint in bone}
        new = sorted(ends - parents.keys())
        parents.update(dict.fromkeys(new, joint))
        reached += new
    del parents[ROOT]
    return parents


PARENT = _parents()

_SPINE = {
    "spine mid": (0.0, 0.29, 0.0),
    "spine shoulder": (0.0, 0.22, 0.0),
    "neck": (0.0, 0.07, 0.0),
    "head": (0.0, 0.15, -0.03),
}
_RIGHT = {
    "shoulder": (0.17, -0.05, 0.0),
    "elbow": (0.0, -0.27, 0.0),
    "wrist": (0.0, -0.24, 0.0),
    "hand": (0.0, -0.08, 0.0),
    "thumb": (0.0, -0.03, -0.05),
    "hand tip": (0.0, -0.06, 0.05),
    "hip": (0.08, -0.03, 0.0),
    "knee": (0.0, -0.40, 0.0),
    "ankle": (0.0, -0.38, 0.0),
    "foot": (0.0, -0.05, -0.12),
}
"""Offsets from the parent joint of a person of 1.7 m who stands with hanging arms."""


def _offsets() -> Array:
    """Offsets from the parent joint in the order of the layout, [V, S]."""
    offsets = np.zeros((len(INDEX), 3))
    for name, offset in _SPINE.items():
        offsets[INDEX[name]] = offset
    for name, (x, y, z) in _RIGHT.items():
        offsets[INDEX[f"right {name}"]] = x, y, z
        offsets[INDEX[f"left {name}"]] = -x, y, z
    return offsets


OFFSETS = _offsets()


@dataclass(frozen=True)
class Body:
    """One person's limb lengths.

    Args:
        offsets: Joint minus parent joint in the rest pose, metres, [V, S]; the root's is 0.
    """

    offsets: Array

    @classmethod
    def of(
        cls,
        scale: float = 1.0,
        arms: float = 1.0,
        legs: float = 1.0,
        trunk: float = 1.0,
        width: float = 1.0,
    ) -> Self:
        """A body by its size relative to 1.7 m and the proportions of its parts."""
        offsets = OFFSETS * scale
        for joint, name in enumerate(KINECT_V2.joints):
            if any(word in name for word in ("elbow", "wrist", "hand", "thumb")):
                offsets[joint] *= arms
            elif any(word in name for word in ("knee", "ankle")):
                offsets[joint] *= legs
            elif any(word in name for word in ("spine", "neck", "head")):
                offsets[joint] *= trunk
            elif "shoulder" in name or "hip" in name:
                offsets[joint, 0] *= width
        return cls(offsets)

    def joints(self, angles: Array) -> Array:
        """Positions of the joints of a body that stands on the floor y = 0.

        Args:
            angles: Rotation of each joint about `AXES`, radians, [frames, V, S].

        Returns:
            Positions in the body frame, metres, [frames, V, S].
        """
        turns = rotations(angles * MIRROR)
        frames = np.empty_like(turns)
        joints = np.zeros(angles.shape)
        frames[:, ROOT] = turns[:, ROOT]
        for joint, parent in PARENT.items():
            above = frames[:, parent]
            joints[:, joint] = joints[:, parent] + above @ self.offsets[joint]
            # Legs hang plumb however the pelvis tilts, so a bow leaves the feet in place.
            frames[:, joint] = turns[:, joint] if joint in HIPS else above @ turns[:, joint]
        return grounded(joints)


def rotations(angles: Array) -> Array:
    """Rotation matrices Rx(bend) Rz(spread) Ry(twist).

    Spread comes before bend, so that an arm bent forward by 90 degrees spreads sideways.

    Args:
        angles: Rotations about x, y and z, radians, [..., S].

    Returns:
        Matrices [..., S, S].
    """
    (cx, cy, cz), (sx, sy, sz) = (np.moveaxis(f(angles), -1, 0) for f in (np.cos, np.sin))
    top = np.stack([cz * cy, -sz, cz * sy], -1)
    middle = np.stack([sz * cy, cz, sz * sy], -1)
    low = np.stack([-sy, np.zeros_like(sy), cy], -1)
    cx, sx = cx[..., None], sx[..., None]
    return np.stack([top, cx * middle - sx * low, sx * middle + cx * low], -2)


def grounded(joints: Array) -> Array:
    """The same motion with its lowest sole on the floor and the standing foot in place.

    Args:
        joints: Positions, metres, [frames, V, S].

    Returns:
        Moved positions, metres, [frames, V, S].
    """
    soles = np.stack([joints[:, joint, 1] - height for joint, height in SOLE.items()], -1)
    floor = soles.min(-1)
    ankles = joints[:, ANKLES]
    lift = ankles[..., 1] - ankles[..., 1].min(-1, keepdims=True)
    # A foot 5 cm above the other carries little weight: the standing one decides.
    weight = np.exp(-lift / 0.025)[..., None]
    weight /= weight.sum(1, keepdims=True)
    home = (weight * ankles).sum(0) / weight.sum(0)
    shift: Array = (weight * (home - ankles)).sum(1)
    shift[:, 1] = -floor
    return joints + shift[:, None]


def turned(points: Array, yaw: float) -> Array:
    """Points turned about the vertical axis.

    Args:
        points: Positions, metres, [..., S].
        yaw: Angle in radians, positive to the body's left.

    Returns:
        Positions, metres, [..., S].
    """
    moved: Array = points @ rotations(np.array([0.0, yaw, 0.0])).T
    return moved

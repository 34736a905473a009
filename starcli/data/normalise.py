"""Pure transforms of recorded clips, in numpy: check, centre, turn to the front."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from starcli.contracts import Layout, Normalisation
from starcli.data.body_frame import body_frame, on_floor
from starcli.errors import LEAVE_OUT, DataError

Joints = npt.NDArray[np.float32]
LIMIT_METRES = 100.0


@runtime_checkable
class PersonFiller(Protocol):
    """A data set whose clips have something in the place of a second person who is not there."""

    def fill_persons(self, joints: Joints) -> Joints:
        """A clip [frames, M, V, 3] of anybody's as the data set would have it."""


def checked(joints: npt.NDArray[np.floating | np.integer], layout: Layout, where: str) -> Joints:
    """A clip's joints as float32 once they are known to be sound.

    Args:
        joints: [frames, M, V, 3], metres.
        layout: The layout they must have.
        where: The file, for messages.

    Raises:
        DataError: No frames, another number of joints, NaN, infinity, or beyond 100 m.
    """
    if joints.ndim != 4 or joints.shape[2:] != (len(layout.joints), 3):
        expected = f"[frames, persons, {len(layout.joints)}, 3]"
        raise DataError(
            f"expected joints {expected}, got {list(joints.shape)}",
            "check that it belongs to this data set",
            file=where,
        )
    if len(joints) == 0:
        raise DataError("has no frames", LEAVE_OUT, file=where)
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(joints) <= LIMIT_METRES)
    if bad.any():
        frame, _, joint, _ = (int(i) for i in np.argwhere(bad)[0])
        value = joints[tuple(np.argwhere(bad)[0])]
        name = layout.joints[joint]
        raise DataError(
            f"joint {joint} ({name}): expected metres below 100, got {value}",
            "repair or remove the clip",
            file=where,
            frame=frame + 1,
        )
    return np.ascontiguousarray(joints, dtype=np.float32)


def centre(joints: Joints, layout: Layout) -> Joints:
    """Move the origin joint of the first person's first present frame to (0, 0, 0).

    A person whose joints all lie in one point was not seen there, and counts as present only where
    it never is otherwise.

    Args:
        joints: [frames, M, V, 3]; absent persons stay all zeros.
    """
    present = np.abs(joints).sum((2, 3), keepdims=True) > 0
    seen = np.ptp(joints[:, 0], axis=1).any(-1)
    first = int(np.argmax(seen if seen.any() else present[:, 0, 0, 0]))
    moved = (joints - joints[first, 0, layout.origin]) * present
    return np.asarray(moved, dtype=np.float32)


def face_front(joints: Joints, layout: Layout) -> Joints:
    """Turn the clip about the vertical so that the first person's shoulders lie along x.

    The angle comes from the shoulder line averaged over the clip, which a turning person or a
    noisy frame moves little. Metres in, metres out.

    Args:
        joints: [frames, M, V, 3], y up.
    """
    left, right = layout.across
    line = (joints[:, 0, right] - joints[:, 0, left]).mean(0, dtype=np.float64)
    angle = math.atan2(line[2], line[0])
    cos, sin = math.cos(angle), math.sin(angle)
    turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    return np.asarray(joints @ turn, dtype=np.float32)


def relative(joints: Joints, layout: Layout) -> Joints:
    """Place every person's centre joint at (0, 0, 0) in every frame: only the pose stays.

    As AimCLR (Guo et al., AAAI 2022) and STAR prepare PKU-MMD.

    Args:
        joints: [frames, M, V, 3]; absent persons stay all zeros, as their centre joint is zero.
    """
    return joints - joints[:, :, layout.centre, None]


def shoulders_along_x(joints: Joints, layout: Layout) -> Joints:
    """Turn every person in every frame about the vertical until the right shoulder lies at +x.

    The turn is about the origin, so clips are made `relative` first. Each person has an angle of
    its own, as in AimCLR and STAR; they take the sign of all angles of a clip from the sum of its
    shoulder lines' z, which turns frames of the other sign away from x, and here every frame has
    its own sign.

    Args:
        joints: [frames, M, V, 3], y up; absent persons stay all zeros.
    """
    left, right = layout.across
    line = (joints[:, :, right] - joints[:, :, left]).astype(np.float64)
    angle = np.arctan2(line[..., 2], line[..., 0])[..., None]
    cos, sin = np.cos(angle), np.sin(angle)
    x, y, z = np.moveaxis(joints, -1, 0)
    return np.stack([cos * x + sin * z, y, cos * z - sin * x], -1).astype(np.float32)


def grounded(joints: Joints, layout: Layout) -> Joints:
    """Put the lower ankle of every person at height 0 in every frame.

    For clips whose bodies' middle is the origin of every frame, as estimators of one person's pose
    write them: sitting down is there a lift of the feet. The way along the floor is not known.

    Args:
        joints: [frames, M, V, 3], y up; absent persons stay all zeros.

    Returns:
        The clip itself where the layout has no ankles.
    """
    ankles = [n for n, name in enumerate(layout.joints) if name in ("left ankle", "right ankle")]
    if not ankles:
        return joints
    low = joints[:, :, ankles, 1].min(2)[..., None]
    out = joints.copy()
    out[..., 1] -= low  # 0 where somebody is absent
    return out


NORMALISATIONS: Mapping[Normalisation, Callable[[Joints, Layout], Joints]] = {
    "centre": centre,
    "front": face_front,
    "relative": relative,
    "shoulders": shoulders_along_x,
    "floor": on_floor,
    "body": body_frame,
}
"""The functions that the setting `prepare.normalise` names."""

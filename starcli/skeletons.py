"""Pure transforms of clips: check, centre, turn to the front, crop, resample, rotate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from starcli.contracts import Layout
from starcli.errors import DataError

Joints = npt.NDArray[np.float32]
LIMIT_METRES = 100.0


def checked(joints: npt.NDArray[Any], layout: Layout, where: str) -> Joints:
    """A clip's joints as float32 once they are known to be sound.

    Args:
        joints: [frames, M, V, 3], metres.
        layout: The layout they must have.
        where: The file, for messages.

    Raises:
        DataError: No frames, another number of joints, NaN, infinity, or beyond 100 m.
    """
    if joints.ndim != 4 or joints.shape[2:] != (len(layout.joints), 3):
        want = f"[frames, persons, {len(layout.joints)}, 3]"
        raise DataError(f"joints are {list(joints.shape)}, want {want}",
                        "check that it belongs to this data set", file=where)  # fmt: skip
    if len(joints) == 0:
        raise DataError("has no frames", "leave the clip out", file=where)
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(joints) <= LIMIT_METRES)
    if bad.any():
        frame, _, joint, _ = (int(i) for i in np.argwhere(bad)[0])
        value = joints[tuple(np.argwhere(bad)[0])]
        name = layout.joints[joint]
        raise DataError(f"joint {joint} ({name}) has coordinate {value}, want metres below 100",
                        "repair or remove the clip", file=where, frame=frame + 1)  # fmt: skip
    return np.ascontiguousarray(joints, dtype=np.float32)


def centre(joints: Joints, layout: Layout) -> Joints:
    """Move the origin joint of the first person's first present frame to (0, 0, 0).

    Args:
        joints: [frames, M, V, 3]; absent persons stay all zeros.
    """
    present = np.abs(joints).sum((2, 3), keepdims=True) > 0
    first = int(np.argmax(present[:, 0, 0, 0]))
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


def resample(joints: Tensor, frames: int) -> Tensor:
    """Stretch or squeeze a clip to a number of frames by linear interpolation.

    Args:
        joints: [any frames, M, V, 3].
        frames: T.

    Returns:
        [3, T, V, M], the input of a backbone.
    """
    length, persons, count, _ = joints.shape
    flat = joints.permute(1, 2, 3, 0).reshape(1, -1, length)
    flat = interpolate(flat, size=frames, mode="linear", align_corners=False)
    return flat.reshape(persons, count, 3, frames).permute(2, 3, 1, 0).contiguous()


def random_crop(joints: Tensor, shortest: float, generator: torch.Generator) -> Tensor:
    """A random stretch of a clip, its share of the frames uniform in [shortest, 1]."""
    length = len(joints)
    share = shortest + (1 - shortest) * float(torch.rand((), generator=generator))
    keep = max(1, round(share * length))
    start = int(torch.randint(length - keep + 1, (), generator=generator))
    return joints[start : start + keep]


def middle_crop(joints: Tensor, share: float) -> Tensor:
    """The middle stretch of a clip with this share of its frames."""
    cut = int((1 - share) * len(joints) / 2)
    return joints[cut : len(joints) - cut]


def random_rotation(clips: Tensor, limit: float, generator: torch.Generator) -> Tensor:
    """Rotate every clip by angles about x, y and z drawn uniformly in ±limit radians.

    Args:
        clips: [B, 3, T, V, M].
    """
    angles = (torch.rand(len(clips), 3, generator=generator) * 2 - 1) * limit
    turns = torch.stack([_rotation(a) for a in angles]).to(clips)
    return torch.einsum("bij,bjtvm->bitvm", turns, clips)


def _rotation(angles: Tensor) -> Tensor:
    """Rotation matrix [3, 3] about x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = angles.cos().tolist(), angles.sin().tolist()
    about_x = torch.tensor([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = torch.tensor([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = torch.tensor([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x

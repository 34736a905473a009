"""Pure transforms of clips: check, centre, turn to the front, crop, resample, rotate."""

from __future__ import annotations

import math
from collections.abc import Sequence
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


def resample_all(clips: Sequence[Tensor], frames: int) -> Tensor:
    """`resample` of several clips, those of one length in one go.

    Args:
        clips: B clips [any frames, M, V, 3].
        frames: T.

    Returns:
        [B, 3, T, V, M].
    """
    by_length: dict[int, list[int]] = {}
    for position, clip in enumerate(clips):
        by_length.setdefault(len(clip), []).append(position)
    out = torch.empty(len(clips), 3, frames, clips[0].shape[2], clips[0].shape[1])
    for positions in by_length.values():
        same = torch.stack([clips[p] for p in positions], dim=1)
        length, count, persons, joints, _ = same.shape
        wide = resample(same.reshape(length, count * persons, joints, 3), frames)
        out[positions] = wide.view(*wide.shape[:3], count, persons).permute(3, 0, 1, 2, 4)
    return out


def crop(joints: Tensor, share: float, place: float) -> Tensor:
    """A stretch of a clip.

    Args:
        joints: [frames, M, V, 3].
        share: Share of the frames that is kept, at least one.
        place: Where it starts among the possible starts, from 0 to below 1.
    """
    keep = max(1, round(share * len(joints)))
    start = int(place * (len(joints) - keep + 1))
    return joints[start : start + keep]


def middle_crop(joints: Tensor, share: float) -> Tensor:
    """The middle stretch of a clip with this share of its frames."""
    cut = int((1 - share) * len(joints) / 2)
    return joints[cut : len(joints) - cut]


def augment(
    clips: Sequence[Tensor],
    frames: int,
    draws: Tensor,
    *,
    shortest: float,
    rotation: float,
    scale: float,
) -> Tensor:
    """Clips cropped, resampled, rotated and scaled at random.

    Args:
        clips: B clips [any frames, M, V, 3].
        frames: T.
        draws: [B, 6 or more], uniform in [0, 1): length and place of the crop, three angles, size.
        shortest: Shortest crop, share of the frames.
        rotation: Largest rotation about each axis, radians.
        scale: Largest change of the size, as a share.

    Returns:
        [B, 3, T, V, M].
    """
    shares, places = (shortest + (1 - shortest) * draws[:, 0]).tolist(), draws[:, 1].tolist()
    cropped = [crop(*c) for c in zip(clips, shares, places, strict=True)]
    turned = rotate(resample_all(cropped, frames), (2 * draws[:, 2:5] - 1) * rotation)
    return turned * (1 + scale * (2 * draws[:, 5] - 1))[:, None, None, None, None]


def motion_masked(joints: Tensor, share: float) -> Tensor:
    """A clip without the frames of most motion, its remaining frames in order.

    The motion of a frame is the squared distance that the joints go until the next one; SMIE
    (Zhou et al., ACM MM 2023) leaves out these frames for its temporal constraint.

    Args:
        joints: [frames, M, V, 3].
        share: Share of the frames that is left out; one frame at least stays.
    """
    motion = torch.zeros(len(joints))
    motion[:-1] = (joints[1:] - joints[:-1]).square().sum((1, 2, 3))
    keep = max(1, len(joints) - round(share * len(joints)))
    quiet = torch.argsort(motion, stable=True)[:keep]
    return joints[quiet.sort().values]


def rotate(clips: Tensor, angles: Tensor) -> Tensor:
    """Rotate every clip about x, then y, then z.

    Args:
        clips: [B, 3, T, V, M].
        angles: [B, 3], radians.
    """
    turns = torch.stack([_rotation(a) for a in angles]).to(clips)
    return torch.einsum("bij,bjtvm->bitvm", turns, clips)


def _rotation(angles: Tensor) -> Tensor:
    """Rotation matrix [3, 3] about x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = angles.cos().tolist(), angles.sin().tolist()
    about_x = torch.tensor([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = torch.tensor([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = torch.tensor([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x

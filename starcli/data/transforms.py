"""Pure transforms from clips to what a backbone reads: crop, resample, rotate, mask."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from starcli.contracts import Modality


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


def crop(joints: Tensor, share: float, place: float, least: int) -> Tensor:
    """A stretch of a clip, as CTR-GCN's feeder takes it.

    Args:
        joints: [frames, M, V, 3].
        share: Share of the frames that is kept, rounded down.
        place: Where it starts among the possible starts, from 0 to below 1.
        least: Frames that are kept at least, where the clip has them.
    """
    keep = min(max(int(share * len(joints)), least), len(joints))
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
    least: int,
    rotation: float,
    scale: float,
) -> Tensor:
    """Clips cropped, resampled, rotated and scaled at random.

    Args:
        clips: B clips [any frames, M, V, 3].
        frames: T.
        draws: [B, 6 or more], uniform in [0, 1): length and place of the crop, three angles, size.
        shortest: Shortest crop, share of the frames.
        least: Frames that a crop keeps at least.
        rotation: Largest rotation about each axis, radians.
        scale: Largest change of the size, as a share.

    Returns:
        [B, 3, T, V, M].
    """
    shares, places = (shortest + (1 - shortest) * draws[:, 0]).tolist(), draws[:, 1].tolist()
    cropped = [crop(*c, least) for c in zip(clips, shares, places, strict=True)]
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


def mirror(clips: Tensor, other_side: Sequence[int], chosen: Tensor) -> Tensor:
    """Some clips as a mirror shows them: x becomes -x, and left and right joints change names.

    Args:
        clips: [B, 3, T, V, M], x from one side to the other.
        other_side: For every joint the one of the other side.
        chosen: bool [B], the clips that are mirrored.
    """
    out = clips.clone()
    out[chosen] = clips[chosen][:, :, :, list(other_side)]
    out[chosen, 0] *= -1
    return out


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


def modality(clips: Tensor, bones: Sequence[tuple[int, int]], name: Modality) -> Tensor:
    """What of the skeleton the backbone reads (2s-AGCN, Shi et al., CVPR 2019; CTR-GCN's feeder).

    Args:
        clips: Joints [B, 3, T, V, M].
        bones: Pairs (child, parent) of joint indices.
        name: `joint` as it is; `bone`, the vector from parent to child at the place of the child,
            zero at the root; with `-motion`, how it changes until the next frame, zero in the last.
    """
    what, _, motion = name.partition("-")
    if what == "bone":
        child, parent = zip(*bones, strict=True)
        vectors = torch.zeros_like(clips)
        vectors[:, :, :, child] = clips[:, :, :, child] - clips[:, :, :, parent]
        clips = vectors
    if motion:
        change = torch.zeros_like(clips)
        change[:, :, :-1] = clips[:, :, 1:] - clips[:, :, :-1]
        clips = change
    return clips

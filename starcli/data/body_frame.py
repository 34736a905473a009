"""The body's own frame: where a clip's first person looks, how large it is, where it stands.

For layouts with hips, shoulders, knees and ankles. Recorder, place and size of a person tell
nothing of the action, so that clips of several recorders are alike in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from starcli.contracts import Layout
from starcli.errors import DataError

Joints = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]

ENDS = ("hip", "shoulder", "knee", "ankle")
"""Joints of both sides that the frame is made of."""
START_SHARE, START_FRAMES = 6, 3
"""A sixth of a clip, and three frames at least, tell where it faces."""
ORIGIN_FRAMES = 5
FLOOR = 0.1
"""Quantile of the lower ankle's height that is the floor."""
STILL = 0.1
"""Way of a pelvis, in body sizes, that is less than any action's in which the knees bend."""
BEND = 0.2
"""Share of the leg by which bending knees shorten the way from hip to ankle: sitting down takes
0.3. Noise reaches 0.15 in recordings of UTD-MHAD that are not centred, and 0.2 in none."""


def require_body(layout: Layout) -> None:
    """Refuse a layout that the body frame cannot be found in.

    Raises:
        DataError: It lacks hips, shoulders, knees or ankles.
    """
    names = [f"{side} {end}" for end in ENDS for side in ("left", "right")]
    lacking = [name for name in names if name not in layout.joints]
    if lacking:
        raise DataError(
            f"layout {layout.name} has no joint {', '.join(lacking)}, of which the body frame is "
            "made",
            "leave body and floor out of prepare.normalise",
        )


def body_frame(joints: Joints, layout: Layout) -> Joints:
    """The clip in the frame of its first person: x to the left, y up, z forward.

    The whole clip is turned by one angle, so that left hip minus right hip and left shoulder minus
    right shoulder, over the first sixth of the frames, lie along x. Its unit is the length of trunk
    and leg, medians over the frames; the floor, the lower ankle's tenth percentile, has height 0;
    and the middle of the hips stands at x = z = 0 in the first five frames.

    Args:
        joints: [frames, M, V, 3], y up; absent persons stay all zeros.

    Raises:
        DataError: The layout lacks hips, shoulders, knees or ankles.
    """
    require_body(layout)
    present = np.abs(joints).sum((2, 3), keepdims=True) > 0
    seen = np.ptp(joints[:, 0], axis=1).any(-1)
    if not seen.any():
        return joints
    ends = _ends(joints[seen, 0].astype(np.float64), layout)
    hips = ends["hip"].mean(1)
    across = sum(np.diff(ends[end], axis=1)[:, 0] for end in ("hip", "shoulder"))
    line = -np.asarray(across)[: max(START_FRAMES, len(hips) // START_SHARE)].mean(0)
    origin = hips[:ORIGIN_FRAMES].mean(0)
    origin[1] = np.quantile(ends["ankle"][..., 1].min(1), FLOOR)
    angle = math.atan2(line[2], line[0])
    cos, sin = math.cos(angle), math.sin(angle)
    turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    moved = ((joints - origin) @ turn) / _size(ends) * present
    return np.asarray(moved, dtype=np.float32)


def is_hip_centred(joints: Joints, layout: Layout) -> bool:
    """Whether the middle of somebody's hips stays in its place while both knees bend.

    So write estimators of a single person's pose, whose origin is the pelvis of every frame.

    Args:
        joints: [frames, M, V, 3], y up.
    """
    persons = (joints[:, person] for person in range(joints.shape[1]))
    return any(_is_hip_centred(each, layout) for each in persons)


def _is_hip_centred(person: Joints, layout: Layout) -> bool:
    """The same of one person [frames, V, 3]."""
    seen = person[np.ptp(person, axis=1).any(-1)].astype(np.float64)
    if not len(seen):
        return False
    ends = _ends(seen, layout)
    hips, legs = ends["hip"].mean(1), _leg(ends)
    reach = np.linalg.norm(ends["hip"] - ends["ankle"], axis=-1).max(1)  # of the straighter leg
    still = np.linalg.norm(np.ptp(hips, axis=0)) < STILL * _size(ends)
    return bool(still and np.ptp(reach) > BEND * legs)


def on_floor(joints: Joints, layout: Layout) -> Joints:
    """A hip-centred clip with the lower ankle of every person at height 0; others as they are.

    The height that is taken off is the mean over five frames. In a hip-centred clip sitting down
    is a lift of the feet.

    Args:
        joints: [frames, M, V, 3], y up; absent persons stay all zeros.

    Raises:
        DataError: The layout lacks hips, shoulders, knees or ankles.
    """
    require_body(layout)
    if not is_hip_centred(joints, layout):
        return joints
    ankles = [layout.joints.index(f"{side} ankle") for side in ("left", "right")]
    present = np.abs(joints).sum((2, 3)) > 0
    low = np.where(present, joints[:, :, ankles, 1].min(2), 0).astype(np.float64)
    floor, count = _summed(low), _summed(present.astype(np.float64))
    out = joints.copy()
    out[..., 1] -= np.where(present, floor / np.maximum(count, 1), 0)[..., None]
    return out


def _summed(values: Values) -> Values:
    """Sums over the five frames around each [frames, M]."""
    half = ORIGIN_FRAMES // 2
    padded = np.pad(values, ((half, half), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, ORIGIN_FRAMES, axis=0)
    sums: Values = windows.sum(-1)
    return sums


def _ends(person: Values, layout: Layout) -> Mapping[str, Values]:
    """Both sides' joints of one person, left first: name -> [frames, 2, 3]."""
    index = layout.joints.index
    return {end: person[:, [index(f"left {end}"), index(f"right {end}")]] for end in ENDS}


def _leg(ends: Mapping[str, Values]) -> float:
    """Length of a leg: medians of thigh and shin."""
    pairs = (("hip", "knee"), ("knee", "ankle"))
    return sum(float(np.median(np.linalg.norm(ends[a] - ends[b], axis=-1))) for a, b in pairs)


def _size(ends: Mapping[str, Values]) -> float:
    """Length of trunk and leg; 1 of a body without any."""
    trunk = np.linalg.norm(ends["shoulder"].mean(1) - ends["hip"].mean(1), axis=-1)
    return float(np.median(trunk)) + _leg(ends) or 1.0

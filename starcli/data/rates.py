"""Clips of one frame rate as another would have recorded them."""

from __future__ import annotations

import numpy as np

from starcli.data.normalise import Joints

SAME = 0.02
"""Share by which rates differ that are meant to be one, such as 29.97 and 30."""


def at_rate(joints: Joints, fps: float | None, wanted: float | None) -> Joints:
    """A clip as a camera of another rate has it, in straight lines between frames.

    Somebody who is absent in one of two frames is taken from the nearer one.

    Args:
        joints: [frames, M, V, 3]; an absent person is all zeros.
        fps: Frames a second of the clip; None where nobody knows.
        wanted: Those that it is to have; None where nobody knows.

    Returns:
        The clip itself where a rate is not known, or both are the same.
    """
    if fps is None or wanted is None or abs(fps / wanted - 1) < SAME or len(joints) < 2:
        return joints
    count = max(2, round((len(joints) - 1) * wanted / fps) + 1)
    times = np.minimum(np.arange(count) * (fps / wanted), len(joints) - 1)
    before = np.minimum(times.astype(np.intp), len(joints) - 2)
    share = (times - before)[:, None]
    present = np.asarray(joints.any((2, 3)))
    both = present[before] & present[before + 1]
    weight = np.where(both, share, np.round(share))[..., None, None]
    return np.asarray(joints[before] * (1 - weight) + joints[before + 1] * weight, np.float32)

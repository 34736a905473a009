"""Clips of one frame rate as another would have recorded them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from starcli.data.normalise import Joints

Times = npt.NDArray[np.float64]
SAME = 0.02
"""Share by which rates differ that are meant to be one, such as 29.97 and 30."""
JITTER = 0.1
"""Share of a frame by which times of a steady rate waver, such as those told to a millisecond."""


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
    return _between(joints, np.minimum(np.arange(count) * (fps / wanted), len(joints) - 1))


def at_times(joints: Joints, times: Times, wanted: float | None) -> Joints:
    """A clip of frames at any times as a camera of steady rate has it, as `at_rate` does.

    Args:
        joints: [frames, M, V, 3]; an absent person is all zeros.
        times: float64 [frames], seconds that rise.
        wanted: Frames a second that it is to have; None for no others.

    Returns:
        The clip itself where its frames come at the rate, or no rate is known.
    """
    if wanted is None or len(joints) < 2:
        return joints
    passed = (times - times[0]) * wanted
    steps = np.diff(passed)
    if abs(steps.mean() - 1) < SAME and np.abs(steps - 1).max() < JITTER:
        return joints
    grid = np.arange(max(2, round(float(passed[-1])) + 1))
    return _between(joints, np.interp(grid, passed, np.arange(len(joints))))


def _between(joints: Joints, rows: Times) -> Joints:
    """A clip at rows between its frames, in straight lines [len(rows), M, V, 3]."""
    before = np.minimum(rows.astype(np.intp), len(joints) - 2)
    share = (rows - before)[:, None]
    present = np.asarray(joints.any((2, 3)))
    both = present[before] & present[before + 1]
    weight = np.where(both, share, np.round(share))[..., None, None]
    return np.asarray(joints[before] * (1 - weight) + joints[before + 1] * weight, np.float32)

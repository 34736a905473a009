"""Clips of one frame rate as another would have recorded them."""

from __future__ import annotations

import numpy as np
import pytest

from starcli.data.normalise import Joints, grounded
from starcli.data.rates import at_rate, at_times
from starcli_plugins.layouts import KINECT_V2
from tests.bodies import body


def line(frames: int, step: float) -> Joints:
    """A person of one joint who walks along x [frames, 1, 1, 3]."""
    out = np.zeros((frames, 1, 1, 3), np.float32)
    out[:, 0, 0, 0] = 1 + step * np.arange(frames)
    return out


@pytest.mark.parametrize("fps", [15.0, 25.0, 60.0, 120.0])
def test_the_same_walk_takes_the_same_time(fps: float) -> None:
    walk = line(int(2 * fps) + 1, 1 / fps)
    found = at_rate(walk, fps, 30.0)
    np.testing.assert_allclose(found, line(61, 1 / 30), atol=1e-5)


@pytest.mark.parametrize(("fps", "wanted"), [(None, 30.0), (60.0, None), (29.97, 30.0)])
def test_unknown_and_equal_rates_leave_a_clip_alone(
    fps: float | None, wanted: float | None
) -> None:
    walk = line(9, 0.1)
    assert at_rate(walk, fps, wanted) is walk


def test_nobody_comes_halfway_from_nowhere() -> None:
    walk = line(8, 0.0)
    walk[4:] = 0
    found = at_rate(walk, 30.0, 60.0)
    assert set(found[..., 0].ravel().tolist()) == {0.0, 1.0}


def test_who_is_there_stands_on_the_floor() -> None:
    ankles = [KINECT_V2.joints.index(f"{side} ankle") for side in ("left", "right")]
    joints = np.zeros((5, 2, 25, 3), np.float32)
    joints[:, 0] = body()[:5] - np.linspace(0, 1, 5)[:, None, None]
    found = grounded(joints, KINECT_V2)
    np.testing.assert_allclose(found[:, 0, ankles, 1].min(1), 0, atol=1e-6)
    np.testing.assert_array_equal(found[..., [0, 2]], joints[..., [0, 2]])
    assert not found[:, 1].any()


def test_frames_at_any_times_come_at_the_rate() -> None:
    """A camera that leaves out frames, and one of another rate, see the same walk."""
    walk = line(61, 1 / 30)
    times = np.arange(61) / 30
    kept = np.delete(np.arange(61), [3, 4, 5, 30])
    np.testing.assert_allclose(at_times(walk[kept], times[kept], 30.0), walk, atol=1e-5)
    np.testing.assert_allclose(at_times(walk, times, 15.0), line(31, 1 / 15), atol=1e-5)
    np.testing.assert_allclose(at_times(walk, times, 15.0), at_rate(walk, 30.0, 15.0), atol=1e-6)


def test_frames_that_come_at_the_rate_are_left_alone() -> None:
    walk, times = line(9, 0.1), 5.0 + np.arange(9) / 30
    assert at_times(walk, np.round(times, 3), 30.0) is walk
    assert at_times(walk, times, None) is walk

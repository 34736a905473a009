"""The body's own frame, checked against values worked out by hand and by moving whole clips."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcli.contracts import Layout
from starcli.data.body_frame import (
    Joints,
    body_frame,
    is_hip_centred,
    on_floor,
    require_body,
)
from starcli.errors import DataError
from starcli_plugins.layouts import KINECT_V1, KINECT_V2
from tests.bodies import body

NAMES = tuple(
    f"{side} {end}" for end in ("hip", "shoulder", "knee", "ankle") for side in ("left", "right")
)
LAYOUT = Layout(
    "eight",
    NAMES,
    tuple((i, 0) for i in range(1, 8)),
    {1: {"all": tuple(range(8))}},
    origin=0,
    centre=0,
    across=(2, 3),
)
STANDING = np.array(
    [
        [0.1, 0.9, 0],
        [-0.1, 0.9, 0],
        [0.2, 1.4, 0],
        [-0.2, 1.4, 0],
        [0.1, 0.5, 0],
        [-0.1, 0.5, 0],
        [0.1, 0.1, 0],
        [-0.1, 0.1, 0],
    ]
)
"""A body that looks along z: trunk 0.5, thigh and shin 0.4 m, ankles 0.1 m above zero."""
SIZE = 0.5 + 0.4 + 0.4


def still(frames: int = 6) -> Joints:
    return np.repeat(STANDING[None, None], frames, 0).astype(np.float32)


def simulated(label: int = 3) -> Joints:
    """A recording of an action with a second person who is never there."""
    clip = np.zeros((len(body(label)), 2, 25, 3), np.float32)
    clip[:, 0] = body(label)
    return clip


def turned(joints: Joints, angle: float) -> Joints:
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    return np.asarray(joints @ matrix, dtype=np.float32)


def test_the_unit_is_trunk_and_leg_and_the_floor_is_zero() -> None:
    found = body_frame(still(), LAYOUT)

    want = (STANDING - [0, 0.1, 0]) / SIZE
    np.testing.assert_allclose(found, np.repeat(want[None, None], 6, 0), atol=1e-6)
    assert found.dtype == np.float32


def test_who_looks_along_x_is_turned_by_a_quarter() -> None:
    # The left side, at +x before, is at -z of somebody who looks along +x.
    seen = still().copy()
    seen[..., 0], seen[..., 2] = still()[..., 2], -still()[..., 0]
    seen[5, 0, 7, 0] += 0.3  # the right foot is in front

    found = body_frame(seen, LAYOUT)

    np.testing.assert_allclose(found[0, 0, 0], [0.1 / SIZE, 0.8 / SIZE, 0], atol=1e-6)
    assert found[5, 0, 7, 2] == pytest.approx(0.3 / SIZE, abs=1e-6)


def test_only_the_beginning_tells_where_a_clip_faces() -> None:
    turning = np.concatenate([still(4), turned(still(20), 1.5)])
    found = body_frame(turning, LAYOUT)
    np.testing.assert_allclose(found[:4], body_frame(still(4), LAYOUT), atol=1e-6)
    # Three frames at least: of four, the last one does not count.
    short = np.concatenate([still(3), turned(still(1), 1.5)])
    np.testing.assert_allclose(
        body_frame(short, LAYOUT)[:3], body_frame(still(3), LAYOUT), atol=1e-6
    )


def test_the_place_is_that_of_the_first_five_frames_and_the_way_stays() -> None:
    walk = still(15)
    walk[..., 2] += (np.arange(15) * 0.13)[:, None, None]

    found = body_frame(walk, LAYOUT)

    hips = found[:, 0, :2].mean(1)
    np.testing.assert_allclose(hips[:, 2], (np.arange(15) - 2) * 0.1, atol=1e-5)
    np.testing.assert_allclose(hips[:, 0], 0, atol=1e-6)


def test_the_floor_is_where_the_lower_ankle_mostly_is() -> None:
    jump = still(40)
    jump[10:30, ..., 1] += 0.4
    jump[20, 0, 6, 1] -= 2  # one frame of noise is no floor
    found = body_frame(jump, LAYOUT)
    assert found[0, 0, 7, 1] == pytest.approx(0, abs=1e-6)
    assert found[15, 0, 7, 1] == pytest.approx(0.4 / SIZE, abs=1e-5)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(
    angle=st.floats(-math.pi, math.pi),
    scale=st.floats(0.4, 2.5),
    place=st.tuples(*[st.floats(-3, 3)] * 3),
    label=st.integers(0, 29),
)
def test_turned_scaled_and_moved_copies_are_the_same(
    angle: float, scale: float, place: tuple[float, float, float], label: int
) -> None:
    joints = simulated(label)
    copy = turned(joints, angle) * scale + np.array(place, np.float32)
    copy[:, 1] = 0

    one, other = (body_frame(clip.astype(np.float32), KINECT_V2) for clip in (joints, copy))

    np.testing.assert_allclose(one, other, atol=2e-4)
    assert not other[:, 1].any()


def test_a_clip_in_its_frame_stays() -> None:
    once = body_frame(simulated(), KINECT_V2)
    np.testing.assert_allclose(body_frame(once, KINECT_V2), once, atol=1e-5)


def test_the_second_person_is_moved_along() -> None:
    both = np.concatenate([still(), still() + np.array([1, 0, 0], np.float32)], 1)
    both[2:4, 1] = 0
    found = body_frame(both, LAYOUT)
    np.testing.assert_allclose((found[0, 1] - found[0, 0])[:, 0], 1 / SIZE, atol=1e-6)
    assert not found[2:4, 1].any()


def test_frames_without_a_person_say_nothing_and_nobody_stays_nobody() -> None:
    late = still(8)
    late[:2] = 0
    found = body_frame(late, LAYOUT)
    assert not found[:2].any()
    np.testing.assert_allclose(found[2:], body_frame(still(6), LAYOUT), atol=1e-6)
    assert not body_frame(np.zeros_like(late), LAYOUT).any()


def test_the_input_is_not_changed() -> None:
    joints, squat = simulated(), squatting()
    before, low = joints.copy(), squat.copy()
    body_frame(joints, KINECT_V2)
    on_floor(squat, LAYOUT)
    np.testing.assert_array_equal(joints, before)
    np.testing.assert_array_equal(squat, low)


def squatting(frames: int = 20, *, centred: bool = True) -> Joints:
    """Both knees bend until the hips are half as high; the way of the hips is in it or not."""
    depth = np.sin(np.linspace(0, np.pi, frames)) ** 2 * 0.4
    out = np.repeat(STANDING[None], frames, 0)
    out[:, :4, 1] -= depth[:, None]
    for knee, hip, ankle in ((4, 0, 6), (5, 1, 7)):
        half = np.linalg.norm(out[:, hip] - out[:, ankle], axis=-1) / 2
        out[:, knee, 1] = (out[:, hip, 1] + out[:, ankle, 1]) / 2
        out[:, knee, 2] = np.sqrt(np.maximum(0.4**2 - half**2, 0))
    if centred:
        out -= out[:, :2].mean(1, keepdims=True)
    return out[:, None].astype(np.float32)


def test_a_squat_whose_hips_stay_is_hip_centred() -> None:
    assert is_hip_centred(squatting(), LAYOUT)
    assert not is_hip_centred(squatting(centred=False), LAYOUT)
    assert not is_hip_centred(still(), LAYOUT)


def test_one_knee_alone_may_bend() -> None:
    """Somebody who walks on the spot is on one straight leg at a time."""
    step = squatting()
    step[:, 0, [1, 5, 7]] = still(20)[:, 0, [1, 5, 7]] - np.array([0, 0.9, 0], np.float32)
    assert not is_hip_centred(step, LAYOUT)


def test_a_hip_centred_squat_stands_on_the_floor_again() -> None:
    found = on_floor(squatting(200), LAYOUT)
    want = squatting(200, centred=False) - np.array([0, 0.1, 0], np.float32)
    np.testing.assert_allclose(found[2:-2], want[2:-2], atol=2e-3)
    np.testing.assert_array_equal(found[..., [0, 2]], squatting(200)[..., [0, 2]])


def test_the_floor_is_a_mean_of_five_frames_that_somebody_is_in() -> None:
    squat = np.concatenate([squatting(), np.zeros_like(squatting())], 1)
    squat[7, 0] = 0
    low = squat[:, 0, [6, 7], 1].min(1)

    found = on_floor(squat, LAYOUT)

    assert not found[7, 0].any() and not found[:, 1].any()
    np.testing.assert_allclose(found[4, 0, 6, 1], low[4] - low[2:7].mean(), atol=1e-6)
    np.testing.assert_allclose(found[5, 0, 6, 1], low[5] - low[[3, 4, 5, 6]].mean(), atol=1e-6)
    np.testing.assert_allclose(found[0, 0, 6, 1], low[0] - low[:3].mean(), atol=1e-6)


def test_other_clips_are_left_alone() -> None:
    joints = squatting(centred=False)
    assert on_floor(joints, LAYOUT) is joints


def test_layouts_without_the_joints_are_refused() -> None:
    require_body(KINECT_V1)
    armless = Layout("bust", NAMES[:4], ((1, 0), (2, 0), (3, 0)), LAYOUT.parts, 0, 0, (2, 3))
    with pytest.raises(DataError, match="bust has no joint left knee, right knee, left ankle") as e:
        body_frame(np.zeros((2, 1, 4, 3), np.float32), armless)
    assert "prepare.normalise" in e.value.fix

"""What joints say of unit, upright and sides."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from starcli.contracts import Layout
from starcli.data import body
from starcli.data.mapping import joint_map
from starcli_plugins.datasets.simulated.source import Simulated
from starcli_plugins.layouts import BODY_25, COCO_17, H36M_17, KINECT_V2, LAYOUTS


@pytest.fixture(scope="module")
def clip() -> npt.NDArray[np.float64]:
    """Somebody who does something [T, 1, 25, 3], metres, y up."""
    source = Simulated(Simulated.Settings())
    first = source.recordings(None)[0]
    joints = next(iter(source.clips(first))).joints[:, :1]
    return joints.astype(np.float64)


def test_a_real_trunk_speaks_for_its_unit(clip: npt.NDArray[np.float64]) -> None:
    length = body.trunk(clip, KINECT_V2)
    for unit, factor in {"m": 1, "cm": 100, "mm": 1000}.items():
        assert body.unit_of(length * factor) == unit
    assert body.unit_of(body.trunk(clip * 60, KINECT_V2) * 1000) is None
    assert body.unit_of(float("nan")) is None


def test_trunk_by_hand() -> None:
    joints = np.zeros((3, 1, 17, 3))
    for side in ("left", "right"):
        joints[..., COCO_17.joints.index(f"{side} shoulder"), 1] = 0.5
    joints[1] *= 9  # one frame of three is wrong
    assert body.trunk(joints, COCO_17) == 0.5


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_axis_that_points_up(clip: npt.NDArray[np.float64], axis: int, sign: int) -> None:
    turned = sign * np.roll(clip, axis - 1, -1)
    assert body.up_axis(turned, KINECT_V2) == (axis, sign)


def test_a_body_upside_down_has_its_head_below_its_feet(clip: npt.NDArray[np.float64]) -> None:
    assert body.head_above_feet(clip, KINECT_V2) > 0.9
    assert body.head_above_feet(clip * [1, -1, -1], KINECT_V2) < 0.1


@pytest.mark.parametrize(("degrees", "down"), [(0, False), (100, False), (180, True)])
def test_who_lies_with_the_head_low_is_not_upside_down(
    clip: npt.NDArray[np.float64], degrees: float, down: bool
) -> None:
    """Turned about the way that the body faces, from upright over lying to a headstand."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned = clip @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    found = body.report(turned, KINECT_V2)
    assert found.head_down is down
    assert (found.head_up < 0.5) is (degrees > 90)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_mirrored_bodies_and_exchanged_sides_contradict(
    clip: npt.NDArray[np.float64], layout: Layout
) -> None:
    joints = joint_map(KINECT_V2, layout).apply(clip)
    right = body.handedness(joints, layout)
    if np.isnan(right):  # no feet, and the nose of a mapped body lies between its ears
        assert not {"left foot", "left foot index", "left big toe"} & set(layout.joints)
        return
    assert right > 0.9
    assert body.handedness(joints * [-1, 1, 1], layout) < 0.1
    swap = {"left": "right", "right": "left"}
    twins = [
        layout.joints.index(" ".join(swap.get(w, w) for w in name.split()))
        for name in layout.joints
    ]
    assert body.handedness(joints[:, :, twins], layout) < 0.1
    turned = joints * [-1, 1, -1]
    assert body.handedness(turned, layout) == pytest.approx(right)


def test_a_leg_that_swings_back_tells_no_other_side() -> None:
    """Who runs along z: one foot flat, the other behind with its toes below and behind the ankle.

    The middle of both toes lies behind the middle of both ankles.
    """
    joints = np.zeros((1, 1, 25, 3))
    for names, place in {
        "shoulder": [0.0, 1.4, 0.0],
        "knee": [0.0, 0.5, 0.0],
        "ankle": [0.0, 0.1, 0.0],
        "foot": [0.0, 0.0, 0.1],
    }.items():
        for side, x in (("left", 0.2), ("right", -0.2)):
            joints[..., KINECT_V2.joints.index(f"{side} {names}"), :] = np.add(place, [x, 0, 0])
    assert body.handedness(joints, KINECT_V2) == 1.0  # left is up x forward: y x z = x
    joints[..., KINECT_V2.joints.index("right ankle"), 1:] = [0.6, -0.4]
    joints[..., KINECT_V2.joints.index("right foot"), 1:] = [0.4, -0.6]
    assert body.handedness(joints, KINECT_V2) == 1.0
    assert body.handedness(joints * [-1, 1, 1], KINECT_V2) == 0.0
    joints[..., KINECT_V2.joints.index("left foot"), :] = np.nan
    assert body.handedness(joints, KINECT_V2) == 1.0


def test_frames_count_as_much_as_they_show() -> None:
    """Three frames in which the toes are a little to the wrong side, one in which it is clear."""
    joints = np.zeros((4, 1, 25, 3))
    for side, x in (("left", 0.25), ("right", -0.25)):
        for names, place in {
            "shoulder": (x, 1.4, 0),
            "knee": (x, 0.5, 0),
            "ankle": (x, 0, 0),
        }.items():
            joints[..., KINECT_V2.joints.index(f"{side} {names}"), :] = place
        toes = np.stack([np.full(4, x), np.zeros(4), [-0.01, -0.01, -0.01, 0.12]], -1)
        joints[:, 0, KINECT_V2.joints.index(f"{side} foot")] = toes
    assert body.handedness(joints, KINECT_V2) == pytest.approx(0.8)


def test_pictures_say_nothing_of_sides(clip: npt.NDArray[np.float64]) -> None:
    assert np.isnan(body.handedness(clip * [1, 1, 0], KINECT_V2))


def test_the_higher_hand_by_hand() -> None:
    joints = np.zeros((4, 1, 17, 3))
    for side in ("left", "right"):
        joints[..., COCO_17.joints.index(f"{side} shoulder"), 1] = 0.5
    joints[:3, :, COCO_17.joints.index("left wrist"), 1] = [[1.0], [0.04], [-1.0]]
    assert body.higher_hand(joints, COCO_17) == (0.25, 0.25)


def test_joints_in_another_order_make_odd_limbs(clip: npt.NDArray[np.float64]) -> None:
    assert body.odd_limbs(clip, KINECT_V2) == ()
    h36m = joint_map(KINECT_V2, H36M_17).apply(clip)
    assert body.odd_limbs(h36m, H36M_17) == ()
    assert len(body.odd_limbs(h36m, COCO_17)) >= 4
    assert len(body.odd_limbs(joint_map(KINECT_V2, BODY_25).apply(clip), KINECT_V2)) >= 4


def test_steps_by_hand() -> None:
    joints = np.zeros((3, 1, 17, 3))
    joints[1:] += [3.0, 4.0, 0.0]
    joints[2, 0, 5] = np.nan
    assert body.step(joints) == 5.0
    assert body.height(np.array([[[[0.0, 0, 0], [0, 1.7, 0]]]])) == 1.7

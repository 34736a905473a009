"""The driven body: hand-computed joints, rigid bones, hinges that bend one way, feet that stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcli_plugins.datasets.movements.courses import follow
from starcli_plugins.datasets.movements.gait import Gait, walk
from starcli_plugins.datasets.movements.kinematics import (
    CLOSED,
    GROUND,
    STRAIGHTEST,
    Array,
    Body,
    Targets,
    bend,
    leaning,
    level_foot,
    pose,
    turned,
)
from starcli_plugins.datasets.simulated.body import INDEX, PARENT

pytestmark = pytest.mark.numerical
UNIT = np.eye(3)
BODY = Body.of()
CHILD, ROOT = np.array(list(PARENT.items())).T


def at_ease(frames: int = 1, body: Body = BODY) -> Targets:
    """Standing with hanging arms."""
    none, pair = np.zeros((frames, 3)), np.zeros((frames, 2))
    ankles = np.array([[body.stance, body.ankle, 0], [-body.stance, body.ankle, 0]])
    return Targets(
        pelvis=np.tile([0, body.standing - 0.005, 0], (frames, 1)),
        heading=np.zeros(frames),
        trunk=none,
        neck=none,
        wrists=np.tile(body.arm * np.array([0.1, -0.95, 0.05]), (frames, 2, 1)),
        upright=np.zeros(2),
        pinned=np.zeros(2, np.bool_),
        shoulders=pair,
        elbows=pair,
        ankles=np.tile(ankles, (frames, 1, 1)),
        knees=pair,
        toes=pair,
        yaws=pair,
        free=pair,
    )


def joint(joints: Array, name: str) -> Array:
    return np.asarray(joints[:, INDEX[name]])


def solved(
    target: list[float], side: Array = UNIT[1], bones: tuple[float, float] = (3, 4)
) -> Array:
    """Joint between and end of a limb from the origin, [2, 3]."""
    args = np.zeros(3), np.array(target, float), np.array(bones, float), np.array(0.1), side
    return np.stack(bend(*args))


def test_bones_of_three_and_four_meet_at_a_right_angle_five_away() -> None:
    middle, end = solved([5, 0, 0])
    # 9 / 5 along and 12 / 5 across: the foot of the height of a triangle of 3, 4 and 5.
    assert np.allclose(middle, [1.8, 2.4, 0])
    assert np.allclose(end, [5, 0, 0])


def test_the_joint_between_is_on_the_side_that_is_named() -> None:
    assert np.allclose(solved([5, 0, 0], -UNIT[2])[0], [1.8, 0, -2.4])


def test_a_target_out_of_reach_is_pointed_at() -> None:
    middle, end = solved([0, 0, 100])
    assert np.allclose(end, [0, 0, 7 * STRAIGHTEST])
    assert np.linalg.norm(middle) == pytest.approx(3)


def test_a_target_too_near_stays_away() -> None:
    """No closer than bones that enclose the smallest angle."""
    _, end = solved([0.01, 0, 0])
    assert np.linalg.norm(end) == pytest.approx(np.sqrt(9 + 16 - 24 * np.cos(0.1)))


def test_a_target_in_the_root_is_survived() -> None:
    assert np.isfinite(solved([0, 0, 0])).all()


@pytest.mark.parametrize(
    ("angles", "vector", "wanted"),
    [
        ((90, 0, 0), (0, 1, 0), (0, 0, -1)),
        ((0, 90, 0), (0, 1, 0), (1, 0, 0)),
        ((0, 0, 90), (0, 0, -1), (1, 0, 0)),
        ((90, 0, 90), (0, 1, 0), (1, 0, 0)),
    ],
    ids=["forward", "to the right", "turned right", "forward, then turned right"],
)
def test_leaning_goes_the_ways_that_are_named(
    angles: tuple[float, ...], vector: tuple[float, ...], wanted: tuple[float, ...]
) -> None:
    turn = leaning(np.deg2rad(np.array(angles, float)))
    assert np.allclose(turn @ np.array(vector, float), wanted)
    assert np.allclose(turn @ turn.T, UNIT)


def test_turning_right_turns_the_front_to_the_right() -> None:
    assert np.allclose(turned(np.array([0.0, 2.0, -1.0]), np.array(np.pi / 2)), [1, 2, 0])


def test_standing_puts_every_joint_where_a_person_has_it() -> None:
    joints = pose(BODY, at_ease())
    assert np.allclose(joint(joints, "spine base"), [0, BODY.standing - 0.005, 0])
    assert np.allclose(joint(joints, "left ankle"), [[-0.1, 0.08, 0]])
    assert np.allclose(joint(joints, "right foot"), [[0.1, 0.03, -0.12]])
    assert 1.5 < joint(joints, "head")[0, 1] < 1.7
    assert joint(joints, "right elbow")[0, 2] > 0.02, "elbows are behind hanging arms"
    assert joint(joints, "right thumb")[0, 2] < joint(joints, "right hand")[0, 2], "thumbs in front"
    assert joint(joints, "right knee")[0, 2] < 0, "knees are in front"
    mirrored = joints * [-1, 1, 1]
    for name in ("shoulder", "elbow", "wrist", "thumb", "hip", "knee", "foot"):
        assert np.allclose(joint(joints, f"left {name}"), joint(mirrored, f"right {name}"))


def test_a_wrist_reaches_its_point_from_the_own_shoulder() -> None:
    wrists = BODY.arm * np.array([[[0.1, 0.3, 0.8], [0.5, -0.2, 0.4]]])
    joints = pose(BODY, replace(at_ease(), wrists=wrists))
    right = joint(joints, "right wrist") - joint(joints, "right shoulder")
    left = joint(joints, "left wrist") - joint(joints, "left shoulder")
    assert np.allclose(right, BODY.arm * np.array([0.1, 0.3, -0.8]))
    assert np.allclose(left, BODY.arm * np.array([-0.5, -0.2, -0.4]))


def test_upright_axes_stay_when_the_trunk_leans_and_those_of_the_chest_do_not() -> None:
    lean = np.array([[np.pi / 2, 0, 0]])
    wrists = np.tile(BODY.arm * np.array([0, -0.9, 0.0]), (1, 2, 1))
    targets = replace(at_ease(), trunk=lean, wrists=wrists, upright=np.array([1.0, 0.0]))
    joints = pose(BODY, targets)
    right = joint(joints, "right wrist") - joint(joints, "right shoulder")
    left = joint(joints, "left wrist") - joint(joints, "left shoulder")
    assert np.allclose(right, [[0, -0.9 * BODY.arm, 0]])
    assert np.allclose(left, [[0, 0, 0.9 * BODY.arm]]), "along a trunk that lies, towards the feet"


def test_a_pinned_wrist_is_in_the_room() -> None:
    wrists = np.array([[[0.2, 1.0, 0.3], [0.2, 1.0, 0.3]]])
    joints = pose(BODY, replace(at_ease(), wrists=wrists, pinned=np.ones(2, np.bool_)))
    assert np.allclose(joint(joints, "right wrist"), [[0.2, 1.0, -0.3]])
    assert np.allclose(joint(joints, "left wrist"), [[-0.2, 1.0, -0.3]])


def test_swivels_go_outward_on_both_sides() -> None:
    wrists = np.tile(BODY.arm * np.array([0, 0, 0.6]), (1, 2, 1))
    bent = replace(at_ease(), wrists=wrists, pelvis=np.array([[0.0, 0.5, 0.1]]))
    plain = pose(BODY, bent)
    swung = pose(BODY, replace(bent, elbows=np.full((1, 2), 1.0), knees=np.full((1, 2), 1.0)))
    for name in ("elbow", "knee"):
        moved = [joint(swung - plain, f"{side} {name}")[0, 0] for side in ("right", "left")]
        assert moved[0] > 0.05, name
        assert moved[1] == pytest.approx(-moved[0]), name


def test_elbows_of_a_lying_body_stay_above_the_floor() -> None:
    lying = replace(
        at_ease(),
        pelvis=np.array([[0.0, 0.12, 0.7]]),
        trunk=np.array([[-np.pi / 2, 0, 0]]),
        wrists=np.tile(BODY.arm * np.array([0.1, -0.1, 0.6]), (1, 2, 1)),
        upright=np.ones(2),
    )
    joints = pose(BODY, lying)
    for side in ("right", "left"):
        assert joint(joints, f"{side} elbow")[0, 1] == pytest.approx(GROUND)
        lengths = [
            np.linalg.norm(joint(joints, f"{side} {a}") - joint(joints, f"{side} {b}"))
            for a, b in (("shoulder", "elbow"), ("elbow", "wrist"))
        ]
        assert lengths == pytest.approx(BODY.bones[0])


def test_legs_that_are_apart_lower_the_pelvis() -> None:
    ankles = np.array([[[0.45, 0.08, 0], [-0.45, 0.08, 0]]])
    joints = pose(BODY, replace(at_ease(), ankles=ankles))
    leg = STRAIGHTEST * 0.78
    # The hips are 0.08 beside the middle and 0.03 below the pelvis.
    wanted = 0.08 + np.sqrt(leg**2 - 0.37**2) + 0.03
    assert joint(joints, "spine base")[0, 1] == pytest.approx(wanted)
    assert np.allclose(joint(joints, "right ankle"), ankles[:, 0])


numbers = st.floats(-1.2, 1.2)


@settings(max_examples=40, deadline=None)
@given(
    wrist=st.tuples(numbers, numbers, numbers),
    ankle=st.tuples(st.floats(-0.3, 0.5), st.floats(0, 0.7), st.floats(-0.6, 0.7)),
    trunk=st.tuples(st.floats(-1.5, 1.9), st.floats(-0.6, 0.6), st.floats(-0.9, 0.9)),
    drop=st.floats(0, 0.75),
    swivel=st.floats(-1, 1),
    scale=st.floats(0.6, 1.2),
)
def test_bones_keep_their_lengths_and_hinges_their_limits(
    wrist: tuple[float, ...],
    ankle: tuple[float, ...],
    trunk: tuple[float, ...],
    drop: float,
    swivel: float,
    scale: float,
) -> None:
    body = Body.of(scale, 1.04, 0.95, 1.02, 1.1)
    rest = at_ease(body=body)
    joints = pose(
        body,
        replace(
            rest,
            pelvis=rest.pelvis - [0, drop * body.unit, 0],
            trunk=np.array([trunk]),
            neck=np.array([trunk]) / 2,
            wrists=body.arm * np.array([[wrist, wrist]]),
            ankles=rest.ankles + np.array([[ankle, [0, 0, 0]]]),
            elbows=np.full((1, 2), swivel),
            shoulders=np.full((1, 2), swivel / 3),
            free=np.array([[1.0, 0.0]]),
        ),
    )
    assert np.isfinite(joints).all()
    lengths = np.linalg.norm(joints[:, CHILD] - joints[:, ROOT], axis=-1)
    assert np.allclose(lengths, np.linalg.norm(body.offsets[CHILD], axis=-1), atol=1e-9)
    for side in ("right", "left"):
        for top, middle, end, least in (
            ("shoulder", "elbow", "wrist", CLOSED[0]),
            ("hip", "knee", "ankle", CLOSED[2]),
        ):
            upper, lower = (
                (joint(joints, f"{side} {a}") - joint(joints, f"{side} {middle}"))[0]
                for a in (top, end)
            )
            inside = upper @ lower / np.linalg.norm(upper) / np.linalg.norm(lower)
            assert inside <= np.cos(least) + 1e-6


def test_a_course_passes_through_its_points_and_not_beyond() -> None:
    times, points = np.array([0, 0.3, 0.5, 1]), np.array([[0.0], [2.0], [2.0], [0.0]])
    course = follow(times, points, np.linspace(0, 1, 101), repeats=False)[:, 0]
    assert course[[0, 30, 50, 100]] == pytest.approx([0, 2, 2, 0])
    assert np.allclose(course[30:51], 2), "it waits between equal points"
    assert course.min() >= 0
    assert course.max() <= 2 + 1e-12
    assert course[1] < 0.01, "it starts from rest"


def test_half_of_a_straight_course_is_in_the_middle() -> None:
    times, points = np.array([0.0, 1.0]), np.array([[0.0, 1.0], [2.0, 5.0]])
    assert np.allclose(follow(times, points, np.array([0.5]), repeats=False), [[1, 3]])


def test_a_loop_runs_smoothly_over_its_end() -> None:
    angles = np.linspace(0, 2 * np.pi, 9)
    points = np.stack([np.cos(angles), np.sin(angles)], -1)
    course = follow(np.linspace(0, 1, 9), points, np.linspace(0, 1, 201), repeats=True)
    steps = np.diff(course, axis=0)
    assert np.allclose(np.linalg.norm(course, axis=1), 1, atol=0.03)
    assert np.allclose(steps[0], steps[-1], atol=0.01)


@pytest.mark.parametrize(
    "gait",
    [
        Gait(forward=1.2),
        Gait(forward=-0.7),
        Gait(sideways=0.5, wide=0.08),
        Gait(forward=0.9, turn=50),
        Gait(forward=2.6, stand=0.36, bounce=0.05, knees=True),
        Gait(turn=90),
        Gait(in_place=True, lift=0.3),
    ],
    ids=["walk", "back", "sideways", "curve", "run", "turn", "march"],
)
def test_standing_feet_do_not_slide(gait: Gait) -> None:
    time = np.arange(90) / 30
    cycles = 0.3 + time / 1.1
    steps = walk(BODY, gait, time, cycles, np.ones(90), 1.0)
    toes = steps.ankles + level_foot(BODY, steps.toes, steps.yaws)
    phase = (cycles[:, None] + [0, 0.5]) % 1
    stands = phase < gait.stand
    both = stands[1:] & stands[:-1]
    moved = np.abs(np.diff(toes, axis=0)).max(-1)
    assert moved[both].max() < 1e-9
    assert np.allclose(toes[..., 1][stands], BODY.ankle - 0.05)
    assert toes[..., 1].max() > BODY.ankle - 0.05 + 0.5 * gait.lift
    way = steps.pelvis[-1] - steps.pelvis[0]
    if not gait.turn:
        assert np.allclose(
            way[[0, 2]], [gait.sideways * time[-1], -gait.forward * time[-1]], atol=0.06
        )
    # Feet are under the body: over whole cycles they travel as far as the pelvis.
    assert np.abs(steps.ankles.mean(1) - steps.pelvis)[:, [0, 2]].max() < 0.5


def test_a_walk_to_the_right_curves_to_the_right() -> None:
    time = np.arange(60) / 30
    steps = walk(BODY, Gait(forward=1, turn=45), time, time / 1.1, np.ones(60), 1.0)
    assert steps.heading[-1] - steps.heading[0] == pytest.approx(
        np.deg2rad(45 * time[-1]), abs=0.05
    )
    assert steps.pelvis[-1, 0] - steps.pelvis[0, 0] > 0.5

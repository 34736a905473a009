"""Transforms of clips, checked against values worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from starcli.contracts import Layout
from starcli.data.normalise import (
    Joints,
    centre,
    checked,
    face_front,
    relative,
    shoulders_along_x,
)
from starcli.errors import DataError

LAYOUT = Layout(
    name="tiny",
    joints=("hip", "left", "right", "head"),
    bones=((1, 0), (2, 0), (3, 0)),
    parts={1: {"all": (0, 1, 2, 3)}},
    origin=0,
    centre=0,
    across=(1, 2),
)
BODY = np.array([[0, 1, 0], [-0.2, 1.4, 0.05], [0.2, 1.4, -0.05], [0, 1.7, 0.1]], np.float32)


def clip(frames: int = 6, persons: int = 1, seed: int = 0) -> Joints:
    """A body that trembles, [frames, persons, 4, 3]."""
    noise = np.random.default_rng(seed).normal(0, 0.02, (frames, persons, 4, 3))
    return (BODY + noise).astype(np.float32)


def about_y(angle: float) -> np.ndarray[Any, Any]:
    turned: np.ndarray[Any, Any] = Rotation.from_euler("y", angle).as_matrix()
    return turned


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_centre_moves_the_origin_joint_to_zero() -> None:
    joints = np.stack([BODY, BODY + np.array([1, 2, 3])])[:, None].astype(np.float32)

    out = centre(joints, LAYOUT)

    assert out.dtype == np.float32
    np.testing.assert_allclose(out[0, 0, 0], [0, 0, 0])
    # One shift for the whole clip: the walk to the second frame stays.
    np.testing.assert_allclose(out[1, 0, 0], [1, 2, 3], rtol=1e-6)
    np.testing.assert_allclose(out[0, 0, 1], [-0.2, 0.4, 0.05], rtol=1e-5)


def test_centre_starts_at_the_first_frame_with_a_person_and_keeps_absence_zero() -> None:
    joints = clip(4, 2)
    joints[0, 0] = joints[3, 1] = 0

    out = centre(joints, LAYOUT)

    np.testing.assert_array_equal(out[1, 0, 0], [0, 0, 0])
    assert not out[0, 0].any() and not out[3, 1].any()
    np.testing.assert_allclose(out[2, 1], joints[2, 1] - joints[1, 0, 0], atol=1e-6)


def test_centre_passes_over_frames_whose_joints_lie_in_one_point() -> None:
    """So that a published clip that begins with a body of zeros, moved like the rest, stays."""
    joints = clip(4, 1)
    joints[0] = 0
    joints -= joints[1, 0, LAYOUT.origin]
    np.testing.assert_array_equal(centre(joints, LAYOUT), joints)
    point = np.full((2, 1, len(LAYOUT.joints), 3), 2, np.float32)
    assert not centre(point, LAYOUT).any()


def test_centre_of_nobody_is_nobody() -> None:
    assert not centre(np.zeros((3, 1, 4, 3), np.float32), LAYOUT).any()


def test_centre_does_not_change_its_input() -> None:
    joints = clip()
    before = joints.copy()
    face_front(centre(joints, LAYOUT), LAYOUT)
    np.testing.assert_array_equal(joints, before)


def test_face_front_by_hand() -> None:
    # The right shoulder lies towards +z of the left one; a quarter turn brings it to +x.
    joints = np.array([[0, 1, 0], [0, 2, -0.2], [0, 2, 0.2], [0.3, 3, 0]], np.float32)

    out = face_front(joints[None, None], LAYOUT)[0, 0]

    want = np.array([[0, 1, 0], [-0.2, 2, 0], [0.2, 2, 0], [0, 3, -0.3]])
    np.testing.assert_allclose(out, want, atol=1e-7)


@settings(deadline=None, max_examples=60)
@given(angle=st.floats(-math.pi, math.pi), seed=st.integers(0, 99))
def test_face_front_turns_shoulders_to_x_and_nothing_else(angle: float, seed: int) -> None:
    joints = (clip(5, 2, seed) @ about_y(angle)).astype(np.float32)

    out = face_front(joints, LAYOUT)

    line = (out[:, 0, 2] - out[:, 0, 1]).mean(0)
    assert line[0] > 0.3
    assert abs(line[2]) < 1e-6
    np.testing.assert_array_equal(out[..., 1], joints[..., 1])
    assert out.dtype == np.float32
    for before, after in zip(joints, out, strict=True):  # persons keep their places, too
        np.testing.assert_allclose(
            pdist(after.reshape(-1, 3)), pdist(before.reshape(-1, 3)), atol=1e-5
        )
    # A rotation, not a reflection: the handedness of three points stays.
    np.testing.assert_allclose(
        np.linalg.det(out[:, 0, :3]), np.linalg.det(joints[:, 0, :3]), atol=1e-5
    )
    np.testing.assert_allclose(face_front(out, LAYOUT), out, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(angle=st.floats(-10, 10), seed=st.integers(0, 99))
def test_where_the_camera_stands_does_not_matter(angle: float, seed: int) -> None:
    joints = clip(5, 2, seed)
    turned = (joints @ about_y(angle)).astype(np.float32)
    one, other = (face_front(centre(j, LAYOUT), LAYOUT) for j in (joints, turned))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_face_front_of_an_absent_person_stays_finite() -> None:
    assert not face_front(np.zeros((3, 2, 4, 3), np.float32), LAYOUT).any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 100.5, -1e30])
def test_checked_names_frame_joint_and_value(value: float) -> None:
    joints = np.zeros((5, 2, 4, 3))
    joints[3, 1, 2, 0] = joints[4, 0, 0, 0] = value

    with pytest.raises(DataError) as caught:
        checked(joints, LAYOUT, "a.mat")

    assert (caught.value.file, caught.value.frame) == ("a.mat", 4)
    assert "joint 2 (right)" in caught.value.message and str(value) in caught.value.message
    assert caught.value.fix


@pytest.mark.parametrize(
    "shape", [(5, 1, 3, 3), (5, 1, 4, 2), (5, 4, 3), (0, 1, 4, 3), (1, 5, 1, 4, 3)]
)
def test_checked_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"a\.mat") as caught:
        checked(np.zeros(shape), LAYOUT, "a.mat")
    assert caught.value.fix


def test_checked_gives_float32_of_the_same_values() -> None:
    joints = clip().astype(np.float64).transpose(0, 1, 2, 3)[::-1]
    out = checked(joints, LAYOUT, "a.mat")

    assert out.dtype == np.float32 and out.flags.c_contiguous
    np.testing.assert_array_equal(out, joints.astype(np.float32))
    assert checked(np.full((1, 1, 4, 3), -100.0), LAYOUT, "a.mat").min() == -100


def test_relative_by_hand() -> None:
    layout = replace(LAYOUT, centre=3)
    joints = np.stack([BODY, BODY * 2], 0)[:, None] + np.array([1, 2, 3])
    joints = np.concatenate([joints, joints + 5], 1).astype(np.float32)
    joints[1, 1] = 0

    out = relative(joints, layout)

    assert out.dtype == np.float32
    np.testing.assert_allclose(out[0, 0], BODY - BODY[3], atol=1e-6)
    np.testing.assert_allclose(out[1, 0], 2 * (BODY - BODY[3]), atol=1e-6)
    np.testing.assert_allclose(out[0, 1], BODY - BODY[3], atol=1e-6)  # its own head, not the first
    assert not out[1, 1].any()


def test_shoulders_along_x_by_hand() -> None:
    # The right shoulder lies towards +z of the left one, then, of the second person, towards -x.
    one = np.array([[0, 1, 0], [0, 2, -0.2], [0, 2, 0.2], [0.3, 3, 0.1]])
    other = np.array([[0, 1, 0], [0.2, 2, 0], [-0.2, 2, 0], [0.3, 3, 0.1]])
    joints = np.stack([one, other])[None].astype(np.float32)

    out = shoulders_along_x(joints, LAYOUT)

    want: list[list[float]] = [[0, 1, 0], [-0.2, 2, 0], [0.2, 2, 0]]
    np.testing.assert_allclose(out[0, 0], [*want, [0.1, 3, -0.3]], atol=1e-7)
    np.testing.assert_allclose(out[0, 1], [*want, [-0.3, 3, -0.1]], atol=1e-7)


@settings(deadline=None, max_examples=60)
@given(
    angles=st.lists(st.floats(-math.pi, math.pi), min_size=4, max_size=4), seed=st.integers(0, 99)
)
def test_shoulders_lie_on_x_in_every_frame_whatever_way_each_person_faces(
    angles: list[float], seed: int
) -> None:
    body = clip(2, 2, seed)
    turns = np.stack([about_y(a) for a in angles]).reshape(2, 2, 3, 3)
    joints = (body @ turns).astype(np.float32)

    out = shoulders_along_x(joints, LAYOUT)

    line = out[:, :, 2] - out[:, :, 1]
    assert (line[..., 0] > 0.25).all()
    np.testing.assert_allclose(line[..., 2], 0, atol=1e-6)
    np.testing.assert_array_equal(out[..., 1], joints[..., 1])
    np.testing.assert_allclose(out, shoulders_along_x(body, LAYOUT), atol=1e-5)  # the way is gone
    np.testing.assert_allclose(
        np.linalg.norm(out, axis=-1), np.linalg.norm(joints, axis=-1), atol=1e-5
    )
    assert out.dtype == np.float32


def test_shoulders_of_an_absent_person_or_one_above_the_other_turn_nothing() -> None:
    joints = np.zeros((2, 2, 4, 3), np.float32)
    joints[0, 0] = np.array([[0, 0, 1], [0.1, 1, 0.2], [0.1, 2, 0.2], [0, 3, 0.5]])
    np.testing.assert_array_equal(shoulders_along_x(joints, LAYOUT), joints)

"""Transforms of clips, checked against values worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from starcli.contracts import Layout
from starcli.errors import DataError
from starcli.skeletons import (
    Joints,
    augment,
    centre,
    checked,
    crop,
    face_front,
    middle_crop,
    motion_masked,
    resample,
    resample_all,
    rotate,
)

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
    return Rotation.from_euler("y", angle).as_matrix()


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

    want = [[0, 1, 0], [-0.2, 2, 0], [0.2, 2, 0], [0, 3, -0.3]]
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
        np.testing.assert_allclose(pdist(after.reshape(-1, 3)), pdist(before.reshape(-1, 3)),
                                   atol=1e-5)  # fmt: skip
    # A rotation, not a reflection: the handedness of three points stays.
    np.testing.assert_allclose(np.linalg.det(out[:, 0, :3]), np.linalg.det(joints[:, 0, :3]),
                               atol=1e-5)  # fmt: skip
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


@pytest.mark.parametrize(
    ("values", "frames", "want"),
    [
        # Sample i lies at (i + 1/2) * length / frames - 1/2, held inside the clip.
        ([0, 1], 4, [0, 0.25, 0.75, 1]),
        ([0, 1, 2, 3], 2, [0.5, 2.5]),
        ([0, 3, 6], 2, [0.75, 5.25]),
        ([5, 5, 5], 7, [5] * 7),
        ([2], 4, [2] * 4),
        ([0, 1, 4, 9], 4, [0, 1, 4, 9]),
        ([0, 1, 4, 9], 1, [2.5]),
    ],
)
def test_resample_by_hand(values: list[float], frames: int, want: list[float]) -> None:
    scales = torch.arange(1.0, 25.0).view(2, 4, 3)
    joints = torch.tensor(values).float()[:, None, None, None] * scales

    out = resample(joints, frames)

    assert out.shape == (3, frames, 4, 2)
    expected = torch.tensor(want).float()[:, None, None, None] * scales
    torch.testing.assert_close(out, expected.permute(3, 0, 2, 1))


def test_resample_to_the_same_length_only_reorders_axes() -> None:
    joints = torch.from_numpy(clip(11, 2))
    assert torch.equal(resample(joints, 11), joints.permute(3, 0, 2, 1))


def test_resample_all_is_resample_of_each() -> None:
    lengths = [5, 9, 5, 1, 9, 30]
    clips = [torch.from_numpy(clip(n, 2, seed)) for seed, n in enumerate(lengths)]

    out = resample_all(clips, 7)

    assert out.shape == (6, 3, 7, 4, 2)
    for one, joints in zip(out, clips, strict=True):
        torch.testing.assert_close(one, resample(joints, 7))


@pytest.mark.parametrize(
    ("length", "share", "place", "want"),
    [(10, 1.0, 0.99, range(10)), (10, 0.5, 0.0, range(5)), (10, 0.5, 0.999, range(5, 10)),
     (10, 0.5, 0.5, range(3, 8)), (1, 0.1, 0.9, range(1)), (4, 0.1, 0.5, range(2, 3))],
)  # fmt: skip
def test_crop_by_hand(length: int, share: float, place: float, want: range) -> None:
    assert crop(torch.arange(length), share, place).tolist() == list(want)


@settings(deadline=None, max_examples=100)
@given(
    length=st.integers(1, 90),
    share=st.floats(0.01, 1),
    place=st.floats(0, 1, exclude_max=True, width=32),
)
def test_crop_is_a_stretch_of_its_length(length: int, share: float, place: float) -> None:
    kept = crop(torch.arange(length), share, place).tolist()
    assert len(kept) == max(1, round(share * length))
    assert kept == list(range(kept[0], kept[0] + len(kept)))


@pytest.mark.parametrize(
    ("length", "share", "first", "last"),
    [(100, 0.95, 2, 97), (40, 0.95, 1, 38), (39, 0.95, 0, 38), (1, 0.95, 0, 0), (8, 0.5, 2, 5),
     (9, 0.5, 2, 6), (7, 1.0, 0, 6)],
)  # fmt: skip
def test_middle_crop_by_hand(length: int, share: float, first: int, last: int) -> None:
    assert middle_crop(torch.arange(length), share).tolist() == list(range(first, last + 1))


def test_rotate_turns_about_x_then_y_then_z() -> None:
    clips = torch.randn(5, 3, 4, 2, 1, generator=generator(1))
    angles = torch.randn(5, 3, generator=generator(8))

    out = rotate(clips, angles)

    turns = Rotation.from_euler("xyz", angles.numpy())  # lower case: about fixed axes
    for before, after, turn in zip(clips, out, turns, strict=True):
        want = turn.apply(before.flatten(1).T.numpy())
        np.testing.assert_allclose(after.flatten(1).T, want, atol=1e-5)


def test_augment_without_room_only_resamples() -> None:
    clips = [torch.from_numpy(clip(n, 2, n)) for n in (6, 11)]
    draws = torch.rand(2, 8, generator=generator())
    out = augment(clips, 5, draws, shortest=1, rotation=0, scale=0)
    torch.testing.assert_close(out, resample_all(clips, 5))


def test_augment_by_its_draws() -> None:
    clips = [torch.from_numpy(clip(20, 1, seed)) for seed in range(2)]
    draws = torch.tensor(
        [[0.0, 0.0, 0.5, 1.0, 0.5, 0.75, 9, 9], [1, 0.9, 0.5, 0.5, 0.5, 0.5, 9, 9]]
    )

    out = augment(clips, 20, draws, shortest=0.5, rotation=0.2, scale=0.1)

    turned = rotate(resample(clips[0][:10], 20)[None], torch.tensor([[0.0, 0.2, 0.0]]))
    torch.testing.assert_close(out[:1], turned * 1.05)
    torch.testing.assert_close(out[1], resample(clips[1], 20))


def test_a_clip_is_augmented_by_its_own_draws_alone() -> None:
    clips = [torch.from_numpy(clip(9 + n, 1, n)) for n in range(4)]
    draws = torch.rand(4, 8, generator=generator())
    room = {"shortest": 0.5, "rotation": 0.3, "scale": 0.1}
    together = augment(clips, 8, draws, **room)
    for i in range(4):
        torch.testing.assert_close(augment(clips[i : i + 1], 8, draws[i : i + 1], **room)[0],
                                   together[i])  # fmt: skip


def test_motion_masking_leaves_out_the_frames_of_most_motion() -> None:
    # Steps between frames: 0, 3, 1, 5, 0 and none after the last.
    place = torch.tensor([0.0, 0, 3, 4, 9, 9])
    joints = place[:, None, None, None].expand(6, 1, 4, 3).contiguous()
    assert motion_masked(joints, 1 / 3)[:, 0, 0, 0].tolist() == [0, 3, 9, 9]
    assert motion_masked(joints, 0.5)[:, 0, 0, 0].tolist() == [0, 9, 9]
    assert torch.equal(motion_masked(joints, 0), joints)
    assert len(motion_masked(joints[:1], 0.9)) == 1


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

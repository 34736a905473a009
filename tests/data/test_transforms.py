"""Transforms from clips to what a backbone reads, checked against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch import Tensor

from starcli.contracts import Layout, Modality
from starcli.data.transforms import (
    augment,
    crop,
    middle_crop,
    mirror,
    modality,
    motion_masked,
    resample,
    resample_all,
    rotate,
)
from starcli_plugins.layouts import COCO_17, KINECT_V1, KINECT_V2, MEDIAPIPE_33

pytestmark = pytest.mark.numerical


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clip(frames: int, persons: int = 1, seed: int = 0) -> Tensor:
    return torch.randn(frames, persons, 4, 3, generator=generator(seed))


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
    joints = clip(11, 2)
    assert torch.equal(resample(joints, 11), joints.permute(3, 0, 2, 1))


def test_resample_all_is_resample_of_each() -> None:
    lengths = [5, 9, 5, 1, 9, 30]
    clips = [clip(n, 2, seed) for seed, n in enumerate(lengths)]

    out = resample_all(clips, 7)

    assert out.shape == (6, 3, 7, 4, 2)
    for one, joints in zip(out, clips, strict=True):
        torch.testing.assert_close(one, resample(joints, 7))


@pytest.mark.parametrize(
    ("length", "share", "place", "least", "want"),
    [
        (10, 1.0, 0.99, 1, range(10)),
        (10, 0.5, 0.0, 1, range(5)),
        (10, 0.5, 0.999, 1, range(5, 10)),
        (10, 0.5, 0.5, 1, range(3, 8)),
        (1, 0.1, 0.9, 1, range(1)),
        (4, 0.1, 0.5, 1, range(2, 3)),
        # CTR-GCN's feeder: floor(p n) frames, but 64 where the clip has them.
        (100, 0.759, 0.0, 64, range(75)),
        (100, 0.5, 0.999, 64, range(36, 100)),
        (63, 0.5, 0.4, 64, range(63)),
        (64, 0.99, 0.0, 64, range(64)),
    ],
)
def test_crop_by_hand(length: int, share: float, place: float, least: int, want: range) -> None:
    assert crop(torch.arange(length), share, place, least).tolist() == list(want)


@settings(deadline=None, max_examples=100)
@given(
    length=st.integers(1, 90),
    share=st.floats(0.01, 1),
    place=st.floats(0, 1, exclude_max=True, width=32),
    least=st.integers(1, 80),
)
def test_crop_is_a_stretch_of_its_length(
    length: int, share: float, place: float, least: int
) -> None:
    kept = crop(torch.arange(length), share, place, least).tolist()
    assert len(kept) == min(max(int(share * length), least), length)
    assert kept == list(range(kept[0], kept[0] + len(kept)))


@pytest.mark.parametrize(
    ("length", "share", "first", "last"),
    [
        (100, 0.95, 2, 97),
        (40, 0.95, 1, 38),
        (39, 0.95, 0, 38),
        (1, 0.95, 0, 0),
        (8, 0.5, 2, 5),
        (9, 0.5, 2, 6),
        (7, 1.0, 0, 6),
    ],
)
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
    clips = [clip(n, 2, n) for n in (6, 11)]
    draws = torch.rand(2, 8, generator=generator())
    out = augment(clips, 5, draws, shortest=1, least=1, rotation=0, scale=0)
    torch.testing.assert_close(out, resample_all(clips, 5))


def test_augment_by_its_draws() -> None:
    clips = [clip(20, 1, seed) for seed in range(2)]
    draws = torch.tensor(
        [[0.0, 0.0, 0.5, 1.0, 0.5, 0.75, 9, 9], [1, 0.9, 0.5, 0.5, 0.5, 0.5, 9, 9]]
    )

    out = augment(clips, 20, draws, shortest=0.5, least=1, rotation=0.2, scale=0.1)

    turned = rotate(resample(clips[0][:10], 20)[None], torch.tensor([[0.0, 0.2, 0.0]]))
    torch.testing.assert_close(out[:1], turned * 1.05)
    torch.testing.assert_close(out[1], resample(clips[1], 20))


def test_a_clip_is_augmented_by_its_own_draws_alone() -> None:
    clips = [clip(9 + n, 1, n) for n in range(4)]
    draws = torch.rand(4, 8, generator=generator())
    room = {"shortest": 0.5, "rotation": 0.3, "scale": 0.1}
    together = augment(clips, 8, draws, least=1, **room)
    for i in range(4):
        torch.testing.assert_close(
            augment(clips[i : i + 1], 8, draws[i : i + 1], least=1, **room)[0], together[i]
        )


def test_motion_masking_leaves_out_the_frames_of_most_motion() -> None:
    # Steps between frames: 0, 3, 1, 5, 0 and none after the last.
    place = torch.tensor([0.0, 0, 3, 4, 9, 9])
    joints = place[:, None, None, None].expand(6, 1, 4, 3).contiguous()
    assert motion_masked(joints, 1 / 3)[:, 0, 0, 0].tolist() == [0, 3, 9, 9]
    assert motion_masked(joints, 0.5)[:, 0, 0, 0].tolist() == [0, 9, 9]
    assert torch.equal(motion_masked(joints, 0), joints)
    assert len(motion_masked(joints[:1], 0.9)) == 1


def test_bones_motions_and_bone_motions_by_hand() -> None:
    clips = torch.zeros(1, 3, 3, 4, 1)
    clips[0, 0, :, :, 0] = torch.tensor([[0, 1, 2, 5], [1, 1, 2, 7], [3, 1, 0, 7]])
    bones = ((1, 0), (2, 1), (3, 1))

    def first_axis(name: Modality) -> list[list[float]]:
        out = modality(clips, bones, name)
        assert not out[0, 1:].any()
        return out[0, 0, :, :, 0].tolist()

    assert torch.equal(modality(clips, bones, "joint"), clips)
    assert first_axis("bone") == [[0, 1, 1, 4], [0, 0, 1, 6], [0, -2, -1, 6]]
    assert first_axis("joint-motion") == [[1, 0, 0, 2], [2, 0, -2, 0], [0, 0, 0, 0]]
    assert first_axis("bone-motion") == [[0, -1, 0, 2], [0, -2, -2, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    "layout", [KINECT_V2, KINECT_V1, COCO_17, MEDIAPIPE_33], ids=lambda x: x.name
)
def test_where_a_person_stands_changes_joints_only(layout: Layout) -> None:
    clips = torch.randn(2, 3, 5, len(layout.joints), 2, generator=generator(3))
    moved = clips + torch.tensor([1.0, -2, 3])[:, None, None, None]
    for name in ("bone", "joint-motion", "bone-motion"):
        before, after = (modality(c, layout.bones, name) for c in (clips, moved))
        torch.testing.assert_close(after, before, atol=1e-5, rtol=0)


def test_mirror_by_hand() -> None:
    clips = torch.arange(2 * 3 * 1 * 3 * 1, dtype=torch.float32).view(2, 3, 1, 3, 1)
    before = clips.clone()
    found = mirror(clips, (0, 2, 1), torch.tensor([False, True]))
    assert torch.equal(clips, before) and torch.equal(found[0], clips[0])
    # x of the head, the left and the right hand: 9, 10, 11; y from 12, z from 15.
    assert found[1, :, 0, :, 0].tolist() == [[-9, -11, -10], [12, 14, 13], [15, 17, 16]]

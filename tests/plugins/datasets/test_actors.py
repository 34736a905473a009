# ruff: noqa: N802  (tests are named after the rows of the table of faults)
"""Which bodies are the actors: the published rules by hand, and against a literal version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from starcli_plugins.datasets.ntu.body_selection import assemble
from starcli_plugins.datasets.ntu.skeleton_files import Bodies, Body, Joints

SPINE = 1


def standing(x: float, frames: int, sway: float = 0.0) -> Joints:
    """A body 2.4 m high and 0.24 m wide at a place, whose x swings by `sway` every other frame.

    Its mid-spine, joint 1, is at (x + 0.01, 0.1, 3).
    """
    joints = np.zeros((frames, 25, 3))
    joint = np.arange(25)
    joints[..., 0] = x + 0.01 * joint
    joints[..., 1] = 0.1 * joint
    joints[..., 2] = 3
    joints[::2, :, 0] += sway
    return joints.astype(np.float32)


def lying(frames: int, x: float = 0.0) -> Joints:
    """A body wider than high: every frame of it is noise."""
    joints = standing(0, frames)
    return joints[..., [1, 0, 2]] + np.array([x, 0, 0], np.float32)


def clip(*bodies: tuple[Sequence[int], Joints], frames: int | None = None) -> Bodies:
    """What a file holds: the frames of each body and its joints there."""
    last = max(index for indices, _ in bodies for index in indices)
    listed = tuple(
        Body(100 + number, np.array(indices), joints)
        for number, (indices, joints) in enumerate(bodies)
    )
    return Bodies(frames or last + 1, 0, listed)


def moved(joints: Joints, origin: npt.ArrayLike) -> Joints:
    return joints - np.asarray(origin, np.float32)


def test_one_body_is_taken_as_it_is() -> None:
    """Short and lying: no rule but the translation is for clips of one id."""
    joints = lying(3)
    found = assemble(clip((range(3), joints)))
    assert found.shape == (3, 1, 25, 3)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, 0], moved(joints, joints[0, SPINE]))


def test_the_origin_is_the_mid_spine_of_the_first_frame() -> None:
    found = assemble(clip((range(20), standing(0.5, 20))))
    np.testing.assert_array_equal(found[0, 0, SPINE], [0, 0, 0])
    np.testing.assert_allclose(found[3, 0, 4], [0.03, 0.3, 0], atol=1e-6)


def test_of_two_people_the_one_that_moves_more_is_first() -> None:
    still, lively = standing(-1, 20), standing(1, 20, sway=0.3)
    found = assemble(clip((range(20), still), (range(20), lively)))
    origin = lively[0, SPINE]
    np.testing.assert_allclose(origin, [1.31, 0.1, 3])
    np.testing.assert_array_equal(found, np.stack([moved(lively, origin), moved(still, origin)], 1))


def test_ties_are_in_the_order_of_the_file() -> None:
    """Same variances, another place."""
    bodies = [standing(0, 20), standing(0, 20)]
    bodies[1][..., 2] = 4
    assert assemble(clip(*((range(20), b) for b in bodies)))[0, 1, 0, 2] == 1
    assert assemble(clip(*((range(20), b) for b in bodies[::-1])))[0, 1, 0, 2] == -1


def test_a_body_alone_moves_with_its_frames_of_zeros_A29() -> None:
    """As published: the origin is of the first frame that is not all zeros, and all are moved."""
    joints = standing(0.5, 6)
    joints[[0, 3]] = 0
    found = assemble(clip((range(6), joints)))
    origin = joints[1, SPINE]
    assert found.shape == (6, 1, 25, 3)
    np.testing.assert_array_equal(found[0, 0], np.tile(-origin, (25, 1)))
    np.testing.assert_array_equal(found[:, 0], moved(joints, origin))


def test_frames_of_zeros_keep_two_actors_in_step_A29() -> None:
    """One is zeros in frames 4 to 6: it is absent then, and not three frames ahead afterwards.

    By the published rules gaps are closed by counting appearances, and zeros are one. The leap to
    the sensor and back is the greater motion, so that this body is the first actor.
    """
    other, leaps = standing(0, 20, sway=0.3), standing(1, 20)
    leaps[4:7] = 0
    found = assemble(clip((range(20), other), (range(20), leaps)))
    origin = leaps[0, SPINE]
    assert found.shape == (20, 2, 25, 3)
    assert not found[4:7, 0].any()
    np.testing.assert_array_equal(found[7:, 0], moved(leaps[7:], origin))
    np.testing.assert_array_equal(found[:, 1], moved(other, origin))


def test_zeros_count_towards_length_A29() -> None:
    """Of its 12 frames 6 are zeros; without them the body would be noise."""
    still, ghost = standing(0, 20, sway=0.3), standing(1, 12)
    ghost[:6] = 0
    found = assemble(clip((range(20), still), (range(12), ghost)))
    assert found.shape == (20, 2, 25, 3)
    np.testing.assert_array_equal(found[6:12, 0], moved(ghost[6:], ghost[6, SPINE]))
    assert not found[:6, 0].any()
    assert not found[12:, 0].any()


def test_where_only_zeros_are_left_the_longest_body_is_kept_A29() -> None:
    """The published preparation fails here: one body is too short or lies, the other is zeros."""
    zeros = np.zeros((20, 25, 3), np.float32)
    for body in (standing(1, 9), lying(15)):
        found = assemble(clip((range(20), zeros), (range(len(body)), body)))
        np.testing.assert_array_equal(found[:, 0], moved(body, body[0, SPINE]))
        assert found.shape == (len(body), 1, 25, 3)


def test_an_id_switch_continues_the_first_actor_A30() -> None:
    before, after = standing(0, 15, sway=0.3), standing(0.2, 15)
    found = assemble(clip((range(15), before), (range(15, 30), after)))
    assert found.shape == (30, 2, 25, 3)
    np.testing.assert_array_equal(
        found[:, 0], moved(np.concatenate([before, after]), before[0, SPINE])
    )
    assert not found[:, 1].any()


def test_the_origin_is_of_the_first_frame_although_the_body_there_moves_less() -> None:
    before, after = standing(0, 15), standing(0.2, 15, sway=0.3)
    found = assemble(clip((range(15), before), (range(15, 30), after)))
    np.testing.assert_array_equal(found[0, 0], moved(before[0], before[0, SPINE]))
    np.testing.assert_array_equal(found[15, 0], moved(after[0], before[0, SPINE]))


def test_one_shared_frame_is_no_overlap_and_the_later_body_takes_it() -> None:
    """Frames 0 to 14 and 14 to 28: the one with less motion is written last."""
    lively, still = standing(0, 15, sway=0.3), standing(1, 15)
    found = assemble(clip((range(15), lively), (range(14, 29), still)))
    origin = lively[0, SPINE]
    np.testing.assert_array_equal(found[13, 0], moved(lively[13], origin))
    np.testing.assert_array_equal(found[14, 0], moved(still[0], origin))
    assert not found[:, 1].any()


def test_two_shared_frames_are_an_overlap() -> None:
    lively, still = standing(0, 15, sway=0.3), standing(1, 15)
    found = assemble(clip((range(15), lively), (range(13, 28), still)))
    origin = lively[0, SPINE]
    np.testing.assert_array_equal(found[:15, 0], moved(lively, origin))
    np.testing.assert_array_equal(found[13:, 1], moved(still, origin))


def test_an_absent_actor_stays_zeros() -> None:
    lively, still = standing(0, 30, sway=0.3), standing(1, 15)
    found = assemble(clip((range(30), lively), (range(10, 25), still)))
    assert not found[:10, 1].any()
    assert not found[25:, 1].any()
    assert found[10:25, 1].all(0).any()


def test_the_origin_waits_for_the_first_actor() -> None:
    early, lively = standing(-1, 30), standing(1, 20, sway=0.3)
    found = assemble(clip((range(30), early), (range(5, 25), lively)))
    assert not found[:5, 0].any()
    np.testing.assert_array_equal(found[5, 0, SPINE], [0, 0, 0])
    np.testing.assert_array_equal(found[0, 1], moved(early[0], lively[0, SPINE]))


def test_gaps_are_closed_and_the_frames_that_are_left_over_go() -> None:
    """Frames 0-9 and 15-19 of the one body become 0-14; 15 to 19 then hold nobody."""
    body, short = standing(0, 15, sway=0.3), standing(1, 5)
    found = assemble(clip(([*range(10), *range(15, 20)], body), (range(10, 15), short)))
    assert found.shape == (15, 1, 25, 3)
    np.testing.assert_array_equal(found[:, 0], moved(body, body[0, SPINE]))


@pytest.mark.parametrize(("frames", "persons"), [(11, 1), (12, 2)])
def test_bodies_of_at_most_11_frames_are_noise(frames: int, persons: int) -> None:
    found = assemble(clip((range(20), standing(0, 20)), (range(frames), standing(1, frames))))
    assert found.shape == (20, persons, 25, 3)


def test_the_longest_is_kept_where_all_are_too_short() -> None:
    longest = standing(1, 11)
    found = assemble(clip((range(10), standing(0, 10, sway=1)), (range(2, 13), longest)))
    np.testing.assert_array_equal(found[:, 0], moved(longest, longest[0, SPINE]))
    assert found.shape == (11, 1, 25, 3)


def test_of_equally_long_ones_the_livelier_and_then_the_first_is_kept() -> None:
    still, lively = standing(0, 8), standing(1, 8, sway=0.3)
    mirrored = still * np.array([-1, 1, 1], np.float32)
    for bodies, kept in (
        ([still, lively], lively),
        ([lively, still], lively),
        ([still, mirrored], still),
        ([mirrored, still], mirrored),
    ):
        found = assemble(clip(*((range(8), body) for body in bodies)))
        np.testing.assert_array_equal(found[:, 0], moved(kept, kept[0, SPINE]))


def test_a_third_body_that_is_wide_is_noise_A12() -> None:
    lively, still = standing(0, 20, sway=0.3), standing(1, 20)
    found = assemble(clip((range(20), lying(20)), (range(20), still), (range(20), lively)))
    origin = lively[0, SPINE]
    np.testing.assert_array_equal(found, np.stack([moved(lively, origin), moved(still, origin)], 1))


def test_width_is_checked_in_file_order_until_one_is_left() -> None:
    """Both are noise; the second is safe as the last."""
    bodies = [lying(20), lying(20, x=1)]
    found = assemble(clip(*((range(20), body) for body in bodies)))
    assert found.shape == (20, 1, 25, 3)
    np.testing.assert_array_equal(found[:, 0], moved(bodies[1], bodies[1][0, SPINE]))


@pytest.mark.parametrize(("noisy", "persons"), [(69, 2), (70, 1)])
def test_share_of_noisy_frames(noisy: int, persons: int) -> None:
    """0.69 is below 0.69754 and 0.70 is not."""
    mixed = standing(0, 100)
    mixed[:noisy] = lying(noisy)
    found = assemble(clip((range(100), mixed), (range(100), standing(1, 100))))
    assert found.shape[1] == persons


@pytest.mark.parametrize(("width", "persons"), [(0.79, 2), (0.81, 1)])
def test_a_frame_is_wide_beyond_four_fifths_of_its_height(width: float, persons: int) -> None:
    body = standing(0, 20)
    body[..., 0] = np.linspace(0, 2.4 * width, 25)
    found = assemble(clip((range(20), body), (range(20), standing(1, 20))))
    assert found.shape[1] == persons


def test_motion_is_that_of_the_good_frames_if_less() -> None:
    """The body with a few wild frames would be first, were they counted."""
    wild, lively = standing(0, 20), standing(1, 20, sway=0.3)
    wild[:5] = lying(5, x=9)
    found = assemble(clip((range(20), wild), (range(20), lively)))
    np.testing.assert_array_equal(found[0, 0, SPINE], [0, 0, 0])
    np.testing.assert_array_equal(found[:, 0], moved(lively, lively[0, SPINE]))


def test_a_third_body_that_overlaps_both_is_left_out_A12() -> None:
    bodies = [standing(x, 20, sway) for x, sway in ((0, 0.3), (1, 0.2), (2, 0.1))]
    found = assemble(clip(*((range(20), body) for body in bodies)))
    origin = bodies[0][0, SPINE]
    np.testing.assert_array_equal(found, np.stack([moved(b, origin) for b in bodies[:2]], 1))


def test_the_second_actor_counts_from_frame_0() -> None:
    """Written to frames 20 to 34, its span is 0 to 34, so that a body at 1 to 18 finds no place."""
    first, second = standing(0, 40, sway=0.3), standing(1, 15, sway=0.2)
    third = standing(2, 18, sway=0.1)
    found = assemble(clip((range(40), first), (range(20, 35), second), (range(1, 19), third)))
    assert not found[:20, 1].any()
    np.testing.assert_array_equal(found[20:35, 1], moved(second, first[0, SPINE]))


LooseTrack = dict[str, Any]


def literal(found: Bodies) -> Joints:
    """The rules word by word, value by value."""
    tracks: list[LooseTrack] = []
    for body in found.bodies:
        start = int(body.frames[0])
        interval = [start]
        for _ in body.frames[1:]:
            interval.append(interval[-1] + 1)
        flat = np.vstack(list(body.joints))
        motion = np.sum(np.var(flat, axis=0))
        tracks.append({"joints": flat, "interval": interval, "motion": motion})
    several = len(tracks) > 1
    if several:
        tracks = literal_denoised(tracks)
    if len(tracks) == 1:
        out = np.zeros((found.frames, 75), np.float32)
        track = tracks[0]
        for at, index in enumerate(track["interval"]):
            out[index] = track["joints"][at * 25 : at * 25 + 25].reshape(75)
    else:
        out = literal_pair(tracks, found.frames)
    if several:
        out = np.array([row for row in out if row.sum() != 0])
    return literal_translated(out).reshape(len(out), -1, 25, 3)


def literal_denoised(tracks: list[LooseTrack]) -> list[LooseTrack]:
    left = literal_left(tracks)
    if any(track["joints"].any() for track in left):
        return left
    seen = [track for track in tracks if track["joints"].any()]
    best = seen[0]
    for track in seen[1:]:
        size, most = len(track["interval"]), len(best["interval"])
        if size > most or (size == most and track["motion"] > best["motion"]):
            best = track
    return [best]


def literal_left(tracks: list[LooseTrack]) -> list[LooseTrack]:
    long = [track for track in tracks if len(track["interval"]) > 11]
    left = list(long)
    for track in long:
        if len(left) == 1:
            break
        good = []
        for frame in track["joints"].reshape(-1, 25, 3):
            x, y = frame[:, 0], frame[:, 1]
            if float(x.max() - x.min()) <= 0.8 * float(y.max() - y.min()):
                good.append(frame)
        noise = len(track["interval"]) - len(good)
        if noise == 0:
            continue
        if noise / len(track["interval"]) >= 0.69754:
            left = [other for other in left if other is not track]
        else:
            motion = np.sum(np.var(np.vstack(good), axis=0))
            track["motion"] = min(track["motion"], motion)
    return left


def literal_pair(tracks: list[LooseTrack], frames: int) -> Joints:
    order = sorted(tracks, key=lambda t: (t["motion"], t["joints"].any()), reverse=True)
    out = np.zeros((frames, 150), np.float32)
    start1, end1 = order[0]["interval"][0], order[0]["interval"][-1]
    out[start1 : end1 + 1, :75] = order[0]["joints"].reshape(-1, 75)
    start2 = end2 = 0
    for track in order[1:]:
        start, end = track["interval"][0], track["interval"][-1]
        if min(end1, end) - max(start1, start) <= 0:
            out[start : end + 1, :75] = track["joints"].reshape(-1, 75)
            start1, end1 = min(start, start1), max(end, end1)
        elif min(end2, end) - max(start2, start) <= 0:
            out[start : end + 1, 75:] = track["joints"].reshape(-1, 75)
            start2, end2 = min(start, start2), max(end, end2)
    return out


def literal_translated(rows: Joints) -> Joints:
    first = 0
    while not np.any(rows[first, :75] != 0):
        first += 1
    origin = rows[first, 3:6].copy()
    out = rows.copy()
    for frame, row in enumerate(rows):
        for at in range(0, rows.shape[1], 3):
            out[frame, at : at + 3] = row[at : at + 3] - origin
        if rows.shape[1] == 150:
            for half in (slice(0, 75), slice(75, 150)):
                if row[half].sum() == 0:
                    out[frame, half] = 0
    return out


@st.composite
def clips(draw: st.DrawFn) -> Bodies:
    """Bodies that come, go, lie, stand and share their motion, in a clip of up to 40 frames."""
    frames = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    bodies: list[Body] = []
    for number in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, frames - 1)) if number else 0
        stop = draw(st.integers(start + 1, frames)) if number else frames
        indices = np.arange(start, stop)
        if number and draw(st.booleans()):
            indices = indices[rng.random(len(indices)) < 0.8]
        if len(indices) == 0:
            continue
        n = len(indices)
        width = np.where(rng.random(n) < draw(st.sampled_from([0.0, 0.5, 0.7, 1.0])), 3, 0.2)
        scale = np.stack([width, np.ones(n), np.full(n, 0.1)], 1)[:, None]
        joints = rng.random((n, 25, 3)) * scale + [0, 0, 2 + number]
        if len(bodies) > 0 and draw(st.booleans()) and len(bodies[-1].joints) >= n:
            joints = bodies[-1].joints[:n].copy()
        joints[rng.random(n) < draw(st.sampled_from([0.0, 0.0, 0.3, 1.0]))] = 0
        bodies.append(Body(number, indices, joints.astype(np.float32)))
    assume(any(body.joints.any() for body in bodies))
    order = draw(st.permutations(bodies))
    return Bodies(frames, 0, tuple(sorted(order, key=lambda body: int(body.frames[0]))))


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(clips())
def test_as_by_the_literal_rules(found: Bodies) -> None:
    before = [body.joints.copy() for body in found.bodies]
    actors = assemble(found)
    want = literal(found)
    assert actors.dtype == want.dtype == np.float32
    np.testing.assert_array_equal(actors, want)
    assert actors.shape[1] in (1, 2)
    for body, joints in zip(found.bodies, before, strict=True):
        np.testing.assert_array_equal(body.joints, joints)

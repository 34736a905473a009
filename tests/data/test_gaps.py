"""Joints and frames that nobody saw."""

from __future__ import annotations

import numpy as np

from starcli.data.importing import gaps
from starcli_plugins.layouts import COCO_17

RISING = np.arange(10.0)[:, None, None, None] * np.ones((1, 1, 17, 3))
"""One person whose every coordinate is the number of the frame."""


def test_short_gaps_are_bridged_in_a_straight_line_and_ends_are_held() -> None:
    joints = RISING.copy()
    joints[3:6, 0, 4] = np.nan
    joints[:2, 0, 9] = np.nan
    done = gaps.filled(joints, COCO_17)
    np.testing.assert_allclose(done.joints[:, 0, 4], RISING[:, 0, 4])
    np.testing.assert_allclose(done.joints[:2, 0, 9], 2)
    assert done.missing == 5 / 170
    assert (done.long_gaps, done.absent, done.cut, done.never) == (0, 0, 0, ())


def test_frames_that_are_left_out_are_bridged() -> None:
    """Every other frame empty gives the same clip as all frames."""
    every_other = gaps.spread(RISING[::2], np.arange(0, 10, 2))
    np.testing.assert_allclose(gaps.filled(every_other, COCO_17).joints, RISING[:9])


def test_padding_is_cut_at_both_ends() -> None:
    empty = np.full((150, 1, 17, 3), np.nan)
    done = gaps.filled(np.concatenate([empty, RISING, empty]), COCO_17)
    np.testing.assert_array_equal(done.joints, RISING)
    assert done.cut == 300


def test_somebody_who_is_gone_for_long_is_absent() -> None:
    joints = np.concatenate([RISING, np.full((20, 1, 17, 3), np.nan), RISING])
    other = np.ones((40, 1, 17, 3))
    done = gaps.filled(np.concatenate([joints, other], 1), COCO_17, longest=15)
    assert (done.joints[10:30, 0] == 0).all()
    assert (done.joints[10:30, 1] == 1).all()
    assert done.absent == 20


def test_a_long_gap_of_one_joint_is_bridged_and_counted() -> None:
    joints = np.ones((40, 1, 17, 3))
    joints[5:30, 0, 3] = np.nan
    done = gaps.filled(joints, COCO_17, longest=15)
    assert (done.joints == 1).all()
    assert done.long_gaps == 1


def test_a_joint_never_seen_is_estimated_and_named() -> None:
    joints = np.random.default_rng(0).normal(size=(4, 1, 17, 3))
    joints[:, 0, COCO_17.joints.index("left ear")] = np.nan
    done = gaps.filled(joints, COCO_17)
    assert done.never == ("left ear",)
    assert np.isfinite(done.joints).all()


def test_nobody_at_all() -> None:
    assert len(gaps.filled(np.full((5, 1, 17, 3), np.nan), COCO_17).joints) == 0


def test_doubtful_joints_were_not_seen() -> None:
    confidence = np.full((10, 1, 17), 0.9)
    confidence[2, 0, 3] = 0.05
    confidence[4, 0, 5] = np.nan
    doubtful = np.isnan(gaps.without_doubtful(RISING, confidence)).all(-1)
    assert np.argwhere(doubtful).tolist() == [[2, 0, 3]]

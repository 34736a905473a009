"""Calibration error and rates of "none of these" by hand."""

from __future__ import annotations

import numpy as np
import pytest

from starcli.evaluation.confidence import Confidence
from starcli.evaluation.metrics import ScoredClips
from starcli.evaluation.reliability import calibration_error, in_bins, measure, reliability


def test_calibration_error_by_hand() -> None:
    bins = in_bins(np.array([0.9, 1.0, 0.92]), np.array([True, True, False]))
    one, other = bins
    assert (one.clips, one.accuracy) == (2, 0.5)
    assert one.probability == pytest.approx(0.91)
    assert (one.low, one.high) == pytest.approx((13 / 15, 14 / 15))
    assert (other.clips, other.probability, other.accuracy, other.high) == (1, 1, 1, 1)
    assert calibration_error(bins) == pytest.approx(2 / 3 * 0.41)


def test_before_and_after_the_temperature() -> None:
    """Four clips of which three are right: 0.75 at temperature 1 / ln 3, 0.731 at 1."""
    scores, truth = np.tile([1.0, 0.0], (4, 1)), np.array([0, 0, 0, 1])
    found = reliability(scores, truth, 1 / np.log(3))
    assert found.error == pytest.approx(0, abs=1e-12)
    assert found.error_before == pytest.approx(0.75 - 1 / (1 + np.exp(-1)))
    assert [(each.clips, each.accuracy) for each in found.bins] == [(4, 0.75)]


def test_one_clip_and_equal_scores() -> None:
    found = reliability(np.ones((1, 4)), np.array([2]), 1.0)
    assert found.error == found.error_before == 0.25
    right = reliability(np.array([[1e3, -1e3]]), np.array([0]), 0.01)
    assert (right.error, right.bins[0].high) == (0, 1)


SCORES = [[0.9, 0, 0.2, 0], [0.5, 0, 0, 0.1], [0.3, 0, 0.8, 0], [0.5, 0, 0, 0.3]]
SCORED = ScoredClips(np.array(SCORES), np.array([0, 0, 2, 3]), (0, 1), (2, 3))


def test_none_of_these_by_hand() -> None:
    """Gamma 0.1 leaves best scores 0.8, 0.4, 0.8, 0.4, and 0.2, 0.4 among seen classes."""
    found = measure(SCORED, 0.1, Confidence(temperature=0.1, threshold=0.45, false_alarms=0.05))
    assert (found.false_alarms_seen, found.false_alarms_unseen) == (0.5, 0.5)
    assert found.recognised == 1
    assert [sum(b.clips for b in each.bins) for each in (found.zsl, found.gzsl)] == [2, 4]
    assert sum(b.clips * b.accuracy for b in found.zsl.bins) == pytest.approx(2)
    # The last clip is taken for class 0.
    assert sum(b.clips * b.accuracy for b in found.gzsl.bins) == pytest.approx(3)


def test_without_a_threshold_there_are_no_rates() -> None:
    found = measure(SCORED, 0.1, Confidence(temperature=0.1, threshold=None, false_alarms=0.05))
    assert found.false_alarms_seen is found.false_alarms_unseen is found.recognised is None

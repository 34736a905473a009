"""Candidates beside the other names that a model knows, by hand and by what they are for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from starcli.evaluation import confidence, openness
from starcli.evaluation.confidence import Confidence
from starcli.evaluation.metrics import Floats, Ints, ScoredClips
from starcli.evaluation.openness import Level

NAMES = 40


def test_log_odds_by_hand() -> None:
    """Powers 4 and 2 of two candidates, 1 of another name, 1 of the name for all the others."""
    powers = np.array([[4.0, 2.0, 1.0]])
    scores = 0.1 * np.log(powers)
    odds = openness.log_odds(scores[:, :2], scores[:, 2:], 0.1, 0.0)
    assert odds == pytest.approx([math.log(6 / 2)])
    assert openness.log_odds(scores, scores[:, :0], 0.1, 0.0) == pytest.approx([math.log(7)])


def test_between_two_levels_in_proportion_and_beyond_them_the_nearest() -> None:
    levels = (Level(share=0.01, odds=-4), Level(share=0.1, odds=-2), Level(share=1, odds=3))
    wanted = {0.001: -4, 0.01: -4, math.sqrt(0.001): -3, 0.1: -2, math.sqrt(0.1): 0.5, 1: 3}
    for share, odds in wanted.items():
        assert openness.least(levels, share) == pytest.approx(odds)


def clips(count: int, seed: int) -> tuple[Floats, Ints]:
    """Clips that score more for their own name, most of them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(NAMES, size=count)
    scores = rng.normal(0, 0.1, (count, NAMES))
    scores[np.arange(count), labels] += 0.3
    return scores, labels


def fitted(false_alarms: float) -> Confidence:
    scores, labels = clips(600, 0)
    half = NAMES // 2
    fold = ScoredClips(scores, labels, tuple(range(half)), tuple(range(half, NAMES)))
    return confidence.fit([fold], 0.0, false_alarms)


@pytest.mark.parametrize("size", [2, 8, 30, NAMES])
def test_new_clips_of_candidates_are_none_of_these_at_the_rate_that_is_asked_for(size: int) -> None:
    sure, (scores, labels) = fitted(0.1), clips(1000, 1)
    order = np.random.default_rng(2).permuted(np.tile(np.arange(NAMES), (len(labels), 1)), axis=1)
    place = (order == labels[:, None]).argmax(1)
    order[np.arange(len(labels)), place] = order[:, 0]
    order[:, 0] = labels
    own = np.take_along_axis(scores, order, 1)
    assert sure.none(own[:, :size], own[:, size:]).mean() == pytest.approx(0.1, abs=0.04)


def test_many_candidates_that_are_all_wrong_are_told_where_the_best_score_tells_nothing() -> None:
    sure, (scores, labels) = fitted(0.05), clips(1000, 1)
    others = np.array([np.delete(row, label) for row, label in zip(scores, labels, strict=True)])
    own = scores[np.arange(len(labels)), labels][:, None]
    by_best = sure.model_copy(update={"levels": ()})
    assert sure.none(others, own).mean() > 2 * by_best.none(others, own).mean() > 0


def test_a_vocabulary_has_its_size_and_the_clip_s_own_name() -> None:
    """Equal scores: odds are those of the numbers of names."""
    odds = openness._drawn(np.zeros((3, 10)), np.array([0, 4, 9]), 4, 1.0, 0.0)
    assert odds == pytest.approx(np.full((3, openness.DRAWS), math.log(4 / 7)))


def test_without_a_threshold_nothing_is_none_of_these() -> None:
    sure = Confidence(temperature=1, threshold=None, false_alarms=0.05)
    assert not sure.none(np.zeros((2, 3)), np.zeros((2, 0))).any()
    assert sure.surplus(np.zeros((2, 3)), np.zeros((2, 0))) is None

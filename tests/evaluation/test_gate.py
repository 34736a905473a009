"""The gate by hand, and what must hold for any scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcli.evaluation.calibrated_stacking import choose
from starcli.evaluation.gate import Gate, features, fit
from starcli.evaluation.metrics import ScoredClips, generalized


def judged(scores: list[list[float]], labels: list[int]) -> ScoredClips:
    """Classes 0 and 1 are seen, 2 and 3 unseen."""
    return ScoredClips(np.array(scores, dtype=float), np.array(labels), (0, 1), (2, 3))


SURE = 1 / (1 + math.exp(-2))
"""The probability of the first of two classes whose scores are 2 apart."""


def test_features_by_hand() -> None:
    case = judged([[2, 0, 5, 5], [1, 1, 0, 2]], [0, 2])
    np.testing.assert_allclose(features(case, 1.0), [[SURE, 0.5], [0.5, SURE]])
    colder = 1 / (1 + math.exp(-4))
    np.testing.assert_allclose(features(case, 0.5), [[colder, 0.5], [0.5, colder]])


def test_prediction_by_hand() -> None:
    case = judged([[2, 0, 5, 6], [1, 1, 0, 2], [9, 3, 0, 0]], [0, 2, 1])
    gate = Gate(temperature=1.0, weights=(1.0, -1.0), bias=0.1, gamma=0.1)
    pairs = features(case, 1.0)
    np.testing.assert_allclose(gate.margins(case), pairs[:, 0] - pairs[:, 1] + 0.1)
    # The first clip goes to the seen classes although an unseen one has the highest score.
    assert gate.predict(case).tolist() == [0, 3, 0]
    assert gate.model_copy(update={"gamma": 9.0}).predict(case).tolist() == [3, 3, 2]


SEPARABLE = judged(
    [[4, 0, 1, 1], [0, 4, 1, 1], [5, 0, 1, 0], [1, 1, 4, 0], [1, 1, 0, 4], [1, 0, 0, 5]],
    [0, 1, 0, 2, 3, 3],
)


def test_groups_that_differ_in_certainty_are_told_apart() -> None:
    gate, curve, best = fit([SEPARABLE])
    assert gate.predict(SEPARABLE).tolist() == [0, 1, 0, 2, 3, 3]
    assert best.harmonic_mean == 1.0
    assert gate.weights[0] > 0 > gate.weights[1]
    assert best.low == pytest.approx(gate.margins(SEPARABLE)[3:].max())
    assert best.high == pytest.approx(gate.margins(SEPARABLE)[:3].min())
    assert curve.area == pytest.approx(1.0)


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.lists(st.integers(-9, 9), min_size=4, max_size=4), min_size=4, max_size=9),
    st.sampled_from([2.0**-6, 0.5, 64.0]),
    st.randoms(use_true_random=False),
)
def test_the_scale_of_scores_does_not_matter(
    drawn: list[list[int]], scale: float, random: np.random.Generator
) -> None:
    labels = [0, 2, *(random.choice([0, 1, 2, 3]) for _ in drawn[2:])]
    case = judged([[float(v) for v in row] for row in drawn], labels)
    scaled = ScoredClips(case.scores * scale, case.labels, case.seen, case.unseen)
    (one, curve, best), (other, _, other_best) = fit([case]), fit([scaled])
    assert other_best.harmonic_mean == pytest.approx(best.harmonic_mean)
    assert other.predict(scaled).tolist() == one.predict(case).tolist()
    harmonic = generalized(case, one.predict(case))[2]
    assert harmonic == pytest.approx(best.harmonic_mean) or len(curve.gammas) == 1
    assert one.gamma == choose(curve, 0.9).gamma


def test_the_threshold_is_in_the_middle_of_what_is_as_good() -> None:
    rng = np.random.default_rng(0)
    gate, curve, best = fit([judged(rng.normal(size=(40, 4)).tolist(), [0, 1, 2, 3] * 10)])
    assert gate.gamma == best.gamma == choose(curve, 0.9).gamma
    assert gate.gamma != choose(curve).gamma


def test_folds_count_the_same_whatever_their_number_of_clips() -> None:
    twice = ScoredClips(
        np.concatenate([SEPARABLE.scores] * 2),
        np.concatenate([SEPARABLE.labels] * 2),
        SEPARABLE.seen,
        SEPARABLE.unseen,
    )
    other = judged([[1, 0, 0, 0], [0, 0, 2, 1], [3, 1, 0, 1]], [0, 3, 1])
    gate, curve, best = fit([twice, other])
    each = [generalized(fold, gate.predict(fold))[2] for fold in (twice, other)]
    assert best.harmonic_mean == pytest.approx(np.mean(each))
    assert len(curve.seen) == len(curve.gammas) + 1


def test_constant_scores_are_no_crash() -> None:
    gate, _, best = fit([judged([[1, 1, 1, 1]] * 3, [0, 2, 1])])
    assert not best.identifiable
    assert set(gate.predict(judged([[1, 1, 1, 1]], [0])).tolist()) <= {0, 2}

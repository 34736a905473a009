"""Metrics and calibrated stacking, by hand and against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcli.calibration import choose, sweep
from starcli.errors import DataError, NumericalError
from starcli.metrics import (
    Judged,
    confusion,
    generalized,
    harmonic_mean,
    per_class_accuracy,
    predict,
    require_finite,
    zero_shot_accuracy,
)


def judged(scores: list[list[float]], labels: list[int]) -> Judged:
    """Classes 0 and 1 are seen, 2 and 3 unseen."""
    return Judged(np.array(scores, dtype=float), np.array(labels), (0, 1), (2, 3))


EXAMPLE = judged(
    [
        [0.9, 0.1, 0.5, 0.2],  # seen, right until gamma 0.4
        [0.8, 0.3, 0.6, 0.1],  # seen 1, wrong among the seen ones
        [0.7, 0.2, 0.4, 0.1],  # unseen 2, won above gamma 0.3
        [0.5, 0.6, 0.1, 0.8],  # unseen 3, right from gamma -0.2
        [0.9, 0.1, 0.8, 0.2],  # unseen 3, never right: 2 is preferred
    ],
    [0, 1, 2, 3, 3],
)


def test_zero_shot_accuracy_chooses_among_unseen_classes() -> None:
    assert zero_shot_accuracy(EXAMPLE) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("gamma", "want"),
    [(0.0, (1 / 2, 1 / 3)), (0.35, (1 / 2, 2 / 3)), (0.5, (0, 2 / 3)), (-9.0, (1 / 2, 0))],
)
def test_generalized_by_hand(gamma: float, want: tuple[float, float]) -> None:
    seen, unseen, harmonic = generalized(EXAMPLE, gamma)
    assert (seen, unseen) == pytest.approx(want)
    assert harmonic == pytest.approx(float(harmonic_mean(*want)))


def test_curve_and_choice_by_hand() -> None:
    curve = sweep(EXAMPLE)
    assert curve.gammas == pytest.approx([-0.2, 0.1, 0.2, 0.3, 0.4])
    assert curve.seen == pytest.approx([0.5, 0.5, 0.5, 0.5, 0.5, 0])
    assert curve.unseen == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3])
    best = choose(curve)
    assert (best.low, best.high, best.gamma) == pytest.approx((0.3, 0.4, 0.35))
    assert best.harmonic_mean == pytest.approx(4 / 7)
    # A rectangle of height 2/3 over S from 0 to 1/2.
    assert curve.area == pytest.approx(1 / 3)


rows = st.lists(
    st.tuples(st.lists(st.integers(-20, 20), min_size=4, max_size=4), st.integers(0, 3)),
    min_size=2,
    max_size=25,
)


@settings(deadline=None)
@given(rows)
def test_curve_equals_brute_force_between_breakpoints(drawn: list[tuple[list[int], int]]) -> None:
    case = judged(
        [[v / 8 for v in r] for r, _ in drawn] + [[0, 0, 0, 0], [0, 0, 0, 0]],
        [label for _, label in drawn] + [0, 2],
    )
    curve = sweep(case)
    ends = np.concatenate([[curve.gammas[0] - 1], curve.gammas, [curve.gammas[-1] + 1]])
    for number, gamma in enumerate((ends[:-1] + ends[1:]) / 2):
        seen, unseen, harmonic = generalized(case, gamma)
        assert (curve.seen[number], curve.unseen[number]) == pytest.approx((seen, unseen))
        assert harmonic <= choose(curve).harmonic_mean + 1e-12
    assert (
        generalized(case, choose(curve).gamma)[2] == pytest.approx(choose(curve).harmonic_mean)
        or len(curve.gammas) == 1
    )


@settings(deadline=None)
@given(rows, st.floats(-5, 5))
def test_adding_to_all_seen_scores_moves_gamma_by_as_much(
    drawn: list[tuple[list[int], int]], shift: float
) -> None:
    scores = [[float(v) for v in r] for r, _ in drawn] + [[0.0] * 4] * 2
    labels = [label for _, label in drawn] + [1, 3]
    moved = [[a + shift, b + shift, c, d] for a, b, c, d in scores]
    one, other = sweep(judged(scores, labels)), sweep(judged(moved, labels))
    if len(one.gammas) == len(other.gammas):
        np.testing.assert_allclose(other.gammas, one.gammas + shift, atol=1e-9)
        np.testing.assert_allclose(other.area, one.area)


def test_flat_curve_is_marked_and_takes_its_smallest_breakpoint() -> None:
    best = choose(sweep(judged([[0.1, 0.5, 0.4, 0.2], [0.4, 0.3, 0.1, 0.2]], [0, 2])))
    assert not best.identifiable
    assert best.gamma == pytest.approx(0.1)


def test_a_gamma_that_is_best_without_end_takes_the_finite_end() -> None:
    best = choose(sweep(judged([[1.0, 0, 0.5, 0], [0.2, 0, 0, 0.4]], [0, 3])))
    assert best.low == pytest.approx(-0.2)
    assert best.high == pytest.approx(0.5)
    both = choose(sweep(judged([[1.0, 0, 2.0, 0], [0.2, 0, 0, 0.4]], [1, 3])))
    assert both.harmonic_mean == 0.0


def test_harmonic_mean_of_nothing_is_zero() -> None:
    assert harmonic_mean(0.0, 0.0) == 0.0
    assert harmonic_mean(0.5, 1.0) == pytest.approx(2 / 3)


def test_equal_scores_go_to_the_lowest_class() -> None:
    assert predict(judged([[1, 1, 1, 1]], [0]), 0.0).tolist() == [0]
    assert predict(judged([[1, 1, 1, 1]], [0]), 0.1).tolist() == [2]


def test_class_without_clips_has_no_accuracy() -> None:
    predicted, labels = np.array([0, 1, 0]), np.array([0, 0, 3])
    assert per_class_accuracy(predicted, labels, 4) == [0.5, None, None, 0.0]


def test_confusion_counts_rows_of_truth() -> None:
    matrix = confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2)
    assert matrix.tolist() == [[1, 1], [0, 1]]


def test_scores_that_are_not_finite_name_the_first_clip() -> None:
    scores = np.array([[0.0, 1.0], [np.nan, 0.0], [np.inf, 0.0]])
    with pytest.raises(NumericalError, match="2 clips are not finite, first of 'b'"):
        require_finite(scores, ["a", "b", "c"])


@pytest.mark.parametrize("labels", [[0, 1], [2, 3]])
def test_calibration_needs_both_sides(labels: list[int]) -> None:
    with pytest.raises(DataError, match="seen and of unseen"):
        sweep(judged([[0.0] * 4] * 2, labels))

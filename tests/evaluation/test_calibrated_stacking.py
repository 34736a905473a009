"""Metrics and calibrated stacking, by hand and against brute force."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcli.errors import DataError, NumericalError
from starcli.evaluation.calibrated_stacking import (
    Curve,
    caveats,
    choose,
    fit,
    mean,
    sweep,
)
from starcli.evaluation.metrics import (
    ScoredClips,
    class_mean,
    confusion,
    gaps,
    generalized,
    harmonic_mean,
    per_class_accuracy,
    predict,
    require_finite,
    zero_shot_accuracy,
)


def judged(scores: list[list[float]], labels: list[int]) -> ScoredClips:
    """Classes 0 and 1 are seen, 2 and 3 unseen."""
    return ScoredClips(np.array(scores, dtype=float), np.array(labels), (0, 1), (2, 3))


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
    seen, unseen, harmonic = generalized(EXAMPLE, predict(EXAMPLE, gamma))
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


def test_the_middle_of_what_is_about_as_good_by_hand() -> None:
    gammas, ends = np.arange(6.0), np.zeros(7)
    harmonic = np.array([0, 0.4, 0.46, 0.5, 0.45, 0.44, 0])
    curve = Curve(gammas, ends, ends, harmonic, 0.0)
    exact, good = choose(curve), choose(curve, 0.9)
    assert (exact.low, exact.high, exact.gamma) == (2, 3, 2.5)
    # 0.46 and 0.45 are at least nine tenths of 0.5, their other neighbours are not.
    assert (good.low, good.high, good.gamma) == (1, 4, 2.5)
    assert exact.harmonic_mean == good.harmonic_mean == 0.5
    lopsided = choose(replace(curve, harmonic=np.array([0, 0.4, 0.1, 0.5, 0.46, 0.47, 0])), 0.9)
    assert (lopsided.low, lopsided.high, lopsided.gamma) == (2, 5, 3.5)
    assert lopsided.harmonic_mean == 0.46  # H there, not the highest


def test_gamma_is_chosen_among_what_is_about_as_good() -> None:
    rng = np.random.default_rng(0)
    case = judged(rng.normal(size=(40, 4)).tolist(), [0, 1, 2, 3] * 10)
    stacking, curve, best = fit([case])
    assert stacking.gamma == best.gamma == choose(curve, 0.9).gamma
    assert stacking.gamma != choose(curve).gamma


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
        seen, unseen, harmonic = generalized(case, predict(case, gamma))
        assert (curve.seen[number], curve.unseen[number]) == pytest.approx((seen, unseen))
        assert harmonic <= choose(curve).harmonic_mean + 1e-12
    assert (
        generalized(case, predict(case, choose(curve).gamma))[2]
        == pytest.approx(choose(curve).harmonic_mean)
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


def test_flat_curve_is_marked_and_takes_its_smallest_breakpoint_c11() -> None:
    best = choose(sweep(judged([[0.1, 0.5, 0.4, 0.2], [0.4, 0.3, 0.1, 0.2]], [0, 2])))
    assert not best.identifiable
    assert best.gamma == pytest.approx(0.1)


def test_a_gamma_that_is_best_without_end_takes_the_finite_end() -> None:
    best = choose(sweep(judged([[1.0, 0, 0.5, 0], [0.2, 0, 0, 0.4]], [0, 3])))
    assert best.low == pytest.approx(-0.2)
    assert best.high == pytest.approx(0.5)
    both = choose(sweep(judged([[1.0, 0, 2.0, 0], [0.2, 0, 0, 0.4]], [1, 3])))
    assert both.harmonic_mean == 0.0


def test_harmonic_mean_of_nothing_is_zero_c09() -> None:
    assert harmonic_mean(0.0, 0.0) == 0.0
    assert harmonic_mean(0.5, 1.0) == pytest.approx(2 / 3)


def test_equal_scores_go_to_the_lowest_class_c10() -> None:
    assert predict(judged([[1, 1, 1, 1]], [0]), 0.0).tolist() == [0]
    assert predict(judged([[1, 1, 1, 1]], [0]), 0.1).tolist() == [2]


def test_class_without_clips_has_no_accuracy() -> None:
    predicted, labels = np.array([0, 1, 0]), np.array([0, 0, 3])
    assert per_class_accuracy(predicted, labels, 4) == [0.5, None, None, 0.0]


def test_confusion_counts_rows_of_truth() -> None:
    matrix = confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2)
    assert matrix.tolist() == [[1, 1], [0, 1]]


def test_scores_that_are_not_finite_name_the_first_clip_c13() -> None:
    scores = np.array([[0.0, 1.0], [np.nan, 0.0], [np.inf, 0.0]])
    with pytest.raises(NumericalError, match="2 clips are not finite, first of 'b'"):
        require_finite(scores, ["a", "b", "c"])


@pytest.mark.parametrize("labels", [[0, 1], [2, 3]])
def test_calibration_needs_both_sides(labels: list[int]) -> None:
    with pytest.raises(DataError, match="GZSL needs both"):
        sweep(judged([[0.0] * 4] * 2, labels))


OTHER = judged(
    [[0.9, 0.1, 0.2, 0.3], [0.2, 0.7, 0.45, 0.1], [0.6, 0.1, 0.1, 0.9], [0.5, 0.1, 0.35, 0.0]],
    [0, 1, 3, 2],
)
"""A second fold: gaps 0.6, 0.25, -0.3 and 0.15."""


def test_the_mean_of_two_folds_by_hand() -> None:
    curve = mean([sweep(EXAMPLE), sweep(OTHER)])
    assert curve.gammas == pytest.approx([-0.3, -0.2, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6])
    # At gamma 0.35 the folds have S 1/2 and 1/2, U 2/3 and 1; H 4/7 and 2/3.
    place = int(np.searchsorted(curve.gammas, 0.35))
    assert curve.seen[place] == pytest.approx(1 / 2)
    assert curve.unseen[place] == pytest.approx((2 / 3 + 1) / 2)
    assert curve.harmonic[place] == pytest.approx((4 / 7 + 2 / 3) / 2)
    # Between 0.15 and 0.25 the second fold is all right and the first has S 1/2 and U 1/3.
    best = choose(curve)
    assert (best.low, best.high, best.harmonic_mean) == pytest.approx((0.15, 0.25, (0.4 + 1) / 2))
    assert curve.area == pytest.approx((sweep(EXAMPLE).area + sweep(OTHER).area) / 2)
    assert fit([EXAMPLE, OTHER])[0].gamma == pytest.approx(0.2)


@pytest.mark.slow
@settings(deadline=None)
@given(rows, rows)
def test_the_mean_equals_brute_force_between_breakpoints(
    one: list[tuple[list[int], int]], other: list[tuple[list[int], int]]
) -> None:
    folds = [
        judged(
            [[v / 8 for v in r] for r, _ in drawn] + [[0, 0, 0, 0], [0, 0, 0, 0]],
            [label for _, label in drawn] + [0, 2],
        )
        for drawn in (one, other)
    ]
    curve = mean([sweep(fold) for fold in folds])
    ends = np.concatenate([[curve.gammas[0] - 1], curve.gammas, [curve.gammas[-1] + 1]])
    for number, gamma in enumerate((ends[:-1] + ends[1:]) / 2):
        each = np.array([generalized(fold, predict(fold, gamma)) for fold in folds]).mean(0)
        got = curve.seen[number], curve.unseen[number], curve.harmonic[number]
        assert got == pytest.approx(tuple(each))
    assert choose(curve).harmonic_mean == pytest.approx(curve.harmonic.max())


def test_the_mean_of_one_fold_is_that_fold() -> None:
    curve, alone = mean([sweep(EXAMPLE)]), sweep(EXAMPLE)
    for name in ("gammas", "seen", "unseen", "harmonic"):
        np.testing.assert_array_equal(getattr(curve, name), getattr(alone, name))
    assert curve.area == alone.area


def test_other_margins_make_other_curves() -> None:
    # By these margins every clip of a seen class is above every clip of an unseen one.
    curve = sweep(EXAMPLE, np.array([2.0, 1.0, -1.0, -2.0, -3.0]))
    best = choose(curve)
    assert (best.low, best.high) == (-1.0, 2.0)
    assert best.harmonic_mean == pytest.approx(4 / 7)
    assert curve.area == pytest.approx(1 / 2 * 2 / 3)


def test_gaps_by_hand() -> None:
    assert gaps(EXAMPLE) == pytest.approx([0.4, 0.2, 0.3, -0.2, 0.1])


def test_a_class_without_clips_does_not_count_in_the_class_mean() -> None:
    assert class_mean([0.5, None, 0.0, 1.0]) == pytest.approx(0.5)
    assert class_mean([None]) is None


def test_doubts_c12() -> None:
    good = choose(sweep(EXAMPLE))
    assert caveats(EXAMPLE, gaps(EXAMPLE), good.gamma, good) == []
    high, low = (caveats(EXAMPLE, gaps(EXAMPLE), gamma, None) for gamma in (0.5, -1.0))
    assert high == [
        "gamma 0.5 is outside the gaps of the test clips, -0.2 to 0.4: "
        "every clip goes to unseen classes"
    ]
    assert low[0].endswith("every clip goes to seen classes")
    constant = judged([[1.0] * 4] * 3, [0, 1, 2])
    flat = choose(sweep(constant))
    said = caveats(constant, gaps(constant), flat.gamma, flat)
    assert len(said) == 2
    assert "not identifiable" in said[0]
    assert "do not separate classes" in said[1]

"""Several runs as one: scales, weights and sums worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from starcli.evaluation.fusion import Stream, fuse
from starcli.evaluation.metrics import ScoredClips
from starcli.evaluation.model_selection import SelectedModel

LABELS = np.array([0, 0, 1, 1, 2, 2, 3, 3])
SEEN, UNSEEN = [0, 1], [2, 3]


def scored(right: list[bool], size: float = 1.0) -> ScoredClips:
    """Of four classes, each clip's own scores highest where it is right, else the next one."""
    named = np.where(right, LABELS, (LABELS + 1) % 4)
    return ScoredClips(size * np.eye(4)[named], LABELS, SEEN, UNSEEN)


def stream(nested: list[bool], test: list[bool], size: float = 1.0) -> Stream:
    return Stream(SelectedModel(3, None, [scored(nested, size)]), scored(test, size))


ALL, NONE = [True] * 8, [False] * 8


def test_scores_are_divided_by_their_deviation_on_validation() -> None:
    # One 1 and three 0 deviate by sqrt(3) / 4 from their mean.
    assert stream(ALL, NONE, size=8.0).scale == pytest.approx(8 * np.sqrt(3) / 4)


@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_the_run_that_is_right_on_validation_is_trusted_whatever_its_scale(size: float) -> None:
    """It does not matter how good either is on the test clips."""
    weights, fused = fuse([stream(ALL, NONE, size), stream(NONE, ALL)])
    # At a half each, every clip's right class and a wrong one are as high.
    assert weights == (0.75, 0.25)
    assert fused.scored.scores.argmax(1).tolist() == ((LABELS + 1) % 4).tolist()
    assert fuse([stream(NONE, ALL), stream(ALL, NONE, size)])[0] == (0.25, 0.75)


def test_runs_that_are_as_good_have_even_weights() -> None:
    three = [stream(ALL, ALL) for _ in range(3)]
    weights, fused = fuse(three)
    assert weights == (1 / 3,) * 3
    np.testing.assert_allclose(fused.scored.scores, np.eye(4)[LABELS] * 4 / np.sqrt(3))


def test_runs_that_know_different_clips_are_better_together() -> None:
    """Each knows half of the clips surely and says nothing of the others."""
    first, second = np.eye(4)[LABELS], np.eye(4)[LABELS]
    first[::2], second[1::2] = 0, 0
    streams = [
        Stream(SelectedModel(1, None, [own]), own)
        for own in (ScoredClips(each, LABELS, SEEN, UNSEEN) for each in (first, second))
    ]
    weights, fused = fuse(streams)
    assert weights == (0.5, 0.5)
    assert (fused.scored.scores.argmax(1) == LABELS).all()
    assert (fused.model.scored[0].scores.argmax(1) == LABELS).all()


def test_scores_that_say_nothing_divide_by_nothing() -> None:
    flat = ScoredClips(np.ones((8, 4)), LABELS, SEEN, UNSEEN)
    weights, fused = fuse([Stream(SelectedModel(1, None, [flat]), flat), stream(ALL, ALL)])
    assert np.isfinite(fused.scored.scores).all() and weights[1] > 0

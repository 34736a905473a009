"""Temperature and threshold by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from pydantic import ValidationError

from starcli.errors import UsageError
from starcli.evaluation import confidence
from starcli.evaluation.confidence import Confidence
from starcli.evaluation.metrics import Floats, Ints, ScoredClips
from starcli.settings.resolve import load


def answers(right: int, wrong: int, scale: float = 1.0) -> tuple[Floats, Ints]:
    """Clips whose first class scores higher by `scale`, of which it is some, and not others."""
    scores = np.tile([scale, 0.0], (right + wrong, 1))
    return scores, np.array([0] * right + [1] * wrong)


@pytest.mark.parametrize(
    ("right", "wrong", "first"),
    [(3, 1, 0.7), (4, 0, 0.9), (97, 2, 0.975)],  # one clip more is half of each class
)
def test_the_likeliest_temperature_gives_the_share_that_is_right(
    right: int, wrong: int, first: float
) -> None:
    for scale in (1.0, 0.01):
        found = confidence.temperature([answers(right, wrong, scale)])
        assert found == pytest.approx(scale / math.log(first / (1 - first)))
        shares = confidence.probabilities(np.array([[scale, 0.0]]), found)
        assert shares == pytest.approx(np.array([[first, 1 - first]]))


def test_clips_of_all_folds_count_the_same() -> None:
    together = confidence.temperature([answers(3, 0), answers(0, 1)])
    assert together == pytest.approx(confidence.temperature([answers(3, 1)]))


@pytest.mark.parametrize("rows", [1, 5])
def test_equal_scores_leave_the_temperature_and_no_clip_is_likelier(rows: int) -> None:
    scores = np.arange(rows)[:, None] + np.zeros((rows, 3))
    at = confidence.temperature([(scores, np.zeros(rows, dtype=int))])
    assert at == 1.0
    assert confidence.probabilities(scores, at) == pytest.approx(np.full((rows, 3), 1 / 3))


def test_scores_that_are_always_wrong_make_even_probabilities() -> None:
    at = confidence.temperature([answers(0, 9)])
    assert confidence.probabilities(np.array([[1.0, 0.0]]), at) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("count", "share", "want"),
    [(19, 0.05, 0), (18, 0.05, None), (39, 0.05, 1), (3, 0.5, 1), (0, 0.5, None)],
)
def test_the_score_that_a_share_is_below(count: int, share: float, want: float | None) -> None:
    """Of the scores 0, 1, 2 ... a further one is below the k-th lowest in k of count + 1 cases."""
    own = np.random.default_rng(0).permutation(count).astype(float)
    assert confidence.lowest(own, share) == want


def judged(scores: Sequence[Sequence[float]], labels: Sequence[int]) -> ScoredClips:
    return ScoredClips(np.array(scores, dtype=float), np.array(labels), (0,), (1,))


def test_fit_by_hand() -> None:
    """Seen scores are lowered by gamma first, and the rate holds for seen and unseen clips."""
    fold = judged([[0.9, 0], [0.7, 0], [0.8, 0.1], [0.2, 0.6], [0.2, 0.5]], [0, 0, 0, 1, 1])
    found = confidence.fit([fold], 0.25, 0.4)
    # Seen clips score 0.65, 0.45, 0.55 for their class, unseen ones 0.6 and 0.5: of each group of
    # three or two, the lowest may be below at 0.4.
    assert found.threshold == pytest.approx(0.45)
    lowered = np.array([[0.65, 0], [0.45, 0], [0.55, 0.1], [-0.05, 0.6], [-0.05, 0.5]])
    assert found.temperature == pytest.approx(confidence.temperature([(lowered, fold.labels)]))
    two = [
        judged(fold.scores[rows].tolist(), fold.labels[rows].tolist())
        for rows in ([0, 3, 1], [2, 4])
    ]
    again = confidence.fit(two, 0.25, 0.4)
    assert again.temperature == pytest.approx(found.temperature)
    assert again.threshold == pytest.approx(found.threshold)
    assert [level.share for level in found.levels] == [0.5, 1]


def test_few_clips_of_either_group_give_no_threshold() -> None:
    fold = judged([[1, 0]] * 30 + [[0, 1]] * 18, [0] * 30 + [1] * 18)
    found = confidence.fit([fold], 0.0, 0.05)
    assert found.threshold is None and math.isfinite(found.temperature)


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": 0}, {"temperature": math.nan}, {"threshold": math.inf}, {"false_alarms": 1}],
)
def test_what_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Confidence.model_validate(
            {"temperature": 1.0, "threshold": None, "false_alarms": 0.05, **wrong}
        )


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_rate_outside_0_and_1_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match=r"calibrate\.false_alarms: Input should be"):
        load({"calibrate.false_alarms": share})

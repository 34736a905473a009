"""Learning rates over a training, by hand."""

from __future__ import annotations

import math

import pytest

from starcli.training.schedules import schedule, warm_cosine, warm_steps


@pytest.mark.parametrize(
    ("progress", "share"),
    [
        (0.0, 0.04),
        (0.05, 0.28),
        (0.1, 0.52),
        (0.2, 1.0),
        (0.4, 0.5 + math.sqrt(2) / 4),
        (0.6, 0.5),
        (1.0, 0.0),
    ],
)
def test_warm_cosine(progress: float, share: float) -> None:
    assert warm_cosine(progress) == pytest.approx(share, abs=1e-12)


def test_warm_cosine_with_another_warm_share() -> None:
    assert warm_cosine(0.25, 0.5) == pytest.approx(0.52)
    assert warm_cosine(0.75, 0.5) == pytest.approx(0.5)


def test_steps_fall_to_a_tenth_at_each_milestone() -> None:
    shares = [warm_steps(e / 65, 5 / 65, [35 / 65, 55 / 65]) for e in (0, 2.5, 5, 34.9, 35, 54, 55)]
    assert shares == pytest.approx([0.04, 0.52, 1, 1, 0.1, 0.1, 0.01])


def test_schedules_by_name() -> None:
    """Milestones are epochs there, and shares of the training here."""
    steps = schedule("steps", 65, [35, 55], 5 / 65)
    assert [steps(e / 65) for e in (5, 34.9, 35, 55)] == pytest.approx([1, 1, 0.1, 0.01])
    assert schedule("cosine", 65, [], 0.5)(0.75) == warm_cosine(0.75, 0.5)

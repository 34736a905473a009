"""How long a command will take, from its first measured steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from starcli.benchmark import outlook
from starcli.benchmark.forecast import Cost, Estimator
from starcli.benchmark.outlook import Outlook
from starcli.pipeline import Planned
from tests.test_pipeline import tiny


class Clock:
    """Time that passes when a test says so."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(outlook, "time", made)
    yield made


def measure(found: Outlook, clock: Clock, first: int, seconds: float) -> None:
    """Five steps of ten a second each, from the first one that is seen."""
    found.advances(first, 50)
    clock.now += seconds
    found.advances(first + outlook.MEASURED, 50)


def test_nothing_is_known_before_some_steps_are_measured(tmp_path: Path, clock: Clock) -> None:
    found = Outlook(tiny(tmp_path), "train")
    assert found.cost() is None
    found.starts("pretrain/validation")
    found.advances(0, 50)
    clock.now += 4
    found.advances(outlook.MEASURED - 1, 50)
    assert found.cost() is None
    found.advances(3, 0)
    assert found.cost() is None


def test_the_rest_goes_on_as_fast_and_steps_of_the_same_stage_take_as_long(
    tmp_path: Path, clock: Clock
) -> None:
    """2 s a step: 40 of 50 are left, and the other pretraining has 50; the rest is not known."""
    found = Outlook(tiny(tmp_path), "train")
    found.starts("pretrain/validation")
    clock.now += 7  # before the first step
    measure(found, clock, 5, 10.0)
    cost = found.cost()
    assert cost == Cost(steps=6, seconds=40 * 2 + 50 * 2, size=0.0, unknown=4)


def test_a_step_that_is_continued_is_not_taken_for_faster(tmp_path: Path, clock: Clock) -> None:
    found = Outlook(tiny(tmp_path), "pretrain")
    found.starts("pretrain")
    measure(found, clock, 40, 10.0)
    cost = found.cost()
    assert cost is not None and cost.seconds == pytest.approx(5 * 2)


def test_finished_steps_and_similar_results_tell_of_later_ones(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`extract` took 30 s; `train` took 6 s and 100 bytes in the store."""

    def cost(self: Estimator, planned: Planned) -> Cost:
        return Cost(1, 6.0, 100.0) if planned.step.stage == "train" else Cost(1, unknown=1)

    monkeypatch.setattr(Estimator, "cost", cost)
    monkeypatch.setattr(Outlook, "_tokens", lambda self, role: 7.0)
    found = Outlook(tiny(tmp_path), "train")
    found.starts("extract/validation")
    clock.now += 30
    found.starts("train/validation")
    found.starts("pretrain")
    measure(found, clock, 0, 5.0)
    assert found.cost() == Cost(steps=3, seconds=45 + 30 + 6, size=0 + 7 + 100)


@pytest.mark.slow
def test_the_size_of_tokens_is_known_before_they_are_there(tmp_path: Path) -> None:
    from starcli import pipeline
    from starcli.stages.extract import forecast_bytes

    experiment = tiny(tmp_path, pretrain__epochs=1)
    results, _ = pipeline.run_steps(experiment, "extract")
    for role, name in (("final", "extract"), ("validation", "extract/validation")):
        there = sum(p.stat().st_size for p in results[name].path.glob("*.safetensors"))
        assert forecast_bytes(experiment, results["prepare"], role) == pytest.approx(
            there, rel=0.02
        )

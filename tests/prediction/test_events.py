"""Events: what begins and ends by two thresholds, worked out by hand."""

from __future__ import annotations

import pytest

from starcli.errors import UsageError
from starcli.prediction.events import Event, Hysteresis, Plan

PLAN = Plan(window=2.0, enter=0.6, leave=0.3)


def told(*rows: tuple[float, float]) -> list[Event]:
    """The events of answers a second apart, and the end a second after the last."""
    events = Hysteresis(("wave", "squat"), PLAN, "anna")
    steps = [event for second, row in enumerate(rows) for event in events.step(second, row)]
    return steps + events.close(len(rows))


def spans(events: list[Event]) -> list[tuple[str, float, float | None, float]]:
    return [(e["name"], e["start"], e["end"], e["probability"]) for e in events]


def test_an_event_begins_at_enter_and_goes_on_until_below_leave() -> None:
    found = told((0.5, 0.5), (0.6, 0.4), (0.3, 0.5), (0.3, 0.5), (0.29, 0.5), (0.59, 0.41))
    assert spans(found) == [("wave", 1, None, 0.6), ("wave", 1, 4, 0.4)]
    assert {event["person"] for event in found} == {"anna"}


def test_only_a_likelier_action_that_enters_itself_takes_over() -> None:
    found = told((0.7, 0.3), (0.4, 0.6), (0.4, 0.4))
    assert spans(found) == [
        ("wave", 0, None, 0.7),
        ("wave", 0, 1, 0.7),
        ("squat", 1, None, 0.6),
        ("squat", 1, 3, 0.5),
    ]


def test_what_goes_on_at_the_end_is_closed_once() -> None:
    events = Hysteresis(("wave", "squat"), PLAN, "1")
    events.step(0.5, (0.9, 0.1))
    assert spans(events.close(0.9)) == [("wave", 0.5, 0.9, 0.9)]
    assert events.close(1.0) == []


def test_nothing_likely_is_nothing() -> None:
    assert told((0.5, 0.5), (0.59, 0.41)) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"window": 0.0}, "--windows 0"),
        ({"window": -1.0}, "--windows -1"),
        ({"window": float("nan")}, "--windows nan"),
        ({"window": float("inf")}, "--windows inf"),
        ({"stride": 0.0}, "--stride 0"),
        ({"stride": 2.1}, "at most the window's 2 seconds"),
        ({"enter": 0.2}, "--enter 0.2 --leave 0.25"),
        ({"enter": 1.1}, "--enter 1.1"),
        ({"leave": 0.0}, "--leave 0"),
        ({"leave": float("nan")}, "--leave nan"),
    ],
)
def test_plans_that_cannot_be(given: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Plan(**given)


def test_a_stride_is_half_a_window() -> None:
    assert (Plan(3.0).step, Plan(3.0, 0.5).step) == (1.5, 0.5)

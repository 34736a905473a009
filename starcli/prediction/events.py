"""From the answers of one window after the other to events: when what begins and ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

from starcli.errors import UsageError

SECONDS = 3
"""Digits of a time that are told: milliseconds."""
SHARES = 4
"""Digits of a probability that are told."""


class Event(TypedDict):
    """What somebody does, and from when to when.

    Args:
        start: Seconds.
        end: Seconds; None while it goes on.
        name: Name of the action.
        probability: Its mean over the windows of the event.
        person: Who does it.
    """

    start: float
    end: float | None
    name: str
    probability: float
    person: str


def json_line(event: Event) -> str:
    """An event as JSON on one line."""
    return json.dumps(event, ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True)
class Plan:
    """How recordings are cut into windows, and which of their answers are an event.

    Two thresholds, so that an answer that wavers about one of them does not fall to pieces.

    Args:
        window: Seconds of a window.
        stride: Seconds from one window to the next; None for half a window.
        enter: Least probability with which an action begins.
        leave: Least probability with which it goes on.

    Raises:
        UsageError: A length is not positive, windows leave gaps, or thresholds are no shares.
    """

    window: float = 2.0
    stride: float | None = None
    enter: float = 0.5
    leave: float = 0.25

    def __post_init__(self) -> None:
        if not 0 < self.window < float("inf"):
            raise UsageError(f"--windows {self.window:g}: no window is so long", "name seconds")
        if not 0 < self.step <= self.window:
            raise UsageError(
                f"--stride {self.step:g}: expected above 0, and at most the window's "
                f"{self.window:g} seconds",
                "leave it out for half a window",
            )
        if not 0 < self.leave <= self.enter <= 1:
            raise UsageError(
                f"--enter {self.enter:g} --leave {self.leave:g}: expected shares above 0, with "
                "leave at most enter",
                "leave them out for 0.5 and 0.25",
            )

    @property
    def step(self) -> float:
        """Seconds from one window to the next."""
        return self.window / 2 if self.stride is None else self.stride


@dataclass(frozen=True)
class _Open:
    """An event that goes on: the action's number, its start and its probabilities so far."""

    action: int
    start: float
    total: float
    windows: int


@dataclass
class Hysteresis:
    """The events of one person, of whom one thing at a time is told.

    What is likeliest begins where it reaches `enter`, goes on while it keeps to `leave`, and ends
    early only where another action is likelier and reaches `enter` itself.

    Args:
        names: Names of the C actions.
        plan: The thresholds.
        person: Who it is.
    """

    names: Sequence[str]
    plan: Plan
    person: str
    _open: _Open | None = field(default=None, init=False)

    def step(self, start: float, probabilities: Sequence[float]) -> list[Event]:
        """The events that end and begin where the answer of the next window holds from.

        Args:
            start: Where that is, seconds.
            probabilities: Of the C actions in the window.
        """
        best = max(range(len(probabilities)), key=probabilities.__getitem__)
        enters = probabilities[best] >= self.plan.enter
        if (now := self._open) is not None:
            own = probabilities[now.action]
            if own >= self.plan.leave and not (enters and probabilities[best] > own):
                self._open = replace(now, total=now.total + own, windows=now.windows + 1)
                return []
        ended = self.close(start)
        if not enters:
            return ended
        self._open = _Open(best, start, probabilities[best], 1)
        return [*ended, self._event(self._open, None)]

    def close(self, end: float) -> list[Event]:
        """The event that goes on, if there is one, as it ends."""
        now, self._open = self._open, None
        return [] if now is None else [self._event(now, end)]

    def _event(self, event: _Open, end: float | None) -> Event:
        return {
            "start": round(event.start, SECONDS),
            "end": None if end is None else round(end, SECONDS),
            "name": self.names[event.action],
            "probability": round(event.total / event.windows, SHARES),
            "person": self.person,
        }

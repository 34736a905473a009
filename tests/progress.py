"""Progress that tests watch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from starcli.contracts import Progress


@dataclass(frozen=True)
class Watching(Progress):
    """Calls a function at every update, and keeps the names of what is done.

    Args:
        on_update: Called with what, at and of.
        finished: The names.
    """

    on_update: Callable[[str, int, int], object] = lambda what, at, of: None
    finished: list[str] = field(default_factory=list)

    def update(self, what: str, at: int, of: int) -> None:
        self.on_update(what, at, of)

    def done(self, what: str, seconds: float | None = None) -> None:
        self.finished.append(what)

"""All that is shown to people; the only user of rich. Results go to stdout, the rest to stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from starcli.cli import log
from starcli.contracts import Progress
from starcli.errors import StarError, one_line


def prepare_streams() -> None:
    """Open streams that were closed, and replace what a terminal cannot show."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # Else the next file that is opened gets the number, and what others print ends in it.
            _occupy(number)
            mode = "w" if number else "r"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _occupy(number: int) -> None:
    """Have a descriptor that is closed lead nowhere."""
    empty = os.open(os.devnull, os.O_RDWR)
    if empty != number:
        os.dup2(empty, number)
        os.close(empty)


STEP = "step"
"""The bar of all steps, beside those of the work in each."""
LONGEST = 100
"""Rows of a table that a terminal shows; files get all."""
EVERY_SECONDS = 60.0
"""Time between two lines of progress where there is no terminal."""
Speech = Literal["quiet", "usual", "verbose"]
_speech: Speech = "usual"


def speak(speech: Speech) -> None:
    """Say less, or more, from now on."""
    global _speech
    _speech = speech


def is_verbose() -> bool:
    """Whether all that is known is to be said."""
    return _speech == "verbose"


def note(text: str) -> None:
    """A line for people, which they can do without."""
    log.write(text)
    if _speech != "quiet":
        _say(text)


def warn(text: str) -> None:
    """A line that people need to know of, however little they want to be told."""
    log.write(text)
    _say(text)


def _say(text: str) -> None:
    Console(stderr=True, highlight=False).print(Text(one_line(text)), soft_wrap=True)


def error(problem: StarError) -> None:
    """What is wrong, and what to do."""
    console = Console(stderr=True, highlight=False)
    console.print(Text.assemble(("error:", "red"), " ", one_line(str(problem))), soft_wrap=True)
    if problem.fix:
        console.print(Text.assemble(("fix:", "green"), " ", one_line(problem.fix)), soft_wrap=True)


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    bold: Container[tuple[int, int]] = (),
) -> None:
    """A table on stdout; cells are shown as they are, never read as markup.

    Args:
        title: What stands above it.
        columns: What stands above each column.
        rows: The cells.
        bold: Row and column of the cells that stand out.
    """
    out, every = Table(), list(rows)
    shown = every[:LONGEST] if sys.stdout.isatty() else every
    for column in columns:
        out.add_column(column, overflow="fold")
    for r, row in enumerate(shown):
        out.add_row(
            *(
                Text(one_line(str(cell)), "bold" if (r, c) in bold else "")
                for c, cell in enumerate(row)
            )
        )
    # A file or pipe has no width of its own: leave rows whole there.
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(Text(one_line(title), "italic"))
    console.print(out)
    if len(shown) < len(every):
        note(f"the first {len(shown)} of {len(every)} rows; redirect the output to have all")


class ShownProgress(Progress):
    """Progress that can be told how much time is left; this one is shown to nobody."""

    def left(self, text: str) -> None:
        """Say how much is left of everything."""


@contextmanager
def progress(shown: bool = True) -> Iterator[ShownProgress]:
    """Progress as bars on stderr, and a line for all that is done."""
    if not shown or _speech == "quiet":
        yield ShownProgress()
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield _Shown(bars)


class _Shown(ShownProgress):
    """Progress as bars of rich; where there is no terminal, as a line now and then."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.tasks: dict[str, TaskID] = {}
        self.values: dict[str, dict[str, float]] = {}
        self.step, self.rest, self.said = "", "", time.monotonic()

    def starts(self, step: str, number: int, count: int) -> None:
        self.step, self.rest = f"step {number} of {count}: {step}", ""
        self.tasks[STEP] = self.bars.add_task(self.step, total=count, completed=number - 1)

    def left(self, text: str) -> None:
        self.rest = text
        if STEP in self.tasks:
            self.bars.update(self.tasks[STEP], description=f"{self.step}, {text}")

    def measured(self, what: str, values: Mapping[str, float]) -> None:
        self.values.setdefault(what, {}).update(values)

    def update(self, what: str, at: int, of: int) -> None:
        if what not in self.tasks:
            self.tasks[what] = self.bars.add_task(what, total=of or None)
        described = ", ".join([what, *map(_value, self.values.get(what, {}).items())])
        self.bars.update(
            self.tasks[what], completed=at, total=of or None, description=one_line(described)
        )
        now = time.monotonic()
        if self.bars.disable and of and now - self.said >= EVERY_SECONDS:
            self.said = now
            parts = (self.step, f"{100 * at / of:.0f} % of {described}", self.rest)
            note("; ".join(filter(None, parts)))

    def done(self, what: str, seconds: float | None = None) -> None:
        for task in self.tasks.values():
            self.bars.remove_task(task)
        self.tasks.clear()
        self.values.clear()
        self.step = self.rest = ""
        took = "" if seconds is None else f" in {seconds:.1f} s"
        log.write(f"done {what}{took}")
        self.bars.console.print(Text(one_line(f"done {what}{took}")))


def _value(named: tuple[str, float]) -> str:
    """`loss 0.512`, `accuracy 61.0 %`."""
    name, value = named
    return f"{name} {100 * value:.1f} %" if name == "accuracy" else f"{name} {value:.3f}"

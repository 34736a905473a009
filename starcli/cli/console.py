"""All that is shown to people; the only user of rich. Results go to stdout, the rest to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from starcli.contracts import Progress, silent
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


def note(text: str) -> None:
    """A line for people."""
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
    rows: Sequence[Sequence[object]],
    bold: Container[tuple[int, int]] = (),
) -> None:
    """A table on stdout; cells are shown as they are, never read as markup.

    Args:
        title: What stands above it.
        columns: What stands above each column.
        rows: The cells.
        bold: Row and column of the cells that stand out.
    """
    out = Table(title=Text(one_line(title)), title_justify="left")
    for column in columns:
        out.add_column(column, overflow="fold")
    for r, row in enumerate(rows):
        out.add_row(
            *(
                Text(one_line(str(cell)), "bold" if (r, c) in bold else "")
                for c, cell in enumerate(row)
            )
        )
    # A file or pipe has no width of its own: leave rows whole there.
    Console(width=None if sys.stdout.isatty() else 160).print(out)


@contextmanager
def progress(shown: bool = True) -> Iterator[Progress]:
    """Progress as bars on stderr, and a line for all that is done."""
    if not shown:
        yield silent
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


class _Shown(Progress):
    """Progress as bars of rich."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.tasks: dict[str, TaskID] = {}

    def update(self, what: str, at: int, of: int) -> None:
        if what not in self.tasks:
            self.tasks[what] = self.bars.add_task(what, total=of or None)
        self.bars.update(self.tasks[what], completed=at, total=of or None)

    def done(self, what: str, seconds: float | None = None) -> None:
        for task in self.tasks.values():
            self.bars.remove_task(task)
        self.tasks.clear()
        time = "" if seconds is None else f" in {seconds:.1f} s"
        self.bars.console.print(Text(one_line(f"done {what}{time}")))

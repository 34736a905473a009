"""What commands print, and the work that they show while it runs."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from starcli.contracts import Progress
from starcli.errors import ErrorFields

if TYPE_CHECKING:
    from starcli.benchmark.outlook import Outlook
    from starcli.cli.console import ShownProgress
    from starcli.experiment import Experiment
    from starcli.store.artifacts import Artifact

SOON = 5.0
"""Seconds that nobody needs to be told of."""
SKIPPED = 9
"""Exit code of a command that left out what it could not read."""


def print_document(value: Mapping[str, object]) -> None:
    """The one JSON document of a command, on stdout."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False))


def size(count: float) -> str:
    """Bytes as people say them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """A time as people say it."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400:.1f} days"


@contextlib.contextmanager
def working(what: str, experiment: Experiment) -> Iterator[Progress]:
    """Show progress on stderr, where what plugins print goes too; say where nothing was to do.

    Args:
        what: The stage.
        experiment: What is worked on; the log of what is done lies in its store.
    """
    from starcli import pipeline
    from starcli.benchmark.outlook import Outlook
    from starcli.cli import console, log
    from starcli.training.distributed import rank

    def begin() -> None:
        if rank() == 0:
            log.begin(experiment.store.root, dict(experiment.loaded.values()))

    if console.is_verbose() and rank() == 0:
        for item in pipeline.plan(experiment, what):
            console.note(f"{item.step.name} {item.key}: {item.reason}")
    with console.progress(shown=rank() == 0) as shown, contextlib.redirect_stdout(sys.stderr):
        progress = _Noticing(shown, begin, lambda: Outlook(experiment, what))
        yield progress
    if not progress.did:
        console.note(f"{what}: everything is up to date, nothing to do")


class _Noticing(Progress):
    """Progress that is shown with the time that is left, and whether anything was done at all."""

    def __init__(
        self, shown: ShownProgress, begin: Callable[[], None], look: Callable[[], Outlook]
    ) -> None:
        self.shown, self.begin, self.look, self.did = shown, begin, look, False
        self.outlook: Outlook | None = None
        self.told, self.looked = False, 0.0

    def starts(self, step: str, number: int, count: int) -> None:
        self.begin()
        self.outlook = self.outlook or self.look()
        self.outlook.starts(step)
        self.shown.starts(step, number, count)

    def update(self, what: str, at: int, of: int) -> None:
        self.begin()
        if self.outlook is not None:
            self.outlook.advances(at, of)
            if time.monotonic() - self.looked >= 1:
                self._tell(self.outlook, what)
        self.shown.update(what, at, of)

    def measured(self, what: str, values: Mapping[str, float]) -> None:
        self.shown.measured(what, values)

    def done(self, what: str, seconds: float | None = None) -> None:
        self.did = True
        self.begin()
        self.shown.done(what, seconds)

    def _tell(self, outlook: Outlook, what: str) -> None:
        """Say once how long a training takes, and always how long is left."""
        from starcli.cli import console

        cost = outlook.cost()
        if cost is None:
            return
        self.looked = time.monotonic()
        more = f", {cost.unknown} of {cost.steps} steps not counted" if cost.unknown else ""
        self.shown.left(f"{duration(cost.seconds)} left{more}")
        if not self.told and what.startswith(("pretrain", "train")) and cost.seconds > SOON:
            self.told = True
            console.note(
                f"about {duration(cost.seconds)} and {size(cost.size)} of disk for what is left"
                f"{more}"
            )


def execute(experiment: Experiment, stage: str) -> tuple[dict[str, Artifact], list[str]]:
    """Run what a stage needs, with progress on stderr; results, and the names of what ran."""
    from starcli import pipeline
    from starcli.training.distributed import rank

    with working(stage, experiment) as progress:
        results, ran = pipeline.run_steps(experiment, stage, progress)
    if rank() == 0:
        _note_results(stage, results, ran)
    return results, ran


def _note_results(stage: str, results: Mapping[str, Artifact], ran: Sequence[str]) -> None:
    """Say what to beware of in clips, texts and their bank, where made just now or asked for."""
    from starcli.cli import console

    for step in ("prepare", "describe", "embed"):
        if step in ran or step == stage:
            for line in results[step].summary.get("notes", ()):
                console.warn(f"warning: {line}")


def end_left_out(warnings: Iterable[str], bad: Sequence[ErrorFields]) -> None:
    """Say what to beware of, and end with a code of its own where recordings were left out."""
    from starcli.cli import console

    for line in warnings:
        console.note(f"warning: {line}")
    for fault in bad:
        place = f"{fault['file']}: " if fault["file"] else ""
        console.note(f"left out: {place}{fault['message']}; {fault['fix']}")
    if bad:
        raise typer.Exit(SKIPPED)


def end_skipped(prepared: Artifact) -> None:
    """End with a code of its own where recordings were left out."""
    from starcli.cli import console

    if skipped := prepared.summary["skipped"]:
        listed = prepared.path / "skipped.json"
        console.warn(f"{len(skipped)} recordings could not be read and are left out: {listed}")
        raise typer.Exit(SKIPPED)

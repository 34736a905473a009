"""What commands print, and the work that they show while it runs."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from starcli.contracts import Progress
from starcli.errors import ErrorFields

if TYPE_CHECKING:
    from starcli.experiment import Experiment
    from starcli.store.artifacts import Artifact

SKIPPED = 9
"""Exit code of a command that left out what it could not read."""


def print_document(value: Mapping[str, object]) -> None:
    """The one JSON document of a command, on stdout."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False))


@contextlib.contextmanager
def working(what: str) -> Iterator[Progress]:
    """Show progress on stderr, where what plugins print goes too; say where nothing was to do."""
    from starcli.cli import console
    from starcli.training.distributed import rank

    with console.progress(shown=rank() == 0) as shown, contextlib.redirect_stdout(sys.stderr):
        progress = _Noticing(shown)
        yield progress
    if not progress.did:
        console.note(f"{what}: everything is up to date, nothing to do")


class _Noticing(Progress):
    """Progress that is shown, and whether anything was done at all."""

    def __init__(self, shown: Progress) -> None:
        self.shown, self.did = shown, False

    def update(self, what: str, at: int, of: int) -> None:
        self.shown.update(what, at, of)

    def done(self, what: str, seconds: float | None = None) -> None:
        self.did = True
        self.shown.done(what, seconds)


def execute(experiment: Experiment, stage: str) -> tuple[dict[str, Artifact], list[str]]:
    """Run what a stage needs, with progress on stderr; results, and the names of what ran."""
    from starcli import pipeline
    from starcli.training.distributed import rank

    with working(stage) as progress:
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
                console.note(f"warning: {line}")


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
        console.note(f"{len(skipped)} recordings could not be read and are left out: {listed}")
        raise typer.Exit(SKIPPED)

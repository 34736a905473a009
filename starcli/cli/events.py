"""`starcli predict --windows` and `--stream`: what is done when."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, TextIO

import typer

from starcli.cli.help import EVENTS
from starcli.cli.options import path
from starcli.errors import DataError, StarError, UsageError

if TYPE_CHECKING:
    from starcli import api
    from starcli.prediction.events import Event
    from starcli.prediction.model import TrainedModel
    from starcli.prediction.question import EventOptions
    from starcli.prediction.stream import Stream

NAMED = 10
"""Lines left out that are named before they are counted."""

Streaming = Annotated[
    bool,
    typer.Option(
        "--stream",
        help="Read frames from standard input, print events as they begin and end. A line is "
        '{"time": SECONDS, "persons": [[[x, y, z], ...], ...]}: of each person the joints of '
        '--layout, null for one not seen; {"name": [...]} in place of the list names persons.',
        rich_help_panel=EVENTS,
    ),
]
Windows = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Cut recordings into windows so long and tell what is done when; of --stream 2.",
        rich_help_panel=EVENTS,
    ),
]
Stride = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="From one window to the next.",
        show_default="half a window",
        rich_help_panel=EVENTS,
    ),
]
Enter = Annotated[
    float | None,
    typer.Option(
        help="Least probability with which an event begins.",
        show_default="0.5",
        rich_help_panel=EVENTS,
    ),
]
Leave = Annotated[
    float | None,
    typer.Option(
        help="Least probability with which it goes on.",
        show_default="0.25",
        rich_help_panel=EVENTS,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        parser=path,
        help="File of answers, of any number of recordings: .jsonl, .csv or .parquet; with "
        "--windows of events: .jsonl, .csv, .vtt (WebVTT) or .eaf (ELAN).",
    ),
]


OF_FILES = ("--files-from", "--shard", "--jobs", "--executor", "--submit")
"""Options for the naming of many files."""


def require_fit(given: Mapping[str, object], *, stream: bool, windows: bool) -> None:
    """Refuse options that have no meaning for what is asked for, and missing recordings.

    Args:
        given: Options and arguments as a user names them; None or False where nothing was said.
        stream: Whether a stream is read.
        windows: Whether recordings are cut.

    Raises:
        UsageError: One has no meaning, or the recordings are missing.
    """
    asked = "--stream" if stream else "--windows" if windows else "whole clips"
    said = {name for name, value in given.items() if value is not None and value is not False}
    if stream:
        unfit: tuple[str, ...] = ("SOURCE", "--reader", "--fps", "--people", "--top")
        unfit += ("--reasons", "--out", "--overwrite", *OF_FILES)
        fix = "leave it out: frames come from standard input, events go to standard output"
    elif windows:
        unfit = ("--people", "--top", "--reasons", *OF_FILES)
        fix = "leave it out: of everybody, what is likeliest is told"
    else:
        unfit = ("--stride", "--enter", "--leave")
        fix = "add --windows SECONDS"
        if "--out" not in said and said.isdisjoint(unfit):
            unfit, fix = ("--overwrite", *OF_FILES), "add --out FILE"
    if wrong := next((name for name in unfit if name in said), None):
        raise UsageError(f"{wrong} is not for {asked}", fix)
    if not stream and said.isdisjoint({"SOURCE", "--files-from"}):
        raise UsageError("recordings are missing", "use: starcli predict SOURCE, or --stream")


def tell_events(
    open_model: Callable[[], api.Run | TrainedModel],
    sources: Sequence[Path],
    reader: str | None,
    fps: float | None,
    options: EventOptions,
    out: Path | None,
    as_json: bool,
) -> None:
    """Print or write what is done when in recordings."""
    from starcli import api
    from starcli.cli import console
    from starcli.cli.output import end_left_out, print_document
    from starcli.prediction.event_files import COLUMNS, cells, is_of_one, save

    with console.progress() as progress, contextlib.redirect_stdout(sys.stderr):
        found = api.events(
            open_model(),
            sources,
            reader=reader,
            fps=fps,
            alone=out is not None and is_of_one(out),
            progress=progress,
            **options,
        )
    events, warning = found["events"], found["warning"]
    if out is not None:
        save(out, events)
    if as_json:
        print_document(found)
    elif out is not None:
        print(out)
    else:
        rows = [cells(event) for event in events]
        title = f"{found['run']}: {len(rows)} events{f'; {warning}' if warning else ''}"
        console.table(title, COLUMNS, rows)
    end_left_out((*found["notes"], *found["warnings"]), found["bad"])


def answer_stream(open_model: Callable[[], api.Run | TrainedModel], options: EventOptions) -> None:
    """Print the events of standard input while its frames come."""
    from starcli import api
    from starcli.cli import console

    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        with console.progress() as progress:
            stream = api.stream(open_model(), progress=progress, **options)
        for note in stream.notes:
            console.warn(f"warning: {note}")
        _answer(stream, sys.stdin.buffer, out)


def _answer(stream: Stream, lines: BinaryIO, out: TextIO) -> None:
    """Print the events of a stream while its lines come; whatever ends it, those open are closed.

    Args:
        stream: What names them.
        lines: Frames as lines of JSON.
        out: Gets a line of JSON for each event that begins, without an end, and one as it ends.

    Raises:
        DataError: No line is a frame.
        typer.Exit: Some are none.
    """
    from starcli.cli import console
    from starcli.cli.output import SKIPPED

    good, bad, warned = 0, _LeftOut(), 0
    try:
        for number, line in _lines(lines):
            with bad.collecting(number):
                _print(stream.read(line), out)
                good += 1
            warned = _warn(stream.warnings, warned)
    finally:
        _print(stream.close(), out)
        _warn(stream.warnings, warned)
    if not good:
        raise bad.first or DataError("no frame came", "write frames to standard input")
    if bad.count:
        console.warn(f"{bad.count} lines of {bad.count + good} are left out")
        raise typer.Exit(SKIPPED)


def _warn(lines: Sequence[str], told: int) -> int:
    """Tell warnings that are new; how many have been told."""
    from starcli.cli import console

    for line in lines[told:]:
        console.warn(f"warning: {line}")
    return len(lines)


class _LeftOut:
    """Lines that are no frames: the first few are named as they come, all are counted."""

    def __init__(self) -> None:
        self.count = 0
        self.first: StarError | None = None

    @contextlib.contextmanager
    def collecting(self, number: int) -> Iterator[None]:
        """Go on after a line that is no frame."""
        from starcli.cli import console
        from starcli.prediction.frames import FrameError

        try:
            yield
        except FrameError as error:
            error.file, error.line = "standard input", number
            self.first = self.first or error
            self.count += 1
            if self.count <= NAMED:
                console.warn(f"left out: {error}; {error.fix}")


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Number and text of lines that are not blank; of a too long one only the beginning is kept."""
    from starcli.prediction.frames import LONGEST

    for number in count(1):
        rest = line = stream.readline(LONGEST + 1)
        if not line:
            return
        while len(rest) > LONGEST and not rest.endswith(b"\n"):
            rest = stream.readline(LONGEST + 1)
        if line.strip():
            yield number, line


def _print(events: Sequence[Event], out: TextIO) -> None:
    """Print events, to be read at once."""
    from starcli.prediction.events import json_line

    for event in events:
        print(json_line(event), file=out, flush=True)

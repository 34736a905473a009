"""Events as files: JSON lines, CSV, WebVTT and ELAN, by the ending of the file's name."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from starcli.errors import MissingError, one_line
from starcli.files import csv_text, require_file, save_text, save_whole
from starcli.prediction.events import Event, json_line

if TYPE_CHECKING:
    from starcli.prediction.timeline import FoundEvent

COLUMNS = ("clip", "person", "start", "end", "name", "probability")
ELAN = ".eaf"
ONE_RECORDING = (".vtt", ELAN)
"""Forms whose times are those of one recording."""


def json_lines(events: Sequence[FoundEvent]) -> str:
    """Events as lines of JSON."""
    return "".join(f"{json_line(event)}\n" for event in events)


def table(events: Sequence[FoundEvent]) -> str:
    """Events as CSV, in whose texts spreadsheets find nothing to compute."""
    return csv_text(COLUMNS, [dict(zip(COLUMNS, cells(event), strict=True)) for event in events])


def cells(event: FoundEvent) -> tuple[str | float | None, ...]:
    """What stands in the columns of an event's row."""
    where = (event["clip"], event["person"], event["start"], event["end"])
    return (*where, event["name"], event["probability"])


def webvtt(events: Sequence[FoundEvent]) -> str:
    """Events as WebVTT, a cue each, with the person as the voice."""
    cues = ["WEBVTT\n"]
    for event in sorted(events, key=lambda event: (event["start"], event["person"])):
        start, end = (_clock(time) for time in _milliseconds(event))
        voice, name = (html.escape(one_line(event[key]), False) for key in ("person", "name"))
        cues.append(f"{start} --> {end}\n<v {voice}>{name} {event['probability']:.0%}\n")
    return "\n".join(cues)


def _clock(milliseconds: int) -> str:
    """A time as WebVTT has it, `00:01:02.500`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"


def elan(draft: Path, events: Sequence[FoundEvent]) -> None:
    """Write events as ELAN's annotations, a tier for each person.

    Annotations of a tier may not overlap: one that does ends where the next begins.
    """
    from pympi.Elan import Eaf

    document = Eaf(author="starcli")
    document.remove_tier("default")
    for person, spans in _tiers(events).items():
        document.add_tier(person)
        for start, end, name in spans:
            document.add_annotation(person, start, end, name)
    document.to_file(str(draft))


def _tiers(events: Sequence[FoundEvent]) -> dict[str, list[tuple[int, int, str]]]:
    """For each person start, end and name of events that do not overlap."""
    tiers: dict[str, list[tuple[int, int, str]]] = {}
    for event in sorted(events, key=lambda event: event["start"]):
        spans = tiers.setdefault(one_line(event["person"]), [])
        start, end = _milliseconds(event)
        if spans and spans[-1][1] > start:
            before, _, name = spans.pop()
            spans += [(before, start, name)] if before < start else []
        if start < end:
            spans.append((start, end, one_line(event["name"])))
    return tiers


def _milliseconds(event: Event) -> tuple[int, int]:
    """Start and end; a time before the recording is none of it."""
    start, end = event["start"], event["end"]
    return max(0, round(1000 * start)), max(0, round(1000 * (start if end is None else end)))


TEXTS: Mapping[str, Callable[[Sequence[FoundEvent]], str]] = {
    ".jsonl": json_lines,
    ".csv": table,
    ".vtt": webvtt,
}
ENDINGS = (*TEXTS, ELAN)


def require_writable(file: Path, option: str = "--out", *, overwrite: bool) -> None:
    """Refuse a file that events cannot be written to, before anything is read.

    Args:
        file: The file.
        option: What names it.
        overwrite: Whether one that is there may be replaced.

    Raises:
        UsageError: Its ending says no form, it is a folder, or it is there.
        MissingError: The package that writes the form is not installed.
    """
    require_file(file, ENDINGS, option, overwrite=overwrite)
    if file.suffix.lower() == ELAN and find_spec("pympi") is None:
        raise MissingError(
            "writing .eaf needs the package pympi-ling", "pip install 'starcli[elan]'"
        )


def is_of_one(file: Path) -> bool:
    """Whether a file's form has the times of one recording alone."""
    return file.suffix.lower() in ONE_RECORDING


def save(file: Path, events: Sequence[FoundEvent], option: str = "--out") -> None:
    """Write events, whole or not at all.

    Args:
        file: The file, whose ending says the form.
        events: Those that have ended.
        option: What names the file.

    Raises:
        OutputError: The file cannot be written.
    """
    form = file.suffix.lower()
    if form in TEXTS:
        save_text(file, TEXTS[form](events), option)
    else:
        save_whole(file, partial(elan, events=events), option)

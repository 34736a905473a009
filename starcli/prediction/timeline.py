"""The events of recordings, which are cut into windows as a stream is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from starcli.contracts import Progress, silent
from starcli.errors import DataError, StarError, UsageError
from starcli.prediction.events import Event, Plan
from starcli.prediction.naming import nothing
from starcli.prediction.predictor import Predictor
from starcli.prediction.reader import Form, Reader, Recorded
from starcli.prediction.stream import Stream, frames


class FoundEvent(Event):
    """An event of a recording.

    Args:
        clip: Name of the recording.
    """

    clip: str


class Timeline(NamedTuple):
    """What is done in recordings, and when.

    Args:
        events: Of one recording after the other, in the order of their ends.
        bad: What could not be read, or contradicts a body.
        warnings: What was done to recordings by rule, and what is doubtful in some, a line each.
    """

    events: list[FoundEvent]
    bad: list[StarError]
    warnings: list[str]


def timeline(
    predictor: Predictor,
    plan: Plan,
    recordings: Iterable[Path],
    form: Form | None = None,
    progress: Progress = silent,
    *,
    alone: bool = False,
) -> Timeline:
    """The events of recordings, of which one window is in memory beside the recording itself.

    Args:
        predictor: The trained model, and what may be done.
        plan: How recordings are cut, and what an event is.
        recordings: Files, folders and zips.
        form: How files are to be read.
        progress: Told about every recording.
        alone: Refuse several recordings before any is answered.

    Raises:
        DataError: No recording could be read.
        UsageError: There are several, or a window has too few frames.
    """
    model = predictor.model
    reader = Reader(model.source, model.normalise, model.persons, form or Form())
    found, read = Timeline([], [], []), 0
    every = (each for place in recordings for each in reader.recordings(place))
    for recorded in _alone(every) if alone else every:
        if isinstance(recorded, StarError):
            found.bad.append(recorded)
            continue
        stream = Stream(predictor, plan, reader, recorded)
        try:
            found.events.extend(_events(stream, recorded))
            read += 1
        except DataError as error:
            error.file = error.file or recorded.name
            found.bad.append(error)
        found.warnings.extend(stream.warnings)
        progress.update("predict", read, 0)
    if not read:
        raise nothing(found.bad)
    return found._replace(warnings=[*reader.warnings, *found.warnings])


def _alone(every: Iterable[Recorded | StarError]) -> list[Recorded | StarError]:
    """All that is read, where only one recording can be."""
    read = list[Recorded | StarError]()
    for each in every:
        if isinstance(each, Recorded) and any(isinstance(other, Recorded) for other in read):
            raise UsageError(
                "there are several recordings, and times are of one",
                "name one of them, or write a file .jsonl or .csv",
                file=each.name,
            )
        read.append(each)
    return read


def _events(stream: Stream, recorded: Recorded) -> list[FoundEvent]:
    """The events of a recording that have ended."""
    events = [event for frame in frames(recorded) for event in stream.see(frame)]
    ended = [event for event in (*events, *stream.close()) if event["end"] is not None]
    return [{"clip": recorded.name, **event} for event in ended]

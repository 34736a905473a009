"""The clips of recordings, named a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from starcli.contracts import Progress, silent
from starcli.data.importing import inspection
from starcli.data.importing.inspection import Known
from starcli.errors import DataError, StarError, UsageError
from starcli.prediction.predictor import Answer, Prediction, Predictor
from starcli.prediction.reader import Array, Form, Incoming, Reader


class Predictions(NamedTuple):
    """What recordings were named.

    Args:
        clips: For each clip `file`, `clip` and `actions`, the best first.
        bad: What could not be read.
        warnings: What was done to recordings by rule, and what is doubtful in some, a line each.
    """

    clips: list[Prediction]
    bad: list[StarError]
    warnings: list[str]


def predict(
    predictor: Predictor,
    recordings: Iterable[Path | Array],
    top: int = 3,
    form: Form | None = None,
    progress: Progress = silent,
    *,
    reasons: bool = False,
) -> Predictions:
    """Name the clips of recordings, a batch of them in memory at a time.

    Args:
        predictor: The trained model, and what clips may be.
        recordings: Files, folders and zips, and arrays of joints.
        top: How many candidates are told of each clip.
        form: How files are to be read.
        progress: Told about every batch.
        reasons: Whether to say what speaks for the first action of each clip.

    Raises:
        DataError: There is nothing that can be read.
        UsageError: `top` is less than 1, or the method knows no reasons.
    """
    if top < 1:
        raise UsageError(f"top {top} is less than 1", "ask for one action or more")
    model = predictor.model
    reader = Reader(model.source, model.normalise, model.persons, form or Form())
    named: list[tuple[Incoming, Prediction]] = []
    bad: list[StarError] = []
    clips = _good(reader, recordings, bad)
    while batch := list(islice(clips, model.batch)):
        for clip, answer in zip(batch, answers_of(predictor, batch, top, reasons), strict=True):
            prediction: Prediction = {"file": clip.file, "clip": clip.name, **answer}
            named.append((replace(clip, joints=clip.joints[:0]), prediction))
        progress.update("predict", len(named), 0)
    if not named:
        raise nothing(bad)
    notes, refused = sound([clip for clip, _ in named])
    predictions: list[Prediction] = [
        {**prediction, **_nobody(refused[clip.name])} if clip.name in refused else prediction
        for clip, prediction in named
    ]
    return Predictions(predictions, bad, [*reader.warnings, *notes])


def answers_of(
    predictor: Predictor, clips: Sequence[Incoming], top: int, reasons: bool
) -> Iterator[Answer]:
    """What clips are named; those of nobody are not scored."""
    possible = [clip for clip in clips if clip.impossible is None]
    answers = predictor.answers(possible, top, reasons=reasons) if possible else iter(())
    for clip in clips:
        yield next(answers) if clip.impossible is None else _nobody(clip.impossible)


def _nobody(reason: str) -> Answer:
    return {"actions": [], "margin": 0.0, "none": reason}


def _good(
    reader: Reader, recordings: Iterable[Path | Array], bad: list[StarError]
) -> Iterator[Incoming]:
    """The clips that can be read; of others the errors are added to the bad ones."""
    for number, each in enumerate(recordings, start=1):
        clips = (
            reader.read(each)
            if isinstance(each, Path)
            else reader.read_array(each, f"array {number}")
        )
        for clip in clips:
            if isinstance(clip, StarError):
                bad.append(clip)
            else:
                yield clip


def sound(clips: Sequence[Incoming]) -> tuple[list[str], dict[str, str]]:
    """What was done to clips by rule, and what contradicts a body in some.

    Returns:
        A line each; and by the name of a clip why it is none, of a format and layout of which most
        contradict a body.
    """
    formats: dict[tuple[str, str], list[Known]] = {}
    for known in (clip.known for clip in clips if clip.known):
        formats.setdefault((known.format, known.facts.layout), []).append(known)
    warnings: list[str] = []
    refused: dict[str, str] = {}
    for alike in formats.values():
        try:
            warnings += inspection.notes(alike, []) + inspection.contradictions(alike)
        except DataError as error:
            refused |= {known.entry.name: f"{error.message}: {error.fix}" for known in alike}
    return warnings, refused


def nothing(bad: Sequence[StarError]) -> StarError:
    """Why no clip could be named."""
    if not bad:
        return DataError("there are no clips in these recordings", "name others")
    first, more = bad[0], len(bad) - 1
    first.message += f" (and {more} more could not be read)" if more else ""
    return first

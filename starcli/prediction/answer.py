"""What a trained model answers of recordings, as `starcli predict --json` has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import numpy.typing as npt

from starcli.contracts import Progress
from starcli.errors import ErrorFields, StarError
from starcli.prediction import question as asked
from starcli.prediction.naming import predict
from starcli.prediction.predictor import Prediction, Predictor, ToldCandidate
from starcli.prediction.question import EventOptions, Question
from starcli.prediction.reader import Form, Reader
from starcli.prediction.stream import Stream
from starcli.prediction.timeline import FoundEvent, timeline

if TYPE_CHECKING:
    from starcli.prediction.model import TrainedModel

Joints = npt.NDArray[np.floating | np.integer]
Recordings = str | Path | Joints | Sequence[str | Path | Joints]
Places = str | Path | Sequence[str | Path]


class About(TypedDict):
    """What is told of what names clips."""

    ok: bool
    run: str
    warning: str | None
    notes: Sequence[str]
    candidates: list[ToldCandidate]
    gamma: float


class Answered(About):
    """What `predict --json` prints, whatever it was asked."""

    warnings: list[str]
    bad: list[ErrorFields]


class NamedFiles(About):
    """What `predict --out --json` prints: the file, and how many files and clips it has.

    Args:
        none: Clips that are none of the candidates.
        bad: Recordings that could not be read.
    """

    out: str
    files: int
    clips: int
    none: int
    bad: int


class Predicted(Answered):
    """What `predict --json` prints."""

    predictions: list[Prediction]


class Events(Answered):
    """What `predict --windows --json` prints."""

    events: list[FoundEvent]


def answer(
    model: TrainedModel, recordings: Recordings, question: Question, progress: Progress
) -> Predicted:
    """What is done in recordings.

    Args:
        model: What names them; it stays as it is.
        recordings: Files, folders, zips and arrays, one or several.
        question: What they may be, and how they are to be read.
        progress: Told about every step.

    Raises:
        DataError: No recording could be read.
        UsageError: The method names only the classes that it was trained with.
    """
    meaning = asked.meaning(question, question.get("people"))
    form = Form(meaning, question.get("reader"), question.get("fps"))
    predictor = asked.predictor(model, question, progress)
    found = predict(
        predictor,
        _each(recordings),
        question.get("top", 3),
        form,
        progress,
        reasons=question.get("reasons", False),
    )
    return {**_answered(predictor, found.warnings, found.bad), "predictions": found.clips}


def events(
    model: TrainedModel,
    places: Places,
    form: Form,
    options: EventOptions,
    progress: Progress,
    *,
    alone: bool = False,
) -> Events:
    """What is done in recordings, and when.

    Args:
        model: What names it; it stays as it is.
        places: Files, folders and zips, one or several.
        form: How files are to be read.
        options: What may be done, and how recordings are cut.
        progress: Told about every recording.
        alone: Refuse several recordings before any is answered.

    Raises:
        DataError: No recording could be read.
        UsageError: There are several, or a window has too few frames.
    """
    plan, predictor = asked.plan(options), asked.predictor(model, options, progress)
    files = [Path(places)] if isinstance(places, str | Path) else map(Path, places)
    found = timeline(predictor, plan, files, form, progress, alone=alone)
    return {**_answered(predictor, found.warnings, found.bad), "events": found.events}


def stream(model: TrainedModel, options: EventOptions, progress: Progress) -> Stream:
    """What names what people do while their frames come.

    Args:
        model: What names it; it stays as it is.
        options: What may be done, and how the stream is cut.
        progress: Told about every step that is made before.

    Raises:
        UsageError: A window cannot be so long.
    """
    plan, form = asked.plan(options), Form(asked.meaning(options))
    reader = Reader(model.source, model.normalise, model.persons, form)
    return Stream(asked.predictor(model, options, progress), plan, reader)


def _answered(predictor: Predictor, warnings: list[str], bad: Sequence[StarError]) -> Answered:
    """What is told of any recordings that were read."""
    return {
        **about(predictor),
        "warnings": warnings,
        "bad": [error.document()["error"] for error in bad],
    }


def about(predictor: Predictor) -> About:
    """What is told of what names clips."""
    return {
        "ok": True,
        "run": predictor.model.name,
        "warning": predictor.model.warning,
        "notes": predictor.notes,
        "candidates": predictor.described(),
        "gamma": predictor.gamma,
    }


def _each(recordings: Recordings) -> list[Path | Joints]:
    """Recordings one by one, also where one is alone."""
    if isinstance(recordings, Sequence) and not isinstance(recordings, str):
        return [Path(each) if isinstance(each, str) else each for each in recordings]
    return [Path(recordings) if isinstance(recordings, str) else recordings]

"""What a trained model answers of recordings, as `starcli predict --json` has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

import numpy as np
import numpy.typing as npt

from starcli.contracts import Progress
from starcli.data.importing.options import meaning
from starcli.errors import ErrorFields
from starcli.poses import Unit, Up
from starcli.prediction.actions import read_actions
from starcli.prediction.predictor import Prediction, Predictor, ToldCandidate, predict
from starcli.prediction.reader import Form

if TYPE_CHECKING:
    from starcli.prediction.model import TrainedModel

Joints = npt.NDArray[np.floating | np.integer]
Recordings = str | Path | Joints | Sequence[str | Path | Joints]


class Question(TypedDict, total=False):
    """What may be said of recordings and of the answer, as `starcli.predict` explains it."""

    actions: str | Path | Sequence[str] | None
    among: Literal["all", "seen", "unseen"] | None
    describer: str | None
    top: int
    reasons: bool
    reader: str | None
    layout: str | None
    up: Up | None
    unit: Unit | None
    fps: float | None
    people: str | None
    mirrored: bool
    swap_sides: bool


class Predicted(TypedDict):
    """What `predict --json` prints."""

    ok: bool
    run: str
    warning: str | None
    notes: Sequence[str]
    warnings: list[str]
    candidates: list[ToldCandidate]
    gamma: float
    predictions: list[Prediction]
    bad: list[ErrorFields]


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
    meant = meaning(
        question.get("layout"),
        up=question.get("up"),
        unit=question.get("unit"),
        people=question.get("people"),
        mirrored=question.get("mirrored", False),
        swap_sides=question.get("swap_sides", False),
    )
    form = Form(meant, question.get("reader"), question.get("fps"))
    given = question.get("actions")
    actions = None if given is None else read_actions(given, model.bank.classes)
    predictor = Predictor(
        model, actions, question.get("among"), question.get("describer"), progress
    )
    predicted = predict(
        predictor,
        _each(recordings),
        question.get("top", 3),
        form,
        progress,
        reasons=question.get("reasons", False),
    )
    return {
        "ok": True,
        "run": model.name,
        "warning": model.warning,
        "notes": predictor.notes,
        "warnings": predicted.warnings,
        "candidates": [
            {"name": predictor.names[c], "role": predictor.role(c), **predictor.told(c)}
            for c in predictor.candidates
        ],
        "gamma": predictor.gamma,
        "predictions": predicted.clips,
        "bad": [error.document()["error"] for error in predicted.bad],
    }


def _each(recordings: Recordings) -> list[Path | Joints]:
    """Recordings one by one, also where one is alone."""
    if isinstance(recordings, Sequence) and not isinstance(recordings, str):
        return [Path(each) if isinstance(each, str) else each for each in recordings]
    return [Path(recordings) if isinstance(recordings, str) else recordings]

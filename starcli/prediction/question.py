"""What may be asked of a trained model: what recordings may show, and how they are to be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from starcli.contracts import Progress
from starcli.data.importing import options
from starcli.data.importing.conversion import Meaning
from starcli.poses import Unit, Up
from starcli.prediction.actions import read_actions
from starcli.prediction.events import Plan
from starcli.prediction.predictor import Predictor

if TYPE_CHECKING:
    from starcli.prediction.model import TrainedModel


class Said(TypedDict, total=False):
    """What may be done in recordings and streams, and what is said of their joints.

    Args:
        actions: What it may be: names, or a file of them.
        among: Which of the run's classes it may be beside `actions`.
        describer: What describes actions that the run has not.
        layout: The joints: name of a layout, or its TOML file.
        up: The axis that points up.
        unit: The unit of coordinates.
        mirrored: Whether the axes are mirrored.
        swap_sides: Whether the names of left and right are exchanged.
    """

    actions: str | Path | Sequence[str] | None
    among: Literal["all", "seen", "unseen"] | None
    describer: str | None
    layout: str | None
    up: Up | None
    unit: Unit | None
    mirrored: bool
    swap_sides: bool


class Question(Said, total=False):
    """What may be said of recordings and of the answer, as `starcli.predict` explains it."""

    top: int
    reasons: bool
    reader: str | None
    fps: float | None
    people: str | None


class PlanOptions(TypedDict, total=False):
    """How recordings and streams are cut, and what is an event.

    Args:
        windows: Seconds of a window, 2 unless another number is said.
        stride: Seconds from one window to the next, half a window unless another number is said.
        enter: Least probability with which an event begins, 0.5 unless another is said.
        leave: Least probability with which it goes on, 0.25 unless another is said.
    """

    windows: float | None
    stride: float | None
    enter: float | None
    leave: float | None


class EventOptions(Said, PlanOptions):
    """What `Said` and `PlanOptions` have."""


def meaning(said: Said, people: str | None = None) -> Meaning:
    """What is said of joints, and of who is meant."""
    return options.meaning(
        said.get("layout"),
        up=said.get("up"),
        unit=said.get("unit"),
        people=people,
        mirrored=said.get("mirrored", False),
        swap_sides=said.get("swap_sides", False),
    )


def predictor(model: TrainedModel, said: Said, progress: Progress) -> Predictor:
    """The model, ready to name what is said that it may be."""
    given = said.get("actions")
    actions = None if given is None else read_actions(given, model.bank.classes)
    return Predictor(model, actions, said.get("among"), said.get("describer"), progress)


def plan(said: PlanOptions) -> Plan:
    """How recordings are cut."""
    given = {
        "window": said.get("windows"),
        "stride": said.get("stride"),
        "enter": said.get("enter"),
        "leave": said.get("leave"),
    }
    return replace(Plan(), **{name: value for name, value in given.items() if value is not None})

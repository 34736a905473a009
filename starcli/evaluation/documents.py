"""The form of an evaluation as JSON."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

Selection = Literal["validation", "oracle", "user"]
"""Where gamma comes from: pseudo-unseen classes, the test clips themselves, or the user."""


class ByClass(TypedDict):
    """Accuracies [C] of the classes that have clips, their mean, and counts [C, C]: true, named."""

    per_class_accuracy: list[float | None]
    class_mean_accuracy: float | None
    confusion: list[list[int]]


class ZeroShotDocument(ByClass):
    """Accuracies among unseen classes."""

    accuracy: float
    chance: float
    clips: int


class GeneralizedDocument(ByClass):
    """Accuracies among all classes at a gamma."""

    seen_accuracy: float
    unseen_accuracy: float
    harmonic_mean: float
    clips: int
    gamma: float


class CalibratorDocument(TypedDict):
    """What uses gamma; only a gate has a temperature, weights and a bias."""

    name: Literal["stacking", "gate"]
    gamma: float
    temperature: NotRequired[float]
    weights: NotRequired[list[float]]
    bias: NotRequired[float]


class GammaDocument(TypedDict):
    """A gamma, and the interval in which it is about as good; None for no end."""

    gamma: float
    low: float | None
    high: float | None
    harmonic_mean: float
    identifiable: bool


class GapDocument(TypedDict):
    """From the oracle to the gamma in use."""

    gamma: float
    harmonic_mean: float


class CurveDocument(TypedDict):
    """S, U and H between the breakpoints of gamma."""

    breakpoints: list[float]
    seen_accuracy: list[float]
    unseen_accuracy: list[float]
    harmonic_mean: list[float]
    area: float


class CurvesDocument(TypedDict):
    """The curve of the nested runs' clips, and that of the test clips."""

    validation: CurveDocument
    test: CurveDocument


class ReportDocument(TypedDict):
    """An `EvaluationReport`."""

    epochs: int
    selection: Selection
    calibrator: CalibratorDocument
    gamma: GammaDocument
    zsl: ZeroShotDocument
    gzsl: GeneralizedDocument
    oracle: GammaDocument
    gap: GapDocument
    doubts: list[str]
    curves: CurvesDocument

"""What an evaluation finds; as JSON it has these keys in this order."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from starcli.evaluation.calibrated_stacking import CurvePoints, GammaChoice, Stacking
from starcli.evaluation.documents import ReportDocument, Selection
from starcli.evaluation.gate import Gate


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ZeroShot(_Part):
    """Accuracies, as fractions, on clips of unseen classes named among these alone (ZSL)."""

    accuracy: float
    chance: float
    clips: int
    per_class_accuracy: list[float | None]
    class_mean_accuracy: float | None
    confusion: list[list[int]]


class Generalized(_Part):
    """Accuracies, as fractions, on all test clips named among all classes (GZSL) at a gamma."""

    seen_accuracy: float
    unseen_accuracy: float
    harmonic_mean: float
    clips: int
    per_class_accuracy: list[float | None]
    class_mean_accuracy: float | None
    confusion: list[list[int]]
    gamma: float


class Gap(_Part):
    """How far the gamma in use lies from the oracle's, and the harmonic mean that costs."""

    gamma: float
    harmonic_mean: float


class Curves(_Part):
    """S, U and H over gamma, on the nested runs' clips and on the test clips."""

    validation: CurvePoints
    test: CurvePoints


class EvaluationReport(_Part):
    """How good a trained run is on its test clips, and how that was chosen.

    Args:
        epochs: Epochs of the training, chosen on validation.
        selection: Where the gamma in use comes from.
        calibrator: What uses it.
        gamma: Gamma as chosen on validation.
        zsl: Accuracies among unseen classes.
        gzsl: Accuracies among all classes at the gamma in use.
        oracle: Gamma as the test clips would choose it, never a result.
        gap: From the oracle to the gamma in use.
        caveats: What a reader must know before trusting the numbers; `doubts` in JSON.
        curves: All that gamma could do.
    """

    epochs: int
    selection: Selection
    calibrator: Stacking | Gate = Field(discriminator="name")
    gamma: GammaChoice
    zsl: ZeroShot
    gzsl: Generalized
    oracle: GammaChoice
    gap: Gap
    caveats: list[str] = Field(alias="doubts")
    curves: Curves

    model_config = ConfigDict(populate_by_name=True)

    def document(self) -> ReportDocument:
        """The report as JSON."""
        dumped: Any = self.model_dump(mode="json", by_alias=True)  # pydantic does not say its keys
        document: ReportDocument = dumped
        return document

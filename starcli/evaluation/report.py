"""How good runs are; as JSON these models have their fields as keys, in this order."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from starcli.evaluation.calibrated_stacking import CurvePoints, GammaChoice, Stacking
from starcli.evaluation.confidence import Confidence
from starcli.evaluation.gate import Gate
from starcli.evaluation.reliability import Trust

Selection = Literal["validation", "oracle", "user"]
"""Where gamma comes from: pseudo-unseen classes, the test clips themselves, or the user."""
Document = dict[str, Any]
"""A model as JSON; `Any`, since pydantic does not say its keys."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def document(self, exclude: frozenset[str] = frozenset()) -> Document:
        """All of it as JSON, but for some fields."""
        return self.model_dump(mode="json", by_alias=True, exclude={*exclude})


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
        confidence: What turns scores at the gamma in use into probabilities, fitted on validation;
            None for a gate, and in runs that are older than it.
        trust: How far they can be trusted on the test clips; None likewise.
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
    confidence: Confidence | None = None
    trust: Trust | None = None
    zsl: ZeroShot
    gzsl: Generalized
    oracle: GammaChoice
    gap: Gap
    caveats: list[str] = Field(alias="doubts")
    curves: Curves

    def beside_oracle(self) -> GeneralizedWithOracle:
        """Accuracies among all classes, and those at the gamma that the test clips would choose."""
        return GeneralizedWithOracle(
            **dict(self.gzsl),
            oracle_harmonic_mean=self.oracle.harmonic_mean,
            oracle_gamma=self.oracle.gamma,
        )


class GeneralizedWithOracle(Generalized):
    """Accuracies among all classes, and those at the gamma that the test clips would choose."""

    oracle_harmonic_mean: float
    oracle_gamma: float


class Classes(_Part):
    """The classes of a data set; ids of those seen and unseen, names of those without clips."""

    names: list[str]
    seen: list[int]
    unseen: list[int]
    without_test_clips: list[str]


class OtherFold(_Part):
    """A finished run of another fold, with its accuracies as fractions."""

    run: str
    split: str
    seed: int
    ZSL: float
    S: float
    U: float
    H: float


class Evaluation(_Part):
    """What was run, how gamma was chosen, how good it is: what `evaluate --json` prints of a run.

    Args:
        ok: Whether all went well; an error has a document of its own.
        backbone_weights: Weights in place of pretraining.
        transductive: Whether the method learned from text of unseen classes.
        warning: What every result must admit, in one line.
        selected_by: The selection in words.
        validation_folds: Number of the nested runs.
        caveats: What a reader must know before trusting the numbers; `doubts` in JSON.
        variant: The method's open number; None where it has none.
        confidence: What turns scores into probabilities; None for a gate.
        trust: How far they can be trusted on the test clips; None for a gate.
        run: Name of the run.
        other_folds: Runs that differ in the fold, and maybe in the seed.
    """

    ok: bool = True
    dataset: str
    protocol: str
    split: str
    parts: int
    seed: int
    backbone: str
    backbone_weights: str | None
    transductive: bool
    warning: str | None
    encoder: str
    describer: str
    method: str
    selection: Selection
    selected_by: str
    validation_folds: int
    calibrator: Stacking | Gate = Field(discriminator="name")
    caveats: list[str] = Field(alias="doubts")
    epochs: int
    variant: float | None
    zsl: ZeroShot
    gzsl: GeneralizedWithOracle
    confidence: Confidence | None = None
    trust: Trust | None = None
    classes: Classes
    run: str
    other_folds: list[OtherFold] = []


class FusedRun(_Part):
    """One of several runs whose scores are added: its weight, and its accuracies alone."""

    run: str
    weight: float
    ZSL: float
    S: float
    U: float
    H: float


class Fused(_Part):
    """How good several runs are as one: what `evaluate --fuse --json` prints.

    Args:
        ok: Whether all went well.
        runs: The runs; their weights sum to 1.

    The rest is as in `Evaluation`.
    """

    ok: bool = True
    runs: list[FusedRun]
    dataset: str
    protocol: str
    split: str
    seed: int
    selection: Selection
    selected_by: str
    validation_folds: int
    warning: str | None
    caveats: list[str] = Field(alias="doubts")
    calibrator: Stacking | Gate = Field(discriminator="name")
    zsl: ZeroShot
    gzsl: GeneralizedWithOracle


class Calibration(_Part):
    """What calibration finds: what `calibrate --json` prints of a run.

    Args:
        ok: Whether all went well.
        run: Name of the run.
        selected_by: The selection in words.
        gamma: Gamma as chosen on validation.
        confidence: What turns scores into probabilities; None for a gate.
        ZSL: Accuracy among unseen classes.
        S: Accuracy of seen classes among all, at the gamma in use.
        U: Of unseen classes.
        H: Their harmonic mean.
        harmonic_mean: H once more.
        files: Where it was written.

    The rest is as in `Evaluation` and `EvaluationReport`.
    """

    ok: bool = True
    run: str
    selection: Selection
    selected_by: str
    validation_folds: int
    transductive: bool
    warning: str | None
    caveats: list[str] = Field(alias="doubts")
    calibrator: Stacking | Gate = Field(discriminator="name")
    gamma: GammaChoice
    confidence: Confidence | None = None
    ZSL: float
    S: float
    U: float
    H: float
    harmonic_mean: float
    oracle: GammaChoice
    gap: Gap
    curves: Curves
    files: list[str] = []

"""From scores to a report, by hand: gamma chosen on validation, fixed, or tuned on test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from starcli.errors import DataError, UsageError
from starcli.evaluation.gzsl import Choice, measure
from starcli.evaluation.metrics import ScoredClips
from starcli.evaluation.model_selection import SelectedModel
from starcli.evaluation.report import EvaluationReport


def judged(scores: list[list[float]], labels: list[int]) -> ScoredClips:
    """Classes 0 and 1 are seen, 2 and 3 unseen."""
    return ScoredClips(np.array(scores, dtype=float), np.array(labels), (0, 1), (2, 3))


NESTED = judged([[1.0, 0, 0.4, 0], [0.9, 0, 0, 0.7], [0.5, 0, 0, 0.4]], [0, 0, 3])
TEST = judged(
    [[1.0, 0, 0.2, 0], [0, 0.6, 0.2, 0], [0.8, 0, 0.3, 0], [0.6, 0, 0, 0.1]], [0, 1, 2, 3]
)
"""Gaps of NESTED 0.6, 0.2, 0.1: best between 0.1 and 0.2. Of TEST 0.8, 0.4, 0.5, 0.5."""


def model(nested: list[ScoredClips]) -> SelectedModel:
    return SelectedModel(epochs=3, variant=None, scored=nested)


def test_measure_by_hand() -> None:
    found = measure(model([NESTED]), TEST, Choice(), 4, 0.05)
    assert found.selection == "validation"
    assert found.gamma.gamma == found.gzsl.gamma == pytest.approx(0.15)
    assert (found.gzsl.seen_accuracy, found.gzsl.unseen_accuracy) == (1.0, 0.0)
    # On test 0.5 to 0.8 is best: S is 1/2 there, U 1.
    assert found.oracle.harmonic_mean == pytest.approx(2 / 3)
    assert (found.oracle.low, found.oracle.high) == pytest.approx((0.5, 0.8))
    assert found.gap.model_dump() == pytest.approx({"gamma": 0.15 - 0.65, "harmonic_mean": 2 / 3})
    assert found.zsl.accuracy == 1.0
    assert "gamma 0.15 is outside" in found.caveats[0]


def test_measure_with_another_choice() -> None:
    oracle = measure(model([NESTED]), TEST, Choice(select="oracle"), 4, 0.05)
    assert oracle.selection == "oracle"
    assert oracle.gzsl.gamma == pytest.approx(0.65)
    assert oracle.gzsl.harmonic_mean == pytest.approx(2 / 3)
    assert oracle.gap.model_dump() == pytest.approx({"gamma": 0, "harmonic_mean": 0})
    fixed = measure(model([NESTED]), TEST, Choice(gamma=0.45), 4, 0.05)
    assert fixed.selection == "user"
    assert (fixed.gzsl.seen_accuracy, fixed.gzsl.unseen_accuracy) == (0.5, 0.0)
    gate = measure(model([NESTED]), TEST, Choice(calibrator="gate"), 4, 0.05)
    assert gate.calibrator.name == "gate"
    assert gate.gzsl.gamma == gate.gamma.gamma == gate.calibrator.gamma


def test_a_class_without_test_clips_is_left_out_of_the_class_mean_c07() -> None:
    found = measure(
        model([NESTED]), judged([[1, 0, 0, 0], [0, 0, 1, 0]], [0, 2]), Choice(), 4, 0.05
    )
    assert found.gzsl.per_class_accuracy == [1.0, None, 1.0, None]
    assert found.gzsl.class_mean_accuracy == 1.0


def test_without_test_clips_of_seen_classes_zsl_is_still_said_c08() -> None:
    with pytest.raises(DataError, match=r"GZSL needs both; ZSL accuracy is 50\.0 %"):
        measure(model([NESTED]), judged([[0, 0, 1, 0], [0, 0, 1, 0]], [2, 3]), Choice(), 4, 0.05)


def test_constant_scores_are_said_to_be_c10() -> None:
    constant = judged([[1, 1, 1, 1]] * 2, [0, 2])
    found = measure(model([constant]), constant, Choice(), 4, 0.05)
    assert found.gzsl.harmonic_mean == 0.0
    assert any("do not separate classes" in caveat for caveat in found.caveats)
    assert any("not identifiable" in caveat for caveat in found.caveats)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"gamma": 0.1, "select": "oracle"}, "--gamma fixes what --select oracle chooses"),
        ({"gamma": float("inf")}, "--gamma inf is not a finite number"),
    ],
)
def test_choices_that_make_no_sense(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Choice(**arguments)


ACCURACIES = ["per_class_accuracy", "class_mean_accuracy", "confusion"]
PLACE = ["gamma", "low", "high", "harmonic_mean", "identifiable"]
CURVE = ["breakpoints", "seen_accuracy", "unseen_accuracy", "harmonic_mean", "area"]
KEYS = {
    "epochs": None,
    "selection": None,
    "calibrator": ["name", "gamma"],
    "gamma": PLACE,
    "confidence": ["temperature", "threshold", "false_alarms", "levels"],
    "trust": ["zsl", "gzsl", "false_alarms_seen", "false_alarms_unseen", "recognised"],
    "zsl": ["accuracy", "chance", "clips", *ACCURACIES],
    "gzsl": ["seen_accuracy", "unseen_accuracy", "harmonic_mean", "clips", *ACCURACIES, "gamma"],
    "oracle": PLACE,
    "gap": ["gamma", "harmonic_mean"],
    "doubts": None,
    "curves": ["validation", "test"],
}


def test_a_report_has_these_keys_in_this_order() -> None:
    found: Any = measure(model([NESTED]), TEST, Choice(), 4, 0.05).document()
    assert list(found) == list(KEYS)
    for name, keys in KEYS.items():
        assert keys is None or list(found[name]) == keys
    assert all(list(curve) == CURVE for curve in found["curves"].values())
    gate = measure(model([NESTED]), TEST, Choice(calibrator="gate"), 4, 0.05).document()
    assert gate["confidence"] is gate["trust"] is None
    assert list(gate["calibrator"]) == ["name", "temperature", "weights", "bias", "gamma"]


@pytest.mark.parametrize("calibrator", ["stacking", "gate"])
def test_a_report_is_read_as_it_was_written(calibrator: Any) -> None:
    report = measure(model([NESTED]), TEST, Choice(calibrator=calibrator), 4, 0.05)
    assert EvaluationReport.model_validate_json(report.model_dump_json(by_alias=True)) == report
    assert EvaluationReport.model_validate(report.document()) == report

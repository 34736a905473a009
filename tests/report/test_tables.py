"""Documents as tables, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from starcli.evaluation.calibrated_stacking import CurvePoints
from starcli.report import tables
from tests.documents import CONFIDENCE, CURVE, TRUST, calibration, evaluation

GATE = {"name": "gate", "temperature": 2.0, "weights": [1.0, -0.5], "bias": 0.25, "gamma": 0.3}
REPORT = evaluation(
    {
        "selection": "oracle",
        "calibrator": GATE,
        "warning": "TRANSDUCTIVE",
        "doubts": ["too few clips"],
        "zsl": {"accuracy": 0.75, "chance": 0.5, "per_class_accuracy": [None, 0.5, 1.0]},
        "gzsl": {"per_class_accuracy": [0.5, None, 0.25]},
        "classes": {"names": ["wave", "jump", "sit"], "seen": [0], "unseen": [1, 2]},
    }
)


def test_accuracies_of_a_run() -> None:
    assert tables.rows(REPORT) == [
        ("ZSL accuracy (unseen classes only)", "75.0 %"),
        ("  chance", "50.0 %"),
        ("GZSL seen accuracy S at gamma 0.3000 of the oracle", "50.0 %"),
        ("GZSL unseen accuracy U", "25.0 %"),
        ("GZSL harmonic mean H", "33.3 %"),
        ("  oracle H (gamma tuned on test, never a result)", "40.0 %"),
        ("  warning", "too few clips"),
    ]
    assert tables.class_rows(REPORT) == [
        ("wave", "seen", "-", "50.0 %"),
        ("jump", "unseen", "50.0 %", "-"),
        ("sit", "unseen", "100.0 %", "25.0 %"),
    ]


def test_how_far_probabilities_can_be_trusted() -> None:
    rows = tables.rows(evaluation({"confidence": CONFIDENCE, "trust": TRUST}))
    assert rows[6:] == [
        ("calibration error of probabilities, ZSL", "12.5 %, without temperature 50.0 %"),
        ("calibration error of probabilities, GZSL", "12.5 %, without temperature 50.0 %"),
        ("none of these: false alarms, seen and unseen", "6.2 %, 12.5 %"),
        ("  unseen clips recognised among seen classes", "75.0 %"),
    ]
    found = dict(tables.calibration_rows(calibration({"confidence": CONFIDENCE})))
    assert found["temperature of probabilities"] == "0.25"
    limit = "none of these, 5.0 % false alarms: own scores below"
    assert found[limit] == "0.5000"
    few = calibration({"confidence": {**CONFIDENCE, "threshold": None}})
    assert dict(tables.calibration_rows(few))[limit] == "unknown: too few validation clips"


def test_a_title_admits_gate_oracle_and_warning() -> None:
    assert tables.title("mine", REPORT) == (
        "mine: gate, oracle: gamma tuned on the test clips, never a result; TRANSDUCTIVE"
    )


def test_a_calibration() -> None:
    caveat = "every clip goes to unseen classes"
    rows = dict(tables.calibration_rows(calibration({"doubts": [caveat]})))
    assert rows["gamma chosen on validation"] == "0.1250"
    assert rows["  about as good on validation from, to"] == "0.0000, no end"
    assert rows["  oracle's best from, to"] == "no end, no end"
    assert rows["H on test at gamma 0.3000 (user)"] == "0.0 %"
    assert rows["  away from the oracle: gamma"] == "+0.1750"
    assert rows["  away from the oracle: H"] == "-50.0 %"
    assert rows["  warning"] == caveat
    assert not any(name.startswith("gate") for name in rows)
    gate = dict(tables.calibration_rows(calibration({"calibrator": GATE})))
    assert gate["gate: temperature"] == "2"
    assert "1, -0.5, 0.25" in gate.values()


def test_a_curve_keeps_its_ends_and_its_best_interval() -> None:
    assert tables.curve_rows(CurvePoints.model_validate(CURVE)) == [
        ("-inf", "0.0000", "100.0 %", "0.0 %", "0.0 %"),
        ("0.0000", "0.2500", "50.0 %", "50.0 %", "50.0 %"),
        ("0.2500", "inf", "0.0 %", "100.0 %", "0.0 %"),
    ]
    count = 1000
    only = tuple(float(i == 501) for i in range(count))
    long = CurvePoints(
        breakpoints=tuple(float(i) for i in range(count - 1)),
        seen_accuracy=only,
        unseen_accuracy=only,
        harmonic_mean=only,
        area=0.0,
    )
    rows = tables.curve_rows(long, 10)
    assert len(rows) <= 13
    assert (rows[0][0], rows[-1][1]) == ("-inf", "inf")
    assert ("500.0000", "501.0000", *["100.0 %"] * 3) in rows


@pytest.mark.parametrize(
    ("summary", "line"),
    [
        (
            {"accuracy": 0.5, "accuracy_clips": 8, "accuracy_on": "test"},
            "backbone: names 50.0 % of 8 test clips of seen classes right",
        ),
        ({"accuracy": None, "note": "weights of theirs"}, "backbone: weights of theirs"),
        ({}, "backbone: no clips to judge it by"),
    ],
)
def test_how_good_a_backbone_is(summary: dict[str, Any], line: str) -> None:
    assert tables.accuracy_line(summary) == line

"""Evaluations and calibrations of runs that were never made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starcli.evaluation.report import Calibration, Evaluation

BY_CLASS: dict[str, Any] = {"per_class_accuracy": [], "class_mean_accuracy": None, "confusion": []}
EVALUATION: dict[str, Any] = {
    "dataset": "d",
    "protocol": "p",
    "split": "fold0",
    "parts": 6,
    "seed": 0,
    "backbone": "shift-gcn",
    "backbone_weights": None,
    "transductive": False,
    "warning": None,
    "encoder": "clip",
    "describer": "bundled",
    "method": "star",
    "selection": "validation",
    "selected_by": "validation",
    "validation_folds": 1,
    "calibrator": {"name": "stacking", "gamma": 0.3},
    "doubts": [],
    "epochs": 3,
    "variant": None,
    "zsl": {"accuracy": 0.5, "chance": 0.2, "clips": 4, **BY_CLASS},
    "gzsl": {
        "seen_accuracy": 0.5,
        "unseen_accuracy": 0.25,
        "harmonic_mean": 1 / 3,
        "clips": 8,
        "gamma": 0.3,
        "oracle_harmonic_mean": 0.4,
        "oracle_gamma": 0.2,
        **BY_CLASS,
    },
    "classes": {"names": [], "seen": [], "unseen": [], "without_test_clips": []},
    "run": "mine",
}
RELIABILITY: dict[str, Any] = {
    "error": 0.125,
    "error_before": 0.5,
    "bins": [{"low": 0.6, "high": 0.8, "clips": 4, "probability": 0.75, "accuracy": 0.625}],
}
CONFIDENCE = {"temperature": 0.25, "threshold": 0.5, "false_alarms": 0.05}
TRUST: dict[str, Any] = {
    "zsl": RELIABILITY,
    "gzsl": RELIABILITY,
    "false_alarms_seen": 0.0625,
    "false_alarms_unseen": 0.125,
    "recognised": 0.75,
}
PLACE = {"gamma": 0.125, "low": 0.0, "high": None, "harmonic_mean": 0.5, "identifiable": True}
CURVE: dict[str, Any] = {
    "breakpoints": [0.0, 0.25],
    "seen_accuracy": [1.0, 0.5, 0.0],
    "unseen_accuracy": [0.0, 0.5, 1.0],
    "harmonic_mean": [0.0, 0.5, 0.0],
    "area": 0.5,
}
CALIBRATION: dict[str, Any] = {
    "run": "mine",
    "selection": "user",
    "selected_by": "user",
    "validation_folds": 1,
    "transductive": False,
    "warning": None,
    "doubts": [],
    "calibrator": {"name": "stacking", "gamma": 0.3},
    "gamma": PLACE,
    "ZSL": 0.5,
    "S": 0.0,
    "U": 1.0,
    "H": 0.0,
    "harmonic_mean": 0.0,
    "oracle": PLACE | {"low": None, "high": None},
    "gap": {"gamma": 0.175, "harmonic_mean": 0.5},
    "curves": {"validation": CURVE, "test": CURVE},
}


def evaluation(changes: Mapping[str, Any]) -> Evaluation:
    """An evaluation with other values in some fields, and in fields of fields."""
    return Evaluation.model_validate(_changed(EVALUATION, changes))


def calibration(changes: Mapping[str, Any]) -> Calibration:
    """A calibration, likewise."""
    return Calibration.model_validate(_changed(CALIBRATION, changes))


def _changed(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: document[key] for key in changes if key in ("zsl", "gzsl", "classes")}
    return {**document, **changes, **{key: own[key] | changes[key] for key in own}}

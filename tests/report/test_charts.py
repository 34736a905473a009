"""Charts: the numbers in them, and that names are values in them and never part of a program."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from starcli.evaluation.calibrated_stacking import CurvePoints
from starcli.evaluation.report import Calibration
from starcli.figures.confusion import orders
from starcli.figures.space import Panel
from starcli.report.charts import gamma
from starcli.report.charts.confusion import confusion
from starcli.report.charts.space import points
from tests.documents import CALIBRATION

EVIL = "'];alert(1);['"
NAMES = ["a", EVIL, "c"]
SHARES: list[list[float | None]] = [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [None] * 3]


def programs(value: object) -> Iterator[str]:
    """Everything that Vega reads as an expression."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("expr", "calculate", "test", "labelExpr", "filter") and isinstance(
                inner, str
            ):
                yield inner
            yield from programs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from programs(inner)


def test_a_confusion_matrix_by_hand() -> None:
    ways = {"as they are": [0, 1, 2], "turned": [2, 0, 1]}
    chart = json.loads(json.dumps(confusion(NAMES, SHARES, [4, 2, 0], {(0, 1): ["x"]}, ways, 2)))
    found = {(each["true"], each["named"]): each for each in chart["data"]["values"]}
    assert {cell: each["clips"] for cell, each in found.items()} == {
        (0, 0): 2,
        (0, 1): 2,
        (1, 0): 2,
    }
    assert found[0, 1] == {"true": 0, "named": 1, "clips": 2, "of": 4, "share": 0.5, "names": ["x"]}
    params = {each["name"]: each["value"] for each in chart["params"]}
    assert params["labels"] == [NAMES, ["c", "a", EVIL]]
    for places, labels in zip(params["places"], params["labels"], strict=True):
        assert [labels[place] for place in places] == NAMES
    assert list(programs(chart))
    assert not any("alert" in program for program in programs(chart))


def test_orders_by_hand() -> None:
    """Classes 0 and 2 are taken for one another; 2 is never right, 0 half of the time."""
    shares: list[list[float | None]] = [[0.5, 0, 0.5], [0, 1, 0], [1, 0, 0]]
    first, confused, worst = orders(shares, "as they are").values()
    assert first == [0, 1, 2]
    assert abs(confused.index(0) - confused.index(2)) == 1
    assert worst == [2, 0, 1]


def test_points_tell_what_they_are() -> None:
    panel: Panel = {"points": [[0.0, 1.234], [2.0, 3.0]], "silhouette": None}
    told = [{"clip": "x"}, {"clip": "y"}]
    made = points("t", panel, NAMES, [1, 0], told, first=True, last=True)
    chart = json.loads(json.dumps(made))
    assert chart["data"]["values"][0] == {"x": 0, "y": 1.23, "class": EVIL, "clip": "x"}
    assert chart["params"][0]["bind"]["options"] == [None, *NAMES]
    assert not any("alert" in program for program in programs(chart))


def curve(steps: int, best: int) -> CurvePoints:
    values = tuple(1.0 if n == best else 0.5 for n in range(steps))
    gammas = tuple(float(n) for n in range(1, steps))
    return CurvePoints(
        breakpoints=gammas,
        seen_accuracy=values,
        unseen_accuracy=values,
        harmonic_mean=values,
        area=0,
    )


def test_steps_begin_where_the_curve_does_and_end_where_it_ends() -> None:
    rows = gamma._steps(curve(3, 1), -5, 9)
    assert [row["gamma"] for row in rows] == [-5, 1, 2, 9]
    assert [row["H"] for row in rows] == [50, 100, 50, 50]


def test_of_long_curves_the_best_step_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gamma, "STEPS", 10)
    rows = gamma._steps(curve(1000, 333), -5, 2000)
    assert len(rows) <= 14
    assert max(row["H"] for row in rows) == 100


def test_the_oracle_is_in_the_chart_of_test_clips_only() -> None:
    validation, test = gamma.gamma(Calibration.model_validate(CALIBRATION))
    assert "never a result" not in json.dumps(validation)
    assert "never a result" in json.dumps(test)

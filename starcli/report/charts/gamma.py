"""S, U and H over gamma."""

from __future__ import annotations

from math import ceil

from starcli.evaluation.calibrated_stacking import CurvePoints
from starcli.evaluation.report import Calibration
from starcli.figures.gamma_curve import LINES, USED
from starcli.report.charts.view import ZOOM, Chart, heading, view

STEPS = 400
"""Most steps of a curve."""
GAMMA = {"field": "gamma", "type": "quantitative", "title": "gamma"}


def gamma(run: Calibration) -> list[Chart]:
    """S, U and H over gamma, on the validation clips and on the test clips.

    Args:
        run: What its calibration found.
    """
    used, curves = run.calibrator.gamma, run.curves
    ends = [*curves.validation.breakpoints, *curves.test.breakpoints, used]
    margin = 0.05 * (max(ends) - min(ends)) or 1.0
    low, high = min(ends) - margin, max(ends) + margin
    chosen: Chart = {"gamma": used, "what": USED[run.selection]}
    oracle: Chart = {
        "gamma": run.oracle.gamma,
        "what": "best gamma on test (oracle, never a result)",
    }
    return [
        _curve("validation clips, which choose gamma", curves.validation, low, high, [chosen]),
        _curve("test clips, which choose nothing", curves.test, low, high, [chosen, oracle]),
    ]


def _curve(title: str, curve: CurvePoints, low: float, high: float, places: list[Chart]) -> Chart:
    domain = {"domain": [low, high], "nice": False, "zero": False}
    return view(
        240,
        title=heading(title),
        data={"values": _steps(curve, low, high)},
        encoding={"x": {**GAMMA, "scale": domain}},
        layer=[_lines(), _places(places), _told()],
        resolve={"scale": {"strokeDash": "independent"}},
    )


def _lines() -> Chart:
    """The staircases, which can be zoomed, and singled out in the legend."""
    measures, colours = [*"SUH"], [line[1] for line in LINES.values()]
    zoomed = {"type": "interval", "encodings": ["x"], "zoom": ZOOM}
    dashes = {"domain": measures, "range": [[1, 0], [6, 3], [1, 0]]}
    return {
        "transform": [{"fold": measures, "as": ["measure", "value"]}],
        "params": [
            {"name": "grid", "select": zoomed, "bind": "scales"},
            {"name": "shown", "select": {"type": "point", "fields": ["measure"]}, "bind": "legend"},
        ],
        "mark": {"type": "line", "interpolate": "step-after", "clip": True},
        "encoding": {
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": "accuracy, %",
                "scale": {"domain": [0, 100]},
            },
            "color": {
                "field": "measure",
                "scale": {"domain": measures, "range": colours},
                "legend": {"orient": "top", "title": None, "symbolType": "stroke"},
            },
            "strokeDash": {"field": "measure", "scale": dashes, "legend": None},
            "opacity": {"condition": {"param": "shown", "value": 1}, "value": 0.15},
        },
    }


def _places(places: list[Chart]) -> Chart:
    """The gamma in use, and the oracle's."""
    names = [place["what"] for place in places]
    legend = {"orient": "bottom", "title": None, "direction": "vertical", "labelLimit": 400}
    return {
        "data": {"values": places},
        "mark": {"type": "rule", "strokeWidth": 1.5, "clip": True},
        "encoding": {
            "x": GAMMA,
            "strokeDash": {
                "field": "what",
                "scale": {"domain": names, "range": [[1, 0], [2, 3]]},
                "legend": legend,
            },
            "tooltip": [{"field": "what", "title": "this is"}, {"field": "gamma", "format": ".3f"}],
        },
    }


def _told() -> Chart:
    """What the curves are at the pointer."""
    near = {
        "type": "point",
        "on": "pointerover",
        "clear": "pointerout",
        "nearest": True,
        "encodings": ["x"],
    }
    return {
        "params": [{"name": "near", "select": near}],
        "mark": {"type": "rule", "stroke": "gray", "clip": True},
        "encoding": {
            "opacity": {"condition": {"param": "near", "empty": False, "value": 0.6}, "value": 0},
            "tooltip": [
                {"field": "gamma", "format": ".3f"},
                *({"field": short, "format": ".1f"} for short in "SUH"),
            ],
        },
    }


def _steps(curve: CurvePoints, low: float, high: float) -> list[dict[str, float]]:
    """Where the steps of the curves begin, and the values from there on; the last once more."""
    starts = [low, *curve.breakpoints, high]
    lines = (curve.seen_accuracy, curve.unseen_accuracy, curve.harmonic_mean)
    total = len(curve.harmonic_mean)
    best = curve.harmonic_mean.index(max(curve.harmonic_mean))
    kept = sorted({*range(0, total, ceil(total / STEPS)), best, total - 1})
    rows = [(starts[n], *(line[n] for line in lines)) for n in kept]
    rows.append((high, *(line[-1] for line in lines)))
    return [
        {
            "gamma": round(start, 5),
            **{s: round(100 * v, 2) for s, v in zip("SUH", values, strict=True)},
        }
        for start, *values in rows
    ]

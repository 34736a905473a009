"""Clips and texts as points in the plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starcli.class_names import printable
from starcli.figures.space import Panel, look
from starcli.report.charts.view import Chart, heading, view

SHAPES = {
    "o": "circle",
    "^": "triangle-up",
    "s": "square",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "stroke",
}
"""The figures' markers by the names that Vega has for them."""


def points(
    title: str,
    panel: Panel,
    classes: Sequence[str],
    labels: Sequence[int],
    told: Sequence[Mapping[str, str]],
    *,
    first: bool,
    last: bool,
) -> Chart:
    """Points in the plane, of which those of one class can be set off.

    Args:
        title: What stands above them.
        panel: Where they lie.
        classes: Names of the classes.
        labels: Position in `classes` of each point's class.
        told: What is told of each point, with what it is called.
        first: Whether a class is chosen here for all the charts of the figure.
        last: Whether the legend is here.
    """
    names = [printable(name) for name in classes]
    values = [
        {"x": round(x, 2), "y": round(y, 2), "class": names[label], **facts}
        for (x, y), label, facts in zip(panel["points"], labels, told, strict=True)
    ]
    value = panel["silhouette"]
    return view(
        280,
        title=heading(title, "" if value is None else f"silhouette {value:.2f}"),
        data={"values": values},
        params=[_chosen(names, first=first)],
        mark={"type": "point", "filled": True, "strokeWidth": 2},
        encoding={
            **{axis: _place(axis) for axis in "xy"},
            **_looks(names, legend=last),
            # The text of a class's name is large.
            "size": {"condition": {"test": "datum.text == 'name'", "value": 160}, "value": 45},
            "opacity": {
                "condition": {"test": "chosen == null || chosen == datum['class']", "value": 0.85},
                "value": 0.08,
            },
            "tooltip": [{"field": key} for key in ("class", *(told[0] if told else ()))],
        },
        usermeta={"kind": "points"},
    )


def _place(axis: str) -> Chart:
    scale = {"zero": False, "nice": False, "padding": 12}
    return {"field": axis, "type": "quantitative", "axis": None, "scale": scale}


def _chosen(names: Sequence[str], *, first: bool) -> Chart:
    """The class that is set off."""
    choice = {
        "input": "select",
        "options": [None, *names],
        "labels": ["all", *names],
        "name": "Class ",
    }
    return {"name": "chosen", "value": None, **({"bind": choice} if first else {})}


def _looks(names: Sequence[str], *, legend: bool) -> Chart:
    """Colour and shape of each class, as in the figure."""
    looks = [look(n) for n in range(len(names))]
    below = {"orient": "bottom", "title": None, "columns": 1, "labelLimit": 300}
    ranges = {
        "color": [each["color"] for each in looks],
        "shape": [SHAPES[each["marker"]] for each in looks],
    }
    return {
        channel: {
            "field": "class",
            "scale": {"domain": [*names], "range": own},
            "legend": below if legend else None,
        }
        for channel, own in ranges.items()
    }

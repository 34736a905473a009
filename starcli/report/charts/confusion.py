"""The confusion matrix: it can be sorted and zoomed, and its cells tell their clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starcli.class_names import printable
from starcli.figures.confusion import Shares
from starcli.figures.style import COLOURS
from starcli.report.charts.view import ZOOM, Chart, view

CELL, LEAST, MOST = 26, 220, 620
"""Pixels of a cell, and of all of them from top to bottom."""
Cells = Mapping[tuple[int, int], Sequence[str]]
"""Positions of a true class and of the one that is named -> names of clips."""


def confusion(
    classes: Sequence[str],
    shares: Shares,
    clips: Sequence[int],
    cells: Cells,
    orders: Mapping[str, Sequence[int]],
    seen: int = 0,
) -> Chart:
    """A confusion matrix that can be sorted and zoomed, and whose cells tell their clips.

    Args:
        classes: Names of the classes.
        shares: A row per true class.
        clips: Clips of each class.
        cells: Names of clips.
        orders: What an order is called -> positions in `classes`, the first first.
        seen: So many classes come first in the first order and are set off by lines.
    """
    names = [printable(name) for name in classes]
    lines = [_line(axis, seen) for axis in "xy"] if 0 < seen < len(names) else []
    return view(
        max(LEAST, min(CELL * len(names), MOST)),
        params=_params(names, orders),
        data={"values": _values(shares, clips, cells)},
        layer=[_cells(len(names)), _numbers(), _cursor(), *lines],
        usermeta={"kind": "confusion", "classes": names, "orders": [*orders.values()]},
    )


def _params(names: Sequence[str], orders: Mapping[str, Sequence[int]]) -> list[Chart]:
    """The order of classes, which can be chosen, and the cell that keys are at."""
    numbers = [*range(len(orders))]
    choice = {"input": "select", "options": numbers, "labels": [*orders], "name": "Order "}
    return [
        {"name": "by", "value": 0, **({"bind": choice} if len(orders) > 1 else {})},
        {"name": "places", "value": [_places(order) for order in orders.values()]},
        {"name": "labels", "value": [[names[c] for c in order] for order in orders.values()]},
        {"name": "here", "value": None},
    ]


def _values(shares: Shares, clips: Sequence[int], cells: Cells) -> list[Chart]:
    """The cells that are not empty."""
    return [
        {
            "true": true,
            "named": named,
            "clips": round(share * clips[true]),
            "of": clips[true],
            "share": round(share, 4),
            "names": [printable(name) for name in cells.get((true, named), ())],
        }
        for true, row in enumerate(shares)
        for named, share in enumerate(row)
        if share
    ]


def _places(order: Sequence[int]) -> list[int]:
    """Class -> its place in an order."""
    return [place for _, place in sorted((c, place) for place, c in enumerate(order))]


def _placed(true: str, named: str) -> list[Chart]:
    """Where a cell lies in the order that is chosen."""
    return [
        {"calculate": f"places[by][{true}]", "as": "row"},
        {"calculate": f"places[by][{named}]", "as": "column"},
        {"calculate": "datum.row + 1", "as": "below"},
        {"calculate": "datum.column + 1", "as": "beside"},
        {"calculate": "datum.row + 0.5", "as": "y"},
        {"calculate": "datum.column + 0.5", "as": "x"},
    ]


def _axis(field: str, count: int, title: str) -> Chart:
    size = "width / span(domain('x'))" if field == "column" else "height / span(domain('y'))"
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"domain": [0, count], "nice": False, "zero": False, "reverse": field == "row"},
        "axis": {
            "title": title,
            "values": [place + 0.5 for place in range(count)],
            "tickCount": count,  # else every second one is left out
            "labelExpr": "labels[by][floor(datum.value)]",
            "labelAngle": -90 if field == "column" else 0,
            "labelLimit": 150,
            # Small rather than left out: zooming makes them large.
            "labelOverlap": False,
            "labelFontSize": {"expr": f"clamp(0.8 * {size}, 3, 11)"},
            "grid": False,
            "ticks": False,
        },
    }


def _cells(count: int) -> Chart:
    scale = {"domain": [0, 1], "scheme": "blues"}
    legend = {"title": "share of clips", "format": ".0%", "orient": "top"}
    return {
        "transform": [
            *_placed("datum.true", "datum.named"),
            {"calculate": "labels[by][datum.row]", "as": "class"},
            {"calculate": "labels[by][datum.column]", "as": "named_as"},
            {"calculate": "datum.clips + ' of ' + datum.of", "as": "counted"},
        ],
        "params": [
            {"name": "grid", "select": {"type": "interval", "zoom": ZOOM}, "bind": "scales"}
        ],
        "mark": {"type": "rect", "clip": True, "cursor": "pointer"},
        "encoding": {
            "x": _axis("column", count, "named as"),
            "x2": {"field": "beside"},
            "y": _axis("row", count, "true class"),
            "y2": {"field": "below"},
            "color": {"field": "share", "type": "quantitative", "scale": scale, "legend": legend},
            "tooltip": [
                {"field": "class"},
                {"field": "named_as", "title": "named as"},
                {"field": "counted", "title": "clips"},
                {"field": "share", "format": ".1%"},
            ],
        },
    }


def _numbers() -> Chart:
    """Percent in cells that are large enough for them."""
    size = "min(width / span(domain('x')), height / span(domain('y')))"
    return {
        "transform": [*_placed("datum.true", "datum.named"), {"filter": "datum.share >= 0.005"}],
        "mark": {
            "type": "text",
            "clip": True,
            "cursor": "pointer",
            "fontSize": {"expr": f"clamp({size} * 0.42, 7, 13)"},
            "opacity": {"expr": f"{size} < 16 ? 0 : 1"},
        },
        "encoding": {
            "x": {"field": "x", "type": "quantitative"},
            "y": {"field": "y", "type": "quantitative"},
            "text": {"field": "share", "format": ".0%"},
            "color": {
                "condition": {"test": "datum.share > 0.55", "value": "white"},
                "value": "black",
            },
        },
    }


def _cursor() -> Chart:
    """The cell that keys are at."""
    return {
        "data": {"values": [{}]},
        "transform": [{"filter": "here != null"}, *_placed("here.true", "here.named")],
        "mark": {
            "type": "rect",
            "clip": True,
            "fill": None,
            "stroke": COLOURS[1],
            "strokeWidth": 2.5,
        },
        "encoding": {
            "x": {"field": "column", "type": "quantitative"},
            "x2": {"field": "beside"},
            "y": {"field": "row", "type": "quantitative"},
            "y2": {"field": "below"},
        },
    }


def _line(axis: str, seen: int) -> Chart:
    """Between the seen classes and the unseen ones, in the first order."""
    return {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "clip": True, "opacity": {"expr": "by == 0 ? 1 : 0"}},
        "encoding": {axis: {"datum": seen, "type": "quantitative"}},
    }

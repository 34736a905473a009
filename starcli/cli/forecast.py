"""What `starcli benchmark --dry-run` prints: what is to run, about how long, and the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from starcli.errors import one_line

if TYPE_CHECKING:
    from starcli.benchmark.fields import NotDone
    from starcli.benchmark.forecast import CostFields, Forecast
    from starcli.benchmark.grid import Cell
    from starcli.benchmark.table import Table

Published = dict[str, dict[str, dict[str, float | None]]]
"""Data set, protocol and split -> row -> measure -> the paper's number, as a fraction."""


def print_forecast(
    table: Table, chosen: Sequence[Cell], config: Path | None, as_json: bool
) -> None:
    """Print what is cached, what runs, and about how long and large it is.

    Of cells without recordings, or like which none ran, it is an order of magnitude.

    Args:
        table: The table, whose paper's numbers are printed too.
        chosen: Its cells.
        config: A settings file; None for `starcli.toml` where there is one.
        as_json: Print one JSON document.
    """
    from starcli.benchmark import blocks, forecast
    from starcli.benchmark.magnitude import magnitude
    from starcli.benchmark.runner import Runner
    from starcli.cli import console
    from starcli.cli.output import print_document

    rows, total = forecast.forecast(chosen, Runner(config).open)
    unlike = [cell for cell, row in zip(chosen, rows, strict=True) if _is_unknown(row)]
    rough = magnitude(unlike, config) if unlike else None
    paper = published(table)
    if as_json:
        print_document(
            {
                "ok": True,
                "table": table.name,
                "cells": rows,
                "total": total.document(),
                "rough_seconds": rough,
                "paper": paper,
            }
        )
        return
    _print_cells(table, rows, total.document())
    for title, numbers in paper.items():
        measures = list(next(iter(numbers.values())))
        lines = [(row, *map(_percent, own.values())) for row, own in numbers.items()]
        console.table(f"in the paper, %: {title}", ("method", *measures), lines)
    if rough is not None:
        _print_rough(rough, f"{len(unlike)} of {len(rows)}")
    errors = [r["error"] for r in rows if r["status"] == "failed" or r["status"] == "absent"]
    for reason in sorted(set(map(blocks.reason, errors))):
        print(one_line(reason))


def _is_unknown(row: Forecast | NotDone) -> bool:
    """Whether nobody can plan a run, or nothing similar to one of its steps ever ran."""
    if row["status"] == "absent":
        return True
    return row["status"] == "run" and row["unknown_steps"] > 0


def published(table: Table) -> Published:
    """What the paper has for the rows of a table."""
    found: Published = {}
    if table.published is None:
        return found
    for column in table.columns:
        if column not in table.published.columns:
            continue
        place = f"{column.dataset}, {column.protocol}, {column.split}"
        for row in table.rows:
            if row in table.published.rows:
                value = table.published.value(row, column)
                of_row = found.setdefault(place, {}).setdefault(row, {})
                of_row[_measure(column.measure)] = None if value != value else round(value / 100, 4)
    return found


def _measure(name: str) -> str:
    from starcli.benchmark.fields import MEASURES

    return MEASURES[name]


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.1f}"


def _print_cells(table: Table, rows: Sequence[Forecast | NotDone], total: CostFields) -> None:
    """The runs that can be planned, and their sum; nothing where recordings are absent of all."""
    from starcli.cli import console

    lines = [(*_named(row), *_left(row)) for row in rows if row["status"] != "absent"]
    if lines:
        lines.append(("all", "", "", *_cost(total)))
        console.table(table.title, ("row", "on", "seed", "to do", "time", "disk"), lines)
    else:
        print(one_line(table.title))


def _print_rough(rough: Mapping[str, float], count: str) -> None:
    """About how long runs take like which none ran here."""
    from starcli.cli import console

    title = f"about, for {count} runs, like which none ran here"
    console.table(title, ("on", "time"), [(on, _about(each)) for on, each in rough.items()])
    print("An order of magnitude: only the core was measured, the others are assumed.")


def _about(seconds: float) -> str:
    """A time with one digit that counts."""
    minutes = max(1, round(seconds / 60))
    for longest, unit, name in ((120, 1, "min"), (2880, 60, "h")):
        if minutes < longest:
            return f"{_one_digit(minutes / unit)} {name}"
    return f"{_one_digit(minutes / 1440)} days"


def _one_digit(number: float) -> int:
    return int(float(f"{number:.0e}"))


def _named(row: Forecast | NotDone) -> tuple[str, str, str]:
    where = " ".join((row["dataset"], row["protocol"], row["split"]))
    return row["row"], where, str(row["seed"])


def _left(row: Forecast | NotDone) -> tuple[str, str, str]:
    """What is to do for a row, and what it takes."""
    if row["status"] == "run" or row["status"] == "cached":
        steps, time, disk = _cost(row)
        return steps or ("shared" if row["status"] == "run" else "cached"), time, disk
    return row["status"], "", ""


def _cost(cost: CostFields) -> tuple[str, str, str]:
    """Steps that are counted here, their time and size; a step like none before is not known."""
    from starcli.cli.output import duration, size

    if not cost["steps"]:
        return "", "", ""
    seconds, count = cost["seconds"], cost["bytes"]
    steps = f"{cost['steps']} steps"
    if seconds is None or count is None:
        return steps, "unknown", "unknown"
    more = f" + {cost['unknown_steps']} unknown" if cost["unknown_steps"] else ""
    return steps, duration(seconds) + more, size(count) + more

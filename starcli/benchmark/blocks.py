"""The result of a benchmark as blocks of cells, with what stands below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starcli.benchmark import grid
from starcli.benchmark.fields import MEASURES, Document, Value
from starcli.errors import ErrorFields

OF_NAMING = {
    "top1": "top-1",
    "by_class": "by class",
    "top5": "top-5",
    "frequent": "most frequent",
}


COMPARED = ("zsl", "H", "top1", "by_class")
"""Measures whose differences have tables of their own; files have those of all."""
Title = tuple[str, str]
"""Data set and protocol, and the mean of which splits."""


@dataclass(frozen=True)
class Block:
    """What was measured on one data set, protocol and mean of splits, or how rows differ there.

    Args:
        title: These three.
        head: Titles of the columns.
        rows: Their texts, of a row's label and every value.
        bold: Places in `rows`, row and column, of the highest values, or of what differs.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bold: frozenset[tuple[int, int]]


def blocks(document: Document) -> list[Block]:
    """The values of a document, those of one data set, protocol and mean of splits together.

    After each block, and the mean over all, stand the differences from the highest row.
    """
    found = []
    for title, columns in {**columns_by_title(document), **overall_columns(document)}.items():
        found.append(_block(document, ", ".join(title), columns))
        for values in compared(document, columns):
            head, texts, bold = differences(values)
            found.append(
                Block(
                    f"{', '.join(title)}: {_title(values[0]['measure'])}",
                    ("method", *head),
                    tuple(zip(document["rows"], *texts, strict=True)),
                    frozenset((row, column + 1) for row, column in bold),
                )
            )
    return found


def columns_by_title(document: Document) -> dict[Title, list[list[Value]]]:
    """Title of a block -> the values of each of its columns, from the first row to the last.

    A result by fold has a block for each measure, with a column for each split and their mean.
    """
    by_title: dict[Title, list[list[Value]]] = {}
    for number, column in enumerate(document["columns"]):
        splits = column["split"].split("+")
        where = splits[0] if len(splits) == 1 else f"mean of {', '.join(splits)}"
        if document.get("by_fold"):
            where = f"{MEASURES[column['measure']]} by fold"
        title = f"{column['dataset']}, {column['protocol']}", where
        values = document["values"][number :: len(document["columns"])]
        by_title.setdefault(title, []).append(values)
    return by_title


def overall_columns(document: Document) -> dict[Title, list[list[Value]]]:
    """The same of the means over all columns, where there are any."""
    values, rows = document["overall"], len(document["rows"])
    if not values or document.get("by_fold"):
        return {}
    above = len(columns_by_title(document))
    columns = [values[start : start + rows] for start in range(0, len(values), rows)]
    return {("all", f"mean of the {above} above"): columns}


def compared(document: Document, columns: Sequence[list[Value]]) -> list[list[Value]]:
    """Those of some columns whose differences have tables; none in a result by fold."""
    return [
        values
        for values in columns
        if values[0]["measure"] in COMPARED
        and any(value["against"] for value in values)
        and not document.get("by_fold")
    ]


def differences(
    values: Sequence[Value],
) -> tuple[list[str], list[list[str]], list[tuple[int, int]]]:
    """Titles and texts of columns that say how rows differ, and where intervals exclude zero."""
    (against,) = {value["against"] for value in values if value["against"]}
    texts = [
        [_signed(value["difference"]) for value in values],
        [_interval(value) for value in values],
        [percent(value["std"]) for value in values],
        [percent(value["std_folds"]) for value in values],
    ]
    bold = [(row, 1) for row, value in enumerate(values) if _differs(value)]
    return [f"minus {against}", "interval", "± seeds", "± folds"], texts, bold


def _differs(value: Value) -> bool:
    low, high = value["low"], value["high"]
    return low is not None and high is not None and (low > 0 or high < 0)


def _signed(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:+.1f}"


def _interval(value: Value) -> str:
    if value["low"] is None:
        return "-"
    return f"{_signed(value['low'])} to {_signed(value['high'])}"


def _block(document: Document, title: str, measures: Sequence[Sequence[Value]]) -> Block:
    head, columns, bold = ["method"], [list(document["rows"])], set()
    marks = warnings(document)
    for values in measures:
        name = column_name(document, values[0])
        bold |= {(row, len(head)) for row, value in enumerate(values) if value["best"]}
        head.append(name)
        columns.append([_beside_paper(value, marks) for value in values])
    if any(value["paper"] is not None for values in measures for value in values):
        title = f"{title}, ours (the paper's)"
    return Block(title, tuple(head), tuple(zip(*columns, strict=True)), frozenset(bold))


def column_name(document: Document, value: Value) -> str:
    """What a column is called: its measure, or in a result by fold its split."""
    if not document.get("by_fold"):
        return _title(value["measure"])
    return "mean" if "+" in value["split"] else str(value["split"])


def _title(measure: str) -> str:
    """What a measure is called above a column."""
    return OF_NAMING.get(measure, MEASURES[measure])


def percent(fraction: float | None) -> str:
    """A fraction in percent; a dash where there is none."""
    return "-" if fraction is None else f"{100 * fraction:.1f}"


def text(value: Value, marks: Mapping[str, int]) -> str:
    """A value in percent with its deviation over seeds, and the number of what it must admit."""
    told = percent(value["mean"])
    if value["std"] is not None:
        told += f" ± {100 * value['std']:.1f}"
    return f"{told} [{marks[value['warning']]}]" if value["warning"] else told


def _beside_paper(value: Value, marks: Mapping[str, int]) -> str:
    """A value, and in brackets the paper's."""
    own, paper = text(value, marks), value["paper"]
    return own if paper is None else f"{own} ({percent(paper)})"


def warnings(document: Document) -> dict[str, int]:
    """What values must admit -> number of its note."""
    values = (*document["values"], *document["overall"])
    admitted = dict.fromkeys(v["warning"] for v in values if v["warning"])
    return {warning: number for number, warning in enumerate(admitted, 1)}


def notes(document: Document) -> list[str]:
    """What stands below the tables: how the numbers came about, and why some are missing."""
    done = [cell for cell in document["cells"] if cell["status"] == "done"]
    many, seeds = len(document["seeds"]) > 1, ", ".join(map(str, document["seeds"]))
    over = "mean ± sample standard deviation over seeds" if many else "seed"
    lines = [f"Percent; {over} {seeds}. {_of_measures(document)}", *_of_differences(document)]
    lines += _of_names(document)
    lines += [f"{how[:1].upper()}{how[1:]}." for how in sorted({c["selected_by"] for c in done})]
    for what, used in (
        ("Backbone", {cell["backbone"] for cell in done}),
        ("Text encoder", {cell["encoder"] for cell in done}),
        ("Texts", {cell["describer"] for cell in done}),
    ):
        lines += [f"{what}: {', '.join(sorted(used))}."] if used else []
    if any(number is not None for row in document["paper"] for number in row):
        lines.append("The paper's: as published, with its own backbone, texts and training.")
    lines += [f"[{number}] {warning}" for warning, number in warnings(document).items()]
    return lines + missing(document)


def _of_differences(document: Document) -> list[str]:
    """What bold and intervals mean."""
    if not any(value["against"] for value in document["values"]):
        return []
    told = (
        "Intervals are of 95 % for all rows of a column together, paired by split, seed and clip; "
        "± folds: single splits lie so far apart."
    )
    if len(document["seeds"]) == 1:
        return [f"{told} Nothing is best: one seed does not tell what training varies."]
    return [f"{told} Bold: the best of a column, where no interval of another row has zero in it."]


def _of_measures(document: Document) -> str:
    """What the measures of a document mean."""
    if {column["measure"] for column in document["columns"]} <= set(OF_NAMING):
        return (
            "Every clip is named among the target's names: by class is the mean over these, most "
            "frequent the share of clips that are given the name that is given most."
        )
    return "ZSL chooses among the unseen classes, S, U and H among all."


def _of_names(document: Document) -> list[str]:
    """Which name each run gives most, and how many classes and movements it had to do without."""
    lines = []
    for cell in document["cells"]:
        if cell["status"] == "done" and "most_frequent" in cell:
            left, movements = len(cell["left_out"]), len(cell["left_out_movements"])
            lines.append(
                f"{grid.title(cell)}: {percent(cell['frequent'])} % are named "
                f"'{cell['most_frequent']}'; {left} classes and {movements} movements left out."
            )
    return lines


def missing(document: Document) -> list[str]:
    """Why cells are empty, each reason once, with their number and the first."""
    reasons: dict[str, list[str]] = {}
    for cell in document["cells"]:
        if cell["status"] != "done":
            failed = "failed: " if cell["status"] == "failed" else ""
            reasons.setdefault(failed + reason(cell["error"]), []).append(grid.title(cell))
    for names in document["not_run"]:
        reasons.setdefault("not run", []).append(grid.title(names))
    total = len(document["cells"]) + len(document["not_run"])
    return [
        f"Empty, {len(titles)} of {total} runs (first {titles[0]}): {why}"
        for why, titles in reasons.items()
    ]


def reason(error: ErrorFields) -> str:
    """An error of a cell in one line."""
    place = f"{error['file']}: " if error["file"] else ""
    return f"{place}{error['message']}; {error['fix']}"

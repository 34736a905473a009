"""The result of a benchmark: its cells' results, and each row's mean beside the paper's number.

The document stands on its own, so that parts which ran elsewhere can be merged without the table.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Literal, NotRequired, Self, TypedDict, final

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from starcli import files
from starcli.benchmark.grid import Names, title
from starcli.benchmark.paper import Column
from starcli.benchmark.table import OF_TARGETS, Table
from starcli.errors import DataError, ErrorFields
from starcli.evaluation.naming import Naming
from starcli.report.document import Measures

MEASURES: Mapping[str, str] = {
    **{"zsl": "ZSL", "S": "S", "U": "U", "H": "H"},
    **{name: name for name in OF_TARGETS},
}
"""Measure of a column -> the same in results."""


@final
class Done(Names, Measures):
    """How good a cell is, how that was chosen, and what it must admit."""

    status: Literal["done"]
    run: str
    key: str
    recordings: str
    backbone: str
    encoder: str
    describer: str
    method: str
    parts: int
    selected_by: str
    epochs: int
    gamma: float
    warning: str | None


@final
class Transferred(Names, Naming):
    """How well a target's clips are named, by what was learned from which sources without what."""

    status: Literal["done"]
    run: str
    key: str
    recordings: str
    sources: list[str]
    left_out: list[str]
    left_out_movements: list[str]
    backbone: str
    encoder: str
    describer: str
    method: str
    parts: int
    selected_by: str
    warning: str | None


class Failure(TypedDict):
    """Why a cell has no result: it failed, or its recordings are absent."""

    status: Literal["failed", "absent"]
    error: ErrorFields


class NotDone(Names, Failure):
    """A cell that has no result."""


Result = Done | Transferred | NotDone


class ColumnFields(TypedDict):
    """A `Column`."""

    dataset: str
    protocol: str
    split: str
    measure: str


class Value(ColumnFields):
    """What a row has in a column, as fractions, and whether no other row has more."""

    row: str
    mean: float | None
    std: float | None
    best: bool
    warning: str | None
    paper: float | None


class About(TypedDict):
    """What was compared, and the paper's numbers [rows, columns] as fractions."""

    ok: bool
    table: Annotated[Line, Field(pattern=r"^[^/\\]+$")]
    title: Line
    recipe: str
    seeds: list[int]
    rows: list[Line]
    columns: list[ColumnFields]
    paper: list[list[float | None]]


class Document(About):
    """The result of a benchmark, with its values row by row."""

    values: list[Value]
    cells: list[Result]
    not_run: list[Names]
    by_fold: NotRequired[bool]


OF_TABLE = tuple(About.__annotations__)
Cells = Mapping[tuple[str, str, str, str, int], Result]
"""Results by row, data set, protocol, split and seed."""


def document(table: Table, recipe: str, results: Iterable[Result]) -> Document:
    """The document of a benchmark's results.

    Args:
        table: What was compared.
        recipe: What identifies all that it computes.
        results: Of its cells, or of some of them.
    """
    paper = [[table.paper(row, column) for column in table.columns] for row in table.rows]
    about: About = {
        "ok": True,
        "table": table.name,
        "title": table.title,
        "recipe": recipe,
        "seeds": list(table.seeds),
        "rows": list(table.rows),
        "columns": [_fields(column) for column in table.columns],
        "paper": [[None if math.isnan(n) else n / 100 for n in row] for row in paper],
    }
    return summarised(about, results)


def _fields(column: Column) -> ColumnFields:
    return {
        "dataset": column.dataset,
        "protocol": column.protocol,
        "split": column.split,
        "measure": column.measure,
    }


def summarised(about: About, results: Iterable[Result]) -> Document:
    """A document whose values come from these results."""
    cells = {_place(result): result for result in results}
    expected = [
        Names(row=row, dataset=dataset, protocol=protocol, split=split, seed=seed)
        for dataset, protocol, split in _places(about)
        for seed in about["seeds"]
        for row in about["rows"]
    ]
    values = [
        _value(about, cells, row, Column(**column), about["paper"][i][j])
        for i, row in enumerate(about["rows"])
        for j, column in enumerate(about["columns"])
    ]
    _mark_best(values)
    return {
        "ok": about["ok"],
        "table": about["table"],
        "title": about["title"],
        "recipe": about["recipe"],
        "seeds": about["seeds"],
        "rows": about["rows"],
        "columns": about["columns"],
        "paper": about["paper"],
        "values": values,
        "cells": [cells[_place(names)] for names in expected if _place(names) in cells],
        "not_run": [names for names in expected if _place(names) not in cells],
    }


def by_fold(document: Document) -> Document:
    """The same result with a column for each split of a mean before the mean itself."""
    columns: dict[Column, list[float | None]] = {}
    for number, fields in enumerate(document["columns"]):
        column = Column(**fields)
        for split in column.split.split("+"):
            columns.setdefault(column._replace(split=split), [None] * len(document["rows"]))
        columns[column] = [row[number] for row in document["paper"]]
    about = document.copy()
    about["columns"] = [_fields(column) for column in columns]
    about["paper"] = [list(row) for row in zip(*columns.values(), strict=True)]
    return {**summarised(about, document["cells"]), "by_fold": True}


def _place(cell: Names | Result) -> tuple[str, str, str, str, int]:
    return cell["row"], cell["dataset"], cell["protocol"], cell["split"], cell["seed"]


def _places(about: About) -> list[tuple[str, str, str]]:
    return [
        *dict.fromkeys(
            (c["dataset"], c["protocol"], split)
            for c in about["columns"]
            for split in c["split"].split("+")
        )
    ]


def _value(about: About, cells: Cells, row: str, column: Column, paper: float | None) -> Value:
    """Mean over splits, then mean and deviation over seeds; none unless every cell is done."""
    splits = column.split.split("+")
    by_seed = [
        [cells.get((row, column.dataset, column.protocol, split, seed)) for split in splits]
        for seed in about["seeds"]
    ]
    done = [[cell for cell in one if cell and cell["status"] == "done"] for one in by_seed]
    warnings = {cell["warning"] for one in done for cell in one if cell["warning"]}
    means = []
    if all(len(one) == len(splits) for one in done):
        means = [mean(_measured(cell, column.measure) for cell in one) for one in done]
    return {
        "row": row,
        **_fields(column),
        "mean": mean(means) if means else None,
        "std": stdev(means) if len(means) > 1 else None,
        "best": False,
        "warning": "; ".join(sorted(warnings)) or None,
        "paper": paper,
    }


def _measured(cell: Done | Transferred, measure: str) -> float:
    fields: Mapping[str, object] = cell
    value = fields[MEASURES[measure]]
    assert isinstance(value, float)
    return value


def _mark_best(values: Sequence[Value]) -> None:
    """Mark the highest of every column; what must admit something competes with nothing."""
    columns: dict[Column, list[tuple[float, Value]]] = {}
    for value in values:
        if value["mean"] is None or value["measure"] == "frequent":
            continue
        if value["warning"] is None:
            column = Column(value["dataset"], value["protocol"], value["split"], value["measure"])
            columns.setdefault(column, []).append((value["mean"], value))
    for competing in columns.values():
        highest = max(accuracy for accuracy, _ in competing)
        for accuracy, value in competing:
            value["best"] = accuracy == highest


def merged(paths: Sequence[Path]) -> Document:
    """The document of parts that ran apart.

    Args:
        paths: Their files.

    Raises:
        DataError: One is not such a document; they are of different tables, settings or recordings;
            a cell is in two of them.
    """
    parts = [(path, _part(path)) for path in paths]
    first, about = parts[0]
    results: dict[tuple[str, str, str, str, int], Result] = {}
    for path, part in parts:
        if different := _differences(part, about):
            raise DataError(
                f"differs from {first} in {', '.join(different)}",
                "merge parts of one table and one set of settings",
                file=path,
            )
        for result in part["cells"]:
            if _place(result) in results:
                raise DataError(
                    f"duplicate cell, {title(result)}, is also in an earlier file",
                    "name each part once",
                    file=path,
                )
            results[_place(result)] = result
    _require_same_recordings(results.values())
    return summarised(about, results.values())


def _differences(part: Mapping[str, object], about: Mapping[str, object]) -> list[str]:
    return [key for key in OF_TABLE if part[key] != about[key]]


def _printable(text: str) -> str:
    """A text that terminals and tables can take as it is."""
    if text.isprintable():
        return text
    raise ValueError("is not one line of plain characters")


Line = Annotated[str, AfterValidator(_printable)]


class _Run(BaseModel):
    row: Line
    dataset: Line
    protocol: Line
    split: Line
    seed: int


class _Done(_Run):
    status: Literal["done"]
    recordings: str
    warning: Line | None
    ZSL: float
    S: float
    U: float
    H: float


class _Transferred(_Run):
    status: Literal["done"]
    recordings: str
    warning: Line | None
    top1: float
    by_class: float
    top5: float
    frequent: float
    most_frequent: Line


class _NotDone(_Run):
    status: Literal["failed", "absent"]
    error: dict[str, object]


class _Column(BaseModel):
    dataset: Line
    protocol: Line
    split: Line
    measure: Line


class _Part(BaseModel):
    """What is read of a file to merge."""

    ok: bool
    table: Annotated[Line, Field(pattern=r"^[^/\\]+$")]
    title: Line
    recipe: str
    seeds: list[int]
    rows: list[Line]
    columns: list[_Column]
    paper: list[list[float | None]]
    cells: list[_Done | _Transferred | _NotDone]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        measures = all(column.measure in MEASURES for column in self.columns)
        lengths = [len(row) for row in self.paper]
        if measures and lengths == [len(self.columns)] * len(self.rows):
            return self
        raise ValueError("its measures are not known, or its paper is of other rows and columns")


def _part(path: Path) -> Document:
    content: Document = files.strict_json(path)
    try:
        _Part.model_validate(content)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "it"
        raise DataError(
            f"is not a result of starcli benchmark, see {where}",
            "name files that --shard wrote",
            file=path,
        ) from error
    return content


def _require_same_recordings(results: Iterable[Result]) -> None:
    known: dict[str, str] = {}
    for result in results:
        if result["status"] == "done":
            there = known.setdefault(result["dataset"], result["recordings"])
            if there != result["recordings"]:
                raise DataError(
                    f"the parts read different recordings of {result['dataset']}",
                    "run them on the same ones",
                )

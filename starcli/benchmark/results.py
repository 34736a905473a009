"""The result of a benchmark: its cells' results, and each row's mean beside the paper's number.

The document stands on its own, so that parts which ran elsewhere can be merged without the table.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from starcli import files
from starcli.benchmark.fields import MEASURES, About, ColumnFields, Document, Place, Result, Value
from starcli.benchmark.grid import Names, title
from starcli.benchmark.paper import Column
from starcli.benchmark.statistics import Comparison
from starcli.benchmark.table import Table
from starcli.errors import DataError
from starcli.evaluation.statistics import clips

OF_TABLE = tuple(About.__annotations__)


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


def summarised(
    about: About, results: Iterable[Result], overall: list[Value] | None = None
) -> Document:
    """A document whose values come from these results.

    Args:
        about: What was compared.
        results: Of its cells, or of some of them.
        overall: Means over all columns, where they are known.
    """
    cells = {_place(result): result for result in results}
    expected = [
        Names(row=row, dataset=dataset, protocol=protocol, split=split, seed=seed)
        for dataset, protocol, split in _places(about)
        for seed in about["seeds"]
        for row in about["rows"]
    ]
    comparison = Comparison(about, cells)
    return {
        "ok": about["ok"],
        "table": about["table"],
        "title": about["title"],
        "recipe": about["recipe"],
        "seeds": about["seeds"],
        "rows": about["rows"],
        "columns": about["columns"],
        "paper": about["paper"],
        "values": comparison.values(),
        "overall": comparison.overall() if overall is None else overall,
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
    return {**summarised(about, document["cells"], document["overall"]), "by_fold": True}


def _place(cell: Names | Result) -> Place:
    return cell["row"], cell["dataset"], cell["protocol"], cell["split"], cell["seed"]


def _places(about: About) -> list[tuple[str, str, str]]:
    return [
        *dict.fromkeys(
            (c["dataset"], c["protocol"], split)
            for c in about["columns"]
            for split in c["split"].split("+")
        )
    ]


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
    results: dict[Place, Result] = {}
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


_Digits = Annotated[dict[str, Annotated[str, Field(pattern="^[01]+$")]], Field(min_length=1)]


class _OfClasses(BaseModel):
    zsl: _Digits
    gzsl: _Digits


class _OfNames(BaseModel):
    top1: _Digits
    top5: _Digits


class _Done(_Run):
    status: Literal["done"]
    recordings: str
    warning: Line | None
    right: _OfClasses
    ZSL: float
    S: float
    U: float
    H: float


class _Transferred(_Run):
    status: Literal["done"]
    recordings: str
    warning: Line | None
    right: _OfNames
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
    tested: dict[tuple[str, str, str], object] = {}
    for result in results:
        if result["status"] != "done":
            continue
        place = result["dataset"], result["protocol"], result["split"]
        own = clips(result["right"])
        same = known.setdefault(result["dataset"], result["recordings"]) == result["recordings"]
        if not same or tested.setdefault(place, own) != own:
            raise DataError(
                f"the parts read different recordings of {result['dataset']}",
                "run them on the same ones",
            )

"""The result of a benchmark: its cells' results, and each row's mean beside the paper's number.

The document stands on its own, so that parts which ran elsewhere can be merged without the table.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from starcli import files
from starcli.benchmark.grid import NAMES, title
from starcli.benchmark.paper import Column
from starcli.benchmark.table import Table
from starcli.errors import DataError

Document = dict[str, Any]
MEASURES = {"zsl": "ZSL", "S": "S", "U": "U", "H": "H"}
"""Measure of a column -> the same in results."""
OF_TABLE = ("ok", "table", "title", "recipe", "seeds", "rows", "columns", "paper")


def document(table: Table, recipe: str, results: Iterable[Mapping[str, Any]]) -> Document:
    """The document of a benchmark's results.

    Args:
        table: What was compared.
        recipe: What identifies all that it computes.
        results: Of its cells, or of some of them.
    """
    paper = [[table.paper(row, column) for column in table.columns] for row in table.rows]
    about = {
        "ok": True,
        "table": table.name,
        "title": table.title,
        "recipe": recipe,
        "seeds": list(table.seeds),
        "rows": list(table.rows),
        "columns": [column._asdict() for column in table.columns],
        "paper": [[None if math.isnan(n) else n / 100 for n in row] for row in paper],
    }
    return summarised(about, results)


def summarised(about: Mapping[str, Any], results: Iterable[Mapping[str, Any]]) -> Document:
    """A document whose values come from these results."""
    found = {_names(result): dict(result) for result in results}
    expected = [
        (row, *place, seed)
        for place in _places(about)
        for seed in about["seeds"]
        for row in about["rows"]
    ]
    values = [
        _value(about, found, row, Column(**column)) | {"paper": about["paper"][i][j]}
        for i, row in enumerate(about["rows"])
        for j, column in enumerate(about["columns"])
    ]
    _mark_best(values)
    return {
        **{key: about[key] for key in OF_TABLE},
        "values": values,
        "cells": [found[names] for names in expected if names in found],
        "not_run": [
            dict(zip(NAMES, names, strict=True)) for names in expected if names not in found
        ],
    }


def by_fold(document: Document) -> Document:
    """The same result with a column for each split of a mean before the mean itself."""
    columns: dict[Column, list[float | None]] = {}
    for number, fields in enumerate(document["columns"]):
        column = Column(**fields)
        for split in column.split.split("+"):
            columns.setdefault(column._replace(split=split), [None] * len(document["rows"]))
        columns[column] = [row[number] for row in document["paper"]]
    about = {
        **document,
        "columns": [column._asdict() for column in columns],
        "paper": [list(row) for row in zip(*columns.values(), strict=True)],
    }
    return {**summarised(about, document["cells"]), "by_fold": True}


def _names(result: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(result[key] for key in NAMES)


def _places(about: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [
        *dict.fromkeys(
            (c["dataset"], c["protocol"], split)
            for c in about["columns"]
            for split in c["split"].split("+")
        )
    ]


def _value(
    about: Mapping[str, Any],
    found: Mapping[tuple[Any, ...], Mapping[str, Any]],
    row: str,
    column: Column,
) -> Document:
    """Mean over splits, then mean and deviation over seeds; none unless every cell is done."""
    by_seed = [
        [
            found.get((row, column.dataset, column.protocol, split, seed), {})
            for split in column.split.split("+")
        ]
        for seed in about["seeds"]
    ]
    every = [result for results in by_seed for result in results]
    value = {
        "row": row,
        **column._asdict(),
        "mean": None,
        "std": None,
        "best": False,
        "warning": "; ".join(sorted({r["warning"] for r in every if r.get("warning")})) or None,
    }
    if all(result.get("status") == "done" for result in every):
        means = [mean(r[MEASURES[column.measure]] for r in results) for results in by_seed]
        value["mean"] = mean(means)
        value["std"] = stdev(means) if len(means) > 1 else None
    return value


def _mark_best(values: Sequence[Document]) -> None:
    """Mark the highest of every column; what must admit something competes with nothing."""
    columns: dict[tuple[Any, ...], list[Document]] = {}
    for value in values:
        if value["mean"] is not None and value["warning"] is None:
            columns.setdefault(tuple(value[key] for key in Column._fields), []).append(value)
    for competing in columns.values():
        highest = max(value["mean"] for value in competing)
        for value in competing:
            value["best"] = value["mean"] == highest


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
    results: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for path, part in parts:
        if different := [key for key in OF_TABLE if part[key] != about[key]]:
            raise DataError(
                f"differs from {first} in {', '.join(different)}",
                "merge parts of one table and one set of settings",
                file=path,
            )
        for result in part["cells"]:
            if _names(result) in results:
                raise DataError(
                    f"duplicate cell, {title(result)}, is also in an earlier file",
                    "name each part once",
                    file=path,
                )
            results[_names(result)] = result
    _require_same_recordings(results.values())
    return summarised(about, results.values())


class _Run(BaseModel):
    row: str
    dataset: str
    protocol: str
    split: str
    seed: int


class _Done(_Run):
    status: Literal["done"]
    recordings: str
    warning: str | None
    ZSL: float
    S: float
    U: float
    H: float


class _NotDone(_Run):
    status: Literal["failed", "absent"]
    error: dict[str, Any]


class _Part(BaseModel):
    """What is read of a file to merge."""

    ok: bool
    table: str
    title: str
    recipe: str
    seeds: list[int]
    rows: list[str]
    columns: list[Column]
    paper: list[list[float | None]]
    cells: list[_Done | _NotDone]


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


def _require_same_recordings(results: Iterable[Mapping[str, Any]]) -> None:
    known: dict[str, str] = {}
    for result in results:
        if result["status"] == "done":
            there = known.setdefault(result["dataset"], result["recordings"])
            if there != result["recordings"]:
                raise DataError(
                    f"the parts read different recordings of {result['dataset']}",
                    "run them on the same ones",
                )

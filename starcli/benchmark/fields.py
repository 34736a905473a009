"""What the document of a benchmark is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict, final

from starcli.benchmark.grid import Names
from starcli.benchmark.table import OF_TARGETS
from starcli.errors import ErrorFields
from starcli.evaluation.naming import Naming
from starcli.evaluation.statistics import Right
from starcli.report.document import Measures

MEASURES: Mapping[str, str] = {
    **{"zsl": "ZSL", "S": "S", "U": "U", "H": "H"},
    **{name: name for name in OF_TARGETS},
}
"""Measure of a column -> the same in results."""


class Finished(Names):
    """What the run of a cell was made with, how it was chosen, and what it must admit."""

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
    warning: str | None


@final
class Done(Finished, Measures):
    """How good a cell is."""

    epochs: int
    gamma: float
    right: Right


@final
class Transferred(Finished, Naming):
    """How well a target's clips are named, by what was learned from which sources without what."""

    sources: list[str]
    left_out: list[str]
    left_out_movements: list[str]


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
    """What a row has in a column, as fractions, and how it compares with the highest row.

    `std` is over seeds, each with the mean over its splits, `std_folds` over splits, each with the
    mean over its seeds; `difference` is the mean less that of the row `against`, and lies between
    `low` and `high`; `best` is the highest where it is higher than any other.
    """

    row: str
    mean: float | None
    std: float | None
    std_folds: float | None
    against: str | None
    difference: float | None
    low: float | None
    high: float | None
    best: bool
    warning: str | None
    paper: float | None


class About(TypedDict):
    """What was compared, and the paper's numbers [rows, columns] as fractions."""

    ok: bool
    table: str
    title: str
    recipe: str
    seeds: list[int]
    rows: list[str]
    columns: list[ColumnFields]
    paper: list[list[float | None]]


class Document(About):
    """The result of a benchmark, with its values row by row, and their means over all columns."""

    values: list[Value]
    overall: list[Value]
    cells: list[Result]
    not_run: list[Names]
    by_fold: NotRequired[bool]


Place = tuple[str, str, str, str, int]
"""Row, data set, protocol, split and seed."""
Cells = Mapping[Place, Result]
"""Results by their place."""

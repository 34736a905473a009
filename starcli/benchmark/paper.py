"""The numbers of the paper's tables, to stand beside ours."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import NamedTuple


class Column(NamedTuple):
    """What a column of a table measures.

    Args:
        dataset: Name of the data set.
        protocol: Name of its protocol.
        split: Name of its split; several joined by `+` are averaged.
        measure: `zsl`, or `S`, `U` and `H` of the generalised setting.
    """

    dataset: str
    protocol: str
    split: str
    measure: str


@dataclass(frozen=True)
class Table:
    """One table of the paper, in percent as printed.

    Args:
        title: Its number and subject.
        columns: What is measured.
        rows: Method, number of parts or component left out -> a number per column; NaN where the
            paper gives none.
    """

    title: str
    columns: tuple[Column, ...]
    rows: Mapping[str, tuple[float, ...]]

    def value(self, row: str, column: Column) -> float:
        """One number."""
        return self.rows[row][self.columns.index(column)]


def tables() -> dict[str, Table]:
    """`table2` to `table7` of the paper."""
    content = tomllib.loads((files("starcli.benchmark") / "paper.toml").read_text("utf-8"))
    return {
        name: Table(
            table["title"],
            tuple(Column(*column) for column in table["columns"]),
            {row: tuple(numbers) for row, numbers in table["rows"].items()},
        )
        for name, table in content.items()
    }

"""Cells of text tables: separators, numbers, and what is wrong in which line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import numpy as np

from starcli.poses import PoseFile
from starcli_plugins.readers.joint_names import Values

Line = tuple[int, list[str]]
EMPTY = {"", "nan", "na", "n/a", "null", "none", "-", "inf", "-inf"}
COMMA = re.compile(r"\s*[-+]?\d+,\d+([eE][-+]?\d+)?\s*")
DECIMALS = "save it with decimal points, and commas or tabs between cells"
AGAIN = "write the table again, or leave it out"


def lines_of(text: str) -> Iterator[Line]:
    """Number and cells of each line that is not empty; a line of empty cells is there.

    Cells are apart by semicolons, tabs or commas, whichever of them, in this order, the first line
    has; by spaces where it has none.
    """
    stream = io.StringIO(text, newline=None)
    first = next((line for line in io.StringIO(text, newline=None) if line.strip()), "")
    mark = next((mark for mark in ";\t," if mark in first), None)
    if mark is None:
        yield from ((n, line.split()) for n, line in enumerate(stream, 1) if line.strip())
        return
    reader = csv.reader(stream, delimiter=mark)
    while True:
        try:
            row = next(reader, None)
        except csv.Error:  # a cell beyond all bounds
            row = ["?"]
        if row is None:
            return
        if len(row) > 1 or any(cell.strip() for cell in row):
            yield reader.line_num, [cell.strip() for cell in row]


def is_number(cell: str) -> bool:
    """Whether a cell is a number or says that there is none."""
    if cell.strip().lower() in EMPTY or COMMA.fullmatch(cell):
        return True
    with suppress(ValueError):
        float(cell)
        return True
    return False


def number(cell: str, file: PoseFile, line: int) -> float:
    """The number of a cell; NaN where it says that there is none.

    Raises:
        DataError: It is not a number.
    """
    if not cell:
        return np.nan
    try:
        value = float(cell)
    except ValueError:
        if cell.strip().lower() in EMPTY:
            return np.nan
        fix = DECIMALS if COMMA.fullmatch(cell) else AGAIN
        raise file.wrong(f"'{cell[:40]}' is not a number", fix, line=line) from None
    return value if np.isfinite(value) else np.nan


def matrix(
    lines: Iterable[Line],
    columns: Sequence[int],
    width: int,
    file: PoseFile,
    texts: Sequence[int] = (),
) -> tuple[Values, list[list[str]], list[int]]:
    """The numbers of some columns, the texts of others, and the lines they are in.

    Args:
        lines: The lines below the heading.
        columns: C columns of numbers; -1 for one that is not there, NaN in all rows.
        width: How many columns there are.
        file: The file, for messages.
        texts: Columns of text.

    Returns:
        [R, C], R lists of texts, R line numbers.

    Raises:
        DataError: A line has fewer cells or more, or one is not a number; or there are no lines.
    """
    there = [column for column in columns if column >= 0]
    values: list[Values] = []
    words: list[list[str]] = []
    numbers: list[int] = []
    for line, row in lines:
        if len(row) < width or any(row[width:]):
            fix = DECIMALS if len(row) > width else AGAIN
            raise file.wrong(f"expected {width} cells, got {len(row)}", fix, line=line)
        try:
            row_values = np.array([float(row[column]) for column in there])
        except ValueError:
            row_values = np.array([number(row[column], file, line) for column in there])
        values.append(row_values)
        words.append([row[column] for column in texts])
        numbers.append(line)
    if not values:
        raise file.wrong("has no rows below its heading", AGAIN)
    out = np.full((len(values), len(columns)), np.nan)
    out[:, [column >= 0 for column in columns]] = values
    out[~np.isfinite(out)] = np.nan
    return out, words, numbers


def rate_of(times: Values) -> float | None:
    """Frames a second of times [T] in seconds, milli-, micro- or nanoseconds.

    The unit is the one in which there are 1 to 1,000 frames a second.
    """
    steps = np.diff(times[np.isfinite(times)])
    step = float(np.median(steps)) if len(steps) else 0.0
    if step <= 0:
        return None
    rates = [1 / step * scale for scale in (1, 1e3, 1e6, 1e9)]
    return next((round(rate, 2) for rate in rates if 1 <= rate <= 1000), None)

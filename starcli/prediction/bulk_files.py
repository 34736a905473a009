"""What many files are named, as one file: JSON lines, CSV or Parquet, by the ending of its name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from starcli.errors import ErrorFields, MissingError, UsageError
from starcli.files import save_whole, write_csv
from starcli.prediction.predictor import Action, Reason

if TYPE_CHECKING:
    from pyarrow import Schema

CSV, PARQUET = ".csv", ".parquet"
ROWS = 4096
"""Rows of a file of Parquet that are written in one go."""


class Row(TypedDict, total=False):
    """What a clip was named, or why a recording could not be read.

    Args:
        file: The file, folder or member of an archive.
        clip: Its clip; None where it could not be read.
        actions: What it may be, the best first.
        margin: How much likelier the first is than the second.
        none: Why it is none of these; None where it is the first.
        reasons: What speaks for the first; only where it is asked for.
        warnings: What was done by rule, or is doubtful, in the first row of a file.
        error: Why it could not be read; only where it could not.
    """

    file: str
    clip: str | None
    actions: list[Action]
    margin: float
    none: str | None
    reasons: list[Reason]
    warnings: list[str]
    error: ErrorFields


class Total(NamedTuple):
    """How many files there were, how many clips in them, and recordings that could not be read."""

    files: int
    clips: int
    none: int
    bad: int


def require_form(out: Path, *, reasons: bool) -> None:
    """Refuse a form that cannot be written here, before anything is read.

    Args:
        out: The file.
        reasons: Whether reasons are asked for.

    Raises:
        MissingError: pyarrow is not installed.
        UsageError: The form has no room for reasons.
    """
    if reasons and out.suffix.lower() == CSV:
        raise UsageError("reasons have no column in CSV", "name a .jsonl or .parquet file")
    if out.suffix.lower() == PARQUET and find_spec("pyarrow") is None:
        raise MissingError("pyarrow is not installed", "pip install 'starcli[parquet]'")


def save(out: Path, files: Iterable[list[Row]], top: int) -> Total:
    """Write the rows of files, which are read as they are written.

    Args:
        out: The file, which is whole or not there.
        files: Of each file its rows.
        top: How many actions each clip has at most.

    Raises:
        OutputError: It cannot be written.
    """
    count = Counter[str]()

    def rows() -> Iterator[Row]:
        for each in files:
            count["files"] += 1
            count["bad"] += sum("error" in row for row in each)
            count["clips"] += sum("error" not in row for row in each)
            count["none"] += sum(bool(row.get("none")) for row in each)
            yield from each

    save_whole(out, partial(FORMS[out.suffix.lower()], rows=rows(), top=top), "--out")
    return Total(count["files"], count["clips"], count["none"], count["bad"])


def _json_lines(draft: Path, rows: Iterator[Row], top: int) -> None:
    with draft.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def _csv(draft: Path, rows: Iterator[Row], top: int) -> None:
    numbers = range(1, top + 1)
    columns = ["file", "clip", *(f"{what}{n}" for n in numbers for what in ("name", "probability"))]
    with draft.open("w", encoding="utf-8", newline="") as file:
        write_csv(file, [*columns, "margin", "none", "error"], map(_cells, rows))


def _cells(row: Row) -> Mapping[str, object]:
    """A row in columns, of which CSV leaves out what it has no column for."""
    cells: dict[str, object] = {**row, "error": row["error"]["message"] if "error" in row else None}
    for n, action in enumerate(row.get("actions", ()), start=1):
        cells |= {f"name{n}": action["name"], f"probability{n}": action["probability"]}
    return cells


def _parquet(draft: Path, rows: Iterator[Row], top: int) -> None:
    from pyarrow import RecordBatch
    from pyarrow.parquet import ParquetWriter

    schema = _schema()
    with ParquetWriter(draft, schema) as file:
        while some := list(islice(rows, ROWS)):
            flat = [{**row, "error": _cells(row)["error"]} for row in some]
            file.write_batch(RecordBatch.from_pylist(flat, schema))


def _schema() -> Schema:
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    action = {"name": text, "role": text, "score": number, "probability": number}
    reason = {"part": text, "text": text, "similarity": number}
    columns = {
        "file": text,
        "clip": text,
        "actions": pa.list_(pa.struct(action.items())),
        "margin": number,
        "none": text,
        "reasons": pa.list_(pa.struct(reason.items())),
        "warnings": pa.list_(text),
        "error": text,
    }
    return pa.schema(columns.items())


FORMS: Mapping[str, Callable[..., None]] = {
    ".jsonl": _json_lines,
    CSV: _csv,
    PARQUET: _parquet,
}
"""Ending of a file's name -> what writes its rows."""

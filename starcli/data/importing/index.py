"""What is said of recordings: an entry of each, from the rows of a CSV or JSON index."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from starcli.contracts import Subset
from starcli.errors import DataError
from starcli.files import strict_json, text

COLUMNS = ("file", "class", "subject", "view", "start", "end")
"""The columns with a meaning of their own; any other is named after a protocol."""
NEEDED = ("file", "class")
PROTOCOL = r"[A-Za-z0-9][A-Za-z0-9_-]*"
SUBSETS: Mapping[str, Subset] = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "test",
    "valid": "test",
    "validation": "test",
}
"""How the subsets of a protocol are called in indexes and folders."""
FIX = "columns are file, class, subject, view, start, end, and protocols with train or test"


@dataclass(frozen=True)
class Entry:
    """What is said of a recording.

    Args:
        name: Unique name: the file as the index or folder names it.
        key: Which recording of its file is meant; empty for every one.
        action: Name of its class; empty where only its file may say it.
        subject: Who performs it; empty where nobody says.
        view: The camera; empty where nobody says.
        subsets: Protocol -> subset.
        place: The file, or the index and the line in it, for messages.
    """

    name: str
    key: str = ""
    action: str = ""
    subject: str = ""
    view: str = ""
    subsets: Mapping[str, Subset] = field(default_factory=dict)
    place: tuple[Path, int | None] = (Path(), None)

    def wrong(self, message: str, fix: str) -> DataError:
        """An error in what is said of the recording."""
        return DataError(message, fix, file=self.place[0], line=self.place[1])


class Row(NamedTuple):
    """A row of an index.

    Args:
        path: The index.
        line: The line that it begins in; None in JSON.
        which: What it is called in messages, such as `entry 3: `; empty where it has a line.
        values: Column -> value; empty values are left out.
    """

    path: Path
    line: int | None
    which: str
    values: Mapping[str, str]

    def wrong(self, message: str, fix: str = FIX) -> DataError:
        """An error in the row."""
        return DataError(self.which + message, fix, file=self.path, line=self.line)

    def entry(self) -> Entry:
        """What it says.

        Raises:
            DataError: A value is lacking, or is not what its column takes.
        """
        for column in NEEDED:
            if column not in self.values:
                raise self.wrong(f"'{column}' is empty", "fill it in")
        name = self.values["file"].replace("\\", "/")
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise self.wrong("the file's name is not UTF-8", "rename it") from error
        subsets: dict[str, Subset] = {}
        for protocol in (column for column in self.values if column not in COLUMNS):
            value = self.values[protocol]
            if value.lower() not in SUBSETS:
                raise self.wrong(f"'{protocol}' is '{value}', expected train or test")
            subsets[protocol] = SUBSETS[value.lower()]
        return Entry(
            name,
            name.partition("#")[2],
            self.values["class"],
            self.values.get("subject", ""),
            self.values.get("view", ""),
            subsets,
            (self.path, self.line),
        )


def rows(path: Path) -> list[Row]:
    """The rows of an index, `.json` or a table.

    Raises:
        DataError: It cannot be read, is damaged, or has none.
    """
    listed = list(_of_json(path) if path.suffix.lower() == ".json" else _of_table(path))
    if not listed:
        raise DataError("has no rows", "add some", file=path)
    columns = {column for row in listed for column in row.values} - set(COLUMNS)
    for row in listed:
        for column in sorted(columns - set(row.values)):
            raise row.wrong(f"'{column}' is empty, expected train or test")
    return listed


def separator(header: str) -> str:
    """What separates the columns of a table, by its first line."""
    return max(",;\t", key=header.count)


def _of_table(path: Path) -> Iterator[Row]:
    """The rows of a table; empty ones, and columns without name and values, are left out."""
    content = text(path)
    lines = csv.reader(
        io.StringIO(content, newline=""),
        delimiter=separator(content.partition("\n")[0]),
        strict=True,
    )
    try:
        header = [name.strip() for name in next(lines, [])]
        while header and not header[-1]:
            header.pop()
        columns = _columns(header, path, 1)
        last = lines.line_num
        for values in lines:
            line, last = last + 1, lines.line_num
            values = [value.strip() for value in values]
            if not any(values):
                continue
            if len(values) < len(columns) or any(values[len(columns) :]):
                raise DataError(
                    f"has {len(values)} fields, the first line has {len(columns)}",
                    "fields are separated by commas and may be quoted",
                    file=path,
                    line=line,
                )
            cells = dict(zip(columns, values, strict=False))
            yield Row(path, line, "", {key: value for key, value in cells.items() if value})
    except csv.Error as error:
        raise DataError(
            f"not readable CSV ({error})", "fix the line", file=path, line=lines.line_num
        ) from error


def _columns(names: Iterable[str], path: Path, line: int | None) -> list[str]:
    """Names of columns, each known or fit to be a protocol's."""
    known = [name.strip() for name in names]
    columns = [name.lower() if name.lower() in COLUMNS else name for name in known]
    for need in NEEDED:
        if need not in columns:
            present = ", ".join(columns)[:200]
            raise DataError(f"has no column '{need}', got '{present}'", FIX, file=path, line=line)
    for name in columns:
        if columns.count(name) > 1:
            raise DataError(f"duplicate column '{name}'", "rename one", file=path, line=line)
        if not re.fullmatch(PROTOCOL, name):
            raise DataError(
                f"column '{name}' is not a name of a protocol", FIX, file=path, line=line
            )
    return columns


def _of_json(path: Path) -> Iterator[Row]:
    content = strict_json(path)
    if not isinstance(content, list):
        raise DataError("expected a list of objects", FIX, file=path)
    known: list[str] | None = None
    for number, item in enumerate(content, start=1):
        if not isinstance(item, dict) or not all(_plain(value) for value in item.values()):
            raise DataError(f"entry {number}: expected an object of texts", FIX, file=path)
        columns = _columns(item, path, None)
        known = known or sorted(columns)
        if sorted(columns) != known:
            raise DataError(
                f"entry {number}: has {', '.join(columns)}, the first has {', '.join(known)}",
                "give every entry the same keys",
                file=path,
            )
        values = [str(value).strip() for value in item.values()]
        cells = {key: value for key, value in zip(columns, values, strict=True) if value}
        yield Row(path, None, f"entry {number}: ", cells)


def _plain(value: object) -> bool:
    """Whether a value can stand in a field; subjects and views are often numbers."""
    return isinstance(value, str) or type(value) in (int, float)

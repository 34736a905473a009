"""Which clips a user has, and what is said of each: from folders, a CSV or a JSON index."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from starcli.contracts import Subset
from starcli.data.importing import arrays
from starcli.errors import DataError
from starcli.files import strict_json, text

COLUMNS = ("file", "class", "subject", "view")
"""The columns with a meaning of their own; any other is named after a protocol."""
ARRAY = r"(?is)(.*?\.npz)#(.+)"
"""An array of an `.npz`."""
PROTOCOL = r"[A-Za-z0-9][A-Za-z0-9_-]*"
INDEX_FIX = "separate by commas: file, class, subject, view, and protocols with train or test"
FOLDERS_FIX = "put clips at CLASS/clip.npy or CLASS/SUBJECT/clip.npy, or write an index"


@dataclass(frozen=True)
class Entry:
    """A clip before it is read.

    Args:
        name: Unique name: the file as the index or folder names it.
        file: The `.npy` or `.npz`.
        key: The array of an `.npz`.
        action: Name of its class.
        subject: Who performs it; empty where nobody says.
        view: The camera; empty where nobody says.
        subsets: Protocol -> subset.
        place: The index and the line in it, for messages.
    """

    name: str
    file: Path
    key: str
    action: str
    subject: str = ""
    view: str = ""
    subsets: Mapping[str, Subset] = field(default_factory=dict)
    place: tuple[Path, int | None] = (Path(), None)

    def wrong(self, message: str, fix: str) -> DataError:
        """An error in what is said of the clip."""
        return DataError(message, fix, file=self.place[0], line=self.place[1])


def entries(source: Path) -> list[Entry]:
    """All clips of a source, in the order of names.

    Args:
        source: A folder, or an index ending in `.csv` or `.json`.

    Raises:
        DataError: It is missing, damaged, empty, or names a clip twice.
    """
    readers = {".csv": _of_csv, ".json": _of_json}
    if source.is_dir():
        found = list(_of_folder(source))
    elif source.suffix.lower() not in readers:
        raise DataError(
            "is no folder and no index", "name a folder of clips, a .csv or a .json", file=source
        )
    else:
        found = list(readers[source.suffix.lower()](source))
    if not found:
        raise DataError("has no clips", FOLDERS_FIX if source.is_dir() else "add some", file=source)
    return _in_order(found)


def _in_order(found: list[Entry]) -> list[Entry]:
    """Sorted by name, no two alike, each with whatever others have."""
    found.sort(key=lambda entry: entry.name)
    for one, other in pairwise(found):
        if one.name == other.name:
            line = f", also in line {one.place[1]}" if one.place[1] else ""
            raise other.wrong(f"clip '{one.name}' is there twice{line}", "remove one")
    for what in ("subject", "view"):
        having = [bool(getattr(entry, what)) for entry in found]
        if any(having) and not all(having):
            entry = found[having.index(False)]
            raise entry.wrong(
                f"clip '{entry.name}' has no {what}, others have one",
                "give every clip one, or none",
            )
    return found


def _of_folder(root: Path) -> Iterator[Entry]:
    """`CLASS/clip` or `CLASS/SUBJECT/clip`; every array of an `.npz` is a clip."""
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in (".npy", ".npz") or path.is_dir():
            continue
        inside = path.relative_to(root)
        action, *subject = inside.parts[:-1] or ("",)
        if not action or len(subject) > 1:
            raise DataError("its folder names no class", FOLDERS_FIX, file=path)
        for key in arrays.keys(path) if path.suffix.lower() == ".npz" else [""]:
            name = _utf8(inside.as_posix() + (f"#{key}" if key else ""), path)
            yield Entry(name, path, key, action, "".join(subject), place=(path, None))


def _utf8(name: str, path: Path) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DataError("its name is not UTF-8", "rename it", file=ascii(str(path))) from error
    return name


def _of_csv(path: Path) -> Iterator[Entry]:
    rows = csv.reader(io.StringIO(text(path), newline=""), strict=True)
    try:
        header = next(rows, [])
        columns = _columns(header, path, 1)
        last = rows.line_num
        for row in rows:
            line, last = last + 1, rows.line_num
            if len(row) not in (0, len(columns)):
                raise DataError(
                    f"has {len(row)} fields, the first line has {len(columns)}",
                    "fields are separated by commas and may be quoted",
                    file=path,
                    line=line,
                )
            if row:
                yield _entry(dict(zip(columns, row, strict=True)), path, line)
    except csv.Error as error:
        raise DataError(
            f"not readable CSV ({error})", "mend the line", file=path, line=rows.line_num
        ) from error


def _columns(names: Iterable[str], path: Path, line: int | None) -> list[str]:
    """Names of columns, each known or fit to be a protocol's."""
    columns = [name.strip() for name in names]
    for need in ("file", "class"):
        if need not in columns:
            found = ", ".join(columns)[:200]
            raise DataError(
                f"has no column '{need}', found '{found}'", INDEX_FIX, file=path, line=line
            )
    for name in columns:
        if columns.count(name) > 1 or not re.fullmatch(PROTOCOL, name):
            raise DataError(
                f"column '{name}' is there twice or is no name", INDEX_FIX, file=path, line=line
            )
    return columns


def _entry(row: Mapping[str, str], path: Path, line: int | None, which: str = "") -> Entry:
    """A row of an index, its empty optional fields being nothing said."""
    row = {key: value.strip() for key, value in row.items()}
    subsets: dict[str, Subset] = {}
    for key, value in row.items():
        if key in ("file", "class") and not value:
            raise DataError(f"{which}'{key}' is empty", "fill it in", file=path, line=line)
        if key not in COLUMNS:
            if value not in ("train", "test"):
                raise DataError(
                    f"{which}'{key}' is '{value}', want train or test",
                    INDEX_FIX,
                    file=path,
                    line=line,
                )
            subsets[key] = "train" if value == "train" else "test"
    inside = re.fullmatch(ARRAY, row["file"])
    name, key = inside.groups() if inside else (row["file"], "")
    file = path.parent / name
    if file.suffix.lower() not in (".npy", ".npz"):
        raise DataError(
            f"{which}'{row['file']}' is no .npy or .npz",
            "name one, or file.npz#array",
            file=path,
            line=line,
        )
    return Entry(
        _utf8(row["file"], path),
        file,
        key,
        row["class"],
        row.get("subject", ""),
        row.get("view", ""),
        subsets,
        (path, line),
    )


def _of_json(path: Path) -> Iterator[Entry]:
    content = strict_json(path)
    if not isinstance(content, list):
        raise DataError("want a list of objects", INDEX_FIX, file=path)
    known: list[str] | None = None
    for number, item in enumerate(content, start=1):
        if not isinstance(item, dict) or not all(_plain(value) for value in item.values()):
            raise DataError(f"entry {number}: want an object of texts", INDEX_FIX, file=path)
        columns = sorted(_columns(item, path, None))
        known = known or columns
        if columns != known:
            raise DataError(
                f"entry {number}: has {', '.join(columns)}, the first has {', '.join(known)}",
                "give every entry the same keys",
                file=path,
            )
        row = {key.strip(): str(value) for key, value in item.items()}
        yield _entry(row, path, None, f"entry {number}: ")


def _plain(value: object) -> bool:
    """Whether a value can stand in a field; subjects and views are often numbers."""
    return isinstance(value, str) or type(value) is int

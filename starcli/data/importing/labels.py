"""What a recording is of: by the folders it lies in, its name, its file, or an index."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from starcli.contracts import Subset
from starcli.data.importing.index import Entry
from starcli.data.importing.sources import Source, find, readers
from starcli.errors import DataError, UsageError
from starcli.files import text
from starcli.poses import Poses, Reader

SUBSETS: Mapping[str, Subset] = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "test",
    "valid": "test",
    "validation": "test",
}
"""Folders that divide recordings, and the subset that each is."""
COLUMNS = {"file", "class", "subject", "view", "start", "end"}
"""Columns of an index with a meaning of their own; any other is named after a protocol."""
PATTERN_KEYS = {"class", "subject", "view"}
TIME = re.compile(r"(?:(\d+):)?(?:(\d+):)?(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Interval:
    """The part of a recording that is meant.

    Args:
        start: Where it begins.
        end: Where it ends, not included.
        seconds: Whether these are seconds, not frames.
    """

    start: float
    end: float
    seconds: bool

    def of(self, poses: Poses, entry: Entry, fps: float | None) -> Poses:
        """The frames of the interval.

        Raises:
            DataError: The recording has none of them, or nobody knows its frames a second.
        """
        rate = poses.fps or fps
        if self.seconds and rate is None:
            raise entry.wrong(
                "the interval is in seconds, and the file says no frames a second",
                "name them with --fps, or give frames",
            )
        scale = rate if self.seconds and rate else 1.0
        count = len(poses.joints)
        numbers = np.arange(count) if poses.frames is None else poses.frames
        chosen = (numbers >= round(self.start * scale)) & (numbers < round(self.end * scale))
        if not chosen.any():
            raise entry.wrong(
                f"frames {round(self.start * scale)} to {round(self.end * scale)} "
                f"are not in the recording, which ends at {int(numbers[-1])}",
                "check start and end",
            )
        confidence = None if poses.confidence is None else poses.confidence[chosen]
        return replace(
            poses, joints=poses.joints[chosen], confidence=confidence, frames=numbers[chosen]
        )


@dataclass(frozen=True)
class Labelled:
    """A recording to be imported, and what is said of it.

    Args:
        entry: Name, class, subject, view and subsets, as far as they are known.
        source: Its files and their reader.
        interval: The part that is meant; None for all of it.
    """

    entry: Entry
    source: Source
    interval: Interval | None = None


def of_folder(
    place: Path, known: Mapping[str, Reader], pattern: str | None
) -> tuple[list[Labelled], list[str]]:
    """The recordings of a file or folder, and the names of files of no known format.

    Args:
        place: A file or folder.
        known: The readers to choose from.
        pattern: A regular expression with groups `class`, `subject`, `view` for names below it.

    Raises:
        DataError: Nothing is of a known format, or a name does not match the pattern.
        UsageError: The pattern is not one.
    """
    expression = None if pattern is None else _pattern(pattern)
    found = find(place, known)
    labelled = [Labelled(_entry(source, place, expression), source) for source in found.sources]
    return labelled, list(found.unknown)


def _pattern(pattern: str) -> re.Pattern[str]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--class-pattern: {error}", "see Python's re module") from error
    if "class" not in expression.groupindex or set(expression.groupindex) - PATTERN_KEYS:
        raise UsageError(
            "--class-pattern: expected groups class, subject or view",
            r"such as 'take_(?P<class>[a-z]+)_\d+'",
        )
    return expression


def _entry(source: Source, place: Path, expression: re.Pattern[str] | None) -> Entry:
    """What folders and name say of a recording."""
    path = PurePosixPath(source.name)
    said = Entry(source.name, place / source.name, "", "", place=(place / source.name, None))
    if expression is not None:
        match = expression.search(source.name)
        if match is None:
            raise said.wrong("its name does not match --class-pattern", "change the pattern")
        groups = {key: value or "" for key, value in match.groupdict().items()}
        return replace(
            said,
            action=groups["class"],
            subject=groups.get("subject", ""),
            view=groups.get("view", ""),
        )
    folders = list(
        path.parts if len(source.files) > 1 and len(path.parts) == 1 else path.parts[:-1]
    )
    subsets: dict[str, Subset] = {}
    if folders and folders[0].lower() in SUBSETS:
        subsets = {"folder": SUBSETS[folders.pop(0).lower()]}
    action, subject = (*folders, "", "")[:2]
    return replace(
        said, action=action, subject=subject if len(folders) == 2 else "", subsets=subsets
    )


def of_index(path: Path, known: Mapping[str, Reader]) -> list[Labelled]:
    """The recordings of an index: `file,class`, and `subject`, `view`, `start`, `end`, protocols.

    `start` and `end` are frames where all are whole numbers, else seconds; `1:02.5` is 62.5
    of them.

    Raises:
        DataError: It cannot be read, or names something that is not a recording.
    """
    rows = list(_rows(path))
    seconds = any(
        re.search(r"[.:]", row.get(key, "")) for _, row in rows for key in ("start", "end")
    )
    return [_indexed(path, line, row, known, seconds=seconds) for line, row in rows]


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table with their lines; empty rows and a last column without a name are not."""
    content = text(path)
    dialect = ";" if content.partition("\n")[0].count(";") else ","
    rows = csv.reader(io.StringIO(content, newline=""), delimiter=dialect, strict=True)
    header: list[str] = []
    try:
        for row in rows:
            values = [value.strip() for value in row]
            if not any(values):
                continue
            if not header:
                header = [name.lower() for name in values]
                continue
            yield rows.line_num, dict(zip([h for h in header if h], values, strict=False))
    except csv.Error as error:
        raise DataError(
            f"not readable CSV ({error})", "fix the line", file=path, line=rows.line_num
        ) from error


def _indexed(
    path: Path, line: int, row: Mapping[str, str], known: Mapping[str, Reader], *, seconds: bool
) -> Labelled:
    for key in ("file", "class"):
        if not row.get(key):
            raise DataError(
                f"'{key}' is empty or not there",
                "separate by commas: file,class",
                file=path,
                line=line,
            )
    name, _, key = row["file"].replace("\\", "/").partition("#")
    subsets: dict[str, Subset] = {}
    for protocol, subset in row.items():
        if protocol in COLUMNS:
            continue
        if subset.lower() not in SUBSETS:
            raise DataError(
                f"'{protocol}' is '{subset}', expected train or test",
                "columns are file, class, subject, view, start, end, and protocols",
                file=path,
                line=line,
            )
        subsets[protocol] = SUBSETS[subset.lower()]
    entry = Entry(
        row["file"],
        path.parent / name,
        key,
        row["class"],
        row.get("subject", ""),
        row.get("view", ""),
        subsets,
        (path, line),
    )
    try:
        sources = find(path.parent / name, known).sources
    except DataError as error:
        raise entry.wrong(f"{name}: {error.message}", error.fix) from error
    if len(sources) > 1:
        raise entry.wrong(f"{name} has {len(sources)} recordings", "name each in a row")
    interval = _interval(entry, row, seconds=seconds)
    if interval is not None:
        entry = replace(entry, name=f"{row['file']}@{row['start']}-{row['end']}")
    return Labelled(entry, sources[0], interval)


def _interval(entry: Entry, row: Mapping[str, str], *, seconds: bool) -> Interval | None:
    if not row.get("start") and not row.get("end"):
        return None
    ends = [TIME.fullmatch(row.get(key, "")) for key in ("start", "end")]
    if ends[0] is None or ends[1] is None:
        raise entry.wrong("start and end are not numbers", "give frames, seconds, or 1:02.5")
    start, end = (_number(match) for match in ends if match)
    if end <= start:
        raise entry.wrong(f"it ends at {row['end']}, before it starts", "check start and end")
    return Interval(start, end, seconds)


def _number(match: re.Match[str]) -> float:
    """Seconds of `1:02:03.5`, or the number itself."""
    first, second, last = match.groups()
    parts = [part for part in (first, second) if part is not None]
    total = 0.0
    for part in parts:
        total = total * 60 + float(part)
    return total * 60 + float(last) if parts else float(last)


def labelled(
    place: Path, reader: str | None, pattern: str | None
) -> tuple[Sequence[Labelled], list[str]]:
    """The recordings that a user names, and the names of files of no known format.

    Args:
        place: A file, a folder, or an index ending in `.csv` whose header names files and classes.
        reader: The only reader that is to be used; None for the one that knows the format.
        pattern: See `of_folder`.
    """
    known = readers(reader)
    if place.suffix.lower() == ".csv" and place.is_file() and _is_index(place):
        return of_index(place, known), []
    return of_folder(place, known, pattern)


def _is_index(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.readline(4096).decode("utf-8-sig", "ignore").lower()
    return {"file", "class"} <= {name.strip().strip('"') for name in re.split("[,;\t]", head)}

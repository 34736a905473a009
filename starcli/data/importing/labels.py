"""What a recording is of: by the folders it lies in, its name, its file, or an index."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from starcli import array_files
from starcli.contracts import Layout, Subset
from starcli.data.importing.index import NEEDED, SUBSETS, Entry, Row, rows, separator
from starcli.data.importing.intervals import Interval, interval
from starcli.data.importing.sources import Source, find, readers, recognised
from starcli.errors import DataError, UsageError
from starcli.poses import PoseFile, Reader

PATTERN_KEYS = {"class", "subject", "view"}
FOLDERS = "folder"
"""The protocol of recordings in folders such as `train` and `test`."""


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


def labelled(
    place: Path,
    reader: str | None,
    pattern: str | None,
    layout: Layout | None = None,
    called: Path | None = None,
) -> tuple[list[Labelled], list[str]]:
    """The recordings that a user names, and the names of files of no known format.

    Args:
        place: A file, a folder, or an index, which is a CSV or JSON that names files.
        reader: The only reader that is to be used; None for the one that knows the format.
        pattern: A regular expression with groups `class`, `subject`, `view` for names below it.
        layout: The layout that files are said to be in; None for what they say themselves.
        called: What the place is called in messages, such as the zip that was unpacked there.

    Raises:
        DataError: Something cannot be read, is of no known format, or is labelled wrongly.
        UsageError: The pattern is not one.
    """
    known = readers(reader, layout)
    if place.is_file() and is_index(place, known):
        return of_index(place, known), []
    return of_folder(place, known, pattern, called or place)


def of_folder(
    place: Path, known: Mapping[str, Reader], pattern: str | None, called: Path
) -> tuple[list[Labelled], list[str]]:
    """The recordings of a file or folder, and the names of files of no known format.

    Folders are `CLASS/` or `CLASS/SUBJECT/`, all of them in `train/`, `test/` and the like or none.

    Args:
        place: A file or folder.
        known: The readers to choose from.
        pattern: A regular expression with groups `class`, `subject`, `view` for names below it.
        called: What it is called in messages.

    Raises:
        DataError: Nothing is of a known format, or a name does not match the pattern.
        UsageError: The pattern is not one.
    """
    expression = None if pattern is None else _pattern(pattern)
    contents = find(place, known, called=called)
    tops = {_folders(source)[:1] for source in contents.sources}
    divided = all(top and top[0].lower() in SUBSETS for top in tops)
    made = []
    for source in contents.sources:
        where = called if place.is_file() else called / source.name
        entry = Entry(_utf8(source.name, called), place=(where, None))
        if expression is None:
            made.append(Labelled(_by_folders(entry, _folders(source), divided=divided), source))
        else:
            made.append(Labelled(_by_name(entry, expression), source))
    return made, list(contents.unknown)


def _utf8(name: str, place: Path) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            "its name is not UTF-8", "rename it", file=ascii(f"{place}/{name}")
        ) from error
    return name


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


def _by_name(entry: Entry, expression: re.Pattern[str]) -> Entry:
    """What the name of a recording says of it."""
    match = expression.search(entry.name)
    if match is None:
        raise entry.wrong(
            f"does not match --class-pattern '{expression.pattern}'", "change the pattern"
        )
    groups = {key: value or "" for key, value in match.groupdict().items()}
    return replace(
        entry,
        action=groups["class"],
        subject=groups.get("subject", ""),
        view=groups.get("view", ""),
    )


def _folders(source: Source) -> tuple[str, ...]:
    """The folders that a recording lies in; one that is a folder of frames is named by it."""
    parts = PurePosixPath(source.name).parts
    is_folder = parts == PurePosixPath(source.files[0].name).parent.parts
    return parts if is_folder and len(parts) == 1 else parts[:-1]


def _by_folders(entry: Entry, folders: tuple[str, ...], *, divided: bool) -> Entry:
    """What the folders of a recording say of it; of deeper ones nobody knows what they mean."""
    subsets: dict[str, Subset] = {}
    if divided:
        subsets = {FOLDERS: SUBSETS[folders[0].lower()]}
        folders = folders[1:]
    action, subject, *deeper = (*folders, "", "")
    if any(deeper):
        return replace(entry, subsets=subsets)
    return replace(entry, action=action, subject=subject, subsets=subsets)


def of_index(path: Path, known: Mapping[str, Reader]) -> list[Labelled]:
    """The recordings of an index: `file,class`, and `subject`, `view`, `start`, `end`, protocols.

    `start` and `end` are frames where all are whole numbers, else seconds; `1:02.5` is 62.5
    of them.

    Raises:
        DataError: It cannot be read, or names something that is not a recording.
    """
    listed = rows(path)
    seconds = any(
        re.search(r"[.:]", row.values.get(key, "")) for row in listed for key in ("start", "end")
    )
    sources: dict[str, Source] = {}
    made = []
    for row in listed:
        entry = row.entry()
        file = entry.name.partition("#")[0]
        if file not in sources:
            sources[file] = _source(entry, path.parent / file, file, known)
        _require_array(entry, sources[file])
        made.append(_indexed(row, entry, sources[file], seconds=seconds))
    return made


def _indexed(row: Row, entry: Entry, source: Source, *, seconds: bool) -> Labelled:
    part = interval(entry, row.values, seconds=seconds)
    if part is not None:
        entry = replace(entry, name=f"{entry.name}@{row.values['start']}-{row.values['end']}")
    return Labelled(entry, source, part)


def _source(entry: Entry, file: Path, name: str, known: Mapping[str, Reader]) -> Source:
    """The one recording, or file of recordings, that a row names."""
    try:
        sources = find(file, known, name).sources
    except DataError as error:
        raise entry.wrong(f"{name}: {error.message}", error.fix) from error
    if len(sources) > 1:
        raise entry.wrong(f"{name} has {len(sources)} recordings", "name each in a row")
    return sources[0]


def _require_array(entry: Entry, source: Source) -> None:
    """Refuse a row that names an array which an `.npz` has not."""
    path = source.files[0].path
    if not entry.key or path.suffix.lower() != ".npz":
        return
    keys = array_files.keys(path)
    if entry.key not in keys:
        raise entry.wrong(
            f"no array '{entry.key}' in {source.name}", f"there are: {', '.join(keys[:10])}"
        )


def is_index(path: Path, known: Mapping[str, Reader]) -> bool:
    """Whether a file names other files and their classes, or at least files and no joints."""
    file = PoseFile(path, path.name)
    suffix = path.suffix.lower()
    if suffix == ".json":
        document = file.glimpse
        first = document[0] if isinstance(document, list) and document else None
        names = {str(key).strip().lower() for key in first} if isinstance(first, dict) else set()
    elif suffix in (".csv", ".tsv"):
        header = file.opening.partition("\n")[0]
        names = {n.strip().strip('"').lower() for n in header.split(separator(header))}
    else:
        return False
    return names.issuperset(NEEDED) or ("file" in names and recognised(file, known) is None)


def every_action(items: Sequence[Labelled]) -> bool:
    """Whether the classes of all recordings are known before any of them is read."""
    return all(item.entry.action for item in items)

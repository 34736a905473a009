"""Recordings read in place: from a zip, the folder of a zip, or an unpacked folder."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath

from starcli.contracts import Recording
from starcli.errors import DataError

MAX_BYTES = 64 * 2**20
"""No single recording of these data sets comes near it; more is a damaged or hostile file."""
LINK = 0o120000


def find(raw: Path, pattern: str, request: str) -> tuple[Path, ...]:
    """The zips or recordings that `raw` names.

    Args:
        raw: A zip, a folder with zips, or a folder with recordings at any depth.
        pattern: Regular expression of a recording's file name.
        request: Where to get the data, for the message.

    Raises:
        DataError: There is nothing to read.
    """
    if not raw.exists():
        raise DataError("no such file or folder", f"--raw must name the data; {request}", file=raw)
    if raw.is_file():
        if not zipfile.is_zipfile(raw):
            raise DataError(
                "not a readable zip: damaged, cut off or another format",
                f"download it again; {request}",
                file=raw,
            )
        return (raw,)
    zips = sorted(p for p in raw.glob("*.[zZ][iI][pP]") if p.is_file() and _holds(p, pattern))
    files = zips or sorted(p for p in raw.rglob("*") if is_named(p.name, pattern))
    if not files:
        raise DataError("no recordings here", request, file=raw)
    return tuple(files)


def is_named(name: str, pattern: str) -> bool:
    """Whether a file is named like a recording, in letters of whatever case."""
    return re.fullmatch(pattern, name, re.IGNORECASE) is not None


def _holds(path: Path, pattern: str) -> bool:
    """Whether a zip has recordings; a damaged one counts, so that reading it names the damage."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(is_named(Path(n).name, pattern) for n in archive.namelist())
    except zipfile.BadZipFile:
        return True


def recordings(files: Sequence[Path], pattern: str) -> list[Recording]:
    """The recordings of zips and folders in the order of their file names.

    Raises:
        DataError: A zip is damaged or would write outside its folder, or two recordings have one
            name and different contents.
    """
    every = [item for path in files for item in members(path, pattern)]
    if not every:
        raise DataError(
            "the zip has no recordings of this data set",
            "check that --raw names the right file",
            file=files[0],
        )
    return distinct(every, pattern)


def distinct(recordings: Iterable[Recording], pattern: str) -> list[Recording]:
    """One recording of each name, in the order of names; a warning names copies that are left out.

    Names that differ by case alone are one, as a file system may have made of them; the one in the
    case of the pattern is kept.

    Raises:
        DataError: Two have one name and different contents.
    """
    kept: dict[str, Recording] = {}
    copies: list[tuple[Recording, Recording]] = []
    for item in sorted(recordings, key=lambda r: (re.fullmatch(pattern, r.name) is None, r)):
        first = kept.setdefault(item.name.casefold(), item)
        if first is not item:
            _refuse_other_content(item, first)
            copies.append((item, first))
    if copies:
        copy, first = copies[0]
        more = f" and {len(copies) - 1:,} more copies are" if len(copies) > 1 else " is"
        logging.getLogger("starcli").warning(
            "warning: %s, a copy of %s,%s left out", copy.where, first.where, more
        )
    return sorted(kept.values())


def members(path: Path, pattern: str) -> Iterator[Recording]:
    """The recordings of one file: itself, or the members of a zip under whatever name.

    Raises:
        DataError: A zip is damaged, or a member points outside its folder.
    """
    if is_named(path.name, pattern):
        yield Recording(path.name, path)
        return
    first: dict[str, zipfile.ZipInfo] = {}
    for info in _opened(path).infolist():
        name = PurePosixPath(info.filename).name
        if not is_named(name, pattern):
            continue
        other = first.setdefault(info.filename, info)
        if (other.CRC, other.file_size) != (info.CRC, info.file_size):
            raise DataError(
                f"has two members '{info.filename}' with different contents",
                "pack it again with the right one alone",
                file=path,
            )
        parts = PurePosixPath(info.filename.replace("\\", "/")).parts
        if ".." in parts or parts[0] == "/" or stat.S_IFMT(info.external_attr >> 16) == LINK:
            raise DataError(
                f"member '{info.filename}' points outside the zip or is a link",
                "do not use this file; download it again",
                file=path,
            )
        yield Recording(name, path, info.filename)


def has(path: Path, member: str) -> bool:
    """Whether a zip has a member of this name."""
    with _damage_named(path):
        return member in _opened(path).NameToInfo


def _refuse_other_content(one: Recording, other: Recording) -> None:
    """Two copies of a recording are one; two recordings of one name are a mistake."""
    if hashlib.sha256(load(one)).digest() != hashlib.sha256(load(other)).digest():
        raise DataError(
            f"duplicate of {other.where} with different contents",
            "remove the wrong one",
            file=one.where,
        )


def load(recording: Recording) -> bytes:
    """The bytes of a recording.

    Raises:
        DataError: It is damaged, too large, not a regular file, or changes while it is read.
    """
    where = recording.where
    with _damage_named(where):
        if recording.member:
            archive = _opened(recording.file)
            _refuse_size(archive.getinfo(recording.member).file_size, where)
            return archive.read(recording.member)
        before = recording.file.stat()
        if not stat.S_ISREG(before.st_mode):
            raise DataError(
                "is not a regular file but named like a recording",
                "remove or rename it",
                file=where,
            )
        _refuse_size(before.st_size, where)
        data = recording.file.read_bytes()
        after = recording.file.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise DataError(
            "changed while it was read", "wait until it is written, then run again", file=where
        )
    return data


def _refuse_size(size: int, where: str) -> None:
    if size > MAX_BYTES:
        raise DataError(
            f"claims {size:,} bytes, a recording has at most {MAX_BYTES:,}",
            "download it again",
            file=where,
        )


def _opened(path: Path) -> zipfile.ZipFile:
    """A zip, opened once in each process: its list of members is long."""
    with _damage_named(path):
        state = path.stat()
        return _open(path, state.st_size, state.st_mtime_ns, os.getpid())


@lru_cache(maxsize=4)
def _open(path: Path, size: int, changed: int, process: int) -> zipfile.ZipFile:
    # A forked process must not share a handle: reading moves its position for both.
    return zipfile.ZipFile(path)


@contextmanager
def _damage_named(where: str | Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # zipfile and its decompressors raise whatever the damage leads to
        raise DataError(f"cannot be read ({error})", "download it again", file=where) from error

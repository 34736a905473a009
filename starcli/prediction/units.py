"""The files of folders, lists and archives, one by one, in memory that does not grow with them."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from starcli.contracts import SingleFileReader
from starcli.data.importing.labels import is_index
from starcli.data.importing.sources import is_added, readers, recognised
from starcli.errors import DataError
from starcli.files import digest
from starcli.poses import PoseFile
from starcli.poses import Reader as PoseReader
from starcli.prediction.reader import Reader

LARGEST = 2**31
"""Bytes of a member of an archive."""
LOOKED_AT = 16
"""Files of a folder that may say that it is of single frames."""


class Unit(NamedTuple):
    """What is read in one go: a file, a folder of the frames of recordings, or a member of a zip.

    Args:
        path: The file, folder or zip.
        member: The member of the zip; empty for none.
        below: Whether it was found below a folder, and not named itself.
    """

    path: str
    member: str = ""
    below: bool = False

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.path}/{self.member}" if self.member else self.path

    def is_of(self, shard: int, count: int) -> bool:
        """Whether it belongs to a part, which its name alone decides: the same on every machine."""
        return zlib.crc32(self.name.encode("utf-8", "surrogateescape")) % count == shard - 1


def list_digest(file: Path) -> str:
    """What tells a list of files from others.

    Raises:
        DataError: It cannot be read.
    """
    try:
        return digest(file)
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror})", "check the path", file=file
        ) from error


def listed(file: Path) -> Iterator[Path]:
    """The files that a list names, one in each line.

    Raises:
        DataError: It cannot be read.
    """
    try:
        with file.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            for line in lines:
                if name := line.rstrip("\r\n"):
                    yield Path(name)
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror})", "check the path", file=file
        ) from error


def units(places: Iterable[Path], reader: Reader) -> Iterator[Unit]:
    """What is to be read of files, folders and archives, in the order in which the system has it.

    Args:
        places: They.
        reader: How files are read.

    Raises:
        DataError: An archive or folder cannot be read.
    """
    known = readers(reader.form.reader)
    endings = {suffix for each in known.values() for suffix in each.suffixes}
    if isinstance(reader.source, SingleFileReader):
        endings.add(reader.source.suffix)
    for place in places:
        is_folder = os.path.isdir(place)  # also of a name that no system takes
        if not (is_folder or _is_zip(place)):
            yield Unit(str(place))
        elif is_folder:
            yield from _below(place, known, endings, frozenset())
        else:
            for member in _open(str(place)).infolist():
                path = PurePosixPath(member.filename)
                if not (member.is_dir() or is_added(path)) and path.suffix.lower() in endings:
                    yield Unit(str(place), member.filename, True)


def _is_zip(place: Path) -> bool:
    return place.suffix.lower() == ".zip" and os.path.isfile(place)


def _below(
    folder: Path, known: dict[str, PoseReader], endings: set[str], above: frozenset[str]
) -> Iterator[Unit]:
    """The files below a folder; a folder of single frames is one."""
    real = os.path.realpath(folder)
    if real in above:  # a link that leads back
        return
    if _has_frames(folder, known):
        yield Unit(str(folder), below=True)
        return
    inside = list[Path]()
    for path in _entries(folder):
        if path.is_dir():
            inside.append(path)
        elif path.suffix.lower() in endings:
            yield Unit(str(path), below=True)
    for each in sorted(inside):
        yield from _below(each, known, endings, above | {real})


def _has_frames(folder: Path, known: dict[str, PoseReader]) -> bool:
    """Whether the first file of a folder that is poses is one frame of a recording."""
    files = (path for path in _entries(folder) if path.is_file())
    for path, _ in zip(files, range(LOOKED_AT), strict=False):
        file = PoseFile(path, path.name)
        if format_ := recognised(file, known):
            return known[format_].frame_of(file) is not None
    return False


def _entries(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not is_added(PurePosixPath(entry.name)):
                    yield Path(entry)
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror})", "check the path", file=folder
        ) from error


@lru_cache(maxsize=1)
def _open(archive: str) -> zipfile.ZipFile:
    """A zip, whose list of members is read once."""
    try:
        return zipfile.ZipFile(archive)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(
            f"cannot be read ({error})", "make the archive again", file=archive
        ) from error


@contextmanager
def opened(unit: Unit) -> Iterator[Path | None]:
    """The file or folder of a unit, which of a member goes when it is done with.

    None where it is a list of other files below the same folder, each of which is named itself.

    Raises:
        DataError: It cannot be read.
    """
    if not unit.member:
        path = Path(unit.path)
        yield None if unit.below and _is_list(path) else path
        return
    with tempfile.TemporaryDirectory(prefix="starcli-") as folder:
        path = Path(folder) / PurePosixPath(unit.member).name
        _extract(unit, path)
        yield None if _is_list(path) else path


@cache
def _known() -> dict[str, PoseReader]:
    return readers()


def _is_list(path: Path) -> bool:
    return path.is_file() and is_index(path, _known())


def _extract(unit: Unit, path: Path) -> None:
    archive = _open(unit.path)
    member = archive.getinfo(unit.member)
    if member.file_size > LARGEST:
        raise DataError(
            f"has {member.file_size:,} bytes, at most {LARGEST:,} are unpacked",
            "unpack the archive and name the folder",
            file=unit.name,
        )
    try:
        with archive.open(member) as source, path.open("wb") as target:
            while block := source.read(2**20):
                target.write(block)
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise DataError(
            f"cannot be read ({error})", "make the archive again", file=unit.name
        ) from error


def as_line(unit: Unit) -> str:
    """A unit as a line of a list."""
    return json.dumps(unit) + "\n"


def of_line(line: bytes) -> Unit:
    """A unit of a line of a list."""
    return Unit(*json.loads(line))

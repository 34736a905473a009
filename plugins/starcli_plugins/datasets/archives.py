"""Recordings read in place: from a zip, the folder of a zip, or an unpacked folder."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from starcli.errors import DataError

MAX_MEMBER_BYTES = 64 * 2**20
"""No single recording of these data sets comes near it; more is a damaged or hostile archive."""


@dataclass(frozen=True)
class Member:
    """One recording inside an archive or folder.

    Args:
        name: File name without folders.
        where: Full place for messages, such as `Skeleton.zip/Skeleton/a1_s1_t1_skeleton.mat`.
        data: The bytes of the file.
    """

    name: str
    where: str
    data: bytes


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
            raise DataError("not a readable zip: damaged, cut off or another format",
                            f"download it again; {request}", file=raw)  # fmt: skip
        return (raw,)
    zips = sorted(p for p in raw.glob("*.[zZ][iI][pP]") if p.is_file() and _holds(p, pattern))
    loose = sorted(p for p in raw.rglob("*") if re.fullmatch(pattern, p.name) and p.is_file())
    if not zips and not loose:
        raise DataError("no recordings here", request, file=raw)
    return tuple(zips or loose)


def _holds(path: Path, pattern: str) -> bool:
    """Whether a zip has recordings; a damaged one counts, so that reading it names the damage."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(re.fullmatch(pattern, Path(n).name) for n in archive.namelist())
    except zipfile.BadZipFile:
        return True


def read(files: Sequence[Path], pattern: str) -> Iterator[Member]:
    """The recordings of zips and folders in the order of their file names.

    Raises:
        DataError: A zip or recording is damaged, too large, or there twice.
    """
    with ExitStack() as opened:
        found = sorted(item for path in files for item in _found(path, pattern, opened))
        if not found:
            raise DataError("the zip has no recordings of this data set",
                            "check that --raw names the right file", file=files[0])  # fmt: skip
        previous = ""
        for item in found:
            if item.name == previous:
                raise DataError("the same recording is there twice", "remove one of them",
                                file=item.where)  # fmt: skip
            if item.size > MAX_MEMBER_BYTES:
                raise DataError(f"claims {item.size:,} bytes, too many", "download it again",
                                file=item.where)  # fmt: skip
            with _damage_named(item.where):
                yield Member(item.name, item.where, item.load())
            previous = item.name


@dataclass(frozen=True, order=True)
class _Found:
    """A recording before it is read, in the order of names."""

    name: str
    where: str
    size: int
    load: Callable[[], bytes] = field(compare=False)


def _found(path: Path, pattern: str, opened: ExitStack) -> Iterator[_Found]:
    """The recordings of one file: itself, or the members of a zip under whatever name."""
    if re.fullmatch(pattern, path.name):
        yield _Found(path.name, str(path), path.stat().st_size, path.read_bytes)
        return
    with _damage_named(path):
        archive = opened.enter_context(zipfile.ZipFile(path))
        infos = archive.infolist()
    for info in infos:
        name = Path(info.filename).name
        if re.fullmatch(pattern, name):
            where = f"{path}/{info.filename}"
            yield _Found(name, where, info.file_size, partial(archive.read, info))


@contextmanager
def _damage_named(where: str | Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise DataError(f"cannot be read ({error})", "download it again", file=where) from error

"""Recordings read in place: from a zip, the folder of a zip, or an unpacked folder."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
    zips = sorted(p for p in raw.glob("*.zip") if p.is_file() and _holds(p, pattern))
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
        DataError: A zip or member is damaged, too large, or there twice.
    """
    if files and files[0].suffix == ".zip":
        for path in files:
            yield from _read_zip(path, pattern)
        return
    for path in sorted(files, key=lambda p: p.name):
        yield Member(path.name, str(path), path.read_bytes())


def _read_zip(path: Path, pattern: str) -> Iterator[Member]:
    with _damage_named(path), zipfile.ZipFile(path) as archive:
        infos = [i for i in archive.infolist() if re.fullmatch(pattern, Path(i.filename).name)]
        infos.sort(key=lambda i: Path(i.filename).name)
        if not infos:
            raise DataError("the zip has no recordings of this data set", file=path)
        previous = ""
        for info in infos:
            name = Path(info.filename).name
            where = f"{path}/{info.filename}"
            if name == previous:
                raise DataError("the same recording is there twice", file=where)
            if info.file_size > MAX_MEMBER_BYTES:
                raise DataError(f"claims {info.file_size:,} bytes, too many", file=where)
            with _damage_named(where):
                data = archive.read(info)
            yield Member(name, where, data)
            previous = name


@contextmanager
def _damage_named(where: str | Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise DataError(f"damaged zip ({error})", "download it again", file=where) from error

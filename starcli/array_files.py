"""Arrays from `.npy` and `.npz` files, whose headers are not believed before they are checked.

numpy itself allocates what a header claims, and advises pickles where it finds Python objects.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from starcli.errors import DataError

MAX_BYTES = 2**28
"""Of one array: hours of several people; more is a damaged or hostile file."""
MAX_HEADER = 2**14
AGAIN = "save it again with numpy.save or numpy.savez"
Shape = tuple[int, ...]
Numbers = npt.NDArray[np.floating | np.integer]


def keys(path: Path) -> list[str]:
    """Names of the arrays in an `.npz`, in order of the file.

    Raises:
        DataError: It cannot be read.
    """
    _require_file(path, str(path))
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except Exception as error:  # zipfile raises whatever the damage leads it to
        raise _unreadable(str(path), error) from error


def headers(path: Path) -> dict[str, tuple[Shape, np.dtype[np.generic]]]:
    """Shape and type that each array claims, by its key; the key of an `.npy` is empty.

    Raises:
        DataError: It cannot be read, or a header is damaged.
    """
    out = {}
    for key in keys(path) if _is_archive(path) else [""]:
        where = f"{path}#{key}" if key else str(path)
        with _opened(path, key, where) as (file, _):
            shape, _, dtype = _header(io.BytesIO(file.read(MAX_HEADER)), where)
        out[key] = shape, dtype
    return out


def read(
    path: Path,
    key: str = "",
    *,
    shaped: Callable[[Shape], bool] = lambda shape: True,
    expected: str = "numbers",
    name: str = "",
) -> Numbers:
    """An array of numbers, as the file has it.

    Args:
        path: An `.npy` or `.npz`.
        key: The array of an `.npz`; may be left out where it has one only.
        shaped: Whether a shape is the one that is expected.
        expected: What is expected, for messages.
        name: What the file is called in messages; its path where left out.

    Raises:
        DataError: Damaged, of Python objects, of another shape, or larger than it can hold.
    """
    where = f"{name or path}#{key}" if key else name or str(path)
    with _opened(path, key, where) as (file, size):
        return _array(file, size, where, shaped, expected)


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() != ".npy"


@contextmanager
def _opened(path: Path, key: str, where: str) -> Iterator[tuple[IO[bytes], int]]:
    """The bytes of an array's `.npy`, and how many there are."""
    _require_file(path, where)
    try:
        if not _is_archive(path):
            with path.open("rb") as file:
                yield file, path.stat().st_size
            return
        with zipfile.ZipFile(path) as archive:
            member = _member(archive, key, where)
            with archive.open(member) as packed:
                yield packed, member.file_size
    except DataError:
        raise
    except Exception as error:  # zipfile raises whatever the damage leads it to
        raise _unreadable(where, error) from error


def _require_file(path: Path, where: str) -> None:
    try:
        there = path.is_file()
    except (OSError, ValueError) as error:  # a name that the system does not take
        raise _unreadable(where, error) from error
    if not there:
        what = "is not a regular file" if path.exists() else "no such file"
        raise DataError(what, "check the path", file=where)


def _unreadable(where: str, error: Exception) -> DataError:
    if isinstance(error, OSError) and error.strerror:
        return DataError(f"cannot be read ({error.strerror})", "check the path", file=where)
    return DataError(f"cannot be read ({error})", AGAIN, file=where)


def _member(archive: zipfile.ZipFile, key: str, where: str) -> zipfile.ZipInfo:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if key in members:
        return members[key]
    if not key and len(members) == 1:
        return next(iter(members.values()))
    some = ", ".join(sorted(members)[:10])
    what = f"no array '{key}'" if key else f"has {len(members)} arrays"
    raise DataError(f"{what}; there are: {some}", "name one as file.npz#array", file=where)


def _array(
    file: IO[bytes], size: int, where: str, shaped: Callable[[Shape], bool], expected: str
) -> Numbers:
    """The array of an open `.npy` file of `size` bytes."""
    start = io.BytesIO(file.read(min(size, MAX_HEADER)))
    shape, fortran, dtype = _header(start, where)
    if dtype.hasobject:
        raise DataError("contains Python objects, refused", AGAIN, file=where)
    if dtype.kind not in "fiu" or not shaped(shape):
        raise DataError(f"expected {expected}, got {dtype} {list(shape)}", AGAIN, file=where)
    claimed, held = math.prod(shape) * dtype.itemsize, size - start.tell()
    if claimed != held:
        raise DataError(
            f"claims {dtype} {list(shape)}, {claimed:,} bytes, and holds {held:,}",
            AGAIN,
            file=where,
        )
    if claimed > MAX_BYTES:
        raise DataError(
            f"has {claimed:,} bytes, at most {MAX_BYTES:,} are read",
            "cut it into clips",
            file=where,
        )
    data = start.read() + file.read()
    if len(data) != claimed:
        raise DataError(f"ends after {len(data):,} of {claimed:,} bytes", AGAIN, file=where)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _header(start: IO[bytes], where: str) -> tuple[Shape, bool, np.dtype[np.generic]]:
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        return readers[npy.read_magic(start)](start)
    except Exception as error:  # numpy raises whatever the damage leads it to
        raise DataError("has no readable .npy header", AGAIN, file=where) from error

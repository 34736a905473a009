"""A clip's array from an `.npy` or `.npz` file, whose header is not believed before it is checked.

numpy itself allocates what a header claims, and advises pickles where it finds Python objects.
"""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from starcli.errors import DataError

MAX_BYTES = 2**28
"""Of one clip: hours of several people; more is a damaged or hostile file."""
MAX_HEADER = 2**14
AGAIN = "save it again with numpy.save or numpy.savez"
WANT = "[frames, joints, 2 or 3] or [frames, persons, joints, 2 or 3] of numbers"


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


def read(path: Path, key: str = "") -> npt.NDArray[Any]:
    """An array of numbers [frames, V, 2 or 3] or [frames, M, V, 2 or 3], as the file has it.

    Args:
        path: An `.npy` or `.npz`.
        key: The array of an `.npz`; may be left out where it has one only.

    Raises:
        DataError: Damaged, of Python objects, of another shape, or larger than it can hold.
    """
    where = f"{path}#{key}" if key else str(path)
    _require_file(path, where)
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                return _array(file, path.stat().st_size, where)
        with zipfile.ZipFile(path) as archive:
            member = _member(archive, key, where)
            with archive.open(member) as packed:
                return _array(packed, member.file_size, where)
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
        what = "is no regular file" if path.exists() else "no such file"
        raise DataError(what, "check the path", file=where)


def _unreadable(where: str, error: Exception) -> DataError:
    return DataError(f"cannot be read ({error})", AGAIN, file=where)


def _member(archive: zipfile.ZipFile, key: str, where: str) -> zipfile.ZipInfo:
    found = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if key in found:
        return found[key]
    if not key and len(found) == 1:
        return next(iter(found.values()))
    some = ", ".join(sorted(found)[:10])
    what = f"no array '{key}'" if key else f"has {len(found)} arrays"
    raise DataError(f"{what}; there are: {some}", "name one as file.npz#array", file=where)


def _array(file: IO[bytes], size: int, where: str) -> npt.NDArray[Any]:
    """The array of an open `.npy` file of `size` bytes."""
    start = io.BytesIO(file.read(min(size, MAX_HEADER)))
    shape, fortran, dtype = _header(start, where)
    if dtype.hasobject:
        raise DataError("contains Python objects, refused", AGAIN, file=where)
    shaped = len(shape) in (3, 4) and shape[-1] in (2, 3) and min(shape) > 0
    if dtype.kind not in "fiu" or not shaped:
        raise DataError(f"is {dtype} {list(shape)}, want {WANT}", AGAIN, file=where)
    claimed, held = math.prod(shape) * dtype.itemsize, size - start.tell()
    if claimed != held:
        raise DataError(
            f"claims {dtype} {list(shape)}, {claimed:,} bytes, and holds {held:,}",
            AGAIN,
            file=where,
        )
    if claimed > MAX_BYTES:
        raise DataError(
            f"has {claimed:,} bytes, a clip has at most {MAX_BYTES:,}",
            "cut it into clips",
            file=where,
        )
    data = start.read() + file.read()
    if len(data) != claimed:
        raise DataError(f"ends after {len(data):,} of {claimed:,} bytes", AGAIN, file=where)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _header(start: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        return readers[npy.read_magic(start)](start)
    except Exception as error:  # numpy raises whatever the damage leads it to
        raise DataError("has no readable .npy header", AGAIN, file=where) from error

"""Arrays inside `.npz` files, read by rows and without trusting what their headers claim."""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from starcli.errors import DataError

BLOCK = 128
"""Rows that are read at once."""
MAX_HEADER = 2**14
REMAKE = "make the file again with CTR-GCN's preparation, or pass the .skeleton files"


def members(path: Path, keys: Sequence[str]) -> dict[str, Member]:
    """The arrays of a file, known by their headers, which must agree with the sizes of the file.

    Args:
        path: The `.npz`.
        keys: Their names, without `.npy`.

    Raises:
        DataError: Not a zip, cut off, an array missing, of Python objects, in Fortran order, or
            larger than the file can hold.
    """
    with _damage_named(path), zipfile.ZipFile(path) as archive:
        names = {name.removesuffix(".npy") for name in archive.namelist()}
        if not names.issuperset(keys):
            got = ", ".join(sorted(names))[:200]
            raise DataError(f"expected {', '.join(keys)}, got {got!r}", REMAKE, file=path)
        return {key: _member(path, archive, f"{key}.npy") for key in keys}


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> Member:
    """An array by its header, which must agree with the size that the file has for it."""
    where = f"{path}/{name}"
    with _damage_named(where):
        info = archive.getinfo(name)
        if info.header_offset + info.compress_size > path.stat().st_size:
            raise DataError(
                f"claims {info.compress_size:,} bytes, more than the file has", REMAKE, file=where
            )
        with archive.open(info) as file:
            shape, fortran, dtype, skip = _header(file.read(MAX_HEADER), where)
    if dtype.hasobject:
        raise DataError("contains Python objects, refused", REMAKE, file=where)
    if fortran:
        raise DataError(
            "is stored column by column (Fortran order)",
            "save it again after np.ascontiguousarray",
            file=where,
        )
    # Of a stored array these two sizes are the same, or else one of them lies.
    size = info.compress_size if info.compress_type == zipfile.ZIP_STORED else info.file_size
    claimed, held = math.prod(shape) * dtype.itemsize, size - skip
    if min(shape, default=0) < 0 or claimed != held:
        raise DataError(
            f"claims {dtype} {list(shape)}, {claimed:,} bytes, and holds {held:,}",
            REMAKE,
            file=where,
        )
    return Member(path, info, shape, dtype, skip)


def _header(start: bytes, where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether in Fortran order, type and length of the header of an `.npy` file."""
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    file = io.BytesIO(start)
    try:
        return *readers[npy.read_magic(file)](file), file.tell()
    except Exception as error:  # numpy raises whatever the damage leads it to, and advises pickles
        raise DataError("has no readable .npy header", REMAKE, file=where) from error


@dataclass(frozen=True)
class Member:
    """An array inside an `.npz`, of which only the header was read.

    Args:
        path: The `.npz`.
        info: Its entry in the zip.
        shape: Its shape.
        dtype: Its type.
        skip: Bytes of its header.
    """

    path: Path
    info: zipfile.ZipInfo
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    skip: int

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def name(self) -> str:
        """Its name in the zip."""
        return self.info.filename

    @property
    def where(self) -> str:
        """Its place for messages, such as `NTU60_CS.npz/x_train.npy`."""
        return f"{self.path}/{self.name}"

    @property
    def stored(self) -> bool:
        """Whether rows can be read without those before them."""
        return self.info.compress_type == zipfile.ZIP_STORED

    def wrong(self, expected: str) -> DataError:
        """The error that it is not what it should be."""
        return DataError(
            f"expected {expected}, got {self.dtype} {list(self.shape)}", REMAKE, file=self.where
        )

    def verify(self) -> None:
        """Compare the checksum of a stored array, which reading by rows passes over."""
        if self.stored:
            with _damage_named(self.where), self._member_opened() as file:
                while file.read(2**20):
                    pass

    def blocks(self, start: int, stop: int) -> Iterator[npt.NDArray[Any]]:
        """The rows from `start` to before `stop` in blocks of up to `BLOCK`."""
        size = math.prod(self.shape[1:]) * self.dtype.itemsize
        with _damage_named(self.where), self._opened(start * size) as file:
            for first in range(start, stop, BLOCK):
                count = min(BLOCK, stop - first)
                data = file.read(count * size)
                yield np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])

    @contextmanager
    def _opened(self, offset: int) -> Iterator[IO[bytes]]:
        """The bytes of the rows from an offset on."""
        if self.stored:
            with self.path.open("rb") as file:
                file.seek(_data_offset(file, self.info) + self.skip + offset)
                yield file
        else:
            with self._member_opened() as packed:
                packed.seek(self.skip + offset)
                yield packed

    @contextmanager
    def _member_opened(self) -> Iterator[IO[bytes]]:
        """The array's bytes from its header on, with their checksum compared at the end."""
        with zipfile.ZipFile(self.path) as archive, archive.open(self.info) as file:
            yield file


def _data_offset(file: IO[bytes], info: zipfile.ZipInfo) -> int:
    """Where the bytes of a member begin: behind its local header (APPNOTE 4.3.7)."""
    file.seek(info.header_offset)
    name, extra = struct.unpack("<26x2H", file.read(30))
    return int(info.header_offset + 30 + name + extra)


@contextmanager
def _damage_named(where: str | Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # zipfile and its decompressors raise whatever the damage leads to
        reason = str(error) or type(error).__name__
        raise DataError(f"cannot be read ({reason})", REMAKE, file=where) from error

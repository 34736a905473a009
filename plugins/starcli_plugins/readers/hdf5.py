"""HDF5 files, read with the package h5py of an extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from starcli.array_files import MAX_BYTES
from starcli.errors import DataError, MissingError
from starcli.poses import PoseFile

MAGIC = b"\x89HDF\r\n\x1a\n"


def is_hdf5(file: PoseFile) -> bool:
    """Whether a file is HDF5."""
    return file.head.startswith(MAGIC)


@contextmanager
def opened(file: PoseFile, extra: str) -> Iterator[Any]:
    """The file, open for reading.

    Args:
        file: The file.
        extra: The extra of starcli that has h5py.

    Raises:
        MissingError: h5py is not installed.
        DataError: The file is damaged.
    """
    try:
        h5py = import_module("h5py")
    except ImportError as error:
        raise MissingError(
            "reading HDF5 needs the package h5py",
            f"pip install 'starcli[{extra}]'",
            file=file.name,
        ) from error
    try:
        with h5py.File(file.path, "r") as content:
            if fault := content.visititems_links(partial(_fault, content)):
                raise file.wrong(*fault)
            yield content
    except (DataError, MissingError):
        raise
    except Exception as error:  # h5py raises whatever the damage leads it to
        raise file.wrong(f"cannot be read ({error})", "export it again") from error


def _fault(content: Any, name: str, link: Any) -> tuple[str, str] | None:
    """What is wrong with one that leads to another file, of any format, or claims too much."""
    kind = type(link).__name__
    found = content[name] if kind == "HardLink" else None
    outside = getattr(found, "external", None) or getattr(found, "is_virtual", False)
    if kind == "ExternalLink" or outside:
        return f"'{name}' lies in another file", "export it again, as one file"
    claimed = getattr(found, "nbytes", 0)
    if claimed > MAX_BYTES:
        what = f"'{name}' claims {claimed:,} bytes, at most {MAX_BYTES:,} are read"
        return what, "cut it into clips"
    return None


def has(file: PoseFile, *paths: str) -> bool:
    """Whether a file has one of some groups or data sets; without h5py, whether it may have.

    Args:
        file: The file.
        paths: Their paths inside the file.
    """
    if not is_hdf5(file):
        return False
    try:
        with opened(file, "") as content:
            return any(path in content for path in paths)
    except DataError:
        return False
    except MissingError:  # names of what is at the top are near the beginning
        return any(path.partition("/")[0].encode() in file.head for path in paths)

"""Checks that files are as they were written: by digest, large ones by samples of their bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NotRequired, TypedDict

from starcli import files

LARGE = 256 * 2**20
"""Size above which a file is only sampled, unless it is to be read whole."""
BLOCK, BLOCKS = 2**20, 32
"""What is sampled, which records made with other numbers would not be comparable to."""


class Record(TypedDict):
    """What tells whether files have changed; results of earlier versions have `files` only."""

    files: dict[str, str]
    """Name -> SHA-256."""
    bytes: NotRequired[dict[str, int]]
    """Name -> length."""
    samples: NotRequired[dict[str, str]]
    """Name -> `sample` of large ones."""


def record(paths: Sequence[Path]) -> Record:
    """What tells later whether files have changed."""
    large = [path for path in paths if path.stat().st_size > LARGE]
    return {
        "files": {path.name: _read(files.digest, path) for path in paths},
        "bytes": {path.name: path.stat().st_size for path in paths},
        "samples": {path.name: _read(sample, path) for path in large},
    }


def sample(path: Path) -> str:
    """SHA-256 of blocks of a file: its first, which has the header, its last, and some between."""
    hashed, last = hashlib.sha256(), max(0, path.stat().st_size - BLOCK)
    with path.open("rb") as file:
        for number in range(BLOCKS):
            file.seek(last * number // (BLOCKS - 1))
            hashed.update(file.read(BLOCK))
    return hashed.hexdigest()


def fault(folder: Path, names: Sequence[str], known: Record, *, whole: bool) -> tuple[str, str]:
    """The first of some files that is not as it was written, and how so; empty texts if none is.

    Args:
        folder: Where they are.
        names: Their names.
        known: What was recorded of them.
        whole: Also read large files whole.
    """
    look = partial(_fault, folder, known=known, whole=whole)
    with ThreadPoolExecutor() as pool:
        looked = zip(names, pool.map(look, names), strict=True)
        return next(((name, what) for name, what in looked if what), ("", ""))


def _fault(folder: Path, name: str, known: Record, *, whole: bool) -> str:
    path = folder / name
    if name not in known["files"]:
        return "is not a file of this result"
    try:
        state = path.stat()
        length = known.get("bytes", {}).get(name, state.st_size)
        if state.st_size != length:
            return f"is damaged: expected {length:,} bytes, got {state.st_size:,}"
        whole = whole or state.st_size <= LARGE
        read = files.digest if whole else sample
        wanted = (known["files"] if whole else known.get("samples", {})).get(name)
        if wanted is not None and _read(read, path) != wanted:
            return "is damaged: its bytes are not those that were written"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""


_known: dict[tuple[Callable[[Path], str], int, int, int, int], str] = {}


def _read(read: Callable[[Path], str], path: Path) -> str:
    """What a function finds in a file, which it reads again only when the file has changed."""
    now = path.stat()
    state = (read, now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)
    if state not in _known:
        _known[state] = read(path)
    return _known[state]

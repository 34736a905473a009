"""Files that are whole whenever they are there, whatever ends the process that writes them."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

from starcli.errors import writes_to

HERE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
"""This machine: only here does the number of a process say whether it is alive."""


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_whole(path: Path, write: Callable[[Path], None], option: str = "--store") -> None:
    """Write a file that is whole whenever it is there, even after a power cut.

    What processes that were killed left of such files beside it is removed.

    Args:
        path: The file.
        write: Writes it under another name.
        option: Where another place can be named.

    Raises:
        OutputError: It cannot be written.
    """
    # What an interrupted run has started may still be writing when the next one does.
    draft = path.with_name(f"{path.name}.{HERE}-{os.getpid()}.tmp")
    with writes_to(path, option):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_drafts(path.parent.absolute())
        try:
            write(draft)
            make_public(draft)
            sync(draft)
            os.replace(draft, path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def save_text(path: Path, text: str, option: str = "--store") -> None:
    """Write a text file as `save_whole` does."""

    def write(draft: Path) -> None:
        draft.write_text(text, "utf-8")

    save_whole(path, write, option)


@cache  # a folder that many files are written to is listed once
def _sweep_drafts(folder: Path) -> None:
    """Remove the drafts of processes of this machine that are dead."""
    for path in folder.glob(f"*.{HERE}-*.tmp"):
        number = re.fullmatch(rf".+\.{HERE}-(\d+)\.tmp", path.name)
        if number and not _is_alive(int(number[1])):
            path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def link(path: Path, other: Path) -> None:
    """Give a file a second name; where the file system has no links, copy it."""
    try:
        os.link(path, other)
    except OSError:  # if it is not the link that cannot be, the copy says what is wrong
        shutil.copyfile(path, other)


def make_public(path: Path) -> None:
    """Give a file the mode that the user's umask asks for; safetensors makes private ones."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(path, 0o666 & ~mask)


def sync(path: Path) -> None:
    """Have the system write a file or folder to its disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

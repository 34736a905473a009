"""Files: read strictly, and whole whenever they are there, whatever ends who writes them.

Written by hand: `atomicwrites`, the library for it, is archived, and removes no drafts of processes
that were killed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import platform
import re
import shutil
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TextIO

from starcli.errors import DataError, OutputError, StarError, UsageError, writes_to

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


def save_folder(
    path: Path, write: Callable[[Path], None], option: str = "--store", *, replace: bool = False
) -> None:
    """Write a folder of files that is whole whenever it is there, even after a power cut.

    Args:
        path: The folder.
        write: Writes the files into another, empty folder.
        option: Where another place can be named.
        replace: Put it in the place of one that is there; otherwise only of an empty one.

    Raises:
        OutputError: It cannot be written.
    """
    draft = path.with_name(f"{path.name}.{HERE}-{os.getpid()}.tmp")
    old = path.with_name(f"{path.name}.old.{HERE}-{os.getpid()}.tmp")
    with writes_to(path, option):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_drafts(path.parent.absolute())
        try:
            draft.mkdir()
            write(draft)
            for each in (*draft.iterdir(), draft):
                sync(each)
            if replace and path.is_dir():
                os.replace(path, old)
            os.replace(draft, path)
        except BaseException:
            if old.exists():
                os.replace(old, path)
            raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
        sync(path.parent)


def save_text(path: Path, text: str, option: str = "--store") -> None:
    """Write a text file as `save_whole` does."""

    def write(draft: Path) -> None:
        draft.write_text(text, "utf-8")

    save_whole(path, write, option)


def require_file(file: Path, endings: Sequence[str], option: str, *, overwrite: bool) -> None:
    """Refuse a file that cannot be written, before anything is read.

    Args:
        file: The file that is to be written.
        endings: Those that say a form, in small letters.
        option: What names the file.
        overwrite: Whether one that is there may be replaced.

    Raises:
        UsageError: Its ending says no form, it is a folder, or it is there.
        OutputError: Its folder cannot be written into.
    """
    if file.suffix.lower() not in endings:
        raise UsageError(
            f"expected a file {', '.join(endings)}, got '{file.suffix}'",
            f"name another with {option}",
            file=file,
        )
    if file.is_dir():
        raise UsageError("is a folder", f"name a file with {option}", file=file)
    require_free(file, option, overwrite=overwrite)
    require_folder(file.parent, option)


def require_folder(folder: Path, option: str) -> None:
    """Refuse a folder that cannot be written into, or made, before anything is read.

    Args:
        folder: The folder.
        option: What names it.

    Raises:
        OutputError: It, or where it would be made, cannot be written into.
    """
    whole = folder.absolute()
    place = next(each for each in (whole, *whole.parents) if each.exists())
    if not (place.is_dir() and os.access(place, os.W_OK)):
        raise OutputError("cannot write into it", f"name another with {option}", file=place)


def require_free(place: Path, option: str = "", *, overwrite: bool) -> None:
    """Refuse a file or folder that is there, unless it may be replaced.

    Args:
        place: The file or folder that is to be written.
        option: What names it; empty for an argument.
        overwrite: Whether one that is there may be replaced.

    Raises:
        UsageError: It is there.
    """
    if os.path.lexists(place) and not overwrite:
        another = f"name another with {option}" if option else "name another"
        raise UsageError("already exists", f"replace it with --overwrite, or {another}", file=place)


def holds(path: Path, text: str) -> bool:
    """Whether a file is there and has this text."""
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


@cache  # a folder that many files are written to is listed once
def _sweep_drafts(folder: Path) -> None:
    """Remove the drafts of processes of this machine that are dead."""
    for path in folder.glob(f"*.{HERE}-*.tmp"):
        number = re.fullmatch(rf".+\.{HERE}-(\d+)\.tmp", path.name)
        if number and not _is_alive(int(number[1])):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
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


MAX_BYTES = 64 * 2**20
"""An index of a million clips comes near it."""
Pairs = list[tuple[str, object]]


def strict_json(path: Path, object_of: Callable[[Pairs], object] | None = None) -> Any:
    """JSON without what the standard does not know, and without a key that hides another.

    Args:
        path: The file.
        object_of: Makes an object of its keys and values; None to refuse duplicate keys.

    Raises:
        DataError: It cannot be read, or is not such JSON.
    """

    def refuse_twice(pairs: Pairs) -> dict[str, object]:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataError(f"duplicate key '{twice}'", "remove one", file=path)
        return made

    def refuse(number: str) -> NoReturn:
        raise DataError(f"has {number}, which is not JSON", "remove it", file=path)

    try:
        return json.loads(
            text(path), object_pairs_hook=object_of or refuse_twice, parse_constant=refuse
        )
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"not readable JSON ({error})",
            "fix the file",
            file=path,
            line=getattr(error, "lineno", None),
        ) from error


def toml(path: Path, wrong: type[StarError] = DataError) -> dict[str, object]:
    """TOML of a file.

    Args:
        path: The file.
        wrong: Kind of the error.

    Raises:
        StarError: It cannot be read, or is not TOML: with the line.
    """
    content = text(path, wrong)
    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).rpartition(" (at ")
        at = re.match(r"line (\d+), (column \d+)", place)
        line = int(at[1]) if at else content.count("\n") + 1
        column = f" at {at[2]}" if at else ", the file ends"
        raise wrong(
            f"not readable TOML: {reason}{column}", "fix the file", file=path, line=line
        ) from error


def text(path: Path, wrong: type[StarError] = DataError) -> str:
    """The text of a file, without the mark that some editors begin it with.

    Args:
        path: The file.
        wrong: Kind of the error.

    Raises:
        StarError: It cannot be read, is too large, or not UTF-8.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise wrong(
                f"has {size:,} bytes, at most {MAX_BYTES:,} are read", "split it", file=path
            )
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise wrong(
            f"not UTF-8 at byte {error.start}", "save it as UTF-8", file=path, line=line
        ) from error
    except OSError as error:
        raise wrong(f"cannot be read ({error.strerror})", "check the path", file=path) from error


FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes the beginning of a formula for."""


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """A table as CSV, in which no spreadsheet takes a text for a formula.

    Args:
        columns: The columns; what rows have beside them is left out.
        rows: Column -> value.
    """
    out = io.StringIO()
    write_csv(out, columns, rows)
    return out.getvalue()


def write_csv(file: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """The same into a file, row by row; what a row lacks is empty.

    Args:
        file: Gets it.
        columns: The columns; what rows have beside them is left out.
        rows: Column -> value.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_inert(row.get(column)) for column in columns] for row in rows)


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value

"""Text, JSON and TOML files that people write, read strictly."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from starcli.errors import DataError, StarError

MAX_BYTES = 64 * 2**20
"""An index of a million clips comes near it."""
Pairs = list[tuple[str, Any]]


def strict_json(path: Path, object_of: Callable[[Pairs], Any] | None = None) -> Any:
    """JSON without what the standard does not know, and without a key that hides another.

    Args:
        path: The file.
        object_of: Makes an object of its keys and values; None to refuse keys that are there twice.

    Raises:
        DataError: It cannot be read, or is not such JSON.
    """

    def refuse_twice(pairs: Pairs) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataError(f"an object has key '{twice}' twice", "remove one", file=path)
        return made

    def refuse(number: str) -> NoReturn:
        raise DataError(f"has {number}, which is not JSON", "remove it", file=path)

    try:
        return json.loads(
            text(path), object_pairs_hook=object_of or refuse_twice, parse_constant=refuse
        )
    except (ValueError, RecursionError) as error:
        raise DataError(f"not readable JSON ({error})", "mend the file", file=path,
                        line=getattr(error, "lineno", None)) from error  # fmt: skip


def toml(path: Path, wrong: type[StarError] = DataError) -> dict[str, Any]:
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
        raise wrong(f"not readable TOML: {reason}{column}", "fix the file", file=path,
                    line=line) from error  # fmt: skip


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
            raise wrong(f"has {size:,} bytes, at most {MAX_BYTES:,} are read", "split it",
                        file=path)  # fmt: skip
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise wrong(f"not UTF-8 at byte {error.start}", "save it as UTF-8", file=path,
                    line=line) from error  # fmt: skip
    except OSError as error:
        raise wrong(f"cannot be read ({error.strerror})", "check the path",
                    file=path) from error  # fmt: skip

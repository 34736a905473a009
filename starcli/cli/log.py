"""The log of a command that computes: what was asked for, what was done and when, why it failed.

It lies in `logs` of the store, and begins with the work: commands that only look write none.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

from starcli import __version__

_begun: list[Path] = []


def begin(store: Path, settings: Mapping[str, object]) -> None:
    """Begin the log of this process, unless it has one; where it cannot be written, there is none.

    Args:
        store: The folder of all results.
        settings: Settings by dotted name.
    """
    if _begun:
        return
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "starcli")
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.path.basename(command)}-{os.getpid()}.log"
    path = store / "logs" / name
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        _begun.append(path)
    write(f"starcli {__version__}, Python {platform.python_version()}, {platform.platform()}")
    write(f"command: {sys.argv[1:]}")
    for key, value in settings.items():
        write(f"setting: {key} = {value}")


def current() -> Path | None:
    """The log that was begun, if there is one."""
    return _begun[0] if _begun else None


def end() -> None:
    """Have the next command begin a log of its own."""
    _begun.clear()


def write(text: str) -> None:
    """Add a line, with the time; a full disk must not end what it is told of."""
    if _begun:
        with contextlib.suppress(OSError), _begun[0].open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def failed(problem: BaseException) -> None:
    """Add why the command failed, with the whole traceback."""
    write("failed\n" + "".join(traceback.format_exception(problem)))

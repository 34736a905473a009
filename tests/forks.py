"""Processes that begin as copies of this one, which has imported what takes seconds to import."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

OUT, ERR = "out.txt", "err.txt"
"""Where such a process prints, in its folder."""


def begin(work: Callable[[], object], folder: Path) -> BaseProcess:
    """Start a process that does something, and ends with the code that it exits with.

    Args:
        work: What it does.
        folder: Where it does it.
    """
    process = multiprocessing.get_context("fork").Process(target=_do, args=(work, folder))
    process.start()
    return process


def end(work: Callable[[], object], folder: Path) -> tuple[int | None, str]:
    """The code that such a process ended with, or minus the signal, and all that it printed.

    Args:
        work: What it does.
        folder: Where it does it.
    """
    process = begin(work, folder)
    process.join(300)
    process.kill()
    return process.exitcode, "".join((folder / name).read_text("utf-8") for name in (OUT, ERR))


def starcli(*arguments: str) -> Callable[[], object]:
    """What runs a command.

    Args:
        arguments: Those of the command.
    """

    def work() -> None:
        from starcli.__main__ import main

        sys.argv = ["starcli", *arguments]
        main()

    return work


def pytest(folder: Path) -> Callable[[], object]:
    """What runs the tests of a folder.

    Args:
        folder: The folder.
    """

    def work() -> None:
        from pytest import main

        sys.exit(main(["-q", "-p", "no:cacheprovider", str(folder)]))

    return work


def _do(work: Callable[[], object], folder: Path) -> None:
    os.chdir(folder)
    for number, name in ((1, OUT), (2, ERR)):
        with open(name, "wb") as file:
            os.dup2(file.fileno(), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    work()

"""Commands that work with a store: while one does, no result is pruned, also none that it has just
made and no run needs yet.

Each holds a lock of its own, which the system frees when it dies.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from starcli.errors import OutputError, writes_to
from starcli.files import HERE

PRUNE = "prune.lock"
_numbers = itertools.count()


@contextlib.contextmanager
def using(store: Path) -> Iterator[None]:
    """Keep the results of a store from being pruned; waits for whoever is just doing so.

    Args:
        store: The folder of all results; where it cannot be written, nobody prunes it.
    """
    from filelock import FileLock

    own = FileLock(store / "locks" / f"command-{HERE}-{os.getpid()}-{next(_numbers)}.lock")
    with contextlib.suppress(OSError):  # such as a store that can only be read
        Path(own.lock_file).parent.mkdir(exist_ok=True)
        with FileLock(store / "locks" / PRUNE):
            own.acquire()
    try:
        yield
    finally:
        if own.is_locked:
            Path(own.lock_file).unlink(missing_ok=True)
        own.release()


@contextlib.contextmanager
def unused(store: Path) -> Iterator[None]:
    """Have a store for oneself: commands that begin wait.

    Args:
        store: The folder of all results.

    Raises:
        OutputError: A command works with it, or it cannot be written.
    """
    from filelock import FileLock, Timeout

    with writes_to(store):
        (store / "locks").mkdir(exist_ok=True)
        lock = FileLock(store / "locks" / PRUNE)
        lock.acquire()
    try:
        for path in (store / "locks").glob("command-*.lock"):
            try:
                with FileLock(path, timeout=0):
                    path.unlink(missing_ok=True)  # its command was killed
            except Timeout as error:
                raise OutputError(
                    "a command is working with this store",
                    "run again when it has ended",
                    file=path,
                ) from error
        yield
    finally:
        lock.release()

"""Processes that end with the one that started them, whatever ends that one.

A process that is killed cannot end its children: each child watches its parent. It asks for the
parent's number again and again, as a system gives orphans another parent. A pipe that closes with
the parent would not do: every process that is forked later holds its other end too.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process

INTERVAL = 0.5
"""Seconds between two looks at the parent."""
PATIENCE = 5.0
"""Seconds that the threads of a pool have to end after its processes."""


def share_cores() -> None:
    """Have threads that wait for one another give up their core soon; before torch is imported.

    By default GNU's OpenMP has them look again and again for milliseconds. Where others use the
    machine as well, the core that they look from is the one that is waited for: small operations of
    two threads took seventeen times as long beside a busy process, and take 1.1 times as long so.
    Whoever has set how threads wait keeps that.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def cores(count: int | None = None) -> int:
    """A number of processes: as asked, or one for every core that is ours."""
    if count is not None:
        return count
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def follow(parent: int) -> None:
    """End this process when its parent ends, and with it the process group that it leads.

    Args:
        parent: Number of the parent, which it tells itself: it may end before this is called.
    """

    def watch() -> None:
        while _alive(parent):
            time.sleep(INTERVAL)
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, name="follow", daemon=True).start()


def _alive(parent: int) -> bool:
    """Whether the parent runs; on Windows, where orphans keep its number, only a pool can tell."""
    known = parent_process()
    try:
        return os.getppid() == parent and (known is None or known.is_alive())
    except ValueError:  # a process of joblib's cannot look
        return True


def _nothing() -> None:
    pass


@contextmanager
def pool(processes: int, start: str) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with this one, and at once where an error or a signal leaves the block.

    Args:
        processes: How many.
        start: How they start: fork or spawn.
    """
    before, threads = active_children(), set(threading.enumerate())
    with ProcessPoolExecutor(processes, get_context(start), begin, (os.getpid(),)) as executor:
        try:
            with _signals_later():
                executor.submit(_nothing)  # starts all processes where they are forked
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            for process in set(active_children()).difference(before):
                process.kill()
            # Python, as it ends, wakes the pool's thread by a pipe that this one may just close.
            for thread in set(threading.enumerate()).difference(threads):
                if thread.is_alive():  # not one that is only about to start
                    thread.join(PATIENCE)
            raise


@contextmanager
def _signals_later() -> Iterator[None]:
    """Hold signals back: an exception that one raises within a fork is lost."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begin(parent: int) -> None:
    """Start a process of a pool, which leaves Ctrl-C to its parent and ends with it.

    Args:
        parent: Number of the parent.
    """
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):  # the parent's, which a fork has too
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
    follow(parent)

"""Files that may not be read or written, also by root."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

OVERRIDE = 0b110
"""The capabilities to read and write whatever files say: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH."""
VERSION = 0x20080522
"""Of the structures of `capset(2)` with 64 bits."""


@contextmanager
def as_others() -> Iterator[None]:
    """Let root have the rights that files give, as everybody has; forks inherit it."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("root may read and write everything")
    before = _capabilities()
    _set([before[0] & ~OVERRIDE, *before[1:]])
    try:
        yield
    finally:
        _set(before)


def give_up() -> None:
    """Give up root's rights to files for good, also for `os.access`; only in a fork."""
    if os.geteuid() == 0:
        if sys.platform != "linux":
            pytest.skip("root may read and write everything")
        effective, permitted, *rest = _capabilities()
        _set([effective & ~OVERRIDE, permitted & ~OVERRIDE, *rest])


def _capabilities() -> list[int]:
    """Effective, permitted and inheritable ones, 32 at a time."""
    header, data = (ctypes.c_uint32 * 2)(VERSION, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capget(header, data) == 0
    return list(data)


def _set(capabilities: list[int]) -> None:
    header, data = (ctypes.c_uint32 * 2)(VERSION, 0), (ctypes.c_uint32 * 6)(*capabilities)
    assert ctypes.CDLL(None).capset(header, data) == 0

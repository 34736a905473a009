"""A disk that is really full: a file system in memory that only the command sees."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import forks

NEW_NAMESPACE, PRIVATE, REMOUNT = 0x20000, 0x44000, 0x20
"""Of `unshare(2)`; of `mount(2)`: MS_PRIVATE of all below, MS_REMOUNT."""
NOT_ALLOWED = 77
COMMAND = ("describe", "--dataset", "simulated", "--store", "disk/store")


def mounted(size: int, flags: int = 0) -> bool:
    """Whether `disk` has been made a file system of so many bytes."""
    options = f"size={size}".encode()
    return bool(ctypes.CDLL(None).mount(b"tmpfs", b"disk", b"tmpfs", flags, options) == 0)


def ended() -> int:
    with pytest.raises(SystemExit) as caught:
        forks.starcli(*COMMAND)()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def on_a_disk_of(size: int) -> Callable[[], None]:
    def work() -> None:
        libc = ctypes.CDLL(None)
        os.mkdir("disk")
        own = libc.unshare(NEW_NAMESPACE) == 0 and libc.mount(None, b"/", None, PRIVATE, None) == 0
        if not own or not mounted(size):
            os._exit(NOT_ALLOWED)
        assert ended() == 6
        left = [p for p in Path("disk").rglob("*") if p.is_file() and "logs" not in p.parts]
        assert not [p for p in left if p.suffix in (".json", ".tmp")], left
        assert mounted(2**24, REMOUNT)
        assert ended() == 0
        assert len(list(Path("disk/store/describe").glob("*/data.json"))) == 1

    return work


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system as Linux does")
@pytest.mark.parametrize("pages", [1, 3, 5])
def test_with_more_room_the_same_command_ends_as_if_undisturbed_f07(
    tmp_path: Path, pages: int
) -> None:
    code, said = forks.end(on_a_disk_of(pages * os.sysconf("SC_PAGE_SIZE")), tmp_path)
    if code == NOT_ALLOWED:
        pytest.skip("no file system can be mounted here")
    assert code == 0, said
    assert "error: " in said and "No space left on device" in said
    assert "fix: free some space" in said

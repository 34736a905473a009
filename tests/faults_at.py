"""Commands that are killed, or find the disk full, at any one of their changes of files.

A process that has imported everything, and used one thread only, forks for each command, so that a
command costs what it does itself. Changes are counted by what Python audits; those that it does
not, of safetensors and fsync, are announced by wrappers.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

ROOT = Path(__file__).resolve().parents[1]
Fault = Literal["kill", "full", "none"]
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PATHS = {
    "os.rename": 1,
    "os.link": 1,
    "os.mkdir": 0,
    "os.remove": 0,
    "os.rmdir": 0,
    "os.truncate": 0,
    "fault.save": 0,
    "fault.sync": 0,
}
"""Event -> which of its arguments is the path that changes."""
FREES = {"os.remove", "os.rmdir"}
"""What a full disk lets pass."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Args:
        code: Its exit code, or minus the signal that ended it.
        changes: How often it changed files; 0 if it was killed.
        said: What it printed.
    """

    code: int
    changes: int
    said: str


class Commands:
    """Runs commands in forks of one process.

    Args:
        folder: Where they run; changes are counted in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        threads = dict.fromkeys(("OMP", "MKL", "OPENBLAS"), "1")
        more = {f"{name}_NUM_THREADS": count for name, count in threads.items()}
        paths = os.pathsep.join(str(ROOT / name) for name in (".", "plugins"))
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, **more, "PYTHONPATH": paths},
        )

    def run(self, *command: str, at: int = 0, fault: Fault = "kill") -> Ended:
        """Run a command.

        Args:
            command: Its arguments.
            at: Number of the change, from 1, that the fault comes with; 0 for none.
            fault: `kill` at this change, in the middle of it where it is a file's; a disk that is
                `full` from then on; `none` to run it without a fork, which imports what it needs.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {"command": command, "at": at, "fault": fault}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


class Changes:
    """Counts changes of files in a folder, and makes one of them the last or the disk full.

    Args:
        folder: The folder.
        at: Number of the change; 0 for none.
        fault: What happens.
    """

    def __init__(self, folder: Path, at: int, fault: Fault) -> None:
        self.folder, self.at, self.fault = f"{folder}{os.sep}", at, fault
        self.count, self.busy = 0, False

    def __call__(self, event: str, arguments: Sequence[Any]) -> None:
        """Look at an audited event."""
        if self.busy or (event != "open" and event not in PATHS):
            return
        self.busy = True
        try:
            path, flags = self._changed(event, arguments)
            if path is None:
                return
            self.count += 1
            if self.fault == "kill" and self.count == self.at:
                _kill_in(event, path, flags)
            if self.fault == "full" and 0 < self.at <= self.count and event not in FREES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        finally:
            self.busy = False

    def _changed(self, event: str, arguments: Sequence[Any]) -> tuple[str | None, int]:
        """The path that changes, None if none in the folder does, and how it is opened."""
        place = arguments[PATHS.get(event, 0)]
        flags = arguments[2] if event == "open" else 0
        if event == "open" and (isinstance(place, int) or not flags & WRITES):
            return None, 0
        path = os.fspath(place)
        path = path.decode() if isinstance(path, bytes) else path
        if event in FREES and arguments[-1] != -1:  # relative to an open folder
            return path, 0
        path = os.path.abspath(path)
        opened = event == "open" and not flags & (os.O_TRUNC | os.O_APPEND)
        same = os.path.exists(path) and (opened or event == "os.mkdir")
        return (path if path.startswith(self.folder) and not same else None), flags


def _kill_in(event: str, path: str, flags: int) -> NoReturn:
    """End the process, with half of what it was about to write on disk."""
    with contextlib.suppress(OSError):
        if event == "fault.save":
            Path(path).with_name(".tmpHaLfDn").write_bytes(b"half")
        elif flags & (os.O_TRUNC | os.O_APPEND):
            with open(path, "ab" if flags & os.O_APPEND else "wb") as file:
                file.write(b'{"half')
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _announce(save: Callable[..., None]) -> Callable[..., None]:
    """A function that writes a safetensors file, and says so."""

    def announced(tensors: Any, path: Any, metadata: Any = None) -> None:
        sys.audit("fault.save", os.fspath(path))
        save(tensors, path, metadata=metadata)

    return announced


def _prepare() -> None:
    """Import everything, and make it cheap; what is tested is how files are written."""
    import safetensors.numpy
    import safetensors.torch
    import torch
    import typer.main
    from matplotlib.figure import Figure

    from starcli import registry
    from starcli.benchmark import export
    from starcli.data import reading
    from tests.store.test_kills import Toy

    torch.set_num_threads(1)
    safetensors.torch.save_file = _announce(safetensors.torch.save_file)
    safetensors.numpy.save_file = _announce(safetensors.numpy.save_file)
    declared = registry.declared

    def announced(fd: FileDescriptorLike) -> None:
        """Only say so: a killed process loses nothing that it has written."""
        sys.audit("fault.sync", os.readlink(f"/proc/self/fd/{fd}"))

    def toy(kind: Any, name: str) -> Any:
        return Toy if (kind, name) == ("text-encoder", "minilm") else declared(kind, name)

    os.fsync, registry.declared, reading.GROUP = announced, toy, 12
    export.draw = lambda document: Figure()
    typer.main.get_command = functools.cache(typer.main.get_command)


def _main(command: Sequence[str]) -> int:
    from starcli.__main__ import main

    sys.argv = ["starcli", *command]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _serve() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    said = os.open("said", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    _prepare()
    for line in sys.stdin:
        request = json.loads(line)
        os.ftruncate(said, 0)
        os.lseek(said, 0, os.SEEK_SET)
        code, changes = _forked(request)
        text = Path("said").read_text("utf-8", "replace")
        answers.write(json.dumps({"code": code, "changes": changes, "said": text}) + "\n")
        answers.flush()


def _forked(request: dict[str, Any]) -> tuple[int, int]:
    """Exit code and number of changes of a command in a process of its own."""
    if request["fault"] == "none":
        return _main(request["command"]), 0
    reading, writing = os.pipe()
    gc.freeze()  # so that the child does not copy what it never changes
    child = os.fork()
    if child == 0:
        changes = Changes(Path.cwd(), request["at"], request["fault"])
        sys.addaudithook(changes)
        code = _main(request["command"])
        sys.stdout.flush()
        os.write(writing, str(changes.count).encode())
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as file:
        counted = file.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), int(counted or 0)


if __name__ == "__main__":
    _serve()

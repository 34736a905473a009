"""Fixtures of all tests: a clean environment, the shared recordings, the CLI in-process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from starcli import __main__ as commands

ROOT = Path(__file__).resolve().parents[1]

# Of torch, here and in the processes that tests start: tests run side by side, and more threads
# than cores wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """No workers for the tests of one file: they would take longer to start than the tests."""
    alone = len(config.args) == 1 and Path(config.args[0].partition("::")[0]).is_file()
    return 0 if alone else None


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith("STARCLI_") and variable != "STARCLI_SHARED":
            monkeypatch.delenv(variable)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recordings and reference weights beside the repository."""
    path = (ROOT / os.environ.get("STARCLI_SHARED", "../shared")).resolve()
    if not path.is_dir():
        pytest.skip(f"no shared folder at {path}; name it with STARCLI_SHARED")
    return path


def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread, as processes that share two cores have each."""
    yield from _threads(1)


@pytest.fixture
def reference_threads() -> Iterator[None]:
    """Two threads, with which the reference outputs were made.

    With one, sums are rounded in another order: outputs agree all the same, but a few values
    before a ReLU lie within rounding of zero, and the gradient then takes their other side.
    """
    yield from _threads(2)


@pytest.fixture
def cli(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Outcome]]:
    """`cli("plugins", "--json")` runs the command in a folder of its own."""
    handlers = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["starcli", *arguments])
        for number, handler in handlers.items():
            signal.signal(number, handler)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            commands.main()
        printed = capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Outcome(code or 0, printed.out, printed.err)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)

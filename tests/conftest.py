"""Fixtures of all tests: a clean environment, the shared recordings, the CLI in-process."""

from __future__ import annotations

import contextlib
import os
import signal
import site
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, wraps
from inspect import unwrap
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]

# Of torch, here and in the processes that tests start: tests run side by side, and more threads
# than cores wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """No workers for the tests of one file: they would take longer to start than the tests."""
    alone = len(config.args) == 1 and Path(config.args[0].partition("::")[0]).is_file()
    return 0 if alone else None


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes are counted, not shown: some hold the time, and workers must agree on every name."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


KEPT = (
    "PATH",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "CONDA_",
    "LD_",
    "DYLD_",
    "TMPDIR",
    "STARCLI_SHARED",
    "PYTEST_",
    "COVERAGE_",
    "COV_",
    "ATEN_",
    "DNNL_",
    "ONEDNN_",
    "MKL_",
    "OMP_",
    "OPENBLAS_",
)
"""How the variables begin that reach the tests: where things lie, and which processor to be."""

TORCH_SEED = 67280421310721
"""With which torch itself begins."""


def pytest_configure(config: pytest.Config) -> None:
    """The same surroundings for everybody, before anything is imported that reads them."""
    packages = site.getuserbase()
    home = tempfile.TemporaryDirectory(prefix="home-")
    config.add_cleanup(home.cleanup)
    kept = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
    os.environ.clear()
    os.environ |= kept | {
        "HOME": home.name,
        "PYTHONUSERBASE": packages,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "COLUMNS": "80",
        "LINES": "24",
    }
    time.tzset()
    os.umask(0o022)
    hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
    hypothesis.settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The rule about imports starts a process for each reader of ours, beside that for all."""
    for item in items:
        if item.name.endswith("[import_touches_nothing]"):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What a test draws does not depend on the tests before it.

    Where no GPU is in use yet, `torch.manual_seed` would note where it was called, for later: that
    takes longer than most tests.
    """
    if torch := sys.modules.get("torch"):
        torch.default_generator.manual_seed(TORCH_SEED)
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(TORCH_SEED)


@pytest.fixture(scope="session", autouse=True)
def _signals() -> None:
    """Shells and nohup start commands, and so their children, deaf to keys and hanging up."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nobody's `starcli.toml` is read."""
    with contextlib.chdir(tmp_path_factory.mktemp("empty")):
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_word_of_slow_imports() -> Iterator[None]:
    """A busy machine is no news to a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("starcli.registry.PATIENCE_SECONDS", 600.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def _nobody_performs_twice() -> Iterator[None]:
    """A simulated performance is made once: to make them takes a quarter of a tiny training.

    `made_anew` has them made each time.
    """
    from starcli.contracts import Clip, Recording
    from starcli_plugins.datasets.simulated.source import Simulated

    made = Simulated.clips

    @cache
    def once(settings: Simulated.Settings, name: str) -> tuple[Clip, ...]:
        return tuple(made(Simulated(settings), Recording(name, Path())))

    @wraps(made)
    def clips(self: Simulated, recording: Recording) -> Iterator[Clip]:
        for clip in once(self.settings, recording.name):
            yield replace(clip, joints=clip.joints.copy())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Simulated, "clips", clips)
        yield


@pytest.fixture
def made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes simulated performances is itself tested."""
    from starcli_plugins.datasets.simulated.source import Simulated

    monkeypatch.setattr(Simulated, "clips", unwrap(Simulated.clips))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recordings and reference weights beside the repository."""
    path = (ROOT / os.environ.get("STARCLI_SHARED", "../shared")).resolve()
    if not path.is_dir():
        pytest.skip(f"no shared folder at {path}; name it with STARCLI_SHARED")
    return path


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread, as processes that share two cores have each."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def _one_parser() -> Iterator[None]:
    """The parser of all commands is made once: that takes longer than most commands do."""
    import typer.main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture
def cli(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    _one_parser: None,
) -> Iterator[Callable[..., Outcome]]:
    """`cli("plugins", "--json")` runs the command in a folder of its own."""
    from starcli import __main__ as commands

    handlers = {s: signal.getsignal(s) for s in (signal.SIGINT, *commands.STOPS)}
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

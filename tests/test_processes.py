"""No process outlives the one that started it, whatever ends that one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from starcli.processes import share_cores
from tests import forks
from tests.conftest import Outcome
from tests.registry.test_registry import describer, install
from tests.training.test_distributed import SETTINGS

Cli = Callable[..., Outcome]
PROC = Path("/proc")
PATIENCE = 60
"""Seconds after which a process is taken for one that stays."""
MARK = "PROCESSES_OF_TEST"
SKIP_OURS = (
    "import json, sys; from starcli import registry; from starcli.registry import diagnostics; "
    "print(json.dumps(diagnostics.check([e for e in registry.entries() "
    "if e.distribution != 'starcli'], float(sys.argv[1]))))"
)
"""`plugins --check` of what is not ours."""

pytestmark = pytest.mark.skipif(
    not PROC.is_dir(), reason="there is no /proc, which lists the processes of a test"
)


class Command:
    """A command, with all processes that come of it: they have its mark in their environment."""

    def __init__(
        self, folder: Path, *arguments: str, error: int = subprocess.PIPE, **environment: str
    ) -> None:
        self.mark = f"{MARK}={uuid.uuid4()}"
        own = {MARK: self.mark.partition("=")[2], "OMP_NUM_THREADS": "1", **environment}
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env={**os.environ, **own},
            text=True,
            stdout=subprocess.PIPE,
            stderr=error,
            start_new_session=True,
        )
        self.pid = self.process.pid

    def others(self) -> dict[int, list[str]]:
        """Variables and words of the processes beside the first; what has ended has none."""
        found = {}
        for folder in PROC.glob("[0-9]*"):
            with contextlib.suppress(OSError):
                told = [(folder / name).read_text("latin-1") for name in ("environ", "cmdline")]
                found[int(folder.name)] = "".join(told).split("\0")
        return {n: own for n, own in found.items() if self.mark in own and n != self.pid}

    def reaches(self, state: Callable[[], object]) -> None:
        """Wait for something."""
        end = time.monotonic() + PATIENCE
        while not state():
            assert time.monotonic() < end, f"beside {self.pid} are left: {list(self.others())}"
            time.sleep(0.1)

    def running(self, state: Callable[[], object]) -> None:
        """Wait for something that the command brings about."""
        self.reaches(lambda: state() or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.communicate()[1]

    def ends(self, code: int) -> str:
        """Wait until it has ended, and every process of it; what stderr said."""
        _, said = self.process.communicate(timeout=PATIENCE)  # until nobody holds stdout or stderr
        assert self.process.returncode == code, said
        self.reaches(lambda: not self.others())
        return said


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Start commands in a folder of their own; whatever is left of them is killed in the end."""
    started: list[Command] = []

    def run(*arguments: str, **more: Any) -> Command:
        started.append(Command(tmp_path, *arguments, **more))
        return started[-1]

    yield run
    for command in started:
        for pid in command.others():
            os.kill(pid, signal.SIGKILL)
        command.process.kill()
        command.process.communicate()


POOL = """
import os, sys, time
from starcli import processes
def work(number):
    open(f"works-{number}", "w").close()
    time.sleep(600)
if __name__ == "__main__":
    with processes.pool(2, sys.argv[1]) as pool:
        pool.submit(work, 0), pool.submit(work, 1)
        while len(os.listdir()) < 3:
            time.sleep(0.01)
        exec(sys.argv[2])
"""
ENDS = {
    "killed": ("os.kill(os.getpid(), 9)", -signal.SIGKILL),
    "hung up": ("os.kill(os.getpid(), 1)", -signal.SIGHUP),
    "leaves": ("os._exit(3)", 3),
    "fails": ("sys.exit(4)", 4),
}


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("end", ENDS)
def test_a_pool_ends_with_its_process(
    start: Callable[..., Command], tmp_path: Path, method: str, end: str
) -> None:
    (tmp_path / "pool.py").write_text(POOL)
    code, expected = ENDS[end]
    start("pool.py", method, code).ends(expected)
    assert {path.name for path in tmp_path.iterdir()} == {"pool.py", "works-0", "works-1"}


SLOW = """
import sys, time, typer
from starcli import __main__ as commands
from starcli.data import reading
if sys.stderr.isatty():  # as the first process of a terminal, which its end ends
    import fcntl, termios
    fcntl.ioctl(2, termios.TIOCSCTTY, 0)
every = [reading.Group(number, ()) for number in range(2 * reading.WORTH)]
def work(group):
    open(f"works-{group.number}", "w").close()
    time.sleep(600)
commands.app = typer.Typer()
commands.app.command()(lambda: list(reading.each_group(work, every, 2)))
commands.main()
"""
"""A command whose two readers never end."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, -9), (signal.SIGHUP, 129), (signal.SIGTERM, 143), (signal.SIGINT, 130)],
)
@pytest.mark.parametrize("all_at_once", [False, True], ids=["one", "all"])
def test_readers_end_with_their_command(
    start: Callable[..., Command], tmp_path: Path, number: int, code: int, all_at_once: bool
) -> None:
    """Also where all get the signal, as from a terminal."""
    command = start("-c", SLOW)
    command.running(lambda: len(list(tmp_path.glob("works-*"))) == 2)
    (os.killpg if all_at_once else os.kill)(command.pid, number)
    said = command.ends(code)
    assert "Traceback" not in said
    assert ("run the same command again to continue" in said) == (code > 0)


IN_FORK = """
import os, signal
os.register_at_fork(after_in_parent=lambda: signal.raise_signal(signal.SIGTERM))
"""


def test_a_signal_within_a_fork_is_not_lost(start: Callable[..., Command]) -> None:
    """Python ignores what is raised there."""
    start("-c", IN_FORK + SLOW).ends(143)


@pytest.mark.slow
def test_a_terminal_that_is_gone_ends_a_command(
    start: Callable[..., Command], tmp_path: Path
) -> None:
    ours, theirs = os.openpty()
    command = start("-c", SLOW, error=theirs)
    os.close(theirs)
    command.running(lambda: len(list(tmp_path.glob("works-*"))) == 2)
    os.close(ours)
    command.ends(129)


NOHUP = """
import signal
from starcli import __main__ as commands
from starcli.training import distributed
signal.signal(signal.SIGHUP, signal.SIG_IGN)
commands.app = lambda standalone_mode: signal.raise_signal(signal.SIGHUP)
try:
    commands.main()
finally:
    print(distributed._heard())
"""


def test_a_hang_up_that_is_ignored_stays_so(start: Callable[..., Command]) -> None:
    """As nohup has it."""
    command = start("-c", NOHUP)
    said, _ = command.process.communicate()
    assert (command.process.returncode, said) == (0, "['SIGTERM', 'SIGINT', 'SIGQUIT']\n")


PREPARE = ("prepare", "--set", "dataset.subjects=2", "--set", "run.workers=2", "--store", "store")
STOPPED = """
import time
from starcli.data import reading
from starcli.__main__ import main
from starcli_plugins.datasets.simulated.source import Simulated
reading.GROUP = 4
Simulated.clips = lambda self, recording: time.sleep(600)
main()
"""


@pytest.mark.slow
def test_prepare_that_was_killed_leaves_no_lock(start: Callable[..., Command], cli: Cli) -> None:
    command = start("-c", STOPPED, *PREPARE)
    command.running(lambda: len(command.others()) == 2)
    command.process.kill()
    command.ends(-signal.SIGKILL)
    assert cli(*PREPARE).code == 0


FOREVER = (
    "-m",
    "starcli",
    "pretrain",
    *SETTINGS,
    "--set",
    "pretrain.epochs=1000000",
    "--num-processes",
    "2",
    "--store",
    "store",
    "--json",
)


def ranks(command: Command) -> list[int]:
    """The processes that train, in order."""
    found = command.others().items()
    return [pid for rank in "01" for pid, told in found if f"RANK={rank}" in told]


@pytest.mark.slow
def test_processes_that_train_end_with_their_launcher(start: Callable[..., Command]) -> None:
    command = start(*FOREVER)
    command.running(lambda: len(ranks(command)) == 2)
    command.process.kill()
    command.ends(-signal.SIGKILL)


@pytest.mark.slow
def test_a_killed_process_ends_a_training_with_a_message_g18(
    start: Callable[..., Command], tmp_path: Path
) -> None:
    command = start(*FOREVER)
    command.running(lambda: list(tmp_path.rglob("checkpoint.safetensors")))
    os.kill(ranks(command)[1], signal.SIGKILL)
    said = command.ends(7)
    assert "error: process 2 of 2 was killed, which systems do when memory runs out" in said
    assert "run the command again to continue" in said
    assert "Traceback" not in said


TABLE = """
title = "Two"
[[columns]]
dataset = "simulated"
protocol = "xsub"
splits = ["fold0", "fold1"]
measures = ["zsl"]
[rows]
eszsl = { method.name = "eszsl" }
"""
BENCHMARK = """
from starcli.benchmark import runner
from starcli.__main__ import main
def forever(job):
    import time
    from pathlib import Path
    Path(f"works-{job.stage}").touch()
    time.sleep(600)
runner._make = forever
if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_jobs_end_with_their_benchmark(
    start: Callable[..., Command], tmp_path: Path, number: int, code: int
) -> None:
    (tmp_path / "table.toml").write_text(TABLE)
    (tmp_path / "run.py").write_text(BENCHMARK)
    command = start("run.py", "benchmark", "table.toml", "--jobs", "2", "--store", "store")
    command.running(lambda: len(list(tmp_path.glob("works-*"))) == 2)
    os.kill(command.pid, number)
    assert "Traceback" not in command.ends(code)


SPAWNING = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("started", "w").close()
time.sleep(600)
"""


def test_a_checked_plugin_ends_with_the_check(
    start: Callable[..., Command], tmp_path: Path
) -> None:
    """And with it what it started."""
    install(tmp_path, "acme", describer("talker"), SPAWNING)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    command = start("-c", SKIP_OURS, "600", PYTHONPATH=path)
    command.running(lambda: (tmp_path / "started").exists())
    command.process.kill()
    command.ends(-signal.SIGKILL)


WAITING = {
    "stream": ("starcli.cli.events._lines", "predict --stream --run general --layout kinect-v2"),
    "windows": ("starcli.api.open_model", "predict x.npy --run general --windows 1"),
    "report": ("starcli.api.open_run", "report"),
    "transfer": ("starcli.benchmark.grid.cells", "benchmark transfer"),
}
"""Function of a command that waits in its place -> the command."""


@pytest.mark.parametrize(
    ("name", "number"), zip(WAITING, (signal.SIGHUP, signal.SIGTERM) * 2, strict=True)
)
def test_what_waits_for_others_ends_at_once_f05(tmp_path: Path, name: str, number: int) -> None:
    """In a fork, which reads from a pipe that nobody writes to and nobody closes."""
    place, command = WAITING[name]
    reading, writing = os.pipe()

    def wait(*arguments: object, **options: object) -> None:
        (tmp_path / "works").touch()
        os.read(reading, 1)

    def work() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(place, wait)
            forks.starcli(*command.split())()

    process = forks.begin(work, tmp_path)
    end = time.monotonic() + PATIENCE
    while not (tmp_path / "works").exists():
        assert time.monotonic() < end and process.is_alive(), (tmp_path / forks.ERR).read_text()
        time.sleep(0.02)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(PATIENCE)
    os.close(writing)
    os.close(reading)
    assert process.exitcode == 128 + number
    assert "stopped" in (tmp_path / forks.ERR).read_text("utf-8")


def test_waiting_threads_leave_their_core_unless_somebody_says_how(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for given, want in (
        ({}, "1000"),
        ({"OMP_WAIT_POLICY": "active"}, None),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
    ):
        with monkeypatch.context() as patch:
            for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
                patch.setenv(name, "")  # so that it is put back
                patch.delenv(name)
            for name, value in given.items():
                patch.setenv(name, value)
            share_cores()
            assert os.environ.get("GOMP_SPINCOUNT") == want

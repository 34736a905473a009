"""The log of a command that computes."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from starcli.cli import log
from tests.conftest import Outcome
from tests.test_pipeline import TRAIN

Cli = Callable[..., Outcome]
DESCRIBE = ["describe", "--store", "store"]


def logs(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "store" / "logs").glob("*"))


def test_what_was_done_is_written_down_where_anything_was(cli: Cli, tmp_path: Path) -> None:
    assert cli(*DESCRIBE).code == 0
    (file,) = logs(tmp_path)
    assert "-describe-" in file.name
    text = file.read_text()
    assert "command: ['describe', '--store', 'store']" in text
    assert "setting: describer.name = bundled" in text
    assert "done describe in " in text
    assert cli(*DESCRIBE).code == 0  # nothing is to do
    assert cli("runs", "list", "--store", "store").code == 0
    assert logs(tmp_path) == [file]


def test_a_failure_has_its_traceback_there(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(job: object) -> None:
        raise ZeroDivisionError("oh no")

    monkeypatch.setattr("starcli.stages.describe.run", broken)
    done = cli(*DESCRIBE)
    (file,) = logs(tmp_path)
    assert done.code == 1
    assert f"please report it with store/logs/{file.name}" in done.err
    assert "Traceback" not in done.err
    assert "Traceback" in file.read_text() and "ZeroDivisionError: oh no" in file.read_text()
    assert "Traceback" in cli(*DESCRIBE, "--verbose").err


def test_verbose_says_why_a_step_runs(cli: Cli) -> None:
    done = cli(*DESCRIBE, "--verbose")
    assert "never run" in done.err
    assert ": cached" in cli("embed", *TRAIN, "--store", "store", "--verbose").err


def test_a_full_disk_does_not_end_what_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    log.begin(tmp_path / "store", {})
    monkeypatch.setattr(Path, "open", full)
    log.write("a line")
    log.end()
    monkeypatch.setattr(Path, "touch", full)
    log.begin(tmp_path / "store", {})
    assert log.current() is None

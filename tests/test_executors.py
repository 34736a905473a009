"""Jobs in processes of their own: what dies or raises leaves the others, and is tried once more."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from starcli import executors
from starcli.errors import DataError, OutOfMemoryError, StarError, UsageError
from starcli.executors import Executor, Local, Submitit, each

Call = tuple[str, Path]
"""What a job does, and the folder in which it notes that it was begun."""


def work(call: Call) -> str:
    """Do what a word says."""
    what, folder = call
    first = not list(folder.glob(f"{what}-*"))
    (folder / f"{what}-{time.monotonic_ns()}").touch()
    if what.startswith("forks") and first:
        if child := os.fork():
            os.kill(child, signal.SIGTERM)
            assert os.waitstatus_to_exitcode(os.wait()[1]) == -signal.SIGTERM
        else:
            time.sleep(20)
            os._exit(0)
    if what == "dies" or (what.endswith("dies once") and first):
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "refuses":
        raise DataError("is damaged", "leave it out", file="clip")
    if what == "raises":
        raise ZeroDivisionError("by nought")
    return what


def ended(executor: Executor, folder: Path, calls: Sequence[str]) -> Mapping[str, str | StarError]:
    jobs = [(what, folder) for what in calls]
    results = [(what, result) for (what, _), result in each(executor, work, jobs)]
    assert sorted(what for what, _ in results) == sorted(calls)
    return dict(results)


def begun(folder: Path) -> Counter[str]:
    return Counter(path.name.rpartition("-")[0] for path in folder.iterdir())


@pytest.mark.slow
def test_a_job_that_dies_is_tried_once_more_and_leaves_the_others(tmp_path: Path) -> None:
    calls = ("one", "dies once", "two")
    assert ended(Local(2), tmp_path, calls) == {what: what for what in calls}
    found = ended(Local(2), tmp_path, ("dies", "refuses"))
    dead, refused = found["dies"], found["refuses"]
    assert isinstance(dead, OutOfMemoryError)
    assert "killed twice" in dead.message
    assert isinstance(refused, DataError)
    assert (refused.message, refused.file) == ("is damaged", "clip")
    assert (begun(tmp_path)["dies"], begun(tmp_path)["dies once"]) == (2, 2)


@pytest.mark.slow
def test_jobs_of_submitit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that forks, dies and is tried again, and one that raises."""
    from submitit.core.core import Job

    # How long it looks for the result of a job that died, as file systems of clusters are slow: 15.
    monkeypatch.setattr(Job, "_results_timeout_s", 4)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # where the work is found
    notes = tmp_path / "notes"
    notes.mkdir()
    executor = Submitit(2, tmp_path / "jobs", {"cluster": "local", "timeout_min": "1"})
    found = ended(executor, notes, ("forks and dies once", "raises"))
    assert found["forks and dies once"] == "forks and dies once"
    raised = found["raises"]
    assert isinstance(raised, StarError)
    assert raised.message == "bug in starcli: ZeroDivisionError: by nought"
    assert begun(notes) == {"forks and dies once": 2, "raises": 1}
    (kept,) = (tmp_path / "jobs").iterdir()  # of the job that died
    assert list(kept.glob("*_log.err"))


def test_what_submitit_is_not_told_in_its_words(tmp_path: Path) -> None:
    executor = Submitit(1, tmp_path, {"cluster": "local", "nonsense": "1"})
    with pytest.raises(UsageError, match=r"submitit: .*nonsense") as refused:
        list(executor.run(work, [("one", tmp_path)]))
    assert "--submit" in refused.value.fix
    assert not list(tmp_path.iterdir())


def test_which_executor_is_asked_for(tmp_path: Path) -> None:
    assert executors.named(None, 1, tmp_path, {}) is None
    assert executors.named(None, 3, tmp_path, {}) == executors.named("local", 3, tmp_path, {})
    assert executors.named("local", 1, tmp_path, {}) == Local(1)
    assert executors.named("submitit", 4, tmp_path, {"mem_gb": "8"}) == Submitit(
        4, tmp_path, {"mem_gb": "8"}
    )
    with pytest.raises(UsageError, match="--submit"):
        executors.named("local", 4, tmp_path, {"mem_gb": "8"})

"""Name a million files: in memory that does not grow, by several processes, resumed after a kill.

Beside the file of answers lies a folder of work until it is whole: the list of what is to be read,
cut into parts, and for each part the answers so far, a line of JSON for each file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TypedDict

from filelock import FileLock, Timeout

from starcli.contracts import Progress, silent
from starcli.errors import (
    DataError,
    OutOfMemoryError,
    OutputError,
    StarError,
    UsageError,
    writes_to,
)
from starcli.executors import Executor, each
from starcli.files import require_file, save_text, save_whole
from starcli.prediction.bulk_files import FORMS, Row, Total, require_form, save
from starcli.prediction.bulk_parts import (
    PART,
    UNITS,
    Part,
    Task,
    fingerprint,
    forget_models,
    name_part,
    open_predictor,
    open_reader,
    resume,
)
from starcli.prediction.predictor import Predictor
from starcli.prediction.units import Unit, as_line, list_digest, listed, units

PLAN = "plan.json"


class Plan(TypedDict):
    """What is to be done.

    Args:
        identity: What is asked of which places.
        units: How many units there are.
        starts: Where each part begins in their list, in bytes.
    """

    identity: str
    units: int
    starts: list[int]


def name_files(
    task: Task,
    places: Sequence[Path],
    out: Path,
    *,
    files_from: Path | None = None,
    shard: tuple[int, int] = (1, 1),
    executor: Executor | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> tuple[Predictor, Total]:
    """Name the clips of files, and write what they are named into one file.

    Args:
        task: What is asked.
        places: Files, folders and zips.
        out: Gets the answers; its ending says the form.
        files_from: A list of more, one in each line.
        shard: Which part of how many, by the names of files.
        executor: What runs processes; None for this one alone.
        overwrite: Whether a file that is there, or begun, may be replaced.
        progress: Told how many files are named.

    Returns:
        What named them, and how many there were.

    Raises:
        UsageError: There is such a file, it was begun for another task, or cannot have reasons.
        OutputError: It cannot be written, or another process writes it.
        DataError: There are no recordings.
        OutOfMemoryError: Processes were killed; what is done stays.
    """
    require_file(out, tuple(FORMS), "--out", overwrite=overwrite)
    require_form(out, reasons=task.question.get("reasons", False))
    if absent := next((place for place in places if not os.path.lexists(place)), None):
        raise DataError("no such file or folder", "check the path", file=absent)
    forget_models()  # a run, or a file of actions, may have changed since the last call
    predictor, work = open_predictor(task), out.with_name(f"{out.name}.unfinished")
    where = [str(path.absolute()) for path in places]
    listed_in = (
        None if files_from is None else (str(files_from.absolute()), list_digest(files_from))
    )
    model = fingerprint(task)
    asked = repr((model, task.question, where, listed_in, shard))
    identity = hashlib.sha256(asked.encode()).hexdigest()
    with writes_to(work, "--out"):
        work.mkdir(parents=True, exist_ok=True)
    with _alone(work):
        plan = _begun(work, identity, overwrite=overwrite)
        if plan is None:
            every = chain(places, listed(files_from) if files_from else ())
            kept = (each for each in units(every, open_reader(task)) if each.is_of(*shard))
            plan = _planned(work, identity, kept, alone=shard[1] == 1)
        parts = [Part(task, model, work, n, at) for n, at in enumerate(plan["starts"])]
        _name(parts, plan["units"], executor, progress)
        total = save(out, _rows(parts), task.question.get("top", 3))
        (work / PLAN).unlink()
        shutil.rmtree(work, ignore_errors=True)
    return predictor, total


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Keep other commands from a folder of work."""
    lock = FileLock(work / "lock", timeout=0)
    try:
        with writes_to(work, "--out"):
            lock.acquire()
    except OutputError as error:
        if not isinstance(error.__cause__, Timeout):
            raise
        raise OutputError(
            "another process writes it", "wait for it, or name another with --out", file=work
        ) from error
    try:
        yield
    finally:
        lock.release()


def _begun(work: Path, identity: str, *, overwrite: bool) -> Plan | None:
    """The plan of what was begun; None where there is none, or it may be replaced."""
    try:
        plan: Plan = json.loads((work / PLAN).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read ({error})", "delete it", file=work / PLAN) from error
    if overwrite:
        return None
    if plan["identity"] != identity:
        raise UsageError(
            "was begun with other options, recordings or another model",
            "go on as it was begun, or begin anew with --overwrite",
            file=work,
        )
    return plan


def _planned(work: Path, identity: str, every: Iterable[Unit], *, alone: bool) -> Plan:
    """List what is to be read; nothing is done yet. A part of several may have nothing."""
    starts, count = list[int](), 0

    def write(draft: Path) -> None:
        nonlocal count
        with draft.open("wb") as file:
            for unit in every:
                if count % PART == 0:
                    starts.append(file.tell())
                file.write(as_line(unit).encode())
                count += 1

    for old in work.glob("part-*"):
        old.unlink()
    save_whole(work / UNITS, write, "--out")
    if not count and alone:
        shutil.rmtree(work, ignore_errors=True)
        raise DataError("there are no recordings", "name others")
    plan: Plan = {"identity": identity, "units": count, "starts": starts}
    save_text(work / PLAN, json.dumps(plan), "--out")
    return plan


def _name(parts: Sequence[Part], count: int, executor: Executor | None, progress: Progress) -> None:
    """Name what parts have left, each in one process.

    Raises:
        OutOfMemoryError: The process of one was killed twice; the others are done.
    """
    done = 0

    def told(more: int) -> None:
        nonlocal done
        done += more
        progress.update("predict", done, count)

    if executor is None:
        for part in parts:
            name_part(part, told)
        return
    failed: list[tuple[Sequence[Part], StarError]] = []
    for share, result in each(executor, _name_share, executor.shares(parts)):
        if isinstance(result, StarError):
            failed.append((share, result))
        else:
            told(result)
    for share, error in failed:
        if isinstance(error, OutOfMemoryError):
            raise OutOfMemoryError(error.message, error.fix, file=_next(share)) from error
        raise error


def _name_share(share: Sequence[Part]) -> int:
    """Name some parts; how many units they have."""
    for part in share:
        name_part(part)
    return sum(len(part.units()) for part in share)


def _next(share: Sequence[Part]) -> str | None:
    """The unit at which a process was, or shortly before."""
    left = (part.units()[resume(part.file) :] for part in share)
    return next((units[0].name for units in left if units), None)


def _rows(parts: Iterable[Part]) -> Iterator[list[Row]]:
    for part in parts:
        with part.file.open("rb") as lines:
            yield from map(json.loads, lines)

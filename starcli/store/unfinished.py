"""Work on results that are not there yet: `<store>/unfinished/<stage>-<key>/`.

One process at a time works there, under a lock: on `files`, which become the result by one rename,
and on `checkpoint`, which stays until then. At every instant the checkpoint or the result is whole.
What killed processes leave there, and is not a checkpoint, is removed by the next that comes by.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starcli.errors import OutputError, writes_to
from starcli.files import sync
from starcli.store.recipe_key import KEY

SWEEP = "sweep.lock"
DATASET = "dataset.json"
"""What describes an imported data set, and names its shards."""
SHARD = re.compile(r"clips-\d{5}\.safetensors")
"""How these are called."""


def folder(store: Path, stage: str, key: str) -> Path:
    """Where work on a result goes on."""
    return store / "unfinished" / f"{stage}-{key}"


@contextmanager
def working(store: Path, stage: str, key: str, what: str, *, wait: bool = False) -> Iterator[Path]:
    """The folder of work on a result, for one process at a time.

    Args:
        store: The folder of all results.
        stage: The stage, or `datasets`.
        key: The key of the result, or the name of the data set.
        what: What is done, for messages.
        wait: Whether to wait for another process that works on it.

    Raises:
        OutputError: The place cannot be written, or another process works on it.
    """
    work = folder(store, stage, key)
    with _locked(_lock(store, work), what, wait=wait):
        _tidy(work)
        try:
            yield work
        finally:
            _tidy(work)


def remove(store: Path, stage: str, key: str) -> bool:
    """Remove a result, or the record of a run; at every instant it is whole or not there.

    Args:
        store: The folder of all results.
        stage: The stage, or `runs`.
        key: The key of the result, or the name of the run.

    Returns:
        Whether it was there.

    Raises:
        OutputError: The place cannot be written.
    """
    target = store / stage / key
    if not target.exists():
        return False
    with working(store, stage, key, "removal", wait=True) as work, writes_to(target):
        if not target.exists():  # another process was first
            return False
        work.mkdir(parents=True, exist_ok=True)
        os.replace(target, work / "files")  # which is cleared here, or by the next that comes by
        sync(target.parent)
    return True


def sweep(store: Path) -> None:
    """Remove what killed processes left; what others work on, or can go on from, stays."""
    from filelock import FileLock, Timeout

    with contextlib.suppress(OSError):  # such as a store that can only be read
        left = list((store / "unfinished").iterdir())
        with FileLock(store / "locks" / SWEEP):
            for work in left:
                with contextlib.suppress(Timeout), FileLock(_lock(store, work), timeout=0):
                    _tidy(work)


def _tidy(work: Path) -> None:
    """Clear a folder of work of all but the checkpoint of a result that is not there.

    What cannot be removed is left to the next that tries.
    """
    stage, _, key = work.name.partition("-")
    result, checkpoint, draft = work.parents[1] / stage / key, work / "checkpoint", work / "files"
    with contextlib.suppress(OSError):
        if stage == "datasets":
            prune_dataset(result)
        shutil.rmtree(draft, ignore_errors=True)
        if checkpoint.is_dir():
            if not (result / "meta.json").is_file():
                _remove_drafts(checkpoint)
                return
            os.replace(checkpoint, draft)  # half of one would be taken for the whole
        shutil.rmtree(work, ignore_errors=True)


def prune_dataset(place: Path) -> None:
    """Remove shards from the folder of a data set that it does not name: replaced, or never named.

    Where it cannot be told which they are, all stay.
    """
    named: set[str] = set()
    if (place / DATASET).exists():
        try:
            data = (place / DATASET).read_bytes()
            shards = {shard["file"] for shard in json.loads(data)["shards"]}
            named = {hashlib.sha256(data).hexdigest()[:16]}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return
        if not all((place / name).is_dir() for name in named):
            named = shards  # beside the description, where earlier versions put them
            if not all((place / name).is_file() for name in named):
                return
    for path in place.glob("*"):
        if path.name in named:
            continue
        if KEY.fullmatch(path.name):
            shutil.rmtree(path)
        elif SHARD.fullmatch(path.name):
            path.unlink()
    with contextlib.suppress(OSError):  # not empty, or not there
        place.rmdir()


def _remove_drafts(checkpoint: Path) -> None:
    """Remove files that were being written, to which safetensors gives names of its own."""
    for path in (*checkpoint.rglob("*.tmp"), *checkpoint.rglob(".tmp*")):
        path.unlink(missing_ok=True)


def _lock(store: Path, work: Path) -> Path:
    return store / "locks" / f"{work.name}.lock"


@contextmanager
def _locked(path: Path, what: str, *, wait: bool) -> Iterator[None]:
    """Hold a lock that the system frees when its holder dies."""
    from filelock import FileLock, Timeout

    with writes_to(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=-1 if wait else 0)
    try:
        with writes_to(path):
            try:
                lock.acquire()
            except Timeout:
                with FileLock(path.with_name(SWEEP)):  # who sweeps has the other for a moment
                    lock.acquire()
    except OutputError as error:
        if not isinstance(error.__cause__, Timeout):
            raise
        raise OutputError(
            f"another process is running the same {what}",
            "wait for it with --set run.wait=true, or run again when it has ended",
            file=path,
        ) from error
    try:
        yield
    finally:
        lock.release()

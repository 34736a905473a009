"""Names of trained runs, each with the settings and the results that it stands for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NotRequired, TypedDict

from starcli.errors import DataError, UsageError, suggest, writes_to
from starcli.files import save_text
from starcli.store import unfinished
from starcli.store.recipe_key import KEY

LONGEST = 200
"""Bytes of the name of a run; file names have at most 255."""


class RunInputs(TypedDict):
    """What a run was made of: digests of its recordings, and of weights that it was given."""

    raw: NotRequired[str]
    weights: NotRequired[str | None]


class Run(RunInputs):
    """A run as it is recorded: settings by dotted name, and step name -> key of its result."""

    settings: dict[str, object]
    steps: dict[str, str]


FIX = "delete its folder and train again with: starcli train"


def save_run(store: Path, name: str, run: Run) -> None:
    """Record a run under its name and as the latest one.

    Args:
        store: The folder of all results.
        name: Its name.
        run: Its `settings` and the keys of its `steps`, by their names, and what else is known.

    Raises:
        UsageError: It cannot be called so.
        OutputError: It cannot be written.
    """
    check_run_name(name)
    save_text(folder(store, name) / "run.json", json.dumps(run, indent=2) + "\n")
    save_text(store / "runs" / "latest", name + "\n")


def load_run(store: Path, name: str | None) -> tuple[str, Run]:
    """A run by name, or the latest.

    Raises:
        UsageError: There is none.
        DataError: Its file is damaged.
    """
    if name is None:
        name = latest(store)
    if name is None:
        raise UsageError(f"no run yet in {store}", "make one with: starcli train")
    require_run(store, name)
    return name, _read(folder(store, name) / "run.json")


def delete_run(store: Path, name: str) -> None:
    """Remove the record and the pictures of a run; its results stay.

    Where it was the latest, the newest of the others is.

    Args:
        store: The folder of all results.
        name: Its name.

    Raises:
        UsageError: There is none.
        OutputError: It cannot be removed.
    """
    require_run(store, name)
    if latest(store) == name:  # before it goes: in between, whatever was recorded last is
        with writes_to(store / "runs"):
            (store / "runs" / "latest").unlink(missing_ok=True)
    if not unfinished.remove(store, "runs", name):
        require_run(store, name)


def rename_run(store: Path, old: str, new: str) -> None:
    """Give a run another name.

    Args:
        store: The folder of all results.
        old: Its name.
        new: The name that it gets.

    Raises:
        UsageError: There is no such run, or one of the new name, or it cannot be called so.
        OutputError: It cannot be renamed.
    """
    check_run_name(new)
    require_run(store, old)
    if old == new:
        return
    with unfinished.working(store, "runs", new, "renaming", wait=True):
        if folder(store, new).exists():
            raise UsageError(f"there is a run '{new}'", f"delete it: starcli runs delete {new}")
        if latest(store) == old:  # before it is: in between, whatever was recorded last is
            save_text(store / "runs" / "latest", new + "\n")
        with writes_to(folder(store, old)):
            os.rename(folder(store, old), folder(store, new))


def require_run(store: Path, name: str) -> None:
    """Refuse a run that does not exist.

    Raises:
        UsageError: It does not.
    """
    known = names(store)
    if name not in known:
        fix = suggest(name, known) if known else "make one with: starcli train"
        raise UsageError(f"no run '{name}' in {store}", fix)


def by_age(store: Path) -> list[str]:
    """Names of all runs, the newest first."""
    return sorted(names(store), key=lambda name: -recorded_at(store, name))


def recorded_at(store: Path, name: str) -> float:
    """When a run was recorded, in seconds since 1970; 0 where it has gone since."""
    try:
        return (folder(store, name) / "run.json").stat().st_mtime
    except OSError:
        return 0.0


def names(store: Path) -> list[str]:
    """Names of all runs, sorted."""
    return sorted(path.parent.name for path in (store / "runs").glob("*/run.json"))


def folder(store: Path, name: str) -> Path:
    """Where a run's record and its pictures are."""
    return store / "runs" / name


def check_run_name(name: str) -> None:
    """Refuse what leaves the folder of runs, hides the latest one, or looks like an option.

    Raises:
        UsageError: It would.
    """
    odd = name != name.strip() or not name.isprintable() or "/" in name or name[:1] in ("-", ".")
    if name in ("", "latest") or odd or len(name.encode()) > LONGEST:
        rule = "is printable, has no '/', is not 'latest', does not begin with '-' or '.'"
        rule += f", and has at most {LONGEST} bytes"
        fix = f"choose one that {rule}; see --run"
        raise UsageError(f"a run cannot be called '{name}'", fix)


def latest(store: Path) -> str | None:
    """The run that was recorded last; of those left, where it has been deleted; None without any.

    Raises:
        DataError: The file that names it is damaged.
    """
    path = store / "runs" / "latest"
    try:
        name = path.read_text("utf-8").strip()
        check_run_name(name)
    except (FileNotFoundError, NotADirectoryError):
        name = ""
    except (OSError, UnicodeDecodeError, UsageError) as error:
        raise DataError(
            f"is not the name of a run ({error})", "delete it and name the run", file=path
        ) from error
    return name if name in names(store) else next(iter(by_age(store)), None)


def _read(path: Path) -> Run:
    try:
        run: Run = json.loads(path.read_text("utf-8"))
        for key, value in (("settings", run["settings"]), ("steps", run["steps"])):
            if not isinstance(value, dict):
                raise TypeError(f"'{key}' is not an object")
        odd = [step for step, key in run["steps"].items() if not KEY.fullmatch(key)]
        if odd:  # keys become folders
            raise ValueError(f"'{odd[0]}' is not of a key")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"is damaged ({error!r})", FIX, file=path) from error
    return run

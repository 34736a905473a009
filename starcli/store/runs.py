"""Names of trained runs, each with the settings and the results that it stands for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NotRequired, TypedDict

from starcli.errors import DataError, UsageError, suggest
from starcli.files import save_text

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
        name = _latest(store)
    known = names(store)
    if name not in known:
        what = "no run yet" if name is None else f"no run '{name}'"
        fix = suggest(name or "", known) if known else "make one with: starcli train"
        raise UsageError(f"{what} in {store}", fix)
    return name, _read(folder(store, name) / "run.json")


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
        raise UsageError(f"a run cannot be called '{name}'", "name another with --run")


def _latest(store: Path) -> str | None:
    path = store / "runs" / "latest"
    try:
        name = path.read_text("utf-8").strip()
        check_run_name(name)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError, UsageError) as error:
        raise DataError(
            f"is not the name of a run ({error})", "delete it and name the run", file=path
        ) from error
    return name


def _read(path: Path) -> Run:
    try:
        run: Run = json.loads(path.read_text("utf-8"))
        for key, value in (("settings", run["settings"]), ("steps", run["steps"])):
            if not isinstance(value, dict):
                raise TypeError(f"'{key}' is not an object")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"is damaged ({error!r})", FIX, file=path) from error
    return run

"""What the values of options stand for: settings, the store, and where processes run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from starcli.errors import UsageError

if TYPE_CHECKING:
    from starcli import api
    from starcli.executors import Executor
    from starcli.settings.resolve import Loaded


def store_of(store: Path | None, config: Path | None) -> Path:
    """The folder of all results: as named, or as settings say.

    Raises:
        UsageError: It is a file.
    """
    place = place_of_store(store, config)
    if os.path.isfile(place):
        raise UsageError(f"{place} is a file, expected the folder of a store", "use --store FOLDER")
    return place


def place_of_store(store: Path | None, config: Path | None) -> Path:
    """The same, whatever is there."""
    from starcli.settings.resolve import run_section

    return run_section({} if store is None else {"run.store": store}, config).store


def executor_of(
    kind: Literal["local", "submitit"] | None, jobs: int, submit: list[str] | None, store: Path
) -> Executor | None:
    """What `--executor`, `--jobs` and `--submit` ask for; None for this process itself.

    Raises:
        UsageError: They do not go together, or one of `--submit` is no KEY=VALUE.
    """
    from starcli import executors

    parameters = {}
    for each in submit or ():
        key, equals, value = each.partition("=")
        if not (key and equals and value):
            raise UsageError(f"'{each}' is not KEY=VALUE", "say for example --submit mem_gb=16")
        parameters[key] = value
    return executors.named(kind, jobs, store / "jobs", parameters)


def load_options(options: Mapping[str, Any]) -> Loaded:  # `locals()` of a command
    """The settings that a stage's command was given.

    Args:
        options: Values by the names of the command's options; those of no setting do not matter.

    Raises:
        UsageError: A setting does not exist, or cannot have the value.
    """
    from starcli import api

    return api.load_options(given_options(options))


def given_options(options: Mapping[str, Any]) -> api.Options:  # `locals()` of a command
    """The options that a stage's command was given, as `starcli.api` takes them.

    Args:
        options: Values by the names of the command's options; those of no setting do not matter.

    Raises:
        UsageError: An assignment cannot be read.
    """
    from starcli import api
    from starcli.settings.resolve import parse_assignment

    given = {
        name: value
        for name, value in options.items()
        if name in api.OPTIONS and value is not False and value != []
    }
    assigned = dict(map(parse_assignment, options["settings"] or []))
    return cast("api.Options", {**given, "settings": assigned, "config": options["config"]})

"""What a shell is told of names that a command line may have; where nothing is known, nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from starcli.contracts import Kind

if TYPE_CHECKING:
    from starcli.settings.resolve import Loaded

Completion = Callable[[typer.Context, str], list[str]]


def plugins(kind: Kind) -> Completion:
    """Names of the installed plugins of a kind."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        from starcli import registry

        return _matching(incomplete, lambda: [entry.name for entry in registry.entries(kind)])

    return complete


def datasets(context: typer.Context, incomplete: str) -> list[str]:
    """Names of data sets, installed and imported."""
    from starcli import registry
    from starcli.data import imported

    def names() -> Iterator[str]:
        yield from (entry.name for entry in registry.entries("dataset"))
        yield from imported.names(_store(context))

    return _matching(incomplete, names)


def protocols(context: typer.Context, incomplete: str) -> list[str]:
    """Protocols of the data set that the command line has so far."""
    return _matching(incomplete, lambda: _settings(context).plugins["dataset"].protocols)


def splits(context: typer.Context, incomplete: str) -> list[str]:
    """Splits of the data set that the command line has so far."""
    return _matching(incomplete, lambda: _settings(context).plugins["dataset"].splits)


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """Names of the runs in the store."""
    from starcli.store import runs

    return _matching(incomplete, lambda: runs.names(_store(context)))


def settings(context: typer.Context, incomplete: str) -> list[str]:
    """Names of settings, those of the chosen plugins among them, ready for a value."""
    return _matching(incomplete, lambda: (f"{key}=" for key, _ in _settings(context).values()))


def _matching(incomplete: str, names: Callable[[], Iterable[str]]) -> list[str]:
    """The names that begin so; nobody waits for an error while typing."""
    with contextlib.suppress(Exception):
        return [name for name in names() if name.startswith(incomplete)]
    return []


def _settings(context: typer.Context) -> Loaded:
    from starcli.settings.resolve import load
    from starcli.settings.schema import PLUGIN_SECTIONS

    given = context.params
    chosen = {f"{s}.name": given[s] for s in PLUGIN_SECTIONS if isinstance(given.get(s), str)}
    return load({**chosen, "run.store": _store(context)})


def _store(context: typer.Context) -> Path:
    from starcli.cli.given import place_of_store

    store: Path | None = context.params.get("store")
    return place_of_store(store, None)

"""`starcli plugins`: which there are, whether they work, what they do, and how to begin one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from starcli.cli.help import Command, Group
from starcli.cli.options import Json, path
from starcli.contracts import KINDS, Kind
from starcli.errors import MissingError, UsageError

plugins = typer.Typer(
    help="List the installed plugins; check, show, or begin one.", rich_markup_mode=None, cls=Group
)


@plugins.callback(invoke_without_command=True)
def list_(
    context: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Import each in a process of its own; slow.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="With --check: time that an import may take.")
    ] = 60.0,
    as_json: Json = False,
) -> None:
    """List the installed data sets, readers, layouts, describers, encoders, backbones, methods.

    Example: starcli plugins --check
    """
    if context.invoked_subcommand is not None:
        return
    from starcli import api, registry
    from starcli.cli import console
    from starcli.cli.output import print_document

    for line in registry.broken():
        console.warn(f"warning: plugin metadata cannot be read: {line}")
    with console.progress(shown=check) as progress:
        rows = api.plugins(check=check, seconds=seconds, progress=progress)
    bad = [row for row in rows if row.get("status", "ok") != "ok"]
    error = MissingError(
        f"{len(bad)} of {len(rows)} plugins cannot be used",
        registry.repair([row["distribution"] for row in bad]),
    )
    if as_json:
        print_document({**(error.document() if bad else {"ok": True}), "plugins": rows})
    else:
        columns = list(rows[0]) if rows else ["kind", "name", "distribution", "version"]
        console.table("plugins", columns, [list(row.values()) for row in rows])
    if bad:
        console.error(error)
        raise typer.Exit(error.exit_code)


@plugins.command(cls=Command)
def show(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=", ".join(KINDS) + ".")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name; see `starcli plugins`.")],
    as_json: Json = False,
) -> None:
    """Print what a plugin does, where it lies, and its settings.

    Example: starcli plugins show backbone st-gcn
    """
    from starcli.cli import console
    from starcli.cli.output import print_document
    from starcli.registry import diagnostics

    facts = diagnostics.facts(_kind(kind), name)
    if as_json:
        print_document({"ok": True, **facts})
        return
    settings = facts.pop("settings", [])
    rows = [(key, _shown(value)) for key, value in facts.items() if value]
    console.table(f"{kind} {name}", ("what", "value"), rows)
    if settings:
        columns = tuple(settings[0])
        console.table("settings", columns, [list(row.values()) for row in settings])


def _kind(name: str) -> Kind:
    from starcli.errors import suggest

    for kind in KINDS:
        if name == kind:
            return kind
    raise UsageError(f"no kind of plugin '{name}'", suggest(name, KINDS))


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {' '.join(items)}" for key, items in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


@plugins.command(cls=Command)
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, such as my-net.")],
    kind: Annotated[str, typer.Option(help="What it is: backbone or reader.")] = "backbone",
    folder: Annotated[
        Path | None,
        typer.Option(parser=path, help="Where to write it; default a new folder of that name."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a small plugin of a kind with its test, ready for `pip install`.

    Example: starcli plugins new my-net
    """
    from starcli.cli import console
    from starcli.cli.output import print_document
    from starcli.registry.scaffold import USES, write

    chosen = _kind(kind)
    files = write(chosen, name, folder or Path(name))
    if as_json:
        print_document({"ok": True, "files": [str(file) for file in files]})
        return
    for file in files:
        print(file)
    place = folder or Path(name)
    console.note(
        f"install it with: pip install -e '{place}'; test it with: pytest '{place}'; "
        f"use it with: {USES[chosen].format(name=name)}"
    )

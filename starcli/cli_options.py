"""Options that several commands have, and commands with the options of another one and more."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer


def path(text: str) -> Path:
    """What an option or argument names.

    Raises:
        typer.BadParameter: Nothing, which would otherwise be the current folder.
    """
    if not text.strip():
        raise typer.BadParameter("the path is empty; the current folder is '.'")
    return Path(text)


Dataset = Annotated[str | None, typer.Option(help="Data set; `simulated` needs no download.")]
Raw = Annotated[
    Path | None, typer.Option(parser=path, help="The recordings: a zip, its folder, or a folder.")
]
Config = Annotated[
    Path | None, typer.Option(parser=path, help="Settings file; default starcli.toml if there.")
]
StorePath = Annotated[
    Path | None, typer.Option("--store", parser=path, help="Folder of all results.")
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Verify = Annotated[
    bool, typer.Option("--verify", help="Read all results whole, to see that none is damaged.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def extended(command: Callable[..., None], more: Callable[..., None]) -> Callable[..., None]:
    """A command that shows its own options and another's, in this order, and the other's help.

    Args:
        command: The other command.
        more: The command, which takes the other's options as `**shared`.
    """
    own = inspect.signature(more, eval_str=True).parameters.values()
    kept = inspect.signature(command, eval_str=True).parameters.values()
    named = [option for option in own if option.kind is not option.VAR_KEYWORD]
    more.__signature__ = inspect.Signature([*named, *kept])  # type: ignore[attr-defined]
    more.__doc__ = command.__doc__
    return more

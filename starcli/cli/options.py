"""Options that several commands have, and commands with the options of another one and more."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

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

Reader = Annotated[str | None, typer.Option(help="Format of files; default found by content.")]
LayoutName = Annotated[
    str | None,
    typer.Option("--layout", help="Joints of files: a name of `starcli plugins`, or a .toml."),
]
UpAxis = Annotated[
    Literal["x", "-x", "y", "-y", "z", "-z"] | None,
    typer.Option("--up", help="Axis of files that points up."),
]
UnitName = Annotated[
    Literal["m", "dm", "cm", "mm", "inch", "cmu", "pixel", "image"] | None,
    typer.Option("--unit", help="Unit of files."),
]
People = Annotated[
    str | None,
    typer.Option(
        help="Who of files: largest, most-motion, or a name; default the two who move most."
    ),
]
Mirrored = Annotated[bool, typer.Option("--mirrored", help="The axes of files are mirrored.")]
Swap = Annotated[
    bool, typer.Option("--swap-sides", help="The names of left and right are exchanged in files.")
]


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

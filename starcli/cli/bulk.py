"""`starcli predict --out`: name any number of recordings."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starcli.cli.options import path

if TYPE_CHECKING:
    from starcli.prediction.answer import NamedFiles

FilesFrom = Annotated[
    Path | None,
    typer.Option(parser=path, help="List of more recordings, one in each line; with --out."),
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="N/COUNT",
        help="Only a part of the files, as 2/8, into a file of its own; with --out.",
    ),
]


def _shard_of(text: str | None, out: Path) -> tuple[tuple[int, int], Path]:
    """Which part of how many, and the file of it.

    Raises:
        UsageError: There is no such part.
    """
    from starcli.executors import parse_shard

    if text is None:
        return (1, 1), out
    number, count = parse_shard(text)
    return (number, count), out.with_stem(f"{out.stem}-{number}-of-{count}")


def name_files(
    name: Callable[..., NamedFiles], out: Path, shard: str | None, as_json: bool
) -> None:
    """Name recordings into a file, and say how many.

    Args:
        name: Names them.
        out: The file, or what that of a part is called by.
        shard: Which part of how many; None for all.
        as_json: Print a document in place of the file's name.
    """
    from starcli.cli import console
    from starcli.cli.output import SKIPPED, print_document

    number, file = _shard_of(shard, out)
    with console.progress() as progress, contextlib.redirect_stdout(sys.stderr):
        total = name(out=file, shard=number, progress=progress)
    if as_json:
        print_document(total)
    else:
        print(total["out"])
    for note in (*total["notes"], *filter(None, [total["warning"]])):
        console.note(f"warning: {note}")
    console.note(
        f"{total['clips']} clips of {total['files']} files, of which {total['none']} are none of "
        f"{len(total['candidates'])} actions"
    )
    if total["bad"]:
        console.warn(f"{total['bad']} recordings could not be read: see error in {total['out']}")
        raise typer.Exit(SKIPPED)

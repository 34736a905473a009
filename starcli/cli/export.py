"""`starcli export`: a trained run as a folder that travels."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from starcli.cli.options import Config, Device, Json, StorePath, path
from starcli.errors import UsageError

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="[RUN] DIR",
        help="Run, default the latest; and the folder to write, such as `my-model`.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an exported model that is there.")
]


def export(
    names: Names,
    overwrite: Overwrite = False,
    store: StorePath = None,
    config: Config = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Write a run's model as a folder for other machines: tensors, config, model card."""
    from starcli import api
    from starcli.cli import console
    from starcli.cli.output import print_document

    run, folder = _run_and_folder(names, store, config)
    opened = api.open_run(run, store=store, config=config, device=device)
    with console.progress() as progress, contextlib.redirect_stdout(sys.stderr):
        exported = api.export(opened, folder, overwrite=overwrite, progress=progress)
    if as_json:
        print_document(exported)
    else:
        print(*exported["files"], sep="\n")


def _run_and_folder(
    names: list[str], store: Path | None, config: Path | None
) -> tuple[str | None, Path]:
    """What arguments mean: the folder alone, or a run before it.

    Raises:
        UsageError: There are more, or one that is a run.
    """
    from starcli.settings.resolve import run_section
    from starcli.store import runs

    *before, last = names
    if len(before) > 1:
        raise UsageError(
            f"expected [RUN] DIR, got {len(names)} names", "export runs one after another"
        )
    root = run_section({} if store is None else {"run.store": store}, config).store
    if not before and (last == "latest" or last in runs.names(root)):
        raise UsageError(
            f"'{last}' is a run, and the folder is missing", f"use: starcli export {last} DIR"
        )
    return (before[0] if before else None), path(last)

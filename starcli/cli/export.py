"""`starcli export`: a trained run as a folder that travels."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from starcli.cli.given import store_of
from starcli.cli.options import Config, Device, Json, Run, StorePath, path
from starcli.errors import UsageError

Second = Annotated[
    str | None, typer.Argument(metavar="DIR", help="Folder to write; a single word is this one.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an exported model that is there.")
]

Half = Annotated[
    bool, typer.Option("--half", help="Half the size: float16, which changes the third digit.")
]
Onnx = Annotated[
    bool,
    typer.Option("--onnx", help="Write model.onnx, too: clips and texts in, scores out."),
]


def export(
    first: Run = None,
    second: Second = None,
    half: Half = False,
    onnx: Onnx = False,
    overwrite: Overwrite = False,
    store: StorePath = None,
    config: Config = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Write a run's model as a folder for other machines: tensors, config, model card.

    Example: starcli export my-model
    """
    from starcli import api
    from starcli.cli import console
    from starcli.cli.output import print_document

    run, folder = _run_and_folder(first, second, store, config)
    opened = api.open_run(run, store=store, config=config, device=device)
    with console.progress() as progress, contextlib.redirect_stdout(sys.stderr):
        exported = api.export(
            opened, folder, half=half, onnx=onnx, overwrite=overwrite, progress=progress
        )
    if as_json:
        print_document(exported)
    else:
        print(*exported["files"], sep="\n")


def _run_and_folder(
    first: str | None, second: str | None, store: Path | None, config: Path | None
) -> tuple[str | None, Path]:
    """What the arguments mean: a run and a folder, or a folder alone.

    Raises:
        UsageError: There is no folder, or the model of this name is one.
    """
    from starcli.exporting.shipped import shipped
    from starcli.store import runs

    if first is None:
        raise UsageError("the folder is missing", "use: starcli export DIR")
    root = store_of(store, config)
    here, known = runs.names(root), shipped()
    if second is not None:
        if first in known and first not in here:
            raise UsageError(
                f"'{first}' is no run, but shipped as an exported model", f"copy {known[first]}"
            )
        return first, path(second)
    if first == "latest" or first in here:
        raise UsageError(
            f"'{first}' is a run, and the folder is missing", f"use: starcli export {first} DIR"
        )
    return None, path(first)

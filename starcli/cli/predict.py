"""`starcli predict`: name what is done in recordings."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from starcli.cli.options import Config, Device, Json, StorePath, path

Run = Annotated[str, typer.Argument(metavar="RUN", help="Trained run; `latest` for the latest.")]
Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILES...",
        parser=path,
        help="Recordings: files, folders or zips in the format of "
        "the run's data set, or .npy arrays [frames, joints, 3].",
    ),
]
Actions = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES|FILE",
        help="What it may be in place of the run's classes: 'wave, juggle', a .txt with a name in "
        "each line, or descriptions (.json); the run may never have heard of it.",
    ),
]
Among = Annotated[
    Literal["all", "seen", "unseen"] | None,
    typer.Option(help="Which of the run's classes it may be; with --actions beside these."),
]
Describer = Annotated[
    str | None, typer.Option(help="What describes new actions; default the run's own describer.")
]
Top = Annotated[int, typer.Option(min=1, help="How many actions to print for each clip.")]


def predict(
    run: Run,
    files: Files,
    actions: Actions = None,
    among: Among = None,
    describer: Describer = None,
    top: Top = 3,
    store: StorePath = None,
    config: Config = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Name what is done in recordings, also actions that nobody recorded training data for."""
    from starcli import api
    from starcli.cli import console
    from starcli.cli.output import SKIPPED, print_document

    opened = api.open_run(run, store=store, config=config, device=device)
    with console.progress() as progress, contextlib.redirect_stdout(sys.stderr):
        found = api.predict(
            opened,
            files,
            actions=actions,
            among=among,
            describer=describer,
            top=top,
            progress=progress,
        )
    if as_json:
        print_document(found)
    else:
        _print(found)
    for line in found["notes"]:
        console.note(f"warning: {line}")
    for fault in found["bad"]:
        place = f"{fault['file']}: " if fault["file"] else ""
        console.note(f"left out: {place}{fault['message']}; {fault['fix']}")
    if found["bad"]:
        raise typer.Exit(SKIPPED)


def _print(found: Mapping[str, Any]) -> None:
    """A line for each clip: its best actions with their scores."""
    from starcli.cli import console

    rows = [
        (each["clip"], *(f"{a['name']} {a['score']:.3f}" for a in each["actions"]))
        for each in found["predictions"]
    ]
    taken = f", gamma {found['gamma']:.4f} taken from seen ones" if found["gamma"] else ""
    warning = f"; {found['warning']}" if found["warning"] else ""
    title = f"{found['run']}: best of {len(found['candidates'])} actions by score{taken}{warning}"
    width = max(map(len, rows))
    console.table(title, ("clip", *map(str, range(1, width))), rows)

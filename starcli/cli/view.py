"""`starcli view`: clips as moving skeletons."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starcli.cli.options import (
    Config,
    Json,
    LayoutName,
    Mirrored,
    Overwrite,
    Pattern,
    People,
    Rate,
    Raw,
    Reader,
    StorePath,
    Swap,
    UnitName,
    UpAxis,
    path,
)

if TYPE_CHECKING:
    from starcli.viewing.places import Seen
    from starcli.viewing.skeletons import Shown

Place = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE|DATASET|RUN",
        help="A file, folder, zip or index of poses, a data set, or a run, "
        "whose test clips are shown; ./NAME is a folder that is called like one of these.",
    ),
]
Clips = Annotated[
    int, typer.Option(min=1, help="At most so many clips, evenly from all there are.")
]
Names = Annotated[list[str] | None, typer.Option("--clip", help="Name of a clip; repeatable.")]
Frames = Annotated[int, typer.Option(min=1, help="Frames of each clip in a .png.")]
Out = Annotated[
    Path | None,
    typer.Option(
        parser=path, help="A page .html, contact sheet .png or .gif; default NAME.html here."
    ),
]
Open = Annotated[bool, typer.Option("--open", help="Open it in a browser.")]


def view(
    place: Place,
    out: Out = None,
    clip: Names = None,
    clips: Clips = 20,
    frames: Frames = 8,
    overwrite: Overwrite = False,
    open_: Open = False,
    reader: Reader = None,
    layout: LayoutName = None,
    class_pattern: Pattern = None,
    up: UpAxis = None,
    unit: UnitName = None,
    fps: Rate = None,
    people: People = None,
    mirrored: Mirrored = False,
    swap_sides: Swap = False,
    raw: Raw = None,
    store: StorePath = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show clips as moving skeletons from front, side and top: a page, contact sheet or GIF.

    Example: starcli view mine --out mine.html
    """
    from starcli.cli import console
    from starcli.data.importing.options import meaning as as_meaning
    from starcli.viewing.files import save
    from starcli.viewing.places import Wanted, look

    target = _target(out, place, overwrite)
    meaning = as_meaning(
        layout, up=up, unit=unit, people=people, mirrored=mirrored, swap_sides=swap_sides
    )
    wanted = Wanted(clip or (), clips, raw, reader, meaning, class_pattern, fps)
    seen = look(place, wanted, store, config)
    shown = save(target, seen.title, seen.clips, "--out", frames)
    if as_json:
        _print_document(target, seen, shown)
    else:
        print(target)
    if seen.more or len(shown) < len(seen.clips):
        console.note(
            f"there are more clips than these {len(shown)}: choose with --clip NAME, or "
            "show more with --clips NUMBER"
        )
    if open_ and not webbrowser.open(target.absolute().as_uri()):
        console.note("no browser could be opened")
    _end_bad(seen)


def _target(out: Path | None, place: str, overwrite: bool) -> Path:
    """The file that is to be written."""
    from starcli.viewing.files import require_writable

    if out is None:
        name = os.path.basename(os.path.abspath(place)) or "view"
        out = Path(f"{Path(name).stem if os.path.isfile(place) else name}.html")
    require_writable(out, "--out", overwrite=overwrite)
    return out


def _print_document(target: Path, seen: Seen, shown: Sequence[Shown]) -> None:
    from starcli.cli.output import print_document

    print_document(
        {
            "ok": True,
            "file": str(target),
            "title": seen.title,
            "more": seen.more,
            "clips": [
                {
                    "name": clip.name,
                    "class": clip.label,
                    "frames": len(clip.joints),
                    "layout": clip.layout.name,
                    "facts": clip.facts,
                }
                for clip in shown
            ],
            "bad": [error.document()["error"] for error in seen.bad],
        }
    )


def _end_bad(seen: Seen) -> None:
    """Name what could not be read, and end with the code of that."""
    from starcli.cli import console
    from starcli.cli.output import SKIPPED

    for error in seen.bad:
        console.warn(f"left out: {error}; {error.fix}")
    if seen.bad:
        raise typer.Exit(SKIPPED)

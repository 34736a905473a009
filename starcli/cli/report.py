"""`starcli report`: runs as one page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from starcli.cli import completion
from starcli.cli.options import Config, Device, Json, Overwrite, StorePath, path
from starcli.cli.output import execute, print_document

PAGE = "report.html"
Runs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN",
        help="Run, default the latest; several: side by side, averaged over seeds and folds alone.",
        autocompletion=completion.runs,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(parser=path, help="The page, an .html file.", show_default=f"{PAGE} here"),
]
Figures = Annotated[
    Path | None,
    typer.Option(parser=path, help="Folder for every figure as PNG, SVG and PDF, for papers."),
]
Clips = Annotated[
    int,
    typer.Option(min=0, help="So many test clips of unseen classes as moving skeletons, in all."),
]


def report(
    runs: Runs = None,
    out: Out = None,
    figures: Figures = None,
    clips: Clips = 20,
    overwrite: Overwrite = False,
    store: StorePath = None,
    config: Config = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Write runs as one page to look at: results, figures, classes, what they were made of.

    Example: starcli report first second --out both.html
    """
    from starcli import api
    from starcli.files import require_file, require_folder, save_text
    from starcli.report.page import page
    from starcli.report.pictures import save_pictures
    from starcli.report.reported import Reported

    target = out or Path(PAGE)
    require_file(target, (".html",), "--out", overwrite=overwrite)
    if figures is not None:
        require_folder(figures, "--figures")
    names: list[str | None] = [*runs] if runs else [None]
    opened = [api.open_run(name, store=store, config=config, device=device) for name in names]
    unique = {run.name: run.experiment for run in opened}
    reported = [
        Reported(name, experiment, execute(experiment, "calibrate")[0])
        for name, experiment in unique.items()
    ]
    save_text(target, page(reported, clips), "--out")
    files = [target]
    if figures is not None:
        for run in reported:
            files += save_pictures(run, figures / run.name if len(reported) > 1 else figures)
    if as_json:
        print_document({"ok": True, "runs": [*unique], "files": [str(file) for file in files]})
        return
    for file in files:
        print(file)

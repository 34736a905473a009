"""The program: its commands in the order of the help."""

from __future__ import annotations

from typing import Annotated

import typer

from starcli import __version__
from starcli.cli.benchmark import benchmark
from starcli.cli.data import data
from starcli.cli.describe import describe
from starcli.cli.doctor import doctor
from starcli.cli.embed import embed
from starcli.cli.evaluate import calibrate, evaluate
from starcli.cli.export import export
from starcli.cli.figure import figure
from starcli.cli.plugins import plugins
from starcli.cli.predict import predict
from starcli.cli.runs import runs
from starcli.cli.stages import extract, prepare, pretrain, train
from starcli.cli.store import store
from starcli.cli.view import view

app = typer.Typer(
    help="Zero-shot skeleton action recognition: name actions nobody recorded training data for.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for _group, _name in (
    (data, "data"),
    (figure, "figure"),
    (runs, "runs"),
    (store, "store"),
    (plugins, "plugins"),
):
    app.add_typer(_group, name=_name)
for _command in (
    prepare,
    describe,
    embed,
    pretrain,
    extract,
    train,
    evaluate,
    calibrate,
    predict,
    export,
    view,
    benchmark,
    doctor,
):
    app.command()(_command)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"starcli {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass

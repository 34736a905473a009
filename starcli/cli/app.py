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
from starcli.cli.help import COMMANDS, WHERE, Command, Group
from starcli.cli.plugins import plugins
from starcli.cli.predict import predict
from starcli.cli.report import report
from starcli.cli.runs import runs
from starcli.cli.stages import extract, prepare, pretrain, train
from starcli.cli.store import store
from starcli.cli.view import view

ABOUT = "Zero-shot skeleton action recognition: name actions nobody recorded training data for."
WELCOME = """\
Zero-shot skeleton action recognition: name actions nobody recorded training
data for. Begin with one of these:

  starcli predict clips --actions "wave, squat"   name what files of poses show
  starcli data import mine clips                  make a data set of your own
  starcli train                                   train on simulated recordings

All commands: starcli --help. What is here and whether it works: starcli doctor.\
"""
app = typer.Typer(
    help=ABOUT,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=Group,
)

BEGIN, DATA, STAGES, RESULTS, CARE = COMMANDS
for _command, _panel in (
    (predict, BEGIN),
    (train, BEGIN),
    (evaluate, BEGIN),
    (view, DATA),
    (prepare, STAGES),
    (describe, STAGES),
    (embed, STAGES),
    (pretrain, STAGES),
    (extract, STAGES),
    (calibrate, STAGES),
    (export, RESULTS),
    (report, RESULTS),
    (benchmark, RESULTS),
    (doctor, CARE),
):
    app.command(cls=Command, rich_help_panel=_panel)(_command)
for _group, _name, _panel in (
    (data, "data", DATA),
    (figure, "figure", RESULTS),
    (runs, "runs", CARE),
    (store, "store", CARE),
    (plugins, "plugins", CARE),
):
    app.add_typer(_group, name=_name, rich_help_panel=_panel)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"starcli {__version__}")
        raise typer.Exit


def _quiet(wanted: bool) -> None:
    from starcli.cli import console

    if wanted:
        console.speak("quiet")


def _verbose(wanted: bool) -> None:
    from starcli.cli import console

    if wanted:
        console.speak("verbose")


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            callback=_quiet,
            expose_value=False,
            help="Print results, warnings and errors alone.",
            rich_help_panel=WHERE,
        ),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            callback=_verbose,
            expose_value=False,
            help="Say also why each step runs, and all that is known of a failure.",
            rich_help_panel=WHERE,
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(WELCOME)

"""`starcli runs`: the runs of a store, what they were made of, and giving them up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from starcli.cli import completion
from starcli.cli.given import store_of
from starcli.cli.help import Command, Group
from starcli.cli.options import Config, Json, Run, StorePath
from starcli.cli.output import print_document, size

if TYPE_CHECKING:
    from starcli.report.document import Measure
    from starcli.report.recorded import Listed, Shown

runs = typer.Typer(
    help="Runs: list, show, compare, rename, delete.",
    no_args_is_help=True,
    rich_markup_mode=None,
    cls=Group,
)

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN", help="Runs; see `starcli runs list`.", autocompletion=completion.runs
    ),
]


@runs.callback()
def _options() -> None:
    pass


@runs.command("list", cls=Command)
def list_(store: StorePath = None, config: Config = None, as_json: Json = False) -> None:
    """List the runs of a store, the newest first, with how good they are.

    Example: starcli runs list
    """
    from starcli.cli import console
    from starcli.report import recorded

    root = store_of(store, config)
    every = recorded.listed(root)
    if as_json:
        print_document({"ok": True, "store": str(root), "runs": every})
        return
    console.table(f"runs in {root}", ("run", "recorded", "ZSL", "H", "state"), map(_row, every))
    if not every:
        console.note("no run yet; make one with: starcli train")


def _row(run: Listed) -> tuple[str, ...]:
    name = f"{run['run']} (latest)" if run["latest"] else run["run"]
    return (name, when(run["recorded"]), *_measures(run, ("ZSL", "H")), _state(run))


def _state(run: Listed) -> str:
    if run["fault"] is not None:
        return "damaged"
    return f"lost {', '.join(run['lost'])}" if run["lost"] else "whole"


def _measures(run: Listed, names: Sequence[Measure]) -> list[str]:
    """The accuracies of a run in percent; dashes where `evaluate` has not found them yet."""
    found = run["measures"]
    return ["-" if found is None else f"{100 * found[name]:.1f}" for name in names]


def when(seconds: float) -> str:
    """A time as people say it."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


@runs.command(cls=Command)
def show(
    run: Run = None, store: StorePath = None, config: Config = None, as_json: Json = False
) -> None:
    """Print what a run was made of: recordings, settings, the result of every step.

    Example: starcli runs show
    """
    from starcli.cli import console
    from starcli.report import recorded

    found = recorded.shown(store_of(store, config), run)
    if as_json:
        print_document({"ok": True, **found})
        return
    console.table(f"run {found['run']}", ("what", "value"), _facts(found))
    console.table("settings that were chosen", ("setting", "value"), list(found["set"].items()))
    steps = [
        (
            each["step"],
            each["key"],
            each["state"],
            "-" if each["size"] is None else size(each["size"]),
            "-" if each["seconds"] is None else f"{each['seconds']:.1f} s",
        )
        for each in found["steps"]
    ]
    console.table("made of", ("step", "key", "state", "size", "time"), steps)
    if found["lost"]:
        console.note(f"what is lost is made again by: starcli evaluate '{found['run']}'")


def _facts(found: Shown) -> list[tuple[str, object]]:
    from starcli.report.document import MEASURES

    measured = zip(MEASURES, _measures(found, MEASURES), strict=True)
    return [
        ("recorded", when(found["recorded"])),
        ("data set", f"{found['dataset']}, {found['protocol']}, {found['split']}"),
        ("recordings", found["recordings"] or "none are read"),
        ("weights given", found["weights"] or "none"),
        ("method", f"{found['method']}, {found['parts']} parts, seed {found['seed']}"),
        ("accuracy, %", ", ".join(f"{name} {value}" for name, value in measured)),
        ("state", _state(found)),
    ]


@runs.command(cls=Command)
def compare(
    names: Names, store: StorePath = None, config: Config = None, as_json: Json = False
) -> None:
    """Print what runs differ in, beside how good they are.

    Example: starcli runs compare first second
    """
    from starcli.cli import console
    from starcli.report import recorded
    from starcli.report.document import MEASURES

    found = recorded.compared(store_of(store, config), names)
    if as_json:
        print_document({"ok": True, **found})
        return
    measured = [_measures(run, MEASURES) for run in found["runs"]]
    rows = [
        *((key, *values) for key, values in found["differ"].items()),
        *(
            (f"{name}, %", *row)
            for name, row in zip(MEASURES, zip(*measured, strict=True), strict=True)
        ),
    ]
    columns = ("", *(run["run"] for run in found["runs"]))
    console.table("runs compared", columns, rows)


@runs.command(cls=Command)
def rename(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Its name now.", autocompletion=completion.runs)
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name that it gets.")],
    store: StorePath = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Give a run another name.

    Example: starcli runs rename second better
    """
    from starcli.cli import console
    from starcli.store.runs import rename_run

    rename_run(store_of(store, config), run, name)
    if as_json:
        print_document({"ok": True, "run": name, "before": run})
    else:
        console.note(f"run '{run}' is called '{name}' now")


@runs.command(cls=Command)
def delete(
    names: Names, store: StorePath = None, config: Config = None, as_json: Json = False
) -> None:
    """Delete runs with their pictures; their results stay, and train makes them again at once.

    Example: starcli runs delete better
    """
    from starcli.cli import console
    from starcli.store.runs import delete_run, require_run

    root, different = store_of(store, config), list(dict.fromkeys(names))
    for name in different:  # first, so that a mistyped one leaves the others
        require_run(root, name)
    for name in different:
        delete_run(root, name)
        console.note(f"run '{name}' is deleted")
    if as_json:
        print_document({"ok": True, "deleted": different})
    console.note("results that no run needs are removed by: starcli store prune --unused")

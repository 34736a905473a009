"""`starcli store`: the results of a store, whether they are whole, why they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from starcli.cli.given import store_of
from starcli.cli.help import Command, Group
from starcli.cli.options import Config, Json, StorePath
from starcli.cli.output import print_document, size
from starcli.cli.runs import when
from starcli.errors import DataError, StarError, UsageError, suggest

if TYPE_CHECKING:
    from starcli.report.recorded import Explained
    from starcli.store.inventory import Stored

store = typer.Typer(
    help="The store of results: list, verify, explain, prune.",
    no_args_is_help=True,
    rich_markup_mode=None,
    cls=Group,
)

Key = Annotated[
    str, typer.Argument(metavar="KEY", help="A result: its key, or the first four digits or more.")
]


@store.callback()
def _options() -> None:
    pass


@store.command("list", cls=Command)
def list_(
    place: StorePath = None,
    config: Config = None,
    stage: Annotated[str | None, typer.Option(help="Only the results of this stage.")] = None,
    as_json: Json = False,
) -> None:
    """List the results, the newest first, with their sizes and the runs that need them.

    Example: starcli store list --stage train
    """
    from starcli.cli import console
    from starcli.store import inventory

    root = store_of(place, config)
    every = inventory.results(root)
    _require_stage(stage, {each.stage for each in every})
    needed = inventory.users(root, every, damaged=True)
    shown = [each for each in every if stage in (None, each.stage)]
    rows = [{**_row(each), "needed_by": needed.get(each.key, [])} for each in shown]
    total = sum(each.size for each in shown)
    if as_json:
        print_document({"ok": True, "store": str(root), "size": total, "results": rows})
        return
    lines = [
        (
            each.stage,
            each.key,
            "damaged" if each.artifact is None else when(each.created),
            size(each.size),
            _count(len(needed.get(each.key, []))),
        )
        for each in shown
    ]
    title = f"{len(shown)} results in {root}, {size(total)}"
    console.table(title, ("stage", "key", "made", "size", "needed by"), lines)


def _require_stage(stage: str | None, there: set[str]) -> None:
    """Refuse a word that is no stage; one without results is none the less a stage."""
    from starcli.pipeline import steps

    known = there | {step.stage for step in steps()}
    if stage is not None and stage not in known:
        raise UsageError(f"no stage '{stage}'", suggest(stage, known))


def _row(each: Stored) -> dict[str, object]:
    return {
        "stage": each.stage,
        "key": each.key,
        "created": each.created,
        "size": each.size,
        "damaged": each.artifact is None,
        "edited": each.edited,
    }


def _count(runs: int) -> str:
    return "no run" if runs == 0 else "1 run" if runs == 1 else f"{runs} runs"


@store.command(cls=Command)
def verify(
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY", help="Results by their keys; default all."),
    ] = None,
    place: StorePath = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Read results whole, to see that every file is as it was written, and that runs lack none.

    Example: starcli store verify
    """
    from starcli.cli import console
    from starcli.store import inventory

    root = store_of(place, config)
    every = inventory.results(root)
    chosen = [inventory.find(every, key) for key in keys] if keys else every
    faults: list[StarError] = []
    with console.progress() as progress:
        for number, each in enumerate(chosen, 1):
            faults += _fault(each)
            progress.update("verify", number, len(chosen))
    faults += [] if keys else inventory.faulty_runs(root, every)
    if as_json:
        errors = [fault.document()["error"] for fault in faults]
        more = {"error": errors[0]} if errors else {}
        print_document({"ok": not faults, **more, "verified": len(chosen), "faults": errors})
    for fault in faults:
        console.warn(f"{fault}; {fault.fix}")
    if faults:
        raise typer.Exit(DataError.exit_code)
    console.note(f"{len(chosen)} results are whole")


def _fault(each: Stored) -> list[StarError]:
    try:
        if each.artifact is None:
            return [each.fault] if each.fault else []
        each.artifact.verify(whole=True)
    except DataError as error:
        return [error]
    return []


@store.command(cls=Command)
def explain(
    key: Key, place: StorePath = None, config: Config = None, as_json: Json = False
) -> None:
    """Print what a result was made of and with, who needs it, and how it differs from others.

    Example: starcli store explain 3acc70251e4716b0
    """
    from starcli.cli import console
    from starcli.report import recorded

    found = recorded.explained(store_of(place, config), key)
    if as_json:
        print_document({"ok": True, **found})
        return
    console.table(f"{found['stage']}/{found['key']}", ("what", "value"), _facts(found))
    console.table("recipe", ("key", "value"), list(found["recipe"].items()))
    if found["nearest"]:
        title = f"differs from {found['stage']}/{found['nearest']}, which is most like it, in"
        console.table(title, ("before -> here",), [(line,) for line in found["differs"]])


def _facts(found: Explained) -> list[tuple[str, object]]:
    return [
        ("made", f"{when(found['created'])}, in {found['seconds']:.1f} s"),
        ("size", size(found["size"])),
        ("with", ", ".join(f"{name} {version}" for name, version in found["versions"].items())),
        *((f"from {label}", name) for label, name in found["inputs"].items()),
        ("needed by", ", ".join(found["needed_by"]) or "no run"),
        *([("edited", "by hand: no command makes it again")] if found["edited"] else []),
    ]


@store.command(cls=Command)
def prune(
    unused: Annotated[
        bool, typer.Option("--unused", help="Remove all results that no run needs.")
    ] = False,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Of these, only those of such an age: 12h, 30d, 2w."),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Of these, the oldest, until all results fit in: 500MB, 20GB."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be removed, and stop.")
    ] = False,
    place: StorePath = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Remove results that no run needs; runs, imported data sets and texts edited by hand stay.

    Example: starcli store prune --unused --dry-run
    """
    from starcli.cli import console
    from starcli.store import pruning

    if not unused and older_than is None and max_size is None:
        raise UsageError(
            "nothing says what to remove", "use --unused, --older-than 30d or --max-size 20GB"
        )
    limits = pruning.Limits(
        None if older_than is None else pruning.parse_age(older_than),
        None if max_size is None else pruning.parse_size(max_size),
    )
    root = store_of(place, config)
    removed = pruning.prunable(root, limits) if dry_run else pruning.prune(root, limits)
    total = sum(each.size for each in removed)
    if as_json:
        rows = [_row(each) for each in removed]
        print_document({"ok": True, "dry_run": dry_run, "size": total, "removed": rows})
        return
    lines = [(each.stage, each.key, when(each.created), size(each.size)) for each in removed]
    title = f"{'to remove' if dry_run else 'removed'}: {len(removed)} results, {size(total)}"
    console.table(title, ("stage", "key", "made", "size"), lines)

"""`starcli data`: which data sets there are, what they hold, and how to make one."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from starcli.cli.given import store_of
from starcli.cli.help import Command, Group
from starcli.cli.options import (
    Config,
    Json,
    LayoutName,
    Mirrored,
    Overwrite,
    Pattern,
    People,
    Rate,
    Reader,
    StorePath,
    Swap,
    UnitName,
    UpAxis,
    path,
)

if TYPE_CHECKING:
    from starcli.contracts import DatasetSource
    from starcli.data.imported import Imported
    from starcli.data.importing.inspection import Inspection
    from starcli.errors import StarError

data = typer.Typer(
    help="Data sets: list, show, check, and make your own.",
    no_args_is_help=True,
    rich_markup_mode=None,
    cls=Group,
)

Set = Annotated[
    list[str] | None, typer.Option("--set", help="A setting of the data set: dataset.phase=2.")
]

Picture = Annotated[
    Path | None,
    typer.Option(
        parser=path,
        help="Show some clips, too, in a page .html, contact sheet .png or .gif.",
    ),
]


@data.callback()
def _options() -> None:
    pass


@data.command("list", cls=Command)
def list_(store: StorePath = None, config: Config = None, as_json: Json = False) -> None:
    """List the data sets, installed and imported; of one that cannot be used, say why.

    Example: starcli data list
    """
    from starcli.cli import console
    from starcli.cli.output import SKIPPED, print_document
    from starcli.errors import StarError

    rows: list[dict[str, object]] = []
    bad: dict[str, StarError] = {}
    for name, source in _every(store_of(store, config)):
        if isinstance(source, StarError):
            bad[name] = source
            continue
        rows.append(
            {
                "name": name,
                "layout": source.layout.name,
                "classes": len(source.classes),
                "protocols": list(source.protocols),
                "splits": list(source.splits),
            }
        )
    if as_json:
        faults = [{"name": name, **e.document()["error"]} for name, e in bad.items()]
        print_document({"ok": True, "datasets": rows, "bad": faults})
    else:
        shown = [
            [", ".join(v) if isinstance(v, list) else str(v) for v in row.values()] for row in rows
        ]
        console.table("data sets", ("name", "layout", "classes", "protocols", "splits"), shown)
    for name, error in bad.items():
        console.warn(f"{name}: {error}; {error.fix}")
    if bad:
        raise typer.Exit(SKIPPED)


def _every(store: Path) -> Iterator[tuple[str, DatasetSource | StarError]]:
    """All data sets by name, installed and imported, with default settings; or what is wrong."""
    from starcli import registry
    from starcli.data import imported
    from starcli.errors import StarError
    from starcli.experiment import make_source
    from starcli.settings.resolve import load_defaults

    for name in [entry.name for entry in registry.entries("dataset")] + imported.names(store):
        try:
            yield name, make_source(load_defaults({"dataset.name": name, "run.store": store}))
        except StarError as error:
            yield name, error


@data.command(cls=Command)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Data set; see `starcli data list`.")],
    settings: Set = None,
    store: StorePath = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Print a data set's classes, protocols, splits, and how many clips it has when complete.

    Example: starcli data show ntu60
    """
    from starcli.cli import console
    from starcli.cli.output import print_document
    from starcli.data import integrity

    facts = integrity.shown(name, _source(name, settings, store, config))
    if as_json:
        print_document({"ok": True, **facts})
        return
    for title, columns, rows in integrity.tables(facts):
        console.table(title, columns, rows)
    if facts["request"]:
        console.note(facts["request"])


@data.command(cls=Command)
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Data set; see `starcli data list`.")],
    raw: Annotated[
        Path | None,
        typer.Option(
            parser=path,
            help="The recordings: a zip, its folder, or a folder; not where a data set reads none.",
        ),
    ] = None,
    settings: Set = None,
    store: StorePath = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Read all recordings, and compare them with what the complete data set has.

    Example: starcli data check utd-mhad --raw Skeleton.zip
    """
    from starcli.cli import console
    from starcli.cli.output import print_document
    from starcli.data import integrity
    from starcli.errors import DataError
    from starcli.processes import cores

    source = _source(name, settings, store, config)
    with console.progress() as report, contextlib.redirect_stdout(sys.stderr):
        checked = integrity.check(source, raw, cores(), report)
    wrong = integrity.faults(checked)
    error = DataError(f"{name}: {wrong}", source.request or "make or import it again", file=raw)
    if as_json:
        print_document(
            {**(error.document() if wrong else {"ok": True}), "dataset": name, **checked}
        )
        raise typer.Exit(error.exit_code if wrong else 0)
    for title, columns, rows in integrity.check_tables(name, checked):
        console.table(title, columns, rows)
    for warning in checked["warnings"]:
        console.warn(warning)
    if wrong:
        raise error


def _source(
    name: str, settings: list[str] | None, store: Path | None, config: Path | None
) -> DatasetSource:
    """The data set of this name with these settings."""
    from starcli.experiment import make_source
    from starcli.settings.resolve import load, parse_assignment

    given = {"dataset.name": name} | ({} if store is None else {"run.store": store})
    return make_source(load({**dict(map(parse_assignment, settings or [])), **given}, config))


@data.command(cls=Command)
def inspect(
    source: Annotated[
        Path,
        typer.Argument(metavar="SOURCE", parser=path, help="File, folder, zip or index of poses."),
    ],
    reader: Reader = None,
    layout: LayoutName = None,
    class_pattern: Pattern = None,
    up: UpAxis = None,
    unit: UnitName = None,
    fps: Rate = None,
    people: People = None,
    mirrored: Mirrored = False,
    swap_sides: Swap = False,
    picture: Picture = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Say what recordings of poses are, and what contradicts a body; only --picture writes.

    Example: starcli data inspect clips
    """
    from starcli.cli import console
    from starcli.cli.output import print_document
    from starcli.data.importing.inspection import inspect as look
    from starcli.data.importing.options import meaning as as_meaning
    from starcli.viewing.files import require_writable, save
    from starcli.viewing.places import Wanted, look_at_files

    meaning = as_meaning(
        layout, up=up, unit=unit, people=people, mirrored=mirrored, swap_sides=swap_sides
    )
    if picture is not None:
        require_writable(picture, "--picture", overwrite=overwrite)
    with console.progress() as report, contextlib.redirect_stdout(sys.stderr):
        inspection = look(
            source, meaning, reader=reader, pattern=class_pattern, fps=fps, progress=report
        )
        if picture is not None:
            wanted = Wanted(reader=reader, meaning=meaning, pattern=class_pattern, fps=fps)
            seen = look_at_files(source, wanted)
            save(picture, seen.title, seen.clips, "--picture")
    if as_json:
        written = {} if picture is None else {"picture": str(picture)}
        print_document({"ok": True, **inspection, **written})
        return
    rows = [
        *inspection_rows(inspection),
        ("layout", inspection["layout"]),
        ("clips", str(inspection["clips"])),
        ("classes", ", ".join(inspection["classes"]) or "not known"),
    ]
    console.table(str(source), ("what", "value"), rows)
    for warning in inspection["warnings"]:
        console.warn(warning)
    if inspection["unlabelled"] or len(inspection["classes"]) < 2:
        console.note(_lacking(inspection))
    if picture is None:
        console.note(f"see it move: starcli view {shlex.quote(str(source))}")
    else:
        console.note(f"see it in {picture}")


@data.command("import", cls=Command)
def import_(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What the data set is called from now on.")
    ],
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            parser=path,
            help="Recordings as they are: folders CLASS/ or CLASS/SUBJECT/, a zip, a file that "
            "names classes, or a .csv or .json index.",
        ),
    ],
    reader: Reader = None,
    layout: LayoutName = None,
    class_pattern: Pattern = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            parser=path,
            help="File with a class name in each line; default the classes of the clips.",
        ),
    ] = None,
    train_subjects: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Subjects that train; default every other one."),
    ] = None,
    train_views: Annotated[
        str | None, typer.Option(metavar="A,B", help="Views that train; default every other one.")
    ] = None,
    unseen: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPLIT=A,B",
            help="A split and its unseen classes; repeatable; or a .toml or .json; default folds.",
        ),
    ] = None,
    up: UpAxis = None,
    unit: UnitName = None,
    fps: Rate = None,
    people: People = None,
    mirrored: Mirrored = False,
    swap_sides: Swap = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a data set of this name.")
    ] = False,
    store: StorePath = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a data set of your own recordings, for `starcli train --dataset NAME`.

    Example: starcli data import mine clips
    """
    from starcli.class_names import split_names
    from starcli.cli import console
    from starcli.cli.output import print_document
    from starcli.data.importing.builder import ImportRequest, make
    from starcli.data.importing.options import meaning as as_meaning

    train = {"xsub": train_subjects, "xview": train_views}
    request = ImportRequest(
        source,
        as_meaning(
            layout, up=up, unit=unit, people=people, mirrored=mirrored, swap_sides=swap_sides
        ),
        reader,
        class_pattern,
        fps,
        classes,
        {protocol: split_names(text) for protocol, text in train.items() if text is not None},
        unseen or (),
    )
    place = store_of(store, config)
    with console.progress() as report, contextlib.redirect_stdout(sys.stderr):
        made = make(name, request, place, overwrite=overwrite, progress=report)
    facts = summary(name, made.dataset)
    if as_json:
        print_document({"ok": True, **made.inspection, **facts})
        return
    rows = [*inspection_rows(made.inspection), *summary_rows(facts)]
    console.table(f"data set {name}", ("what", "value"), rows)
    for warning in made.inspection["warnings"]:
        console.warn(warning)
    if "half" in made.dataset.protocols:
        console.note(
            "no subjects or views are known: the protocol 'half' trains on every other "
            "clip of each class, so a person may be in both subsets"
        )
    console.note(f"see it move: starcli view {name}")
    console.note(f"next: starcli train --dataset {name}")


def _lacking(inspection: Inspection) -> str:
    """What `data import` would miss."""
    from starcli.data.importing.options import FOLDERS_FIX

    unlabelled, clips = inspection["unlabelled"], inspection["clips"]
    if not unlabelled:
        only = inspection["classes"][0]
        lacking = f"there is one class, '{only}', data import needs two or more"
    elif unlabelled == clips:
        lacking = "no class is known, data import needs them"
    else:
        lacking = f"the class of {unlabelled} of {clips} clips is not known, data import needs it"
    return f"{lacking}: {FOLDERS_FIX}"


def inspection_rows(inspection: Inspection) -> list[tuple[str, str]]:
    """What files were, as rows of a table."""
    rate = "not known" if inspection["fps"] is None else f"{inspection['fps']:g}"
    return [
        ("reader", inspection["reader"]),
        ("frames", str(inspection["frames"])),
        ("people", str(inspection["people"])),
        ("frames a second", rate),
        ("unit", inspection["unit"]),
        ("axes", inspection["axes"]),
        ("missing", f"{100 * inspection['missing']:.1f} % of joints"),
    ]


class Summary(TypedDict):
    """What an imported data set has: counts, and classes by name."""

    dataset: str
    path: str
    clips: int
    layout: str
    parts: list[int]
    classes: list[str]
    without_clips: list[str]
    subjects: list[str]
    protocols: dict[str, dict[str, int]]
    splits: dict[str, list[str]]


def summary(name: str, made: type[Imported]) -> Summary:
    """What an imported data set has, as `--json` prints it."""
    rows = made.rows.values()
    subsets = {p: [row["sides"][p] for row in rows] for p in made.protocols}
    return {
        "dataset": name,
        "path": str(made.folder),
        "clips": len(rows),
        "layout": made.layout.name,
        "parts": sorted(made.layout.parts),
        "classes": list(made.classes),
        "without_clips": [made.classes[c] for c in made.missing_classes],
        "subjects": sorted({row["subject"] for row in rows} - {""}),
        "protocols": {
            p: {s: subset.count(s) for s in ("train", "test")} for p, subset in subsets.items()
        },
        "splits": {split: [made.classes[c] for c in ids] for split, ids in made.splits.items()},
    }


def summary_rows(facts: Summary) -> list[tuple[str, str]]:
    """The same as rows of a table."""
    rows = [
        ("clips", str(facts["clips"])),
        ("layout", facts["layout"]),
        ("classes", str(len(facts["classes"]))),
    ]
    if facts["without_clips"]:
        rows.append(("without clips", ", ".join(facts["without_clips"])))
    rows += [
        (f"protocol {p}", f"{n['train']} train, {n['test']} test")
        for p, n in facts["protocols"].items()
    ]
    return rows + [(f"split {s}", f"unseen: {', '.join(c)}") for s, c in facts["splits"].items()]

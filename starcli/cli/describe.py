"""`starcli describe`: the stage, and what it does with files of descriptions."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starcli.cli.given import given_options, load_options
from starcli.cli.options import (
    Config,
    Dataset,
    Describer,
    DryRun,
    Json,
    Parts,
    Preset,
    Set,
    ShowSettings,
    StorePath,
    Verify,
    path,
)
from starcli.cli.output import print_document
from starcli.cli.stages import run_stage

if TYPE_CHECKING:
    from starcli.api import Options
    from starcli.experiment import Experiment
    from starcli.stages.describe import ActionTexts

Actions = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Print what would be said of any actions, 'squat, chop onions', and stop; "
        "from the lexicon, if no other describer is chosen.",
    ),
]
Check = Annotated[
    Path | None,
    typer.Option(parser=path, help="Say what is wrong with a file of descriptions, and stop."),
]
Compare = Annotated[
    tuple[str, str] | None,
    typer.Option(
        metavar="ONE OTHER",
        help="Print two sources, files or describers, side by side, and stop.",
    ),
]
Schema = Annotated[
    bool, typer.Option("--schema", help="Print the JSON schema of such a file, and stop.")
]
Texts = Mapping[str, Mapping[str, object]]


def describe(
    actions: Actions = None,
    check: Check = None,
    compare: Compare = None,
    schema: Schema = False,
    preset: Preset = None,
    dataset: Dataset = None,
    parts: Parts = None,
    describer: Describer = None,
    settings: Set = None,
    config: Config = None,
    store: StorePath = None,
    verify: Verify = False,
    dry_run: DryRun = False,
    show_settings: ShowSettings = False,
    as_json: Json = False,
) -> None:
    """Say what each body part does in each action.

    Example: starcli describe --actions "squat, chop onions"
    """
    options = locals()
    if actions is not None:
        _preview(actions, given_options(options), as_json)
        return
    if check is None and compare is None and not schema:
        run_stage("describe", options)
        return
    from starcli.experiment import Experiment

    experiment = Experiment(load_options(options))
    if schema:
        print(json.dumps(_schema(experiment), ensure_ascii=False, indent=2))
    elif check is not None:
        _check(experiment, check, as_json)
    elif compare is not None:
        _compare(experiment, compare, as_json)


def _preview(actions: str, options: Options, as_json: bool) -> None:
    """Print what is said of actions, from which entries; what to beware of goes to stderr."""
    from starcli import api
    from starcli.cli import console

    with console.progress() as progress, contextlib.redirect_stdout(sys.stderr):
        described = api.describe_actions(actions, progress=progress, **options)
    if as_json:
        print_document(described)
    else:
        for action in described["actions"]:
            rows = [(part, text.replace("\n", " · ")) for part, text in action["texts"].items()]
            console.table(_title(action), ("part", "text"), rows)
    for line in described["notes"]:
        console.warn(f"warning: {line}")


def _title(action: ActionTexts) -> str:
    """An action and the entry that its texts are taken from, such as `squats: as 'squat', 1.00`."""
    if action["similarity"] is None:
        return action["name"]
    return f"{action['name']}: as '{action['entry']}', {action['similarity']:.2f}"


def _facets(experiment: Experiment) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What each class needs a text for, and what else a file may have texts for."""
    from starcli.stages.describe import facets

    layout = experiment.source.layout
    return facets(experiment), tuple(part for table in layout.parts.values() for part in table)


def _schema(experiment: Experiment) -> Mapping[str, object]:
    from starcli.text import descriptions

    return descriptions.schema(experiment.source.classes, *_facets(experiment))


def _check(experiment: Experiment, file: Path, as_json: bool) -> None:
    """Print every fault of a file; raise DataError where there are any."""
    from starcli.cli import console
    from starcli.errors import DataError, one_line
    from starcli.text import descriptions

    actions, classes = descriptions.read(file), experiment.source.classes
    needed, others = _facets(experiment)
    faults = [
        *descriptions.twice(actions),
        *descriptions.unknown(actions, classes, (*needed, *others)),
        *descriptions.absent(actions, classes, needed),
    ]
    name = experiment.settings.dataset.name
    error = DataError(
        f"{len(faults)} faults as descriptions of {name} in {len(needed)} parts",
        "fix them; the form is printed by starcli describe --schema",
        file=file,
    )
    if as_json:
        print_document({**(error.document() if faults else {"ok": True}), "faults": faults})
        raise typer.Exit(error.exit_code if faults else 0)
    for fault in faults:
        print(one_line(fault))
    if faults:
        raise error
    console.note(f"{file}: {len(classes)} classes with {', '.join(needed)}, nothing wrong")


def _compare(experiment: Experiment, names: tuple[str, str], as_json: bool) -> None:
    """Print the texts of two sources, one row for each class and part."""
    from starcli.cli import console

    one, other = (_texts(experiment, name) for name in names)
    facets = dict.fromkeys(facet for texts in (*one.values(), *other.values()) for facet in texts)
    rows = [
        (name, facet, *(str(texts.get(name, {}).get(facet, "")) for texts in (one, other)))
        for name in experiment.source.classes
        for facet in facets
    ]
    if as_json:
        keys = ("class", "part", "a", "b")
        listed = [dict(zip(keys, row, strict=True)) for row in rows]
        print_document({"ok": True, "a": names[0], "b": names[1], "texts": listed})
        return
    console.table("descriptions", ("class", "part", *names), rows)


def _texts(experiment: Experiment, name: str) -> Texts:
    """Class -> facet -> text, of a file or of what a describer says for the asked parts."""
    from starcli.stages.describe import facets
    from starcli.text import descriptions

    if Path(name).suffix == ".json" or Path(name).is_file():
        needed = facets(experiment)
        actions = descriptions.read(Path(name))
        return {
            c: {f: t for f, t in texts.items() if f in needed}
            for c, texts in actions.items()
            if isinstance(texts, Mapping)
        }
    return _texts_of(experiment, name)


def _texts_of(experiment: Experiment, name: str) -> Texts:
    """What a describer says, from the store where it was asked before."""
    from starcli import pipeline
    from starcli.cli import console
    from starcli.experiment import Experiment
    from starcli.stages.describe import open_texts

    loaded = experiment.loaded
    if name != loaded.settings.describer.name:
        experiment = Experiment(loaded.choosing("describer", name))
    with console.progress() as report, contextlib.redirect_stdout(sys.stderr):
        results, _ = pipeline.run_steps(experiment, "describe", report)
    return dict(zip(experiment.actions, open_texts(results["describe"], experiment), strict=True))

"""`starcli embed`: the stage, and which classes are alike by their texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from starcli.cli.given import load_options
from starcli.cli.options import (
    Config,
    Cut,
    Dataset,
    Describer,
    DryRun,
    Encoder,
    Json,
    Parts,
    Preset,
    Set,
    ShowSettings,
    StorePath,
    Teacher,
    Verify,
)
from starcli.cli.output import execute, print_document
from starcli.cli.stages import run_stage

if TYPE_CHECKING:
    from starcli.contracts import TextBank
    from starcli.experiment import Experiment

ALL = "all"
SHOWN = 5
Similar = Annotated[
    str | None,
    typer.Option(
        metavar="CLASS|all",
        help="Print the classes nearest to one, or the closest pairs, and draw every similarity.",
    ),
]


def embed(
    similar: Similar = None,
    preset: Preset = None,
    dataset: Dataset = None,
    parts: Parts = None,
    encoder: Encoder = None,
    describer: Describer = None,
    teacher: Teacher = None,
    cut: Cut = False,
    settings: Set = None,
    config: Config = None,
    store: StorePath = None,
    verify: Verify = False,
    dry_run: DryRun = False,
    show_settings: ShowSettings = False,
    as_json: Json = False,
) -> None:
    """Turn the texts into vectors.

    Example: starcli embed --dataset mine --similar all
    """
    options = locals()
    if similar is None or dry_run or show_settings:
        run_stage("embed", options)
        return
    from starcli.experiment import Experiment

    _similar(Experiment(load_options(options)), similar, as_json)


def _similar(experiment: Experiment, wanted: str, as_json: bool) -> None:
    """Draw how alike classes are, and print the nearest of one or the closest pairs."""
    from starcli.cli import console
    from starcli.figures.text_similarity import draw
    from starcli.stages.embed import open_bank

    label = _label(wanted, experiment.source.classes)
    results, _ = execute(experiment, "embed")
    bank, picture = open_bank(results["embed"]), results["embed"].path / "similarity.png"
    draw(bank, picture)
    what, cosines = _closest(bank) if label is None else _nearest(bank, label)
    if as_json:
        print_document({"ok": True, **what, "cosines": cosines, "files": [str(picture)]})
        return
    rows = [
        (facet, *(f"{' / '.join(item['classes'])} {item['cosine']:.3f}" for item in row))
        for facet, row in cosines.items()
    ]
    width = max(map(len, rows))
    title = "the closest pairs" if label is None else f"nearest to {bank.classes[label]}"
    console.table(title, ("facet", *map(str, range(1, width))), rows)
    print(picture)


def _label(wanted: str, classes: Sequence[str]) -> int | None:
    """The class of this name; None for all.

    Raises:
        UsageError: There is none.
    """
    from starcli.class_names import find_class, require_classes

    if wanted == ALL and find_class(wanted, classes) is None:
        return None
    return require_classes([wanted], classes)[0]


class Alike(TypedDict):
    """A class or a pair of classes, and the cosine that it has."""

    classes: list[str]
    cosine: float


Found = dict[str, list[Alike]]


def _nearest(bank: TextBank, label: int) -> tuple[dict[str, str], Found]:
    """What is shown, and facet -> the classes nearest to one."""
    from starcli.text.similarity import cosines, nearest

    return {"class": bank.classes[label]}, {
        facet: [
            {"classes": [bank.classes[other]], "cosine": value}
            for other, value in nearest(alike, label, SHOWN)
        ]
        for facet, alike in cosines(bank).items()
    }


def _closest(bank: TextBank) -> tuple[dict[str, str], Found]:
    """What is shown, and facet -> the closest pairs of all classes."""
    from starcli.text.similarity import closest, cosines

    return {}, {
        facet: [
            {"classes": [bank.classes[one], bank.classes[other]], "cosine": value}
            for one, other, value in closest(alike, SHOWN)
        ]
        for facet, alike in cosines(bank).items()
    }

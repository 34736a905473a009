"""What `starcli embed` shows of a text bank: which classes are alike, and what to beware of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from starcli.cli.options import extended

if TYPE_CHECKING:
    from starcli.contracts import TextBank
    from starcli.store.artifacts import Artifact

ALL = "all"
SHOWN = 5
Similar = Annotated[
    str | None,
    typer.Option(
        metavar="CLASS|all",
        help="Print the classes nearest to one, or the closest pairs, and draw every similarity.",
    ),
]


def with_similar(command: Callable[..., None]) -> Callable[..., None]:
    """The command `embed` with the option that shows which classes are alike.

    Args:
        command: The command of the stage, whose options it keeps.
    """

    def embed(similar: Similar = None, **shared: Any) -> None:
        if similar is None or shared["dry_run"] or shared["show_settings"]:
            command(**shared)
        else:
            _similar(similar, shared)

    return extended(command, embed)


def _similar(wanted: str, options: Mapping[str, Any]) -> None:
    from starcli.cli import console
    from starcli.cli.app import execute, load_options, print_document
    from starcli.experiment import Experiment
    from starcli.figures.text_similarity import draw
    from starcli.stages.embed import open_bank

    experiment = Experiment(load_options(options))
    label = _label(wanted, experiment.source.classes)
    results, _ = execute(experiment, "embed")
    bank, picture = open_bank(results["embed"]), results["embed"].path / "similarity.png"
    draw(bank, picture)
    what, found = _closest(bank) if label is None else _nearest(bank, label)
    if options["as_json"]:
        print_document({"ok": True, **what, "cosines": found, "files": [str(picture)]})
        return
    rows = [
        (facet, *(f"{' / '.join(item['classes'])} {item['cosine']:.3f}" for item in row))
        for facet, row in found.items()
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
    from starcli.class_names import folded
    from starcli.errors import UsageError, suggest

    ids = {folded(name): number for number, name in enumerate(classes)}
    if folded(wanted) in ids:
        return ids[folded(wanted)]
    if wanted == ALL:
        return None
    raise UsageError(f"no class '{wanted}'", suggest(wanted, classes))


Found = dict[str, list[dict[str, Any]]]


def _nearest(bank: TextBank, label: int) -> tuple[dict[str, Any], Found]:
    """What is shown, and facet -> the classes nearest to one."""
    from starcli.text.similarity import cosines, nearest

    return {"class": bank.classes[label]}, {
        facet: [
            {"classes": [bank.classes[other]], "cosine": value}
            for other, value in nearest(alike, label, SHOWN)
        ]
        for facet, alike in cosines(bank).items()
    }


def _closest(bank: TextBank) -> tuple[dict[str, Any], Found]:
    """What is shown, and facet -> the closest pairs of all classes."""
    from starcli.text.similarity import closest, cosines

    return {}, {
        facet: [
            {"classes": [bank.classes[one], bank.classes[other]], "cosine": value}
            for one, other, value in closest(alike, SHOWN)
        ]
        for facet, alike in cosines(bank).items()
    }


def note_texts(stage: str, results: Mapping[str, Artifact], ran: Sequence[str]) -> None:
    """Say what to beware of in the text bank, where it was made just now or was asked for.

    Args:
        stage: What was asked for.
        results: Artifacts by step name.
        ran: Names of the steps that ran.
    """
    from starcli.cli import console

    if "embed" in ran or stage == "embed":
        for line in results["embed"].summary["notes"]:
            console.note(f"warning: {line}")

"""Actions that somebody names: how they are given, and what texts and vectors are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from starcli import pipeline
from starcli.class_names import find_class, spelled, split_names
from starcli.contracts import ExtendableMethod, Progress, TextBank, silent
from starcli.data.importing.options import Named, doubtful, refuse_alike
from starcli.errors import DataError, MissingError, UsageError
from starcli.experiment import Experiment
from starcli.files import text
from starcli.settings.resolve import Loaded
from starcli.stages.describe import LEXICON, compare_meaning
from starcli.stages.embed import open_bank
from starcli.text import descriptions
from starcli.text.vocabulary import LONGEST, PLACE

DESCRIBE = (
    "describe them in a file, as starcli describe writes it, for --actions FILE.json, or name "
    "another --describer, such as names"
)


class Described(NamedTuple):
    """What actions are known by.

    Args:
        bank: Their text bank.
        notes: What to beware of in it, a line each.
    """

    bank: TextBank
    notes: list[str]


@dataclass(frozen=True)
class Actions:
    """Actions that somebody names.

    Args:
        names: Their names, all different.
        texts: A file that describes them; None for the run's describer to do so.
    """

    names: tuple[str, ...]
    texts: Path | None = None


def read_actions(given: str | Path | Sequence[str], known: Sequence[str] = ()) -> Actions:
    """The actions that are meant.

    Args:
        given: Names, in one text separated by commas; or a file, a `.txt` with a name in each line
            or a `.json` of descriptions as `starcli describe` writes them.
        known: Names that may have commas in them.

    Raises:
        DataError: The file cannot be read, or a name is empty, a duplicate or too long.
    """
    if isinstance(given, str):
        is_file = given.lower().endswith((".json", ".txt"))
        given = Path(given) if is_file else split_names(given, known)
    if not isinstance(given, Path):
        _refuse([(name, Path(PLACE), None) for name in given])
        return Actions(tuple(given))
    if given.suffix.lower() == ".json":
        names = tuple(descriptions.read(given))
        _refuse([(name, given, None) for name in names])
        return Actions(names, given)
    lines = [line.strip() for line in text(given).rstrip().split("\n")]
    _refuse([(name, given, line) for line, name in enumerate(lines, start=1)])
    return Actions(tuple(lines))


def _refuse(named: Sequence[Named]) -> None:
    """Refuse names that are empty, alike, or no names by their length."""
    refuse_alike(named, "action")
    for name, path, line in named:
        if len(name) > LONGEST:
            raise DataError(
                f"an action's name has {len(name):,} characters, more than {LONGEST}",
                "name it in a few words; sentences go into a .json: see describe --schema",
                file=path,
                line=line,
            )


def unknown(actions: Actions, classes: Sequence[str]) -> Actions | None:
    """Those of the actions that are no classes of the run; None where all are.

    They are spelled as those of an import are, but for those that a file describes by its names.
    """
    new = [name for name in actions.names if find_class(name, classes) is None]
    names = new if actions.texts else map(spelled, new)
    return replace(actions, names=tuple(names)) if new else None


def embed_actions(
    loaded: Loaded, actions: Actions, describer: str | None = None, progress: Progress = silent
) -> Described:
    """Describe and encode actions, made and kept as those of a run's classes were.

    Args:
        loaded: The settings of the run, with the store that results are kept in.
        actions: The actions.
        describer: What describes them; None for the run's own, or else the lexicon.
        progress: Told about every step.

    Raises:
        StarError: A text cannot be made.
    """
    own = loaded.settings.describer.name
    if actions.texts is not None:
        loaded = loaded.choosing("describer", "file", path=str(actions.texts))
    elif describer is not None and describer != own:
        loaded = loaded.choosing("describer", describer)
        loaded = compare_meaning(loaded) if describer == LEXICON else loaded
    experiment = Experiment(loaded, actions=actions.names)
    try:
        pipeline.run_steps(experiment, "describe", progress)
    except (DataError, MissingError) as error:
        if actions.texts is not None:
            raise
        if describer is None and own != LEXICON:
            described = embed_actions(loaded, actions, LEXICON, progress)
            note = f"{own} does not know all actions: they are described by the lexicon"
            return described._replace(notes=[note, *described.notes])
        raise type(error)(error.message, DESCRIBE, file=error.file) from error
    results, _ = pipeline.run_steps(experiment, "embed", progress)
    steps = ("describe", "embed")
    notes = [note for step in steps for note in results[step].summary.get("notes", ())]
    return Described(open_bank(results["embed"]), _doubts(actions) + notes)


def _doubts(actions: Actions) -> list[str]:
    """What a text encoder cannot make of names that are to be described, a line each."""
    if actions.texts:
        return []
    return doubtful(actions.names, "name actions in words, or describe them in a .json")


def extend(method: object, bank: TextBank, known: TextBank, name: str) -> None:
    """Have a trained method score the classes of a further text bank too.

    Args:
        method: The method.
        bank: The further classes.
        known: What it was trained with.
        name: Of the method, for messages.

    Raises:
        UsageError: The method cannot, or reads texts that the bank has not.
        DataError: Vectors of another width.
    """
    if not isinstance(method, ExtendableMethod):
        raise UsageError(
            f"method {name} names only the classes that it was trained with",
            "train another, such as --method star",
        )
    if bank.facets != known.facets:
        raise UsageError(
            f"the actions have texts for {', '.join(bank.facets)}, the run reads "
            f"{', '.join(known.facets)}",
            "choose another --describer",
        )
    width, wanted = bank.vectors.shape[2], known.vectors.shape[2]
    if width != wanted:
        raise DataError(
            f"texts of the actions are {width} wide, the run learned from {wanted}",
            "use the text encoder that it was trained with",
        )
    method.extend(bank)

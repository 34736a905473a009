"""What a user chooses: class names, who trains, what is unseen; each with a sensible default."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from starcli.class_names import casefolded, find_class, require_classes
from starcli.contracts import Subset
from starcli.data.importing.index import Entry
from starcli.errors import DataError, UsageError, suggest
from starcli.files import strict_json, text, toml

FOLDS = 5
SPLIT = r"[A-Za-z0-9][A-Za-z0-9/_.-]*"
HALF = "half"
"""The protocol of a data set whose subjects and views nobody knows."""
BY = {"xsub": "subject", "xview": "view"}
"""Protocol -> what it divides the clips by."""

Subsets = Mapping[str, Sequence[Subset]]
"""Protocol -> the subset of every clip."""
Named = tuple[str, Path, int | None]
"""A class name, and the file and line that it stands in."""


def classes(listed: Path | None, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Names of the classes.

    Args:
        listed: A file with a name in each line; None for the classes that the clips have, sorted.
        entries: All clips.

    Raises:
        DataError: A name is empty or there twice, or there is one only.
    """
    if listed is None:
        first = {entry.action: (entry.action, *entry.place) for entry in reversed(entries)}
        named: list[Named] = [first[name] for name in sorted(first)]
    else:
        lines = text(listed).rstrip().split("\n")
        named = [(line.strip(), listed, number) for number, line in enumerate(lines, start=1)]
    refuse_alike(named)
    if len(named) < 2:
        raise DataError(
            f"{len(named)} class, want 2 or more",
            "name all classes",
            file=listed or entries[0].place[0],
        )
    return tuple(name for name, *_ in named)


def refuse_alike(named: Iterable[Named]) -> None:
    """Refuse names that are empty, or alike but for case, spaces and Unicode form."""
    found: dict[str, Named] = {}
    for name, path, line in named:
        key = casefolded(name)
        if not key or not name.isprintable():
            raise DataError(
                "class name is empty or not printable", "name the class", file=path, line=line
            )
        if key in found:
            other, where, number = found[key]
            before = f"line {number}" if number else where
            raise DataError(
                f"class '{name}' is there already as '{other}' in {before}",
                "remove one, or spell both the same",
                file=path,
                line=line,
            )
        found[key] = (name, path, line)


def labels(entries: Sequence[Entry], names: Sequence[str]) -> list[int]:
    """The class id of every clip.

    Raises:
        DataError: A clip has a class that is not listed.
    """
    found = []
    for entry in entries:
        position = find_class(entry.action, names)
        if position is None:
            raise entry.wrong(f"no class '{entry.action}'", suggest(entry.action, names))
        found.append(position)
    return found


def subsets(
    entries: Sequence[Entry], labels: Sequence[int], train: Mapping[str, Sequence[str]]
) -> Subsets:
    """The protocols: those of the index, then by subject, by view, or, failing that, by halves.

    Args:
        entries: All clips.
        labels: Their class ids.
        train: `xsub` and `xview` -> the subjects and views that train; every other one, in sorted
            order, where it has none.

    Raises:
        DataError: A protocol has no clips in a subset.
        UsageError: A subject or view does not exist.
    """
    found: dict[str, Sequence[Subset]] = {
        p: [e.subsets[p] for e in entries] for p in entries[0].subsets
    }
    for protocol, what in BY.items():
        given = train.get(protocol, ())
        values = [str(getattr(entry, what)) for entry in entries]
        if given and (protocol in found or not all(values)):
            reason = f"there is a column {protocol}" if protocol in found else "no clip has one"
            raise UsageError(f"--train-{what}s: {reason}", "leave it out")
        if protocol not in found and (given or len(set(values)) > 1):
            found[protocol] = _by(what, values, given)
    if not found:
        found[HALF] = _halves(labels)
    for protocol, subset in found.items():
        if len(set(subset)) < 2:
            raise entries[0].wrong(
                f"protocol {protocol}: every clip is in the subset '{subset[0]}'",
                "have clips that train and clips that test",
            )
    return found


def _by(what: str, values: Sequence[str], given: Sequence[str]) -> list[Subset]:
    known = sorted(set(values))
    for value in given:
        if value not in known:
            raise UsageError(f"--train-{what}s: no {what} '{value}'", suggest(value, known))
    train = given or known[::2]
    return ["train" if value in train else "test" for value in values]


def _halves(labels: Sequence[int]) -> list[Subset]:
    """Every other clip of each class trains."""
    seen: dict[int, int] = {}
    found: list[Subset] = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        found.append("train" if seen[label] % 2 else "test")
    return found


def splits(
    given: Sequence[str], names: Sequence[str], labels: Sequence[int]
) -> dict[str, tuple[int, ...]]:
    """Split name -> unseen class ids.

    Args:
        given: `class,class`, `NAME=class,class`, or a `.toml` or `.json` file that has a list of
            classes for each name; nothing for folds in which every class with clips is unseen once.
        names: Names of the classes.
        labels: Class ids of the clips.

    Raises:
        UsageError: A name is not one, a class does not exist, or a split has all or none.
        DataError: A file cannot be read.
    """
    if not given:
        there = sorted(set(labels))
        count = min(FOLDS, len(there))
        return {f"fold{n}": tuple(there[n::count]) for n in range(count)}
    made: dict[str, tuple[int, ...]] = {}
    for text_or_file in given:
        for name, unseen in _parsed(text_or_file).items():
            if name in made or not re.fullmatch(SPLIT, name):
                raise UsageError(
                    f"--unseen: '{name}' is no name of a split, or there twice",
                    "say NAME=class,class with a name for each",
                )
            made[name] = _ids(name, unseen, names)
    return made


def _parsed(given: str) -> Mapping[str, Sequence[str]]:
    """Split name -> class names, from a flag's text or the file that it names."""
    if given.endswith((".toml", ".json")):
        return _of_file(Path(given))
    name, equals, unseen = given.partition("=")
    if not equals:
        name, unseen = "unseen", given
    return {name.strip(): [item.strip() for item in unseen.split(",")]}


def _of_file(path: Path) -> Mapping[str, Sequence[str]]:
    tree: Any = toml(path) if path.suffix == ".toml" else strict_json(path)
    lists = tree.values() if isinstance(tree, dict) and tree else [None]
    if not all(isinstance(v, list) and all(isinstance(i, str) for i in v) for v in lists):
        raise DataError(
            "want a list of class names for each split", 'such as easy = ["wave"]', file=path
        )
    return tree  # type: ignore[no-any-return]


def _ids(split: str, unseen: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    found = tuple(sorted(require_classes(unseen, names, f"--unseen {split}: ")))
    if not 0 < len(found) < len(names):
        raise UsageError(
            f"--unseen {split}: {len(found)} of {len(names)} classes are unseen",
            "have some unseen and some seen",
        )
    return found

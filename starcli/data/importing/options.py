"""What a user chooses: class names, who trains, what is unseen; each with a sensible default."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from starcli.class_names import alike, find_class, require_classes, spelled, split_names
from starcli.contracts import Subset
from starcli.data import layouts
from starcli.data.imported import Given, Imported
from starcli.data.importing.conversion import Meaning
from starcli.data.importing.index import Entry
from starcli.errors import DataError, UsageError, suggest
from starcli.files import strict_json, text, toml
from starcli.poses import METRES, Unit, Up

FOLDS = 5
SPLIT = r"[A-Za-z0-9][A-Za-z0-9/_.-]*"
HALF = "half"
"""The protocol of a data set whose subjects and views nobody knows."""
CODE = re.compile(r"[^\W\d_]{0,2}\d+")
"""A name such as `A001`, which says nothing."""
NUMBER = re.compile(r"([A-Za-z]?)0*(\d+)")
FOLDERS_FIX = (
    "put recordings at CLASS/ or CLASS/SUBJECT/, write an index, or find classes in names with "
    "--class-pattern"
)
BY = {"xsub": "subject", "xview": "view"}
"""Protocol -> what it divides the clips by."""

Subsets = Mapping[str, Sequence[Subset]]
"""Protocol -> the subset of every clip."""
Named = tuple[str, Path, int | None]
"""A class name, and the file and line that it stands in."""


def meaning(
    layout: str | None = None,
    *,
    up: Up | None = None,
    unit: Unit | None = None,
    people: str | None = None,
    mirrored: bool = False,
    swap_sides: bool = False,
) -> Meaning:
    """What a user says of recordings, above what their files say.

    Args:
        layout: Name of the layout of their joints, or its TOML file.
        up: The axis that points up.
        unit: What coordinates are in.
        people: Who is meant: `largest`, `most-motion`, or a name.
        mirrored: Whether the axes are mirrored.
        swap_sides: Whether names of left and right are exchanged.

    Raises:
        DataError: The file cannot be read, or is not a layout.
        UsageError: There is no such layout.
    """
    return Meaning(
        layout=None if layout is None else layouts.named(layout),
        up=up,
        unit=unit,
        people=people,
        mirrored=mirrored,
        swap_sides=swap_sides,
    )


def given(meaning: Meaning) -> Given:
    """The options that say a meaning, but for the layout's content."""
    options = Given()
    if meaning.layout is not None:
        options["layout"] = meaning.layout.name
    if meaning.up is not None:
        options["up"] = meaning.up
    if meaning.unit is not None:
        options["unit"] = meaning.unit
    if meaning.people is not None:
        options["people"] = meaning.people
    if meaning.mirrored:
        options["mirrored"] = True
    if meaning.swap_sides:
        options["swap_sides"] = True
    return options


def as_imported(source: Imported) -> Meaning:
    """What a user said of the recordings of an imported data set, and what was found in them."""
    given = source.given
    return Meaning(
        up=given.get("up"),
        usual_up=source.up,
        unit=given.get("unit"),
        usual_unit=source.unit if source.unit in METRES else None,
        people=given.get("people"),
        mirrored=given.get("mirrored", False),
        swap_sides=given.get("swap_sides", False),
    )


@dataclass(frozen=True)
class Choices:
    """What clips are to be learned and judged.

    Args:
        classes: Names of the classes.
        labels: The class id of every clip.
        subsets: Protocol -> the subset of every clip.
        splits: Split name -> unseen class ids.
        warnings: What is doubtful in the names, a line each.
    """

    classes: tuple[str, ...]
    labels: Sequence[int]
    subsets: Subsets
    splits: Mapping[str, tuple[int, ...]]
    warnings: list[str]


def choices(
    entries: Sequence[Entry],
    listed: Path | None,
    train: Mapping[str, Sequence[str]],
    unseen: Sequence[str],
) -> Choices:
    """What a user chooses of clips.

    Args:
        entries: All clips.
        listed: See `classes`.
        train: See `subsets`.
        unseen: See `splits`.

    Raises:
        DataError: Names are lacking or alike, or a file cannot be read.
        UsageError: A class, subject or view does not exist, or a split cannot be.
    """
    _require_said(entries)
    names = classes(listed, entries)
    ids = labels(entries, names, numbered=listed is not None)
    return Choices(
        names, ids, subsets(entries, ids, train), splits(unseen, names, ids), doubtful(names)
    )


def _require_said(entries: Sequence[Entry]) -> None:
    """Refuse clips without class or with one name, and a subject or view that some have only."""
    for entry in entries:
        if not entry.action:
            raise entry.wrong(f"'{entry.name}' has no class", FOLDERS_FIX)
    first: dict[str, Entry] = {}
    for entry in entries:
        other = first.setdefault(entry.name, entry)
        if other is not entry:
            line = f", also in line {other.place[1]}" if other.place[1] else ""
            raise entry.wrong(f"duplicate clip '{entry.name}'{line}", "remove one")
    for what in BY.values():
        having = [entry for entry in entries if getattr(entry, what)]
        if having and len(having) < len(entries):
            lacking = next(entry for entry in entries if not getattr(entry, what))
            raise lacking.wrong(
                f"clip '{lacking.name}' has no {what}, others have one",
                "give every clip one, or none",
            )
        named = {getattr(entry, what): entry.place for entry in reversed(having)}
        refuse_alike(((name, *named[name]) for name in sorted(named)), what)


def classes(listed: Path | None, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Names of the classes, spelled as text encoders read them.

    Args:
        listed: A file with a name in each line; None for the classes that the clips have, sorted.
        entries: All clips.

    Raises:
        DataError: A name is empty or a duplicate, or there is one only.
    """
    if listed is None:
        first = {entry.action: (entry.action, *entry.place) for entry in reversed(entries)}
        named: list[Named] = [first[name] for name in sorted(first, key=spelled)]
    else:
        lines = text(listed).rstrip().split("\n")
        named = [(line.strip(), listed, number) for number, line in enumerate(lines, start=1)]
    refuse_alike(named)
    if len(named) < 2:
        raise DataError(
            f"{len(named)} class, expected 2 or more",
            "name all classes" if listed else f"import recordings of others too; {FOLDERS_FIX}",
            file=listed or entries[0].place[0],
        )
    return tuple(spelled(name) for name, *_ in named)


def refuse_alike(named: Iterable[Named], what: str = "class") -> None:
    """Refuse names that are empty, or alike but for case, spaces, `_`, `-` and Unicode form.

    Args:
        named: The names, with their places.
        what: What has them.
    """
    earlier: dict[str, Named] = {}
    for name, path, line in named:
        key = alike(name)
        if not key or not name.isprintable():
            raise DataError(
                f"{what} name is empty or not printable", f"name the {what}", file=path, line=line
            )
        if key in earlier:
            other, where, number = earlier[key]
            before = f"line {number}" if number else where
            raise DataError(
                f"duplicate {what} '{name}': it is '{other}' in {before}",
                "remove one, or spell both the same",
                file=path,
                line=line,
            )
        earlier[key] = (name, path, line)


def labels(entries: Sequence[Entry], names: Sequence[str], *, numbered: bool = False) -> list[int]:
    """The class id of every clip.

    Args:
        entries: All clips.
        names: Names of the classes.
        numbered: Whether a class may be its number among the names: `0` is the first one, as label
            files count, and so is `A001`, as file names of NTU RGB+D do.

    Raises:
        DataError: A clip has a class that is not listed.
    """
    ids = []
    for entry in entries:
        label = find_class(entry.action, names)
        if label is None and numbered and (match := NUMBER.fullmatch(entry.action)):
            label = int(match[2]) - bool(match[1])
        if label is None or not 0 <= label < len(names):
            raise entry.wrong(f"no class '{entry.action}'", suggest(entry.action, names))
        ids.append(label)
    return ids


def doubtful(
    names: Sequence[str], way_out: str = "name classes in words, with --classes or as folders"
) -> list[str]:
    """What a text encoder cannot make of names, a line each.

    Args:
        names: Names of classes.
        way_out: What to do about those without words.
    """
    codes = [name for name in names if CODE.fullmatch(name) or not any(map(str.isalpha, name))]
    others = [name for name in names if name not in codes and not _is_latin(name)]
    doubts = []
    if codes:
        doubts.append(f"{_counted(codes)} no action to a text encoder: {way_out}")
    if others:
        doubts.append(
            f"{_counted(others)} little to encoders that read English, such as the default one: "
            "translate class names, or choose an encoder of their language"
        )
    return doubts


def _counted(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"the name '{names[0]}' says"
    return f"{len(names)} names, such as '{names[0]}', say"


def _is_latin(name: str) -> bool:
    """Whether most letters of a name are Latin ones."""
    letters = [letter for letter in name if letter.isalpha()]
    latin = sum(unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    return 2 * latin > len(letters)


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
    by_protocol: dict[str, Sequence[Subset]] = {
        p: [e.subsets[p] for e in entries] for p in entries[0].subsets
    }
    for protocol, what in BY.items():
        given = train.get(protocol, ())
        values = [str(getattr(entry, what)) for entry in entries]
        if given and (protocol in by_protocol or not all(values)):
            reason = (
                f"there is a column {protocol}" if protocol in by_protocol else "no clip has one"
            )
            raise UsageError(f"--train-{what}s: {reason}", "leave it out")
        if protocol not in by_protocol and (given or len(set(values)) > 1):
            by_protocol[protocol] = _by(what, values, given)
    if not by_protocol:
        by_protocol[HALF] = _halves(labels)
    for protocol, subset in by_protocol.items():
        if len(set(subset)) < 2:
            raise entries[0].wrong(
                f"protocol {protocol}: every clip is in the subset '{subset[0]}'",
                "import two clips or more of a class"
                if protocol == HALF
                else "have clips that train and clips that test",
            )
    return by_protocol


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
    halves: list[Subset] = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        halves.append("train" if seen[label] % 2 else "test")
    return halves


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
        for name, unseen in _parsed(text_or_file, names).items():
            if name in made or not re.fullmatch(SPLIT, name):
                raise UsageError(
                    f"--unseen: '{name}' is not a name of a split, or a duplicate",
                    "use NAME=class,class with a name for each",
                )
            made[name] = _ids(name, unseen, names)
    return made


def _parsed(given: str, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Split name -> class names, from an option's text or the file that it names."""
    if given.endswith((".toml", ".json")):
        return _of_file(Path(given))
    name, equals, unseen = given.partition("=")
    if not equals:
        name, unseen = "unseen", given
    return {name.strip(): split_names(unseen, names)}


def _of_file(path: Path) -> Mapping[str, Sequence[str]]:
    tree: object = toml(path) if path.suffix == ".toml" else strict_json(path)
    splits = tree if isinstance(tree, dict) else {}
    lists: dict[str, list[str]] = {
        name: listed
        for name, listed in splits.items()
        if isinstance(listed, list) and all(isinstance(each, str) for each in listed)
    }
    if not lists or len(lists) < len(splits):
        raise DataError(
            "expected a list of class names for each split", 'such as easy = ["wave"]', file=path
        )
    return lists


def _ids(split: str, unseen: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    ids = tuple(sorted(require_classes(unseen, names, f"--unseen {split}: ")))
    if not 0 < len(ids) < len(names):
        raise UsageError(
            f"--unseen {split}: {len(ids)} of {len(names)} classes are unseen",
            "have some unseen and some seen",
        )
    return ids

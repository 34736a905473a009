"""Contents of data sets: of complete ones, and how much of them is in a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, TypedDict

from starcli.contracts import (
    BadClip,
    DatasetSource,
    ImpossibleSplits,
    MissingClasses,
    Progress,
    PublishedValidation,
    Subset,
)
from starcli.data.imported import Imported
from starcli.data.importing import checks
from starcli.data.importing.conversion import known_facts
from starcli.data.importing.reading import layouts
from starcli.data.reading import BadRow, Group, bad_row, each_group, groups
from starcli.errors import DataError
from starcli.totals import SUBSETS, CountedDataset, Totals

Table = tuple[str, Sequence[str], list[list[str]]]
"""Title, columns and rows."""
COUNTED: tuple[Literal["recordings", "clips", "classes"], ...] = ("recordings", "clips", "classes")
FIRST = 10
"""Names that a table lists before it says how many more there are."""


class Shown(TypedDict):
    """A data set as a document."""

    name: str
    layout: str
    parts: list[int]
    classes: list[str]
    protocols: list[str]
    splits: dict[str, list[int]]
    validation: dict[str, list[int]]
    impossible: dict[str, str]
    complete: dict[str, int]
    counts: dict[str, dict[str, dict[str, int]]]
    request: str | None


def shown(name: str, source: DatasetSource) -> Shown:
    """A data set as a document: layout, classes, protocols, splits, and counts where known."""
    validation = source.validation if isinstance(source, PublishedValidation) else {}
    impossible = source.impossible_splits if isinstance(source, ImpossibleSplits) else {}
    return {
        "name": name,
        "layout": source.layout.name,
        "parts": sorted(source.layout.parts),
        "classes": list(source.classes),
        "protocols": list(source.protocols),
        "splits": {split: list(ids) for split, ids in source.splits.items()},
        "validation": {split: list(ids) for split, ids in validation.items()},
        "impossible": dict(impossible),
        "complete": complete(source),
        "counts": expected_counts(source),
        "request": source.request,
    }


def totals(source: DatasetSource) -> Totals:
    """Contents of a data set when nothing is missing, as far as they are known."""
    return source.totals if isinstance(source, CountedDataset) else Totals()


def complete(source: DatasetSource) -> dict[str, int]:
    """What is known of the complete data set, by name."""
    known = totals(source)
    missing = source.missing_classes if isinstance(source, MissingClasses) else ()
    numbers = {
        "recordings": known.recordings,
        "clips": known.clips,
        "classes": len(source.classes) - len(missing),
        "subjects": known.subjects,
        "views": known.views,
    }
    return {name: number for name, number in numbers.items() if number is not None}


def expected_counts(source: DatasetSource) -> dict[str, dict[str, dict[str, int]]]:
    """Protocol -> split -> name of a part -> clips of the complete data set; empty if unknown."""
    known = totals(source)
    return {
        protocol: {
            split: counts._asdict()
            for split, ids in source.splits.items()
            if (counts := known.counts(protocol, ids))
        }
        for protocol in known.subsets
    }


class Found(TypedDict):
    """Clips on a subset of a protocol, and how many it has when complete."""

    protocol: str
    side: Subset
    found: int
    expected: int | None


class Checked(TypedDict):
    """What recordings hold beside the complete data set."""

    clips: int
    expected: int | None
    recordings: int
    classes: int
    complete: dict[str, int]
    sides: list[Found]
    missing: list[str]
    unexpected: list[str]
    unreadable: list[BadRow]
    warnings: list[str]
    """What is doubtful in the bodies of imported clips."""


@dataclass(frozen=True)
class Content:
    """Clips, classes and subsets that recordings hold.

    Args:
        clips: Names of the clips that can be read.
        classes: Class ids of theirs.
        subsets: (protocol, subset) -> number of clips.
        bad: What cannot be read, and why.
        bodies: What imported clips say of the bodies in them.
    """

    clips: list[str] = field(default_factory=list)
    classes: set[int] = field(default_factory=set)
    subsets: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad: list[BadRow] = field(default_factory=list)
    bodies: list[checks.Clip] = field(default_factory=list)


def check(source: DatasetSource, raw: Path | None, workers: int, progress: Progress) -> Checked:
    """Compare what is in a folder with the complete data set, by reading all of it.

    Args:
        source: The data set.
        raw: The recordings; None for a data set that reads none.
        workers: Processes that read.
        progress: Told about every group.

    Raises:
        DataError: There is nothing of the data set.
    """
    every = groups(source.recordings(raw))
    total, content = sum(len(group.recordings) for group in every), Content()
    done = 0
    for part in each_group(partial(_look, source), every, workers):
        content.clips.extend(part.clips)
        content.classes.update(part.classes)
        content.subsets.update(part.subsets)
        content.bad.extend(part.bad)
        content.bodies.extend(part.bodies)
        done += len(part.clips) + len(part.bad)
        progress.update("check", min(done, total), total)
    known = totals(source)
    wanted = set(known.names() if known.names else ())
    if content.clips and wanted.isdisjoint(content.clips):
        wanted = set()  # arrays without the names of their clips
    unreadable = {clip for row in content.bad for clip in _clips_named(row["recording"])}
    return {
        "clips": len(content.clips),
        "expected": known.clips,
        "recordings": total,
        "classes": len(content.classes),
        "complete": complete(source),
        "sides": _subsets(source, content.subsets),
        "missing": sorted(wanted - set(content.clips) - unreadable),
        "unexpected": sorted(set(content.clips) - wanted) if wanted else [],
        "unreadable": sorted(content.bad, key=lambda row: str(row["recording"])),
        "warnings": checks.warnings(content.bodies, list(layouts().values())),
    }


def _clips_named(recording: str) -> Iterator[str]:
    """What the clip of a recording may be called: the file name up to a dot or an underscore."""
    words = recording.partition(".")[0].split("_")
    yield from ("_".join(words[: n + 1]) for n in range(len(words)))


def _subsets(source: DatasetSource, subsets: Mapping[tuple[str, str], int]) -> list[Found]:
    """Clips on each subset of each protocol, and how many it has when complete."""
    known = totals(source).subsets
    return [
        {
            "protocol": protocol,
            "side": subset,
            "found": subsets.get((protocol, subset), 0),
            "expected": sum(known[protocol][subset]) if protocol in known else None,
        }
        for protocol in source.protocols
        for subset in SUBSETS
    ]


def _look(source: DatasetSource, group: Group) -> Content:
    """Read a group for what is in it."""
    content = Content()
    for recording in group.recordings:
        try:
            for clip in source.clips(recording):
                if isinstance(clip, BadClip):
                    content.bad.append(bad_row(clip.name, clip.error))
                    continue
                content.clips.append(clip.name)
                content.classes.add(clip.label)
                content.subsets.update(clip.subsets.items())
                if isinstance(source, Imported):
                    facts = known_facts(clip.joints, source.layout)
                    content.bodies.append(checks.Clip(clip.name, facts))
        except DataError as error:
            content.bad.append(bad_row(recording.name, error))
    return content


def faults(report: Checked) -> str:
    """What is wrong with the recordings in a few words; empty when nothing is."""
    words = [f"{len(report[kind])} {kind}" for kind in ("missing", "unreadable") if report[kind]]
    for what in ("clips", "recordings"):
        lacking = report["complete"].get(what, 0) - report[what]
        if lacking > 0 and not words:  # where the names of those that are missing are not known
            words.append(f"{lacking:,} {what} too few")
    return " and ".join(words)


def tables(facts: Shown) -> list[Table]:
    """What `shown` says, as tables."""
    classes = [[str(i), name] for i, name in enumerate(facts["classes"])]
    splits = [
        [name, str(len(ids)), ", ".join(map(str, ids))] for name, ids in facts["splits"].items()
    ]
    splits += [[name, "-", reason] for name, reason in facts["impossible"].items()]
    made: list[Table] = [
        (f"classes of {facts['name']}", ("id", "class"), classes),
        (f"splits of {facts['name']}", ("split", "unseen", "class ids"), splits),
    ]
    if facts["validation"]:
        rows = [[name, ", ".join(map(str, ids))] for name, ids in facts["validation"].items()]
        made.append(("published validation classes", ("split", "class ids"), rows))
    rows = [[what, f"{number:,}"] for what, number in facts["complete"].items()]
    made.append((f"the complete {facts['name']}", ("what", "number"), rows))
    counted = [
        [protocol, split, *(f"{number:,}" for number in parts.values())]
        for protocol, by_split in facts["counts"].items()
        for split, parts in by_split.items()
    ]
    if counted:
        names = next(iter(next(iter(facts["counts"].values())).values()))
        columns = ("protocol", "split", *(name.replace("_", " ") for name in names))
        made.append((f"clips of the complete {facts['name']} by split", columns, counted))
    else:
        rows = [[protocol] for protocol in facts["protocols"]]
        made.append((f"protocols of {facts['name']}", ("protocol",), rows))
    return made


def check_tables(name: str, checked: Checked) -> list[Table]:
    """What `check` found, as tables."""
    complete = checked["complete"]
    here = {what: checked[what] for what in COUNTED if what != "recordings" or what in complete}
    rows = [[what, _number(complete.get(what)), _number(n)] for what, n in here.items()] + [
        [f"{row['protocol']} {row['side']}", _number(row["expected"]), _number(row["found"])]
        for row in checked["sides"]
    ]
    made: list[Table] = [(f"recordings of {name}", ("what", "expected", "found"), rows)]
    for kind in ("missing", "unexpected"):
        if checked[kind]:
            made.append((kind, ("clip",), [[clip] for clip in _few(checked[kind])]))
    if checked["unreadable"]:
        listed = [
            [str(row["recording"]), _place(row), str(row["message"])]
            for row in checked["unreadable"]
        ]
        made.append(("unreadable", ("recording", "place", "reason"), listed[:FIRST]))
    return made


def _number(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _few(names: Sequence[str]) -> list[str]:
    more = len(names) - FIRST
    return [*names[:FIRST], *([f"and {more:,} more; see --json"] if more > 0 else [])]


def _place(row: BadRow) -> str:
    places = [f"{what} {row[what]}" for what in ("line", "frame") if row.get(what) is not None]
    return ", ".join(places)

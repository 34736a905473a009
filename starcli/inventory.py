"""What data sets there are, what they hold when complete, and what of it is in a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from starcli import imported, registry
from starcli.contracts import DatasetSource, Progress
from starcli.errors import DataError
from starcli.experiment import make_source
from starcli.recordings import Group, each_group, groups
from starcli.settings import load

Table = tuple[str, Sequence[str], list[list[str]]]
"""Title, columns and rows."""
FIRST = 10
"""Names that a table lists before it says how many more there are."""


def every(store: Path) -> Iterator[tuple[str, DatasetSource]]:
    """All data sets by name, installed and imported, with their default settings."""
    for name in [entry.name for entry in registry.entries("dataset")] + imported.names(store):
        loaded = load({"dataset.name": name, "run.store": store})
        yield name, make_source(loaded)


def shown(name: str, source: DatasetSource) -> dict[str, Any]:
    """A data set as a document: layout, classes, protocols, splits, and counts where known."""
    return {
        "name": name,
        "layout": source.layout.name,
        "parts": sorted(source.layout.parts),
        "classes": list(source.classes),
        "protocols": list(source.protocols),
        "splits": {split: list(ids) for split, ids in source.splits.items()},
        "validation": {k: list(v) for k, v in getattr(source, "validation", {}).items()},
        "impossible": dict(getattr(source, "impossible_splits", {})),
        "counts": expected_counts(source),
        "request": source.request,
    }


def expected_counts(source: DatasetSource) -> dict[str, dict[str, dict[str, int]]]:
    """Protocol -> split -> name of a part -> clips of the complete data set; empty if unknown."""
    count = getattr(source, "counts", None)
    if count is None:
        return {}
    return {
        protocol: {split: dict(count(protocol, ids)) for split, ids in source.splits.items()}
        for protocol in source.protocols
    }


@dataclass(frozen=True)
class Found:
    """What recordings hold.

    Args:
        clips: Names of the clips that can be read.
        sides: (protocol, side) -> number of clips.
        bad: What cannot be read, and why.
    """

    clips: list[str] = field(default_factory=list)
    sides: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad: list[dict[str, Any]] = field(default_factory=list)


def check(source: DatasetSource, raw: Path, workers: int, progress: Progress) -> dict[str, Any]:
    """Compare what is in a folder with the complete data set, by reading all of it.

    Args:
        source: The data set.
        raw: The recordings.
        workers: Processes that read.
        progress: Told about every group.

    Raises:
        DataError: There is nothing of the data set.
    """
    every = groups(source.recordings(raw))
    total, found = sum(len(group.recordings) for group in every), Found()
    done = 0
    for part in each_group(partial(_look, source), every, workers):
        found.clips.extend(part.clips)
        found.sides.update(part.sides)
        found.bad.extend(part.bad)
        done += len(part.clips) + len(part.bad)
        progress("check", min(done, total), total)
    expected = getattr(source, "expected", None)
    wanted = set() if expected is None else set(expected())
    if found.clips and wanted.isdisjoint(found.clips):
        wanted = set()  # arrays without the names of their clips
    unreadable = {row["recording"].partition(".")[0] for row in found.bad}
    return {
        "clips": len(found.clips),
        "expected": len(wanted) or None,
        "sides": _sides(source, found.sides),
        "missing": sorted(wanted - set(found.clips) - unreadable),
        "unexpected": sorted(set(found.clips) - wanted) if wanted else [],
        "unreadable": sorted(found.bad, key=lambda row: str(row["recording"])),
    }


def _sides(source: DatasetSource, sides: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    """Clips on each side of each protocol, and how many it has when complete."""
    count = getattr(source, "counts", None)
    rows = []
    for protocol in source.protocols:
        complete = count(protocol, ()) if count else {}
        for side in ("train", "test"):
            rows.append({"protocol": protocol, "side": side, "expected": complete.get(side),
                         "found": sides.get((protocol, side), 0)})  # fmt: skip
    return rows


def _look(source: DatasetSource, group: Group) -> Found:
    """Read a group for what is in it."""
    found = Found()
    for recording in group.recordings:
        try:
            for clip in source.clips(recording):
                found.clips.append(clip.name)
                found.sides.update(clip.sides.items())
        except DataError as error:
            found.bad.append({"recording": recording.name, **error.document()["error"]})
    return found


def faults(found: Mapping[str, Sequence[Any]]) -> str:
    """What is wrong with the recordings in a few words; empty when nothing is."""
    words = [f"{len(found[kind])} {kind}" for kind in ("missing", "unreadable") if found[kind]]
    return " and ".join(words)


def tables(facts: Mapping[str, Any]) -> list[Table]:
    """What `shown` says, as tables."""
    classes = [[str(i), name] for i, name in enumerate(facts["classes"])]
    splits = [[name, str(len(ids)), ", ".join(map(str, ids))]
              for name, ids in facts["splits"].items()]  # fmt: skip
    splits += [[name, "-", reason] for name, reason in facts["impossible"].items()]
    found: list[Table] = [
        (f"classes of {facts['name']}", ("id", "class"), classes),
        (f"splits of {facts['name']}", ("split", "unseen", "class ids"), splits),
    ]
    if facts["validation"]:
        rows = [[name, ", ".join(map(str, ids))] for name, ids in facts["validation"].items()]
        found.append(("published validation classes", ("split", "class ids"), rows))
    counted = [
        [protocol, split, *(f"{number:,}" for number in parts.values())]
        for protocol, by_split in facts["counts"].items()
        for split, parts in by_split.items()
    ]
    if counted:
        names = next(iter(next(iter(facts["counts"].values())).values()))
        columns = ("protocol", "split", *(name.replace("_", " ") for name in names))
        found.append((f"clips of the complete {facts['name']}", columns, counted))
    else:
        rows = [[protocol] for protocol in facts["protocols"]]
        found.append((f"protocols of {facts['name']}", ("protocol",), rows))
    return found


def check_tables(name: str, found: Mapping[str, Any]) -> list[Table]:
    """What `check` found, as tables."""
    rows = [["clips", _number(found["expected"]), _number(found["clips"])]] + [
        [f"{row['protocol']} {row['side']}", _number(row["expected"]), _number(row["found"])]
        for row in found["sides"]
    ]
    made: list[Table] = [(f"recordings of {name}", ("what", "expected", "found"), rows)]
    for kind in ("missing", "unexpected"):
        if found[kind]:
            made.append((kind, ("clip",), [[clip] for clip in _few(found[kind])]))
    if found["unreadable"]:
        listed = [[str(row["recording"]), _place(row), str(row["message"])]
                  for row in found["unreadable"]]  # fmt: skip
        made.append(("unreadable", ("recording", "place", "reason"), listed[:FIRST]))
    return made


def _number(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _few(names: Sequence[str]) -> list[str]:
    more = len(names) - FIRST
    return [*names[:FIRST], *([f"and {more:,} more; see --json"] if more > 0 else [])]


def _place(row: Mapping[str, Any]) -> str:
    places = [f"{what} {row[what]}" for what in ("line", "frame") if row.get(what) is not None]
    return ", ".join(places)

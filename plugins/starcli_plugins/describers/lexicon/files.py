"""The entries of the lexicon, one JSON file per domain, each read when it is first needed.

A file has `domain` and `actions`: name -> `synonyms`, other names of the same movement, and one
sentence for each of the `PARTS`.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TypedDict

from starcli.class_names import casefolded
from starcli_plugins.describers.lexicon.name_words import (
    Stems,
    movement,
    readings,
    similarity,
    stems,
    words,
)

SYNONYMS = "synonyms"
PARTS = (
    "head",
    "hand",
    "arm",
    "hip",
    "leg",
    "foot",
    "hand-arm",
    "leg-foot",
    "upper body",
    "lower body",
)


class Document(TypedDict):
    """A file as it is on disk."""

    domain: str
    actions: Mapping[str, Mapping[str, str | list[str]]]


@dataclass(frozen=True)
class Entry:
    """An action that the lexicon knows.

    Args:
        name: Its name.
        synonyms: Other names of the same movement.
        texts: Part -> sentence, for all of `PARTS`.
    """

    name: str
    synonyms: tuple[str, ...]
    texts: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Its name, then its synonyms."""
        return (self.name, *self.synonyms)


def domains() -> list[str]:
    """Names of the domains, in alphabetical order."""
    names = (file.name for file in _folder().iterdir())
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def named(action: str, without: Container[str] = ()) -> Entry | None:
    """The entry that has this name or synonym; case, spacing and Unicode form do not matter.

    Args:
        action: Name of an action.
        without: Names of the entries that are left out.
    """
    key = casefolded(action)
    entry = next((entry for name in domains() if (entry := _by_name(name).get(key))), None)
    return None if entry is None or entry.name in without else entry


def of_movements(actions: Iterable[str]) -> frozenset[str]:
    """Names of the entries, a name or synonym of which says the movement of one of the actions.

    Args:
        actions: Names of actions; word forms, sides, limbs, numbers and remarks do not matter.
    """
    theirs = {movement(name) for action in actions for name in readings(action)}
    if not theirs:
        return frozenset()
    return frozenset(entry.name for entry, name, _ in _all_names() if movement(name) in theirs)


def nearest(action: str, without: Container[str] = ()) -> list[tuple[Entry, float]]:
    """The entries that share a word in a name or synonym, and how similar they are, from 0 to 1.

    Remarks in brackets may count or not, whichever is more similar. The most similar entry is the
    first; of equally similar ones it is the one that shares most words as they are written, then
    the first by domain and place.

    Args:
        action: Name of an action.
        without: Names of the entries that are left out.
    """
    best: dict[str, tuple[float, int, int]] = {}
    for reading in dict.fromkeys(readings(action)):
        theirs, written, index = stems(reading), set(words(reading)), _by_stem()
        for place in {place for stem in theirs for place in index.get(stem, ())}:
            other, name, its = _all_names()[place]
            value = (similarity(theirs, its), len(written & set(words(name))), -place)
            if other.name not in without and value > best.get(other.name, (0.0, 0, 0)):
                best[other.name] = value
    ranked = sorted(best.values(), reverse=True)
    return [(_all_names()[-place][0], similarity) for similarity, _, place in ranked]


def fingerprint() -> str:
    """SHA-256 of all domains."""
    digest = hashlib.sha256()
    for name in domains():
        digest.update(_file(name).read_bytes())
    return digest.hexdigest()[:16]


@cache
def entries(domain: str) -> tuple[Entry, ...]:
    """What a domain has.

    Args:
        domain: Its name.
    """
    document: Document = json.loads(_file(domain).read_text(encoding="utf-8"))
    return tuple(
        Entry(name, tuple(said[SYNONYMS]), {part: str(said[part]) for part in PARTS})
        for name, said in document["actions"].items()
    )


@cache
def _by_name(domain: str) -> Mapping[str, Entry]:
    """Folded name or synonym -> entry."""
    return {casefolded(name): entry for entry in entries(domain) for name in entry.names}


@cache
def _all_names() -> tuple[tuple[Entry, str, Stems], ...]:
    """Every name and synonym of every domain: its entry, itself, its stems."""
    return tuple((entry, name, stems(name)) for entry in _all() for name in entry.names)


@cache
def _by_stem() -> Mapping[str, list[int]]:
    """Stem -> places in `_all_names`."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, (_, _, its) in enumerate(_all_names()):
        for stem in its:
            found[stem].append(place)
    return dict(found)


def _all() -> Iterator[Entry]:
    for domain in domains():
        yield from entries(domain)


def _file(domain: str) -> Traversable:
    return _folder() / f"{domain}.json"


def _folder() -> Traversable:
    return resources.files("starcli_plugins.describers.lexicon")

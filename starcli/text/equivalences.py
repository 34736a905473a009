"""Names of actions that mean the same, nearly the same, or only sound like it: `equivalences.toml`.

What holds of a name holds of all names of its action. Case, articles and sides do not count.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal, get_args

from starcli.errors import DataError

Relation = Literal["same", "near", "apart"]
FILE = "equivalences.toml"
ARTICLES = frozenset({"a", "an", "the"})
SIDES = frozenset({"left", "right"})


@dataclass(frozen=True)
class Equivalences:
    """What is known of the names of actions.

    Args:
        actions: Key of a name -> the action that it names.
        relations: Two actions -> how they are related, where that is written.
    """

    actions: Mapping[str, str]
    relations: Mapping[frozenset[str], Relation]

    def action(self, name: str) -> str:
        """The action that a name is of: the same for all names that mean the same."""
        key = name_key(name)
        return self.actions.get(key, key)

    def relation(self, one: str, other: str) -> Relation | None:
        """How two names are related; None where that is written nowhere."""
        actions = frozenset(map(self.action, (one, other)))
        return "same" if len(actions) == 1 else self.relations.get(actions)


@lru_cache(maxsize=4096)  # a few hundred names are compared with one another
def name_key(name: str) -> str:
    """The form in which names of actions are compared: words alone, without article and side."""
    words = (word for word in re.findall(r"\w+", name.casefold()) if word not in ARTICLES)
    return " ".join("one" if word in SIDES else word for word in words)


@cache
def shipped() -> Equivalences:
    """The equivalences that come with the package."""
    return read_equivalences(_text())


def fingerprint() -> str:
    """What identifies the equivalences that come with the package."""
    return hashlib.sha256(_text().encode()).hexdigest()


def _text() -> str:
    return files("starcli.text").joinpath(FILE).read_text(encoding="utf-8")


def read_equivalences(text: str, file: str = FILE) -> Equivalences:
    """Equivalences of a TOML text.

    Args:
        text: A table for each action, with `same`, `near` and `apart`.
        file: Its name, for messages.

    Raises:
        DataError: A table has another key, a name stands under two actions, or a pair of actions
            is written twice.
    """
    tables: dict[str, dict[str, list[str]]] = tomllib.loads(text)
    for name, table in tables.items():
        if unknown := sorted(set(table) - set(get_args(Relation))):
            message = f"action '{name}' has {unknown[0]}, expected same, near or apart"
            raise DataError(message, "rename it", file=file)
    actions: dict[str, str] = {}
    for name, table in tables.items():
        for key in dict.fromkeys(map(name_key, (name, *table.get("same", ())))):
            if key in actions:
                message = f"'{key}' is the name of '{actions[key]}' and of '{name_key(name)}'"
                raise DataError(message, "leave it in one of them", file=file)
            actions[key] = name_key(name)
    relations: dict[frozenset[str], Relation] = {}
    for one, other, relation in _pairs(tables):
        pair = frozenset(actions.get(key, key) for key in map(name_key, (one, other)))
        if len(pair) == 1 or pair in relations:
            message = f"'{one}' and '{other}' are {relation}, but their relation is written twice"
            raise DataError(message, "leave one of the two", file=file)
        relations[pair] = relation
    return Equivalences(actions, relations)


def _pairs(tables: Mapping[str, Mapping[str, list[str]]]) -> Iterable[tuple[str, str, Relation]]:
    for name, table in tables.items():
        for other in table.get("near", ()):
            yield name, other, "near"
        for other in table.get("apart", ()):
            yield name, other, "apart"

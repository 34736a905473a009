"""Which names of movements mean nearly the same as names of classes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

LIMIT = 0.55
"""Cosine of two names above which they are near."""
LIGHT = frozenset(
    re.findall(
        r"\w+",
        "a an and arm arms at body both down for from hand hands head in left leg legs of off on "
        "one or out over right side somebody someone something the to two up with",
    )
)
"""Words that say too little of an action to make two names near."""


def near_names(
    movements: Mapping[str, Sequence[str]], classes: Sequence[str], vectors: Mapping[str, Tensor]
) -> dict[str, str]:
    """Id of each movement with a name near to a class -> the class.

    Names are near where they have a word that says what is done in common, such as `throw`, or
    where the cosine of their vectors is above 0.55.

    Args:
        movements: Id -> names.
        classes: Names of classes.
        vectors: Name -> vector [E], of length 1.
    """
    near: dict[str, str] = {}
    for movement, names in movements.items():
        for name in classes:
            alike = (
                _words(name) & _words(own) or float(vectors[name] @ vectors[own]) > LIMIT
                for own in names
            )
            if any(alike):
                near.setdefault(movement, name)
    return near


def _words(name: str) -> frozenset[str]:
    """The words of a name that say what is done, without endings."""
    words = re.findall(r"[a-z]+", name.lower())
    return frozenset(_stem(word) for word in words if word not in LIGHT)


def _stem(word: str) -> str:
    """What forms of a word have in common: of `hug` and `hugging`, of `carry` and `carries`."""
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return re.sub(r"(?<=..)y$", "i", word)

"""Which names of movements mean nearly the same as names of classes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

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


def nearest_name(name: str, others: Iterable[str]) -> tuple[str, float] | None:
    """The name with most words of doing in common, of equal ones the first; None without any.

    Args:
        name: A name.
        others: Names it is compared with.

    Returns:
        The name, and how many of the words of both they share, above 0 to 1.
    """
    own, best, most = _words(name), None, 0.0
    for other in others:
        theirs = _words(other)
        similarity = len(own & theirs) / max(1, len(own | theirs))
        if similarity > most:
            best, most = other, similarity
    return None if best is None else (best, most)


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

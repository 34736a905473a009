"""Which names of movements mean nearly the same as names of classes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from starcli.text.equivalences import shipped

if TYPE_CHECKING:
    from torch import Tensor

Id = TypeVar("Id", bound=Hashable)

LIMIT = 0.55
"""Cosine of two names above which they are near."""
LIGHT = frozenset(
    re.findall(
        r"\w+",
        "a again an and arm arms around at back backward body both do down far floor for "
        "forward from front get give hand hands head high hold in left leg legs like low make "
        "of off on one or out over place play put right side sideways somebody someone "
        "something take the to two up use with",
    )
)
"""Words that say too little of an action to make two names near."""


def near_names(
    called: Mapping[Id, Sequence[str]],
    names: Sequence[str],
    vectors: Mapping[str, Tensor] | None = None,
) -> dict[Id, str]:
    """Id of each action that is called by a name near to one of some names -> that one.

    Args:
        called: Id -> what it is called.
        names: The names.
        vectors: As in `are_near`.
    """
    near: dict[Id, str] = {}
    for action, own in called.items():
        for name in names:
            if any(are_near(name, each, vectors) for each in own):
                near.setdefault(action, name)
    return near


def nearest_name(name: str, others: Sequence[str]) -> tuple[str, float] | None:
    """The name with most words of doing in common, of equal ones the first; None without any.

    Args:
        name: A name.
        others: Names it is compared with.

    Returns:
        The name, and how many of the words of both they share, above 0 to 1.
    """
    own, (words, places) = _words(name), _index(tuple(others))
    best, most = None, 0.0
    for place in sorted({place for word in own for place in places.get(word, ())}):
        similarity = len(own & words[place]) / len(own | words[place])
        if similarity > most:
            best, most = others[place], similarity
    return None if best is None else (best, most)


@lru_cache(maxsize=8)  # thousands of names are compared with the same others
def _index(names: tuple[str, ...]) -> tuple[list[frozenset[str]], dict[str, list[int]]]:
    """The words of each of some names, and where each word is."""
    words, places = [_words(name) for name in names], defaultdict[str, list[int]](list)
    for place, own in enumerate(words):
        for word in own:
            places[word].append(place)
    return words, dict(places)


def are_near(one: str, other: str, vectors: Mapping[str, Tensor] | None = None) -> bool:
    """Whether two names mean nearly the same.

    The shipped equivalences decide. Where they say nothing of the two, names are near that have a
    word that says what is done in common, such as `throw`, or a cosine of their vectors above 0.55.

    Args:
        one: A name.
        other: Another name.
        vectors: Name -> vector [E], of length 1; None to go by words alone.
    """
    if relation := shipped().relation(one, other):
        return relation != "apart"
    if _words(one) & _words(other):
        return True
    return vectors is not None and float(vectors[one] @ vectors[other]) > LIMIT


def is_same(one: str, other: str) -> bool:
    """Whether two names are, by the shipped equivalences, names of one action."""
    return shipped().relation(one, other) == "same"


def is_any_of(name: str, others: Sequence[str]) -> bool:
    """Whether a name is, by the shipped equivalences, the same as one of some others."""
    return shipped().action(name) in _actions(tuple(others))


@lru_cache(maxsize=8)
def _actions(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(shipped().action, names))


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

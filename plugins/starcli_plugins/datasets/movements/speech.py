"""What entries of movements say of actions, by their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from starcli.text.equivalences import shipped
from starcli_plugins.datasets.movements.entries import (
    PARTS,
    RESTING,
    SIDES,
    Movement,
    Part,
    Side,
    both_forms,
    movements,
    spoken,
)

MOST = 3
"""Sentences of a part that are said of an action."""
COARSE: Mapping[str, tuple[Part, ...]] = {
    "hand-arm": ("hand", "arm"),
    "leg-foot": ("leg", "foot"),
    "upper body": ("head", "hand", "arm"),
    "lower body": ("hip", "leg", "foot"),
}
"""Parts of coarser partitions, and of which parts they say what these do."""


def descriptions(entries: Mapping[str, Movement]) -> dict[str, dict[str, str]]:
    """Name -> part -> one sentence, sides not named, as data sets have them.

    A name is the first one of a movement; of several movements, the first one speaks.
    """
    out: dict[str, dict[str, str]] = {}
    for movement in entries.values():
        if movement.names:
            first = {part: _spoken_of(movement, part, entries)[0] for part in PARTS}
            texts: dict[str, str] = {
                part: spoken(text, "right", named=False) for part, text in first.items()
            }
            out.setdefault(spoken(movement.names[0], "right", named=False), with_coarse(texts))
    return out


def said_of(action: str) -> dict[str, str] | None:
    """Part -> the first sentences of all movements of this name; None where there is none.

    Names are the same by the shipped equivalences. A side that the action names is named.

    Args:
        action: Its name.
    """
    called = _by_action().get(shipped().action(action))
    if called is None:
        return None
    side = re.search(r"\b(left|right)\b", action.casefold())
    acting: Side = "left" if side and side[0] == "left" else "right"
    texts: dict[str, str] = {}
    for part in PARTS:
        each = [_spoken_of(movement, part, movements()) for movement in called]
        taken = list(dict.fromkeys(_in_turn(each)))[:MOST]
        texts[part] = " ".join(spoken(text, acting, named=side is not None) for text in taken)
    return with_coarse(texts)


def with_coarse(texts: dict[str, str]) -> dict[str, str]:
    """The texts of the finest parts, and those of coarser ones made of them."""
    joined = {part: " ".join(texts[each] for each in members) for part, members in COARSE.items()}
    return texts | joined


def _spoken_of(movement: Movement, part: Part, entries: Mapping[str, Movement]) -> tuple[str, ...]:
    """The sentences of the first one that speaks of a part: itself, what goes along, or rest."""
    cast = [movement, *(entries[name] for name in movement.companions)]
    taken = {slot for each in cast for slot in each.slots}
    cast += [entries[name] for driver, name in RESTING.items() if driver not in taken]
    return next(each.sentences(part) for each in cast if each.sentences(part))


def _in_turn(lists: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first of each list, then the second of each, and so on."""
    for rank in range(max(map(len, lists))):
        yield from (each[rank] for each in lists if rank < len(each))


@cache
def _by_action() -> Mapping[str, Sequence[Movement]]:
    """What names mean, by the shipped equivalences -> the movements of such a name."""
    out: defaultdict[str, dict[str, Movement]] = defaultdict(dict)
    for key, movement in movements().items():
        for side in SIDES:
            for name in both_forms(movement.names, side):
                out[shipped().action(name)][key] = movement
    return {action: tuple(each.values()) for action, each in out.items()}

"""Whether a model was told of an action: of its name, of one near to it, or of neither."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, TypedDict

from starcli.class_names import find_class
from starcli.contracts import Teacher
from starcli.text.nearness import is_any_of, nearest_name


class Told(TypedDict):
    """What a model was told of an action in training.

    Args:
        told: `told` where clips of this name, or of one that means the same, were learned from,
            recorded or made up; `near` where
            one of a name with a word of doing in common was; else `new`.
        near: That other name.
        similarity: How many of the words of both names they share, from 0 to 1.
    """

    told: Literal["told", "near", "new"]
    near: str | None
    similarity: float | None


def learned_names(
    classes: Iterable[str], teacher: Teacher | None, left_out: Collection[str]
) -> tuple[str, ...]:
    """The names of all that a model learned from.

    Args:
        classes: Names of its seen classes.
        teacher: What made up clips for it, if anything did.
        left_out: Ids of the movements that were not used.
    """
    movements = {} if teacher is None else teacher.movements
    made_up = (name for key, names in movements.items() if key not in left_out for name in names)
    return tuple(dict.fromkeys([*classes, *made_up]))


def told_of(name: str, learned: Sequence[str]) -> Told:
    """What a model was told of an action.

    Args:
        name: Its name.
        learned: The names of all that the model learned from.
    """
    if find_class(name, learned) is not None or is_any_of(name, learned):
        return {"told": "told", "near": None, "similarity": None}
    near = nearest_name(name, learned)
    if near is None:
        return {"told": "new", "near": None, "similarity": None}
    return {"told": "near", "near": near[0], "similarity": near[1]}

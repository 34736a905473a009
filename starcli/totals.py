"""What a data set holds when nothing is missing, as far as it is known before anything is read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from starcli.contracts import Side

SIDES: tuple[Side, ...] = ("train", "test")


class Counts(NamedTuple):
    """How many clips the sides of a protocol have, and the classes of a split on them."""

    train: int
    test: int
    seen_train: int
    unseen_test: int
    seen_test: int


@dataclass(frozen=True)
class Totals:
    """What a data set holds when nothing is missing; None and empty stand for not known.

    Args:
        clips: Number of clips.
        recordings: Number of recordings, where they are other things than clips.
        subjects: Number of people.
        views: Number of cameras.
        sides: Protocol -> side -> number of clips of each class [C].
        names: Gives the names of all clips.
    """

    clips: int | None = None
    recordings: int | None = None
    subjects: int | None = None
    views: int | None = None
    sides: Mapping[str, Mapping[Side, Sequence[int]]] = field(default_factory=dict)
    names: Callable[[], Iterable[str]] | None = None

    def counts(self, protocol: str, unseen: Collection[int]) -> Counts | None:
        """Sizes of the sides of a protocol and of their seen and unseen classes.

        Args:
            protocol: Name of the protocol.
            unseen: Ids of the unseen classes.
        """
        if protocol not in self.sides:
            return None
        train, test = (self.sides[protocol][side] for side in SIDES)
        unseen_train, unseen_test = (sum(side[c] for c in unseen) for side in (train, test))
        return Counts(
            train=sum(train),
            test=sum(test),
            seen_train=sum(train) - unseen_train,
            unseen_test=unseen_test,
            seen_test=sum(test) - unseen_test,
        )


def per_class(
    clips: Iterable[tuple[int, Mapping[str, Side]]], classes: int
) -> dict[str, dict[Side, list[int]]]:
    """Protocol -> side -> number of clips of each class [C].

    Args:
        clips: Class id of each clip, and protocol -> the side that it is on.
        classes: C.
    """
    found: dict[str, dict[Side, list[int]]] = {}
    for label, sides in clips:
        for protocol, side in sides.items():
            if protocol not in found:
                found[protocol] = {each: [0] * classes for each in SIDES}
            found[protocol][side][label] += 1
    return found


@runtime_checkable
class CountedDataset(Protocol):
    """A data set that knows what it holds when nothing is missing."""

    @property
    def totals(self) -> Totals:
        """What `starcli data show` prints, and `starcli data check` compares recordings with."""

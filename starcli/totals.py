"""Numbers of a complete data set, as far as they are known before anything is read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from starcli.contracts import Subset

SUBSETS: tuple[Subset, ...] = ("train", "test")


class Counts(NamedTuple):
    """How many clips the subsets of a protocol have, and the classes of a split on them."""

    train: int
    test: int
    seen_train: int
    unseen_test: int
    seen_test: int


@dataclass(frozen=True)
class Totals:
    """Numbers of a complete data set; None and empty stand for not known.

    Args:
        clips: Number of clips.
        recordings: Number of recordings, where they are other things than clips.
        subjects: Number of people.
        views: Number of cameras.
        subsets: Protocol -> subset -> number of clips of each class [C].
        names: Gives the names of all clips.
    """

    clips: int | None = None
    recordings: int | None = None
    subjects: int | None = None
    views: int | None = None
    subsets: Mapping[str, Mapping[Subset, Sequence[int]]] = field(default_factory=dict)
    names: Callable[[], Iterable[str]] | None = None

    def counts(self, protocol: str, unseen: Collection[int]) -> Counts | None:
        """Sizes of the subsets of a protocol and of their seen and unseen classes.

        Args:
            protocol: Name of the protocol.
            unseen: Ids of the unseen classes.
        """
        if protocol not in self.subsets:
            return None
        train, test = (self.subsets[protocol][subset] for subset in SUBSETS)
        unseen_train, unseen_test = (sum(subset[c] for c in unseen) for subset in (train, test))
        return Counts(
            train=sum(train),
            test=sum(test),
            seen_train=sum(train) - unseen_train,
            unseen_test=unseen_test,
            seen_test=sum(test) - unseen_test,
        )


def per_class(
    clips: Iterable[tuple[int, Mapping[str, Subset]]], classes: int
) -> dict[str, dict[Subset, list[int]]]:
    """Protocol -> subset -> number of clips of each class [C].

    Args:
        clips: Class id of each clip, and protocol -> the subset that it is in.
        classes: C.
    """
    counts: dict[str, dict[Subset, list[int]]] = {}
    for label, subsets in clips:
        for protocol, subset in subsets.items():
            if protocol not in counts:
                counts[protocol] = {each: [0] * classes for each in SUBSETS}
            counts[protocol][subset][label] += 1
    return counts


@runtime_checkable
class CountedDataset(Protocol):
    """A data set that knows what it holds when nothing is missing."""

    @property
    def totals(self) -> Totals:
        """What `starcli data show` prints, and `starcli data check` compares recordings with."""

"""Which classes are seen, which clips train, and the nested split that chooses settings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from starcli.contracts import ALL, Subset
from starcli.errors import DataError
from starcli.training.seeds import derive


def family(split: str) -> str:
    """What the names of a data set's folds have in common, such as `fold` of `fold3`.

    The folds of one division are told apart by a number at the end of their names: `fold0`,
    `fold1`; `smie-1`, `smie-2`. A number of classes, as in `55/5`, does not count.
    """
    return re.sub(r"(?<=[A-Za-z_.-])\d+$", "", split)


@dataclass(frozen=True)
class ClipIndex:
    """What is known of every clip without reading it.

    Args:
        names: N names.
        labels: N class ids.
        subsets: Protocol -> N subsets.
        subjects: N subjects.
    """

    names: Sequence[str]
    labels: Sequence[int]
    subsets: Mapping[str, Sequence[Subset]]
    subjects: Sequence[str]


@dataclass(frozen=True)
class Task:
    """One zero-shot task: what to learn from and what to be judged on.

    Args:
        seen: Class ids learned from.
        unseen: Class ids known by their text only.
        train: Clips of seen classes to learn from, as positions in the index.
        test: Clips of seen and unseen classes to be judged on.
    """

    seen: tuple[int, ...]
    unseen: tuple[int, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]


def final_task(index: ClipIndex, protocol: str, seen: Sequence[int], unseen: Sequence[int]) -> Task:
    """The task of a protocol and split: learn from its training subset, judged on its test subset.

    In the protocol `all` every clip of a seen class trains.

    Raises:
        DataError: Seen and unseen overlap, a subset that is needed has no clips, or the recordings
            do not say the subsets of the protocol.
    """
    if protocol == ALL and ALL not in index.subsets:
        every = [i for i, label in enumerate(index.labels) if label in set(seen)]
        return _task(index, seen, unseen, every, ())
    if protocol not in index.subsets:
        raise DataError(
            f"these recordings do not say which clips train in protocol {protocol}",
            f"they do for: {', '.join(index.subsets)}",
        )
    both = set(seen) & set(unseen)
    if both:
        raise DataError(f"classes {sorted(both)} are both seen and unseen", "fix the split")
    subset = index.subsets[protocol]
    train = [i for i, s in enumerate(subset) if s == "train" and index.labels[i] in set(seen)]
    test = [i for i, s in enumerate(subset) if s == "test"]
    return _task(index, seen, unseen, train, test)


def validation_task(
    index: ClipIndex,
    final: Task,
    *,
    classes: float | tuple[int, ...],
    clips: float,
    seed: int,
    fold: int = 0,
) -> Task:
    """A nested task that epochs and gamma are chosen on, made of training clips only.

    A share of the seen classes plays the unseen ones, another in each fold. Of the classes that
    stay seen, the clips of a few subjects are held out for judging; where one subject does
    everything, clips are.

    Args:
        index: All clips.
        final: The task whose training clips are divided.
        classes: The seen classes to play unseen, or their share, at most as many as are unseen.
        clips: Least share of the remaining seen clips to hold out.
        seed: Seed of both choices.
        fold: Number of the fold; those before it have other classes play the unseen ones.

    Raises:
        DataError: There are too few seen classes, or named ones that are not seen.
    """
    if len(final.seen) < 4:
        raise DataError(f"{len(final.seen)} seen classes, validation needs 4 or more")
    rng = _fold_generator(seed, fold)
    if isinstance(classes, tuple):
        unseen = tuple(sorted(classes))
        if not set(unseen) < set(final.seen):
            raise DataError(
                f"validation classes {sorted(set(unseen) - set(final.seen))} are not seen classes",
                "fix the data set's validation classes",
            )
    else:
        count = pseudo_unseen_count(len(final.seen), len(final.unseen), classes)
        left = list(final.seen)
        for earlier in range(fold):
            taken = _fold_generator(seed, earlier).choice(left, count, replace=False)
            left = [c for c in left if c not in taken]
        unseen = tuple(sorted(int(c) for c in rng.choice(left, count, replace=False)))
    seen = tuple(c for c in final.seen if c not in unseen)
    own = [i for i in final.train if index.labels[i] in seen]
    groups = [index.subjects[i] for i in own]
    if len(set(groups)) == 1:
        groups = [index.names[i] for i in own]
    held = _hold_out(groups, clips, rng)
    train = [i for i, group in zip(own, groups, strict=True) if group not in held]
    kept = set(train)
    test = [i for i in final.train if i not in kept]
    return _task(index, seen, unseen, train, test)


def pseudo_unseen_count(seen: int, unseen: int, share: float) -> int:
    """How many of the seen classes play the unseen ones in a fold."""
    return max(2, min(unseen, round(share * seen)))


def _fold_generator(seed: int, fold: int) -> np.random.Generator:
    return np.random.default_rng(derive(seed, "validation", *([fold] if fold else [])))


def refuse_leak(
    learned: Collection[int] | None,
    unseen: Collection[int],
    classes: Sequence[str],
    *,
    allow_unknown: bool,
) -> None:
    """Refuse a backbone that was, or may have been, trained on an unseen class.

    Args:
        learned: Class ids it was trained on; None where nobody knows.
        unseen: Class ids that must be new to it.
        classes: C class names.
        allow_unknown: Let a backbone pass whose classes nobody knows.

    Raises:
        DataError: It was trained on an unseen class, or nobody knows and that is not allowed.
    """
    if learned is None:
        if not allow_unknown:
            raise DataError(
                "nobody knows which classes the backbone's weights were trained on",
                'name them with --set \'backbone.trained_on=["class", ...]\' or "all", or mark '
                "every result with --allow-unknown-classes",
            )
        return
    leaked = sorted(set(learned) & set(unseen))
    if leaked:
        names = ", ".join(classes[c] for c in leaked)
        raise DataError(
            f"leak: the backbone was trained on unseen classes: {names}",
            "use weights of the seen classes of this split only",
        )


def _hold_out(groups: Sequence[str], share: float, rng: np.random.Generator) -> set[str]:
    """Random groups that together have at least this share of the members."""
    held: set[str] = set()
    members, count = Counter(groups), 0
    order = sorted(members)
    for name in rng.permutation(order)[: len(order) - 1]:
        if count >= share * len(groups):
            break
        held.add(str(name))
        count += members[str(name)]
    return held


def _task(
    index: ClipIndex,
    seen: Sequence[int],
    unseen: Sequence[int],
    train: Sequence[int],
    test: Sequence[int],
) -> Task:
    may_learn = set(seen)
    leaks = [i for i in train if index.labels[i] not in may_learn]
    if leaks:
        raise DataError(
            f"leak: training clip '{index.names[leaks[0]]}' and {len(leaks) - 1} more are of "
            "classes that are not seen"
        )
    if set(train) & set(test):
        raise DataError("leak: clips are both learned from and judged on")
    if not train:
        raise DataError("no training clip of a seen class", "check protocol and split")
    if unseen and not any(index.labels[i] in set(unseen) for i in test):
        raise DataError("no test clip of an unseen class", "check protocol and split")
    return Task(tuple(seen), tuple(unseen), tuple(train), tuple(test))

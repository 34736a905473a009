"""Which test clips of a run are shown as moving skeletons, and what is said of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np

from starcli.evaluation.metrics import Floats, Ints, best_of
from starcli.report.parts import Reasons, reasons
from starcli.report.reported import Reported
from starcli.viewing.places import Wanted, look_at_run
from starcli.viewing.skeletons import Shown, Table


def shown_clips(run: Reported, most: int) -> list[Shown]:
    """Test clips to look at, with what they are taken for, and why.

    Args:
        run: A run with its results.
        most: At most so many of unseen classes: one of every way that clips of a class are named,
            before there are two of any.
    """
    rows = chosen(run, most)
    if not rows:
        return []
    names = [run.clips[row] for row in rows]
    why = reasons(run.experiment, run.results, names)
    key = run.results["prepare"].key
    found = look_at_run(run.experiment, run.name, key, Wanted(clips=names))
    place = {name: n for n, name in enumerate(names)}
    clips = sorted(found.clips, key=lambda clip: place[clip.name])
    return [
        _explained(run, clip, row, why, n)
        for n, (clip, row) in enumerate(zip(clips, rows, strict=True))
    ]


def chosen(run: Reported, most: int) -> list[int]:
    """Rows of the test clips that are shown, those that are named alike side by side."""
    rows = np.flatnonzero(run.scored.is_unseen)
    answers = np.stack([run.scored.labels, run.named_unseen, run.named], 1)[rows]
    ways = [tuple(way) for way in answers.tolist()]
    picked = sorted(one_of_each(ways, most), key=lambda n: (ways[n], n))
    return [int(rows[n]) for n in picked]


def one_of_each(kinds: Sequence[Hashable], most: int) -> list[int]:
    """Places of so many things at most: one of every kind before two of any, frequent kinds first.

    Args:
        kinds: What kind each thing is of.
        most: So many at most.
    """
    total, before = Counter(kinds), Counter[Hashable]()
    turns = []
    for kind in kinds:
        turns.append(before[kind])
        before[kind] += 1
    order = sorted(range(len(kinds)), key=lambda n: (turns[n], -total[kinds[n]], n))
    return order[:most]


def _explained(run: Reported, clip: Shown, row: int, why: Reasons, place: int) -> Shown:
    """A clip with what it is taken for, what its parts are like, and where the method looked."""
    classes, unseen = run.evaluation.classes.names, run.scored.unseen
    label, among_all = int(run.scored.labels[row]), int(run.named[row])
    among_unseen = int(run.named_unseen[row])
    facts = (
        f"among unseen classes taken for: {classes[among_unseen]}",
        f"among all classes taken for: {classes[among_all]}",
        *clip.facts,
    )
    attention = None if why.attention is None else why.attention[place].astype(np.float32)
    table: Table = ()
    if why.alike is not None:
        columns = [label, among_unseen, among_all]
        table = part_table(why.parts, why.alike[place], columns, classes, unseen)
    return replace(clip, facts=facts, table=table, attention=attention)


def part_table(
    parts: Sequence[str],
    alike: Floats,
    columns: Sequence[int],
    classes: Sequence[str],
    unseen: Sequence[int],
) -> Table:
    """How much parts of a clip are like the sentences of some classes, and what they are most like.

    Args:
        parts: Names of the parts [K].
        alike: Similarities [K, C].
        columns: Ids of the classes, the true one first.
        classes: Names of all classes.
        unseen: Ids of the classes that the most alike one is of.
    """
    label, *others = dict.fromkeys(columns)
    head = ("part", f"{classes[label]} (true)", *(classes[c] for c in others))
    rows = (
        (part, *(f"{row[c]:.2f}" for c in (label, *others)), classes[best])
        for part, row, best in zip(parts, alike, best_of(alike, unseen), strict=True)
    )
    return ((*head, "most like, of unseen classes"), *rows)


def cells(
    labels: Ints, named: Ints, clips: Sequence[str], most: int
) -> dict[tuple[int, int], list[str]]:
    """(True class, class that it is taken for) -> names of clips, so many at most.

    Args:
        labels: Class ids [N].
        named: What the clips are taken for [N].
        clips: Their names [N].
        most: Names of a cell that are kept.
    """
    found: dict[tuple[int, int], list[str]] = {}
    for label, other, name in zip(labels.tolist(), named.tolist(), clips, strict=True):
        own = found.setdefault((label, other), [])
        if len(own) < most:
            own.append(name)
    return found

"""How much better one setting is than another, over the folds and seeds that both have run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import TypedDict

from starcli.evaluation.model_selection import open_scored
from starcli.evaluation.report import Evaluation
from starcli.evaluation.statistics import Part, Right, clips, interval, resample, right
from starcli.report.document import MEASURES, Measure, measures
from starcli.store.artifacts import Artifact


class Difference(TypedDict):
    """How much more of a measure `second` has than `first`, and where that lies."""

    first: str
    second: str
    measure: Measure
    folds: list[str]
    seeds: list[int]
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Answers:
    """A run as it is compared.

    Args:
        document: How good it is.
        clips: Names of its test clips.
        right: Which of them it names right.
    """

    document: Evaluation
    clips: Sequence[str]
    right: Right

    def matches(self, other: Answers) -> bool:
        """Whether both were tested on the same clips, with the same fold and seed."""
        mine, its = self.document, other.document
        same = mine.split == its.split and mine.seed == its.seed and self.clips == other.clips
        return same and clips(self.right) == clips(other.right)


def answers(document: Evaluation, scores: Artifact) -> Answers:
    """A run as it is compared.

    Args:
        document: How good it is.
        scores: Its artifact of `evaluate`.
    """
    scored = open_scored(scores)
    named = document.calibrator.predict(scored)
    own = right(scored, named, document.classes.names)
    return Answers(document, scores.data()["clips"], own)


def differences(variants: Mapping[str, Sequence[Answers]]) -> list[Difference]:
    """Each setting compared with the first, in every measure.

    Args:
        variants: What a setting is called -> its runs, which differ in fold and seed.

    Returns:
        Nothing of a setting that has no fold and seed in common with the first.
    """
    (first, own), *others = variants.items()
    found = []
    for second, runs in others:
        folds: dict[str, list[tuple[Answers, Answers]]] = {}
        for pair in ((a, b) for a in own for b in runs if a.matches(b)):
            folds.setdefault(pair[0].document.split, []).append(pair)
        for measure in MEASURES if folds else ():
            parts = [_part(measure, pairs, len(folds)) for pairs in folds.values()]
            difference = mean(_difference(measure, pairs) for pairs in folds.values())
            low, high = interval(difference, parts, "second", "first", len(others))
            found.append(
                Difference(
                    first=first,
                    second=second,
                    measure=measure,
                    folds=[*folds],
                    seeds=sorted({a.document.seed for pairs in folds.values() for a, _ in pairs}),
                    difference=difference,
                    low=low,
                    high=high,
                )
            )
    return found


def _difference(measure: Measure, pairs: Sequence[tuple[Answers, Answers]]) -> float:
    """How much more the second has, a mean over the seeds of a fold."""
    return mean(measures(b.document)[measure] - measures(a.document)[measure] for a, b in pairs)


def _part(measure: Measure, pairs: Sequence[tuple[Answers, Answers]], folds: int) -> Part:
    first, second = zip(*pairs, strict=True)
    draws = resample({"first": [a.right for a in first], "second": [b.right for b in second]})
    # Clips of seen classes are the same in every fold, those of unseen ones are its own.
    clips = "" if measure in ("S", "H") else first[0].document.split
    return Part(1 / folds, draws[measure], len(pairs), clips)


def rows(found: Sequence[Difference]) -> list[tuple[str, str, str]]:
    """Differences as lines of a table, in percent."""
    return [
        (
            f"{each['second']}: {each['measure']}",
            f"{100 * each['difference']:+.1f} %",
            f"{100 * each['low']:+.1f} to {100 * each['high']:+.1f} %",
        )
        for each in found
    ]


def title(found: Sequence[Difference]) -> str:
    """What stands above them."""
    told = f"difference from {found[0]['first']}, with intervals of 95 % for all rows of a measure"
    if all(len(each["seeds"]) == 1 for each in found):
        return f"{told}; one seed does not tell what training varies"
    return told

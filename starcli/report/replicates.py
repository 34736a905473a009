"""Runs that differ in seed and fold alone, and their means; others are compared, not averaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import mean, stdev
from typing import TypedDict

from starcli.data.splits import family
from starcli.errors import StarError, UsageError
from starcli.evaluation.gzsl import Choice
from starcli.evaluation.report import Evaluation, OtherFold
from starcli.experiment import Experiment
from starcli.pipeline import plan
from starcli.report import tables
from starcli.report.differences import Answers, Difference, differences
from starcli.report.document import (
    MEASURES,
    Measure,
    Measures,
    evaluation_document,
    measures,
)
from starcli.report.tables import percent
from starcli.settings.resolve import load_recorded
from starcli.settings.schema import PLUGIN_SECTIONS
from starcli.store import runs

SHOWN = 6
"""Most differences that a title names."""
Identity = Mapping[str, object]
"""All that makes a run what it is, as `Experiment.identity` gives it."""
Differences = Mapping[str, Sequence[object]]
"""Dotted setting -> its value in each run."""


class Spread(TypedDict):
    """Mean and sample standard deviation of every measure; of one run there is no deviation."""

    mean: dict[Measure, float]
    std: dict[Measure, float | None]


class Fold(Spread):
    """The runs of a fold."""

    split: str
    seeds: list[int]


class Compared(Measures):
    """A run beside others."""

    dataset: str
    protocol: str
    split: str
    seed: int
    selection: str
    run: str
    warning: str | None


class Summary(TypedDict):
    """Several runs side by side, as `evaluate --json` prints them."""

    ok: bool
    runs: list[Compared]
    differ: dict[str, Sequence[object]]
    folds: list[Fold]
    over: str | None
    mean: dict[Measure, float] | None
    std: dict[Measure, float | None] | None
    std_seeds: dict[Measure, float | None] | None
    differences: list[Difference]


def _common(identity: Identity) -> dict[str, object]:
    """What runs have in common that are averaged."""
    kept = {key: value for key, value in identity.items() if key != "seed"}
    return kept | {"dataset.split": family(str(kept["dataset.split"]))}


def differing(identities: Mapping[str, Identity]) -> dict[str, list[object]]:
    """What runs differ in beside seed and fold: dotted setting -> its value in each of them.

    Where they differ in a plugin, its own settings are not listed.

    Args:
        identities: Run -> what it is.

    Raises:
        UsageError: Two of them are the same.
    """
    known: list[tuple[str, Identity]] = []
    for run, own in identities.items():
        for twin, other in known:
            if own == other:
                raise UsageError(f"runs '{twin}' and '{run}' are the same", "leave one out")
        known.append((run, own))
    common = [_common(own) for own in identities.values()]
    keys = dict.fromkeys(key for own in common for key in own)
    values_by_key = {key: [own.get(key) for own in common] for key in keys}
    values_by_key = {
        key: values for key, values in values_by_key.items() if any(v != values[0] for v in values)
    }
    plugins = [section for section in PLUGIN_SECTIONS if f"{section}.name" in values_by_key]
    return {
        key: values
        for key, values in values_by_key.items()
        if key.partition(".")[0] not in plugins or key.endswith(".name")
    }


def variants(runs: Mapping[str, Answers], differ: Differences) -> dict[str, list[Answers]]:
    """Runs by what they differ in beside seed and fold.

    Args:
        runs: Name of a run -> what it answered.
        differ: What they differ in, as `differing` gives it.

    Returns:
        What a setting is called, a single run by its name -> its runs, in the order of the runs.
    """
    by_values: dict[str, list[str]] = {}
    for run, *values in zip(runs, *differ.values(), strict=True):
        by_values.setdefault(", ".join(map(str, values)), []).append(run)
    return {
        values if len(own) > 1 else own[0]: [runs[run] for run in own]
        for values, own in by_values.items()
    }


def summary(runs: Mapping[str, Answers], differ: Differences) -> Summary:
    """Several runs side by side; where they differ in seed and fold alone, with their means.

    Args:
        runs: Name of a run -> its document and what it answered.
        differ: What they differ in beside, as `differing` gives it.

    Returns:
        `runs`; `differ`; `folds`, mean and deviation over the seeds of each; `over`, what `mean`
        and `std` (sample standard deviation) are over: `seeds`, `folds`, or `folds and seeds`,
        each fold with the mean over its seeds; `std_seeds`, over the seeds that all of several
        folds have, each with the mean over the folds. Runs that differ have `differences` in place
        of means.
    """
    compared = [_compared(name, each.document) for name, each in runs.items()]
    side_by_side: Summary = {
        "ok": True,
        "runs": compared,
        "differ": dict(differ),
        "folds": [],
        "over": None,
        "mean": None,
        "std": None,
        "std_seeds": None,
        "differences": differences(variants(runs, differ)) if differ else [],
    }
    if differ:
        return side_by_side
    by_split: dict[str, list[Compared]] = {}
    for run in compared:
        by_split.setdefault(run["split"], []).append(run)
    folds: list[Fold] = [
        {"split": split, "seeds": [run["seed"] for run in own], **_spread(map(_measured, own))}
        for split, own in by_split.items()
    ]
    if len(folds) == 1:
        return {
            **side_by_side,
            "folds": folds,
            "over": "seeds",
            **_spread(map(_measured, compared)),
        }
    seeds = {seed for fold in folds for seed in fold["seeds"]}
    over = "folds" if len(seeds) == 1 else "folds and seeds"
    spread = _spread(fold["mean"] for fold in folds)
    apart = _over_seeds(compared, seeds, len(folds))
    return {**side_by_side, "folds": folds, "over": over, **spread, "std_seeds": apart}


def _over_seeds(
    runs: Sequence[Compared], seeds: Iterable[int], folds: int
) -> dict[Measure, float | None] | None:
    """Deviation over seeds that all folds have, each with the mean over the folds."""
    of_seeds = [[_measured(run) for run in runs if run["seed"] == seed] for seed in seeds]
    whole = [_spread(own)["mean"] for own in of_seeds if len(own) == folds]
    return _spread(whole)["std"] if len(whole) > 1 else None


def _compared(name: str, document: Evaluation) -> Compared:
    return {
        "dataset": document.dataset,
        "protocol": document.protocol,
        "split": document.split,
        "seed": document.seed,
        "selection": document.selection,
        "run": name,
        "warning": document.warning,
        **measures(document),
    }


def _measured(run: Measures) -> dict[Measure, float]:
    return {short: run[short] for short in MEASURES}


def _spread(runs: Iterable[Mapping[Measure, float]]) -> Spread:
    """Mean and sample standard deviation of every measure."""
    measured = list(runs)
    columns = {short: [each[short] for each in measured] for short in MEASURES}
    std = {short: stdev(values) if len(values) > 1 else None for short, values in columns.items()}
    return {"mean": {short: mean(values) for short, values in columns.items()}, "std": std}


def title(documents: Mapping[str, Evaluation], compared: Summary) -> str:
    """What stands above a table of several runs."""
    what = ""
    if compared["differ"]:
        listed = [
            f"{key} {' / '.join(map(str, values))}" for key, values in compared["differ"].items()
        ]
        more = f"; and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
        what = f" compared, not averaged, since they differ in {'; '.join(listed[:SHOWN])}{more}"
    titles = {tables.title("", document).removeprefix(": ") for document in documents.values()}
    return f"{len(documents)} runs{what}: {'; '.join(sorted(titles))}"


def rows(compared: Summary) -> list[tuple[str, ...]]:
    """A summary as lines of a table, in percent: the runs, then the means that there are."""
    lines = [(run["run"], *_percents(_measured(run))) for run in compared["runs"]]
    over, means, deviations = compared["over"], compared["mean"], compared["std"]
    if means is None or deviations is None:
        return lines
    if over == "folds and seeds":
        lines += [line for fold in compared["folds"] for line in _of_fold(fold)]
        count = len(compared["folds"])
        lines += [
            (f"mean over {count} folds, each the mean over its seeds", *_percents(means)),
            ("standard deviation over these folds", *_percents(deviations)),
        ]
        if (of_seeds := compared["std_seeds"]) is not None:
            named = "standard deviation over seeds, each the mean over these folds"
            lines.append((named, *_percents(of_seeds)))
        return lines
    return [
        *lines,
        (f"mean over {over}", *_percents(means)),
        (f"standard deviation over {over}", *_percents(deviations)),
    ]


def _of_fold(fold: Fold) -> Iterator[tuple[str, ...]]:
    if len(fold["seeds"]) > 1:
        seeds = ", ".join(map(str, fold["seeds"]))
        yield f"{fold['split']}, mean over seeds {seeds}", *_percents(fold["mean"])
        yield f"{fold['split']}, standard deviation over seeds", *_percents(fold["std"])


def _percents(values: Mapping[Measure, float | None]) -> list[str]:
    return [percent(values[short]) for short in MEASURES]


def other_folds(experiment: Experiment, choice: Choice) -> list[OtherFold]:
    """Accuracies of finished runs of the store that differ in the fold, and maybe in the seed.

    Args:
        experiment: Settings and plugins of a run.
        choice: How seen and unseen classes are balanced.
    """
    own = experiment.identity
    by_key: dict[str, OtherFold] = {}
    for name in runs.names(experiment.store.root):
        try:
            other = _like(experiment, own, name)
            if other is None:
                continue
            planned = {p.step.name: p for p in plan(other, "calibrate", explain=False)}
            results = {step: p.artifact for step, p in planned.items() if p.artifact}
            if len(results) < len(planned):
                continue
            document = evaluation_document(name, other, results, choice)
        except StarError:  # what cannot be evaluated today says so when it is asked for
            continue
        # A run may have two names.
        by_key[planned["calibrate"].key] = OtherFold(
            run=name, split=document.split, seed=document.seed, **measures(document)
        )
    return list(by_key.values())


def _like(experiment: Experiment, own: Identity, name: str) -> Experiment | None:
    """A run of the store, if it is one of another fold."""
    _, recorded = runs.load_run(experiment.store.root, name)
    inputs = {"recordings": recorded.get("raw"), "weights": recorded.get("weights")}
    identity = {**recorded["settings"], **inputs}
    if identity.get("dataset.split") in (None, own["dataset.split"]):
        return None
    if _common(identity) != _common(own):
        return None
    return Experiment(load_recorded(recorded["settings"], experiment.settings.run), recorded)


def spread_rows(others: Sequence[OtherFold]) -> list[tuple[str, str]]:
    """How far the other folds of a data set lie apart, as lines of a table."""
    if not others:
        return []
    runs = f"{len(others)} run{'s' if len(others) > 1 else ''}"
    return [
        (
            f"  other folds of this data set, {short} ({runs})",
            " to ".join(dict.fromkeys(percent(end(values)) for end in (min, max))),
        )
        for short, values in (
            ("ZSL", [run.ZSL for run in others]),
            ("H", [run.H for run in others]),
        )
    ]

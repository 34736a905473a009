"""Runs that differ in seed and fold alone, and their means; others are compared, not averaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from starcli.data.splits import family
from starcli.errors import StarError, UsageError
from starcli.evaluation.gzsl import Choice
from starcli.experiment import Experiment
from starcli.pipeline import plan
from starcli.report import tables
from starcli.report.document import MEASURES, evaluation_document
from starcli.report.tables import percent
from starcli.settings.resolve import PLUGIN_SECTIONS, load_recorded
from starcli.store import runs

SHOWN = 6
"""Most differences that a title names."""
Identity = Mapping[str, Any]
"""All that makes a run what it is, as `Experiment.identity` gives it."""
Document = Mapping[str, Any]
"""What `evaluate --json` prints of a run."""


def _common(identity: Identity) -> dict[str, Any]:
    """What runs have in common that are averaged."""
    kept = {key: value for key, value in identity.items() if key != "seed"}
    return kept | {"dataset.split": family(kept["dataset.split"])}


def differing(identities: Mapping[str, Identity]) -> dict[str, list[Any]]:
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
    found = {key: [own.get(key) for own in common] for key in keys}
    found = {key: values for key, values in found.items() if any(v != values[0] for v in values)}
    plugins = [section for section in PLUGIN_SECTIONS if f"{section}.name" in found]
    return {
        key: values
        for key, values in found.items()
        if key.partition(".")[0] not in plugins or key.endswith(".name")
    }


def summary(
    documents: Mapping[str, Document], differ: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    """Several runs side by side; where they differ in seed and fold alone, with their means.

    Args:
        documents: Name of a run -> its document.
        differ: What they differ in beside, as `differing` gives it.

    Returns:
        `runs`; `differ`; `folds`, mean and deviation over the seeds of each; `over`, what `mean`
        and `std` (sample standard deviation) are over: `seeds`, `folds`, or `folds and seeds`,
        each fold with the mean over its seeds. Runs that differ have no means.
    """
    runs = [
        {key: each[key] for key in ("dataset", "protocol", "split", "seed", "selection")}
        | {"run": name, "warning": each["warning"]}
        | {short: each[group][measure] for short, (group, measure) in MEASURES.items()}
        for name, each in documents.items()
    ]
    found: dict[str, Any] = {"ok": True, "runs": runs, "differ": dict(differ)}
    if differ:
        return found | {"folds": [], "over": None, "mean": None, "std": None}
    by_split: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        by_split.setdefault(run["split"], []).append(run)
    folds = [
        {"split": split, "seeds": [run["seed"] for run in own], **_spread(own)}
        for split, own in by_split.items()
    ]
    if len(folds) == 1:
        return found | {"folds": folds, "over": "seeds", **_spread(runs)}
    seeds = {seed for fold in folds for seed in fold["seeds"]}
    over = "folds" if len(seeds) == 1 else "folds and seeds"
    return found | {"folds": folds, "over": over, **_spread([fold["mean"] for fold in folds])}


def _spread(measured: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Mean and sample standard deviation of every measure."""
    columns = {short: [each[short] for each in measured] for short in MEASURES}
    std = {short: stdev(values) if len(values) > 1 else None for short, values in columns.items()}
    return {"mean": {short: mean(values) for short, values in columns.items()}, "std": std}


def title(documents: Mapping[str, Document], found: Mapping[str, Any]) -> str:
    """What stands above a table of several runs."""
    what = ""
    if found["differ"]:
        listed = [
            f"{key} {' / '.join(map(str, values))}" for key, values in found["differ"].items()
        ]
        more = f"; and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
        what = f" compared, not averaged, since they differ in {'; '.join(listed[:SHOWN])}{more}"
    titles = {tables.title("", document).removeprefix(": ") for document in documents.values()}
    return f"{len(documents)} runs{what}: {'; '.join(sorted(titles))}"


def rows(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A summary as lines of a table, in percent: the runs, then the means that there are."""
    lines = [(run["run"], *_percents(run)) for run in found["runs"]]
    if found["over"] is None:
        return lines
    over = found["over"]
    if over == "folds and seeds":
        lines += [line for fold in found["folds"] for line in _of_fold(fold)]
        count = len(found["folds"])
        lines += [
            (f"mean over {count} folds, each the mean over its seeds", *_percents(found["mean"])),
            ("standard deviation over these folds", *_percents(found["std"])),
        ]
        return lines
    return [
        *lines,
        (f"mean over {over}", *_percents(found["mean"])),
        (f"standard deviation over {over}", *_percents(found["std"])),
    ]


def _of_fold(fold: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    if len(fold["seeds"]) > 1:
        seeds = ", ".join(map(str, fold["seeds"]))
        yield f"{fold['split']}, mean over seeds {seeds}", *_percents(fold["mean"])
        yield f"{fold['split']}, standard deviation over seeds", *_percents(fold["std"])


def _percents(values: Mapping[str, float | None]) -> list[str]:
    return [percent(values[short]) for short in MEASURES]


def other_folds(experiment: Experiment, choice: Choice) -> list[dict[str, Any]]:
    """Accuracies of finished runs of the store that differ in the fold, and maybe in the seed.

    Args:
        experiment: Settings and plugins of a run.
        choice: How seen and unseen classes are balanced.
    """
    own, found = experiment.identity, {}
    for name in runs.names(experiment.store.root):
        try:
            other = _like(experiment, own, name)
            if other is None:
                continue
            planned = {p.step.name: p for p in plan(other, "calibrate", explain=False)}
            results = {step: p.artifact for step, p in planned.items() if p.artifact}
            if len(results) < len(planned):
                continue
            document = evaluation_document(other, results, choice)
        except StarError:  # what cannot be evaluated today says so when it is asked for
            continue
        # A run may have two names.
        found[planned["calibrate"].key] = {
            "run": name,
            "split": document["split"],
            "seed": document["seed"],
            **{short: document[group][key] for short, (group, key) in MEASURES.items()},
        }
    return list(found.values())


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


def spread_rows(document: Document) -> list[tuple[str, str]]:
    """How far the other folds of a data set lie apart, as lines of a table."""
    others = document["other_folds"]
    if not others:
        return []
    runs = f"{len(others)} run{'s' if len(others) > 1 else ''}"
    return [
        (
            f"  other folds of this data set, {short} ({runs})",
            " to ".join(
                dict.fromkeys(percent(end([run[short] for run in others])) for end in (min, max))
            ),
        )
        for short in ("ZSL", "H")
    ]

"""What runs and results are, from their records and the store alone; nothing is computed."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from starcli.errors import DataError, StarError, UsageError
from starcli.pipeline import differences
from starcli.report.document import Measures, measures
from starcli.settings.resolve import flatten, load_defaults
from starcli.settings.schema import PLUGIN_SECTIONS
from starcli.stages.calibrate import open_report
from starcli.store import inventory, runs
from starcli.store.inventory import Stored
from starcli.store.runs import Run


class Made(TypedDict):
    """A step of a run: where its result is, and whether it is there."""

    step: str
    key: str
    state: str
    size: int | None
    seconds: float | None


class Listed(TypedDict):
    """A run in a list; what is wrong with it, if its record is damaged."""

    run: str
    latest: bool
    recorded: float
    dataset: str
    protocol: str
    split: str
    method: str
    parts: int | None
    seed: int | None
    measures: Measures | None
    lost: list[str]
    fault: str | None


class Shown(Listed):
    """All that is known of a run."""

    recordings: str | None
    weights: str | None
    settings: dict[str, object]
    set: dict[str, object]
    """Settings that are not the defaults of its plugins."""
    steps: list[Made]


class Compared(TypedDict):
    """Runs side by side."""

    runs: list[Listed]
    differ: dict[str, list[object]]


class Explained(TypedDict):
    """A result: what it was made of, what it was made with, and why it is not another."""

    stage: str
    key: str
    path: str
    created: float
    seconds: float
    size: int
    versions: dict[str, str]
    inputs: dict[str, str]
    needed_by: list[str]
    edited: bool
    recipe: dict[str, object]
    nearest: str | None
    differs: list[str]


def listed(root: Path) -> list[Listed]:
    """All runs of a store, the newest first.

    Args:
        root: The store.
    """
    every = inventory.results(root)
    last = runs.latest(root)
    return [_listed(root, name, every, name == last) for name in runs.by_age(root)]


def shown(root: Path, name: str | None) -> Shown:
    """What a run was made of.

    Args:
        root: The store.
        name: Its name; None for the latest.

    Raises:
        UsageError: There is none.
        DataError: Its record is damaged.
    """
    every = inventory.results(root)
    name, run = runs.load_run(root, name)
    return {
        **_listed(root, name, every, name == runs.latest(root)),
        "recordings": run.get("raw") or None,
        "weights": run.get("weights"),
        "settings": run["settings"],
        "set": _chosen(run["settings"], root),
        "steps": [_made(step, key, every) for step, key in run["steps"].items()],
    }


def compared(root: Path, names: Sequence[str]) -> Compared:
    """Runs side by side, and all that they differ in.

    Args:
        root: The store.
        names: Their names.

    Raises:
        UsageError: There are fewer than two, or one does not exist.
        DataError: The record of one is damaged.
    """
    different = list(dict.fromkeys(names))
    if len(different) < 2:
        raise UsageError(
            "two different runs are compared", "see which there are: starcli runs list"
        )
    every, last = inventory.results(root), runs.latest(root)
    recorded = {name: runs.load_run(root, name)[1] for name in different}
    made_of = [
        {**run["settings"], "recordings": run.get("raw"), "weights": run.get("weights")}
        for run in recorded.values()
    ]
    keys = dict.fromkeys(key for own in made_of for key in own)
    values = {key: [own.get(key) for own in made_of] for key in keys}
    return {
        "runs": [_listed(root, name, every, name == last) for name in different],
        "differ": {k: own for k, own in values.items() if any(v != own[0] for v in own)},
    }


def explained(root: Path, name: str) -> Explained:
    """What a result was made of, and how it differs from the one most like it.

    Args:
        root: The store.
        name: Its key, or the first digits.

    Raises:
        UsageError: There is none, or there are several.
        DataError: It is damaged.
    """
    every = inventory.results(root)
    found = inventory.find(every, name)
    if found.artifact is None:
        raise found.fault or DataError("is damaged", file=found.path)
    stages = {each.key: each.stage for each in every}
    meta = found.artifact.meta
    recipe = {key: value for key, value in flatten(meta["recipe"]) if key.split(".")[0] != "inputs"}
    nearest, differs = _nearest(found, every)
    return {
        "stage": found.stage,
        "key": found.key,
        "path": str(found.path),
        "created": found.created,
        "seconds": float(meta["seconds"]),
        "size": found.size,
        "versions": meta.get("versions", {}),
        "inputs": {
            label: f"{stages.get(key, 'lost')}/{key}" for label, key in found.inputs.items()
        },
        "needed_by": inventory.users(root, every, damaged=True).get(found.key, []),
        "edited": found.edited,
        "recipe": recipe,
        "nearest": nearest,
        "differs": differs,
    }


def _nearest(found: Stored, every: Sequence[Stored]) -> tuple[str | None, list[str]]:
    """The key of the result of the same stage whose recipe differs least, and in what."""
    assert found.artifact is not None
    own = dict(flatten(found.artifact.meta["recipe"]))
    others = {
        each.key: differences(dict(flatten(each.artifact.meta["recipe"])), own)
        for each in every
        if each.stage == found.stage and each.key != found.key and each.artifact is not None
    }
    if not others:
        return None, []
    nearest = min(others, key=lambda key: len(others[key]))
    return nearest, others[nearest]


def _listed(root: Path, name: str, every: Sequence[Stored], latest: bool) -> Listed:
    try:
        run, fault = runs.load_run(root, name)[1], None
    except StarError as error:
        run, fault = Run(settings={}, steps={}), str(error)
    settings, there = run["settings"], {each.key for each in every}
    parts, seed = settings.get("parts"), settings.get("seed")
    return {
        "run": name,
        "latest": latest,
        "recorded": runs.recorded_at(root, name),
        "dataset": str(settings.get("dataset.name", "")),
        "protocol": str(settings.get("dataset.protocol", "")),
        "split": str(settings.get("dataset.split", "")),
        "method": str(settings.get("method.name", "")),
        "parts": parts if isinstance(parts, int) else None,
        "seed": seed if isinstance(seed, int) else None,
        "measures": _measured(run, every),
        "lost": [step for step, key in run["steps"].items() if key not in there],
        "fault": fault,
    }


def _measured(run: Run, every: Sequence[Stored]) -> Measures | None:
    """The accuracies of a run with gamma chosen on validation, where `evaluate` has found them."""
    scored = {
        each.key
        for each in every
        if each.stage == "evaluate" and each.inputs.get("method") == run["steps"].get("train")
    }
    for each in every:
        if each.stage == "calibrate" and each.artifact and each.inputs.get("scores") in scored:
            with contextlib.suppress(DataError):
                return measures(open_report(each.artifact))
    return None


def _made(step: str, key: str, every: Sequence[Stored]) -> Made:
    found = next((each for each in every if each.key == key), None)
    if found is None or found.artifact is None:
        state = "lost" if found is None else "damaged"
        return {"step": step, "key": key, "state": state, "size": None, "seconds": None}
    seconds = float(found.artifact.meta["seconds"])
    return {"step": step, "key": key, "state": "there", "size": found.size, "seconds": seconds}


def _chosen(settings: Mapping[str, object], root: Path) -> dict[str, object]:
    """The settings of a run that are not what its plugins have by default."""
    named = {f"{section}.name" for section in PLUGIN_SECTIONS} & settings.keys()
    names = {key: settings[key] for key in named}
    try:
        usual = dict(load_defaults({**names, "run.store": root}).values())
    except StarError:  # a plugin is gone: all settings are told
        usual = {}
    return {k: v for k, v in settings.items() if k in named or k not in usual or v != usual[k]}

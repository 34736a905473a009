"""Stores of results that were never computed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from starcli.store.artifacts import Store
from starcli.store.recipe_key import key_of
from starcli.store.runs import save_run
from tests.documents import BY_CLASS, CURVE, EVALUATION, PLACE

REPORT = {
    "epochs": 3,
    "selection": "validation",
    "calibrator": {"name": "stacking", "gamma": 0.3},
    "gamma": PLACE,
    "zsl": EVALUATION["zsl"],
    "gzsl": {
        "seen_accuracy": 0.5,
        "unseen_accuracy": 0.25,
        "harmonic_mean": 0.333,
        "clips": 8,
        "gamma": 0.3,
        **BY_CLASS,
    },
    "oracle": PLACE,
    "gap": {"gamma": 0.175, "harmonic_mean": 0.5},
    "doubts": [],
}
SETTINGS: dict[str, object] = {
    "seed": 0,
    "parts": 6,
    "dataset.name": "kard",
    "dataset.protocol": "xsub",
    "dataset.split": "fold0",
    "method.name": "star",
}


def put(root: Path, stage: str, inputs: Mapping[str, str] | None = None, **more: object) -> str:
    """Write a result, and give its key."""
    recipe = {"stage": stage, **more, "inputs": dict(inputs or {})}
    if Store(root).get(stage, key_of(recipe)) is not None:
        return key_of(recipe)
    with Store(root).writing(stage, recipe) as draft:
        draft.json(REPORT if stage == "calibrate" else {"x": 1})
        if stage == "calibrate":
            draft.json({"validation": CURVE, "test": CURVE}, "curves")
    return key_of(recipe)


def run(root: Path, name: str, seed: int = 0) -> dict[str, str]:
    """Write a run with all its results, evaluated; the keys of its steps, and of what followed."""
    clips = put(root, "prepare", plugin="starcli:kard")
    texts = put(root, "describe")
    bank = put(root, "embed", {"texts": texts})
    weights = put(root, "pretrain", {"clips": clips}, seed=seed)
    train = put(root, "train", {"clips": clips, "weights": weights, "bank": bank}, seed=seed)
    scores = put(root, "evaluate", {"method": train})
    steps = {"prepare": clips, "describe": texts, "embed": bank, "pretrain": weights}
    steps["train"] = train
    settings = {**SETTINGS, "seed": seed}
    save_run(root, name, {"settings": settings, "raw": "abc", "weights": None, "steps": steps})
    return {
        **steps,
        "evaluate": scores,
        "calibrate": put(root, "calibrate", {"scores": scores}),
    }


def age(root: Path, stage: str, key: str, seconds: float) -> None:
    """Have a result be made at another time; descriptions without a seal are read as they are."""
    path = root / stage / key / "meta.json"
    meta = json.loads(path.read_text("utf-8"))
    del meta["seal"]
    path.write_text(json.dumps({**meta, "created": seconds}), "utf-8")

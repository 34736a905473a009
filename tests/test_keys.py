"""Keys of results stay as they are: what a store holds is found by later versions too.

A key changes where a revision is raised, a setting is added to a recipe, or a text or its encoder
changes; then the keys here change in the same commit, which says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from starcli.experiment import Experiment
from starcli.pipeline import plan
from starcli.settings.resolve import load

KEYS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, str]]] = {
    "defaults": (
        {},
        {
            "prepare": "98ae55fdfd36850d",
            "describe": "3acc70251e4716b0",
            "embed": "6c49812e08f7493a",
            "pretrain/validation": "ecf00dbe1b7239cf",
            "extract/validation": "f2ea2f3e3654643a",
            "train/validation": "8efe18a7f94a8df6",
            "pretrain": "7748ee90d032f6d5",
            "extract": "514a7150d6ab3bbd",
            "train": "2cc2cb11c57ae4df",
            "evaluate": "0072e0ea6d44c48c",
            "calibrate": "4dd957623b3fd097",
        },
    ),
    "four parts, ctr-gcn, another seed": (
        {"parts": 4, "backbone.name": "ctr-gcn", "seed": 3},
        {
            "prepare": "98ae55fdfd36850d",
            "describe": "07e82334d3798b76",
            "embed": "e112118d839c6bef",
            "pretrain": "c6c7c13ea5cea41a",
            "extract": "52d74f6ec101a6af",
            "train": "f1b5089cdf5b3156",
            "calibrate": "e6bc9b412d1d51ea",
        },
    ),
    "shift-gcn, eszsl": (
        {"backbone.name": "shift-gcn", "method.name": "eszsl"},
        {
            "pretrain": "1e182fc15cfe9da1",
            "extract": "aeb1423e66a50ed2",
            "train": "afb7776a50d07c39",
            "calibrate": "9248d94b3ae46abc",
        },
    ),
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_stay(name: str, tmp_path: Path) -> None:
    flags, keys = KEYS[name]
    loaded = load({"run.store": tmp_path, "encoder.name": "glove-50", **flags})
    found = {p.step.name: p.key for p in plan(Experiment(loaded), "calibrate", explain=False)}
    assert {step: found[step] for step in keys} == keys

"""`starcli benchmark table2` on recordings in the format of NTU RGB+D 60: every cell is filled.

The bodies are simulated and the networks tiny: this shows that the way is whole, nothing else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from starcli import registry
from starcli.benchmark.paper import tables
from starcli.contracts import Kind
from starcli_plugins.datasets.ntu.source import Ntu60
from tests.conftest import Outcome
from tests.store.test_kills import Toy
from tests.test_pipeline import TINY

Cli = Callable[..., Outcome]
SMALL = {
    **{k: v for k, v in TINY.items() if k.startswith(("backbone.", "pretrain."))},
    "method.epochs": 2,
    "method.star.attributes": 4,
    "method.star.width": 16,
    "method.smie.hidden": [16, 16],
    "method.cada-vae.clip_codes": 4,
    "method.cada-vae.text_codes": 4,
    "method.cada-vae.classifier_epochs": 2,
    "method.synse.steps": 17,
    "method.synse.text_codes": 4,
    "method.synse.classifier_epochs": 2,
}


@pytest.fixture
def _toy_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of MiniLM's: GloVe lacks a noun, `selfie`."""
    declared = registry.declared

    def toy(kind: Kind, name: str) -> type[Any]:
        return Toy if (kind, name) == ("text-encoder", "minilm") else declared(kind, name)

    monkeypatch.setattr(registry, "declared", toy)


@pytest.mark.slow
@pytest.mark.usefixtures("_toy_vectors")
def test_every_cell_of_table_2_is_filled(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "data" / "ntu60").mkdir(parents=True)
    Ntu60(Ntu60.Settings()).write_sample(tmp_path / "data" / "ntu60")
    tiny = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
    outcome = cli("benchmark", "table2", "--dataset-root", "data", *tiny, "--out", "out", "--json")
    assert outcome.code == 0, outcome.err
    found, paper = json.loads(outcome.out), tables()["table2"]
    assert found["rows"] == ["revise", "jpose", "cada-vae", "synse", "smie", "star"]
    assert len(found["cells"]) == 6 * 4
    assert {cell["status"] for cell in found["cells"]} == {"done"}
    assert [cell["method"] for cell in found["cells"]] == found["rows"] * 4
    assert len(found["values"]) == 6 * 16
    for number, value in enumerate(found["values"]):
        assert 0 <= value["mean"] <= 1
        printed = paper.rows[value["row"]][number % 16]
        if math.isnan(printed):
            assert value["paper"] is None
        else:
            assert 100 * value["paper"] == pytest.approx(printed)
    for stage in ("pretrain", "prepare"):
        made = len(list((tmp_path / "starcli-store").glob(f"{stage}/*/meta.json")))
        assert made == {"pretrain": 8, "prepare": 1}[stage]
    text = (tmp_path / "out" / "table2.md").read_text("utf-8")
    assert text.count("| star |") == 5 * 3  # four columns and their mean, with two differences each
    assert "81.4" in text

"""The model that is shipped: it is found without a run, and knows what it was told of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import starcli
from starcli.errors import UsageError
from starcli.exporting.shipped import DEFAULT, shipped
from starcli_plugins.datasets.movements.composer import Composer
from tests.conftest import Outcome

Cli = Callable[..., Outcome]
ACTS = {"wave": "wave", "squat": "squat", "kick forward": "kick"}
"""What an action is called -> the movement."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up clips of other seeds than it learned from, six of each act."""
    folder = tmp_path_factory.mktemp("clips")
    for action, movement in ACTS.items():
        for seed in range(6):
            clip = Composer().clip(10**9 + seed, movement)
            np.save(folder / f"{action}-{seed}.npy", clip.joints[:, 0])
    return folder


def test_it_is_undamaged_and_its_card_admits_what_it_was_told() -> None:
    folder = shipped()[DEFAULT]
    model = starcli.load(DEFAULT)
    assert model.name == DEFAULT and model.warning and model.warning.startswith("TOLD")
    assert sum(file.stat().st_size for file in folder.iterdir()) < 8.5e6
    card = (folder / "README.md").read_text("utf-8")
    assert f"warning: {json.dumps(model.warning)}\n" in card and f"\n{model.warning}.\n" in card


def test_without_a_run_it_names_actions(cli: Cli, clips: Path, tmp_path: Path) -> None:
    outcome = cli(
        "predict",
        str(clips),
        "--actions",
        ", ".join(ACTS),
        "--layout",
        "kinect-v2",
        "--up",
        "y",
        "--unit",
        "m",
        "--store",
        str(tmp_path / "nothing"),
        "--json",
    )
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert document["run"] == DEFAULT
    named = {each["clip"]: each["actions"][0]["name"] for each in document["predictions"]}
    assert len(named) == 6 * len(ACTS)
    right = sum(clip.rpartition("-")[0].endswith(name) for clip, name in named.items())
    assert right >= 15, named
    assert not (tmp_path / "nothing").exists()


def test_a_run_of_the_same_name_comes_first(cli: Cli, tmp_path: Path) -> None:
    from starcli.store.runs import save_run

    store = tmp_path / "store"
    save_run(store, DEFAULT, {"settings": {}, "raw": "", "weights": None, "steps": {}})
    for name in (DEFAULT, None):  # the run, which cannot be opened
        with pytest.raises(UsageError, match="simulated has no protocol ''"):
            starcli.api.open_model(name, store=store)
    assert starcli.load(DEFAULT).name == DEFAULT


def test_a_folder_of_its_name_that_is_no_model_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / DEFAULT).mkdir()
    monkeypatch.chdir(tmp_path)
    assert starcli.load(DEFAULT).name == DEFAULT


def test_a_name_that_is_nearly_its_own_is_corrected(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("predict", str(tmp_path), "--run", "generall", "--store", str(tmp_path / "store"))
    assert outcome.code == 2 and "no run 'generall' in" in outcome.err
    assert f"did you mean '{DEFAULT}'" in outcome.err


def test_it_is_exported_already(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("export", DEFAULT, str(tmp_path / "new"), "--store", str(tmp_path / "store"))
    assert outcome.code == 2 and f"copy {shipped()[DEFAULT]}" in outcome.err
    assert not (tmp_path / "new").exists()


def test_it_does_not_stand_where_recordings_do(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("predict", DEFAULT, "clips", "--store", str(tmp_path / "store"))
    assert outcome.code == 2 and "'general' is a model, and recordings come first" in outcome.err
    assert "use: starcli predict clips --run general" in outcome.err

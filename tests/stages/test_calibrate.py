"""The way from nested runs to a report: folds, gate, oracle, and several runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli import pipeline
from starcli.data.clips import ClipSet
from starcli.experiment import Experiment
from starcli.report.document import evaluation_document
from starcli.settings.resolve import load
from tests.conftest import Outcome
from tests.test_pipeline import TRAIN, tiny

Cli = Callable[..., Outcome]
TWO = {"validation__folds": 2, "pretrain__epochs": 2}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A store with a tiny run of one fold, then of two, and what ran for the second."""
    store = tmp_path_factory.mktemp("two") / "store"
    one = {k: v for k, v in TWO.items() if k != "validation__folds"}
    pipeline.run_steps(tiny(store, **one), "calibrate")
    results, ran = pipeline.run_steps(tiny(store, **TWO), "calibrate")
    pipeline.record(tiny(store, **TWO), results, "two")
    return store, ran


@pytest.mark.slow
def test_another_fold_runs_only_what_is_its_own(two: tuple[Path, list[str]]) -> None:
    assert two[1] == [
        "pretrain/validation-1",
        "extract/validation-1",
        "train/validation-1",
        "train",
        "evaluate",
        "calibrate",
    ]


@pytest.mark.slow
def test_every_fold_keeps_its_classes_from_encoder_and_head(two: tuple[Path, list[str]]) -> None:
    experiment = tiny(two[0], **TWO)
    results, _ = pipeline.run_steps(experiment, "calibrate")
    index = ClipSet.open(results["prepare"]).index
    held: list[int] = []
    for role in experiment.folds:
        task = experiment.task(index, role)
        assert set(results[f"pretrain/{role}"].summary["classes"]) == set(task.seen)
        assert results[f"extract/{role}"].summary["backbone_saw"] == list(task.seen)
        assert results[f"train/{role}"].summary["unseen"] == list(task.unseen)
        assert not set(task.unseen) & {index.labels[i] for i in task.train}
        held += task.unseen
    assert len(held) == len(set(held)) == 10
    assert not set(held) & set(experiment.unseen)


@pytest.mark.slow
def test_epochs_and_gamma_are_chosen_on_both_folds(two: tuple[Path, list[str]]) -> None:
    from starcli.evaluation import calibrated_stacking
    from starcli.evaluation.model_selection import select_model

    experiment = tiny(two[0], **TWO)
    results, _ = pipeline.run_steps(experiment, "calibrate")
    nested = [results[f"train/{role}"] for role in experiment.folds]
    chosen = select_model(nested)
    assert results["train"].summary["epochs"] == chosen.epochs
    found = results["calibrate"].data()
    curve = calibrated_stacking.mean([calibrated_stacking.sweep(f) for f in chosen.scored])
    best = calibrated_stacking.choose(curve, 0.9)
    assert found["epochs"] == chosen.epochs
    assert found["gamma"] == best.model_dump()
    assert evaluation_document("two", experiment, results).validation_folds == 2


def test_more_folds_than_classes_are_refused_before_any_work(cli: Cli) -> None:
    outcome = cli("train", *TRAIN, "--set", "validation.folds=6")
    assert outcome.code == 2
    assert "25 seen classes make no 6 groups of 5" in outcome.err
    assert "use 5 or fewer" in outcome.err
    assert not Path("starcli-store").exists()


def test_published_validation_classes_are_one_fold() -> None:
    def folds(**more: Any) -> tuple[str, ...]:
        return Experiment(load({"dataset.name": "ntu60", "validation.folds": 3, **more})).folds

    assert folds() == ("validation",)
    own = folds(**{"validation.published": False})
    assert own == ("validation", "validation-1", "validation-2")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["evaluate", "calibrate"])
def test_oracle_is_said_everywhere_c14(cli: Cli, two: tuple[Path, list[str]], command: str) -> None:
    arguments = (command, "two", "--select", "oracle", "--store", str(two[0]))
    document = json.loads(cli(*arguments, "--json").out)
    assert document["selection"] == "oracle"
    table = cli(*arguments)
    assert table.code == 0, table.err
    assert "oracle: gamma tuned on the test clips, never a result" in table.out
    plain = json.loads(cli(command, "two", "--store", str(two[0]), "--json").out)
    assert plain["selection"] == "validation"
    stored = two[0] / "runs" / "two"
    if command == "calibrate":
        assert json.loads((stored / "calibration-oracle.json").read_text())["selection"] == "oracle"
        assert json.loads((stored / "calibration.json").read_text())["selection"] == "validation"


@pytest.mark.slow
def test_the_gate_on_a_run(cli: Cli, two: tuple[Path, list[str]]) -> None:
    arguments = ("two", "--calibrator", "gate", "--store", str(two[0]))
    document = json.loads(cli("evaluate", *arguments, "--json").out)
    assert document["calibrator"]["name"] == "gate"
    plain = json.loads(cli("evaluate", "two", "--store", str(two[0]), "--json").out)
    assert plain["calibrator"]["name"] == "stacking"
    assert plain["zsl"] == document["zsl"]
    table = cli("calibrate", *arguments)
    assert table.code == 0, table.err
    assert "gate: weights" in table.out
    assert "two: gate, gamma and epochs" in table.out


MEASURED = [
    ("ZSL", "zsl", "accuracy"),
    ("S", "gzsl", "seen_accuracy"),
    ("U", "gzsl", "unseen_accuracy"),
    ("H", "gzsl", "harmonic_mean"),
]


@pytest.mark.slow
def test_several_seeds_are_runs_of_their_own(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("train", *TRAIN, "--seeds", "0, 3", "--run", "mine", "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert [(run["run"], run["seed"]) for run in found["runs"]] == [("mine-s0", 0), ("mine-s3", 3)]
    single = [json.loads(cli("evaluate", f"mine-s{seed}", "--json").out) for seed in (0, 3)]
    for name, group, key in MEASURED:
        values = [document[group][key] for document in single]
        assert [run[name] for run in found["runs"]] == values
        assert found["mean"][name] == pytest.approx(np.mean(values))
        assert found["std"][name] == pytest.approx(np.std(values, ddof=1))
    again = cli("evaluate", "mine-s0", "mine-s3", "--json")
    assert json.loads(again.out) == found
    table = cli("evaluate", "mine-s0", "mine-s3")
    assert "standard deviation" in table.out
    assert "2 runs: gamma and epochs chosen on pseudo-unseen" in table.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--seeds", "0,,1"], "'0,,1' is not a list of different seeds"),
        (["train", "--seeds", "1,1"], "'1,1' is not a list of different seeds"),
        (["train", "--seeds", "-1"], "'-1' is not a list of different seeds"),
        (["train", "--seeds", "0,1", "--seed", "2"], "--seeds trains several runs"),
        (["train", "--seeds", "0,1", "--show-settings"], "--seeds trains several runs"),
        (["evaluate", "--gamma", "0", "--select", "oracle"], "--gamma fixes"),
        (["calibrate", "--select", "test"], "'test'"),
    ],
)
def test_misplaced_arguments(cli: Cli, arguments: list[str], said: str) -> None:
    outcome = cli(*arguments)
    assert outcome.code == 2
    assert said in outcome.err


def test_a_tracker_that_is_not_installed_is_named_before_any_work(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from starcli.training import tracking

    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    outcome = cli("train", *TRAIN, "--set", "run.tracker=wandb")
    assert outcome.code == 4
    assert "wandb is not installed" in outcome.err

"""Runs side by side: what is averaged, over what, and how far other folds lie apart."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from starcli import pipeline
from starcli.data.splits import family
from starcli.errors import UsageError
from starcli.evaluation.report import OtherFold
from starcli.experiment import Experiment
from starcli.report import differences, replicates
from starcli.report.differences import Answers
from starcli.settings.resolve import load
from tests.conftest import Outcome
from tests.documents import evaluation
from tests.test_pipeline import TINY

Cli = Callable[..., Outcome]


def document(split: str, seed: int, zsl: float) -> Answers:
    """Of ten clips so many are right among the unseen classes, and none among all."""
    gzsl = {"seen_accuracy": 0.5, "unseen_accuracy": zsl / 2, "harmonic_mean": zsl / 4}
    digits = "".join("1" if clip < round(10 * zsl) else "0" for clip in range(10))
    right = {"zsl": {"wave": digits}, "gzsl": {"wave": "0" * 10, "sit": "0" * 10}}
    own = {"split": split, "seed": seed, "zsl": {"accuracy": zsl}, "gzsl": gzsl}
    return Answers(evaluation(own), [f"{split} {clip}" for clip in range(20)], right)


def identity(split: str = "fold0", seed: int = 0, **more: Any) -> dict[str, Any]:
    own = {key.replace("__", "."): value for key, value in more.items()}
    return {
        "dataset.name": "d",
        "dataset.split": split,
        "seed": seed,
        "method.name": "star",
        "method.epochs": 3,
        "recordings": "x",
        **own,
    }


@pytest.mark.parametrize(
    ("split", "name"),
    [
        ("fold0", "fold"),
        ("fold12", "fold"),
        ("smie-1", "smie-"),
        ("sa-dvae-3", "sa-dvae-"),
        ("55/5", "55/5"),
        ("110/10", "110/10"),
        ("48/12", "48/12"),
        ("easy", "easy"),
    ],
)
def test_folds_are_told_apart_by_a_number_at_the_end(split: str, name: str) -> None:
    assert family(split) == name


def test_seeds_are_averaged() -> None:
    documents = {"a": document("fold0", 0, 0.2), "b": document("fold0", 1, 0.5)}
    found: Any = replicates.summary(documents, {})
    assert (found["over"], found["mean"]["ZSL"]) == ("seeds", pytest.approx(0.35))
    assert found["std"]["ZSL"] == pytest.approx(0.3 / 2**0.5)
    assert [fold["seeds"] for fold in found["folds"]] == [[0, 1]]
    assert [row[0] for row in replicates.rows(found)] == [
        "a",
        "b",
        "mean over seeds",
        "standard deviation over seeds",
    ]


def test_folds_are_averaged() -> None:
    documents = {"a": document("fold0", 0, 0.2), "b": document("fold1", 0, 0.6)}
    found: Any = replicates.summary(documents, {})
    assert (found["over"], found["mean"]["ZSL"]) == ("folds", pytest.approx(0.4))
    assert found["std"]["ZSL"] == pytest.approx(0.4 / 2**0.5)
    assert [row[0] for row in replicates.rows(found)][2:] == [
        "mean over folds",
        "standard deviation over folds",
    ]


def test_of_folds_and_seeds_each_fold_counts_the_same() -> None:
    """Three seeds of one fold, one of the other: (0.2 + 0.8) / 2, not the mean of four runs."""
    documents = {f"a{seed}": document("fold0", seed, 0.1 * (seed + 1)) for seed in range(3)}
    found: Any = replicates.summary({**documents, "b": document("fold1", 0, 0.8)}, {})
    assert (found["over"], found["mean"]["ZSL"]) == ("folds and seeds", pytest.approx(0.5))
    assert found["std"]["ZSL"] == pytest.approx(0.6 / 2**0.5)
    first, second = found["folds"]
    assert (first["split"], first["seeds"]) == ("fold0", [0, 1, 2])
    assert (first["mean"]["ZSL"], first["std"]["ZSL"]) == (pytest.approx(0.2), pytest.approx(0.1))
    assert (second["mean"]["ZSL"], second["std"]["ZSL"]) == (0.8, None)
    assert [row[:2] for row in replicates.rows(found)][4:] == [
        ("fold0, mean over seeds 0, 1, 2", "20.0 %"),
        ("fold0, standard deviation over seeds", "10.0 %"),
        ("mean over 2 folds, each the mean over its seeds", "50.0 %"),
        ("standard deviation over these folds", "42.4 %"),
    ]
    assert found["std_seeds"] is None  # seed 0 alone is of both folds


def test_seeds_of_several_folds_have_a_spread_of_their_own() -> None:
    """Means over the folds of 0.3 and 0.6 with seeds 0 and 1."""
    values = {("fold0", 0): 0.2, ("fold1", 0): 0.4, ("fold0", 1): 0.7, ("fold1", 1): 0.5}
    runs = {f"{split} {seed}": document(split, seed, v) for (split, seed), v in values.items()}
    found: Any = replicates.summary(runs, {})
    assert found["std_seeds"]["ZSL"] == pytest.approx(0.3 / 2**0.5)
    assert replicates.rows(found)[-1][:2] == (
        "standard deviation over seeds, each the mean over these folds",
        "21.2 %",
    )


def test_settings_are_compared_over_the_folds_and_seeds_that_both_have() -> None:
    """Fold 1 has no second setting, and seed 1 of it no first."""
    runs = {
        "a0": document("fold0", 0, 0.2),
        "a1": document("fold1", 0, 0.9),
        "b0": document("fold0", 0, 0.5),
        "b1": document("fold0", 1, 0.9),
    }
    found: Any = replicates.summary(runs, {"method.name": ["x", "x", "y", "y"]})
    zsl = found["differences"][0]
    assert (zsl["first"], zsl["second"], zsl["measure"]) == ("x", "y", "ZSL")
    assert (zsl["folds"], zsl["seeds"]) == (["fold0"], [0])
    assert zsl["difference"] == pytest.approx(0.3)
    assert -1 <= zsl["low"] < 0.3 < zsl["high"] <= 1
    assert differences.rows(found["differences"])[0][:2] == ("y: ZSL", "+30.0 %")
    assert "one seed does not tell" in differences.title(found["differences"])


def test_a_setting_tested_on_other_clips_is_not_compared() -> None:
    runs = {"a": document("fold0", 0, 0.2), "b": document("fold0", 1, 0.5)}
    found = replicates.summary(runs, {"parts": [6, 2]})
    assert found["differences"] == []
    other = document("fold0", 0, 0.5)
    others = Answers(other.document, other.clips[1:], other.right)
    assert differences.differences({"a": [runs["a"]], "b": [others]}) == []
    assert len(differences.differences({"a": [runs["a"]], "b": [other]})) == 4


def test_more_settings_make_wider_intervals() -> None:
    runs = {"a": [document("fold0", 0, 0.2)], "b": [document("fold0", 0, 0.5)]}
    (two, *_), (three, *_) = (
        differences.differences(each) for each in (runs, {**runs, "c": runs["b"]})
    )
    assert three["high"] - three["low"] > two["high"] - two["low"]


def test_other_runs_are_compared() -> None:
    documents = {"a": document("fold0", 0, 0.2), "b": document("fold0", 1, 0.5)}
    found: Any = replicates.summary(documents, {"parts": [6, 2]})
    assert (found["mean"], found["std"], found["over"], found["folds"]) == (None, None, None, [])
    assert [row[0] for row in replicates.rows(found)] == ["a", "b"]
    title = replicates.title({name: run.document for name, run in documents.items()}, found)
    assert "2 runs compared, not averaged, since they differ in parts 6 / 2: gamma" in title


@pytest.mark.parametrize(
    ("other", "differ"),
    [
        (identity(seed=1), {}),
        (identity("fold3", seed=1), {}),
        (identity("55/5"), {"dataset.split": ["fold", "55/5"]}),
        (identity(method__epochs=4), {"method.epochs": [3, 4]}),
        (identity(method__name="msf", method__lr=0.1), {"method.name": ["star", "msf"]}),
        (identity(recordings="y", seed=1), {"recordings": ["x", "y"]}),
        (identity(weights="w"), {"weights": [None, "w"]}),
    ],
)
def test_what_runs_differ_in(other: dict[str, Any], differ: dict[str, Any]) -> None:
    assert replicates.differing({"a": identity(), "b": other}) == differ


def test_a_run_counts_once_under_two_names() -> None:
    with pytest.raises(UsageError, match="runs 'a' and 'c' are the same") as caught:
        replicates.differing({"a": identity(), "b": identity(seed=1), "c": identity()})
    assert caught.value.fix == "leave one out"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Tiny runs of a quick method: two folds with a seed each, and one with another setting."""
    place = tmp_path_factory.mktemp("replicates") / "store"
    common = {k: v for k, v in TINY.items() if not k.startswith("method.")} | {
        "run.store": place,
        "method.name": "eszsl",
    }
    runs: dict[str, dict[str, object]] = {
        "b": {"dataset.split": "fold1", "seed": 1},
        "c": {"method.gamma": 7.0},
        "a": {},
    }
    for name, more in runs.items():
        experiment = Experiment(load({**common, **more}))
        pipeline.record(experiment, pipeline.run_steps(experiment, "train")[0], name)
    return str(place)


def evaluated(cli: Cli, store: str, *runs: str) -> dict[str, Any]:
    outcome = cli("evaluate", *runs, "--store", store, "--json")
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


@pytest.mark.slow
def test_a_fold_says_how_far_the_others_lie_apart(cli: Cli, store: str, tmp_path: Path) -> None:
    store = str(shutil.copytree(store, tmp_path / "store"))  # others evaluate in theirs
    assert evaluated(cli, store, "a")["other_folds"] == []  # b is not evaluated yet
    b = evaluated(cli, store, "b")
    assert [run["run"] for run in b["other_folds"]] == ["a"]
    (other,) = evaluated(cli, store, "a")["other_folds"]
    zsl, gzsl = b["zsl"], b["gzsl"]
    assert other == {
        "run": "b",
        "split": "fold1",
        "seed": 1,
        "ZSL": zsl["accuracy"],
        "S": gzsl["seen_accuracy"],
        "U": gzsl["unseen_accuracy"],
        "H": gzsl["harmonic_mean"],
    }
    table = " ".join(cli("evaluate", "a", "--store", store).out.split())
    assert f"other folds of this data set, ZSL (1 run) │ {100 * other['ZSL']:.1f} %" in table
    assert evaluated(cli, store, "c")["other_folds"] == []
    Path(store, "runs", "damaged").mkdir()
    Path(store, "runs", "damaged", "run.json").write_text("{")
    assert evaluated(cli, store, "a")["other_folds"] == [other]


@pytest.mark.slow
def test_runs_of_two_folds_are_averaged_and_others_compared(cli: Cli, store: str) -> None:
    found = evaluated(cli, store, "a", "b")
    assert (found["over"], found["differ"]) == ("folds and seeds", {})
    compared = evaluated(cli, store, "a", "c")
    assert (compared["mean"], compared["differ"]) == (None, {"method.gamma": [0.1, 7.0]})
    a, c = compared["runs"]
    for each in compared["differences"]:
        assert each["difference"] == pytest.approx(c[each["measure"]] - a[each["measure"]])
    table = cli("evaluate", "a", "c", "--store", store)
    assert "mean over" not in table.out
    assert "difference from a, with intervals" in table.out
    assert table.out.count("│ a ") == table.out.count("│ c ") == 1


@pytest.mark.slow
def test_runs_of_one_split_and_seed_are_one_where_their_scores_are_added(
    cli: Cli, store: str
) -> None:
    found = cli("evaluate", "a", "c", "--fuse", "--store", store, "--json")
    assert found.code == 0, found.err
    document = json.loads(found.out)
    weights = {run["run"]: run["weight"] for run in document["runs"]}
    assert sum(weights.values()) == 1 and weights.keys() == {"a", "c"}
    assert document["runs"][0]["ZSL"] == evaluated(cli, store, "a")["zsl"]["accuracy"]
    table = cli("evaluate", "a", "c", "--fuse", "--store", store)
    assert f"│ {100 * document['gzsl']['harmonic_mean']:.1f} %" in table.out
    assert table.out.count("│ fused") == 1
    other = cli("evaluate", "a", "b", "--fuse", "--store", store)
    assert other.code == 2 and "b has other clips or classes than a" in other.err
    alone = cli("evaluate", "a", "--fuse", "--store", store)
    assert alone.code == 2 and "name two or more" in alone.err


def test_the_range_of_several_folds() -> None:
    folds = [
        OtherFold(run="a", split="fold1", seed=0, ZSL=zsl, S=0, U=0, H=0.3)
        for zsl in (0.575, 0.731, 0.6)
    ]
    assert replicates.spread_rows(folds) == [
        ("  other folds of this data set, ZSL (3 runs)", "57.5 % to 73.1 %"),
        ("  other folds of this data set, H (3 runs)", "30.0 %"),
    ]
    assert replicates.spread_rows([]) == []

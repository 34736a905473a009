"""Targets that are named and never learned from: what their cells learn, and a tiny run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from starcli.benchmark.grid import Cell, cells, names_of
from starcli.benchmark.table import Target, read
from starcli.contracts import NoSettings
from starcli.errors import UsageError
from starcli.experiment import Experiment
from starcli.settings.resolve import load
from starcli_plugins.datasets.kinect.florence3d import Florence3d
from tests.conftest import Outcome

Cli = Callable[..., Outcome]
TABLE = """
[settings]
dataset.name = "simulated"
dataset.protocol = "all"
dataset.split = "all"
dataset.simulated.subjects = 2
backbone.name = "part-pure"
backbone.width = 8
backbone.dim = 50
encoder.name = "glove-50"
pretrain.frames = 32
pretrain.epochs = 1
pretrain.teacher = "movements"
pretrain.teacher_clips = 6
method.name = "cosine"

[[targets]]
dataset = "florence3d"
clips = "*_s1_*"
names = ["wave", "clap", "bow"]

[rows]
told = { pretrain.teacher_told = true }
"left out" = { dataset.leave_out = "target" }
"""
TOLD = "told = { pretrain.teacher_told = true }"


def written(folder: Path, text: str = TABLE) -> str:
    file = folder / "mine.toml"
    file.write_text(text)
    return str(file)


def cells_of(folder: Path, text: str = TABLE) -> list[Cell]:
    return cells(read(written(folder, text)), {"run.store": folder / "store"}, None)


def test_a_target_is_no_source_and_its_names_are_left_out_where_asked(tmp_path: Path) -> None:
    text = TABLE.replace(TOLD, 'told = { dataset.name = "kard, florence3d,hdm05" }')
    told, left_out = cells_of(tmp_path, text)
    assert told.flags["dataset.name"] == "kard,hdm05"
    assert left_out.flags["dataset.leave_out"] == ("wave", "clap", "bow")
    assert "dataset.leave_out" not in told.flags and told.stage == "train"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TABLE.replace(', "clap", "bow"', ""), "target florence3d has one name"),
        (TABLE.replace('"clap"', '"fly"'), "target florence3d: no class 'fly'"),
        (TABLE.replace(TOLD, 'told = { dataset.name = "florence3d" }'), "nothing is left"),
        (TABLE.replace(TOLD, "told = { seed = 3 }"), "seed is not for a row"),
        (TABLE + '[[columns]]\ndataset="a"\nprotocol="b"\nsplits=["c"]', "columns or targets"),
        (TABLE.replace('clips = "*_s1_*"', "clip = 1"), "clip: no such key; did you mean 'clips'"),
    ],
)
def test_impossible_targets_are_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        cells_of(tmp_path, text)
    assert message in f"{error.value} {error.value.fix}"


def test_without_names_all_classes_are_meant() -> None:
    assert len(names_of(Target(dataset="florence3d"))) == 9


def test_classes_near_to_what_stays_unknown_are_not_seen() -> None:
    values = {"dataset.name": "movements", "dataset.split": "all"}
    e = Experiment(load({**values, "dataset.leave_out": ["answer phone"]}))
    left_out = {e.source.classes[label]: name for label, name in e.left_out.items()}
    assert left_out == dict.fromkeys(["answer the phone", "talk on the phone"], "answer phone")
    assert e.unseen == () and e.folds == () and not set(e.left_out) & set(e.seen)
    assert len(e.seen) + 2 == len(e.source.classes) == len(Experiment(load(values)).seen)


def test_a_class_is_left_out_for_any_of_its_names() -> None:
    values = {"dataset.name": "movements", "dataset.split": "all"}
    e = Experiment(load({**values, "dataset.leave_out": ["curl both arms"]}))
    assert {e.source.classes[label] for label in e.left_out} == {"curl an arm", "lift weights"}


@pytest.mark.slow
def test_a_target_is_named_by_runs_that_never_saw_it(cli: Cli, tmp_path: Path) -> None:
    recordings = tmp_path / "root" / "florence3d"
    recordings.mkdir(parents=True)
    Florence3d(NoSettings()).write_sample(recordings)
    places = ("--dataset-root", str(tmp_path / "root"), "--store", str(tmp_path / "store"))
    command = ("benchmark", written(tmp_path), *places, "--json")
    outcome = cli(*command)
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    told, left_out = document["cells"]
    assert told["sources"] == left_out["sources"] == ["simulated"]
    assert told["left_out"] == told["left_out_movements"] == []
    assert "bow politely with arms folded" in left_out["left_out"]
    assert "kick a ball with a turn of the body" not in left_out["left_out"]
    assert {"wave", "clap", "bow"} <= set(left_out["left_out_movements"])
    assert told["top5"] == 1.0 and told["top1"] in (0.0, 1 / 3, 2 / 3, 1.0)
    assert [value["measure"] for value in document["values"][:2]] == ["top1", "by_class"]
    again = cli(*command, "--dry-run")
    assert {cell["status"] for cell in json.loads(again.out)["cells"]} == {"cached"}

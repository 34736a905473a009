"""The whole way on a tiny simulated run: caching, resuming, leaks, reports."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from starcli import pipeline
from starcli.data.clips import ClipSet
from starcli.errors import DataError
from starcli.experiment import Experiment
from starcli.settings.resolve import load
from tests.conftest import Outcome

Cli = Callable[..., Outcome]
TINY = {
    "dataset.subjects": 2,
    "backbone.widths": [8, 8],
    "backbone.strides": [2, 2],
    "encoder.name": "glove-50",
    "pretrain.frames": 16,
    "pretrain.epochs": 1,
    "method.epochs": 2,
    "method.attributes": 4,
    "method.width": 16,
}
TRAIN = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
ALL = [step.name for step in pipeline.steps()]
BEFORE_EVALUATE = ALL[: ALL.index("evaluate")]


def tiny(store: Path, **changes: Any) -> Experiment:
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return Experiment(load({**TINY, "run.store": store, **dotted}))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one finished tiny run."""
    store = tmp_path_factory.mktemp("trained") / "store"
    results, ran = pipeline.run_steps(tiny(store), "calibrate")
    assert ran == ALL
    pipeline.record(tiny(store), results, "first")
    return store


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """The same to be written into."""
    return Path(shutil.copytree(trained, tmp_path / "copied"))


def would_run(store: Path, **changes: Any) -> list[str]:
    planned = pipeline.plan(tiny(store, **changes), "calibrate")
    return [p.step.name for p in planned if p.artifact is None]


LATER = ["train/validation", "train", "evaluate", "calibrate"]


@pytest.mark.parametrize(
    ("changes", "runs"),
    [
        ({}, []),
        ({"run__device": "cpu"}, []),
        ({"method__alpha": 0.5}, LATER),
        ({"parts": 2}, ["describe", "embed", *LATER]),
        ({"describer__name": "names"}, ["describe", "embed", *LATER]),
        ({"pretrain__lr": 0.5}, [s for s in ALL if s not in ("prepare", "describe", "embed")]),
        ({"dataset__noise": 0.05}, [s for s in ALL if s not in ("describe", "embed")]),
        ({"dataset__split": "fold1"}, ALL[3:]),
    ],
)
def test_a_changed_setting_runs_only_what_depends_on_it(
    trained: Path, changes: dict[str, Any], runs: list[str]
) -> None:
    assert would_run(trained, **changes) == runs


def test_the_plan_names_the_field_that_changed(trained: Path) -> None:
    planned = {p.step.name: p for p in pipeline.plan(tiny(trained, method__alpha=0.5), "train")}
    assert planned["train/validation"].reason == "settings.alpha: 0.1 -> 0.5"
    assert planned["train"].reason == "after train/validation"
    assert planned["pretrain"].reason == "cached"


@pytest.mark.slow
def test_the_same_recipe_gives_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    results, _ = pipeline.run_steps(tiny(tmp_path / "again"), "calibrate")
    for name, artifact in results.items():
        stage = name.partition("/")[0]
        first = json.loads((trained / stage / artifact.key / "meta.json").read_text())
        assert artifact.meta["files"] == first["files"], name


@pytest.mark.slow
def test_a_description_edited_by_hand_is_embedded_again(tmp_path: Path) -> None:
    results, _ = pipeline.run_steps(tiny(tmp_path), "embed")
    path = results["describe"].path / "data.json"
    content = json.loads(path.read_text())
    next(iter(content["actions"].values()))["head"] = "Head turns to the left and back."
    path.write_text(json.dumps(content))
    _, ran = pipeline.run_steps(tiny(tmp_path), "embed")
    assert ran == ["embed"]


def test_a_description_with_a_part_left_out_is_named(tmp_path: Path) -> None:
    results, _ = pipeline.run_steps(tiny(tmp_path), "describe")
    path = results["describe"].path / "data.json"
    content = json.loads(path.read_text())
    name = next(iter(content["actions"]))
    del content["actions"][name]["foot"]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"class '{name}': no text for part 'foot'"):
        pipeline.run_steps(tiny(tmp_path), "embed")


def test_unseen_classes_reach_neither_backbone_nor_head(trained: Path) -> None:
    experiment = tiny(trained)
    results, _ = pipeline.run_steps(experiment, "calibrate")
    index = ClipSet.open(results["prepare"]).index
    for role, name in (("final", "pretrain"), ("validation", "pretrain/validation")):
        task = experiment.task(index, role)
        learned = {index.labels[i] for i in task.train}
        assert not learned & set(task.unseen)
        assert set(results[name].summary["classes"]) == set(task.seen)
    nested = experiment.task(index, "validation")
    assert not set(nested.unseen) & set(experiment.unseen)
    assert not set(nested.test) & set(experiment.task(index, "final").test)


@pytest.mark.slow
def test_a_backbone_that_saw_an_unseen_class_is_refused_c06(tmp_path: Path) -> None:
    experiment = tiny(tmp_path)
    results, _ = pipeline.run_steps(experiment, "pretrain")
    meta = results["pretrain"].path / "meta.json"
    content = json.loads(meta.read_text())
    content["summary"]["classes"].append(experiment.unseen[0])
    del content["seal"]
    meta.write_text(json.dumps(content))
    with pytest.raises(DataError, match="leak: the backbone was trained on unseen classes"):
        pipeline.run_steps(experiment, "extract")


@pytest.mark.slow
def test_a_stopped_training_continues_to_the_same_bytes(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the second epoch of the nested head, then run again."""
    from starcli.stages import train

    original, calls = train._Watcher.after_epoch, []

    def stop(self: Any, epoch: int) -> None:
        calls.append(epoch)
        if len(calls) == 2:
            raise KeyboardInterrupt
        original(self, epoch)

    monkeypatch.setattr(train._Watcher, "after_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run_steps(tiny(tmp_path), "calibrate")
    results, ran = pipeline.run_steps(tiny(tmp_path), "calibrate")
    assert ran[0] == "train/validation"
    assert calls == [1, 2, 2]
    again = results["train/validation"]
    first = json.loads((trained / "train" / again.key / "meta.json").read_text())
    assert again.meta["files"] == first["files"]
    assert again.summary == first["summary"]


def test_the_nested_run_chooses_the_epochs_of_the_reported_one(trained: Path) -> None:
    results, _ = pipeline.run_steps(tiny(trained), "calibrate")
    nested = results["train/validation"].summary
    assert len(nested["area_by_epoch"]) == TINY["method.epochs"]
    assert results["train"].summary["epochs"] == nested["epochs"]


def test_evaluate_reports_the_latest_run(cli: Cli, trained: Path) -> None:
    outcome = cli("evaluate", "--json", "--store", str(trained))
    assert outcome.code == 0, outcome.err
    report = json.loads(outcome.out)
    assert report["ok"] is True
    assert (report["run"], report["dataset"], report["protocol"]) == ("first", "simulated", "xsub")
    assert (report["split"], report["parts"], report["seed"]) == ("fold0", 6, 0)
    assert report["classes"]["unseen"] == [0, 1, 2, 3, 4]
    assert len(report["classes"]["seen"]) == 25
    zsl, gzsl = report["zsl"], report["gzsl"]
    seen, unseen = gzsl["seen_accuracy"], gzsl["unseen_accuracy"]
    harmonic = 2 * seen * unseen / (seen + unseen) if seen + unseen else 0
    assert gzsl["harmonic_mean"] == pytest.approx(harmonic)
    assert gzsl["oracle_harmonic_mean"] >= gzsl["harmonic_mean"]
    assert sum(map(sum, zsl["confusion"])) == zsl["clips"] == 15
    right = sum(zsl["confusion"][c][c] for c in range(30))
    assert zsl["accuracy"] == pytest.approx(right / zsl["clips"])
    assert report["selection"] == "validation"
    assert "pseudo-unseen" in report["selected_by"]


def test_a_fixed_gamma_is_used_and_said(cli: Cli, trained: Path) -> None:
    outcome = cli("evaluate", "first", "--gamma", "99", "--json", "--store", str(trained))
    report = json.loads(outcome.out)
    assert report["gzsl"]["gamma"] == 99
    assert report["gzsl"]["seen_accuracy"] == 0
    assert report["gzsl"]["unseen_accuracy"] == pytest.approx(report["zsl"]["accuracy"])
    assert report["selection"] == "user"
    assert "fixed by the user" in report["selected_by"]
    assert "gamma 99 is outside the gaps of the test clips" in report["doubts"][0]


@pytest.mark.slow
def test_calibrate_prints_and_stores_the_curve(cli: Cli, trained: Path) -> None:
    outcome = cli("calibrate", "--gamma-sweep", "--json", "--store", str(trained))
    report = json.loads(outcome.out)
    curve = report["curves"]["test"]
    assert len(curve["seen_accuracy"]) == len(curve["breakpoints"]) + 1
    assert curve["unseen_accuracy"][0] == 0
    assert curve["seen_accuracy"][-1] == 0
    assert report["oracle"]["harmonic_mean"] == pytest.approx(max(curve["harmonic_mean"]))
    stored, picture = (Path(f) for f in report["files"])
    assert json.loads(stored.read_text())["curves"] == report["curves"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    table = cli("calibrate", "--gamma-sweep", "--store", str(trained))
    assert "never a result" in table.out
    assert "test clips" in table.out


def test_a_second_identical_run_says_that_there_is_nothing_to_do(cli: Cli, copied: Path) -> None:
    outcome = cli("train", *TRAIN, "--store", str(copied), "--json")
    assert json.loads(outcome.out)["ran"] == []
    assert "everything is up to date" in outcome.err


@pytest.mark.slow
def test_a_run_keeps_its_recordings_and_refuses_changed_texts_c18(cli: Cli, tmp_path: Path) -> None:
    assert cli("train", *TRAIN, "--run", "mine").code == 0
    assert cli("evaluate", "mine").code == 0
    texts = next(Path("starcli-store/describe").glob("*/data.json"))
    content = json.loads(texts.read_text())
    next(iter(content["actions"].values()))["head"] = "Head turns to the left and back."
    texts.write_text(json.dumps(content))
    outcome = cli("evaluate", "mine")
    assert outcome.code == 3
    assert "run 'mine' is out of date: its embed has changed since" in outcome.err


@pytest.mark.slow
def test_runs_with_other_settings_have_other_names(cli: Cli, copied: Path) -> None:
    names = []
    for settings in (TRAIN, [*TRAIN, "--set", "method.alpha=0.2"]):
        outcome = cli("train", *settings, "--store", str(copied), "--json")
        names.append(json.loads(outcome.out)["run"])
    assert names[0] != names[1]
    assert all(name.startswith("simulated-xsub-fold0-star6-s0-") for name in names)
    assert cli("evaluate", names[0], "--store", str(copied)).code == 0


def test_an_artifact_finished_by_another_process_is_left_alone(trained: Path) -> None:
    from starcli.store.artifacts import Finished

    experiment = tiny(trained)
    prepared = pipeline.plan(experiment, "prepare")[0]
    assert prepared.artifact is not None
    with pytest.raises(Finished), experiment.store.writing("prepare", prepared.recipe):
        pytest.fail("nothing may be written")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["train", "--raw", "Skeleton.zip"], 2, "simulated reads no recordings"),
        (["evaluate", "--gamma", "nan"], 2, "--gamma nan is not a finite number"),
    ],
)
def test_misplaced_arguments(cli: Cli, arguments: list[str], code: int, said: str) -> None:
    outcome = cli(*arguments)
    assert outcome.code == code
    assert said in outcome.err

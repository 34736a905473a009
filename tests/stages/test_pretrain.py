"""Pretraining: what it measures, what it refuses, and weights that come from a file."""

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from starcli import pipeline
from starcli.data.clips import ClipSet
from starcli.data.transforms import resample_all
from starcli.data.views import Views
from starcli.errors import DataError, OutOfMemoryError, UsageError
from starcli.settings.schema import PretrainSection
from starcli.stages import pretrain
from starcli.store.artifacts import Artifact, save_tensors
from starcli.weights.matching import read_weights
from tests.networks import Bare
from tests.test_pipeline import TINY, TRAIN, Cli, tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a tiny pretrained backbone."""
    store = tmp_path_factory.mktemp("pretrained") / "store"
    pipeline.run_steps(tiny(store, pretrain__epochs=2), "pretrain")
    return store


def result(store: Path, **changes: Any) -> dict[str, Artifact]:
    return pipeline.run_steps(tiny(store, **changes), "pretrain")[0]


@pytest.mark.slow
def test_accuracy_is_of_seen_classes_held_out_or_tested(trained: Path) -> None:
    experiment = tiny(trained, pretrain__epochs=2)
    results, ran = pipeline.run_steps(experiment, "pretrain")
    assert ran == []
    index = ClipSet.open(results["prepare"]).index
    for role, step in (("validation", "pretrain/validation"), ("final", "pretrain")):
        found = results[step].summary
        task = experiment.task(index, role)
        wanted = [i for i in task.test if index.labels[i] in task.seen]
        assert found["accuracy_clips"] == len(wanted) > 0
        assert 0 <= found["accuracy"] <= 1
        assert len(found["loss_by_epoch"]) == 2
        assert not set(wanted) & set(task.train)
    assert len(results["pretrain/validation"].summary["accuracy_by_epoch"]) == 2
    assert results["pretrain/validation"].summary["accuracy_on"] == "held-out training"
    # Nothing may look at test clips while it trains.
    assert results["pretrain"].summary["accuracy_by_epoch"] == []


def test_accuracy_counts_what_the_classifier_names_right(trained: Path) -> None:
    experiment = tiny(trained, pretrain__epochs=2)
    artifact = result(trained, pretrain__epochs=2)["pretrain"]
    clips = ClipSet.open(result(trained, pretrain__epochs=2)["prepare"])
    task = experiment.task(clips.index, "final")
    backbone = experiment.make("backbone", experiment.source.layout)
    model = pretrain.Classifier(backbone, backbone.dim, len(task.seen))
    model.load_state_dict(artifact.tensors())
    model.eval()
    right = total = 0
    for i in task.test:
        if clips.index.labels[i] not in task.seen:
            continue
        joints = clips.joints(i)
        cut = int(0.05 * len(joints) / 2)
        read = resample_all([joints[cut : len(joints) - cut]], 16)
        right += task.seen[int(model(read).argmax())] == clips.index.labels[i]
        total += 1
    assert artifact.summary["accuracy"] == pytest.approx(right / total)


def test_the_file_of_weights_says_what_it_was_trained_on(trained: Path) -> None:
    experiment = tiny(trained, pretrain__epochs=2)
    path = result(trained, pretrain__epochs=2)["pretrain"].path / "data.safetensors"
    with safe_open(path, framework="pt") as file:
        said = json.loads(file.metadata()["starcli"])
    names = [experiment.source.classes[c] for c in experiment.seen]
    assert said == {"dataset": "simulated", "classes": names}


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"pretrain__ema": 0.9},
        {"pretrain__optimizer": "sgd"},
        {"pretrain__schedule": "steps", "pretrain__milestones": [1]},
        {"pretrain__warmup": 0.5},
        {"pretrain__precision": "bf16"},
    ],
)
def test_every_setting_of_the_training_changes_the_weights(
    trained: Path, changes: dict[str, Any]
) -> None:
    first = load_file(result(trained, pretrain__epochs=2)["pretrain"].path / "data.safetensors")
    path = result(trained, pretrain__epochs=2, **changes)["pretrain"].path / "data.safetensors"
    other = load_file(path)
    assert first.keys() == other.keys()
    assert not torch.equal(first["fc.weight"], other["fc.weight"])


def test_half_precision_on_the_cpu_is_refused_g16() -> None:
    with pytest.raises(UsageError, match="fp16 does not train on the CPU"):
        pretrain._precision("fp16", torch.device("cpu"))
    assert pretrain._precision("auto", torch.device("cpu")) == "fp32"
    assert pretrain._precision("bf16", torch.device("cpu")) == "bf16"


def test_weight_decay_follows_the_names_of_parameters() -> None:
    class Body(Bare):
        decay_factors: ClassVar[dict[str, float]] = {r"\.mask$": 0.0, r"shift\.weight$": 10.0}

        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Module()
            self.inner.mask = nn.Parameter(torch.zeros(2))
            self.shift = nn.Linear(2, 3)

    model = pretrain.Classifier(Body(), 3, 4)
    options = PretrainSection(weight_decay=0.01, optimizer="sgd")
    optimizer = pretrain._optimizer(model, options)
    decays = {
        id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]
    }
    named = {name: decays[id(p)] for name, p in model.named_parameters()}
    assert named == pytest.approx(
        {
            "backbone.inner.mask": 0.0,
            "backbone.shift.weight": 0.1,
            "backbone.shift.bias": 0.01,
            "fc.weight": 0.01,
            "fc.bias": 0.01,
        }
    )


def weights_file(trained: Path, folder: Path) -> Path:
    source = result(trained, pretrain__epochs=2)["pretrain"].path / "data.safetensors"
    return Path(shutil.copy(source, folder / "weights.safetensors"))


@pytest.mark.slow
def test_given_weights_are_taken_as_they_are(trained: Path, tmp_path: Path) -> None:
    path = weights_file(trained, tmp_path)
    found = result(tmp_path / "store", backbone__weights=path)
    first = result(trained, pretrain__epochs=2)["pretrain"]
    assert found["pretrain"].summary["accuracy"] == first.summary["accuracy"]
    assert found["pretrain"].summary["classes"] == first.summary["classes"]
    mine = found["pretrain"].tensors()
    assert all(torch.equal(mine[k], v) for k, v in first.tensors().items())
    assert "44 tensors matched" in found["pretrain"].summary["note"]
    # The nested run has fewer classes, so that the classifier does not fit there.
    assert "accuracy" not in found["pretrain/validation"].summary


def test_the_bytes_of_given_weights_make_the_key(trained: Path, tmp_path: Path) -> None:
    path = weights_file(trained, tmp_path)

    def key() -> str:
        return pipeline.plan(tiny(tmp_path, backbone__weights=path), "pretrain")[-1].key

    first = key()
    moved = path.rename(tmp_path / "moved.safetensors")
    shutil.copy(moved, path)
    assert key() == first
    tensors = load_file(path)
    tensors["fc.bias"] += 1
    save_file(tensors, path)
    assert key() != first


def test_weights_that_saw_an_unseen_class_are_refused_c06(trained: Path, tmp_path: Path) -> None:
    path = weights_file(trained, tmp_path)
    changed = tiny(tmp_path, backbone__weights=path, dataset__split="fold1")
    unseen = changed.source.classes[changed.unseen[0]]
    with pytest.raises(DataError, match=f"leak: the backbone was trained on unseen.*{unseen}"):
        pipeline.run_steps(changed, "extract")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (None, "nobody knows which classes"),
        ("all", "leak: the backbone was trained on unseen classes"),
        ("unseen", "leak: the backbone was trained on unseen classes"),
        ("seen", None),
    ],
)
def test_weights_of_a_file_that_says_nothing(
    trained: Path, tmp_path: Path, declared: str | None, said: str | None
) -> None:
    path = tmp_path / "silent.pt"
    torch.save({"state_dict": load_file(weights_file(trained, tmp_path))}, path)
    experiment = tiny(tmp_path)
    names = {
        "seen": [experiment.source.classes[c] for c in experiment.seen],
        "unseen": [experiment.source.classes[experiment.unseen[-1]]],
    }
    changes: dict[str, Any] = {"backbone__weights": path}
    if declared:
        changes["backbone__trained_on"] = names.get(declared, declared)
    if said is None:
        pipeline.run_steps(tiny(tmp_path / "store", **changes), "extract")
        return
    with pytest.raises(DataError, match=said):
        pipeline.run_steps(tiny(tmp_path / "store", **changes), "extract")


@pytest.mark.slow
def test_taken_weights_keep_all_that_their_file_says(trained: Path, tmp_path: Path) -> None:
    path = weights_file(trained, tmp_path)
    e = tiny(tmp_path)
    said = {"dataset": "elsewhere", "classes": ["juggle knives", e.source.classes[e.seen[0]]]}
    save_tensors(load_file(path), path, said)
    found = result(tmp_path / "store", backbone__weights=path, dataset__split="fold0")
    again = read_weights(found["pretrain"].path / "data.safetensors").trained_on
    assert again is not None
    assert (again.dataset, list(again.classes)) == ("elsewhere", said["classes"])
    # The classifier is of as many classes, but not of these.
    assert "accuracy" not in found["pretrain"].summary


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["bow politly with arms folded"], "did you mean"),
        (["nothing like it"], "no class 'nothing"),
    ],
)
def test_a_declared_class_that_does_not_exist_is_refused(
    trained: Path, tmp_path: Path, names: list[str], said: str
) -> None:
    path = tmp_path / "silent.pt"
    torch.save(load_file(weights_file(trained, tmp_path)), path)
    with pytest.raises(UsageError) as caught:
        result(tmp_path / "store", backbone__weights=path, backbone__trained_on=names)
    assert said in caught.value.message + caught.value.fix


def test_a_file_that_says_what_it_saw_takes_no_other_declaration(
    trained: Path, tmp_path: Path
) -> None:
    path = weights_file(trained, tmp_path)
    with pytest.raises(UsageError, match="says itself what it saw"):
        result(tmp_path / "store", backbone__weights=path, backbone__trained_on="all")


@pytest.mark.slow
def test_a_permission_is_not_cached(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "silent.pt"
    torch.save(load_file(weights_file(trained, tmp_path)), path)
    store = tmp_path / "store"
    result(store, backbone__weights=path, backbone__allow_unknown_classes=True)
    with pytest.raises(DataError, match="nobody knows"):
        result(store, backbone__weights=path)


@pytest.mark.slow
def test_results_of_unknown_weights_are_marked(cli: Cli, trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "silent.pt"
    torch.save(load_file(weights_file(trained, tmp_path)), path)
    command = ["train", *TRAIN, "--weights", str(path)]
    refused = cli(*command)
    assert refused.code == 3
    assert "--allow-unknown-classes" in refused.err
    assert cli(*command, "--allow-unknown-classes").code == 0
    for report in (["evaluate"], ["calibrate"]):
        assert "NOT KNOWN whether the backbone saw unseen classes" in " ".join(
            cli(*report).out.replace("│", "").split()
        )
        assert "NOT KNOWN" in json.loads(cli(*report, "--json").out)["warning"]
    path.unlink()
    assert cli("evaluate").code == 0, "what the weights were is recorded with the run"


@pytest.mark.slow
def test_results_of_a_pretrained_backbone_carry_no_warning(cli: Cli) -> None:
    assert cli("train", *TRAIN).code == 0
    assert json.loads(cli("evaluate", "--json").out)["warning"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--weights", "nowhere.pt"], 3, "nowhere.pt: no such file of weights"),
        (["--recipe", "publshed"], 2, "did you mean 'published'?"),
        (["--set", "pretrain.precision=fp16"], 2, "fp16 does not train on the CPU"),
        (["--set", "pretrain.lr=1e30"], 8, "loss is nan in epoch"),
        (["--set", "backbone.trained_on=5"], 2, "backbone.trained_on"),
    ],
)
def test_bad_input_g13_g16(cli: Cli, arguments: list[str], code: int, said: str) -> None:
    settings = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
    outcome = cli("pretrain", *settings, "--set", "pretrain.epochs=20", *arguments)
    assert outcome.code == code, outcome.err
    assert said in outcome.err
    assert "fix:" in outcome.err


@pytest.mark.slow
def test_the_command_says_how_good_the_backbone_is(cli: Cli) -> None:
    outcome = cli("pretrain", *TRAIN)
    assert outcome.code == 0, outcome.err
    assert "% of 75 test clips of seen classes right" in outcome.err


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
    ],
    ids=["cpu", "cuda", "python"],
)
def test_memory_that_runs_out_names_the_setting_to_lower_g10_g11(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def exhausted(*args: Any, **more: Any) -> None:
        raise error

    monkeypatch.setattr(Views, "augmented", exhausted)
    with pytest.raises(OutOfMemoryError) as caught:
        pipeline.run_steps(tiny(tmp_path), "pretrain")
    assert caught.value.message == "out of memory in pretrain/validation"
    assert "pretrain.batch (now 16)" in caught.value.fix
    assert caught.value.exit_code == 7

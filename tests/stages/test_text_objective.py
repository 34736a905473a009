"""Pretraining on texts: what is read of them, mirrored copies, keys, and a whole tiny run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from starcli import pipeline
from starcli.contracts import TextBank
from starcli.data.clips import ClipSet
from starcli.data.layouts import counterparts
from starcli.data.splits import Task
from starcli.errors import DataError, UsageError
from starcli.experiment import Experiment
from starcli.settings.resolve import load
from starcli.stages import pretrain
from starcli.stages.embed import open_bank, open_mirrored
from starcli.stages.text_objective import TextAligner, mirrored_is_new, text_aligner
from starcli.text.mirroring import mirrored
from starcli_plugins.layouts import KINECT_V2
from tests.networks import Bare

TINY = {
    "dataset.subjects": 2,
    "backbone.name": "part-pure",
    "backbone.width": 8,
    "backbone.dim": 50,
    "encoder.name": "glove-50",
    "pretrain.epochs": 2,
    "method.name": "cosine",
}


def tiny(store: Path, **changes: Any) -> Experiment:
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return Experiment(load({**TINY, "run.store": store, **dotted}))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the results of one tiny run."""
    folder = tmp_path_factory.mktemp("texts") / "store"
    pipeline.run_steps(tiny(folder), "calibrate")
    return folder


class Placed(Bare):
    """A backbone whose tokens are the first two coordinates of the joints."""

    dim = 2

    def forward(self, clips: Tensor) -> Tensor:
        return clips[:, :2, :1, :, 0].permute(0, 2, 3, 1)


PARTS = {"hand": (0,), "leg": (1,)}


def aligner(copies: bool = False) -> TextAligner:
    """Two classes whose hands go along x and y; their copies in a mirror exchange both."""
    names, facets = ("one", "two"), ("name", "hand", "leg")
    vectors = torch.eye(2)[:, None].expand(2, 3, 2).contiguous()
    bank, flipped = TextBank(names, facets, vectors), TextBank(names, facets, vectors.flip(0))
    backbone: Any = Placed()
    return TextAligner(backbone, PARTS, bank, flipped if copies else None, 0.0)


def clip(x: float, y: float) -> Tensor:
    """A clip [1, 3, 1, 2, 1] of two joints at one place."""
    return torch.tensor([x, y, 0.0]).view(1, 3, 1, 1, 1).expand(1, 3, 1, 2, 1)


def test_a_clip_is_named_by_the_whole_and_its_parts() -> None:
    scores = aligner(copies=True).classify(torch.cat([clip(3, 0), clip(0, 2), clip(1, 1)]))
    want = torch.tensor([[2.0, 0], [0, 2], [2**0.5, 2**0.5]])
    torch.testing.assert_close(scores, want)


def test_the_loss_by_hand() -> None:
    """Of a clip that is just what its texts say: scale 1.5 exp(2.3) against a cosine of 0."""
    model = aligner()
    terms = model.loss(model(clip(1, 0)), torch.tensor([0]))
    scale = 1.5 * torch.tensor(2.3).exp()
    want = torch.nn.functional.cross_entropy(
        torch.stack([scale, 0 * scale])[None], torch.tensor([0])
    )
    torch.testing.assert_close(terms["whole"], want)
    torch.testing.assert_close(terms["parts"], want)
    assert model.log_scale.requires_grad and set(model.state_dict()) == {"log_scale"}


def test_logits_of_classes_of_other_data_sets_are_lowered() -> None:
    """Also those of their copies in a mirror, which say the same the other way round."""
    off = torch.tensor([[0.0, 3.0]])
    scale = float(1.5 * torch.tensor(2.3).exp())
    for copies, logits in ((False, [scale, -3.0]), (True, [scale, -3.0, 0.0, -torch.inf])):
        model = aligner(copies=copies)
        terms = model.loss(model(clip(1, 0)), torch.tensor([0]), off)
        want = torch.nn.functional.cross_entropy(torch.tensor([logits]), torch.tensor([0]))
        torch.testing.assert_close(terms["whole"], want)
        torch.testing.assert_close(terms["parts"], want)


def test_clips_of_small_classes_come_more_often() -> None:
    """Four clips of one class and one of another: half as often each, by the root of four."""
    examples = object.__new__(pretrain._Examples)
    examples.targets, examples.drawn_by_share = torch.tensor([0, 0, 0, 0, 1]), True
    examples.shares = pretrain.shares(examples.targets, 0.5)
    torch.testing.assert_close(
        examples.shares, torch.tensor([1, 2, 3, 4, 6], dtype=torch.float64) / 6
    )
    draws = torch.zeros(3, 8)
    draws[:, 7] = torch.tensor([0.0, 0.5, 0.999])
    assert examples.drawn(torch.tensor([4, 4, 4]), draws).tolist() == [0, 3, 4]
    examples.drawn_by_share = False
    assert examples.drawn(torch.tensor([4, 2]), draws).tolist() == [4, 2]


def test_the_first_of_several_data_sets_has_its_share_of_a_batch() -> None:
    """Of five clips two are its own: together 0.7, by their classes among themselves."""
    targets, own = torch.tensor([0, 0, 0, 0, 1]), torch.tensor([True, False, False, False, True])
    ends = pretrain.shares(targets, 0.5, own, 0.7)
    each = ends.diff(prepend=torch.zeros(1))
    torch.testing.assert_close(
        each, torch.tensor([0.7 / 3, 0.1, 0.1, 0.1, 1.4 / 3], dtype=torch.float64)
    )
    alone = pretrain.shares(targets, 0.0, torch.ones(5, dtype=torch.bool), 0.7)
    torch.testing.assert_close(alone, torch.arange(1, 6, dtype=torch.float64) / 5)


def test_mirrored_texts_that_say_the_same_are_not_wrong() -> None:
    """The copy of the second class says what the first one says."""
    model = aligner(copies=True)
    right = torch.tensor([0, 3, 1])
    clips = torch.cat([clip(1, 0), clip(1, 0), clip(1, 0)])
    terms = [model.loss(model(clips[n : n + 1]), right[n : n + 1]) for n in range(3)]
    for name in ("whole", "parts"):
        torch.testing.assert_close(terms[0][name], terms[1][name])
        assert terms[2][name] > 10 * terms[0][name]


def test_no_clip_is_mirrored_into_an_unseen_class() -> None:
    names = ("left wave", "right wave", "clap", "turn clockwise", "draw to the left")
    task = Task(seen=(1, 2, 3, 4), unseen=(0,), train=(), test=())
    assert mirrored_is_new(names, task).tolist() == [False, True, True, True]


def test_counterparts_of_a_layout() -> None:
    other = counterparts(KINECT_V2)
    names = KINECT_V2.joints
    assert names[other[names.index("left hand tip")]] == "right hand tip"
    assert other[names.index("head")] == names.index("head")
    assert [other[o] for o in other] == list(range(25))
    one_handed = replace(KINECT_V2, joints=("left fin", *KINECT_V2.joints[1:]))
    with pytest.raises(DataError, match="kinect-v2 has no joint right fin"):
        counterparts(one_handed)


@pytest.mark.slow
def test_the_bank_has_texts_of_mirrored_copies(store: Path) -> None:
    results, ran = pipeline.run_steps(tiny(store), "embed")
    assert ran == []
    artifact = results["embed"]
    content, copies = artifact.data(), open_mirrored(artifact)
    assert copies is not None
    for row, other in zip(content["texts"], content["mirrored"], strict=True):
        assert other == [mirrored(text) for text in row]
    # The vectors are those of the texts: what a mirror does not change has the same.
    bank = open_bank(artifact)
    sided = torch.tensor([[mirrored(text) != text for text in row] for row in content["texts"]])
    assert sided.any() and not sided.all()
    assert torch.equal(copies.vectors[~sided], bank.vectors[~sided])


@pytest.mark.slow
def test_texts_of_classes_alone_have_no_copies(store: Path) -> None:
    results, _ = pipeline.run_steps(tiny(store, pretrain__mirror=False), "embed")
    assert open_mirrored(results["embed"]) is None
    assert "mirrored" not in results["embed"].data()
    both, _ = pipeline.run_steps(tiny(store), "embed")
    assert torch.equal(open_bank(results["embed"]).vectors, open_bank(both["embed"]).vectors)


def test_pretraining_on_texts_needs_them_and_on_classes_does_not(tmp_path: Path) -> None:
    def inputs(**changes: Any) -> dict[str, Any]:
        planned = pipeline.plan(tiny(tmp_path, method__name="devise", **changes), "train")
        return {p.step.name: p.recipe for p in planned}

    texts = inputs()
    assert set(texts["pretrain"]["inputs"]) == {"clips", "bank"}
    assert texts["pretrain"]["pretrain"]["objective"] == "texts"
    assert texts["embed"]["mirrored"] is True
    classes = inputs(pretrain__objective="classes", pretrain__mirror=False)
    assert set(classes["pretrain"]["inputs"]) == {"clips"}
    assert not {"objective", "mirror"} & set(classes["pretrain"]["pretrain"])
    assert "mirrored" not in classes["embed"]
    # Other texts make another backbone, but not where it learns classes.
    assert texts["pretrain"] != inputs(describer__name="names")["pretrain"]
    named = inputs(pretrain__objective="classes", pretrain__mirror=False, describer__name="names")
    assert classes["pretrain"] == named["pretrain"]


def test_mirrored_classes_without_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="mirror needs texts of mirrored actions"):
        tiny(tmp_path, pretrain__objective="classes")


@pytest.mark.slow
def test_another_width_is_refused_before_training(store: Path) -> None:
    with pytest.raises(
        UsageError, match="part-pure have width 24, texts of encoder glove-50 50"
    ) as e:
        pipeline.run_steps(tiny(store, backbone__dim=24), "pretrain")
    assert "backbone.dim=50" in e.value.fix


def test_a_layout_without_sides_is_not_mirrored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = tiny(tmp_path)
    names = tuple(f"joint {n}" for n in range(25))
    layout = replace(experiment.source.layout, joints=names)
    monkeypatch.setattr(type(experiment.source), "layout", layout)
    with pytest.raises(DataError, match="no joint called left or right") as caught:
        pretrain.require_possible(experiment)
    assert "pretrain.mirror=false" in caught.value.fix


@pytest.mark.slow
def test_only_texts_and_clips_of_seen_classes_are_learned_from(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All other texts are spoiled here: what is learned stays as it is, and finite."""
    before, _ = pipeline.run_steps(tiny(store), "pretrain")
    experiment = tiny(store)
    index = ClipSet.open(before["prepare"]).index

    for role, step in (("validation", "pretrain/validation"), ("final", "pretrain")):
        task = experiment.task(index, role)
        bank, copies = open_bank(before["embed"]), open_mirrored(before["embed"])
        assert copies is not None
        for each in (bank, copies):
            unseen = [n for n in range(len(bank.classes)) if n not in task.seen]
            each.vectors[unseen] = float("nan")
        monkeypatch.setattr("starcli.stages.text_objective.open_bank", lambda _, b=bank: b)
        monkeypatch.setattr("starcli.stages.text_objective.open_mirrored", lambda _, c=copies: c)
        backbone = experiment.make("backbone", experiment.source.layout)
        model = text_aligner(experiment, backbone, task, before["embed"])
        assert model.texts.shape[1] == 2 * len(task.seen) and torch.isfinite(model.texts).all()
        assert before[step].summary["classes"] == list(task.seen)


@pytest.mark.slow
def test_a_whole_run_learns(store: Path) -> None:
    results, ran = pipeline.run_steps(tiny(store), "calibrate")
    assert ran == []
    summary = results["pretrain"].summary
    assert summary["loss_by_epoch"][-1] < summary["loss_by_epoch"][0]
    state = results["pretrain"].tensors()
    assert "log_scale" in state and not any(name.startswith("fc.") for name in state)


@pytest.mark.slow
def test_its_weights_are_taken_in_place_of_pretraining(store: Path) -> None:
    results, _ = pipeline.run_steps(tiny(store), "pretrain")
    weights = results["pretrain"].path / "data.safetensors"
    other, _ = pipeline.run_steps(tiny(store, backbone__weights=weights), "extract")
    assert other["pretrain"].summary["classes"] == results["pretrain"].summary["classes"]


@pytest.mark.slow
def test_half_of_the_clips_are_mirrored_and_labelled_so(store: Path) -> None:
    results, _ = pipeline.run_steps(tiny(store), "pretrain")
    still = {"pretrain__crop": 1.0, "pretrain__rotation": 0.0, "pretrain__scale": 0.0}
    experiment = tiny(store, **still)
    clips = ClipSet.open(results["prepare"])
    task = experiment.task(clips.index, "final")
    examples = pretrain._Examples(experiment, clips, task)
    ids, draws = torch.tensor([0, 0, 1]), torch.zeros(3, 8)
    draws[:, 6] = torch.tensor([0.6, 0.4, 0.5])

    batch, targets = examples.batch(ids, draws)

    own = examples.targets[ids]
    assert (targets - own).tolist() == [0, len(task.seen), 0]
    one, other = batch[0], batch[1]
    names = experiment.source.layout.joints
    left, right = names.index("left wrist"), names.index("right wrist")
    torch.testing.assert_close(other[0, :, left], -one[0, :, right])
    torch.testing.assert_close(other[1:, :, left], one[1:, :, right])

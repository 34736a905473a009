"""Made-up clips beside the training clips: what is left out, their texts, and a tiny run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from starcli import pipeline
from starcli.contracts import MadeUpClip, NoSettings, Progress
from starcli.data.imported import Imported
from starcli.data.normalise import Joints
from starcli.errors import UsageError
from starcli.experiment import Experiment
from starcli.report.document import teacher_caveats, teacher_note
from starcli.settings.resolve import load
from starcli.stages.lessons import Lesson, Lessons, require_teachable
from starcli.stages.pretrain import further_draws
from starcli.stages.recipes import LESSONS
from starcli.weights.matching import TrainedOn, read_weights
from starcli_plugins.layouts import KINECT_V2
from tests.progress import Watching
from tests.stages.test_text_objective import aligner, clip, tiny

PARTS = tuple(KINECT_V2.parts[6])


class Teaching:
    """Two movements; every part of each says two things, and the hands of both the same one."""

    layout = KINECT_V2
    movements: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "wave": ("wave", "greet"),
        "kick": ("kick",),
        "rest": (),
    }
    every: ClassVar[Mapping[str, tuple[str, ...]]] = {
        part: (f"{part} waves", f"{part} swings", f"{part} kicks", f"{part} moves")
        for part in PARTS
    }

    def sentences(self, without: Collection[str] = ()) -> Mapping[str, tuple[str, ...]]:
        return {part: texts[2 * ("wave" in without) :] for part, texts in self.every.items()}

    def __init__(self) -> None:
        self.asked: list[tuple[int, tuple[str, ...]]] = []

    def make_up(self, seed: int, without: Collection[str]) -> MadeUpClip:
        self.asked.append((seed, tuple(without)))
        kicks = "wave" in without or seed % 2
        name = "kick" if kicks else "wave"
        said = {part: texts[2:] if kicks else texts[:2] for part, texts in self.every.items()}
        joints = np.random.default_rng(seed).normal(size=(20, 1, 25, 3)).astype(np.float32)
        return MadeUpClip(joints, self.movements[name], said)


class Pictures(Imported):
    """Clips of pictures."""

    flat = True
    layout = KINECT_V2


class Doubled(Pictures):
    """Clips of two people, who are the same one where one is there."""

    flat = False

    def fill_persons(self, joints: Joints) -> Joints:
        return np.repeat(joints, 2, axis=1)


def lessons(
    unlearned: Collection[str] = (), parts: int = 6, modality: str = "joint", **changes: Any
) -> Lessons:
    """Lessons for simulated clips, whose texts all differ by a right angle."""
    values = {"pretrain.objective": "texts", "pretrain.teacher": "movements", "parts": parts}
    values |= {f"pretrain.{key}": value for key, value in changes.items()}
    e = Experiment(load({**values, "extract.modality": modality}))
    teacher = Teaching()
    texts = [text for of in teacher.every.values() for text in of]
    texts += [name for names in teacher.movements.values() for name in names]
    texts += sorted(set(unlearned) - set(texts))
    vectors = dict(zip(texts, torch.eye(len(texts)), strict=True))
    return Lessons(e, teacher, vectors, tuple(unlearned), 2, (0.995, 0.97))


def test_movements_near_to_what_is_not_learned_are_left_out() -> None:
    taught = lessons(["wave a hand"])
    assert taught.near == {"wave": "wave a hand"} and taught.left_out == ("wave",)
    taught.lesson(torch.rand(4, 8))
    assert isinstance(taught.teacher, Teaching)
    assert {without for _, without in taught.teacher.asked} == {("wave",)}
    lesson = taught.lesson(torch.rand(4, 8))
    assert all(len(texts) == 2 for texts in lesson.texts[1:]), "what it says is no wrong answer"
    told = lessons(["wave a hand"], teacher_told=True)
    assert told.near == {"wave": "wave a hand"} and told.left_out == ()
    assert all(len(texts) == 4 for texts in told.lesson(torch.rand(4, 8)).texts[1:])


def test_a_lesson_has_clips_and_the_texts_that_are_true_of_them() -> None:
    taught = lessons(teacher_clips=8)
    lesson = taught.lesson(torch.rand(16, 8))
    assert lesson.clips.shape == (16, 3, 64, 25, 2)
    assert not lesson.clips[..., 1].any() and lesson.clips[..., 0].any()
    assert len(lesson.texts) == len(lesson.right) == len(lesson.lowered) == 7
    for right, lowered in zip(lesson.right[1:], lesson.lowered[1:], strict=True):
        rows = torch.arange(16)
        other = right ^ 1  # the same movement's other sentence
        assert (lowered[rows, right] == 0).all() and lowered[rows, other].isinf().all()
        assert lowered.isinf().sum() == 16, "nothing else is kept out"
    assert isinstance(taught.teacher, Teaching) and len(taught.teacher.asked) <= 8


def test_the_whole_is_the_name_and_the_sentences() -> None:
    taught = lessons(teacher_clips=4)
    lesson = taught.lesson(torch.rand(3, 8))
    for row, vector in enumerate(lesson.texts[0]):
        pairs = zip(lesson.texts[1:], lesson.right[1:], strict=True)
        said = [texts[right[row]] for texts, right in pairs]
        chosen = vector.nonzero()[:, 0]
        assert len(chosen) == 7 and torch.allclose(vector[chosen], torch.tensor(7**-0.5))
        assert all(vector[text.argmax()] > 0 for text in said)


def test_made_up_clips_are_read_as_the_data_sets_own() -> None:
    draws = torch.rand(3, 8)
    joints = lessons().lesson(draws).clips
    bones = lessons(modality="bone").lesson(draws).clips
    for child, parent in KINECT_V2.bones:
        vectors = joints[:, :, :, child] - joints[:, :, :, parent]
        torch.testing.assert_close(bones[:, :, :, child], vectors)
    pictures = lessons(rotation=0)
    pictures.experiment.__dict__["source"] = Pictures(NoSettings())
    assert joints[:, 2].any() and not pictures.lesson(draws).clips[:, 2].any()
    twice = lessons()
    twice.experiment.__dict__["source"] = Doubled(NoSettings())
    both = twice.lesson(draws).clips
    torch.testing.assert_close(both[..., 0], joints[..., 0])
    torch.testing.assert_close(both[..., 1], joints[..., 0])


def test_draws_decide_and_further_ones_follow_from_them() -> None:
    draws = torch.rand(4, 8)
    one, two = lessons().lesson(draws), lessons().lesson(draws)
    assert torch.equal(one.clips, two.clips)
    assert all(map(torch.equal, one.right, two.right))
    more = further_draws(draws, 5)
    assert more.shape == (5, 8) and torch.equal(more, further_draws(draws.clone(), 5))
    assert not torch.equal(more, further_draws(draws.flip(0), 5))


def test_what_cannot_be_taught_is_refused() -> None:
    with pytest.raises(UsageError, match="says nothing of upper body") as caught:
        lessons(parts=2)
    assert caught.value.fix == "use --parts 6"
    with pytest.raises(UsageError, match="every movement is near to an unseen class"):
        lessons(["wave", "kick"])
    with pytest.raises(UsageError, match="makes up no clips"):
        _ = tiny(Path("store"), pretrain__teacher="utd-mhad").teacher
    with pytest.raises(UsageError, match="use objective=texts"):
        load({"pretrain.teacher": "movements"})
    with pytest.raises(UsageError, match=r"a batch of 8 with a teacher_share of 0.9 has 1 clips"):
        lessons(batch=8, teacher_share=0.9)


def test_joints_that_a_teacher_does_not_have_are_refused() -> None:
    taught = lessons()
    source = Pictures(NoSettings())
    names = ("tail", *KINECT_V2.joints[1:])
    source.layout = replace(KINECT_V2, name="tailed", joints=names)
    taught.experiment.__dict__["source"] = source
    with pytest.raises(UsageError, match=r"pretrain\.teacher: .*tail of tailed") as caught:
        require_teachable(taught.experiment, taught.teacher)
    assert caught.value.fix == "train without a teacher"


def test_a_teacher_beside_given_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--teacher has nothing to teach"):
        tiny(tmp_path / "store", pretrain__teacher="movements", backbone__weights="some.pt")


def test_what_cannot_be_taught_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    e = tiny(tmp_path / "store", parts=2, pretrain__teacher="movements")
    with pytest.raises(UsageError, match="says nothing of upper body"):
        pipeline.run_steps(e, "pretrain")
    assert not list(e.store.all("describe")) and not list(e.store.all("prepare"))


def test_texts_of_the_other_kind_are_lowered_by_three() -> None:
    """An own clip that is like its text (1, 0), and a made-up one like its text (0.6, 0.8)."""
    model = aligner()
    made = torch.tensor([[0.6, 0.8]])
    right, none = torch.tensor([0]), torch.zeros(1, 1)
    lesson = Lesson(clip(3, 4), [made] * 3, [right] * 3, [none] * 3)
    vectors = model(torch.cat([clip(1, 0), lesson.clips]))
    terms = model.mixed_loss(vectors, torch.tensor([0]), lesson)
    scale = float(1.5 * torch.tensor(2.3).exp())
    own = torch.tensor([[scale, 0.0, 0.6 * scale - 3]])
    other = torch.tensor([[0.6 * scale - 3, 0.8 * scale - 3, scale]])
    want = (cross_entropy(own, torch.tensor([0])) + cross_entropy(other, torch.tensor([2]))) / 2
    torch.testing.assert_close(terms["whole"], want)
    torch.testing.assert_close(terms["parts"], want)


@pytest.mark.slow
def test_a_run_with_a_teacher_notes_what_was_near(tmp_path: Path) -> None:
    e = tiny(tmp_path / "store", pretrain__teacher="movements", pretrain__teacher_clips=6)
    results, _ = pipeline.run_steps(e, "pretrain")
    noted = results["pretrain"].summary["teacher"]
    names = {e.source.classes[label] for label in e.unseen}
    assert noted["told"] is False and noted["near"]
    assert set(noted["near"].values()) <= names
    recipe = results["pretrain"].meta["recipe"]
    assert recipe["teacher"]["plugin"] == "starcli:movements" and recipe["teacher"]["content"]
    assert recipe["pretrain"]["teacher_share"] == 0.5 and recipe["lessons"] == LESSONS
    left = f"{len(noted['near'])} made-up movements near to unseen classes were left out"
    assert teacher_note(results) is None and teacher_caveats(results) == [left]
    weights = results["pretrain"].path / "data.safetensors"
    assert read_weights(weights).trained_on == TrainedOn(
        "simulated", tuple(e.source.classes[label] for label in e.seen), "movements"
    )
    taken, _ = pipeline.run_steps(tiny(tmp_path / "store", backbone__weights=weights), "pretrain")
    assert str(teacher_note(taken)).startswith("TOLD: the weights given learned from made-up")
    assert teacher_caveats(taken) == []
    again = tiny(tmp_path / "store", pretrain__teacher="movements", pretrain__teacher_clips=7)
    waits = {p.step.name: p.artifact is None for p in pipeline.plan(again, "pretrain")}
    assert waits == {name: name.startswith("pretrain") for name in waits}


@pytest.mark.slow
def test_a_run_with_a_teacher_continues_as_if_undisturbed(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def interrupt(what: str, done: int, total: int) -> None:
        if what == "pretrain (final)" and done > total // 2:
            raise StoppedError

    def weights(folder: str, **stops: Progress) -> Mapping[str, torch.Tensor]:
        e = tiny(tmp_path / folder, pretrain__teacher="movements", pretrain__teacher_clips=6)
        return pipeline.run_steps(e, "pretrain", **stops)[0]["pretrain"].tensors()

    with pytest.raises(StoppedError):
        weights("one", progress=Watching(interrupt))
    again, undisturbed = weights("one"), weights("other")
    assert all(torch.equal(again[name], undisturbed[name]) for name in undisturbed)


@dataclass(frozen=True)
class Summarised:
    """A result of which the summary alone is read."""

    summary: Mapping[str, object]


@pytest.mark.parametrize(
    ("near", "told", "marked", "caveats"),
    [
        ({"wave": "wave a hand"}, True, True, 0),
        ({"wave": "wave a hand"}, False, False, 1),
        ({}, True, False, 0),
        ({}, False, False, 0),
    ],
)
def test_a_result_is_marked_where_near_movements_were_learned_from(
    near: Mapping[str, str], told: bool, marked: bool, caveats: int
) -> None:
    results: Any = {"pretrain": Summarised({"teacher": {"near": near, "told": told}})}
    assert (teacher_note(results) is not None) == marked
    assert len(teacher_caveats(results)) == caveats

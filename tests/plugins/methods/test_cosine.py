"""Comparing parts with texts as they are."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from starcli.contracts import TextBank, TrainingCallbacks
from starcli.errors import UsageError
from starcli.experiment import Experiment
from starcli.pipeline import plan
from starcli.settings.resolve import load
from starcli_plugins.layouts import KINECT_V1
from starcli_plugins.methods.cosine import Cosine
from tests import toy_problem as toy

pytestmark = pytest.mark.numerical
PARTS = KINECT_V1.parts[6]


def bank(classes: int = 3) -> TextBank:
    """A name and six sentences of its own for each class, on axes of seven dimensions."""
    vectors = torch.zeros(classes, 7, 7)
    for label in range(classes):
        for facet in range(7):
            vectors[label, facet, (facet + label) % 7] = 1 + label
    return TextBank(tuple(f"action {n}" for n in range(classes)), ("name", *PARTS), vectors)


def method(texts: TextBank) -> Cosine:
    problem = toy.problem(bank=texts, token_dim=7, seen=(0, 1), unseen=(2,))
    return Cosine(Cosine.Settings(), problem, 0)


def tokens(label: int) -> Tensor:
    """A clip whose parts are what the sentences of a class say, in any length."""
    out = torch.zeros(1, 2, 20, 7)
    for facet, joints in enumerate(PARTS.values(), 1):
        out[:, :, joints, (facet + label) % 7] = 5.0 * facet
    return out


def test_a_clip_is_the_class_whose_sentences_its_parts_are() -> None:
    scores = torch.cat([method(bank()).score(tokens(label)) for label in range(3)])
    assert scores.argmax(1).tolist() == [0, 1, 2]
    # Parts: cosine 1 with their own sentences and 0 with all others. A class is a mean of all
    # seven axes, its clips of six, in whatever order.
    torch.testing.assert_close(scores, torch.eye(3) + (6 / 7) ** 0.5, atol=1e-6, rtol=0)


def test_a_part_is_as_its_own_sentence_says() -> None:
    """Of two clips, cosine 1 with the sentences of their class, whatever the whole clips are."""
    found = method(bank()).part_scores(torch.cat([tokens(1), tokens(2)]))
    own = torch.stack([found[:, 0, 1], found[:, 1, 2]])
    torch.testing.assert_close(own, torch.ones_like(own))
    assert (found <= 1 + 1e-6).all() and found[:, 0, 0].max() < 1


def test_nothing_is_learned_and_one_epoch_is_told() -> None:
    cosine = method(bank())
    epochs: list[int] = []
    before = {name: value.clone() for name, value in cosine.state_dict().items()}
    callbacks = TrainingCallbacks(after_epoch=epochs.append)
    cosine.fit(toy.clips((0, 1), 2, 0), callbacks, seed=0)
    assert epochs == [1] and not list(cosine.parameters())
    assert all(torch.equal(before[name], value) for name, value in cosine.state_dict().items())


def test_further_classes_come_after_the_others() -> None:
    texts, cosine = bank(4), method(bank())
    cosine.extend(TextBank(texts.classes[3:], texts.facets, texts.vectors[3:]))
    assert int(cosine.score(tokens(3)).argmax()) == 3


def test_tokens_of_another_width_are_refused() -> None:
    with pytest.raises(UsageError, match="tokens have width 9, texts 7") as caught:
        Cosine(Cosine.Settings(), toy.problem(bank=bank(), token_dim=9), 0)
    assert "backbone.dim=7" in caught.value.fix


def test_a_part_without_a_text_is_named() -> None:
    texts = bank()
    lacking = TextBank(texts.classes, texts.facets[:-1], texts.vectors[:, :-1])
    with pytest.raises(UsageError, match=f"there is no text for {texts.facets[-1]}, the texts"):
        method(lacking)


def test_a_backbone_that_learned_classes_is_refused_before_anything_runs(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    store = tmp_path_factory.mktemp("store")
    flags = {"method.name": "cosine", "run.store": store}
    with pytest.raises(UsageError, match="cosine compares tokens with texts as they are") as caught:
        plan(Experiment(load(flags)), "train")
    assert "part-pure" in caught.value.fix
    assert plan(Experiment(load({**flags, "backbone.name": "part-pure"})), "train")

"""Autoencoders whose codes stand for each other."""

from typing import Any

import pytest
import torch

from starcli.contracts import TrainingCallbacks
from starcli_plugins.methods.synse import SynSE
from starcli_plugins.methods.vae import Gaussian, wasserstein
from tests import toy_problem as toy

pytestmark = pytest.mark.numerical


def make(**settings: Any) -> SynSE:
    return SynSE(SynSE.Settings(**{"latent": 6, "text_codes": 4, **settings}), toy.problem(), 0)


def certain(method: SynSE, monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes are their means."""
    monkeypatch.setattr(Gaussian, "sample", lambda self, generator=None: self.mean)


def test_each_kind_is_decoded_from_its_own_codes_and_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    method, clips = make(), torch.randn(5, 3 * toy.WIDTH)
    certain(method, monkeypatch)
    classes = torch.tensor([0, 2, 2, 5, 9])
    verb, noun = method.text[:, classes]
    v, n = method._text_vaes()
    clip = method.clip_vae.encode(clips)
    codes = [v.encode(verb).mean, n.encode(noun).mean]
    halves = clip.mean[:, :3], clip.mean[:, 3:]

    def squares(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).square().mean()

    names = ("reconstruction", "cross", "distance", "clip_divergence", "text_divergence")
    terms = method.losses(clips, classes, names)
    torch.testing.assert_close(
        terms["reconstruction"],
        squares(method.clip_vae.decode(clip.mean), clips)
        + squares(v.decode(codes[0]), verb)
        + squares(n.decode(codes[1]), noun),
    )
    torch.testing.assert_close(
        terms["cross"],
        squares(method.clip_vae.decode(torch.cat(codes, 1)), clips)
        + squares(v.decode(halves[0]), verb)
        + squares(n.decode(halves[1]), noun),
    )
    both = Gaussian(
        *(torch.cat(pair, 1) for pair in zip(v.encode(verb), n.encode(noun), strict=True))
    )
    torch.testing.assert_close(terms["distance"], wasserstein(clip, both))
    torch.testing.assert_close(terms["clip_divergence"], clip.divergence())
    divergences = v.encode(verb).divergence() + n.encode(noun).divergence()
    torch.testing.assert_close(terms["text_divergence"], divergences)


def test_the_loss_weighs_the_terms_of_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    method = make()
    method.steps_per_epoch = 10
    asked: list[float] = []

    def weights(epoch: float) -> dict[str, float]:
        asked.append(epoch)
        return {"cross": 2.0, "clip_divergence": 0.0, "distance": 10.0}

    terms = {name: torch.tensor(v) for name, v in {"cross": 3.0, "distance": 0.5}.items()}
    monkeypatch.setattr(method, "weights", weights)
    monkeypatch.setattr(
        method, "losses", lambda clips, classes, names: {name: terms[name] for name in names}
    )
    found = [method.loss(torch.zeros(1), torch.tensor([0])).item() for _ in range(3)]
    assert found == [11, 11, 11]
    assert asked == [0, 0.1, 0.2]


def test_the_classifier_learns_texts_of_all_classes_and_no_clip() -> None:
    method = make()
    nan = torch.full((3, 3 * toy.WIDTH), torch.nan)
    codes, labels = method.codes(nan, torch.tensor([0, 1, 2]), torch.Generator().manual_seed(0))
    assert codes.shape == (4 * toy.CLASSES, 6)
    assert codes.isfinite().all()
    assert labels.bincount().tolist() == [4] * toy.CLASSES


def test_codes_of_a_class_are_around_those_of_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    method = make()
    certain(method, monkeypatch)
    codes, labels = method.codes_of_text(torch.tensor([3, 8]), torch.Generator())
    v, n = method._text_vaes()
    for code, label in zip(codes, labels, strict=True):
        verb, noun = method.text[:, label, None]
        expected = torch.cat([v.encode(verb).mean, n.encode(noun).mean], 1)
        torch.testing.assert_close(code, expected[0])


def test_it_is_judged_every_few_epochs_with_a_classifier_of_that_epoch() -> None:
    method = make(epochs=5, steps=2, judge_every=2, classifier_epochs=1)
    said: list[int] = []

    def look(epoch: int) -> None:
        said.append(epoch)
        assert method.classifier.weight.any()
        if epoch < 5:
            torch.nn.init.zeros_(method.classifier.weight)

    method.fit(toy.clips(toy.SEEN, 2, 1), TrainingCallbacks(after_epoch=look), seed=0)
    assert said == [2, 4, 5]
    assert method.classifier.weight.any()
    assert int(method.steps) == 10


def test_without_a_judge_the_classifier_is_trained_once(monkeypatch: pytest.MonkeyPatch) -> None:
    method, trained = make(epochs=5, steps=1, judge_every=2), []
    monkeypatch.setattr(method, "fit_classifier", lambda *data: trained.append(data))
    method.fit(toy.clips(toy.SEEN, 2, 1), TrainingCallbacks(), seed=0)
    assert len(trained) == 1


def test_only_the_autoencoders_are_in_the_optimiser() -> None:
    method = make()
    learned = {id(p) for group in method.optimizer().param_groups for p in group["params"]}
    others = {name for name, p in method.named_parameters() if id(p) not in learned}
    assert others == {"classifier.weight", "classifier.bias"}

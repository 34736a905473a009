"""SA-DVAE: which part of a code goes where, what the critic judges, and when each term counts."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from starcli_plugins.methods.sa_dvae import SaDvae
from starcli_plugins.methods.vae import Gaussian
from tests import toy_problem as toy

pytestmark = pytest.mark.numerical
TERMS = ("reconstruction", "cross", "clip_divergence", "text_divergence")


def make(**settings: object) -> SaDvae:
    own = {"latent": 2, "instance": 1, "steps": 100, "divergence": 0.5, "correlation": 0.25}
    return SaDvae(SaDvae.Settings.model_validate({**own, **settings}), toy.problem(), 0)


def certain(mean: Tensor) -> Gaussian:
    """Distributions whose draws are their means."""
    return Gaussian(mean, torch.full_like(mean, -100.0))


@pytest.mark.parametrize(
    ("place", "clip", "text", "cross"), [(0, 0, 0, 0), (0.5, 0.25, 0.125, 0), (0.8, 0.4, 0.2, 1)]
)
def test_weights_rise_in_a_cycle_and_crossing_comes_last(
    place: float, clip: float, text: float, cross: float
) -> None:
    weights = make().weights(3 + place + 1e-9)
    assert weights["reconstruction"] == 1
    assert weights["clip_divergence"] == pytest.approx(clip, abs=1e-6)
    assert weights["text_divergence"] == pytest.approx(text, abs=1e-6)
    assert weights["correlation"] == weights["text_divergence"]
    assert weights["cross"] == cross


def test_the_critic_has_its_turn_every_few_steps() -> None:
    method, turns = make(critic_every=3), []
    for step in range(7):
        method.steps.fill_(step)
        turns.append("critic" in method.weights(0))
    assert turns == [True, False, False, True, False, False, True]


def test_the_terms_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip with the code (1, 2 | 3), its text with (5, 6): who decodes what from which part."""
    method = make()
    clips, classes = torch.zeros(2, 3 * toy.WIDTH), torch.tensor([4, 7])
    vae, (text_vae,) = method.clip_vae, method._text_vaes()
    decoded: list[list[float]] = []

    def decode(codes: Tensor, width: int) -> Tensor:
        decoded.append(codes[0].tolist())
        return codes.sum(1, keepdim=True).expand(-1, width)

    own, its = torch.tensor([[1.0, 2, 3]] * 2), torch.tensor([[5.0, 6]] * 2)
    monkeypatch.setattr(vae, "encode", lambda x: certain(own))
    monkeypatch.setattr(text_vae, "encode", lambda x: certain(its))
    monkeypatch.setattr(vae, "decode", lambda codes: decode(codes, 3 * toy.WIDTH))
    monkeypatch.setattr(text_vae, "decode", lambda codes: decode(codes, toy.WIDTH))
    method.text.zero_()
    terms = method.losses(clips, classes, TERMS)
    # Everything is decoded to the sum of its code, and is to be zero.
    assert terms["reconstruction"].item() == pytest.approx((1 + 2 + 3) ** 2 + (5 + 6) ** 2)
    assert terms["cross"].item() == pytest.approx((5 + 6 + 3) ** 2 + (1 + 2) ** 2)
    assert sorted(decoded) == [[1, 2], [1, 2, 3], [5, 6], [5, 6, 3]]
    # 1/2 (m^2 + e^v - 1 - v) for each coordinate, with v = -100.
    assert terms["clip_divergence"].item() == pytest.approx(0.5 * (1 + 4 + 9) + 3 * 49.5)
    assert terms["text_divergence"].item() == pytest.approx(0.5 * (25 + 36) + 2 * 49.5)


class Last(torch.nn.Module):
    """A critic whose logit is the last coordinate of a pair."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, pairs: Tensor) -> Tensor:
        return self.slope * pairs[:, -1:]


def test_the_critic_tells_pairs_from_permuted_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits are the instance parts, 2 and -2, in pairs and, exchanged, in permuted ones."""
    method = make()
    monkeypatch.setattr(method, "critic", Last())
    monkeypatch.setattr(torch, "randperm", lambda n: torch.tensor([1, 0]))
    found = method.critic_loss(torch.tensor([[0.0, 0, 2], [0, 0, -2]]))
    true = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(2))) / 2
    assert found.item() == pytest.approx(true)  # of both kinds, being symmetric
    paired = method.critic_loss(torch.tensor([[0.0, 0, 2], [0, 0, 2]]))
    both = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(2))) / 2
    assert paired.item() == pytest.approx(both)


def test_the_critic_says_yes_to_pairs_and_no_to_permuted_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the codes (1 | 2) and (-1 | -2) the products are 2, and permuted -2: it is right."""

    class Product(torch.nn.Module):
        def forward(self, pairs: Tensor) -> Tensor:
            return pairs[:, :1] * pairs[:, -1:]

    method = make()
    monkeypatch.setattr(method, "critic", Product())
    monkeypatch.setattr(torch, "randperm", lambda n: torch.tensor([1, 0]))
    found = method.critic_loss(torch.tensor([[1.0, 0, 2], [-1.0, 0, -2]]))
    assert found.item() == pytest.approx(math.log(1 + math.exp(-2)))


def test_the_correlation_is_what_the_critic_finds_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    method = make()
    monkeypatch.setattr(method, "critic", Last())
    found = method._together(torch.tensor([[0.0, 0, 0], [0, 0, math.log(3)]]))
    assert found.item() == pytest.approx((0.5 + 0.75) / 2)


def test_autoencoders_and_critic_learn_nothing_of_the_others_term() -> None:
    method = make()
    clips, classes = torch.randn(6, 3 * toy.WIDTH), torch.tensor([0, 2, 3, 4, 5, 6])
    torch.autograd.backward(method.losses(clips, classes, ("correlation",))["correlation"])
    assert all(weight.grad is None for weight in method.critic.parameters())
    assert any(weight.grad is not None for weight in method.clip_vae.encoder.parameters())
    method.zero_grad(set_to_none=True)
    torch.autograd.backward(method.losses(clips, classes, ("critic",))["critic"])
    assert all(weight.grad is None for weight in method.clip_vae.parameters())
    assert all(weight.grad is not None for weight in method.critic.parameters())


def test_clips_are_named_by_their_semantic_part_alone() -> None:
    method, clips = make(), torch.randn(3, 3 * toy.WIDTH)
    with torch.no_grad():
        before = method.compare(clips)
        mean = method.clip_vae.encoder[0]
        assert isinstance(mean, torch.nn.Linear)
        mean.weight[2] += 9  # the instance part of the means
        torch.testing.assert_close(method.compare(clips), before, rtol=0, atol=0)
        mean.weight[1] += 9
        assert not torch.allclose(method.compare(clips), before)

"""SMIE: the estimate of the mutual information and its temporal constraint."""

import math

import pytest
import torch

from starcli_plugins.methods.smie import Smie, information
from tests import toy_problem as toy

pytestmark = pytest.mark.numerical


def make(**settings: object) -> Smie:
    return Smie(Smie.Settings.model_validate({"hidden": (6, 5), **settings}), toy.problem(), 0)


def softplus(x: float) -> float:
    return math.log(1 + math.exp(x))


def test_the_estimate_by_hand() -> None:
    true, false = torch.tensor([0.0, 2.0]), torch.tensor([-1.0, 1.0])
    expected = -(softplus(0) + softplus(-2)) / 2 - (softplus(-1) + softplus(1)) / 2
    assert information(true, false).item() == pytest.approx(expected)


def test_the_estimate_grows_with_true_scores_and_falls_with_false_ones() -> None:
    at = information(torch.zeros(3), torch.zeros(3))
    assert information(torch.ones(3), torch.zeros(3)) > at > information(*torch.ones(2, 3))


@pytest.mark.parametrize(("margin", "short"), [(0.0, False), (5.0, True)])
def test_the_loss_by_hand(monkeypatch: pytest.MonkeyPatch, margin: float, short: bool) -> None:
    """T is 1 for a plain clip with its text, -1 for the next clip's, 0.5 for the masked one."""
    method = make(margin=margin, temporal=0.5)
    plain, masked = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[-1.0], [-2.0], [-3.0]])
    seen: list[list[float]] = []

    def critic(clips: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        seen.append(clips[:, 0].tolist())
        torch.testing.assert_close(text, method.text[0, [toy.SEEN[p] for p in (0, 1, 4)]])
        value = {1.0: 1.0, 2.0: -1.0, -1.0: 0.5}[seen[-1][0]]
        return torch.full((3,), value)

    monkeypatch.setattr(method, "critic", critic)
    loss = method.loss(torch.cat([plain, masked], 1), torch.tensor([0, 1, 4]))
    assert [2.0, 3.0, 1.0] in seen  # false pairs: each text with the next clip
    whole = -softplus(-1) - softplus(-1)
    part = -softplus(-0.5) - softplus(-1)
    constraint = max(0.0, margin - (whole - part))
    assert (constraint > 0) == short
    assert loss.item() == pytest.approx(-whole + 0.5 * constraint)


def test_clips_are_normalised_one_by_one() -> None:
    method = make()
    clips = torch.randn(2, 3 * toy.WIDTH)
    torch.testing.assert_close(
        method.compare(5 * clips + 3), method.compare(clips), atol=1e-4, rtol=1e-4
    )


def test_scores_are_the_critic_of_every_pair() -> None:
    method, clips = make(), torch.randn(2, 3 * toy.WIDTH)
    text = method.text[0, [4, 4]]
    torch.testing.assert_close(method.compare(clips)[:, 4], method.critic(clips, text))


def test_it_asks_for_the_motion_masked_view() -> None:
    assert Smie.views == ("motion-masked",)

"""ESZSL: the closed form, by hand and as the minimum that it is."""

import pytest
import torch

from starcli.contracts import TrainingCallbacks
from starcli_plugins.methods.eszsl import Eszsl
from tests import toy_problem as toy

pytestmark = pytest.mark.numerical


def test_the_closed_form_by_hand() -> None:
    """One channel, one text width, texts of length 1: all scalars."""
    two = toy.bank(("name",))
    ones = two.vectors[:, :, :1].sign()
    method = Eszsl(
        Eszsl.Settings(gamma=0.5, lam=2.0),
        toy.problem(bank=type(two)(two.classes, two.facets, ones), seen=(0, 1), token_dim=1),
        0,
    )
    method.text[0, :2, 0] = torch.tensor([1.0, -1.0])
    clips, targets = torch.tensor([[2.0], [1.0], [-3.0]]), torch.tensor([0, 0, 1])
    # X X' / 3 = 14 / 3; X Y / 3 = [6, -6] / 3 = [2, -2]; times S' = 4; S S' = 2.
    assert method.solve(clips, targets).item() == pytest.approx(4 / (14 / 3 + 0.5) / (2 + 2.0))


def test_the_closed_form_is_the_minimum_of_the_regularised_squares() -> None:
    """|X'VS - Y|^2 + gamma |VS|^2 + lambda |X'V|^2 + gamma lambda |V|^2 has no gradient there."""
    method = Eszsl(Eszsl.Settings(gamma=0.3, lam=0.7), toy.problem(token_dim=5), 0)
    generator = torch.Generator().manual_seed(0)
    clips = torch.randn(30, 5, generator=generator, dtype=torch.double)
    targets = torch.arange(30) % len(toy.SEEN)
    text = method.text[0, method.seen].double()
    signs = 2 * torch.nn.functional.one_hot(targets, len(text)).double() - 1
    weight = method.solve(clips, targets).requires_grad_()
    squares = (clips @ weight @ text.T - signs).square().sum() / 30
    loss = (
        squares
        + 0.3 * (weight @ text.T).square().sum()
        + 0.7 * (clips @ weight).square().sum() / 30
        + 0.3 * 0.7 * weight.square().sum()
    )
    (gradient,) = torch.autograd.grad(loss, [weight])
    assert gradient.abs().max() < 1e-12


def test_the_score_is_the_bilinear_form() -> None:
    method = Eszsl(Eszsl.Settings(), toy.problem(), 0)
    method.fit(toy.clips(toy.SEEN, 3, 1), TrainingCallbacks(), seed=0)
    clips = torch.randn(2, 3 * toy.WIDTH, generator=torch.Generator().manual_seed(4))
    scores = method.compare(clips)
    by_hand = [float(c @ method.weight @ t) for c in clips for t in method.text[0]]
    assert scores.flatten().tolist() == pytest.approx(by_hand, abs=1e-5)


def test_it_is_judged_once() -> None:
    said: list[int] = []
    method = Eszsl(Eszsl.Settings(), toy.problem(), 0)
    method.fit(toy.clips(toy.SEEN, 3, 1), TrainingCallbacks(after_epoch=said.append), seed=0)
    assert said == [1]

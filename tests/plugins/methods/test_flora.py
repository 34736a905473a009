"""Flora: which neighbours pull at a text, both losses by hand, and naming without and with flow."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from starcli.contracts import TextBank
from starcli_plugins.methods.flora import Flora, _between, _velocity
from starcli_plugins.methods.vae import Gaussian
from tests import toy_problem as toy

pytestmark = pytest.mark.numerical


def make(bank: TextBank | None = None, **settings: object) -> Flora:
    own = {"width": 4, "heads": 2, "epochs": 6, "steps": 10, **settings}
    problem = toy.problem() if bank is None else toy.problem(bank=bank)
    return Flora(Flora.Settings.model_validate(own), problem, 0)


def bank(*angles: float) -> TextBank:
    """Classes of one text, in the plane at these angles in degrees, and all others at 180."""
    turned = torch.deg2rad(torch.tensor([*angles, *[180.0] * (toy.CLASSES - len(angles))]))
    vectors = torch.stack([turned.cos(), turned.sin()], dim=-1)[:, None]
    return TextBank(toy.bank().classes, ("name",), vectors)


def test_texts_move_towards_their_nearest_seen_classes() -> None:
    """Class 0 is at 0, its nearest seen class 2 at 60 degrees, class 1, at 10, is unseen."""
    method = make(bank(0, 10, 60), neighbours=1, pull=0.5)
    found = method.attuned(method.text)[:, 0] / 2**0.5  # of a mean square of 1
    half = 0.5 * 0.5  # pull and cosine of 60 degrees
    expected = torch.tensor([1 + half * 0.5, half * 3**0.5 / 2])
    torch.testing.assert_close(found[0], expected)
    # Class 1 is pulled by class 0: cos 10 degrees of it.
    turned = torch.deg2rad(torch.tensor(10.0))
    torch.testing.assert_close(
        found[1], torch.stack([turned.cos() + 0.5 * turned.cos(), turned.sin()])
    )


def test_two_neighbours_share_the_pull() -> None:
    one, two = (make(bank(0, 10, 60, 60.001), neighbours=n) for n in (1, 2))
    found = [method.attuned(method.text)[0] for method in (one, two)]
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-3)


def test_without_neighbours_texts_stay() -> None:
    method = make(neighbours=0)
    assert torch.equal(method.attuned(method.text), method.text.transpose(0, 1))


def test_the_alignment_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes 1 and 3, decoders that return them, clips of 2 and texts of 5."""
    method = make(alignment=0.1)

    def fixed(value: float, spread: float) -> object:
        # So small a variance that a draw is the mean.
        return lambda x: Gaussian(torch.full_like(x, value), torch.full_like(x, spread))

    for coder, value, spread in ((method.clip_coder, 1.0, -60.0), (method.text_coder, 3.0, -64.0)):
        monkeypatch.setattr(coder, "encode", fixed(value, spread))
        monkeypatch.setattr(coder, "decoder", torch.nn.Identity())
    found = method.alignment(torch.full((2, 1, 4), 2.0), torch.full((2, 1, 4), 5.0))
    decoded = ((1 - 2) ** 2 + (3 - 2) ** 2 + (1 - 5) ** 2 + (3 - 5) ** 2) / 4
    assert found.item() == pytest.approx(decoded + 0.1 * ((3 - 1) ** 2 + (64 - 60) ** 2))


def test_the_way_from_text_to_clip() -> None:
    start, end = torch.full((3, 1, 2), 2.0), torch.full((3, 1, 2), 6.0)
    at = _between(start, end, torch.tensor([0.0, 0.5, 1.0]))[:, 0, 0]
    torch.testing.assert_close(at, torch.tensor([2.0, 4.0, 6.0]), rtol=0, atol=1e-4)
    # Constant all the way: what comes of start and velocity is the end.
    torch.testing.assert_close(start + _velocity(start, end), end, rtol=0, atol=1e-4)


def test_the_loss_of_the_flow_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Velocities 1, 3 and 8 of classes 0, 0 and 1; what is found is 2."""
    method = make(contrast=0.1)
    monkeypatch.setattr(method.flow, "forward", lambda codes, time: torch.full_like(codes, 2.0))
    start, end = torch.zeros(3, 1, 1), torch.tensor([1.0, 3, 8])[:, None, None]
    found = method.flow_loss(start, end, torch.tensor([0, 0, 1]))
    off = (1 + 1 + 36) / 3
    # The first and its next are of one class; the second's is 8, the third's is 1.
    apart = (0 + (2 - 8) ** 2 + (2 - 1) ** 2) / 3
    assert found.item() == pytest.approx(off - 0.1 * apart)


def test_the_flow_learns_last_and_leaves_the_autoencoders_as_they_are() -> None:
    """Of 60 steps the last 10; it is one of them that gives gradients to the flow alone."""
    method = make()
    clips, targets = torch.randn(8, 3 * toy.WIDTH), torch.arange(8)

    def learns(step: int) -> tuple[bool, bool]:
        method.zero_grad(set_to_none=True)
        method.steps.fill_(step)
        torch.autograd.backward(method.loss(clips, targets))
        parts = (method.clip_coder, method.flow)
        coder, flow = (any(w.grad is not None for w in part.parameters()) for part in parts)
        return coder, flow

    assert [learns(step) for step in (0, 49, 50, 59)] == [(True, False)] * 2 + [(False, True)] * 2


def test_before_the_flow_learns_a_clip_is_of_the_nearest_mean_code() -> None:
    with_flow, without = make(), make(flow=False)
    without.load_state_dict({k: v for k, v in with_flow.state_dict().items() if "flow" not in k})
    clips = torch.randn(5, 3 * toy.WIDTH)
    with torch.no_grad():
        ends = without.clip_coder.encode(clips).mean
        starts = without.text_coder.encode(without.attuned(without.text)).mean
        distances = (ends[:, None, None] - starts).square().mean((2, 3))
        torch.testing.assert_close(without.compare(clips), -distances, rtol=0, atol=1e-4)
        torch.testing.assert_close(with_flow.compare(clips), without.compare(clips))


def test_the_flow_changes_answers_once_it_has_learned() -> None:
    method, clips = make(), torch.randn(5, 3 * toy.WIDTH)
    with torch.no_grad():
        before = method.compare(clips)
        method.flow.out.weight.normal_()
        assert not torch.allclose(method.compare(clips), before)


def test_the_block_follows_the_time_and_every_token_sees_the_others() -> None:
    flow = make().flow
    with torch.no_grad():
        for layer in (flow.modulation, flow.out):
            torch.nn.init.normal_(layer.weight)
        codes, times = torch.randn(1, 3, 4), torch.tensor([0.2])
        first = flow(codes, times)
        assert not torch.allclose(flow(codes, times + 0.1), first)
        other = codes.clone()
        other[0, 2] += torch.randn(4)
        assert not torch.allclose(flow(other, times)[0, 0], first[0, 0])


def test_a_pull_from_unseen_texts_would_show() -> None:
    """Their texts turned round, those of seen classes are attuned as before."""
    plain = toy.bank()
    vectors: Tensor = plain.vectors.clone()
    vectors[list(toy.UNSEEN)] = vectors[list(toy.UNSEEN)].flip(-1)
    found = [make(each) for each in (plain, replace(plain, vectors=vectors))]
    seen = [method.attuned(method.text[:, method.seen]) for method in found]
    assert torch.equal(*seen)


def test_heads_divide_the_width() -> None:
    with pytest.raises(ValidationError, match="width 10 is not a multiple of heads 4"):
        Flora.Settings(width=10, heads=4)

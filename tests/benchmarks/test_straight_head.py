"""Our dual-prompt head is its formulas: outputs, loss and every gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from starcli.head import visual_prompts
from starcli.head.star import Star
from tests import reference
from tests.benchmarks.head import heads
from tests.benchmarks.straight_head import StraightHead

pytestmark = pytest.mark.numerical
SMALL = {"attributes": 10, "width": 32, "heads": 4, "hidden": 16, "token_dim": 24}


@pytest.fixture
def pair() -> tuple[StraightHead, Star]:
    """Both heads with the same weights, prompts of the text and statistics of tokens not zero.

    In float64: on which side of a ReLU a value within rounding of zero lies is chance in float32.
    """
    torch.manual_seed(0)
    straight, ours = heads(**SMALL)
    with torch.no_grad():
        ours.part_prompts.normal_()
        ours.mean.normal_()
        ours.std.uniform_(0.5, 2)
    straight.load_state_dict(ours.state_dict())
    return straight.double(), ours.double()


def tokens() -> Tensor:
    source = torch.Generator().manual_seed(1)
    return torch.randn(5, 3, 25, 24, generator=source, dtype=torch.float64)


def test_scores_are_equal(pair: tuple[StraightHead, Star]) -> None:
    straight, ours = pair
    with torch.no_grad():
        reference.close(
            ours.visual(tokens()), torch.stack(straight.visual(tokens())), reference.ROUNDING
        )
        reference.close(ours.score(tokens()), straight.score(tokens()), reference.ROUNDING)


def test_loss_and_gradients_are_equal(
    pair: tuple[StraightHead, Star], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visual_prompts, "SLICE", 2)
    straight, ours = pair
    losses = [head.loss(tokens(), torch.tensor([0, 3, 7, 3, 50])) for head in pair]
    for loss in losses:
        torch.autograd.backward(loss)
    reference.close(losses[1], losses[0], reference.ROUNDING)
    wanted = dict(straight.named_parameters())
    found = dict(ours.named_parameters())
    assert set(found) == set(wanted)
    for name, parameter in found.items():
        got, want = parameter.grad, wanted[name].grad
        assert got is not None and want is not None, name
        reference.close(got, want, reference.ROUNDING)

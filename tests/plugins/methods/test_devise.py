"""DeViSE: the hinge rank loss of a linear map."""

import pytest
import torch

from starcli_plugins.methods.devise import Devise
from tests import toy_problem as toy

pytestmark = pytest.mark.numerical


def test_loss_and_score_by_hand() -> None:
    """M turns channel 0 into the text of class 0 and channel 1 into that of class 2."""
    bank = toy.bank(("name",))
    bank.vectors.zero_()
    bank.vectors[torch.arange(toy.CLASSES), 0, torch.arange(toy.CLASSES) % toy.WIDTH] = 2.0
    problem = toy.problem(bank=bank, seen=(0, 2, 3), unseen=(1,), token_dim=2)
    method = Devise(Devise.Settings(margin=0.1), problem, 0)
    with torch.no_grad():
        method.map.weight.zero_()
        method.map.weight[0, 0] = 1.0
        method.map.weight[2, 1] = 1.0
    clips, targets = torch.tensor([[1.0, 0.95], [0.5, 0.2]]), torch.tensor([0, 1])
    # Scores of seen classes 0, 2, 3: [1, 0.95, 0], [0.5, 0.2, 0].
    # Clip 0: 0.1 + 0.95 - 1. Clip 1: 0.1 + 0.5 - 0.2; class 3 is 0.2 below, beyond the margin.
    assert method.loss(clips, targets).item() == pytest.approx((0.05 + 0.4) / 2)
    assert method.compare(clips)[0, :4].tolist() == pytest.approx([1, 0, 0.95, 0])


def test_it_learns_with_adagrad() -> None:
    method = Devise(Devise.Settings(lr=0.3), toy.problem(), 0)
    optimizer = method.optimizer()
    assert isinstance(optimizer, torch.optim.Adagrad)
    assert optimizer.param_groups[0]["lr"] == 0.3

"""Loss terms on numbers worked out by hand."""

import math

import pytest
import torch

from starcli_plugins.methods.losses import hinge_rank, mmd, squared_distances

pytestmark = pytest.mark.numerical


def test_hinge_rank_counts_false_classes_within_the_margin() -> None:
    scores = torch.tensor([[1.0, 0.95, 0.2], [0.0, 0.5, 0.7]])
    # First: 0.1 + 0.95 - 1 = 0.05, and 0.2 is far. Second, true class 1: 0 is far, 0.1 + 0.7 - 0.5.
    found = hinge_rank(scores, torch.tensor([0, 1]), 0.1)
    assert found.item() == pytest.approx((0.05 + 0.3) / 2)


def test_hinge_rank_is_zero_where_the_true_class_wins_clearly() -> None:
    assert hinge_rank(torch.tensor([[3.0, 1.0]]), torch.tensor([0]), 0.5).item() == 0


def test_squared_distances_of_all_pairs() -> None:
    a, b = (
        torch.tensor([[0.0, 3.0], [1.0, 1.0]]),
        torch.tensor([[4.0, 0.0], [1.0, 1.0], [0.0, 0.0]]),
    )
    assert squared_distances(a, b).tolist() == [[25, 5, 9], [10, 0, 2]]


def test_mmd_by_hand() -> None:
    a, b = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0]])
    # k(a, a): 1, e, e, 1 with e = exp(-2); k(b, b) = 1; k(a, b): 1, e.
    e = math.exp(-2)
    expected = (2 + 2 * e) / 4 + 1 - 2 * (1 + e) / 2
    assert mmd(a, b, kappa=2.0).item() == pytest.approx(expected)


def test_mmd_of_a_sample_with_itself_is_zero_and_grows_with_the_distance() -> None:
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    near, far = mmd(x, x + 0.1, 0.5), mmd(x, x + 1, 0.5)
    assert mmd(x, x.flip(0), 0.5).abs() < 1e-6
    assert 0 < near < far

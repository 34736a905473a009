"""CADA-VAE: schedules, distances and what its classifier learns."""

import pytest
import torch

from starcli_plugins.methods.cada_vae import CadaVae, warm_up
from tests import toy_problem as toy

pytestmark = pytest.mark.numerical


def make() -> CadaVae:
    return CadaVae(CadaVae.Settings(text_codes=5, clip_codes=4), toy.problem(), 0)


def test_a_weight_warms_up_between_two_epochs() -> None:
    found = [warm_up(epoch, 6, 22, 8.0) for epoch in (0, 6, 10, 10.9, 22, 90)]
    assert found == [0, 0, 2, 2, 8, 8]


@pytest.mark.parametrize(
    ("epoch", "beta", "gamma", "delta"),
    [
        (0, 0, 0, 0),
        (14, 0.25 * 14 / 93, 0, 8.13 / 2),
        (48, 0.25 * 48 / 93, 2.37 / 2, 8.13),
        (99, 0.25, 2.37, 8.13),
    ],
)
def test_the_published_schedule(epoch: int, beta: float, gamma: float, delta: float) -> None:
    weights = make().weights(epoch)
    assert weights["reconstruction"] == 1
    assert weights["clip_divergence"] == weights["text_divergence"] == pytest.approx(beta)
    assert weights["cross"] == pytest.approx(gamma)
    assert weights["distance"] == pytest.approx(delta)


def test_the_distance_is_l1_added_up() -> None:
    decoded, true = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 4.0], [0.0, -1.0]])
    assert make().distance(decoded, true).item() == pytest.approx((3 + 1) / 2)


def test_the_classifier_learns_clips_of_seen_and_texts_of_unseen_classes() -> None:
    method = make()
    clips, targets = torch.randn(5, 3 * toy.WIDTH), torch.tensor([0, 0, 0, 2, 2])
    codes, labels = method.codes(clips, targets, torch.Generator().manual_seed(0))
    expected = [toy.SEEN[0]] * 4 + [toy.SEEN[2]] * 4 + [c for c in toy.UNSEEN for _ in range(5)]
    assert labels.tolist() == expected
    assert len(codes) == len(labels)


def test_texts_of_seen_classes_are_left_out_of_the_classifier() -> None:
    method, generator = make(), torch.Generator()
    clips, targets = torch.randn(5, 3 * toy.WIDTH), torch.tensor([0, 0, 0, 2, 2])
    before = method.codes(clips, targets, generator.manual_seed(0))[0]
    method.text[0, list(toy.SEEN)] += 1
    torch.testing.assert_close(method.codes(clips, targets, generator.manual_seed(0))[0], before)
    method.text[0, list(toy.UNSEEN)] += 1
    after = method.codes(clips, targets, generator.manual_seed(0))[0]
    assert torch.equal(after[:8], before[:8])
    assert not torch.allclose(after[8:], before[8:])


def test_the_published_widths() -> None:
    method = make()
    shapes = [tuple(p.shape) for name, p in method.named_parameters() if p.ndim == 2]
    assert shapes == [
        (1560, 18),
        (128, 1560),
        (1660, 64),
        (18, 1660),
        (1450, 6),
        (128, 1450),
        (665, 64),
        (6, 665),
        (24, 64),
    ]

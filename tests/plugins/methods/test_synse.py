"""SynSE: the cycle's schedule, and halves of the code for verb and noun."""

import pytest
import torch

from starcli_plugins.methods.synse import SynSE
from tests import toy_problem as toy

pytestmark = pytest.mark.numerical


def make(steps: int = 1700) -> SynSE:
    return SynSE(SynSE.Settings(steps=steps), toy.problem(), 0)


@pytest.mark.parametrize(
    ("cycle", "step", "clip", "text", "cross"),
    [
        (0, 0, 0, 0, 0),
        (0, 1000, 0, 0, 0),
        (0, 1300, 0.01, 0, 0),
        (0, 1399, 0.0133, 0, 0),
        (1, 1600, 0.02, 0, 1),
        (2, 1600, 0.02, 0.1 * 200 / 3000, 1),
        (2, 500, 0, 0, 0),
    ],
)
def test_the_published_cycle(cycle: int, step: int, clip: float, text: float, cross: float) -> None:
    weights = make().weights(cycle + (step + 1e-6) / 1700)
    assert weights["reconstruction"] == 1
    assert weights["clip_divergence"] == pytest.approx(clip, abs=1e-4)
    assert weights["text_divergence"] == pytest.approx(text, abs=1e-6)
    assert weights["cross"] == cross


def test_a_shorter_cycle_has_the_same_shape() -> None:
    assert make(170).weights(0.9) == make().weights(0.9)
    assert make(170).cycle() == 170


def test_the_distance_is_the_mean_square() -> None:
    assert make().distance(torch.tensor([[1.0, 3.0]]), torch.zeros(1, 2)).item() == 5


def test_verb_and_noun_have_half_a_code_each() -> None:
    method = make()
    assert method.facets == ("verb", "noun")
    assert [vae.encode(method.text[0, :2]).mean.shape for vae in method.text_vaes] == [(2, 50)] * 2  # type: ignore[operator]
    assert method.clip_vae.encode(torch.zeros(1, 3 * toy.WIDTH)).mean.shape == (1, 100)


def test_texts_weigh_as_much_as_standardised_features() -> None:
    mean_squares = make().text.square().mean(-1)
    torch.testing.assert_close(mean_squares, torch.ones(2, toy.CLASSES))

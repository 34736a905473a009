"""MSF: all texts of a class fused into one."""

import pytest
import torch

from starcli.contracts import TextBank
from starcli_plugins.methods.msf import Msf
from tests import toy_problem as toy

pytestmark = pytest.mark.numerical


def test_the_texts_lie_side_by_side_with_equal_weight() -> None:
    vectors = torch.tensor([[[3.0, 4.0], [0.0, 2.0]], [[1.0, 0.0], [-5.0, 0.0]]])
    bank = TextBank(("a", "b"), ("name", "head"), vectors)
    problem = toy.problem(bank=bank, seen=(0,), unseen=(1,))
    method = Msf(Msf.Settings(latent=4), problem, 0)
    expected = torch.tensor([[0.6, 0.8, 0.0, 1.0], [1.0, 0.0, -1.0, 0.0]]) / 2**0.5
    torch.testing.assert_close(method.text, 2 * expected[None])  # four coordinates, mean square 1


def test_one_autoencoder_reads_all_of_it() -> None:
    method = Msf(Msf.Settings(latent=4), toy.problem(), 0)
    assert len(method.text_vaes) == 1
    assert method.text_vaes[0].encode(method.text[0]).mean.shape == (toy.CLASSES, 4)  # type: ignore[operator]

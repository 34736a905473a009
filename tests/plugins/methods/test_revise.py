"""ReViSE: autoencoders, contraction, discrepancy, hinge."""

import pytest
import torch
from torch.nn import functional

from starcli_plugins.methods.losses import hinge_rank, mmd
from starcli_plugins.methods.revise import Autoencoder, Revise
from tests import toy_problem as toy

pytestmark = pytest.mark.numerical


def make(**settings: float) -> Revise:
    return Revise(
        Revise.Settings.model_validate({"code": 7, "embedding": 4, **settings}), toy.problem(), 0
    )


def test_the_contraction_is_the_squared_norm_of_the_jacobian() -> None:
    torch.manual_seed(0)
    network, clips = Autoencoder(6, 5, 3), torch.randn(4, 6)
    code = network(clips)[0]
    jacobians = [torch.func.jacrev(lambda x: network.encoder(x).relu())(clip) for clip in clips]
    expected = torch.stack([j.square().sum() for j in jacobians]).mean()
    torch.testing.assert_close(network.contraction(code), expected)
    assert 0 < (code > 0).float().mean() < 1


def test_the_terms_are_taken_between_the_right_things() -> None:
    method = make(kappa=0.1)
    clips, targets = torch.randn(5, 3 * toy.WIDTH), torch.tensor([0, 3, 3, 1, 0])
    text = method.text[0, method.seen]
    code = method.visual.encoder(clips).relu()
    text_code = method.semantic.encoder(text).relu()
    scores = method.visual.embed(code).tanh() @ method.semantic.embed(text_code).tanh().T
    terms = method.losses(clips, targets)
    torch.testing.assert_close(terms["hinge"], hinge_rank(scores, targets, 0.3))
    torch.testing.assert_close(terms["mmd"], mmd(code, text_code[targets], 0.1))
    own = functional.mse_loss(method.visual.decoder(code), clips)
    theirs = functional.mse_loss(method.semantic.decoder(text_code[targets]), text[targets])
    torch.testing.assert_close(terms["reconstruction"], own + theirs)


def test_the_loss_is_the_weighted_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    method = make(reconstruction=2.0, contraction=10.0, mmd=0.5)
    values = {"hinge": 1.0, "reconstruction": 3.0, "contraction": 0.1, "mmd": 4.0}
    terms = {name: torch.tensor(value) for name, value in values.items()}
    monkeypatch.setattr(method, "losses", lambda clips, targets: terms)
    assert method.loss(torch.zeros(1), torch.zeros(1)).item() == pytest.approx(1 + 6 + 1 + 2)


def test_the_discrepancy_draws_the_codes_together() -> None:
    method, clips = make(kappa=0.1), torch.randn(40, 3 * toy.WIDTH)
    targets = torch.arange(40) % 20
    optimizer = torch.optim.Adam(method.parameters(), 1e-2)
    found = []
    for _ in range(60):
        loss = method.losses(clips, targets)["mmd"]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        found.append(loss.item())
    assert found[-1] < 0.2 * found[0]

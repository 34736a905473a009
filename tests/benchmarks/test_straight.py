"""The straight ports are the published networks, and ours are the ports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import pytest
import torch
from torch import Tensor, nn

from starcli_plugins.backbones.base import SkeletonBackbone
from tests import reference
from tests.benchmarks.backbones import NETWORKS

pytestmark = pytest.mark.numerical
BOTH = pytest.mark.parametrize("name", ["st-gcn", "ctr-gcn"])


@runtime_checkable
class Published(Protocol):
    """A network that reads published weights."""

    def published(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]: ...


def pair(name: str, shared: Path) -> tuple[nn.Module, SkeletonBackbone, nn.Linear]:
    """The port and our network, with its classifier, all with the reference weights."""
    weights = reference.weights(shared, name.replace("-", "_"))
    port, ours = NETWORKS[name].build()
    assert isinstance(ours, SkeletonBackbone) and isinstance(ours, Published)
    port.load_state_dict(weights)
    named = ours.published(weights)
    fc = nn.Linear(ours.dim, 60)
    fc.load_state_dict({k: named.pop(f"fc.{k}") for k in ("weight", "bias")})
    ours.load_state_dict(named)
    return port, ours, fc


@pytest.mark.slow
@BOTH
def test_port_equals_the_reference(name: str, shared: Path) -> None:
    reference.assert_published(shared, name.replace("-", "_"), pair(name, shared)[0])


@pytest.mark.parametrize("name", ["st-gcn", pytest.param("ctr-gcn", marks=pytest.mark.slow)])
def test_ours_equals_the_port_in_training_mode(name: str, shared: Path) -> None:
    # In double precision, so that no value close to a kink of a ReLU falls on its other side.
    port, ours, fc = pair(name, shared)
    for net in (port, ours, fc):
        net.double().train()
    source = torch.Generator().manual_seed(5)
    clips = torch.randn(2, 3, 8, 25, 2, dtype=torch.float64, generator=source)
    for logits in (port(clips), fc(ours(clips).mean((1, 2)))):
        torch.autograd.backward(reference.ramp(logits))

    grads = {n: p.grad for n, p in port.named_parameters() if p.grad is not None}
    if "A" in port.state_dict():
        grads["A"] = torch.zeros_like(port.get_buffer("A"))
    assert isinstance(ours, Published)
    want = ours.published(grads)
    largest = max(float(g.abs().max()) for g in want.values())
    names = dict(ours.named_parameters())
    assert set(names) <= set(want)
    for key, parameter in names.items():
        assert parameter.grad is not None, key
        torch.testing.assert_close(
            parameter.grad, want[key], rtol=1e-6, atol=1e-9 * largest, msg=key
        )
    state = ours.published(port.state_dict())
    for key, value in ours.state_dict().items():
        if "running" in key:
            torch.testing.assert_close(value, state[key], rtol=1e-9, atol=1e-12, msg=key)

"""The straight ports are the published networks, and ours are the ports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from backbones import NETWORKS
from safetensors.torch import load_file
from torch import Tensor, nn

from starcli_plugins.backbones.base import SkeletonBackbone

BOTH = pytest.mark.parametrize("name", ["st-gcn", "ctr-gcn"])


def pair(name: str, shared: Path) -> tuple[Any, SkeletonBackbone, nn.Linear]:
    """The port and our network, with its classifier, all with the reference weights."""
    weights = load_file(shared / "reference" / f"{name.replace('-', '_')}.weights.safetensors")
    port, ours = NETWORKS[name].build()
    assert isinstance(ours, SkeletonBackbone)
    port.load_state_dict(weights)
    named = type(ours).published(weights)  # type: ignore[attr-defined]
    fc = nn.Linear(ours.dim, 60)
    fc.load_state_dict({k: named.pop(f"fc.{k}") for k in ("weight", "bias")})
    ours.load_state_dict(named)
    return port, ours, fc


def expected(name: str, shared: Path) -> dict[str, Tensor]:
    return load_file(shared / "reference" / f"{name.replace('-', '_')}.expected.safetensors")


def ramp(logits: Tensor) -> Tensor:
    return (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum()


def close(found: Tensor, want: Tensor, within: float = 1e-4) -> None:
    assert float(((found - want).abs().max() / want.abs().max()).detach()) <= within


@BOTH
@pytest.mark.usefixtures("reference_threads")
def test_port_equals_the_reference(name: str, shared: Path) -> None:
    port, _, _ = pair(name, shared)
    want = expected(name, shared)
    clips = want["input"].requires_grad_()
    port.eval()

    logits = port(clips)
    ramp(logits).backward()

    close(port.features(clips), want["feature_map"])
    close(logits, want["logits"])
    assert clips.grad is not None
    close(clips.grad, want["input_grad"])


@BOTH
def test_ours_equals_the_port_in_eval_mode(name: str, shared: Path) -> None:
    port, ours, fc = pair(name, shared)
    clips = expected(name, shared)["input"]
    port.eval(), ours.eval()

    with torch.inference_mode():
        close(ours.features(clips), port.features(clips))
        close(fc(ours(clips).mean((1, 2))), port(clips))


@BOTH
def test_ours_equals_the_port_in_training_mode(name: str, shared: Path) -> None:
    # In double precision, so that no value close to a kink of a ReLU falls on its other side.
    port, ours, fc = (net.double().train() for net in pair(name, shared))
    clips = torch.randn(2, 3, 16, 25, 2, dtype=torch.float64)
    for logits in (port(clips), fc(ours(clips).mean((1, 2)))):
        ramp(logits).backward()

    grads = {n: p.grad for n, p in port.named_parameters()}
    if "A" in port.state_dict():
        grads["A"] = torch.zeros_like(port.A)
    want = type(ours).published(grads)  # type: ignore[attr-defined]
    largest = max(float(g.abs().max()) for g in want.values())
    names = dict(ours.named_parameters())
    assert set(names) <= set(want)
    for key, parameter in names.items():
        assert parameter.grad is not None, key
        torch.testing.assert_close(
            parameter.grad, want[key], rtol=1e-6, atol=1e-9 * largest, msg=key
        )
    state = type(ours).published(port.state_dict())  # type: ignore[attr-defined]
    for key, value in ours.state_dict().items():
        if "running" in key:
            torch.testing.assert_close(value, state[key], rtol=1e-9, atol=1e-12, msg=key)

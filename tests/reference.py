"""What the published networks give, in float64, and how closely others must meet it.

In float32 a few values before a ReLU lie within rounding of zero, and which side they take, and
the gradient with them, depends on the processor. So gradients are compared in float64 only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable
from unittest import mock

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

ROUNDING = 1e-12
# The published joint offsets of at most 2.6e-10 frames, which a plain gather leaves out.
OFFSETS = 1e-7
SINGLE = 1e-4


def weights(shared: Path, name: str) -> dict[str, Tensor]:
    """The published network's state dict, with its own key names."""
    return load_file(shared / "reference" / f"{name}.weights.safetensors")


def expected(shared: Path, name: str) -> dict[str, Tensor]:
    """`input` in float32; `feature_map`, `logits` and `input_grad` in float64."""
    return load_file(shared / "reference" / f"{name}.expected64.safetensors")


def ramp(logits: Tensor) -> Tensor:
    """The sum of which `input_grad` is the gradient: every logit has a weight of its own."""
    slope = torch.linspace(-1, 1, logits.numel(), dtype=torch.float64).view_as(logits)
    return (logits * slope).sum()


def close(found: Tensor, want: Tensor, within: float) -> None:
    """Their largest difference is at most `within` of the largest value."""
    apart = float(((found - want).abs().max() / want.abs().max()).detach())
    assert apart <= within, f"expected at most {within} of the largest value, got {apart}"


def assert_published(
    shared: Path, name: str, net: nn.Module, classifier: nn.Module | None = None
) -> None:
    """The outputs are the published ones in both precisions, and in float64 the gradient.

    Args:
        shared: the shared folder.
        name: the reference files' name.
        net: a network with the reference weights; `features` gives its maps before pooling.
        classifier: gives logits from pooled tokens; absent where `net` gives them itself.
    """
    whole = nn.ModuleList([net] if classifier is None else [net, classifier]).eval()
    want = expected(shared, name)
    with torch.inference_mode():  # our norms are folded
        maps, logits = _outputs(whole, want["input"])
    close(maps, want["feature_map"], SINGLE)
    close(logits, want["logits"], SINGLE)
    within = OFFSETS if name.startswith("shift") else ROUNDING
    clips = want["input"].double().requires_grad_()
    maps, logits = _outputs(whole.double(), clips)
    (gradient,) = torch.autograd.grad(ramp(logits), clips)
    close(maps, want["feature_map"], within)
    close(logits, want["logits"], within)
    close(_determined(gradient), _determined(want["input_grad"]), within)


@runtime_checkable
class Extractor(Protocol):
    """A network that has feature maps."""

    def features(self, clips: Tensor) -> Tensor: ...


def _outputs(whole: nn.ModuleList, clips: Tensor) -> tuple[Tensor, Tensor]:
    """Feature map and logits, from one pass."""
    net = whole[0]
    assert isinstance(net, Extractor)
    features = net.features
    maps: list[Tensor] = []

    def recorded(clips: Tensor) -> Tensor:
        maps.append(features(clips))
        return maps[-1]

    with mock.patch.object(net, "features", recorded):
        out = net(clips)
    return maps[0], whole[1](out.mean((1, 2))) if len(whole) > 1 else out


def _determined(gradient: Tensor) -> Tensor:
    """A gradient [N, C, T, V, M] where it is one number.

    The second person of the second clip is absent and so constant in time: a max-pool over equal
    frames passes the gradient to any of them, and only its sum over time is determined.
    """
    kept = gradient.clone()
    kept[1, ..., 1] = kept[1, ..., 1].sum(1, keepdim=True)
    return kept

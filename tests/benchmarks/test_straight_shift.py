"""The straight port of Shift-GCN against the published outputs and against the plugin."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from benchmarks.straight_shift_gcn import STRIDES, WIDTHS, StraightShiftGcn
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from starcli_plugins.backbones.shift_gcn import ShiftGcn
from starcli_plugins.layouts import KINECT_V2

NAMES = pytest.mark.parametrize("name", ["shift_gcn_ntu60_xsub", "shift_gcn_ntu60_xview"])


def _close(got: Tensor, want: Tensor, tolerance: float = 1e-4) -> None:
    assert float((got - want).detach().abs().max()) <= tolerance * float(want.abs().max())


def _port(shared: Path, name: str) -> tuple[StraightShiftGcn, dict[str, Tensor]]:
    tensors = load_file(shared / "reference" / f"{name}.weights.safetensors")
    port = StraightShiftGcn(KINECT_V2)
    # Shifts across joints are zero throughout in the published weights.
    port.load_state_dict({k: v for k, v in tensors.items() if not k.endswith("xpos")})
    tables = {k: v for k, v in StraightShiftGcn(KINECT_V2).named_buffers() if "shift" in k}
    assert tables and all(torch.equal(tensors[k], v) for k, v in tables.items())
    return port, tensors


@NAMES
@pytest.mark.usefixtures("reference_threads")
def test_port_reproduces_the_published_outputs(shared: Path, name: str) -> None:
    port = _port(shared, name)[0].eval()
    expected = load_file(shared / "reference" / f"{name}.expected.safetensors")
    x = expected["input"].requires_grad_()
    logits = port(x)
    slope = torch.linspace(-1, 1, logits.numel()).view_as(logits)
    (logits * slope).sum().backward()

    _close(port.features(x), expected["feature_map"])
    _close(logits, expected["logits"])
    assert x.grad is not None
    _close(x.grad, expected["input_grad"])


def _double(shared: Path, name: str) -> tuple[StraightShiftGcn, ShiftGcn, Tensor, Tensor]:
    """Port, plugin and the plugin's classifier with the same weights, in float64."""
    port, tensors = _port(shared, name)
    renamed = ShiftGcn.published(tensors)
    weight, bias = renamed.pop("fc.weight").double(), renamed.pop("fc.bias").double()
    net = ShiftGcn(ShiftGcn.Settings(widths=WIDTHS, strides=STRIDES, persons=2), KINECT_V2)
    net.load_state_dict(renamed)
    return port.double(), net.double(), weight, bias


@NAMES
def test_plugin_and_port_have_the_same_input_gradient(shared: Path, name: str) -> None:
    port, net, weight, bias = _double(shared, name)
    port.eval(), net.eval()
    expected = load_file(shared / "reference" / f"{name}.expected.safetensors")
    x = expected["input"].double().requires_grad_()
    theirs, ours = port(x), functional.linear(net(x).mean((1, 2)), weight, bias)
    slope = torch.linspace(-1, 1, theirs.numel(), dtype=torch.float64).view_as(theirs)

    (want,) = torch.autograd.grad((theirs * slope).sum(), x)
    (got,) = torch.autograd.grad((ours * slope).sum(), x)
    _close(ours, theirs, 1e-10)
    _close(got, want, 1e-10)


def test_plugin_and_port_train_alike(shared: Path) -> None:
    # In float64: gradients of biases before a batch norm are zero up to rounding.
    port, net, weight, bias = _double(shared, "shift_gcn_ntu60_xsub")
    x = torch.randn(2, 3, 8, 25, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(5))

    theirs = port(x)
    ours = functional.linear(net(x).mean((1, 2)), weight, bias)
    _close(ours, theirs, 1e-9)
    for logits in (theirs, ours):
        logits.square().sum().backward()

    grads = {n: p.grad for n, p in port.named_parameters() if p.grad is not None}
    want = ShiftGcn.published(grads)
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, want[name], rtol=1e-6, atol=1e-6)
    statistics = ShiftGcn.published(dict(port.named_buffers()) | grads)
    for name, buffer in net.named_buffers():
        if "running" in name:
            torch.testing.assert_close(buffer, statistics[name])

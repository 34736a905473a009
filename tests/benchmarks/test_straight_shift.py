"""The straight port of Shift-GCN against the published outputs and against the plugin."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from starcli_plugins.backbones.shift_gcn import ShiftGcn
from starcli_plugins.layouts import KINECT_V2
from tests import reference
from tests.benchmarks.straight_shift_gcn import STRIDES, WIDTHS, StraightShiftGcn

pytestmark = pytest.mark.numerical
NAME = "shift_gcn_ntu60_xsub"


def _port(shared: Path) -> tuple[StraightShiftGcn, dict[str, Tensor]]:
    tensors = reference.weights(shared, NAME)
    port = StraightShiftGcn(KINECT_V2)
    # Shifts across joints are zero throughout in the published weights.
    port.load_state_dict({k: v for k, v in tensors.items() if not k.endswith("xpos")})
    tables = {k: v for k, v in StraightShiftGcn(KINECT_V2).named_buffers() if "shift" in k}
    assert tables and all(torch.equal(tensors[k], v) for k, v in tables.items())
    return port, tensors


@pytest.mark.slow
def test_port_reproduces_the_published_outputs(shared: Path) -> None:
    reference.assert_published(shared, NAME, _port(shared)[0])


def _double(shared: Path) -> tuple[StraightShiftGcn, ShiftGcn, Tensor, Tensor]:
    """Port, plugin and the plugin's classifier with the same weights, in float64."""
    port, tensors = _port(shared)
    renamed = ShiftGcn.published(tensors)
    weight, bias = renamed.pop("fc.weight").double(), renamed.pop("fc.bias").double()
    net = ShiftGcn(ShiftGcn.Settings(widths=WIDTHS, strides=STRIDES, persons=2), KINECT_V2)
    net.load_state_dict(renamed)
    return port.double(), net.double(), weight, bias


def test_plugin_and_port_train_alike(shared: Path) -> None:
    # In float64: gradients of biases before a batch norm are zero up to rounding.
    port, net, weight, bias = _double(shared)
    x = torch.randn(2, 3, 8, 25, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(5))

    theirs = port(x)
    ours = functional.linear(net(x).mean((1, 2)), weight, bias)
    reference.close(ours, theirs, 1e-9)
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

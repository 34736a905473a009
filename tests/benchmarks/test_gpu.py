"""The benchmark of devices counts right, and measures every network, on any device."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.benchmarks.gpu import (
    RUNS,
    Network,
    backbone,
    backbones,
    head,
    measured,
    operations,
    run_of,
)

CPU = torch.device("cpu")


def test_operations_are_those_of_the_products() -> None:
    linear, batch = nn.Linear(3, 4), torch.ones(2, 3)
    network = Network("linear", linear, linear, lambda x: linear(x).sum(), batch)
    infer, train = (run_of(network, what, torch.float32) for what in RUNS)
    assert operations(infer) == 2 * 2 * 3 * 4
    assert operations(train) == 2 * 2 * 2 * 3 * 4  # and the gradient of the weights
    row = measured(network, infer, product=1e9, repeats=1)
    assert row.operations == 2 * 3 * 4
    assert row.share == pytest.approx(row.clips * row.operations / 1e9)
    assert row.memory is None  # a CPU does not count it


@pytest.mark.slow
def test_every_network_runs() -> None:
    sizes = {"token_dim": 8, "width": 8, "attributes": 4}
    assert {"st-gcn", "ctr-gcn", "shift-gcn", "part-pure"} <= set(backbones())
    made = [backbone(name, CPU, 1, frames=32) for name in backbones()]
    for network in (*made, head(CPU, 2, **sizes)):
        for what, precision in zip(RUNS, (torch.float32, torch.bfloat16), strict=True):
            run = run_of(network, what, precision)
            run()
            assert operations(run) > 0, network.name
        assert all(p.grad is not None for p in network.module.parameters() if p.requires_grad)

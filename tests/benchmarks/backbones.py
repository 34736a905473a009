"""Our backbones against straight ports, published sizes: python -m tests.benchmarks.backbones

Times are medians over interleaved repetitions (port, ours, port, ours, ...), in units of one
1024 x 1024 x 1024 float32 matrix product on the same threads, so that machines compare. A training
step is forward and backward in training mode without dropout; the optimiser is left out. Each
network is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from starcli_plugins.layouts import KINECT_V2


@dataclass(frozen=True)
class Entry:
    """Where a network and its port live, and the settings of the published network."""

    port: str
    ours: str
    settings: dict[str, Any] = field(default_factory=dict)

    def build(self) -> tuple[nn.Module, nn.Module]:
        """The port and our network; imported here so that one may be missing."""
        ours = _load(f"starcli_plugins.backbones.{self.ours}")
        return _load(f"tests.benchmarks.{self.port}")(KINECT_V2), ours(
            ours.Settings(**SIZES, **self.settings), KINECT_V2
        )


SIZES: dict[str, Any] = {
    "widths": (64,) * 4 + (128,) * 3 + (256,) * 3,
    "strides": (1, 1, 1, 1, 2, 1, 1, 2, 1, 1),
}
NETWORKS = {
    "st-gcn": Entry(
        "straight_st_gcn:StraightStGcn",
        "st_gcn:StGcn",
        {"dropout": 0.0, "partition": "distance-published"},
    ),
    "ctr-gcn": Entry("straight_ctr_gcn:StraightCtrGcn", "ctr_gcn:CtrGcn", {"persons": 2}),
    "shift-gcn": Entry("straight_shift_gcn:StraightShiftGcn", "shift_gcn:ShiftGcn"),
}


def _load(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)


def inference(net: nn.Module, clips: Tensor) -> Callable[[], None]:
    """One forward pass in eval mode without gradients."""

    def run() -> None:
        net.eval()
        with torch.inference_mode():
            net(clips)

    return run


def training_step(net: nn.Module, clips: Tensor) -> Callable[[], None]:
    """One forward and backward pass in training mode."""

    def run() -> None:
        net.train()
        net.zero_grad()
        net(clips).square().mean().backward()

    return run


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def interleaved(runs: list[Callable[[], object]], repeats: int) -> list[float]:
    """Median seconds of each, taken in turns, after one round to warm up."""
    rounds = [[seconds(run) for run in runs] for _ in range(repeats + 1)][1:]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def unit() -> float:
    """Median seconds of one 1024 x 1024 x 1024 float32 product."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    return interleaved([lambda: a @ b], 20)[0]


def main() -> None:
    """Print the unit and, per network, units of port and ours and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=NETWORKS, action="append", help="may be given again")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    given = parser.parse_args()
    if given.only is None:
        for name in NETWORKS:  # each in a process of its own: none inherits another's memory
            subprocess.run([sys.executable, *sys.orig_argv[1:], "--only", name], check=True)
        return
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    clips = torch.randn(given.batch, 3, 64, len(KINECT_V2.joints), 2)
    one = unit()
    print(f"unit {one * 1e3:.1f} ms; input {list(clips.shape)}; {given.threads} threads")
    print(f"{'':24}{'port':>8}{'ours':>8}{'ratio':>8}")
    for name in given.only:
        nets = NETWORKS[name].build()
        for what in (inference, training_step):
            port, ours = interleaved([what(net, clips) for net in nets], given.repeats)
            label = f"{name} {what.__name__.replace('_', ' ')}"
            print(f"{label:24}{port / one:8.1f}{ours / one:8.1f}{port / ours:8.2f}", flush=True)


if __name__ == "__main__":
    main()

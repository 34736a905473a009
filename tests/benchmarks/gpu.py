"""How much of a device our networks use: python -m tests.benchmarks.gpu [--device cuda]

Each backbone with its default size, and the head, in inference and in a training step (forward and
backward, without the optimiser), in float32 and bfloat16, and compiled where it is asked for:
clips a second, operations of a clip, the share of the operations that a square matrix product of
the same precision does in the same time on the same device, and the memory that a run adds. It runs
on any device that torch knows, and tells memory where the device counts it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from starcli import registry
from starcli.training import device as devices
from starcli_plugins.layouts import KINECT_V2
from tests.benchmarks.head import CLASSES, UNSEEN, heads

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
RUNS = ("inference", "training step")
SQUARE = {"cpu": 1024, "cuda": 8192, "mps": 4096}
"""Rows of the matrices whose product is the measure, by type of device."""


@dataclass(frozen=True)
class Network:
    """What is measured, and what it reads.

    Args:
        name: What it is called.
        infer: Its answer to a batch.
        learn: Its loss of a batch.
        module: What has the weights.
        batch: What it reads.
    """

    name: str
    module: nn.Module
    infer: Callable[[Tensor], Tensor]
    learn: Callable[[Tensor], Tensor]
    batch: Tensor


@dataclass(frozen=True)
class Row:
    """What was measured.

    Args:
        clips: Clips a second.
        operations: Floating-point operations of a clip.
        share: Of those that a matrix product does in the same time.
        memory: Bytes that the run adds; None where the device does not count them.
    """

    clips: float
    operations: float
    share: float
    memory: int | None


def backbones() -> list[str]:
    """Names of ours."""
    return [e.name for e in registry.entries("backbone") if e.distribution == registry.OURS]


def backbone(name: str, device: torch.device, batch: int, frames: int = 64) -> Network:
    """A backbone of ours with its default size."""
    plugin = registry.load("backbone", name)
    module: Any = plugin(plugin.Settings(), KINECT_V2).to(device)
    clips = torch.randn(batch, 3, frames, len(KINECT_V2.joints), 2, device=device)

    def learn(x: Tensor) -> Tensor:
        loss: Tensor = module(x).float().square().mean()
        return loss

    return Network(name, module, module, learn, clips)


def head(device: torch.device, batch: int, **sizes: int) -> Network:
    """The dual-prompt head of the paper's sizes."""
    module = heads(**sizes)[1].to(device)
    width = sizes.get("token_dim", 256)
    tokens = torch.randn(batch, 16, len(KINECT_V2.joints), width, device=device)
    targets = torch.arange(batch, device=device) % (CLASSES - UNSEEN)
    return Network("star", module, module.score, partial(module.loss, targets=targets), tokens)


def synchronise(device: torch.device) -> None:
    """Wait until a device has done what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def seconds(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Median time of a run, after two to warm up."""
    times = []
    for _ in range(repeats + 2):
        synchronise(device)
        started = time.perf_counter()
        run()
        synchronise(device)
        times.append(time.perf_counter() - started)
    return statistics.median(times[2:])


def rate_of_product(device: torch.device, precision: torch.dtype, rows: int, repeats: int) -> float:
    """Operations a second of a square matrix product."""
    a, b = torch.randn(2, rows, rows, device=device).to(precision)
    return 2 * rows**3 / seconds(lambda: a @ b, device, repeats)


def run_of(network: Network, what: str, precision: torch.dtype) -> Callable[[], None]:
    """One run of a network on its batch."""
    low = precision != torch.float32
    mixed = partial(torch.autocast, network.batch.device.type, precision, enabled=low)

    def infer() -> None:
        with torch.inference_mode(), mixed():
            network.infer(network.batch)

    def train() -> None:
        network.module.zero_grad()
        with mixed():
            loss = network.learn(network.batch)
        torch.autograd.backward(loss)

    network.module.train(what != "inference")
    return infer if what == "inference" else train


def operations(run: Callable[[], None]) -> int:
    """Floating-point operations of a run, a multiplication and an addition counted as two.

    It has run before: what the head remembers from its first run is made outside of the counter.
    """
    with FlopCounterMode(display=False) as counter:
        run()
    total: int = counter.get_total_flops()
    return total


def memory_of(run: Callable[[], None], device: torch.device) -> int | None:
    """Bytes of the device that a run adds to what is there before."""
    if device.type != "cuda":
        return None
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()
    return torch.cuda.max_memory_allocated(device) - before


def measured(network: Network, run: Callable[[], None], product: float, repeats: int) -> Row:
    """What a run does.

    Args:
        network: What runs.
        run: One run of it, that may be compiled.
        product: Operations a second of a matrix product.
        repeats: How often it is timed.
    """
    device, count = network.batch.device, len(network.batch)
    took = seconds(run, device, repeats)
    done = operations(run)
    return Row(count / took, done / count, done / took / product, memory_of(run, device))


@dataclass(frozen=True)
class Asked:
    """What the user asks for."""

    device: torch.device
    batch: int = 64
    repeats: int = 10
    compiled: bool = False
    only: list[str] = field(default_factory=list)


def rows(asked: Asked) -> Iterator[tuple[str, Row | None]]:
    """What is measured, with its title; of the matrix product the title says it."""
    square = SQUARE.get(asked.device.type, 4096)
    names = [name for name in (*backbones(), "star") if not asked.only or name in asked.only]
    for precision, kind in PRECISIONS.items():
        product = rate_of_product(asked.device, kind, square, asked.repeats)
        yield f"matrix product of {square} rows, {precision}: {product / 1e12:.3f} TFLOP/s", None
        for name in names:
            made = head if name == "star" else partial(backbone, name)
            network = made(asked.device, asked.batch)
            for what in RUNS:
                run = run_of(network, what, kind)
                title = f"{name} {what}, {precision}"
                yield title, measured(network, run, product, asked.repeats)
                if asked.compiled:
                    network.module.compile()
                    yield f"{title}, compiled", measured(network, run, product, asked.repeats)


def main() -> None:
    """Print a row for each network, run and precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", help="as run.device")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--compile", action="store_true", help="also compiled by torch.compile")
    parser.add_argument("--only", action="append", default=[], choices=[*backbones(), "star"])
    given = parser.parse_args()
    asked = Asked(
        devices.choose(given.device), given.batch, given.repeats, given.compile, given.only
    )
    print(f"{asked.device}, batch {asked.batch}, {torch.get_num_threads()} threads")
    print(f"{'':40}{'clips/s':>10}{'GFLOP/clip':>12}{'% of product':>14}{'MB':>8}")
    for title, row in rows(asked):
        if row is None:
            print(title)
            continue
        memory = "-" if row.memory is None else f"{row.memory / 2**20:.0f}"
        print(
            f"{title:40}{row.clips:10.1f}{row.operations / 1e9:12.3f}{100 * row.share:14.1f}"
            f"{memory:>8}",
            flush=True,
        )


if __name__ == "__main__":
    main()

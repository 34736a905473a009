"""Seconds of a core for a clip, in every stage: python -m tests.benchmarks.rates

Clips of 64 frames, 25 joints and one person, in batches of 16, networks of every recipe, the head
`star` at its default size. `starcli.benchmark.magnitude` has what was measured last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from starcli import registry
from starcli.experiment import Experiment
from starcli.settings.resolve import load
from starcli_plugins.layouts import KINECT_V2
from tests.benchmarks.backbones import inference, training_step
from tests.benchmarks.head import heads, run_of

BATCH, FRAMES = 16, 64


def seconds(run: Callable[[], object], repeats: int = 3) -> float:
    """The least processor time of a few runs, a clip's share of it."""
    run()
    took = []
    for _ in range(repeats):
        begun = time.process_time()
        run()
        took.append(time.process_time() - begun)
    return min(took) / BATCH


def network(name: str, recipe: str) -> Any:
    """A backbone of the size that a recipe has on NTU RGB+D 60."""
    flags = {"dataset.name": "ntu60", "backbone.name": name, "pretrain.recipe": recipe}
    return Experiment(load(flags)).make("backbone", KINECT_V2)


def main() -> None:
    """Print seconds of a training step and of reading, of every network, and of the head."""
    torch.set_num_threads(1)
    clips = torch.randn(BATCH, 3, FRAMES, len(KINECT_V2.joints), 1)
    for entry in registry.entries("backbone"):
        recipes = getattr(registry.declared("backbone", entry.name), "recipes", {"light": {}})
        for recipe in recipes:
            net = network(entry.name, recipe)
            both = seconds(training_step(net, clips)), seconds(inference(net, clips))
            print(entry.name, recipe, *(f"{each:.4f}" for each in both), flush=True)
    _, star = heads()
    steps = ("training step", "inference")
    took = [seconds(run_of(star, what, "float32", BATCH)) for what in steps]
    print("star", *(f"{each:.4f}" for each in took))


if __name__ == "__main__":
    main()

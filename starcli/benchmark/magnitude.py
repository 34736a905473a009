"""An order of magnitude of the time that a table takes, where its recordings are absent.

Processor seconds for a clip are those that `python -m tests.benchmarks.rates` measures; how much
faster other devices are is assumed, and said to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from starcli.benchmark.grid import Cell, groups
from starcli.errors import StarError
from starcli.experiment import Experiment
from starcli.settings.resolve import load
from starcli.totals import CountedDataset

MEASURED = 64 * 25
"""Frames and joints of the clips that were measured."""
READING = 0.03
"""Seconds to read and prepare a clip."""
LONG = 20
"""Clips of a recording where only recordings are counted: PKU-MMD has 21,545 in 1,076."""


class Rate(NamedTuple):
    """Seconds of a core that a clip of one person takes."""

    train: float
    read: float


BACKBONES: Mapping[tuple[str, str], Rate] = {
    ("ctr-gcn", "light"): Rate(0.031, 0.010),
    ("ctr-gcn", "published"): Rate(0.25, 0.083),
    ("part-pure", "light"): Rate(0.003, 0.001),
    ("shift-gcn", "light"): Rate(0.016, 0.005),
    ("shift-gcn", "published"): Rate(0.11, 0.038),
    ("st-gcn", "light"): Rate(0.029, 0.009),
    ("st-gcn", "published"): Rate(0.14, 0.040),
}
"""Backbone and recipe -> a step of its training, and its tokens."""
METHODS: Mapping[str, Rate] = {"star": Rate(0.054, 0.014)}
"""Method -> a step of its training, and its scores; others learn from a clip's mean token."""
OF_METHOD = 100 * 768
"""Attributes and width of the head that was measured."""
OTHERS = Rate(0.0005, 0.0005)
DEVICES: Mapping[str, float] = {"one core": 1, "16 cores": 10, "a GPU": 50}
"""Device -> how much faster than a core it is; only the core was measured."""


def magnitude(chosen: Sequence[Cell], config: Path | None) -> dict[str, float] | None:
    """Device -> seconds that cells take on complete recordings; None where nobody can say.

    Args:
        chosen: The cells.
        config: A settings file; None for `starcli.toml` where there is one.
    """
    total, read = 0.0, set[str]()
    try:
        for together in groups(chosen):
            for cell in together:
                experiment = Experiment(load(cell.flags, config))
                known = _clips(experiment)
                if known is None or cell.target is not None:
                    return None
                if cell.dataset not in read:
                    read.add(cell.dataset)
                    total += READING * known[1]
                if cell is together[0]:
                    total += _backbone(experiment, *known)
                total += _method(experiment, *known)
    except (KeyError, StarError):  # a backbone that nobody measured, a plugin that is broken
        return None
    return {device: total / faster for device, faster in DEVICES.items()}


def _clips(experiment: Experiment) -> tuple[float, int] | None:
    """How many clips are trained on, and how many there are; None where that is not known.

    Where it is known of the whole data set alone, two thirds train, and all classes are alike.
    """
    source: object = experiment.source
    if not isinstance(source, CountedDataset):
        return None
    counts = source.totals.counts(experiment.settings.dataset.protocol, experiment.unseen)
    if counts is not None:
        return counts.seen_train, counts.train + counts.test
    every = source.totals.clips or LONG * (source.totals.recordings or 0)
    share = len(experiment.seen) / len(experiment.source.classes)
    return (2 / 3 * share * every, every) if every else None


def _runs(experiment: Experiment) -> float:
    """How often the clips are trained on: once, and as far as nested runs hold nothing out."""
    held = experiment.settings.validation
    return 1 + len(experiment.folds) * (1 - held.classes) * (1 - held.clips)


def _backbone(experiment: Experiment, train: float, every: int) -> float:
    """Seconds of a core to pretrain a backbone and to take the tokens of all clips."""
    settings = experiment.settings
    rate = BACKBONES[settings.backbone.name, settings.pretrain.recipe]
    of_clip = settings.pretrain.frames * len(experiment.source.layout.joints) / MEASURED
    steps = rate.train * train * settings.pretrain.epochs + rate.read * every
    return of_clip * steps * _runs(experiment)


def _method(experiment: Experiment, train: float, every: int) -> float:
    """Seconds of a core to train a method and to score all clips."""
    own = experiment.loaded.plugin_settings["method"].model_dump()
    name, epochs = experiment.settings.method.name, own.get("epochs", 1)
    rate, size = METHODS.get(name, OTHERS), 1.0
    if name in METHODS:
        size = own["attributes"] * own["width"] / OF_METHOD
    steps = rate.train * train * epochs + rate.read * every
    return float(size * steps * _runs(experiment))

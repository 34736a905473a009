"""Data sets, one file each."""

from collections.abc import Mapping
from typing import Any

SMALL: Mapping[str, Any] = {
    "method.star.attributes": 32,
    "method.star.width": 128,
    "method.star.heads": 4,
    "method.star.batch": 32,
}
"""Preset for data sets of a few hundred training clips, where the paper's sizes only overfit."""

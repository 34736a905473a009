"""Models that come with an installed distribution: packages with an exported `model` inside.

The entry points of the group `starcli.models` name the packages.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from importlib.util import find_spec
from pathlib import Path

GROUP = "starcli.models"
DEFAULT = "general"
"""What names clips where no run has been trained."""


def shipped() -> dict[str, Path]:
    """Name -> exported folder of each; what is broken is none."""
    folders: dict[str, Path] = {}
    for distribution in distributions():
        with contextlib.suppress(Exception):  # one malformed distribution must not hide the others
            for name, folder in _models(distribution):
                folders.setdefault(name, folder)
    return folders


def _models(distribution: Distribution) -> Iterator[tuple[str, Path]]:
    text = distribution.read_text("entry_points.txt")
    if not text or GROUP not in text:
        return
    for point in distribution.entry_points.select(group=GROUP):
        spec = find_spec(point.value)  # which does not import it
        if spec is not None and spec.submodule_search_locations:
            yield point.name, Path(spec.submodule_search_locations[0]) / "model"

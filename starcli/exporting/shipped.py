"""Models that come with an installed distribution: packages with an exported `model` inside.

The entry points of the group `starcli.models` name the packages.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

GROUP = "starcli.models"
DEFAULT = "general"
"""What names clips where no run has been trained."""


def shipped() -> dict[str, Path]:
    """Name -> exported folder of each."""
    return {
        point.name: Path(str(files(point.value))) / "model" for point in entry_points(group=GROUP)
    }

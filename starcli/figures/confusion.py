"""Which unseen classes two runs take for one another (paper figure 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from starcli.errors import UsageError
from starcli.figures.drawing import admit, label
from starcli.sections import DatasetSection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

SAME = "name runs over the same recordings, protocol and split"
FEW = 12
"""Up to so many classes, cells are wide and numbers large."""


def require_comparable(datasets: Mapping[str, DatasetSection]) -> None:
    """Refuse runs over different data sets, protocols or splits.

    Args:
        datasets: Run -> its data set.

    Raises:
        UsageError: They differ, or there are not two runs.
    """
    if len(datasets) != 2:
        raise UsageError("two different runs are compared, not one with itself", "name another")
    (first, one), (second, other) = datasets.items()
    differing = [
        f"{'data set' if key == 'name' else key} {getattr(one, key)} / {getattr(other, key)}"
        for key in ("name", "protocol", "split") if getattr(one, key) != getattr(other, key)
    ]  # fmt: skip
    if differing:
        raise UsageError(f"runs '{first}' and '{second}' differ in {', '.join(differing)}", SAME)


def require_same_clips(clips: Mapping[str, Sequence[str]]) -> None:
    """Refuse runs that were judged on different recordings.

    Args:
        clips: Run -> names of its test clips.

    Raises:
        UsageError: They differ.
    """
    (first, one), (second, other) = clips.items()
    if one != other:
        apart = len({*one} ^ {*other})
        raise UsageError(f"runs '{first}' and '{second}' differ in {apart} test clips", SAME)


def numbers(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Shares of the clips of each unseen class, by the unseen class that they were taken for.

    Args:
        documents: Run -> what `evaluate --json` prints of it.

    Returns:
        `classes`, and per run `confusion`, a row per true class, which sums to 1; null for a class
        without test clips.
    """
    classes = next(iter(documents.values()))["classes"]
    unseen = classes["unseen"]
    return {
        "classes": [classes["names"][c] for c in unseen],
        "runs": [
            {"run": run, "method": each["method"], "ZSL": each["zsl"]["accuracy"],
             "warning": each["warning"], "confusion": _shares(each["zsl"]["confusion"], unseen)}
            for run, each in documents.items()
        ],
    }  # fmt: skip


def _shares(counts: Sequence[Sequence[int]], chosen: Sequence[int]) -> list[list[float | None]]:
    rows = [[counts[true][taken] for taken in chosen] for true in chosen]
    return [[count / sum(row) if sum(row) else None for count in row] for row in rows]


def draw(found: Mapping[str, Any]) -> Figure:
    """The two matrices side by side, in percent of each true class.

    Args:
        found: As `numbers` gives it.
    """
    from matplotlib.figure import Figure

    names = [label(name) for name in found["classes"]]
    side = max(3.0, (0.36 if len(names) <= FEW else 0.25) * len(names))
    figure = Figure(figsize=(2 * side + 3.4, side + 3), layout="compressed")
    grid = figure.subplots(1, 2, sharey=True)
    for axes, run in zip(grid, found["runs"], strict=True):
        image = _draw_matrix(axes, run["confusion"], names)
        axes.set_title(f"{run['method']}, ZSL {100 * run['ZSL']:.1f} %\n{run['run']}")
    grid[0].set_ylabel("true class")
    bar = figure.colorbar(image, ax=grid, shrink=0.8, aspect=30, pad=0.01)
    bar.set_label("% of the class's clips")
    admit(figure, {run["run"]: run["warning"] for run in found["runs"]})
    return figure


def _draw_matrix(
    axes: Axes, shares: Sequence[Sequence[float | None]], names: Sequence[str]
) -> AxesImage:
    """One matrix; a class without clips is grey, a share that rounds to nothing is left empty."""
    from matplotlib import colormaps

    percent = 100 * np.array(shares, dtype=float)
    colours = colormaps["Blues"].with_extremes(bad="0.85")
    image = axes.imshow(percent, cmap=colours, vmin=0, vmax=100)
    places, size = range(len(names)), 8 if len(names) <= FEW else 7
    axes.set_xticks(places, names, rotation=90)
    axes.set_yticks(places, names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(True)
    axes.set_xlabel("named as")
    for row, column in np.argwhere(percent >= 0.5):
        value = percent[row, column]
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=size,
                  color="white" if value > 55 else "black")  # fmt: skip
    return image

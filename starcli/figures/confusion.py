"""Which classes a run takes for one another, or two runs side by side (paper figure 5)."""

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
MANY = 60
"""From more classes on, cells are too small for numbers."""


def require_comparable(datasets: Mapping[str, DatasetSection]) -> None:
    """Refuse runs over different data sets, protocols or splits.

    Args:
        datasets: Run -> its data set.

    Raises:
        UsageError: They differ.
    """
    (first, one), *others = datasets.items()
    for second, other in others:
        _require_same_dataset(first, one, second, other)


def _require_same_dataset(
    first: str, one: DatasetSection, second: str, other: DatasetSection
) -> None:
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
    (first, one), *others = clips.items()
    for second, other in others:
        if one != other:
            apart = len({*one} ^ {*other})
            raise UsageError(f"runs '{first}' and '{second}' differ in {apart} test clips", SAME)


def numbers(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Shares of the clips of each class, by the class that they were taken for.

    Args:
        documents: Run -> what `evaluate --json` prints of it; one run, or two.

    Returns:
        `classes`, the unseen ones, and per run `confusion`, a row per true class, which sums to 1;
        null for a class without test clips. Of a single run `all` too: `classes`, first the seen
        ones, whose number is `seen`, and their `confusion`, with S, U and H.
    """
    classes = next(iter(documents.values()))["classes"]
    unseen = classes["unseen"]
    runs = [
        {"run": run, "method": each["method"], "ZSL": each["zsl"]["accuracy"],
         "warning": each["warning"], "confusion": _shares(each["zsl"]["confusion"], unseen)}
        for run, each in documents.items()
    ]  # fmt: skip
    found = {"classes": [classes["names"][c] for c in unseen], "runs": runs}
    if len(documents) > 1:
        return found
    return found | {"all": _of_all(classes, next(iter(documents.values()))["gzsl"])}


def _of_all(classes: Mapping[str, Any], gzsl: Mapping[str, Any]) -> dict[str, Any]:
    ids = [*classes["seen"], *classes["unseen"]]
    measures = {"S": "seen_accuracy", "U": "unseen_accuracy", "H": "harmonic_mean"}
    return {
        "classes": [classes["names"][c] for c in ids],
        "seen": len(classes["seen"]),
        "gamma": gzsl["gamma"],
        **{short: gzsl[key] for short, key in measures.items()},
        "confusion": _shares(gzsl["confusion"], ids),
    }


def _shares(counts: Sequence[Sequence[int]], chosen: Sequence[int]) -> list[list[float | None]]:
    rows = [[counts[true][taken] for taken in chosen] for true in chosen]
    return [[count / sum(row) if sum(row) else None for count in row] for row in rows]


def draw(found: Mapping[str, Any]) -> Figure:
    """Two matrices side by side, in percent of each true class.

    Of two runs those among unseen classes; of one run that and the one among all classes.

    Args:
        found: As `numbers` gives it.
    """
    from matplotlib.figure import Figure

    panels = [(found["classes"], run["confusion"],
               f"{run['method']}, ZSL {100 * run['ZSL']:.1f} %\n{run['run']}")
              for run in found["runs"]]  # fmt: skip
    every = found.get("all")
    if every:
        values = ", ".join(f"{short} {100 * every[short]:.1f} %" for short in "SUH")
        panels.append((every["classes"], every["confusion"],
                       f"{values} at gamma {every['gamma']:.3f}\nthe {len(found['classes'])} "
                       "unseen classes last"))  # fmt: skip
    sizes = [_side(len(names)) for names, *_ in panels]
    figure = Figure(figsize=(sum(sizes) + 4.6, max(sizes) + 3), layout="constrained")
    grid = figure.subplots(1, 2, width_ratios=sizes)
    for axes, (names, shares, title) in zip(grid, panels, strict=True):
        image = _draw_matrix(axes, shares, [label(name) for name in names])
        axes.set_title(title)
    if every:
        _part(grid[1], every["seen"])
        grid[0].set_xlabel("named as, among unseen classes")
        grid[1].set_xlabel("named as, among all classes")
    else:
        grid[1].set_yticklabels([])
    grid[0].set_ylabel("true class")
    bar = figure.colorbar(image, ax=grid, shrink=0.8, aspect=30, pad=0.01)
    bar.set_label("% of the class's clips")
    admit(figure, {run["run"]: run["warning"] for run in found["runs"]})
    return figure


def _side(count: int) -> float:
    """Inches of a matrix of so many classes."""
    return max(3.0, (0.36 if count <= FEW else 0.25 if count <= MANY else 0.14) * count)


def _part(axes: Axes, seen: int) -> None:
    """Draw lines between the seen classes, which come first, and the unseen ones."""
    for line in (axes.axhline, axes.axvline):
        line(seen - 0.5, color="black", linewidth=1)


def _draw_matrix(
    axes: Axes, shares: Sequence[Sequence[float | None]], names: Sequence[str]
) -> AxesImage:
    """One matrix; a class without clips is grey, a share that rounds to nothing is left empty."""
    from matplotlib import colormaps

    percent = 100 * np.array(shares, dtype=float)
    colours = colormaps["Blues"].with_extremes(bad="0.85")
    image = axes.imshow(percent, cmap=colours, vmin=0, vmax=100)
    places, size = range(len(names)), 8 if len(names) <= FEW else 7 if len(names) <= MANY else 5
    axes.set_xticks(places, names, rotation=90, fontsize=size + 1)
    axes.set_yticks(places, names, fontsize=size + 1)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(True)
    axes.set_xlabel("named as")
    for row, column in np.argwhere(percent >= 0.5) if len(names) <= MANY else ():
        value = percent[row, column]
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=size,
                  color="white" if value > 55 else "black")  # fmt: skip
    return image

"""How far the probabilities of runs are from accuracies (reliability diagram)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starcli.evaluation.reliability import Reliability
from starcli.evaluation.report import Evaluation
from starcli.figures.style import BELOW, COLOURS, SPAN, Columns, admit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(runs: Sequence[Evaluation], columns: Columns = 2) -> Figure:
    """Accuracy over probability, a row per run: clips of unseen classes, and all test clips.

    Args:
        runs: How good each is.
        columns: Columns of the page that it spans; in one, the panels of a run are stacked.
    """
    from matplotlib.figure import Figure

    rows = len(runs) * 2 // columns
    figure = Figure(figsize=(SPAN[columns], 0.5 + 3.4 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    grid = panels.reshape(len(runs), 2)
    for row, run in zip(grid, runs, strict=True):
        assert run.trust is not None  # which only a gate lacks
        _draw_bins(row[0], run.trust.zsl, f"{run.run}\nunseen clips among unseen classes (ZSL)")
        _draw_bins(row[1], run.trust.gzsl, "all test clips among all classes (GZSL)")
    for axes in panels[:, 0]:
        axes.set_ylabel("named right, %")
    for axes in panels[-1]:
        axes.set_xlabel("probability, %")
    legend = grid[0, 1].get_legend_handles_labels()
    figure.legend(*legend, ncols=1 if columns == 1 else 3, **BELOW)
    admit(figure, {run.run: run.warning for run in runs})
    return figure


def _draw_bins(axes: Axes, found: Reliability, title: str) -> None:
    """Bars of accuracy, a dot at each bin's mean probability, as large as its share of clips."""
    bins = found.bins
    total = sum(each.clips for each in bins)
    axes.bar(
        [100 * each.low for each in bins],
        [100 * each.accuracy for each in bins],
        [100 * (each.high - each.low) for each in bins],
        align="edge",
        color=COLOURS[5],
        edgecolor="white",
        label="accuracy",
    )
    axes.scatter(
        [100 * each.probability for each in bins],
        [100 * each.accuracy for each in bins],
        [4 + 120 * each.clips / total for each in bins],
        color=COLOURS[0],
        zorder=3,
        label="mean probability; area: share of clips",
    )
    axes.plot([0, 100], [0, 100], color="0.45", linewidth=1, linestyle=":", label="as probable")
    axes.set(xlim=(0, 100), ylim=(0, 101))
    axes.set_title(
        f"{title}\ncalibration error {100 * found.error:.1f} %, without temperature "
        f"{100 * found.error_before:.1f} %"
    )

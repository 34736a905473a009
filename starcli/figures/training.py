"""Training curves: the losses of every training of a run, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from starcli.figures.style import COLOURS, SPAN, Columns
from starcli.training.tracking import Measures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLES = ("solid", "dashed", "dotted", "dashdot")


def draw(curves: Mapping[str, Sequence[Measures]], columns: Columns = 2) -> Figure:
    """The loss over epochs, a panel per stage and a line per role of it.

    Args:
        curves: Step, such as `train/validation` -> what was measured in each epoch.
        columns: Columns of the page that it spans; in one, the panels are stacked.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    stages = list(dict.fromkeys(step.partition("/")[0] for step in curves))
    rows, across = (len(stages), 1) if columns == 1 else (1, len(stages))
    figure = Figure(figsize=(SPAN[columns], 2.4 * rows + 0.2), layout="constrained")
    panels = figure.subplots(rows, across, squeeze=False).flat
    for axes, stage in zip(panels, stages, strict=True):
        own = [(step, rows) for step, rows in curves.items() if step.partition("/")[0] == stage]
        for number, (step, measured) in enumerate(own):
            axes.plot(
                [row["epoch"] for row in measured],
                [row["loss"] for row in measured],
                color=COLOURS[number % len(COLOURS)],
                linestyle=STYLES[number % len(STYLES)],
                marker="o" if len(measured) < 2 else None,
                label=step.partition("/")[2] or "final",
            )
        axes.set(title=stage, xlabel="epoch", ylabel="loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.legend()
    return figure

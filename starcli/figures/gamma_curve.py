"""The influence of gamma on seen and unseen classes (paper figure 3 a and b).

The curves and the choice of gamma are `starcli.evaluation.calibrated_stacking`'s.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from starcli.evaluation.report import Calibration
from starcli.figures.style import BELOW, COLOURS, SPAN, Columns, admit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Clips = Literal["validation", "test"]

LINES = {
    "seen_accuracy": ("S, seen classes", COLOURS[0], "solid"),
    "unseen_accuracy": ("U, unseen classes", COLOURS[1], "dashed"),
    "harmonic_mean": ("H, harmonic mean", COLOURS[2], "solid"),
}
USED = {
    "validation": "gamma, chosen on validation",
    "user": "gamma, fixed by the user",
    "oracle": "gamma, tuned on test (oracle, never a result)",
}
CLIPS: tuple[Clips, ...] = ("validation", "test")


def draw(runs: Sequence[Calibration], columns: Columns = 2) -> Figure:
    """S, U and H over gamma, a row per run: on its validation clips, and on its test clips.

    Args:
        runs: What the calibration of each found.
        columns: Columns of the page that it spans; in one, the panels of a run are stacked.
    """
    from matplotlib.figure import Figure

    rows = len(runs) * len(CLIPS) // columns
    figure = Figure(figsize=(SPAN[columns], 0.5 + 2.7 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex="row", sharey=True, squeeze=False)
    grid = panels.reshape(len(runs), len(CLIPS))
    for row, run in zip(grid, runs, strict=True):
        for axes, clips in zip(row, CLIPS, strict=True):
            _draw_curves(axes, run, clips)
        row[0].set(title=f"{run.run}\n{_title(run, 'validation')}")
        row[1].set(title=_title(run, "test"))
    for axes in panels[:, 0]:
        axes.set_ylabel("accuracy, %")
    for axes in panels[-1]:
        axes.set_xlabel("gamma")
    seen, unseen, harmonic, used, oracle = grid[0, 1].get_legend_handles_labels()[0]
    handles = [seen, unseen, harmonic, used, oracle]
    figure.legend(handles=handles, ncols=columns, **BELOW)
    admit(figure, {run.run: run.warning for run in runs})
    return figure


def _title(run: Calibration, clips: Clips) -> str:
    """What the curves are of, and what they say at the gamma that is drawn."""
    used, best = run.calibrator.gamma, run.gamma
    if clips == "validation":
        curve = run.curves.validation
        there = curve.harmonic_mean[bisect_right(curve.breakpoints, used)]
        title = f"validation clips: H {100 * there:.1f} at gamma {used:.3f}"
        other = f"\n(they choose {best.gamma:.3f}, H {100 * best.harmonic_mean:.1f})"
        return title + (other if run.selection != "validation" else "")
    role = "choose gamma" if run.selection == "oracle" else "choose nothing"
    values = f"S {100 * run.S:.1f}, U {100 * run.U:.1f}, H {100 * run.H:.1f}"
    return f"test clips, which {role}:\n{values} at gamma {used:.3f}"


def _draw_curves(axes: Axes, run: Calibration, clips: Clips) -> None:
    """The exact staircases of validation or of test, over the gammas of both."""
    used, curves = run.calibrator.gamma, run.curves
    ends = [*curves.validation.breakpoints, *curves.test.breakpoints, used]
    low, high = min(ends), max(ends)
    margin = 0.05 * (high - low) or 1.0
    curve = curves.validation if clips == "validation" else curves.test
    edges = [low - margin, *curve.breakpoints, high + margin]
    each = (curve.seen_accuracy, curve.unseen_accuracy, curve.harmonic_mean)
    for values, (name, colour, style) in zip(each, LINES.values(), strict=True):
        axes.stairs(
            [100 * value for value in values],
            edges,
            baseline=None,
            label=name,
            color=colour,
            linestyle=style,
            linewidth=1.6,
        )
    axes.axvline(used, color="black", linewidth=1, label=USED[run.selection])
    if clips == "test":
        axes.axvline(
            run.oracle.gamma,
            color="0.45",
            linewidth=1,
            linestyle=":",
            label="best gamma on test (oracle, never a result)",
        )
    axes.set_ylim(0, 101)

"""The influence of gamma on seen and unseen classes (paper figure 3 a and b)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starcli.figures.drawing import BELOW, COLOURS, admit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Found = Mapping[str, Any]

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
SIDES = ("validation", "test")


def draw(runs: Mapping[str, Found]) -> Figure:
    """S, U and H over gamma, a row per run: on its validation clips, and on its test clips.

    Args:
        runs: Run -> what its calibration found, as in `calibration.json`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.5 + 2.7 * len(runs)), layout="constrained")
    grid = figure.subplots(len(runs), 2, sharex="row", sharey=True, squeeze=False)
    for row, (run, found) in zip(grid, runs.items(), strict=True):
        for axes, side in zip(row, SIDES, strict=True):
            _draw_side(axes, found, side)
        row[0].set(title=f"{run}\n{_title(found, 'validation')}", ylabel="accuracy, %")
        row[1].set(title=_title(found, "test"))
    for axes in grid[-1]:
        axes.set_xlabel("gamma")
    seen, unseen, harmonic, used, oracle = grid[0, 1].get_legend_handles_labels()[0]
    figure.legend(handles=[seen, used, unseen, oracle, harmonic], ncols=3, **BELOW)
    admit(figure, {run: found["warning"] for run, found in runs.items()})
    return figure


def _title(found: Found, side: str) -> str:
    """What the curves of a side are, and what they say at the gamma that is drawn."""
    used, best = found["calibrator"]["gamma"], found["gamma"]
    if side == "validation":
        curve = found["curves"][side]
        there = curve["harmonic_mean"][bisect_right(curve["breakpoints"], used)]
        title = f"validation clips: H {100 * there:.1f} at gamma {used:.3f}"
        other = f"\n(they choose {best['gamma']:.3f}, H {100 * best['harmonic_mean']:.1f})"
        return title + (other if found["selection"] != "validation" else "")
    role = "choose gamma" if found["selection"] == "oracle" else "choose nothing"
    values = ", ".join(f"{short} {100 * found[short]:.1f}" for short in "SUH")
    return f"test clips, which {role}:\n{values} at gamma {used:.3f}"


def _draw_side(axes: Axes, found: Found, side: str) -> None:
    """The exact staircases of a side, over the gammas of both."""
    used, oracle = found["calibrator"]["gamma"], found["oracle"]["gamma"]
    ends = [gamma for curve in found["curves"].values() for gamma in curve["breakpoints"]]
    low, high = min(*ends, used), max(*ends, used)
    margin = 0.05 * (high - low) or 1.0
    curve = found["curves"][side]
    edges = [low - margin, *curve["breakpoints"], high + margin]
    for key, (name, colour, style) in LINES.items():
        axes.stairs([100 * value for value in curve[key]], edges, baseline=None, label=name,
                    color=colour, linestyle=style, linewidth=1.6)  # fmt: skip
    axes.axvline(used, color="black", linewidth=1, label=USED[found["selection"]])
    if side == "test":
        axes.axvline(oracle, color="0.45", linewidth=1, linestyle=":",
                     label="best gamma on test (oracle, never a result)")  # fmt: skip
    axes.set_ylim(0, 101)

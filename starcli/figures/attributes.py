"""The influence of m, the number of visual attributes (paper figure 3 c and d)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING, Literal, TypedDict

from starcli.errors import UsageError
from starcli.evaluation.report import Evaluation
from starcli.figures.style import COLOURS, admit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer
    from matplotlib.figure import Figure

Measure = Literal["ZSL", "H"]


class Spread(TypedDict):
    """A measure over seeds; no standard deviation of one."""

    values: list[float]
    mean: float
    std: float | None


class Point(TypedDict):
    """The runs of one m."""

    m: int
    runs: list[str]
    seeds: list[int]
    ZSL: Spread
    H: Spread


class Numbers(TypedDict):
    """What the figure shows."""

    points: list[Point]
    chance: float
    warnings: dict[str, str | None]


M = "method.attributes"
FREE = (M, "seed")
"""The settings that the runs may differ in."""
SHOWN = 6
"""Most differences that are named."""
NAMES = {"ZSL": "ZSL, unseen classes", "H": "H, gamma chosen on validation"}
LINES: Mapping[Measure, tuple[str, str, str]] = {
    "ZSL": (COLOURS[0], "o", "solid"),
    "H": (COLOURS[2], "s", "dashed"),
}


def attribute_counts(settings: Mapping[str, Mapping[str, object]]) -> dict[str, int]:
    """Run -> its m, of runs that `require_alike` has accepted."""
    return {run: m for run, own in settings.items() if isinstance(m := own[M], int)}


def require_alike(settings: Mapping[str, Mapping[str, object]]) -> None:
    """Refuse runs that differ in anything but m and seed, or not in m.

    Args:
        settings: Run -> what is compared of it.

    Raises:
        UsageError: Other settings differ, two runs are the same, or all have one m or none.
    """
    fix = f"name runs that were trained with another {M} or seed, and else alike"
    (first, values), *others = settings.items()
    for run, own in settings.items():
        if M not in own:
            raise UsageError(f"run '{run}': method {own['method.name']} has no {M}", fix)
    for run, own in others:
        differing = [
            f"{key} {values.get(key, '-')} / {own.get(key, '-')}"
            for key in sorted({*values, *own} - {*FREE})
            if values.get(key) != own.get(key)
        ]
        if differing:
            more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
            raise UsageError(
                f"runs '{first}' and '{run}' differ in {'; '.join(differing[:SHOWN])}{more}", fix
            )
    _require_different(settings, fix)


def _require_different(settings: Mapping[str, Mapping[str, object]], fix: str) -> None:
    known: dict[tuple[object, ...], str] = {}
    for run, own in settings.items():
        twin = known.setdefault(tuple(own[key] for key in FREE), run)
        if twin != run:
            raise UsageError(
                f"runs '{twin}' and '{run}' are the same: m {own[M]}, seed {own['seed']}",
                "leave one out",
            )
    if len({own[M] for own in settings.values()}) < 2:
        raise UsageError(
            f"expected at least two m, got {next(iter(settings.values()))[M]} only", fix
        )


def numbers(runs: Sequence[Evaluation], m: Mapping[str, int]) -> Numbers:
    """ZSL accuracy and H for every m, with mean and sample standard deviation over seeds.

    Args:
        runs: How good each is.
        m: Run -> its number of visual attributes.
    """
    points = []
    for each in sorted({m[run.run] for run in runs}):
        own = sorted((run for run in runs if m[run.run] == each), key=lambda run: run.seed)
        points.append(
            Point(
                m=each,
                runs=[run.run for run in own],
                seeds=[run.seed for run in own],
                ZSL=_spread([run.zsl.accuracy for run in own]),
                H=_spread([run.gzsl.harmonic_mean for run in own]),
            )
        )
    return {
        "points": points,
        "chance": runs[0].zsl.chance,
        "warnings": {run.run: run.warning for run in runs},
    }


def _spread(values: Sequence[float]) -> Spread:
    std = stdev(values) if len(values) > 1 else None
    return {"values": list(values), "mean": mean(values), "std": std}


def draw(numbers: Numbers) -> Figure:
    """ZSL accuracy and H over m, every run a dot, with mean and deviation.

    Args:
        numbers: What it shows.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.subplots()
    lines = [_draw_line(axes, numbers["points"], short, *style) for short, style in LINES.items()]
    chance = axes.axhline(100 * numbers["chance"], color="0.45", linestyle=":", label="ZSL, chance")
    m = [point["m"] for point in numbers["points"]]
    axes.set_xscale("log")
    axes.set_xticks(m, [str(each) for each in m])
    axes.set_xticks([], minor=True)
    axes.set(xlabel="m, visual attributes", ylabel="accuracy, %", ylim=(0, 101))
    seeds = [len(point["seeds"]) for point in numbers["points"]]
    count = f"{min(seeds)} to {max(seeds)}" if min(seeds) < max(seeds) else str(seeds[0])
    axes.set_title(f"mean and standard deviation; seeds per m: {count}")
    axes.legend(handles=[*lines, chance], loc="upper left", bbox_to_anchor=(1, 1))
    admit(figure, numbers["warnings"])
    return figure


def _draw_line(
    axes: Axes, points: Sequence[Point], short: Measure, colour: str, marker: str, line: str
) -> ErrorbarContainer:
    """Mean and deviation of a measure over m, and a dot per run."""
    m = [point["m"] for point in points]
    means = [100 * point[short]["mean"] for point in points]
    bars = [100 * (point[short]["std"] or 0) for point in points]
    for point in points:
        values = [100 * value for value in point[short]["values"]]
        axes.plot([point["m"]] * len(values), values, marker, color=colour, alpha=0.4, markersize=4)
    return axes.errorbar(
        m, means, bars, color=colour, marker=marker, linestyle=line, capsize=3, label=NAMES[short]
    )

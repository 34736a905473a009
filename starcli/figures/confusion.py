"""Which classes a run takes for one another, or two runs side by side (paper figure 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NotRequired, TypedDict

import numpy as np

from starcli.errors import UsageError
from starcli.evaluation.report import Evaluation
from starcli.figures.style import COLOURS, SPAN, Columns, admit, label
from starcli.settings.schema import DatasetSection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

SAME = "name runs over the same recordings, protocol and split"
FEW = 12
"""Up to so many classes, cells are wide and numbers large."""
MANY = 60
"""From more classes on, cells are too small for numbers."""
MATRIX = 0.6
"""Share of the width of a page's column that a matrix takes, beside its names."""
POINTS, SMALLEST, NUMBERED = 50, 0.06, 0.14
"""Size of letters for each inch of a cell; inches of the smallest that has a name, and a number."""
LETTERS: Mapping[Columns, int] = {1: 20, 2: 30}
"""Letters of a name that are shown in so many columns of a page."""
PAIRS, PAIRS_WIDTH = 10, 2.5
"""Most confused pairs that are shown, and inches of their bars."""
Shares = list[list[float | None]]
"""A row per true class, which sums to 1; null for a class without test clips."""


class RunConfusion(TypedDict):
    """Which unseen classes a run takes for one another."""

    run: str
    method: str
    ZSL: float
    warning: str | None
    confusion: Shares


class Pair(TypedDict):
    """How many of the clips of a class are taken for another."""

    true: str
    named: str
    clips: int
    of: int


class AllConfusion(TypedDict):
    """Which of all classes a run takes for one another; the first `seen` of `classes` are seen."""

    classes: list[str]
    seen: int
    gamma: float
    S: float
    U: float
    H: float
    clips: list[int]
    confusion: Shares
    pairs: list[Pair]


class Numbers(TypedDict):
    """What the figure shows: the unseen classes, and of a single run all classes too."""

    classes: list[str]
    clips: list[int]
    runs: list[RunConfusion]
    all: NotRequired[AllConfusion]


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
        for key in ("name", "protocol", "split")
        if getattr(one, key) != getattr(other, key)
    ]
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


def numbers(runs: Sequence[Evaluation]) -> Numbers:
    """Shares of the clips of each class, by the class that they were taken for.

    Args:
        runs: How good they are; one run, or two.

    Returns:
        `classes`, the unseen ones, and what each run takes them for; of a single run also what it
        takes all classes for.
    """
    classes = runs[0].classes
    shown = Numbers(
        classes=[classes.names[c] for c in classes.unseen],
        clips=[sum(runs[0].zsl.confusion[c]) for c in classes.unseen],
        runs=[
            RunConfusion(
                run=each.run,
                method=each.method,
                ZSL=each.zsl.accuracy,
                warning=each.warning,
                confusion=_shares(each.zsl.confusion, classes.unseen),
            )
            for each in runs
        ],
    )
    if len(runs) == 1:
        shown["all"] = _of_all(runs[0])
    return shown


def _of_all(run: Evaluation) -> AllConfusion:
    gzsl, classes = run.gzsl, run.classes
    ids = [*classes.seen, *classes.unseen]
    return {
        "classes": [classes.names[c] for c in ids],
        "seen": len(classes.seen),
        "gamma": gzsl.gamma,
        "S": gzsl.seen_accuracy,
        "U": gzsl.unseen_accuracy,
        "H": gzsl.harmonic_mean,
        "clips": [sum(gzsl.confusion[c]) for c in ids],
        "confusion": _shares(gzsl.confusion, ids),
        "pairs": most_confused(gzsl.confusion, classes.names),
    }


def most_confused(counts: Sequence[Sequence[int]], names: Sequence[str]) -> list[Pair]:
    """The pairs of classes that are most often taken one for the other, the most frequent first.

    Args:
        counts: Clips [C, C] of each true class, by the class that they were taken for.
        names: The classes.
    """
    pairs = [
        Pair(true=names[true], named=names[named], clips=count, of=sum(row))
        for true, row in enumerate(counts)
        for named, count in enumerate(row)
        if true != named and count
    ]
    pairs.sort(key=lambda pair: (-pair["clips"], pair["of"], pair["true"], pair["named"]))
    return pairs[:PAIRS]


def _shares(counts: Sequence[Sequence[int]], chosen: Sequence[int]) -> Shares:
    rows = [[counts[true][taken] for taken in chosen] for true in chosen]
    return [[count / sum(row) if sum(row) else None for count in row] for row in rows]


def draw(numbers: Numbers) -> Figure:
    """Two matrices side by side, in percent of each true class, whose number of clips it says.

    Of two runs those among unseen classes; of one run that and the one among all classes, with
    bars of the pairs that are most often confused.

    Args:
        numbers: What it shows.
    """
    from matplotlib.figure import Figure

    panels = [
        (
            _counted(numbers["classes"], numbers["clips"]),
            run["confusion"],
            f"{run['method']}, ZSL {100 * run['ZSL']:.1f} %\n{run['run']}",
        )
        for run in numbers["runs"]
    ]
    every = numbers.get("all")
    if every:
        values = [("S", every["S"]), ("U", every["U"]), ("H", every["H"])]
        measured = ", ".join(f"{short} {100 * value:.1f} %" for short, value in values)
        last = f"the {len(numbers['classes'])} unseen classes last"
        title = f"{measured} at gamma {every['gamma']:.3f}\n{last}"
        panels.append((_counted(every["classes"], every["clips"]), every["confusion"], title))
    sizes = [_side(len(names)) for names, *_ in panels]
    widths = [*sizes, PAIRS_WIDTH] if every else sizes
    names_width = 7.4 if every else 4.6
    figure = Figure(figsize=(sum(widths) + names_width, max(sizes) + 3), layout="constrained")
    grid = figure.subplots(1, len(widths), width_ratios=widths)
    for axes, (names, shares, title) in zip(grid, panels, strict=False):
        image = _draw_matrix(axes, shares, names)
        axes.set_title(title)
    if every:
        _part(grid[1], every["seen"])
        grid[0].set_xlabel("named as, among unseen classes")
        grid[1].set_xlabel("named as, among all classes")
        _draw_pairs(grid[2], every["pairs"])
    else:
        grid[1].set_yticklabels([])
    grid[0].set_ylabel("true class (clips)")
    bar = figure.colorbar(image, ax=grid[:2], shrink=0.8, aspect=30, pad=0.01)
    bar.set_label("% of the class's clips")
    admit(figure, {run["run"]: run["warning"] for run in numbers["runs"]})
    return figure


def orders(shares: Shares, first: str) -> dict[str, list[int]]:
    """What an order of the classes is called -> their positions.

    Args:
        shares: A row per true class.
        first: What the order that they are in is called.
    """
    from torch import as_tensor

    from starcli.text.similarity import grouped

    known = np.nan_to_num(np.array(shares, dtype=float))
    right = known.diagonal()
    return {
        first: list(range(len(known))),
        "confused ones side by side": grouped(as_tensor(known)),
        "least often right first": np.argsort(right, kind="stable").tolist(),
    }


def spans(count: int) -> Sequence[Columns]:
    """Columns of a page in which the names of so many classes can be read."""
    return (1, 2) if _cell(count, 1) >= SMALLEST else (2,)


def draw_unseen(numbers: Numbers, columns: Columns | None = None) -> Figure:
    """What the unseen classes are taken for among themselves, of the first run.

    Args:
        numbers: What it shows.
        columns: Columns of the page that it spans; None as large as it needs to be.
    """
    shares = numbers["runs"][0]["confusion"]
    return _draw_one(numbers["classes"], numbers["clips"], shares, 0, columns)


def draw_all(every: AllConfusion, columns: Columns | None = None) -> Figure:
    """What all classes are taken for, the unseen ones last.

    Args:
        every: What it shows.
        columns: Columns of the page that it spans; None as large as it needs to be.
    """
    shares = every["confusion"]
    return _draw_one(every["classes"], every["clips"], shares, every["seen"], columns)


def _draw_one(
    names: Sequence[str], clips: Sequence[int], shares: Shares, seen: int, columns: Columns | None
) -> Figure:
    """One matrix alone, with a line between so many classes and the others."""
    from matplotlib.figure import Figure

    cell = _cell(len(names), columns)
    side = cell * len(names)
    size = (SPAN[columns], SPAN[columns]) if columns else (side + 2.6, side + 2)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    letters = {"longest": LETTERS[columns]} if columns else {}
    classes = _counted([label(name, **letters) for name in names], clips)
    image = _draw_matrix(axes, shares, classes, cell)
    if 0 < seen < len(classes):
        _part(axes, seen)
    axes.set_ylabel("true class (clips)")
    figure.colorbar(image, ax=axes, shrink=0.6, pad=0.02).set_label("% of the class's clips")
    return figure


def _cell(count: int, columns: Columns | None) -> float:
    """Inches of a cell of a matrix of so many classes."""
    return (MATRIX * SPAN[columns] if columns else _side(count)) / max(count, 1)


def _counted(names: Sequence[str], clips: Sequence[int]) -> list[tuple[str, int]]:
    return [(label(name), count) for name, count in zip(names, clips, strict=True)]


def _draw_pairs(axes: Axes, pairs: Sequence[Pair]) -> None:
    """Bars of the most confused pairs, the most frequent above, with their clips."""
    from matplotlib.ticker import MaxNLocator

    places = range(len(pairs))
    axes.barh(places, [pair["clips"] for pair in pairs], height=0.5, color=COLOURS[0])
    names = [f"{label(pair['true'])}\n→ {label(pair['named'])}" for pair in pairs]
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    for place, pair in zip(places, pairs, strict=True):
        axes.text(pair["clips"], place, f" {pair['clips']} of {pair['of']}", va="center")
    axes.set(xlabel="clips", title="most often confused, among all classes")
    axes.margins(x=0.25)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))


def _side(count: int) -> float:
    """Inches of a matrix of so many classes."""
    return max(3.0, (0.36 if count <= FEW else 0.25 if count <= MANY else 0.14) * count)


def _part(axes: Axes, seen: int) -> None:
    """Draw lines between the seen classes, which come first, and the unseen ones."""
    for line in (axes.axhline, axes.axvline):
        line(seen - 0.5, color="black", linewidth=1)


def _draw_matrix(
    axes: Axes, shares: Shares, classes: Sequence[tuple[str, int]], cell: float = 1.0
) -> AxesImage:
    """One matrix; a class without clips is grey, a share that rounds to nothing is left empty.

    Names and numbers fit into cells of so many inches, or numbers are left out.
    """
    from matplotlib import colormaps

    percent = 100 * np.array(shares, dtype=float)
    colours = colormaps["Blues"].with_extremes(bad="0.85")
    image = axes.imshow(percent, cmap=colours, vmin=0, vmax=100)
    names = [name for name, _ in classes]
    places = range(len(names))
    size = min(8 if len(names) <= FEW else 7 if len(names) <= MANY else 5, POINTS * cell)
    axes.set_xticks(places, names, rotation=90, fontsize=size + 1)
    axes.set_yticks(places, [f"{name} ({count})" for name, count in classes], fontsize=size + 1)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(True)
    axes.set_xlabel("named as")
    numbered = len(names) <= MANY and cell >= NUMBERED
    for row, column in np.argwhere(percent >= 0.5) if numbered else ():
        value = percent[row, column]
        axes.text(
            column,
            row,
            f"{value:.0f}",
            ha="center",
            va="center",
            fontsize=min(size, 0.8 * POINTS * cell),
            color="white" if value > 55 else "black",
            in_layout=False,  # inside of its cell: a layout need not measure it
        )
    return image

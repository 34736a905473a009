"""The figures of a run, each with its words, and as charts where one can touch it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from starcli.class_names import printable
from starcli.evaluation.metrics import Ints
from starcli.figures import confusion, gamma_curve, reliability, space, training
from starcli.figures.inline import inline
from starcli.figures.style import Columns, save
from starcli.report.charts import confusion as confusion_chart
from starcli.report.charts import gamma as gamma_chart
from starcli.report.charts import space as space_chart
from starcli.report.charts.view import Chart
from starcli.report.clips import cells
from starcli.report.reported import Reported
from starcli.report.tables import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = ("png", "svg", "pdf")
SPANS: tuple[Columns, ...] = (1, 2)
CELL_CLIPS = 12
"""Clips of a cell that are named."""
TOUCH_MATRIX = (
    "Choose a cell with the pointer, or with the arrow keys and Enter, to see its clips. Zoom with "
    "the buttons, with + and -, or with the wheel and Ctrl, and drag; 0 shows all."
)
TOUCH_CURVES = "Point at the curves for their values; zoom with the wheel and Ctrl, and drag."
TOUCH_POINTS = "Point at a mark for what it is; choose one to set off its class."


@dataclass(frozen=True)
class Picture:
    """A figure with its words.

    Args:
        name: What its files are called.
        words: What it shows, and how to read it.
        draw: Draws it across so many columns; None as large as it needs to be.
        spans: The columns that it can span, the page's first.
        large: Whether it is shown as large as the page allows.
        charts: The same where one can touch it; none where one cannot.
        touch: How.
    """

    name: str
    words: str
    draw: Callable[[Columns | None], Figure]
    spans: Sequence[Columns] = SPANS
    large: bool = False
    charts: Sequence[Chart] = ()
    touch: str = ""

    def inline(self, prefix: str) -> str:
        """It as an element of a page, whose ids begin with a prefix."""
        columns = None if self.large else self.spans[0]
        return inline(partial(self.draw, columns), self.words, f"{prefix}{self.name}-")


def pictures(run: Reported) -> dict[str, Picture]:
    """The figures that can be drawn of a run, by name.

    Args:
        run: A run with its results.
    """
    every = (*_balance(run), *_confusions(run), *_space(run), *_trust(run))
    return {picture.name: picture for picture in every}


def _balance(run: Reported) -> Iterator[Picture]:
    calibration = run.calibration
    yield Picture(
        "gamma",
        "S, U and H over gamma, which is taken from the scores of seen classes: on the validation "
        "clips, which choose it, and on the test clips. "
        f"The chosen gamma is {calibration.calibrator.gamma:.3f}; the oracle's, tuned on test and "
        f"never a result, is {calibration.oracle.gamma:.3f}.",
        lambda columns: gamma_curve.draw([calibration], columns or 1),
        charts=gamma_chart.gamma(calibration),
        touch=TOUCH_CURVES,
    )


def _confusions(run: Reported) -> Iterator[Picture]:
    """What it takes for what, among the unseen classes and among all."""
    found, shown = run.evaluation, run.confusion
    every, unseen = shown["all"], found.classes.unseen
    yield Picture(
        "confusion-unseen",
        f"What clips of the {len(unseen)} unseen classes are taken for among these, in percent of "
        f"a class's clips: ZSL accuracy is {percent(found.zsl.accuracy)}. Right ones lie on the "
        "diagonal.",
        lambda columns: confusion.draw_unseen(shown, columns),
        spans=confusion.spans(len(unseen)),
        large=True,
        charts=[
            confusion_chart.confusion(
                shown["classes"],
                shown["runs"][0]["confusion"],
                shown["clips"],
                _cells(run, run.named_unseen, unseen),
                confusion.orders(shown["runs"][0]["confusion"], "as in the data set"),
            )
        ],
        touch=TOUCH_MATRIX,
    )
    yield Picture(
        "confusion-all",
        f"What clips of all {len(every['classes'])} classes are taken for at the chosen gamma, in "
        "percent of a class's clips. Unseen classes come last, beyond the lines.",
        lambda columns: confusion.draw_all(every, columns),
        spans=confusion.spans(len(every["classes"])),
        large=True,
        charts=[
            confusion_chart.confusion(
                every["classes"],
                every["confusion"],
                every["clips"],
                _cells(run, run.named, [*found.classes.seen, *unseen]),
                confusion.orders(every["confusion"], "unseen classes last"),
                every["seen"],
            )
        ],
        touch=TOUCH_MATRIX,
    )


def _cells(
    run: Reported, named: Ints, classes: Sequence[int]
) -> dict[tuple[int, int], Sequence[str]]:
    """Clips of each cell of a matrix, by the places of its classes."""
    place = {c: n for n, c in enumerate(classes)}
    found = cells(run.scored.labels, named, run.clips, CELL_CLIPS)
    return {(place[c], place[d]): own for (c, d), own in found.items() if c in place and d in place}


def _space(run: Reported) -> Iterator[Picture]:
    """What its features are like."""
    if isinstance(laid := run.space, str):
        return
    yield Picture(
        "space",
        "t-SNE by cosine of test clips and of texts of the unseen classes, without prompts on "
        "the left and with them on the right. The silhouette says how far classes are apart, "
        "measured on the features: 1 is far.",
        lambda columns: space.draw(laid, run.name, run.evaluation.warning, columns),
        large=True,
        charts=[*_clip_points(run, laid), *_text_points(run, laid)],
        touch=TOUCH_POINTS,
    )


def _clip_points(run: Reported, laid: space.Numbers) -> Iterator[Chart]:
    own, names = laid["skeleton"], run.evaluation.classes.names
    named = dict(zip(run.clips, run.named.tolist(), strict=True))
    told = [
        {"clip": printable(clip), "named as": printable(names[named[clip]])}
        for clip in own["clips"]
    ]
    for which in space.WHICH:
        yield space_chart.points(
            f"clips {which} visual-attribute prompts",
            own[which],
            laid["classes"],
            own["labels"],
            told,
            first=which == "without",
            last=which == "with",
        )


def _text_points(run: Reported, laid: space.Numbers) -> Iterator[Chart]:
    """Texts, once where the prompts change none of them."""
    own, facets = laid["semantic"], run.facets
    told = [{"text": facets[n % len(facets)]} for n in range(len(own["labels"]))]
    same = "texts, which the prompts leave as they are"
    for which in space.WHICH[:1] if own["unchanged"] else space.WHICH:
        yield space_chart.points(
            same if own["unchanged"] else f"texts {which} semantic-part prompts",
            own[which],
            laid["classes"],
            own["labels"],
            told,
            first=False,
            last=False,
        )


def _trust(run: Reported) -> Iterator[Picture]:
    """What its probabilities are like, and how it was trained."""
    found = run.evaluation
    if (trust := found.trust) is not None:
        yield Picture(
            "reliability",
            "How often clips are named right, over the probability that they are named with. On "
            "the dotted line, probabilities are accuracies. They are off by "
            f"{percent(trust.zsl.error)} among unseen classes and {percent(trust.gzsl.error)} "
            "among all.",
            lambda columns: reliability.draw([found], columns or 1),
        )
    if curves := run.curves:
        yield Picture(
            "training",
            "The loss of every training, epoch by epoch. Nested runs, which choose epochs and "
            "gamma on pseudo-unseen classes, are called validation.",
            lambda columns: training.draw(curves, columns or 1),
        )


def save_pictures(run: Reported, folder: Path) -> list[Path]:
    """Write every figure of a run as PNG, SVG and PDF, as wide as a column of a page and as two.

    Args:
        run: A run with its results.
        folder: Their folder.

    Raises:
        OutputError: One cannot be written.
    """
    written = []
    for picture in pictures(run).values():
        for columns in picture.spans:
            name = f"{picture.name}-{columns}-column"
            files = [folder / f"{name}.{ending}" for ending in ENDINGS]
            save(partial(picture.draw, columns), *files, option="--figures")
            written += files
    return written

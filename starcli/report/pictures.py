"""The figures of a run, each with its words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from starcli.figures import confusion, gamma_curve, reliability, space, training
from starcli.figures.inline import inline
from starcli.figures.style import Columns, save
from starcli.report.reported import Reported
from starcli.report.tables import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = ("png", "svg", "pdf")
SPANS: tuple[Columns, ...] = (1, 2)


@dataclass(frozen=True)
class Picture:
    """A figure with its words.

    Args:
        name: What its files are called.
        words: What it shows, and how to read it.
        draw: Draws it across so many columns.
        spans: The columns that it can span, the page's first.
        large: Whether it is shown as large as the page allows.
    """

    name: str
    words: str
    draw: Callable[[Columns], Figure]
    spans: Sequence[Columns] = SPANS
    large: bool = False

    def inline(self, prefix: str) -> str:
        """It as an element of a page, whose ids begin with a prefix."""
        return inline(partial(self.draw, self.spans[0]), self.words, f"{prefix}{self.name}-")


def pictures(run: Reported) -> dict[str, Picture]:
    """The figures that can be drawn of a run, by name.

    Args:
        run: A run with its results.
    """
    return {picture.name: picture for picture in (*_results(run), *_model(run))}


def _results(run: Reported) -> Iterator[Picture]:
    """How good it is, and what it takes for what."""
    found, calibration = run.evaluation, run.calibration
    yield Picture(
        "gamma",
        "S, U and H over gamma, which is taken from the scores of seen classes: above on the "
        "validation clips, which choose it, below on the test clips. "
        f"The chosen gamma is {calibration.calibrator.gamma:.3f}; the oracle's, tuned on test and "
        f"never a result, is {calibration.oracle.gamma:.3f}.",
        lambda columns: gamma_curve.draw([calibration], columns),
    )
    shown = run.confusion
    yield Picture(
        "confusion-unseen",
        f"What clips of the {len(shown['classes'])} unseen classes are taken for among these, in "
        f"percent of a class's clips: ZSL accuracy is {percent(found.zsl.accuracy)}. Right ones "
        "lie on the diagonal.",
        lambda columns: confusion.draw_unseen(shown),
        spans=(2,),
        large=True,
    )
    every = shown["all"]
    yield Picture(
        "confusion-all",
        f"What clips of all {len(every['classes'])} classes are taken for at the chosen gamma, in "
        "percent of a class's clips. Unseen classes come last, beyond the lines.",
        lambda columns: confusion.draw_all(every),
        spans=(2,),
        large=True,
    )


def _model(run: Reported) -> Iterator[Picture]:
    """What its features and probabilities are like, and how it was trained."""
    found = run.evaluation
    if not isinstance(laid := run.space, str):
        yield Picture(
            "space",
            "t-SNE by cosine of test clips and of texts of the unseen classes, without prompts on "
            "the left and with them on the right. The silhouette says how far classes are apart, "
            "measured on the features: 1 is far.",
            lambda columns: space.draw(laid, run.name, found.warning),
            spans=(2,),
            large=True,
        )
    if (trust := found.trust) is not None:
        yield Picture(
            "reliability",
            "How often clips are named right, over the probability that they are named with. On "
            "the dotted line, probabilities are accuracies. They are off by "
            f"{percent(trust.zsl.error)} among unseen classes and {percent(trust.gzsl.error)} "
            "among all.",
            lambda columns: reliability.draw([found], columns),
        )
    if curves := run.curves:
        yield Picture(
            "training",
            "The loss of every training, epoch by epoch. Nested runs, which choose epochs and "
            "gamma on pseudo-unseen classes, are called validation.",
            lambda columns: training.draw(curves, columns),
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
            size = f"-{columns}-column" if len(picture.spans) > 1 else ""
            files = [folder / f"{picture.name}{size}.{ending}" for ending in ENDINGS]
            save(partial(picture.draw, columns), *files)
            written += files
    return written

"""Style of all figures: colours, sizes, and files that come out the same each time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from starcli.class_names import printable
from starcli.files import save_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart with any kind of colour vision (Okabe and Ito, 2008), without the yellow, which is
hard to see on white."""
STYLE: Mapping[Any, object] = {  # whose keys are literals that matplotlib does not export
    "font.size": 9,
    "axes.titlesize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 200,
    "savefig.bbox": "tight",
    "text.parse_math": False,  # names are shown as they are
    "svg.hashsalt": "starcli",  # else the ids in the file are different each time
    "svg.fonttype": "none",  # text that can be searched and edited
    "pdf.fonttype": 42,  # TrueType, embedded: journals refuse the default's bitmaps of letters
}
Columns = Literal[1, 2]
SPAN: Mapping[Columns, float] = {1: 3.4, 2: 7.1}
"""Inches of a figure that spans one column of a page, or two."""
METADATA = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""Kind of a file -> what must not be in it, so that equal figures are equal files."""


class _Place(TypedDict):
    loc: Literal["upper center"]
    bbox_to_anchor: tuple[float, float]


BELOW: _Place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0)}
"""Place of a legend below the figure, which grows by that."""
LONGEST = 44
"""Letters of a name that is shown whole."""
SHORTEST = 8
"""Letters of a line that is not broken further."""
FEW = 4
"""So many runs are not named one by one."""


def save(draw: Callable[[], Figure], *paths: Path, option: str = "--out") -> str:
    """Draw a figure in the style of all and write it.

    Args:
        draw: Draws it; the style holds only inside.
        paths: The files, `.png`, `.svg` or `.pdf`.
        option: What names them.

    Returns:
        The characters of its texts that the font lacks, which are drawn as boxes.

    Raises:
        OutputError: A file cannot be written.
    """
    with drawing(draw) as figure:
        for path in paths:
            kind = path.suffix[1:]
            write = partial(figure.savefig, format=kind, metadata=METADATA[kind])
            save_whole(path, write, option)
        return _lacking(figure)


@contextmanager
def drawing(draw: Callable[[], Figure]) -> Iterator[Figure]:
    """A figure in the style of all, which holds only inside.

    Args:
        draw: Draws it.
    """
    import matplotlib

    with matplotlib.rc_context(dict(STYLE)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure = draw()
        fit_titles(figure)
        yield figure


def fit_titles(figure: Figure) -> None:
    """Break titles that are wider than what they stand above, so that none reaches into another.

    Args:
        figure: The figure.
    """
    figure.draw_without_rendering()
    for axes in figure.axes:
        _fit(axes.title, axes.get_window_extent().width)
    for text in figure.texts:
        _fit(text, figure.bbox.width)


def _fit(title: Text, room: float) -> None:
    """Break the lines of a text where they are wider than the room there is."""
    width, lines = title.get_window_extent().width, title.get_text().split("\n")
    if width > room:
        letters = max(SHORTEST, int(max(map(len, lines)) * room / width))
        title.set_text("\n".join(part for line in lines for part in wrap(line, letters) or [""]))


def _lacking(figure: Figure) -> str:
    from matplotlib.font_manager import FontProperties, findfont, get_font
    from matplotlib.text import Text

    font = get_font(findfont(FontProperties()))
    texts = (text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))
    shown = {character for text in texts for character in text if character.isprintable()}
    return "".join(sorted(c for c in shown if not font.get_char_index(ord(c))))


def admit(figure: Figure, admitted: Mapping[str, str | None]) -> None:
    """Say above a figure, which grows by that, what its runs must admit.

    Args:
        figure: The figure.
        admitted: Run -> its warning, if it has one.
    """
    runs: dict[str, list[str]] = {}
    for run, warning in admitted.items():
        if warning:
            runs.setdefault(warning, []).append(run)
    lines = [
        f"{', '.join(own) if len(own) < FEW else f'{len(own)} runs'}: {warning}"
        for warning, own in runs.items()
    ]
    if lines:
        figure.text(
            0.5, 1.01, printable("\n".join(lines)), ha="center", va="bottom", color=COLOURS[1]
        )


def label(name: str, longest: int = LONGEST) -> str:
    """A name that leaves room for the figure, and can be written into any file.

    Args:
        name: The name.
        longest: Letters of a name that is shown whole.
    """
    return printable(name if len(name) <= longest else f"{name[: longest - 1]}…")

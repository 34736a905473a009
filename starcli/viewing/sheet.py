"""Clips as pictures: a contact sheet of a few frames, and a moving GIF."""

from __future__ import annotations

import math
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from starcli.errors import UsageError
from starcli.viewing.skeletons import FRONT, LIGHT, Shown, Side, Values, View

if TYPE_CHECKING:
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

CELL, HEAD, EDGE = 160, 24, 8
"""Pixels of a frame's square, of a line of text above, and of the margin."""
LEAST = 4
"""Squares that a sheet is wide at least, so that there is room for texts."""
MOST_PIXELS = 30_000
WIDE = 320
"""Pixels of a view's square in a GIF."""
DPI = 100
FASTEST, MOST_FRAMES = 25.0, 250
"""Frames a second that every program shows, and frames of a GIF; others are left out."""
INK = "#1b1b1b"
LONGEST = 90
"""Letters of a text that is shown whole."""
DASHES: Mapping[Side, tuple[float, tuple[float, ...] | None]] = {
    "left": (0, None),
    "middle": (0, None),
    "right": (0, (2.0, 1.2)),
}
KEY = "the person's left is solid, the right is dashed"


def sheet(path: Path, title: str, clips: Sequence[Shown], frames: int) -> None:
    """Write a contact sheet as PNG: of one clip each view, of several each clip from the front.

    Args:
        path: The file.
        title: What stands above it.
        clips: One or more.
        frames: How many frames of each.

    Raises:
        UsageError: The picture would be too large.
    """
    rows = [
        (clip, view) for clip in clips for view in (clip.views if len(clips) == 1 else (FRONT,))
    ]
    columns = max(LEAST, *(len(clip.frames(frames)) for clip in clips))
    top = EDGE + 2 * HEAD
    width, height = 2 * EDGE + columns * CELL, top + len(rows) * (HEAD + CELL) + EDGE
    if max(width, height) > MOST_PIXELS:
        raise UsageError(
            f"the picture would be {width} x {height} pixels, at most {MOST_PIXELS} are drawn",
            "show fewer with --clips or --frames",
        )
    with _style():
        figure = _figure(width, height)
        _text(figure, EDGE, EDGE + 0.5 * HEAD, _title(title, clips), bold=True)
        _text(figure, EDGE, EDGE + 1.5 * HEAD, KEY)
        for n, (clip, view) in enumerate(rows):
            above = top + n * (HEAD + CELL)
            name = f"{view.name}, {view.caption}" if len(clips) == 1 else clip.caption
            _text(figure, EDGE, above + HEAD / 2, name)
            _row(figure, clip, view, above + HEAD, frames)
        figure.savefig(path, format="png", dpi=DPI, metadata={"Software": None})


def gif(path: Path, title: str, clip: Shown) -> None:
    """Write a clip as a moving GIF, all views side by side; of fast or long ones, fewer frames.

    Args:
        path: The file.
        title: What stands above it.
        clip: The clip.
    """
    from matplotlib.animation import PillowWriter

    fps = clip.fps or 30.0
    every = max(math.ceil(fps / FASTEST), math.ceil(len(clip.joints) / MOST_FRAMES))
    joints, extent = clip.followed()
    with _style(), tempfile.TemporaryDirectory() as folder:
        figure, places = _panels(title, clip)
        lines = _lines(figure, clip, width=2.5)
        draft, writer = Path(folder) / "clip.gif", PillowWriter(fps=round(fps / every) or 1)
        with writer.saving(figure, str(draft), DPI):  # the ending of a name says the format
            for frame in range(0, len(joints), every):
                drawn = [
                    _segments(clip, joints[frame], view, extent, place, WIDE)
                    for view, place in zip(clip.views, places, strict=True)
                ]
                lines.set_segments(list(np.concatenate(drawn)))
                writer.grab_frame()
        shutil.copyfile(draft, path)


def _panels(title: str, clip: Shown) -> tuple[Figure, list[tuple[float, float]]]:
    """A picture for all views of a clip, and where each is."""
    figure = _figure(2 * EDGE + len(clip.views) * WIDE, 2 * (EDGE + HEAD) + WIDE)
    _text(figure, EDGE, EDGE + HEAD / 2, _title(title, [clip]), bold=True)
    for n, view in enumerate(clip.views):
        _text(figure, EDGE + n * WIDE, EDGE + 1.5 * HEAD, view.name if n else f"{view.name}; {KEY}")
    return figure, [(EDGE + n * WIDE, EDGE + 2 * HEAD) for n in range(len(clip.views))]


def _title(title: str, clips: Sequence[Shown]) -> str:
    """A title that names the clip where there is one."""
    only = clips[0].caption
    return title if len(clips) > 1 or only == title else f"{title}, {only}"


@contextmanager
def _style() -> Iterator[None]:
    """Names are shown as they are; letters that the font lacks, as boxes."""
    import matplotlib

    with matplotlib.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        yield


def _figure(width: int, height: int) -> Figure:
    """A picture whose only axes count pixels from its upper left corner."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return figure


def _text(figure: Figure, x: float, y: float, text: str, *, bold: bool = False) -> None:
    shown = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    plain = "".join(letter if letter.isprintable() else " " for letter in shown)
    weight = "bold" if bold else "normal"
    figure.axes[0].text(x, y, plain, va="center", fontsize=8, color=INK, weight=weight)


def _row(figure: Figure, clip: Shown, view: View, top: float, frames: int) -> None:
    """Frames of a clip side by side, with their numbers."""
    joints, extent = clip.followed()
    drawn = []
    for n, frame in enumerate(clip.frames(frames)):
        place = EDGE + n * CELL, top
        drawn.append(_segments(clip, joints[frame], view, extent, place, CELL))
        _text(figure, place[0], top + CELL - 8, str(frame + 1))
    _lines(figure, clip).set_segments(list(np.concatenate(drawn)))


def _lines(figure: Figure, clip: Shown, width: float = 1.5) -> LineCollection:
    """The bones of people, in the colours of their parts, the right side dashed."""
    from matplotlib.collections import LineCollection

    children = [child for child, _ in clip.skeleton.bones]
    lines = LineCollection(
        [],
        linewidths=width,
        capstyle="round",
        colors=[LIGHT[clip.skeleton.part[child]] for child in children],
        linestyles=[DASHES[clip.skeleton.sides[child]] for child in children],
    )
    figure.axes[0].add_collection(lines, autolim=False)
    return lines


def _segments(
    clip: Shown, joints: Values, view: View, extent: float, place: tuple[float, float], size: float
) -> Values:
    """Bones of one frame [M, V, 3] in a square of the picture [M * bones, 2 ends, 2].

    Bones of joints that were not seen stay, as NaN, so that colours go on in turns.
    """
    inner = 0.86 * size / extent
    flat = view.project(joints) * inner
    middle = size / 2 if view.up[0] != 1 else 0.93 * size
    at = np.stack([place[0] + size / 2 + flat[..., 0], place[1] + middle - flat[..., 1]], -1)
    return at[:, np.array(clip.skeleton.bones)].reshape(-1, 2, 2)

"""Contact sheets and GIFs: their sizes, their frames, and where the left hand is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageSequence

from starcli.errors import UsageError
from starcli.viewing.sheet import CELL, EDGE, HEAD, WIDE, gif, sheet
from starcli.viewing.skeletons import LIGHT, Shown
from tests.viewing.standing import STICK, clip, joints


def pixels(path: Path) -> npt.NDArray[np.uint8]:
    return np.array(Image.open(path).convert("RGB"))


def coloured(image: npt.NDArray[np.uint8], colour: str) -> npt.NDArray[np.bool_]:
    """Where a picture is about of a colour."""
    want = [int(colour[n : n + 2], 16) for n in (1, 3, 5)]
    found: npt.NDArray[np.bool_] = np.all(np.abs(image.astype(int) - want) < 40, axis=-1)
    return found


def cell(image: npt.NDArray[np.uint8], row: int, column: int) -> npt.NDArray[np.uint8]:
    top, left = EDGE + 3 * HEAD + row * (CELL + HEAD), EDGE + column * CELL
    return image[top : top + CELL - 12, left : left + CELL]


def test_one_clip_is_shown_from_all_sides_in_the_frames_that_are_asked_for(tmp_path: Path) -> None:
    sheet(tmp_path / "a", "title", [clip()], 5)
    image = pixels(tmp_path / "a")
    assert image.shape == (2 * (EDGE + HEAD) + 3 * (CELL + HEAD), 2 * EDGE + 5 * CELL, 3)
    for row in range(3):
        for column in range(5):
            assert coloured(cell(image, row, column), LIGHT[0]).any(), (row, column)


def test_several_clips_have_a_row_each(tmp_path: Path) -> None:
    sheet(tmp_path / "a", "title", [clip(frames=2), clip("b $x^2$ \u4e00\n")], 4)
    image = pixels(tmp_path / "a")
    assert image.shape == (2 * (EDGE + HEAD) + 2 * (CELL + HEAD), 2 * EDGE + 4 * CELL, 3)
    assert coloured(cell(image, 0, 1), LIGHT[0]).any()
    assert not coloured(cell(image, 0, 2), LIGHT[0]).any(), "it has two frames only"


def test_the_left_hand_is_up_on_the_right_of_the_picture(tmp_path: Path) -> None:
    only = joints()
    only[..., 3:, :] = np.nan  # hips, head and left hand are left
    sheet(tmp_path / "a", "title", [Shown("clip", only, STICK)], 1)
    rows, columns = np.nonzero(coloured(cell(pixels(tmp_path / "a"), 0, 0), LIGHT[0]))
    hips = columns[rows.argmax()]
    assert columns.max() - hips > 3 * (hips - columns.min()) + 20
    assert rows[columns.argmax()] < rows.max()


def test_a_flat_clip_has_one_row(tmp_path: Path) -> None:
    flat = Shown("flat", joints() * np.array([1, 1, 0], np.float32), STICK)
    sheet(tmp_path / "a", "title", [flat], 2)
    assert pixels(tmp_path / "a").shape[0] == 2 * EDGE + 3 * HEAD + CELL


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fps", "frames", "want", "duration"),
    [(10, 4, 4, 100), (50, 7, 4, 40), (None, 6, 3, 60), (10, 30, 8, 400)],
    ids=["all", "fast", "unknown speed", "long"],
)
def test_a_gif_has_all_frames_or_fewer_at_the_same_speed(
    fps: float | None,
    frames: int,
    want: int,
    duration: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("starcli.viewing.sheet.MOST_FRAMES", 8)
    turning = joints(frames) * np.linspace(1, 2, frames, dtype=np.float32)[:, None, None, None]
    gif(tmp_path / "a", "title", Shown("clip", turning, STICK, "", fps))
    with Image.open(tmp_path / "a") as image:
        assert image.format == "GIF"
        assert sum(1 for _ in ImageSequence.Iterator(image)) == want
        assert image.size == (2 * EDGE + 3 * WIDE, 2 * (EDGE + HEAD) + WIDE)
        assert image.info["duration"] == pytest.approx(duration, rel=0.25)
        assert coloured(np.array(image.convert("RGB")), LIGHT[0]).any()


def test_equal_clips_are_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        sheet(tmp_path / name, "title", [clip()], 2)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_picture_that_nothing_could_show_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at most 30000 are drawn") as caught:
        sheet(tmp_path / "a", "title", [clip(frames=300)], 200)
    assert "--frames" in caught.value.fix
    assert not (tmp_path / "a").exists()

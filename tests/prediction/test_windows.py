"""Windows of one person's frames: where they begin, what they stand for, and what is kept."""

from __future__ import annotations

import numpy as np
import pytest

from starcli.prediction import windows
from starcli.prediction.events import Plan
from starcli.prediction.frames import FrameError
from starcli.prediction.windows import Track, Window


def cut(times: list[float], plan: Plan) -> tuple[list[tuple[float, list[float]]], float]:
    """From where the answer of each window holds with the times of its frames, and the end."""
    track, found = Track(plan, times[0]), list[Window]()
    for time in times:
        found += track.advance(time)
        track.add(time, np.full((1, 3), time))
    last, end = track.close()
    found += [last] if last else []
    for window in found:
        np.testing.assert_array_equal(window.joints[:, 0, 0], window.times)
    return [(w.start, np.round(w.times, 9).tolist()) for w in found], end


def every(step: float, count: int, first: float = 0.0) -> list[float]:
    return [first + step * n for n in range(count)]


def test_windows_half_overlap_and_stand_for_their_middle() -> None:
    """Eight frames a quarter second apart are two seconds: three windows of one second."""
    found, end = cut(every(0.25, 8), Plan(1.0))
    assert found == [
        (0.0, [0.0, 0.25, 0.5, 0.75]),
        (0.75, [0.5, 0.75, 1.0, 1.25]),
        (1.25, [1.0, 1.25, 1.5, 1.75]),
    ]
    assert end == 2.0


def test_what_lies_behind_the_last_whole_window_is_read() -> None:
    """The last window is a whole one again, up to the last frame."""
    found, end = cut(every(0.25, 7, first=10.0), Plan(1.0))
    assert found == [
        (10.0, [10.0, 10.25, 10.5, 10.75]),
        (10.75, [10.5, 10.75, 11.0, 11.25]),
        (11.25, [10.75, 11.0, 11.25, 11.5]),
    ]
    assert end == 11.75


def test_less_than_a_window_is_one() -> None:
    assert cut(every(0.25, 4), Plan(9.0)) == ([(0.0, [0.0, 0.25, 0.5, 0.75])], 1.0)


@pytest.mark.parametrize(("count", "end"), [(1, 5.0), (3, 5.75)])
def test_three_frames_are_no_window(count: int, end: float) -> None:
    assert cut(every(0.25, count, first=5.0), Plan(1.0)) == ([], end)


@pytest.mark.parametrize("fps", [7.0, 29.97, 30.0, 120.0])
def test_every_window_has_its_frames_whatever_the_rate(fps: float) -> None:
    """Times that are no exact numbers neither lose a frame nor read one twice."""
    count = round(10 * fps)
    found, end = cut([n / fps for n in range(count)], Plan(2.0, 1.0))
    sizes = {len(times) for _, times in found}
    assert sizes <= {int(2 * fps), int(2 * fps) + 1}
    assert len(found) == 9
    assert found[-1][1][-1] == pytest.approx((count - 1) / fps)
    assert end == pytest.approx(10.0, abs=0.1)


def test_frames_left_out_leave_windows_where_they_are() -> None:
    times = [t for t in every(0.125, 17) if not 0.5 <= t < 1]
    found, _ = cut(times, Plan(1.0))
    assert [start for start, _ in found] == [0.0, 0.75, 1.25, 1.75]
    assert found[1][1] == [1.0, 1.125, 1.25, 1.375]


def test_only_the_frames_of_a_window_are_kept() -> None:
    track = Track(Plan(1.0), 0.0)
    for time in every(0.1, 10_000):
        list(track.advance(time))
        track.add(time, np.zeros((1, 3)))
    assert len(track._frames) <= 12


def test_times_that_hardly_go_on_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MOST", 5)
    track = Track(Plan(1.0), 0.0)
    for number in range(5):
        track.add(1e-9 * number, np.zeros((1, 3)))
    with pytest.raises(FrameError, match="5 frames lie in 1 seconds"):
        track.add(6e-9, np.zeros((1, 3)))

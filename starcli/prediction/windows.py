"""The frames of one person, cut into windows while they come; only those still needed are kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from starcli.data.importing.checks import FEW
from starcli.prediction.events import Plan
from starcli.prediction.frames import FrameError

Values = npt.NDArray[np.float64]
LEAST = FEW + 1
"""Frames of a window that can be answered."""
MOST = 100_000
"""Frames of a window that are kept."""
SAME = 1e-6
"""Seconds by which times differ that are meant to be one."""


@dataclass(frozen=True)
class Window:
    """A stretch of a person's frames.

    Args:
        start: From where its answer holds, seconds: until that of the next one does.
        times: float64 [n], seconds.
        joints: float64 [n, V, axes], NaN where a joint was not seen.
    """

    start: float
    times: Values
    joints: Values


@dataclass
class Track:
    """A person from coming to going.

    Window k begins k strides after the first frame. Windows overlap, and the answer of each holds
    for the stride about its middle; that of the first from the beginning, that of the last to the
    end. Behind the last whole window there is one more that ends with the last frame.

    Args:
        plan: Lengths of windows and strides.
        first: Time of the first frame, seconds.
    """

    plan: Plan
    first: float
    last: float = field(init=False)
    _number: int = field(default=0, init=False)
    _from: float = field(init=False)
    _frames: deque[tuple[float, Values]] = field(default_factory=deque, init=False)

    def __post_init__(self) -> None:
        self.last = self._from = self.first

    def add(self, time: float, joints: Values) -> None:
        """Keep a frame, and no longer those that lie more than a window before it.

        Args:
            time: Seconds, later than all before; `advance` was told of it.
            joints: float64 [V, axes].

        Raises:
            FrameError: So many frames lie in a window that they are not kept.
        """
        if len(self._frames) == MOST:
            raise FrameError(
                f"{MOST:,} frames lie in {self.plan.window:g} seconds",
                "give times in seconds, or shorter --windows",
            )
        self.last = time
        self._frames.append((time, joints))
        while self._frames[0][0] < time - self.plan.window - SAME:
            self._frames.popleft()

    def advance(self, time: float) -> Iterator[Window]:
        """The windows that are over at a time."""
        while self._end() <= time + SAME:
            start = self._end() - self.plan.window
            self._number += 1
            window = self._window(start, start + self.plan.window)
            if window is not None:
                yield window
                self._from = start + (self.plan.window + self.plan.step) / 2

    def close(self) -> tuple[Window | None, float]:
        """What lies behind the last whole window, if anything does, and the time of the end."""
        times = [time for time, _ in self._frames]
        interval = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        end = self.last + interval
        whole = self._end() - self.plan.step  # where the last whole window ended
        is_read = self._number > 0 and end <= whole + interval / 2
        return None if is_read else self._window(end - self.plan.window, end), end

    def _end(self) -> float:
        """Where the next whole window ends."""
        return self.first + self._number * self.plan.step + self.plan.window

    def _window(self, start: float, end: float) -> Window | None:
        """The frames from a start to before an end; None where they are too few."""
        frames = [(t, j) for t, j in self._frames if start - SAME <= t < end - SAME]
        if len(frames) < LEAST:
            return None
        times, joints = zip(*frames, strict=True)
        return Window(self._from, np.array(times), np.stack(joints))

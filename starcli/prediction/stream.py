"""Naming what people do while their frames come: windows of each person, and events of these."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from starcli import registry
from starcli.data.imported import Imported
from starcli.data.importing import inspection
from starcli.data.importing.conversion import is_far
from starcli.data.importing.gaps import without_doubtful
from starcli.data.importing.inspection import Known
from starcli.data.importing.people import LEAST_JOINTS, Tracks, reach
from starcli.data.importing.reading import LOOKED_AT
from starcli.errors import DataError, StarError, UsageError
from starcli.prediction.events import Event, Hysteresis, Plan
from starcli.prediction.frames import Frame, FrameError, Seen, read_line, seen
from starcli.prediction.predictor import Predictor
from starcli.prediction.reader import Incoming, Reader, Recorded
from starcli.prediction.windows import LEAST, SAME, Track, Window

Values = npt.NDArray[np.float64]
RATE = 30
"""Steps of a second in which people are linked from frame to frame, as most cameras see them."""
EARLY = 10
"""Frames that tell how many there are a second."""


class Stream:
    """Names what people do while their frames come.

    Everybody is named on their own; who is gone for more than half a window comes anew. What is
    kept are the frames of one window.

    Args:
        predictor: The trained model, and what may be done.
        plan: How the stream is cut, and what an event is.
        reader: Makes of windows what the model has learned from.
        recorded: What is said of the frames, whose poses do not matter; None for what `reader`
            was told.
    """

    def __init__(
        self, predictor: Predictor, plan: Plan, reader: Reader, recorded: Recorded | None = None
    ) -> None:
        recorded = recorded or reader.streamed("stream")
        meaning = replace(recorded.meaning, people=None)  # each is alone in a window
        self._recorded = replace(recorded, meaning=meaning)
        self._layout = meaning.layout or registry.layout(recorded.poses.layout)
        self._predictor, self._plan, self._reader = predictor, plan, reader
        self._names = [predictor.names[c] for c in predictor.candidates]
        self._linked = _Linked()
        self._people: dict[str, tuple[Track, Hysteresis]] = {}
        self._early: list[float] = []
        self._known: list[Known] = []
        self._time, self._axes = -math.inf, 0
        self.notes = predictor.notes
        """What to beware of in the texts of actions, a line each."""
        self.warnings: list[str] = []
        """What a user should know of what was read, a line each."""

    def feed(self, frame: Frame) -> list[Event]:
        """The events that begin and end with a frame; those that begin have no end.

        Args:
            frame: The next frame.

        Raises:
            FrameError: Nothing can be made of it, and the stream goes on without it.
            DataError: The frames so far contradict a body.
            UsageError: A window has too few frames.
            NumericalError: A score is not finite.
        """
        return self.see(seen(frame, self._layout))

    def read(self, line: bytes) -> list[Event]:
        """`feed` of a frame as a line of JSON."""
        return self.see(seen(read_line(line), self._layout))

    def see(self, frame: Seen) -> list[Event]:
        """`feed` of a frame that was read."""
        frame = self._checked(frame)
        self._count(frame.time)
        names = self._linked.names(frame)
        events = self._advance(frame.time)
        for name, joints in zip(names, frame.joints, strict=True):
            if name not in self._people:
                track = Track(self._plan, frame.time)
                self._people[name] = track, Hysteresis(self._names, self._plan, name)
            self._people[name][0].add(frame.time, joints)
        return events

    def close(self) -> list[Event]:
        """The events that begin and end behind the last frame, of what was not answered yet.

        Raises:
            DataError: The frames contradict a body.
            UsageError: A window has too few frames.
        """
        if len(self._early) < EARLY:
            self._require_frames()
        events = [event for name in list(self._people) for event in self._end(name)]
        if len(self._known) < LOOKED_AT:
            self._require_bodies()
        return events

    def _checked(self, frame: Seen) -> Seen:
        """A frame without ghosts.

        Raises:
            FrameError: Its time is not later, or its joints are not like those before.
        """
        if frame.time <= self._time:
            raise FrameError(
                f"time {frame.time:.12g} is not after {self._time:.12g}",
                "give frames in the order of their times",
            )
        if is_far(frame.joints).any():
            _, joint, _ = np.argwhere(is_far(frame.joints))[0]
            raise FrameError(f"the {self._layout.joints[joint]} is too far away", "check --unit")
        joints = np.isfinite(frame.joints).all(-1).sum(-1)
        there = joints >= min(LEAST_JOINTS, frame.joints.shape[1])
        if there.any():
            self._require_axes(frame.joints.shape[2])
        self._time = frame.time
        names = frame.names and tuple(n for n, t in zip(frame.names, there, strict=True) if t)
        return Seen(frame.time, names, frame.joints[there])

    def _require_axes(self, axes: int) -> None:
        source = self._reader.source
        if axes == 2 and not (isinstance(source, Imported) and source.flat):
            raise FrameError(
                "has two axes, the run learned from three", "give three, or another --run"
            )
        if self._axes not in (0, axes):
            raise FrameError(f"has {axes} axes, frames before had {self._axes}", "give the same")
        self._axes = axes

    def _count(self, time: float) -> None:
        """Note a frame's time among the first, and see when these are known."""
        if len(self._early) < EARLY:
            self._early.append(time)
            if len(self._early) == EARLY:
                self._require_frames()

    def _require_frames(self) -> None:
        """Refuse windows of too few frames."""
        interval = float(np.median(np.diff(self._early))) if len(self._early) > 1 else 0.0
        if LEAST * interval > self._plan.window + SAME:
            raise UsageError(
                f"a window of {self._plan.window:g} s has less than {LEAST} frames, which come "
                f"every {interval:.3g} s",
                "name a longer one with --windows; times are in seconds",
            )

    def _advance(self, time: float) -> list[Event]:
        """The events of all windows that are over at a time, and of who is gone."""
        events, due = list[Event](), list[tuple[Hysteresis, Window]]()
        for name, (track, hysteresis) in list(self._people.items()):
            if time - track.last > self._plan.window / 2 + SAME:
                events += self._end(name)
            else:
                due += [(hysteresis, window) for window in track.advance(time)]
        return events + self._answered(due)

    def _end(self, name: str) -> list[Event]:
        """The last events of somebody."""
        track, hysteresis = self._people.pop(name)
        window, end = track.close()
        events = self._answered([(hysteresis, window)] if window else [])
        return events + hysteresis.close(end)

    def _answered(self, due: list[tuple[Hysteresis, Window]]) -> list[Event]:
        """What the answers of windows begin and end."""
        clips = [(each, window.start, self._clip(window)) for each, window in due]
        good = [(each, start, clip) for each, start, clip in clips if clip]
        if not good:
            return []
        rows = self._rows([clip for *_, clip in good])
        return [
            event
            for (each, start, _), row in zip(good, rows, strict=True)
            for event in each.step(start, row)
        ]

    def _rows(self, clips: Sequence[Incoming]) -> list[list[float]]:
        """Probabilities of the candidates for each clip; those of nobody are not scored."""
        possible = [clip for clip in clips if clip.impossible is None]
        scored = iter(self._predictor.sure(possible).tolist() if possible else ())
        none = [0.0] * len(self._names)
        return [next(scored) if clip.impossible is None else none for clip in clips]

    def _clip(self, window: Window) -> Incoming | None:
        """A window as a clip; None, and a warning, where nothing can be made of it."""
        poses = replace(
            self._recorded.poses,
            joints=window.joints[:, None],
            confidence=None,
            frames=None,
            people=None,
        )
        clip = self._reader.convert(replace(self._recorded, poses=poses), window.times)
        if isinstance(clip, StarError):
            self._warn(str(clip))
            return None
        if clip.known and self._recorded.format and len(self._known) < LOOKED_AT:
            self._known.append(clip.known)
            if len(self._known) == LOOKED_AT:
                self._require_bodies()
        return clip

    def _require_bodies(self) -> None:
        """Tell what was done to the first windows, and refuse most that contradict a body.

        That nothing moves in some is no warning, as it is of a whole clip.
        """
        for line in inspection.notes(self._known, []):
            self._warn(line)
        inspection.contradictions(self._known)

    def _warn(self, line: str) -> None:
        if line not in self.warnings:
            self.warnings.append(line)


class _Linked:
    """Who is who from one frame to the next."""

    def __init__(self) -> None:
        self._tracks = Tracks(math.inf, named=False)
        self._number, self._time, self._alone = 0, math.nan, False

    def names(self, frame: Seen) -> tuple[str, ...]:
        """What the persons of a frame are called: as it says, or numbers in order of coming.

        Whoever is alone in two frames is the same, however far away.
        """
        if frame.names is not None or not len(frame.joints):
            return frame.names or ()
        steps = (frame.time - self._time) * RATE
        self._number += max(1, round(steps)) if math.isfinite(steps) else 1
        alone = len(frame.joints) == 1
        self._tracks.reach = math.inf if alone and self._alone else reach(frame.joints[None])
        self._time, self._alone = frame.time, alone
        slots = np.arange(len(frame.joints))
        return tuple(
            str(track + 1) for track in self._tracks.link(frame.joints, self._number, slots)
        )


def frames(recorded: Recorded) -> Iterator[Seen]:
    """The frames of a recording, one by one.

    Raises:
        DataError: Nobody knows its frames a second.
    """
    poses = recorded.poses
    if poses.fps is None:
        raise DataError(
            "the file says no frames a second", "name them with --fps", file=recorded.name
        )
    joints = without_doubtful(poses.joints, poses.confidence)
    numbers = np.arange(len(joints)) if poses.frames is None else poses.frames
    for number, people in zip(numbers.tolist(), joints, strict=True):
        there = np.flatnonzero(np.isfinite(people).all(-1).any(-1))
        names = None if poses.people is None else tuple(poses.people[slot] for slot in there)
        yield Seen(number / poses.fps, names, people[there])

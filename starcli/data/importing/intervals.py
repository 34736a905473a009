"""Parts of long recordings: from a start to an end, in frames or in seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from starcli.data.importing.index import Entry
from starcli.poses import Poses

TIME = re.compile(r"(?:(\d+):)?(?:(\d+):)?(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Interval:
    """The part of a recording that is meant.

    Args:
        start: Where it begins.
        end: Where it ends, not included.
        seconds: Whether these are seconds, not frames.
    """

    start: float
    end: float
    seconds: bool

    def of(self, poses: Poses, entry: Entry, fps: float | None) -> Poses:
        """The frames of the interval.

        Raises:
            DataError: The recording has none of them, or nobody knows its frames a second.
        """
        rate = poses.fps or fps
        if self.seconds and rate is None:
            raise entry.wrong(
                "the interval is in seconds, and the file says no frames a second",
                "name them with --fps, or give frames",
            )
        scale = rate if self.seconds and rate else 1.0
        count = len(poses.joints)
        numbers = np.arange(count) if poses.frames is None else poses.frames
        start, end = round(self.start * scale), round(self.end * scale)
        chosen = (numbers >= start) & (numbers < end)
        if not chosen.any():
            raise entry.wrong(
                f"frames {start} to {end} are not in the recording, "
                f"which ends at {int(numbers[-1])}",
                "check start and end",
            )
        notes = poses.notes
        if numbers[-1] + 1 < end:
            note = f"the interval ends at frame {end}, the recording already at {numbers[-1]}"
            notes = (*notes, note)
        confidence = None if poses.confidence is None else poses.confidence[chosen]
        return replace(
            poses,
            joints=poses.joints[chosen],
            confidence=confidence,
            frames=numbers[chosen],
            notes=notes,
        )


def interval(entry: Entry, row: Mapping[str, str], *, seconds: bool) -> Interval | None:
    """The interval of a row of an index; None where it names none.

    Raises:
        DataError: Start and end are not numbers, or in the wrong order.
    """
    if not row.get("start") and not row.get("end"):
        return None
    ends = [TIME.fullmatch(row.get(key, "")) for key in ("start", "end")]
    if ends[0] is None or ends[1] is None:
        raise entry.wrong("start and end are not numbers", "give frames, seconds, or 1:02.5")
    start, end = (_number(match) for match in ends if match)
    if end <= start:
        raise entry.wrong(f"it ends at {row['end']}, before it starts", "check start and end")
    return Interval(start, end, seconds)


def _number(match: re.Match[str]) -> float:
    """Seconds of `1:02:03.5`, or the number itself."""
    first, second, last = match.groups()
    parts = [part for part in (first, second) if part is not None]
    total = 0.0
    for part in parts:
        total = total * 60 + float(part)
    return total * 60 + float(last) if parts else float(last)

"""Joints and frames that nobody saw: short gaps are bridged, long ones stay empty."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from starcli.contracts import Layout
from starcli.data.mapping import rule_map
from starcli.errors import DataError

Values = npt.NDArray[np.float64]
LONGEST = 15
"""Frames of a gap that is bridged: half a second of most recordings."""
MAX_FRAMES = 10**6
"""Over nine hours at 30 frames a second."""
CONFIDENT = 0.1
"""Confidence below which a joint counts as not seen."""


@dataclass(frozen=True)
class Filled:
    """Joints without gaps.

    Args:
        joints: [T, M, V, axes]; zeros where a person is not there.
        missing: Share of joints that were not seen, of people while they are there.
        long_gaps: Gaps within a person's presence that were too long to be bridged.
        absent: Frames in which a person is not there that is in others.
        cut: Frames without anybody at the beginning and the end, which are left out.
        bridged: Frames without anybody between others, which were bridged.
        never: Names of joints that were never seen, and follow from others by a rule.
    """

    joints: Values
    missing: float
    long_gaps: int
    absent: int
    cut: int
    bridged: int
    never: tuple[str, ...]


def without_doubtful(joints: Values, confidence: Values | None) -> Values:
    """The joints without those whose confidence is too low."""
    if confidence is None:
        return joints
    with np.errstate(invalid="ignore"):
        return np.where((confidence < CONFIDENT)[..., None], np.nan, joints)


def spread(joints: Values, frames: npt.NDArray[np.int64], where: str = "") -> Values:
    """The joints with empty frames where numbers are left out.

    Args:
        joints: [T, M, V, axes].
        frames: int64 [T], numbers that rise.
        where: The file, for messages.

    Raises:
        DataError: The numbers span more frames than fit in memory.
    """
    if frames[-1] - frames[0] > MAX_FRAMES:
        raise DataError(
            f"frame numbers run from {frames[0]} to {frames[-1]}",
            f"cut it: a recording has at most {MAX_FRAMES:,} frames",
            file=where,
        )
    out = np.full((int(frames[-1] - frames[0]) + 1, *joints.shape[1:]), np.nan)
    out[frames - frames[0]] = joints
    return out


def filled(joints: Values, layout: Layout, longest: int = LONGEST) -> Filled:
    """The joints with gaps bridged in a straight line, frames without anybody cut at both ends.

    Somebody who is gone for longer than `longest` frames is absent there. A joint that is not seen
    for longer while its person is there is bridged all the same, and counted; one that is never
    seen follows from others by a rule, or from its neighbour.

    Args:
        joints: [T, M, V, axes], NaN where a joint was not seen.
        layout: Its joints.
        longest: Frames of the longest time for which somebody may be gone.
    """
    total, seen = len(joints), np.asarray(np.isfinite(joints).all(-1))
    somebody = np.flatnonzero(seen.any((1, 2)))
    if not len(somebody):
        return Filled(np.zeros_like(joints[:0]), 1.0, 0, 0, total, 0, ())
    kept = slice(int(somebody[0]), int(somebody[-1]) + 1)
    joints, seen = joints[kept], seen[kept]
    out = np.zeros_like(joints)
    lacking, there, long_gaps, absent, never = 0, 0, 0, 0, set[str]()
    for person in range(joints.shape[1]):
        visible = np.asarray(seen[:, person].any(-1))
        rows = np.flatnonzero(_bridged(visible, longest))
        if not len(rows):
            continue
        known = seen[rows, person]
        out[rows, person], lost = _whole(joints[rows, person], known, rows, layout)
        never |= {layout.joints[joint] for joint in lost}
        long_gaps += sum(_long(rows[known[:, joint]], longest) for joint in range(known.shape[1]))
        lacking += int((~seen[visible, person]).sum())
        there += int(visible.sum())
        absent += len(joints) - len(rows)
    share = lacking / (there * joints.shape[2])
    empty = ~seen.any((1, 2))
    bridged = int((out[empty] != 0).any((1, 2, 3)).sum())
    cut = total - len(joints)
    return Filled(out, share, long_gaps, absent, cut, bridged, tuple(sorted(never)))


def _long(rows: npt.NDArray[np.intp], longest: int) -> int:
    """Gaps between rows that are longer than `longest`."""
    return int((np.diff(rows) > longest + 1).sum())


def _whole(
    body: Values, known: npt.NDArray[np.bool_], rows: npt.NDArray[np.intp], layout: Layout
) -> tuple[Values, list[int]]:
    """A person's joints [n, V, axes] at rows [n], all of them, and which were never seen."""
    body = body.copy()
    for joint in np.flatnonzero(known.any(0) & ~known.all(0)):
        at = known[:, joint]
        for axis in range(body.shape[2]):
            body[:, joint, axis] = np.interp(rows, rows[at], body[at, joint, axis])
    never = [int(joint) for joint in np.flatnonzero(~known.any(0))]
    if never:
        body = rule_map(layout, never).apply(np.where(np.isfinite(body), body, 0.0))
    return body, never


def _bridged(there: npt.NDArray[np.bool_], longest: int) -> npt.NDArray[np.bool_]:
    """Presence with gaps of up to `longest` frames closed."""
    rows = np.flatnonzero(there)
    out = there.copy()
    for before, after in pairwise(rows):
        if 1 < after - before <= longest + 1:
            out[before:after] = True
    return out

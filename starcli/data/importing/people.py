"""Who is who in a recording, and who is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from starcli.errors import UsageError

Values = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
LEAST_JOINTS = 4
"""A person of fewer joints in a frame is a ghost."""
PATIENCE = 30
"""Frames after which somebody who comes back is somebody else."""
MOST = 2
"""People whom a clip keeps unless another number is asked for."""


@dataclass(frozen=True)
class Followed:
    """People in slots of their own.

    Args:
        joints: [T, people, V, axes], NaN where somebody is not there.
        names: What each is called.
        relinked: Frames at which somebody was found in another slot than before.
    """

    joints: Values
    names: tuple[str, ...]
    relinked: int = 0


def without_ghosts(joints: Values) -> Values:
    """The joints without people who have fewer than four of them in a frame."""
    few = np.isfinite(joints).all(-1).sum(-1) < min(LEAST_JOINTS, joints.shape[2])
    return np.where(few[..., None, None], np.nan, joints)


def followed(
    joints: Values, names: Sequence[str] | None, frames: npt.NDArray[np.int64]
) -> Followed:
    """People linked from frame to frame by the nearest pose.

    Everybody whom a frame shows goes on from where the pose of an earlier frame, up to 30 frames
    ago, is nearest on average over the joints that both have, at most about the length of a trunk
    away for one frame; the assignment of all is the one of the least sum. Who is near nobody is
    who the file says, where it follows people, and else somebody new.

    Args:
        joints: [T, M, V, axes].
        names: What the file calls the M people; None where slots mean nothing.
        frames: int64 [T], numbers of the frames.
    """
    there: Mask = np.asarray(np.isfinite(joints).all(-1).any(-1))
    if there.sum(1).max(initial=0) <= 1 and names is None:
        return Followed(_first(joints, there), ("1",))
    if names is not None and there.any(0).sum() <= 1:
        slot = int(there.any(0).argmax())
        return Followed(joints[:, [slot]], (names[slot],))
    slots = np.full(there.shape, -1)
    tracks = Tracks(reach(joints), named=names is not None)
    relinked = 0
    for row, number in enumerate(frames):
        present = np.flatnonzero(there[row])
        slots[row, present] = tracks.link(joints[row, present], int(number), present)
        relinked += int(
            any(tracks.home[t] != s for t, s in zip(slots[row, present], present, strict=True))
        )
    out = np.full((len(joints), max(1, len(tracks.last)), *joints.shape[2:]), np.nan)
    for row, slot in np.argwhere(there):
        out[row, slots[row, slot]] = joints[row, slot]
    called = tuple(names[h] if names else str(h + 1) for h in tracks.home)
    return Followed(out, _distinct(called), relinked)


def _first(joints: Values, there: Mask) -> Values:
    """The only person of each frame, whatever slot it is in [T, 1, V, axes]."""
    slot = there.argmax(1)
    out: Values = joints[np.arange(len(joints)), slot][:, None]
    return out


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names with a number behind those that are there already."""
    out: list[str] = []
    for name in names:
        again = sum(name == other.partition(" again")[0] for other in out)
        out.append(f"{name} again {again}" if again else name)
    return tuple(out)


def reach(joints: Values) -> float:
    """How far somebody may be from the last pose: a third of the extent of a body."""
    with np.errstate(all="ignore"):
        extent = np.nanmax(joints, 2, initial=-np.inf) - np.nanmin(joints, 2, initial=np.inf)
    size = extent.max(-1)
    size = size[np.isfinite(size)]
    return float(np.median(size)) / 3 if len(size) else np.inf


class Tracks:
    """People as they were last seen.

    Args:
        reach: How far somebody may be from there after one frame.
        named: Whether the slots of the file stand for people.
    """

    def __init__(self, reach: float, *, named: bool) -> None:
        self.reach, self.named = reach, named
        self.last: list[Values] = []
        self.seen: list[int] = []
        self.home: list[int] = []
        """The slot that each was first found in."""

    def link(self, people: Values, frame: int, slots: npt.NDArray[np.intp]) -> list[int]:
        """The track of each of the people [n, V, axes] of a frame; new ones where none is near."""
        from scipy.optimize import linear_sum_assignment

        open_ = [t for t, seen in enumerate(self.seen) if frame - seen <= PATIENCE]
        tracks = [-1] * len(people)
        if open_ and len(people):
            cost = _distances(np.stack([self.last[t] for t in open_]), people)
            gap = np.array([[frame - self.seen[t]] for t in open_])
            limit = self.reach * np.minimum(gap, 3)
            for track, person in zip(
                *linear_sum_assignment(np.minimum(cost, limit * 2)), strict=True
            ):
                if cost[track, person] <= limit[track, 0]:
                    tracks[person] = open_[track]
        for person, pose in enumerate(people):
            if tracks[person] < 0 and self.named:
                own = self.home.index(slots[person]) if slots[person] in self.home else -1
                tracks[person] = -1 if own in tracks else own
            if tracks[person] < 0:
                tracks[person] = len(self.last)
                self.last.append(pose)
                self.seen.append(frame)
                self.home.append(int(slots[person]))
            track = tracks[person]
            self.last[track] = np.where(np.isfinite(pose), pose, self.last[track])
            self.seen[track] = frame
        return tracks


def _distances(before: Values, now: Values) -> Values:
    """Mean distance over shared joints of [a, V, axes] and [b, V, axes]: [a, b]."""
    away = np.linalg.norm(before[:, None] - now[None], axis=-1)
    shared = np.isfinite(away)
    count = shared.sum(-1)
    total = np.where(shared, away, 0.0).sum(-1)
    return np.where(count > 0, total / np.maximum(count, 1), 1e12)


def chosen(people: Followed, who: str | None) -> Followed:
    """Those who are meant.

    Args:
        people: All of them.
        who: `largest`, `most-motion`, or a name; None for the two of whom most is seen moving, in
            the order in which they came.

    Raises:
        UsageError: Nobody has the name.
    """
    if who in ("largest", "most-motion"):
        measure = _sizes if who == "largest" else _motions
        best = [int(measure(people.joints).argmax())]
    elif who is not None:
        if who not in people.names:
            known = ", ".join(people.names[:10])
            raise UsageError(f"--people {who}: nobody has this name", f"there are: {known}")
        best = [people.names.index(who)]
    else:
        order = np.argsort(-_motions(people.joints), kind="stable")
        best = sorted(int(person) for person in order[:MOST])
    return Followed(people.joints[:, best], tuple(people.names[b] for b in best), people.relinked)


def _sizes(joints: Values) -> Values:
    """How large each of the people is on the whole [people], 0 for nobody."""
    with np.errstate(all="ignore"):
        extent = np.nanmax(joints, 2, initial=-np.inf) - np.nanmin(joints, 2, initial=np.inf)
    size = np.where(np.isfinite(extent), extent, 0.0).max(-1)
    count = np.maximum((size > 0).sum(0), 1)
    return np.asarray(size.sum(0) / count)


def _motions(joints: Values) -> Values:
    """Frames seen times the spread of the joints over them [people]."""
    finite = np.isfinite(joints)
    count = finite.sum(0)
    mean = np.where(finite, joints, 0.0).sum(0) / np.maximum(count, 1)
    spread = (np.where(finite, joints - mean, 0.0) ** 2).sum(0)
    frames = np.asarray(finite.all(-1)).any(2).sum(0)
    return np.asarray(frames * (1e-12 + spread.sum((1, 2))))

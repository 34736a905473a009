"""Which tracked bodies are the actors: the preparation of NTU RGB+D as by CTR-GCN.

The rules are those of the data preparation that is published with CTR-GCN (Chen et al., ICCV
2021). Coordinates, their ranges and variances are float32, as there; a range of x is compared with
0.8 times that of y in float64.

Beyond the published rules: where they leave nobody, or only bodies of zeros, the longest body is
kept; of bodies without motion those of zeros come last; and an actor is absent from a frame where
all its values are zero (there: where their sum is).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from starcli_plugins.datasets.ntu.skeleton_files import Bodies, Joints
from starcli_plugins.layouts import KINECT_V2

SHORT = 11
"""Bodies of at most so many frames are noise."""
SPREAD = 0.8
"""A frame whose range of x is beyond this times its range of y is noise."""
NOISY = 0.69754
"""Bodies with at least this share of noisy frames are noise."""


@dataclass(frozen=True)
class Track:
    """A body without the gaps in which it was lost.

    Args:
        start: The first frame.
        joints: float32 [n, 25, 3], the frames from there on.
        motion: How much the joints vary, in square metres.
    """

    start: int
    joints: Joints
    motion: float

    @property
    def last(self) -> int:
        """The last frame."""
        return self.start + len(self.joints) - 1


def assemble(clip: Bodies) -> Joints:
    """The one or two actors of a clip, moved so that the first stands at the origin.

    Args:
        clip: The bodies of a file.

    Returns:
        float32 [frames, M, 25, 3], M = 1 where one body is left, otherwise 2; all zeros where one
        of two actors is absent.
    """
    first, *others = clip.bodies
    if not others:  # a body alone is the actor, whatever it does, with its frames of zeros
        return _centred(first.joints[:, None])
    tracks = [Track(int(b.frames[0]), b.joints, _motion(b.joints)) for b in clip.bodies]
    actors = _joined(_denoised(tracks), clip.frames)
    return _centred(actors[actors.any((1, 2, 3))])


def _denoised(tracks: Sequence[Track]) -> list[Track]:
    """The tracks, in their order, that are not noise."""
    kept = _upright([track for track in tracks if len(track.joints) > SHORT])
    if any(track.joints.any() for track in kept):
        return kept
    seen = [track for track in tracks if track.joints.any()]
    return [max(seen, key=lambda track: (len(track.joints), track.motion))]


def _motion(joints: Joints) -> float:
    """The variances of x, y and z over all frames and joints, added up."""
    return float(joints.reshape(-1, 3).var(0).sum())


def _upright(tracks: Sequence[Track]) -> list[Track]:
    """The tracks, in their order, without those that are wide rather than high too often."""
    left = dict(enumerate(tracks))
    for number, track in enumerate(tracks):
        if len(left) == 1:
            break
        noisy = _wide(track.joints)
        if noisy.mean() >= NOISY:
            del left[number]
        elif noisy.any():
            motion = min(track.motion, _motion(track.joints[~noisy]))
            left[number] = replace(track, motion=motion)
    return list(left.values())


def _wide(joints: Joints) -> npt.NDArray[np.bool_]:
    """Which frames [n] are noise."""
    x, y = (np.ptp(joints[..., axis], 1).astype(np.float64) for axis in (0, 1))
    return np.asarray(x > SPREAD * y)


def _joined(tracks: Sequence[Track], frames: int) -> Joints:
    """The tracks as actors, the one that moves most first.

    A further track continues the first actor, else the second, whose frames it shares at most one
    with; otherwise it is left out. The second actor's span starts as frame 0 and so always begins
    there.
    """
    first, *others = sorted(tracks, key=lambda t: (t.motion, t.joints.any()), reverse=True)
    actors = np.zeros((frames, min(len(tracks), 2), *first.joints.shape[1:]), np.float32)
    actors[first.start : first.last + 1, 0] = first.joints
    spans = [(first.start, first.last), (0, 0)]
    for track in others:
        for actor, (start, last) in enumerate(spans):
            if min(last, track.last) - max(start, track.start) <= 0:
                actors[track.start : track.last + 1, actor] = track.joints
                spans[actor] = (min(start, track.start), max(last, track.last))
                break
    return actors


def _centred(actors: Joints) -> Joints:
    """Move the mid-spine of the first actor, where it first is not all zeros, to the origin.

    An actor alone moves in all frames, one of two only where it is not all zeros.
    """
    present = np.asarray(actors.any((2, 3)))
    first = int(present[:, 0].argmax())
    moved: Joints = actors - actors[first, 0, KINECT_V2.origin]
    if actors.shape[1] > 1:
        moved[~present] = 0
    return moved

"""Clips of one data set as another one has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from starcli.contracts import DatasetSource, KnownRate, Normalisation
from starcli.data.imported import Imported
from starcli.data.mapping import JointMap
from starcli.data.normalise import NORMALISATIONS, Joints, PersonFiller
from starcli.data.rates import at_rate


def adapted(
    joints: Joints,
    joints_of: JointMap,
    source: DatasetSource,
    normalise: Sequence[Normalisation],
    fps: float | None = None,
) -> Joints:
    """A clip in the joints of a data set, at its rate, filled up and normalised as its clips are.

    Args:
        joints: [frames, M, V, 3] as recorded, metres, y up.
        joints_of: How the data set's joints follow from those of the clip.
        source: The data set.
        normalise: What is done to its clips.
        fps: Frames a second of the clip; None where nobody knows.
    """
    joints = joints_of.apply(joints.astype(np.float64)).astype(np.float32)
    joints = at_rate(joints, fps, source.fps if isinstance(source, KnownRate) else None)
    if isinstance(source, Imported) and source.flat:
        joints[..., 2] = 0
    if isinstance(source, PersonFiller):
        joints = source.fill_persons(joints)
    for name in normalise:
        joints = NORMALISATIONS[name](joints, source.layout)
    return joints

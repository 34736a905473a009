"""People who do something, in any layout: the simulated ones, as files have them."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from starcli.contracts import Layout
from starcli.data.mapping import joint_map
from starcli_plugins.datasets.simulated.source import Simulated
from starcli_plugins.layouts import KINECT_V2

Values = npt.NDArray[np.float64]


@cache
def _recorded(count: int) -> dict[tuple[int, str], Values]:
    """Class and subject -> joints [T, V, 3], of the first subjects."""
    source = Simulated(Simulated.Settings())
    found: dict[tuple[int, str], Values] = {}
    for recording in source.recordings(None):
        for clip in source.clips(recording):
            if len({subject for _, subject in found} | {clip.subject}) > count:
                return found
            joints = clip.joints[:, 0].astype(np.float64)
            found.setdefault((clip.label, clip.subject), joints)
    return found


def body(label: int = 0, subject: int = 0, layout: Layout = KINECT_V2) -> Values:
    """Somebody who does one of 30 things [T, V, 3], metres, y up, facing the camera."""
    found = _recorded(subject + 1)
    subjects = sorted({name for _, name in found})
    return joint_map(KINECT_V2, layout).apply(found[label, subjects[subject]])


def pixels(joints: Values) -> Values:
    """Joints [..., 3] in a picture of 640 x 480 pixels [..., 2], y down."""
    return np.stack([320 - 200 * joints[..., 0], 440 - 200 * joints[..., 1]], -1)

"""Joints of pose models by their number, as the layouts that there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

COMMON: Mapping[int, tuple[str, Sequence[int]]] = {
    17: ("coco-17", range(17)),
    133: ("coco-17", range(17)),  # whole body: then feet, face and hands
    26: ("halpe-26", range(26)),
    136: ("halpe-26", range(26)),  # then face and hands
    68: ("halpe-26", range(26)),  # then hands
    16: ("coco-17", (*[-1] * 5, 13, 12, 14, 11, 15, 10, 3, 2, 4, 1, 5, 0)),  # MPII
    14: ("coco-17", (*[-1] * 5, *range(12))),  # CrowdPose
}
"""Number of joints -> the layout, and where its joints are in that order; -1: nowhere."""
COCO = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)


def by_names(names: Sequence[str]) -> Sequence[int] | None:
    """Where the joints of COCO-17 are among names; None where one of the limbs is not there."""
    known = [name.strip().lower().replace(" ", "_").replace("-", "_") for name in names]
    places = [known.index(name) if name in known else -1 for name in COCO]
    return places if min(places[5:]) >= 0 else None

"""Skeleton layouts: joint names, bones and the paper's 2-, 4- and 6-part partitions."""

from __future__ import annotations

from collections.abc import Mapping

from starcli.contracts import Layout

Partition = Mapping[str, tuple[int, ...]]


def _partitions(six: Partition) -> Mapping[int, Partition]:
    """The 4- and 2-part tables that merge the paper's six parts (STAR, section 4.6 (2))."""

    def merged(*names: str) -> tuple[int, ...]:
        return tuple(sorted(joint for name in names for joint in six[name]))

    four = {
        "head": six["head"],
        "hand-arm": merged("hand", "arm"),
        "hip": six["hip"],
        "leg-foot": merged("leg", "foot"),
    }
    two = {"upper body": merged("head", "hand", "arm"), "lower body": merged("hip", "leg", "foot")}
    return {2: two, 4: four, 6: six}


KINECT_V2 = Layout(
    name="kinect-v2",
    joints=(
        "spine base", "spine mid", "neck", "head",
        "left shoulder", "left elbow", "left wrist", "left hand",
        "right shoulder", "right elbow", "right wrist", "right hand",
        "left hip", "left knee", "left ankle", "left foot",
        "right hip", "right knee", "right ankle", "right foot",
        "spine shoulder", "left hand tip", "left thumb", "right hand tip", "right thumb",
    ),
    bones=(
        (0, 1), (1, 20), (2, 20), (3, 2),
        (4, 20), (5, 4), (6, 5), (7, 6),
        (8, 20), (9, 8), (10, 9), (11, 10),
        (12, 0), (13, 12), (14, 13), (15, 14),
        (16, 0), (17, 16), (18, 17), (19, 18),
        (21, 22), (22, 7), (23, 24), (24, 11),
    ),
    parts=_partitions({
        "head": (2, 3, 20),
        "hand": (7, 11, 21, 22, 23, 24),
        "arm": (4, 5, 6, 8, 9, 10),
        "hip": (0, 1),
        "leg": (12, 13, 16, 17),
        "foot": (14, 15, 18, 19),
    }),
    origin=1,
    centre=20,
    across=(4, 8),
)  # fmt: skip
"""The 25 joints of Kinect v2, with the edges of the NTU graph."""

KINECT_V1 = Layout(
    name="kinect-v1",
    joints=(
        "hip centre", "spine", "shoulder centre", "head",
        "left shoulder", "left elbow", "left wrist", "left hand",
        "right shoulder", "right elbow", "right wrist", "right hand",
        "left hip", "left knee", "left ankle", "left foot",
        "right hip", "right knee", "right ankle", "right foot",
    ),
    bones=(
        (0, 1), (1, 2), (3, 2),
        (4, 2), (5, 4), (6, 5), (7, 6),
        (8, 2), (9, 8), (10, 9), (11, 10),
        (12, 0), (13, 12), (14, 13), (15, 14),
        (16, 0), (17, 16), (18, 17), (19, 18),
    ),
    parts=_partitions({
        "head": (2, 3),
        "hand": (7, 11),
        "arm": (4, 5, 6, 8, 9, 10),
        "hip": (0, 1),
        "leg": (12, 13, 16, 17),
        "foot": (14, 15, 18, 19),
    }),
    origin=1,
    centre=2,
    across=(4, 8),
)  # fmt: skip
"""The 20 joints of Kinect v1, in the order of NW-UCLA."""

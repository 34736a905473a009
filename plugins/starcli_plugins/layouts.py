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
        "spine base",
        "spine mid",
        "neck",
        "head",
        "left shoulder",
        "left elbow",
        "left wrist",
        "left hand",
        "right shoulder",
        "right elbow",
        "right wrist",
        "right hand",
        "left hip",
        "left knee",
        "left ankle",
        "left foot",
        "right hip",
        "right knee",
        "right ankle",
        "right foot",
        "spine shoulder",
        "left hand tip",
        "left thumb",
        "right hand tip",
        "right thumb",
    ),
    bones=(
        (0, 1),
        (1, 20),
        (2, 20),
        (3, 2),
        (4, 20),
        (5, 4),
        (6, 5),
        (7, 6),
        (8, 20),
        (9, 8),
        (10, 9),
        (11, 10),
        (12, 0),
        (13, 12),
        (14, 13),
        (15, 14),
        (16, 0),
        (17, 16),
        (18, 17),
        (19, 18),
        (21, 22),
        (22, 7),
        (23, 24),
        (24, 11),
    ),
    parts=_partitions(
        {
            "head": (2, 3, 20),
            "hand": (7, 11, 21, 22, 23, 24),
            "arm": (4, 5, 6, 8, 9, 10),
            "hip": (0, 1),
            "leg": (12, 13, 16, 17),
            "foot": (14, 15, 18, 19),
        }
    ),
    origin=1,
    centre=20,
    across=(4, 8),
)
"""The 25 joints of Kinect v2, with the edges of the NTU graph."""

KINECT_V1 = Layout(
    name="kinect-v1",
    joints=(
        "hip centre",
        "spine",
        "shoulder centre",
        "head",
        "left shoulder",
        "left elbow",
        "left wrist",
        "left hand",
        "right shoulder",
        "right elbow",
        "right wrist",
        "right hand",
        "left hip",
        "left knee",
        "left ankle",
        "left foot",
        "right hip",
        "right knee",
        "right ankle",
        "right foot",
    ),
    bones=(
        (0, 1),
        (1, 2),
        (3, 2),
        (4, 2),
        (5, 4),
        (6, 5),
        (7, 6),
        (8, 2),
        (9, 8),
        (10, 9),
        (11, 10),
        (12, 0),
        (13, 12),
        (14, 13),
        (15, 14),
        (16, 0),
        (17, 16),
        (18, 17),
        (19, 18),
    ),
    parts=_partitions(
        {
            "head": (2, 3),
            "hand": (7, 11),
            "arm": (4, 5, 6, 8, 9, 10),
            "hip": (0, 1),
            "leg": (12, 13, 16, 17),
            "foot": (14, 15, 18, 19),
        }
    ),
    origin=1,
    centre=2,
    across=(4, 8),
)
"""The 20 joints of Kinect v1, in the order of NW-UCLA."""

COCO_17 = Layout(
    name="coco-17",
    joints=(
        "nose",
        "left eye",
        "right eye",
        "left ear",
        "right ear",
        "left shoulder",
        "right shoulder",
        "left elbow",
        "right elbow",
        "left wrist",
        "right wrist",
        "left hip",
        "right hip",
        "left knee",
        "right knee",
        "left ankle",
        "right ankle",
    ),
    bones=(
        (1, 0),
        (2, 0),
        (3, 1),
        (4, 2),
        (5, 0),
        (6, 0),
        (7, 5),
        (8, 6),
        (9, 7),
        (10, 8),
        (11, 5),
        (12, 6),
        (13, 11),
        (14, 12),
        (15, 13),
        (16, 14),
    ),
    parts=_partitions(
        {
            "head": (0, 1, 2, 3, 4),
            "hand": (9, 10),
            "arm": (5, 6, 7, 8),
            "hip": (11, 12),
            "leg": (13, 14),
            "foot": (15, 16),
        }
    ),
    origin=11,
    centre=0,
    across=(5, 6),
)
"""The 17 keypoints of COCO, as most pose estimators give them.

COCO has no joint on the spine. The nose is the only one on the midline, so both sides of the tree
hang on it and distances from it are alike on both sides; clips are centred on the left hip, which
moves little, while the nose moves with every nod. Wrists stand in for the hands, ankles for the
feet.
"""

MEDIAPIPE_33 = Layout(
    name="mediapipe-33",
    joints=(
        "nose",
        "left eye inner",
        "left eye",
        "left eye outer",
        "right eye inner",
        "right eye",
        "right eye outer",
        "left ear",
        "right ear",
        "mouth left",
        "mouth right",
        "left shoulder",
        "right shoulder",
        "left elbow",
        "right elbow",
        "left wrist",
        "right wrist",
        "left pinky",
        "right pinky",
        "left index",
        "right index",
        "left thumb",
        "right thumb",
        "left hip",
        "right hip",
        "left knee",
        "right knee",
        "left ankle",
        "right ankle",
        "left heel",
        "right heel",
        "left foot index",
        "right foot index",
    ),
    bones=(
        (1, 0),
        (2, 1),
        (3, 2),
        (7, 3),
        (4, 0),
        (5, 4),
        (6, 5),
        (8, 6),
        (9, 0),
        (10, 0),
        (11, 0),
        (13, 11),
        (15, 13),
        (17, 15),
        (19, 15),
        (21, 15),
        (12, 0),
        (14, 12),
        (16, 14),
        (18, 16),
        (20, 16),
        (22, 16),
        (23, 11),
        (25, 23),
        (27, 25),
        (29, 27),
        (31, 27),
        (24, 12),
        (26, 24),
        (28, 26),
        (30, 28),
        (32, 28),
    ),
    parts=_partitions(
        {
            "head": (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
            "hand": (17, 18, 19, 20, 21, 22),
            "arm": (11, 12, 13, 14, 15, 16),
            "hip": (23, 24),
            "leg": (25, 26),
            "foot": (27, 28, 29, 30, 31, 32),
        }
    ),
    origin=23,
    centre=0,
    across=(11, 12),
)
"""The 33 landmarks of MediaPipe Pose; origin and centre are chosen as for COCO."""

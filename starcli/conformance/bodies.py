"""Made-up people for the rules of readers: standing bodies that raise an arm, in any layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from starcli.poses import IMAGE, KINECT, Poses

Point = tuple[float, float, float]
FRAMES = (1, 2, 3, 5)
"""Nobody is found in frame 4."""
SIZE = (640.0, 480.0)
MIDDLE: Mapping[str, Point] = {
    "pelvis": (0, 0.95, 0),
    "navel": (0, 1.1, 0),
    "chest": (0, 1.25, 0),
    "thorax": (0, 1.4, 0),
    "neck": (0, 1.48, 0),
    "head": (0, 1.62, 0),
    "top": (0, 1.78, 0),
    "nose": (0, 1.6, -0.12),
}
LEFT: Mapping[str, Point] = {
    "eye-inner": (-0.02, 1.63, -0.1),
    "eye": (-0.03, 1.63, -0.1),
    "eye-outer": (-0.05, 1.63, -0.09),
    "ear": (-0.07, 1.6, 0),
    "mouth": (-0.02, 1.55, -0.1),
    "clavicle": (-0.05, 1.41, 0),
    "shoulder": (-0.18, 1.4, 0),
    "elbow": (-0.25, 1.15, 0),
    "wrist": (-0.27, 0.92, -0.02),
    "hand": (-0.28, 0.85, -0.03),
    "tip": (-0.285, 0.77, -0.04),
    "thumb": (-0.25, 0.83, -0.06),
    "index": (-0.29, 0.8, -0.04),
    "middle": (-0.285, 0.78, -0.03),
    "pinky": (-0.28, 0.8, 0),
    "hip": (-0.1, 0.93, 0),
    "knee": (-0.11, 0.5, -0.01),
    "ankle": (-0.12, 0.08, 0),
    "foot": (-0.12, 0.04, -0.12),
    "toe": (-0.11, 0.02, -0.2),
    "small-toe": (-0.15, 0.02, -0.17),
    "heel": (-0.12, 0.03, 0.06),
}
"""Points of the left side, metres, in the product's frame; the right side is its mirror image."""
ARM = ("elbow", "wrist", "hand", "tip", "thumb", "index", "middle", "pinky")
LAYOUTS: Mapping[str, str] = {
    "kinect-v1": "pelvis navel thorax head l:shoulder l:elbow l:wrist l:hand r:shoulder r:elbow"
    " r:wrist r:hand l:hip l:knee l:ankle l:foot r:hip r:knee r:ankle r:foot",
    "kinect-v2": "pelvis navel neck head l:shoulder l:elbow l:wrist l:hand r:shoulder r:elbow"
    " r:wrist r:hand l:hip l:knee l:ankle l:foot r:hip r:knee r:ankle r:foot thorax"
    " l:tip l:thumb r:tip r:thumb",
    "coco-17": "nose :eye :ear :shoulder :elbow :wrist :hip :knee :ankle",
    "mediapipe-33": "nose l:eye-inner l:eye l:eye-outer r:eye-inner r:eye r:eye-outer :ear :mouth"
    " :shoulder :elbow :wrist :pinky :index :thumb :hip :knee :ankle :heel :toe",
    "body-25": "nose thorax r:shoulder r:elbow r:wrist l:shoulder l:elbow l:wrist pelvis r:hip"
    " r:knee r:ankle l:hip l:knee l:ankle r:eye l:eye r:ear l:ear l:toe l:small-toe"
    " l:heel r:toe r:small-toe r:heel",
    "coco-18": "nose thorax r:shoulder r:elbow r:wrist l:shoulder l:elbow l:wrist r:hip r:knee"
    " r:ankle l:hip l:knee l:ankle r:eye l:eye r:ear l:ear",
    "halpe-26": "nose :eye :ear :shoulder :elbow :wrist :hip :knee :ankle top neck pelvis :toe"
    " :small-toe :heel",
    "h36m-17": "pelvis r:hip r:knee r:ankle l:hip l:knee l:ankle navel thorax nose top l:shoulder"
    " l:elbow l:wrist r:shoulder r:elbow r:wrist",
    "smpl-22": "pelvis :hip navel :knee chest :ankle thorax :toe neck :clavicle head :shoulder"
    " :elbow :wrist",
    "azure-32": "pelvis navel chest neck l:clavicle l:shoulder l:elbow l:wrist l:hand l:tip l:thumb"
    " r:clavicle r:shoulder r:elbow r:wrist r:hand r:tip r:thumb l:hip l:knee l:ankle"
    " l:foot r:hip r:knee r:ankle r:foot head nose l:eye l:ear r:eye r:ear",
    "zed-38": "pelvis navel chest thorax neck nose :eye :ear :clavicle :shoulder :elbow :wrist :hip"
    " :knee :ankle :toe :small-toe :heel :thumb :index :middle :pinky",
}
"""Points of each layout; `:eye` is the left and then the right one."""


def sample(layout: str, dimensions: Literal[2, 3] = 3, people: int = 2) -> Poses:
    """People who raise the left arm, one after the other.

    The last one is absent from the second frame, and one joint of the first one is not seen there.

    Args:
        layout: Name of a layout of `LAYOUTS`.
        dimensions: 3 for metres in the product's frame, 2 for pixels of a picture.
        people: How many.

    Returns:
        Four frames, with confidence, the people's names, and what else a file may tell.
    """
    times, slots = range(len(FRAMES)), range(people)
    joints = np.array(
        [[_body(layout, 0.5 * time + slot, slot) for slot in slots] for time in times]
    )
    if dimensions == 2:
        joints = np.stack([250 - 180 * joints[..., 0], 440 - 180 * joints[..., 1]], axis=-1)
    confidence = np.full(joints.shape[:3], 0.5)
    confidence += np.arange(joints.shape[2]) % 8 / 16
    absent = np.zeros(joints.shape[:3], bool)
    absent[1, 0, joints.shape[2] // 2] = True
    absent[1, 1:] = np.arange(1, people)[:, None] == people - 1
    joints[absent], confidence[absent] = np.nan, np.nan
    confidence[1, 0, joints.shape[2] // 2] = 0.0
    return Poses(
        joints,
        layout,
        confidence=confidence,
        frames=np.array(FRAMES),
        people=tuple(str(person + 1) for person in range(people)),
        fps=25.0,
        image_size=SIZE if dimensions == 2 else None,
        unit="pixel" if dimensions == 2 else "m",
        axes=IMAGE if dimensions == 2 else KINECT,
        label="3",
    )


def _body(layout: str, raised: float, place: float) -> npt.NDArray[np.float64]:
    """Joints [V, 3] of one person whose left arm is raised by an angle, radians."""
    points = dict(MIDDLE)
    for name, (x, y, z) in LEFT.items():
        points[f"r:{name}"] = (-x, y, z)
        if name in ARM:
            fixed, height, _ = LEFT["shoulder"]
            out, down = x - fixed, y - height
            x = fixed + out * np.cos(raised) + down * np.sin(raised)
            y = height + down * np.cos(raised) - out * np.sin(raised)
        points[f"l:{name}"] = (x, y, z)
    names: list[str] = []
    for word in LAYOUTS[layout].split():
        names += (f"l{word}", f"r{word}") if word[0] == ":" else (word,)
    joints = np.array([points[name] for name in names], np.float64)
    joints += (-0.9 * place, 0.0, 3.0)
    return joints

"""Somebody who stands in front of the camera, facing it, with the left arm stretched out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from starcli.contracts import Layout
from starcli.viewing.skeletons import Shown

STICK = Layout(
    name="stick",
    joints=("hips", "head", "left hand", "right hand", "left foot", "right foot"),
    bones=((1, 0), (2, 0), (3, 0), (4, 0), (5, 0)),
    parts={2: {"upper": (1, 2, 3), "lower": (0, 4, 5)}},
    origin=0,
    centre=0,
    across=(2, 3),
)
POSE = np.array(
    [
        [0.0, 1.0, 2.0],
        [0.0, 1.75, 2.0],
        [-0.75, 1.5, 2.0],
        [0.25, 0.75, 1.75],  # x is to the left of the camera: its right is negative
        [-0.25, 0.0, 2.0],
        [0.25, 0.0, 2.0],
    ],
    np.float32,
)
"""Metres; the right hand is 25 cm nearer to the camera than the rest."""


def joints(frames: int = 10, people: int = 1) -> npt.NDArray[np.float32]:
    """The pose, swaying from frame to frame [T, M, V, 3]."""
    sway = np.linspace(0, 0.5, frames, dtype=np.float32)[:, None, None, None]
    return np.tile(POSE, (frames, people, 1, 1)) + sway * np.array([1, 0, 0], np.float32)


def clip(name: str = "clip", frames: int = 10, people: int = 1, fps: float | None = 10) -> Shown:
    """The clip of it."""
    return Shown(name, joints(frames, people), STICK, "reach", fps, ("a fact",))

"""What a recorder makes of a performance: its camera, where it sees joints, noise, lost joints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from starcli_plugins.datasets.movements.kinematics import Array, leaning, turned
from starcli_plugins.datasets.simulated.body import INDEX

DROPPED = (("wrist", "hand", "hand tip", "thumb"), ("hand", "hand tip", "thumb"), ("ankle", "foot"))
"""Joints of one side that a sensor loses together."""
BEYOND_WRIST = ("hand", "hand tip", "thumb")
Range = tuple[float, float]


class SensorSettings(BaseModel):
    """Cameras and recorders of composed clips."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    turn: float = Field(60.0, ge=0, le=180, description="largest turn of the camera, degrees")
    tilt: float = Field(4.0, ge=0, le=30, description="deviation of its tilt, degrees")
    noise: Range = Field((0.004, 0.014), description="range of deviations, metres")
    hips: Range = Field((0.0, 0.25), description="hips are seen so far up the trunk")
    spine: Range = Field(
        (0.5, 1.0), description="factor on the way from hips to the spine's middle"
    )
    head: Range = Field((0.4, 1.2), description="factor on the way from neck to head")
    forearm: Range = Field((1.0, 1.22), description="factor on the way from elbow to wrist")
    dropped: float = Field(0.15, ge=0, le=1, description="share of clips in which joints are lost")
    missing: Literal["held", "nan"] = Field("held", description="what a lost joint is given as")


def recorded(
    rng: np.random.Generator, settings: SensorSettings, joints: Array
) -> npt.NDArray[np.float64]:
    """A performance as a recorder sees it: in the camera's frame, noisy, incomplete.

    Args:
        rng: Decides on recorder and camera.
        settings: What they may be.
        joints: [T, V, S], metres, y up, layout kinect-v2.

    Returns:
        [T, V, S].
    """
    seen = _placed(rng, settings, joints)
    ground = seen[:, 0, [0, 2]]
    place = np.array([rng.uniform(-0.4, 0.4), -rng.uniform(0.7, 1.5), rng.uniform(2.2, 3.6)])
    middle = (ground.min(0) + ground.max(0)) / 2
    turn = np.deg2rad(settings.turn) * rng.uniform(-1, 1)
    tilt = np.deg2rad(settings.tilt) * rng.normal(size=2) * [1.0, 0.5]
    filmed = turned(seen - [middle[0], 0, middle[1]], np.asarray(turn)) + place
    filmed = filmed @ leaning(np.array([*tilt, 0.0])).T
    frames, memory = len(filmed), 6
    white = rng.normal(size=(2, frames + memory, *joints.shape[1:]))
    total = white[0].cumsum(0)
    error = (total[memory:] - total[:-memory]) / np.sqrt(memory) + white[1, :frames]
    # Half of a Kinect's error stays for several frames, half is new in each.
    filmed += rng.uniform(*settings.noise) * np.sqrt(0.5) * error
    if rng.random() < settings.dropped:
        _drop(rng, filmed, settings.missing)
    return np.asarray(filmed)


def _placed(rng: np.random.Generator, settings: SensorSettings, joints: Array) -> Array:
    """Joints where a recorder takes them to be: hips, spine, head and wrists differ most.

    Kinect v1 sees hips a fifth of the trunk higher than Kinect v2 does, and the spine's middle at
    two fifths of it; OpenNI's wrists are nearly hands.
    """
    hips, spine, head, forearm = (
        rng.uniform(*span)
        for span in (settings.hips, settings.spine, settings.head, settings.forearm)
    )
    seen = joints.copy()
    shoulders, pelvis = (_middle(joints, name) for name in ("shoulder", "hip"))
    up = hips * (shoulders - pelvis)
    for name in ("left hip", "right hip", "spine base"):
        seen[:, INDEX[name]] += up
    low = spine * (1 - hips) * (joints[:, INDEX["spine mid"]] - pelvis)
    seen[:, INDEX["spine mid"]] = pelvis + up + low
    neck = joints[:, INDEX["neck"]]
    seen[:, INDEX["head"]] = neck + head * (joints[:, INDEX["head"]] - neck)
    for side in ("left", "right"):
        elbow, wrist = (joints[:, INDEX[f"{side} {name}"]] for name in ("elbow", "wrist"))
        further = (forearm - 1) * (wrist - elbow)
        for name in ("wrist", *BEYOND_WRIST):
            seen[:, INDEX[f"{side} {name}"]] += further
    return seen


def _middle(joints: Array, name: str) -> Array:
    sides: Sequence[int] = [INDEX[f"{side} {name}"] for side in ("left", "right")]
    return np.asarray(joints[:, sides].mean(1))


def _drop(rng: np.random.Generator, joints: Array, missing: str) -> None:
    """Lose some joints of one side for a while."""
    names = DROPPED[int(rng.integers(len(DROPPED)))]
    side = ("right", "left")[int(rng.integers(2))]
    lost = [INDEX[f"{side} {name}"] for name in names]
    length = int(rng.integers(2, max(len(joints) // 4, 3)))
    start = int(rng.integers(1, max(len(joints) - length, 2)))
    joints[start : start + length, lost] = np.nan if missing == "nan" else joints[start - 1, lost]

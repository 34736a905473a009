"""Recordings as JSON of Kinect: as Kinectron writes v2, as the SDK's samples write v1."""

from __future__ import annotations

from typing import Any

import numpy as np

from starcli.poses import KINECT, Poses
from starcli_plugins.layouts import KINECT_V1
from starcli_plugins.readers.joint_names import Values
from starcli_plugins.readers.writing import as_written, every_frame

SLOTS = 6
"""Bodies of a frame of v2, tracked or not."""


def sample(poses: Poses) -> list[dict[str, Any]]:
    """The frames of a recording."""
    joints = every_frame(poses, as_written(poses, KINECT, "m"))
    scores = np.ones(poses.joints.shape[:3]) if poses.confidence is None else poses.confidence
    states = every_frame(poses, np.round(2 * scores))
    names = poses.people or tuple(str(slot + 1) for slot in range(joints.shape[1]))
    make = _v1 if poses.layout == KINECT_V1.name else _v2
    return [make(frame, state, names) for frame, state in zip(joints, states, strict=True)]


def _v2(joints: Values, states: Values, names: tuple[str, ...]) -> dict[str, Any]:
    bodies: list[dict[str, Any]] = []
    for slot in range(SLOTS):
        if slot >= len(joints) or np.isnan(joints[slot]).all():
            bodies.append({"bodyIndex": slot, "tracked": False})
            continue
        listed = [
            {"cameraX": x, "cameraY": y, "cameraZ": z}
            for x, y, z in np.nan_to_num(joints[slot]).tolist()
        ]
        bodies.append(
            {"bodyIndex": slot, "tracked": True, "trackingId": names[slot], "joints": listed}
        )
    return {"bodies": bodies}


def _v1(joints: Values, states: Values, names: tuple[str, ...]) -> dict[str, Any]:
    skeletons = []
    for slot, body in enumerate(joints):
        if np.isnan(body).all():
            continue
        listed = {}
        for name, (x, y, z), state in zip(
            KINECT_V1.joints, body.tolist(), states[slot], strict=True
        ):
            seen = not np.isnan(x)
            kind = _written(name)
            listed[kind] = {
                "jointType": kind,
                "position": {"x": x, "y": y, "z": z} if seen else {"x": 0, "y": 0, "z": 0},
                "trackingState": ("Tracked" if state > 1 else "Inferred") if seen else "NotTracked",
            }
        skeletons.append({"trackingId": names[slot], "joints": listed})
    return {"skeletons": skeletons}


def _written(name: str) -> str:
    """`HipLeft` of `left hip`, `HipCenter` of `hip centre`."""
    words = name.replace("centre", "center").split()
    return "".join(
        word.capitalize() for word in sorted(words, key=lambda w: w in ("left", "right"))
    )

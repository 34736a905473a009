"""Kinect v1 and v2: JSON of bodies, CSV with the joints' names, and text of NTU RGB+D."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from starcli.contracts import NoSettings
from starcli.poses import KINECT, PoseFile, Poses
from starcli_plugins.datasets.ntu import skeleton_files
from starcli_plugins.layouts import KINECT_V1, KINECT_V2
from starcli_plugins.readers.joint_names import Joints, fit, require
from starcli_plugins.readers.kinect_samples import sample
from starcli_plugins.readers.people import (
    AGAIN,
    Frame,
    Person,
    documents,
    number_of,
    recording,
    rows,
    seen,
)
from starcli_plugins.readers.tables import heading, recordings

LAYOUTS = (KINECT_V2, KINECT_V1)
NTU = re.compile(rb"\s*\d+\s*\n\s*\d+\s*\n(?:\s*\S+[^\n]*\n\s*25\s*\n|\s*\d+\s*\n)")
FPS = 30.0
BODIES = ("bodies", "skeletons", "people")
JOINTS = ("joints", "bodyParts")
POSITIONS = ("position", "Position", "positions")
COORDINATES = (("cameraX", "cameraY", "cameraZ"), ("x", "y", "z"), ("X", "Y", "Z"))
STATES: Mapping[str | int, float] = {
    "nottracked": 0.0,
    "inferred": 0.5,
    "tracked": 1.0,
    0: 0.0,
    1: 0.5,
    2: 1.0,
}
"""State of a joint -> its confidence."""


class Kinect:
    """Bodies of Kinect v1 and v2, in metres, with the sensor's axes.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "Kinect v1 and v2, NTU RGB+D"
    suffixes: ClassVar[tuple[str, ...]] = (".json", ".jsonl", ".csv", ".skeleton")
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"kinect-v2": 3, "kinect-v1": 3}
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether there are joints of Kinect, by name or by the camera's coordinates."""
        if file.is_json:
            return _has_bodies(file.glimpse)
        return bool(NTU.match(file.head)) or _is_table(file)

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recordings of each file."""
        for file in files:
            if file.is_json:
                yield _from_json(file)
            elif NTU.match(file.head):
                yield _from_ntu(file)
            else:
                yield from recordings(file, LAYOUTS, unit="m", axes=KINECT)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write a list of frames as Kinectron and the SDK's samples do."""
        path.write_text(json.dumps(sample(poses)), "utf-8")
        return [path]


def _is_table(file: PoseFile) -> bool:
    head = heading(file)
    return head is not None and head.is_solid and _are_names(head.joints)


def _are_names(names: Sequence[str]) -> bool:
    """Whether all joints of a Kinect are there by name, and hardly any else."""
    joints = fit(names)
    return joints.layout in LAYOUTS and min(joints.index) >= 0 and len(names) < 30


def _bodies(frame: Any) -> list[dict[str, Any]]:
    """The bodies of a frame that are tracked."""
    if isinstance(frame, dict):
        frame = next((frame[key] for key in BODIES if key in frame), [frame])
    bodies = [body for body in frame if isinstance(body, dict)] if isinstance(frame, list) else []
    return [body for body in bodies if body.get("tracked", True) and _joints(body)]


def _joints(body: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Name and content of each joint of a body; names are empty where there are none."""
    joints = next((body[key] for key in JOINTS if key in body), None)
    if isinstance(joints, dict):
        return [(name, joint) for name, joint in joints.items() if isinstance(joint, dict)]
    if not isinstance(joints, list) or not all(isinstance(joint, dict) for joint in joints):
        return []
    names = [joint.get("jointType", joint.get("name", "")) for joint in joints]
    return [
        (name if isinstance(name, str) else "", joint)
        for name, joint in zip(names, joints, strict=True)
    ]


def _frames(document: Any) -> list[Any]:
    if isinstance(document, dict) and isinstance(document.get("frames"), list):
        return list(document["frames"])
    if isinstance(document, list) and not any(
        _joints(item) for item in document if isinstance(item, dict)
    ):
        return document
    return [document] if not isinstance(document, list) else list(document)


def _has_bodies(document: Any) -> bool:
    for frame in _frames(document)[:300]:
        for body in _bodies(frame):
            joints = _joints(body)
            if len(joints) == len(KINECT_V2.joints) and "cameraX" in joints[0][1]:
                return True
            if _are_names([name for name, _ in joints]):
                return True
    return False


def _from_json(file: PoseFile) -> Poses:
    content = documents(file)
    items = _frames(content[0]) if len(content) == 1 else content
    frames: list[Frame] = []
    layout = ""
    for place, item in enumerate(items):
        number = number_of(item, place)
        bodies = _bodies(item)
        layout = layout or (_layout(_joints(bodies[0]), file, number) if bodies else "")
        frames.append(Frame(number, [_person(body, file, number) for body in bodies], file))
    return recording(frames, layout=layout, unit="m", axes=KINECT)


def _layout(joints: Sequence[tuple[str, Any]], file: PoseFile, frame: int) -> str:
    names = [name for name, _ in joints]
    if all(names):
        return require(names, file, LAYOUTS).layout.name
    for layout in LAYOUTS:
        if len(layout.joints) == len(names):
            return layout.name
    raise file.wrong(f"expected 25 or 20 joints, got {len(names)}", AGAIN, frame=frame)


def _person(body: Mapping[str, Any], file: PoseFile, frame: int) -> Person:
    joints = _joints(body)
    places = rows([_place(joint, file, frame) for _, joint in joints], 3, file, frame)
    states = np.array([_confidence(joint, file, frame) for _, joint in joints])
    values = np.concatenate([seen(places, states == 0), states[:, None]], axis=1)
    names = tuple(name for name, _ in joints)
    if all(names):
        values = _fitted(names, file).of(values)
    identity = next((body[key] for key in ("trackingId", "trackingID", "id") if key in body), "")
    confidence = None if np.isnan(states).all() else values[:, 3]
    return Person(values[:, :3], confidence, str(identity))


def _fitted(names: tuple[str, ...], file: PoseFile) -> Joints:
    joints = _fit(names)
    return require(names, file, LAYOUTS) if joints.lacking else joints


@lru_cache(maxsize=16)
def _fit(names: tuple[str, ...]) -> Joints:
    """As `fit`; thousands of bodies have the same names."""
    return fit(names, LAYOUTS)


def _place(joint: Mapping[str, Any], file: PoseFile, frame: int) -> list[Any]:
    """x, y and z of a joint."""
    place: Any = next((joint[key] for key in POSITIONS if key in joint), joint)
    if isinstance(place, list):
        if len(place) != 1 or not isinstance(place[0], dict):
            raise file.wrong("expected one position of a joint", AGAIN, frame=frame)
        place = place[0]
    for keys in COORDINATES:
        if isinstance(place, dict) and keys[0] in place:
            return [place.get(key) for key in keys]
    raise file.wrong("a joint has no x, y and z", AGAIN, frame=frame)


def _confidence(joint: Mapping[str, Any], file: PoseFile, frame: int) -> float:
    """The confidence that a joint's state stands for; NaN where it has none."""
    if "trackingState" not in joint:
        return float(bool(joint["isTracked"])) if "isTracked" in joint else np.nan
    state = joint["trackingState"]
    key = state.lower() if isinstance(state, str) else state
    if not isinstance(key, str | int) or key not in STATES:
        raise file.wrong(f"'{state}' is not a tracking state", AGAIN, frame=frame)
    return STATES[key]


def _from_ntu(file: PoseFile) -> Poses:
    """A `.skeleton` file: every body in its frames, whether or not it is a person."""
    table = skeleton_files.rows(file.path.read_bytes(), file.name)
    ids = list(dict.fromkeys(table.ids))
    if not ids:
        raise file.wrong("no body in any frame", "leave the file out")
    joints = np.full((table.declared, len(ids), *table.joints.shape[1:]), np.nan)
    joints[table.frames, [ids.index(body) for body in table.ids]] = table.joints
    return Poses(
        seen(joints),
        KINECT_V2.name,
        frames=np.arange(table.declared),
        fps=FPS,
        unit="m",
        people=tuple(str(body) for body in ids),
        axes=KINECT,
    )

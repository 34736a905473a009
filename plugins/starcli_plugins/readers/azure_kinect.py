"""Azure Kinect and Femto Bolt: the JSON of Microsoft's offline_processor sample."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from starcli.contracts import NoSettings
from starcli.poses import IMAGE, PoseFile, Poses
from starcli_plugins.layouts import AZURE_32
from starcli_plugins.readers.cells import rate_of
from starcli_plugins.readers.joint_names import Joints, fit, require
from starcli_plugins.readers.people import (
    AGAIN,
    Frame,
    Person,
    number_of,
    numbers,
    recording,
    rows,
    seen,
)
from starcli_plugins.readers.writing import as_written, frame_numbers

BEST = 2
"""The highest confidence level that the SDK gives; 0 is a joint out of range."""


class AzureKinect:
    """Bodies of Azure Kinect, in millimetres, as the depth camera sees them.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "Azure Kinect JSON"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"azure-32": 3}
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether it names the body tracker, or frames and its joints or bones."""
        document = file.glimpse
        if not isinstance(document, dict):
            return False
        # Keys are in the order of the alphabet: those after the frames may be far away.
        return "k4abt_sdk_version" in document or (
            "frames" in document and bool({"joint_names", "bone_list"} & set(document))
        )

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of each file."""
        for file in files:
            yield _poses(file)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write it as the sample does, with keys in the order of the alphabet."""
        joints = as_written(poses, IMAGE, "mm")
        frames = []
        for place, number in enumerate(frame_numbers(poses)):
            there = [
                slot for slot in range(joints.shape[1]) if not np.isnan(joints[place, slot]).all()
            ]
            bodies = [_body(joints[place, slot], slot) for slot in there]
            frames.append(
                {
                    "bodies": bodies,
                    "frame_id": number,
                    "num_bodies": len(bodies),
                    "timestamp_usec": round(number / (poses.fps or 30) * 1e6),
                }
            )
        names = [name.upper().replace(" ", "_") for name in AZURE_32.joints]
        document = {
            "bone_list": [[names[a], names[b]] for a, b in AZURE_32.bones],
            "frames": frames,
            "joint_names": names,
            "k4abt_sdk_version": "1.1.2",
            "source_file": "sample.mkv",
        }
        path.write_text(json.dumps(document), "utf-8")
        return [path]


def _body(joints: np.ndarray[Any, np.dtype[np.float64]], slot: int) -> dict[str, Any]:
    seen = ~np.isnan(joints).any(-1)
    levels = np.where(seen, BEST, 0)
    return {
        "body_id": slot + 1,
        "confidence_level": levels.tolist(),
        "joint_orientations": [[1.0, 0.0, 0.0, 0.0]] * len(joints),
        "joint_positions": np.nan_to_num(joints).tolist(),
    }


def _poses(file: PoseFile) -> Poses:
    document = file.json
    items = document.get("frames") if isinstance(document, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise file.wrong("expected a list of frames", AGAIN)
    joints = _joints(document.get("joint_names"), file)
    frames = []
    for place, item in enumerate(items):
        number, bodies = number_of(item, place), item.get("bodies", [])
        if not isinstance(bodies, list) or not all(isinstance(body, dict) for body in bodies):
            raise file.wrong("expected a list of bodies", AGAIN, frame=number)
        frames.append(Frame(number, [_person(b, joints, file, number) for b in bodies], file))
    times = [item.get("timestamp_usec") for item in items]
    rate = rate_of(np.array(times, np.float64) / 1e6) if all(map(_is_number, times)) else None
    return recording(frames, layout=AZURE_32.name, unit="mm", axes=IMAGE, fps=rate)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _joints(names: object, file: PoseFile) -> Joints:
    """Where the 32 joints are: by name where the file names them, for there were once 26."""
    if names is None:
        return fit(AZURE_32.joints, [AZURE_32])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise file.wrong("expected names of joints", AGAIN)
    return require(names, file, [AZURE_32])


def _person(body: Mapping[str, Any], joints: Joints, file: PoseFile, frame: int) -> Person:
    places = rows(body.get("joint_positions"), 3, file, frame)
    if len(places) <= joints.index.max():
        raise file.wrong(
            f"expected {joints.index.max() + 1} joints, got {len(places)}", AGAIN, frame=frame
        )
    levels = body.get("confidence_level", body.get("confidence_levels"))
    values = None
    if levels is not None:
        values = numbers(levels, file, frame)
        if len(values) != len(places):
            raise file.wrong(
                f"expected {len(places)} levels, got {len(values)}", AGAIN, frame=frame
            )
    place = seen(places, None if values is None else values == 0)
    scores = None if values is None else joints.of(values[:, None] / BEST)[:, 0]
    name = body.get("body_id", "")
    return Person(joints.of(place), scores, str(name))

"""ZED: the JSON of Stereolabs' body export sample, whose axes and unit its user chooses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from starcli.contracts import NoSettings
from starcli.poses import PoseFile, Poses
from starcli_plugins.layouts import AZURE_32
from starcli_plugins.readers.cells import rate_of
from starcli_plugins.readers.people import AGAIN, Frame, Person, numbers, recording, rows, seen
from starcli_plugins.readers.writing import frame_numbers

LAYOUTS = {18: "coco-18", 34: AZURE_32.name, 38: "zed-38"}
"""Number of keypoints -> layout; of 34 the first 32 are those of Azure Kinect."""
PERCENT = 100.0
HEELS = 2


class Zed:
    """Bodies of ZED cameras with 18, 34 or 38 keypoints.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "ZED bodies JSON"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"zed-38": 3, "coco-18": 3, "azure-32": 3}
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether all keys are times and all values have lists of bodies."""
        entries = file.glimpse
        return (
            isinstance(entries, dict)
            and bool(entries)
            and all(
                key.isdecimal()
                and isinstance(value, dict)
                and (
                    isinstance(value.get("body_list"), list) or value is list(entries.values())[-1]
                )
                for key, value in entries.items()
            )
            and "body_list" in next(iter(entries.values()))
        )

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of each file."""
        for file in files:
            yield _poses(file)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write it as the sample does: milliseconds as keys, NaN as it is."""
        path.write_text(json.dumps(_document(poses)), "utf-8")
        return [path]


def _poses(file: PoseFile) -> Poses:
    document = file.json
    if not isinstance(document, dict) or not all(key.isdecimal() for key in document):
        raise file.wrong("expected times as keys", AGAIN)
    times = sorted(map(int, document))
    entries = {int(key): value for key, value in document.items()}
    frames: list[Frame] = []
    count = 0
    for place, time in enumerate(times):
        bodies = entries[time].get("body_list") if isinstance(entries[time], dict) else None
        if not isinstance(bodies, list) or not all(isinstance(body, dict) for body in bodies):
            raise file.wrong(f"expected a body_list at {time}", AGAIN, frame=place)
        people = []
        for body in bodies:
            points = rows(body.get("keypoint"), 3, file, place)
            count = count or len(points)
            if len(points) not in LAYOUTS or len(points) != count:
                expected = "18, 34 or 38" if len(points) not in LAYOUTS else f"{count} as before"
                raise file.wrong(
                    f"expected {expected} keypoints, got {len(points)}",
                    "keep one body format to a recording",
                    frame=place,
                )
            people.append(_person(body, points, file, place))
        frames.append(Frame(place, people, file))
    layout = LAYOUTS.get(count, "")
    return recording(frames, layout=layout, fps=rate_of(np.array(times, np.float64) / 1e3))


def _person(body: Mapping[str, Any], points: Any, file: PoseFile, frame: int) -> Person:
    size = len(AZURE_32.joints) if len(points) == 34 else len(points)
    levels = body.get("keypoint_confidence")
    scores = None
    if levels is not None:
        scores = numbers(levels, file, frame) / PERCENT
        if len(scores) != len(points):
            raise file.wrong(
                f"expected {len(points)} confidences, got {len(scores)}", AGAIN, frame=frame
            )
    name = body.get("id", "")
    return Person(seen(points[:size]), None if scores is None else scores[:size], str(name))


def _document(poses: Poses) -> dict[str, Any]:
    """Frames by time; a frame that is left out is there without bodies."""
    numbers = frame_numbers(poses)
    more = HEELS if poses.layout == AZURE_32.name else 0
    out: dict[str, Any] = {}
    for number in range(numbers[0], numbers[-1] + 1):
        place = numbers.index(number) if number in numbers else None
        time = 1_700_000_000_000 + round(1000 * number / (poses.fps or 30))
        bodies = (
            []
            if place is None
            else [
                _body(poses, place, slot, more)
                for slot in range(poses.joints.shape[1])
                if not np.isnan(poses.joints[place, slot]).all()
            ]
        )
        out[str(time)] = {
            "is_new": True,
            "is_tracked": True,
            "timestamp": time * 10**6,
            "body_list": bodies,
        }
    return out


def _body(poses: Poses, place: int, slot: int, more: int) -> dict[str, Any]:
    joints = poses.joints[place, slot]
    scores = np.ones(len(joints)) if poses.confidence is None else poses.confidence[place, slot]
    name = poses.people[slot] if poses.people else str(slot)
    return {
        "id": int(name) if name.isdecimal() else slot,
        "keypoint": [*joints.tolist(), *([[float("nan")] * 3] * more)],
        "keypoint_confidence": [*(PERCENT * scores).tolist(), *([float("nan")] * more)],
    }

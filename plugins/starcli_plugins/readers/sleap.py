"""SLEAP: analysis files in HDF5, with tracks of named nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from starcli.contracts import NoSettings
from starcli.poses import IMAGE, PoseFile, Poses
from starcli_plugins.readers import hdf5
from starcli_plugins.readers.joint_names import Values, require
from starcli_plugins.readers.people import seen
from starcli_plugins.readers.writing import every_frame, joint_names

EXTRA = "sleap"
EXPORT = "export it as analysis HDF5 in SLEAP"


class Sleap:
    """Tracks of SLEAP whose nodes are those of a body.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "SLEAP analysis HDF5"
    suffixes: ClassVar[tuple[str, ...]] = (".h5", ".hdf5", ".slp")
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"coco-17": 2}
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether it is HDF5 with names of nodes, or SLEAP's own file of labels."""
        return hdf5.has(file, "node_names", "pred_points")

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of each file."""
        yield from map(_read, files)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write an analysis file with the axes that SLEAP has them in, `matlab`."""
        tracks = every_frame(poses, poses.joints)
        scores = np.ones(poses.joints.shape[:3]) if poses.confidence is None else poses.confidence
        people = poses.people or tuple(f"track_{n}" for n in range(tracks.shape[1]))
        with import_module("h5py").File(path, "w") as file:
            file["tracks"] = tracks.transpose(1, 3, 2, 0)
            file["tracks"].attrs["preset"] = "matlab"
            file["track_occupancy"] = (~np.isnan(tracks).all((2, 3))).astype(np.uint8)
            file["point_scores"] = every_frame(poses, scores).transpose(1, 2, 0)
            file["node_names"] = np.array([name.encode() for name in joint_names(poses.layout)])
            file["track_names"] = np.array([name.encode() for name in people])
        return [path]


def _read(file: PoseFile) -> Poses:
    with hdf5.opened(file, EXTRA) as content:
        if "pred_points" in content or "node_names" not in content:
            raise file.wrong("is SLEAP's file of labels, not of tracks", EXPORT)
        return _poses(content, file)


def _poses(content: Any, file: PoseFile) -> Poses:
    names, people = _texts(content, "node_names"), _texts(content, "track_names")
    points = _frames_first(content, "tracks", 4, file)
    if points is None or points.shape[2] != len(names) or points.shape[3] not in (2, 3):
        shape = None if points is None else list(points.shape)
        raise file.wrong(f"expected tracks [frames, tracks, {len(names)}, 2], got {shape}", EXPORT)
    if not len(points) or not points.shape[1]:
        raise file.wrong("has no tracks", EXPORT)
    joints = require(names, file)
    scores = _frames_first(content, "point_scores", 3, file)
    if scores is not None and scores.shape != points.shape[:3]:
        raise file.wrong("point_scores are not of the shape of tracks", EXPORT)
    distinct = len(set(people)) == points.shape[1]
    return Poses(
        seen(joints.of(points[..., :2])),
        joints.layout.name,
        frames=np.arange(len(points)),
        confidence=None if scores is None else joints.of(scores[..., None])[..., 0],
        people=tuple(people) if distinct else None,
        unit="pixel",
        axes=IMAGE,
    )


def _texts(content: Any, name: str) -> list[str]:
    """A data set of names; none where it is not there."""
    if name not in content:
        return []
    return [
        text.decode() if isinstance(text, bytes) else str(text)
        for text in np.asarray(content[name]).ravel().tolist()
    ]


def _frames_first(content: Any, name: str, axes: int, file: PoseFile) -> Values | None:
    """A data set as [frames, tracks, nodes, ...]; None where it is not there.

    Files have these axes in this order where `preset` is `standard`, otherwise in MATLAB's, which
    are [tracks, ..., nodes, frames].
    """
    if name not in content:
        return None
    values = np.asarray(content[name], np.float64)
    if values.ndim != axes:
        raise file.wrong(f"expected {name} with {axes} axes, got {values.ndim}", EXPORT)
    preset = content["tracks"].attrs.get("preset", "")
    if preset in ("standard", b"standard"):
        return values
    return values.transpose((3, 0, 2, 1) if axes == 4 else (2, 0, 1))

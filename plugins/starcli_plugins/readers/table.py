"""Tables of joints as people write them: CSV with joint names, wide or long, or numbers alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from starcli.contracts import NoSettings
from starcli.poses import PoseFile, Poses
from starcli_plugins.layouts import LAYOUTS
from starcli_plugins.readers import mediapipe_table
from starcli_plugins.readers.cells import is_number, lines_of
from starcli_plugins.readers.deeplabcut import DeepLabCut
from starcli_plugins.readers.freemocap import FreeMoCap
from starcli_plugins.readers.headings import Heading
from starcli_plugins.readers.joint_names import is_body
from starcli_plugins.readers.kinect import Kinect
from starcli_plugins.readers.tables import heading, recordings
from starcli_plugins.readers.writing import frame_numbers, write_table

FLAT = {"coco-17", "coco-18", "body-25", "halpe-26"}


class Table:
    """CSV and other text tables with a column for each number of a joint.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "CSV of joints"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".txt")
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {
        "coco-17": 2,
        **{
            x.name: 2 if x.name in FLAT else 3
            for x in LAYOUTS
            if not x.name.startswith(("kinect", "mediapipe"))
        },
    }
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        self._others = (
            DeepLabCut(settings).recognises,
            FreeMoCap(settings).recognises,
            Kinect(settings).recognises,
            mediapipe_table.recognises,
        )

    def recognises(self, file: PoseFile) -> bool:
        """Whether the columns, or the rows, are joints of a body, and of no tool that is known."""
        head = heading(file)
        if head is None or not _is_of_a_body(head, file):
            return False
        return not any(recognises(file) for recognises in self._others)

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recordings of each table: of several clips or classes, each is one."""
        for file in files:
            yield from recordings(file)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write a row for each person of a frame."""
        parts, data = ["x", "y", "z"][: poses.joints.shape[-1]], poses.joints
        if poses.confidence is not None:
            parts, data = [*parts, "score"], np.concatenate([data, poses.confidence[..., None]], -1)
        people = poses.people or range(data.shape[1])
        write_table(
            path,
            poses.layout,
            data,
            parts,
            frames=frame_numbers(poses),
            people=people if data.shape[1] > 1 else None,
        )
        return [path]


def _is_of_a_body(head: Heading, file: PoseFile) -> bool:
    if head.long is not None:
        rows = [row for _, row in lines_of(file.opening)][1:]
        return is_body(list(dict.fromkeys(row[head.long] for row in rows if len(row) > head.long)))
    if head.joints:
        return is_body(head.joints)
    rows = [row for _, row in lines_of(file.opening)]
    return all(len(row) == head.width and all(map(is_number, row)) for row in rows[:3])

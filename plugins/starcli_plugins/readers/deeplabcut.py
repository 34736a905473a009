"""DeepLabCut: tables with a heading of several rows, as CSV or inside HDF5."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from starcli.contracts import NoSettings
from starcli.poses import IMAGE, PoseFile, Poses
from starcli_plugins.readers import hdf5, pandas_tables
from starcli_plugins.readers.cells import AGAIN, lines_of, matrix
from starcli_plugins.readers.joint_names import Values, require
from starcli_plugins.readers.people import seen
from starcli_plugins.readers.writing import frame_numbers, joint_names

Column = tuple[str, str, str]
"""Individual, joint, and which number of it."""
LEVELS = ("scorer", "individuals", "bodyparts", "coords")
COORDINATES = ("x", "y", "z", "likelihood")
GROUPS = ("df_with_missing", "tracks")
SINGLE = "single"
"""The individual of joints that no individual has."""


class DeepLabCut:
    """Tracked joints of DeepLabCut whose names are those of a body.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "DeepLabCut"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".h5")
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"coco-17": 2}
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether it begins with a row of the scorer, or is HDF5 with DeepLabCut's table."""
        if hdf5.is_hdf5(file):
            return hdf5.has(file, *(f"{name}/table" for name in GROUPS))
        return file.opening.lstrip().lower().startswith("scorer,")

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of each file."""
        for file in files:
            yield _from_hdf5(file) if hdf5.is_hdf5(file) else _from_csv(file)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write the CSV of several animals: x, y and likelihood of each."""
        names = joint_names(poses.layout)
        people = poses.people or tuple(f"individual{n + 1}" for n in range(poses.joints.shape[1]))
        columns = [
            (person, name, part)
            for person in people
            for name in names
            for part in ("x", "y", "likelihood")
        ]
        scores = np.ones(poses.joints.shape[:3]) if poses.confidence is None else poses.confidence
        data = np.concatenate([poses.joints, scores[..., None]], axis=-1)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["scorer", *(["DLC_resnet50"] * len(columns))])
            for place, level in enumerate(LEVELS[1:]):
                writer.writerow([level, *(column[place] for column in columns)])
            for number, row in zip(frame_numbers(poses), data, strict=True):
                writer.writerow([number, *("" if np.isnan(v) else f"{v:.6g}" for v in row.ravel())])
        return [path]


def _from_csv(file: PoseFile) -> Poses:
    levels: dict[str, list[str]] = {}
    for line, row in islice(lines_of(file.text), len(LEVELS)):
        level = row[0].lower()
        if level in LEVELS and level not in levels:
            levels[level] = row
        elif "coords" not in levels:
            raise file.wrong(f"expected a row of {' or '.join(LEVELS)}", AGAIN, line=line)
    if not {"bodyparts", "coords"} <= set(levels):
        raise file.wrong("has no rows bodyparts and coords", AGAIN)
    parts, coords = levels["bodyparts"], levels["coords"]
    if len({len(row) for row in levels.values()}) > 1:
        raise file.wrong("rows of the heading differ in length", AGAIN)
    start = next((n for n, cell in enumerate(coords) if cell in COORDINATES), len(coords))
    persons = levels.get("individuals", [""] * len(parts))
    columns = list(zip(persons[start:], parts[start:], coords[start:], strict=True))
    values, words, _ = matrix(
        islice(lines_of(file.text), len(levels), None),
        range(start, len(parts)),
        len(parts),
        file,
        [0],
    )
    numbered = [row[0] for row in words]
    frames = list(map(int, numbered)) if all(map(str.isdecimal, numbered)) else None
    return _poses(columns, values, frames, file)


def _from_hdf5(file: PoseFile) -> Poses:
    table = pandas_tables.read(file, GROUPS)
    levels = len(table.columns[0])
    if levels not in (3, 4):
        raise file.wrong(f"expected columns of 3 or 4 levels, got {levels}", "export it as CSV")
    columns = [
        ("" if levels == 3 else column[1], column[-2], column[-1]) for column in table.columns
    ]
    return _poses(columns, table.values, table.index, file)


def _poses(
    columns: Sequence[Column], values: Values, frames: Sequence[int] | None, file: PoseFile
) -> Poses:
    """A recording of the numbers [T, columns] of all joints.

    Args:
        columns: What each column is.
        values: The numbers, NaN where there is none.
        frames: Numbers of the frames; None where they have none.
        file: The file, for messages.
    """
    persons = list(dict.fromkeys(person for person, _, _ in columns))
    shared = len(persons) > 1 and SINGLE in persons
    persons = [person for person in persons if not (shared and person == SINGLE)]
    names = list(dict.fromkeys(name for person, name, _ in columns if person in persons))
    table = np.full((len(values), len(persons), len(names), len(COORDINATES)), np.nan)
    for place, (person, name, part) in enumerate(columns):
        if part not in COORDINATES:
            raise file.wrong(f"'{part}' is not x, y, z or likelihood", AGAIN)
        if person in persons:
            at = persons.index(person), names.index(name), COORDINATES.index(part)
            table[:, at[0], at[1], at[2]] = values[:, place]
    joints = require(names, file)
    axes = 3 if "z" in {part for *_, part in columns} else 2
    scores = joints.of(table[..., 3:])[..., 0]
    if frames is not None and (np.diff(frames) <= 0).any():
        raise file.wrong("frames do not rise", AGAIN)
    return Poses(
        seen(joints.of(table[..., :axes])),
        joints.layout.name,
        confidence=None if np.isnan(scores).all() else scores,
        frames=None if frames is None else np.array(frames, np.int64),
        people=tuple(persons) if persons != [""] else None,
        unit="pixel" if axes == 2 else None,
        axes=IMAGE if axes == 2 else None,
        notes=("joints of no individual were left out",) if shared else (),
    )

"""How samples of pose files are written: in the unit and axes of the tool."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from starcli.poses import METRES, Axes, Poses, Unit, turned
from starcli_plugins.layouts import BY_NAME
from starcli_plugins.readers.joint_names import Values


def as_written(poses: Poses, axes: Axes, unit: Unit) -> Values:
    """Joints [T, M, V, 3] in a unit and axes; NaN stays.

    Args:
        poses: In a length; metres where it does not say.
        axes: Axes of the file.
        unit: Its unit, a length.
    """
    joints = turned(poses.joints, poses.axes or axes, axes)
    return joints * (METRES[poses.unit or "m"] / METRES[unit])


def frame_numbers(poses: Poses, first: int = 0) -> list[int]:
    """Numbers of the frames; from `first` on where the poses have none."""
    if poses.frames is None:
        return list(range(first, first + len(poses.joints)))
    return [int(number) for number in poses.frames]


def every_frame(poses: Poses, values: Values) -> Values:
    """Values [T, M, ...] with those of frames that are left out, NaN.

    Args:
        poses: The recording, for the numbers of its frames.
        values: Something of each of its frames.
    """
    numbers = np.array(frame_numbers(poses))
    out = np.full((numbers[-1] - numbers[0] + 1, *values.shape[1:]), np.nan)
    out[numbers - numbers[0]] = values
    return out


def joint_names(layout: str) -> list[str]:
    """Names of a layout's joints as most files have them: `left_wrist`."""
    return [name.replace(" ", "_") for name in BY_NAME[layout].joints]


def write_table(
    path: Path,
    layout: str,
    data: Values,
    parts: Sequence[str],
    *,
    frames: Sequence[int] | None = None,
    people: Sequence[object] | None = None,
) -> None:
    """Write a CSV with a row for each person of a frame; what is NaN is left empty.

    Args:
        path: The file.
        layout: Name of the layout of the joints.
        data: [T, M, V, parts].
        parts: What the columns of a joint are, such as `xyz`.
        frames: T numbers, for a column of their own.
        people: M names, for a column of their own; people are left out where they are absent.
    """
    heads = [f"{name}_{part}" for name in joint_names(layout) for part in parts]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*(["frame"] if frames else []), *(["person"] if people else []), *heads])
        for row, everybody in enumerate(data):
            for slot, person in enumerate(everybody):
                if people and np.isnan(person).all():
                    continue
                cells = ["" if np.isnan(value) else f"{value:.6g}" for value in person.ravel()]
                place = [*([frames[row]] if frames else []), *([people[slot]] if people else [])]
                writer.writerow([*place, *cells])

"""TRC: markers or joints of OpenSim, Pose2Sim, OpenCap and Theia, apart by tabs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from starcli.contracts import NoSettings
from starcli.poses import METRES, PoseFile, Poses, Unit
from starcli_plugins.layouts import BY_NAME
from starcli_plugins.readers.cells import AGAIN, Line, matrix, number
from starcli_plugins.readers.joint_names import Values, require
from starcli_plugins.readers.writing import frame_numbers

HEADING = 5
"""Lines before the rows; a blank one may follow."""
UNITS: Mapping[str, Unit] = {
    **{unit: unit for unit in METRES},
    "meters": "m",
    "metres": "m",
    "meter": "m",
    "centimeters": "cm",
    "millimeters": "mm",
    "inches": "inch",
    "in": "inch",
}
NAMES = {"neck base": "Neck", "spine base": "Hip", "head top": "Head", "nose": "Nose"}


class Trc:
    """TRC files of one person, with the names of joints.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "TRC"
    suffixes: ClassVar[tuple[str, ...]] = (".trc",)
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"halpe-26": 3, "body-25": 3}
    several: ClassVar[bool] = False

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether it begins with the word PathFileType."""
        return file.opening.lstrip().startswith("PathFileType")

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """None: a file holds all frames."""
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of each file."""
        for file in files:
            yield _poses(file)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write the first person as Pose2Sim does."""
        path.write_text(_written(poses, path.name), "utf-8")
        return [path]


def _poses(file: PoseFile) -> Poses:
    lines = file.text.splitlines()
    if len(lines) < HEADING:
        raise file.wrong("ends in its heading", "export it again", line=len(lines))
    keys, values = (line.split("\t") for line in lines[1:3])
    facts = dict(zip((key.strip().lower() for key in keys), values, strict=False))
    names = _names(lines[3].split("\t"))
    if not names:
        raise file.wrong("expected Frame#, Time and names of markers", AGAIN, line=4)
    if len(names) < sum(bool(cell.strip()) for cell in lines[3].split("\t")[2:]):
        raise file.wrong("two markers have one name", "rename one", line=4)
    numbers, points = _rows(lines, names, file)
    _check_count(facts, len(numbers), file)
    joints = require(list(names), file)
    unit = facts.get("units", "").strip().lower()
    if unit and unit not in UNITS:
        raise file.wrong(f"unit '{unit}' is not known", f"one of {', '.join(UNITS)}", line=3)
    rate = number(facts.get("datarate", ""), file, 3)
    return Poses(
        joints.of(points)[:, None],
        joints.layout.name,
        frames=np.array(numbers, np.int64),
        fps=rate if rate > 0 else None,
        unit=UNITS.get(unit),
    )


def _names(cells: Sequence[str]) -> dict[str, int]:
    """Name of each marker -> its first column; names stand above their x."""
    return {name.strip(): place for place, name in enumerate(cells) if place > 1 and name.strip()}


def _rows(
    lines: Sequence[str], names: Mapping[str, int], file: PoseFile
) -> tuple[list[int], Values]:
    """Numbers of the frames and places of the markers [T, markers, 3]."""
    columns = [place + axis for place in names.values() for axis in range(3)]
    values, _, where = matrix(_cells(lines, columns[-1] + 1), [0, *columns], columns[-1] + 1, file)
    numbers, points = values[:, 0], values[:, 1:].reshape(len(values), len(names), 3)
    steps = np.diff(numbers, prepend=numbers[0] - 1)
    for row in np.flatnonzero(~((numbers % 1 == 0) & (steps > 0)))[:1]:
        wrong = "frames do not rise" if numbers[row] % 1 == 0 else "no frame number"
        raise file.wrong(wrong, AGAIN, line=where[row])
    points[np.isnan(points).any(-1)] = np.nan
    return numbers.astype(int).tolist(), points


def _cells(lines: Sequence[str], width: int) -> Iterator[Line]:
    """Cells of each row; what follows the last marker that was seen may be left out."""
    for place, line in enumerate(lines[HEADING:], HEADING + 1):
        if line.strip():
            cells = [cell.strip() for cell in line.split("\t")]
            yield place, [*cells, *[""] * (width - len(cells))][:width]


def _check_count(facts: Mapping[str, str], frames: int, file: PoseFile) -> None:
    declared = facts.get("numframes", "").strip()
    if declared.isdecimal() and int(declared) > frames:
        raise file.wrong(f"expected {declared} frames, got {frames}", "export it again", line=3)


def _written(poses: Poses, name: str) -> str:
    names = [_marker(joint) for joint in BY_NAME[poses.layout].joints]
    rate = poses.fps or 30.0
    numbers = frame_numbers(poses, 1)
    head = [
        f"PathFileType\t4\t(X/Y/Z)\t{name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame"
        "\tOrigNumFrames",
        f"{rate:g}\t{rate:g}\t{len(numbers)}\t{len(names)}\t{poses.unit or 'm'}\t{rate:g}"
        f"\t{numbers[0]}\t{len(numbers)}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"X{n}\tY{n}\tZ{n}" for n in range(1, len(names) + 1)),
    ]
    rows = [
        "\t".join(
            [
                str(number),
                f"{number / rate:.6f}",
                *("" if np.isnan(v) else f"{v:.6f}" for v in row.ravel()),
            ]
        )
        for number, row in zip(numbers, poses.joints[:, 0], strict=True)
    ]
    return "\n".join([*head, *rows]) + "\n"


def _marker(joint: str) -> str:
    """Pose2Sim's name of a joint: `LBigToe`."""
    side, _, rest = joint.partition(" ")
    words = "".join(
        word.capitalize() for word in (rest if side in ("left", "right") else joint).split()
    )
    return NAMES.get(joint) or (side[0].upper() if side in ("left", "right") else "") + words

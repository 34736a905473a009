"""NTU clips from the array files of CTR-GCN's preparation, such as `NTU60_CS.npz`.

A file holds `x_train` and `x_test` [N, T, 150], float32 or float64, and `y_train` and `y_test`,
one-hot [N, C]. They take tens of gigabytes: only the rows asked for are read, and nothing is
allocated for a size that an array merely claims.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from starcli.contracts import BadClip, Recording
from starcli.data.normalise import Joints, checked
from starcli.errors import LEAVE_OUT, DataError
from starcli_plugins.datasets.io.npz_members import BLOCK, REMAKE, Member, members
from starcli_plugins.layouts import KINECT_V2

PROTOCOLS = {"cs": "xsub", "csub": "xsub", "cv": "xview", "cset": "xset"}
SUBSETS = ("test", "train")
KEYS = ("x_train", "y_train", "x_test", "y_test")
PERSONS, JOINTS = 2, len(KINECT_V2.joints)
WIDTH = PERSONS * JOINTS * 3
ROWS = BLOCK
"""Rows of one recording: 23 MB as CTR-GCN writes them."""
MAX_FRAMES = 1000
"""The longest clip of NTU has 300 frames; a row stays small enough to be read at once."""
MAX_CLASSES = 1000
MAX_RATIO = 200
"""Clips of a few seconds, padded with zeros to 300 frames, pack about tenfold."""


class Row(NamedTuple):
    """A clip of an array file.

    Args:
        name: Such as `train-00000017`.
        label: Class id.
        joints: [frames, M, V, 3], metres.
    """

    name: str
    label: int
    joints: Joints


def is_npz(path: Path) -> bool:
    """Whether a file is an array file by its name; damage is named when it is read."""
    return path.suffix.lower() == ".npz"


def protocol_of(path: Path) -> str | None:
    """The protocol whose subsets a file holds, by its name: CS or CSub, CV, CSet."""
    return PROTOCOLS.get(path.stem.rpartition("_")[2].lower())


def recordings(path: Path) -> list[Recording]:
    """The rows of an array file in parts that are read on their own.

    Args:
        path: The `.npz`. Stored as CTR-GCN stores them, arrays come in parts of `ROWS` rows; a
            compressed one can only be read from its beginning and is one part.

    Raises:
        DataError: Not a zip, cut off, an array missing or of another shape or type, or larger than
            the file can hold.
    """
    parts = []
    for subset in SUBSETS:
        x, y = _arrays(path, subset)
        count = len(x)
        step = ROWS if x.stored and y.stored else max(count, 1)
        for start in range(0, count, step):
            stop = min(start + step, count)
            parts.append(Recording(f"{subset}-{start:08d}", path, x.name, start, stop))
    if not parts:
        raise DataError("has no clips", REMAKE, file=path)
    return parts


def rows(recording: Recording) -> Iterator[Row | BadClip]:
    """The clips of one part of an array file (protocol rules of CTR-GCN's feeder).

    As in the feeder, a clip is as long as it has frames that are not all zero. A second person who
    is absent throughout is left out.

    Args:
        recording: One of `recordings`. The checksum of stored arrays is compared when their first
            rows are read, that of compressed ones when their last are.

    Yields:
        The clips. A row without pose or with NaN, infinity or a coordinate beyond 100 m, or whose
        label is not one-hot, is a bad clip, whose error names it as `x_train.npy[17]`, counted
        from 0.

    Raises:
        DataError: The file is damaged.
    """
    subset = recording.member.removeprefix("x_").removesuffix(".npy")
    x, y = _arrays(recording.file, subset)
    if recording.start == 0:
        x.verify()
        y.verify()
    row, span = recording.start, (recording.start, recording.stop)
    for values, labels in zip(x.blocks(*span), y.blocks(*span), strict=True):
        for value, hot in zip(values, labels, strict=True):
            name, at = f"{subset}-{row:08d}", f"[{row}]"
            try:
                clip: Row | BadClip = Row(
                    name, _label(hot, y.where + at), _clip(value, x.where + at)
                )
            except DataError as error:
                clip = BadClip(name, error)
            yield clip
            row += 1


def write(
    path: Path,
    train: Sequence[tuple[int, Joints]],
    test: Sequence[tuple[int, Joints]],
    *,
    classes: int = 60,
    frames: int = 300,
    compressed: bool = False,
) -> None:
    """Write clips as CTR-GCN's preparation does.

    Args:
        path: The `.npz`.
        train: Class id and joints [frames, M, V, 3] of each clip of the training part.
        test: The same of the test part.
        classes: C, the width of the one-hot labels.
        frames: T, what clips are padded to.
        compressed: Whether to compress the arrays; CTR-GCN does not.
    """
    (x_train, y_train), (x_test, y_test) = (_padded(c, classes, frames) for c in (train, test))
    save = np.savez_compressed if compressed else np.savez
    save(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


def _padded(
    clips: Sequence[tuple[int, Joints]], classes: int, frames: int
) -> tuple[Joints, npt.NDArray[np.float64]]:
    """Poses [N, T, 150] and one-hot labels [N, C] of clips."""
    poses = np.zeros((len(clips), frames, PERSONS, JOINTS, 3), np.float32)
    for row, (_, joints) in enumerate(clips):
        poses[row, : len(joints), : joints.shape[1]] = joints
    labels = np.array([label for label, _ in clips], int)
    return poses.reshape(len(clips), frames, WIDTH), np.eye(classes)[labels]


def _label(row: npt.NDArray[Any], where: str) -> int:
    """The class id of a one-hot row [C]."""
    hot = np.flatnonzero(row)
    if len(hot) != 1 or row[hot[0]] != 1:
        raise DataError("expected a one-hot label, a single 1 among zeros", REMAKE, file=where)
    return int(hot[0])


def _clip(row: npt.NDArray[Any], where: str) -> Joints:
    """The joints [frames, M, V, 3] of a padded row [T, 150]."""
    joints = checked(row.reshape(-1, PERSONS, JOINTS, 3), KINECT_V2, where)
    frames = np.count_nonzero(joints.any((1, 2, 3)))
    if frames == 0:
        raise DataError("no pose in any frame, only zeros", LEAVE_OUT, file=where)
    persons = PERSONS if joints[:frames, 1].any() else 1
    return joints[:frames, :persons].copy()


def _arrays(path: Path, subset: str) -> tuple[Member, Member]:
    """The poses and labels of one subset, once their headers are known to be right."""
    arrays = members(path, KEYS)
    x, y = arrays[f"x_{subset}"], arrays[f"y_{subset}"]
    if len(x.shape) != 3 or x.shape[2] != WIDTH or not 1 <= x.shape[1] <= MAX_FRAMES:
        raise x.wrong(f"[N, up to {MAX_FRAMES} frames, {WIDTH}]")
    if x.dtype.kind != "f" or x.dtype.itemsize not in (4, 8):
        raise x.wrong("float32 or float64")
    if len(y.shape) != 2 or y.shape[1] > MAX_CLASSES or y.dtype.kind not in "fiub":
        raise y.wrong(f"one-hot numbers [N, up to {MAX_CLASSES} classes]")
    if len(x) != len(y):
        raise DataError(f"{x.name} has {len(x)} rows, {y.name} has {len(y)}", REMAKE, file=path)
    if x.info.file_size > MAX_RATIO * x.info.compress_size:
        sizes = f"from {x.info.compress_size:,} to {x.info.file_size:,} bytes"
        raise DataError(f"unpacks {sizes}, which no poses do", REMAKE, file=x.where)
    return x, y

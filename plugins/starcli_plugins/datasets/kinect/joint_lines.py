"""Text with one joint a line, `x y z`, and one frame after the other."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from starcli.contracts import Recording
from starcli.errors import DataError
from starcli_plugins.datasets.io import archives
from starcli_plugins.datasets.io.float_parsing import NUMBER

AGAIN = "download it again"
LINE = re.compile(rb"\s*%b\s+%b\s+%b\s*" % ((NUMBER.pattern,) * 3))


def read(recording: Recording, joints: int) -> npt.NDArray[np.float64]:
    """The joints of a recording in its own axes, unit and order, [frames, 1, joints, 3].

    Args:
        recording: The file.
        joints: Lines of a frame.

    Raises:
        DataError: A line is not three numbers, or the last frame is cut.
    """
    data = archives.load(recording)
    lines = data.rstrip().split(b"\n")
    rows = [line.split() for line in lines]
    for number, line in enumerate(lines, 1):
        if LINE.fullmatch(line) is None:
            raise _wrong(rows[number - 1], recording, number)
    if len(rows) % joints:
        raise DataError(
            f"expected {joints} lines a frame, got {len(rows)} lines: the last frame has "
            f"{len(rows) % joints}",
            AGAIN,
            file=recording.where,
        )
    if not data.endswith(b"\n"):  # a number cut in two is a number
        raise DataError("the last line does not end", AGAIN, file=recording.where, line=len(rows))
    return np.array(rows, dtype=np.float64).reshape(-1, 1, joints, 3)


def _wrong(row: Sequence[bytes], recording: Recording, line: int) -> DataError:
    """What is wrong with a line that is not three numbers."""
    message = f"expected 3 numbers, got {len(row)}"
    if len(row) == 3:
        word = next(word for word in row if NUMBER.fullmatch(word) is None)
        message = f"'{word[:40].decode('ascii', 'replace')}' is not a number"
    return DataError(message, AGAIN, file=recording.where, line=line)


def text(values: npt.NDArray[np.float64]) -> str:
    """Joints [frames, V, 3] as such a file has them."""
    return "".join(" ".join(f"{x:.6f}" for x in joint) + " \n" for joint in values.reshape(-1, 3))

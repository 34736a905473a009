"""A clip's array from an `.npy` or `.npz` file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

from starcli import array_files

EXPECTED = "[frames, joints, 2 or 3] or [frames, persons, joints, 2 or 3] of numbers"
keys = array_files.keys


def read(path: Path, key: str = "") -> npt.NDArray[Any]:
    """An array of numbers [frames, V, 2 or 3] or [frames, M, V, 2 or 3], as the file has it.

    Args:
        path: An `.npy` or `.npz`.
        key: The array of an `.npz`; may be left out where it has one only.

    Raises:
        DataError: Damaged, of Python objects, of another shape, or larger than it can hold.
    """
    return array_files.read(path, key, shaped=is_clip, expected=EXPECTED)


def is_clip(shape: tuple[int, ...]) -> bool:
    """Whether a shape is that of joints."""
    return len(shape) in (3, 4) and shape[-1] in (2, 3) and min(shape) > 0

"""Small pose files for the tests of readers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from starcli.contracts import NoSettings
from starcli.errors import DataError
from starcli.poses import PoseFile, Poses

Numbers = npt.NDArray[np.float64]


def made(folder: Path, name: str, content: object) -> PoseFile:
    """A file of text, of bytes, or of anything else as JSON."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return PoseFile(path, name)


def recordings(plugin: type[Any], *files: PoseFile) -> list[Poses]:
    """All recordings of files that have to be recognised."""
    reader = plugin(NoSettings())
    assert all(reader.recognises(file) for file in files), "not recognised"
    return list(reader.read(files))


def one(plugin: type[Any], *files: PoseFile) -> Poses:
    """The one recording of files."""
    (found,) = recordings(plugin, *files)
    return found


def refused(plugin: type[Any], *files: PoseFile, said: str, frame: int | None = None) -> DataError:
    """The error of reading files that are recognised, which names the last one and the frame."""
    with pytest.raises(DataError) as caught:
        recordings(plugin, *files)
    error = caught.value
    assert error.file and error.file.startswith(tuple(file.name for file in files))
    assert said in error.message, error.message
    assert error.frame == frame
    assert error.fix
    return error


def unknown(plugin: type[Any], *files: PoseFile) -> bool:
    """Whether none of the files is recognised."""
    return not any(plugin(NoSettings()).recognises(file) for file in files)


def points(*shape: int, start: float = 1.0) -> Numbers:
    """Different numbers, none of them zero."""
    return start + np.arange(np.prod(shape), dtype=np.float64).reshape(shape) / 8


def rounded(values: Numbers) -> list[Any]:
    """Numbers as lists."""
    return list(np.round(values, 6).tolist())


def same(got: Numbers | None, want: Any) -> None:
    """Equal but for rounding, NaN at the same places."""
    assert got is not None
    np.testing.assert_allclose(got, want, atol=1e-6)


def flat(*parts: Numbers | Sequence[float]) -> list[float]:
    """Numbers one after the other."""
    return [float(value) for part in parts for value in np.ravel(part)]

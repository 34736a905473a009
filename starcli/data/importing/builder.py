"""A user's recordings -> a data set in the store, which then has a name like any other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from starcli import registry
from starcli.contracts import Layout, Progress, silent
from starcli.data import imported, layouts
from starcli.data.importing import arrays, options
from starcli.data.importing.index import Entry, entries
from starcli.data.normalise import checked
from starcli.errors import DataError, UsageError, writes_to
from starcli.files import digest, save_text, save_whole, sync
from starcli.store.artifacts import SHARD_BYTES, canonical
from starcli.store.unfinished import sweep, working

Joints = npt.NDArray[np.float32]
Up = Literal["y", "z", "-y"]
Unit = Literal["m", "cm", "mm"]
UPRIGHT: Mapping[Up, npt.NDArray[np.float64]] = {
    "y": np.eye(3),
    "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "-y": np.diag([1.0, -1, -1]),
}
"""The axis that points up -> the rotation after which y does."""
METRES: Mapping[Unit, float] = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}
CHECK = "check --unit and --layout, or repair or remove the clip"


@dataclass(frozen=True)
class ImportRequest:
    """What is to be imported, and how it is meant.

    Args:
        source: A folder of clips, or an index.
        layout: Name of a layout, or its TOML file.
        classes: A file with a class name in each line; None for those that the clips have.
        train: `xsub` and `xview` -> the subjects and views that train.
        unseen: The splits, as `choices.splits` takes them.
        up: The axis that points up.
        unit: What the coordinates are in.
    """

    source: Path
    layout: str
    classes: Path | None = None
    train: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unseen: Sequence[str] = ()
    up: Up = "y"
    unit: Unit = "m"


def make(
    name: str,
    request: ImportRequest,
    store: Path,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> type[imported.Imported]:
    """Copy a user's recordings into the store, whole or not at all.

    Args:
        name: What the data set is called from now on.
        request: What is to be imported.
        store: The folder of all results.
        overwrite: Replace a data set of this name.
        progress: Told about every clip.

    Raises:
        UsageError: The name cannot be used or is taken, or a choice is impossible.
        DataError: Something cannot be read, or is not what it should be.
        OutputError: The store cannot be written.
    """
    target = imported.folder(store) / name
    _check_name(name, target, overwrite)
    layout = layouts.named(request.layout)
    clips = entries(request.source)
    names = options.classes(request.classes, clips)
    labels = options.labels(clips, names)
    about = {
        "format": imported.FORMAT,
        "layout": layouts.tree(layout),
        "up": request.up,
        "unit": request.unit,
        "classes": names,
        "splits": options.splits(request.unseen, names, labels),
    }
    subsets = options.subsets(clips, labels, request.train)
    rows = [
        {
            "name": clip.name,
            "label": label,
            "subject": clip.subject,
            "sides": {protocol: subset[n] for protocol, subset in subsets.items()},
        }
        for n, (clip, label) in enumerate(zip(clips, labels, strict=True))
    ]
    sweep(store)
    with working(store, "datasets", name, "import", wait=True) as work, writes_to(target):
        _check_name(name, target, overwrite)  # another process may have been waited for
        skeletons = _skeletons(clips, request, layout, progress)
        places, shards = _write_shards(skeletons, work / "files")
        for row, place in zip(rows, places, strict=True):
            row["place"] = place
        content = {**about, "protocols": list(subsets), "clips": rows, "shards": shards}
        save_text(work / imported.FILE, canonical(content))
        _put(work, target)
    return imported.load(store, name)


def _check_name(name: str, target: Path, overwrite: bool) -> None:
    if not re.fullmatch(imported.NAME, name):
        raise UsageError(
            f"a data set cannot be called '{name}'",
            "use small letters, digits and hyphens, at most 100",
        )
    if registry.matches("dataset", name):
        raise UsageError(f"'{name}' is the data set of a plugin", "choose another name")
    if (target / imported.FILE).exists() and not overwrite:
        raise UsageError(
            f"there is a data set '{name}' in {target.parent}",
            "choose another name, or replace it with --overwrite",
        )


def _skeletons(
    clips: Sequence[Entry], request: ImportRequest, layout: Layout, progress: Progress
) -> Iterator[Joints]:
    """Each clip [frames, M, V, 3], metres, y up."""
    for number, clip in enumerate(clips, start=1):
        where = f"{clip.file}#{clip.key}" if clip.key else str(clip.file)
        try:
            joints = upright(arrays.read(clip.file, clip.key), request.up, request.unit)
            sound = checked(joints, layout, where)
        except DataError as error:
            fix = CHECK if error.file == where and error.frame else error.fix
            raise DataError(error.message, fix, file=error.file, frame=error.frame) from error
        if not sound.any():
            raise DataError("has no person in any frame", "leave the clip out", file=where)
        yield sound
        progress.update("import", number, len(clips))


def upright(array: npt.NDArray[Any], up: Up, unit: Unit) -> npt.NDArray[np.float64]:
    """A clip as data sets have it: several persons, three axes, metres, y up.

    Args:
        array: [frames, V, 2 or 3] or [frames, M, V, 2 or 3]; of two axes the second is vertical.
        up: The axis that points up.
        unit: What the coordinates are in.

    Returns:
        [frames, M, V, 3]; z is 0 where there was none.

    Raises:
        UsageError: A plane clip whose z is up.
    """
    joints = np.asarray(array, np.float64)
    joints = joints[:, None] if joints.ndim == 3 else joints
    if joints.shape[-1] == 2:
        if up == "z":
            raise UsageError("--up z: the clips have two axes only", "say --up y or --up -y")
        joints = np.concatenate([joints, np.zeros_like(joints[..., :1])], -1)
    # Each axis is one of the old ones, so that a NaN stays where it is.
    axes, signs = np.abs(UPRIGHT[up]).argmax(1), UPRIGHT[up].sum(1)
    scaled: npt.NDArray[np.float64] = joints[..., axes] * (signs * METRES[unit]) + 0.0
    return scaled


def _write_shards(
    skeletons: Iterable[Joints], folder: Path
) -> tuple[list[list[int]], list[dict[str, str]]]:
    """Write clips one after the other, and tell where each lies and what the files are."""
    places: list[list[int]] = []
    shards: list[dict[str, str]] = []
    for rows, shapes in _filled(skeletons):
        start = 0
        for frames, persons in shapes:
            places.append([len(shards), start, frames, persons])
            start += frames * persons
        path = folder / f"clips-{len(shards):05d}.safetensors"
        save_whole(path, partial(_write_rows, rows))
        shards.append({"file": path.name, "sha256": digest(path)})
    return places, shards


def _filled(skeletons: Iterable[Joints]) -> Iterator[tuple[Joints, list[tuple[int, int]]]]:
    """Clips gathered up to the size of a shard: rows [n, V, 3], frames and persons of each."""
    pending: list[Joints] = []
    size = 0
    for joints in skeletons:
        if pending and size + joints.nbytes > SHARD_BYTES:
            yield _joined(pending)
            pending, size = [], 0
        pending.append(joints)
        size += joints.nbytes
    if pending:
        yield _joined(pending)


def _joined(clips: Sequence[Joints]) -> tuple[Joints, list[tuple[int, int]]]:
    rows = np.concatenate([clip.reshape(-1, *clip.shape[2:]) for clip in clips])
    return rows, [(clip.shape[0], clip.shape[1]) for clip in clips]


def _write_rows(rows: Joints, path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"joints": rows}, path)


def _put(work: Path, target: Path) -> None:
    """Put shards in place, then the file that names them, with which the name has its new data."""
    version = target / imported.version_of(digest(work / imported.FILE))
    target.mkdir(parents=True, exist_ok=True)
    if version.exists():  # the same recordings again, which may be to mend these files
        for shard in (work / "files").iterdir():
            os.replace(shard, version / shard.name)
    else:
        os.replace(work / "files", version)
    for folder in (version, target):
        sync(folder)
    os.replace(work / imported.FILE, target / imported.FILE)
    sync(target)

"""Recordings that a trained run is to name: files, folders and zips that nobody labelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from starcli.contracts import BadClip, DatasetSource, Normalisation, Recording
from starcli.data.imported import Imported
from starcli.data.importing import arrays
from starcli.data.importing.conversion import convert
from starcli.data.importing.options import as_imported
from starcli.data.importing.sources import readers
from starcli.data.normalise import NORMALISATIONS, Joints, PersonFiller, checked
from starcli.errors import LEAVE_OUT, DataError, StarError, UsageError
from starcli.poses import PoseFile

Named = Iterator[tuple[str, Joints] | StarError]


@dataclass(frozen=True)
class Incoming:
    """A clip to be named.

    Args:
        file: The file, folder or zip that was given.
        name: What tells it from the other clips there.
        joints: [frames, M, V, 3], metres, normalised.
    """

    file: Path
    name: str
    joints: Joints


@dataclass(frozen=True)
class Reader:
    """Reads clips as a run reads those of its data set.

    Args:
        source: The data set, whose file formats are known.
        normalise: What is done to every clip.
        persons: Most persons of a clip.
    """

    source: DatasetSource
    normalise: Sequence[Normalisation]
    persons: int

    def read(self, file: Path) -> Iterator[Incoming | StarError]:
        """The clips of a file, folder or zip one by one; an error in place of each bad recording.

        Args:
            file: `.npy` arrays of any data set; of one that was imported or is made on the fly,
                also `.npz`, or a folder of both; of any other, what `--raw` takes, or a file of
                one recording, whatever it is called.
        """
        try:
            recordings = list(self._recordings(file))
        except (DataError, UsageError) as error:
            yield error
            return
        for recording in recordings:
            try:
                for found in recording():
                    yield found if isinstance(found, StarError) else self._incoming(file, *found)
            except (DataError, UsageError) as error:
                yield error

    def _recordings(self, file: Path) -> Iterator[Callable[[], Named]]:
        """What reads each recording."""
        _require_there(file)
        suffix, source = file.suffix.lower(), self.source
        if file.is_dir() and source.request is None:
            paths = [p for p in sorted(file.rglob("*")) if p.suffix.lower() in (".npy", ".npz")]
            if not paths:
                raise DataError("no .npy or .npz files here", "name recordings", file=file)
            yield from (partial(self._arrays, path) for path in paths)
        elif source.request is None or (suffix == ".npy" and not file.is_dir()):
            yield partial(self._arrays, file)
        elif suffix == getattr(source, "suffix", None) and file.is_file():
            yield partial(self._single, file)
        else:
            yield from (partial(self._clips, each) for each in source.recordings(file))

    def _arrays(self, file: Path) -> Named:
        """The array of an `.npy`, or every one of an `.npz`."""
        if file.suffix.lower() not in (".npy", ".npz"):
            raise DataError(
                "is no .npy or .npz", "save arrays [frames, joints, 3] with numpy.save", file=file
            )
        if isinstance(self.source, Imported):
            yield from self._imported(file, self.source)
            return
        for key in arrays.keys(file) if file.suffix.lower() == ".npz" else [""]:
            where = f"{file}#{key}" if key else str(file)
            try:
                found = self._array(file, key, where)
            except DataError as error:  # of this array, not of those after it
                yield error
            else:
                yield where, found

    def _array(self, file: Path, key: str, where: str) -> Joints:
        source = self.source
        array = arrays.read(file, key)
        if array.shape[-1] == 2:
            raise DataError("has two axes, the data set has three", "give all three", file=where)
        wide = array[:, None] if array.ndim == 3 else array
        joints = checked(wide, source.layout, where)
        return source.fill_persons(joints) if isinstance(source, PersonFiller) else joints

    def _imported(self, file: Path, source: Imported) -> Named:
        """The arrays of a file as those that were imported."""
        reader = readers("arrays", source.layout)["arrays"]
        for poses in reader.read([PoseFile(file, str(file))]):
            where = f"{file}#{poses.name}" if poses.name else str(file)
            joints, _ = convert(poses, lambda name: source.layout, as_imported(source), where)
            yield where, checked(joints, source.layout, where)

    def _single(self, file: Path) -> Named:
        source: Any = self.source
        yield str(file), source.skeleton(Recording(file.name, file))

    def _clips(self, recording: Recording) -> Named:
        for clip in self.source.clips(recording):
            yield clip.error if isinstance(clip, BadClip) else (clip.name, clip.joints)

    def _incoming(self, file: Path, name: str, joints: Joints) -> Incoming | StarError:
        try:
            return Incoming(file, name, self._ready(name, joints))
        except DataError as error:  # of this clip, not of those after it
            return error

    def _ready(self, name: str, joints: Joints) -> Joints:
        """The joints normalised, without persons who are never there beyond those known."""
        if not joints.any():
            raise DataError("has no person in any frame", LEAVE_OUT, file=name)
        if joints[:, self.persons :].any():
            raise DataError(
                f"has {joints.shape[1]} persons, the run learned from clips of at most "
                f"{self.persons}",
                "leave others out",
                file=name,
            )
        joints = joints[:, : self.persons]
        for each in self.normalise:
            joints = NORMALISATIONS[each](joints, self.source.layout)
        return joints


def _require_there(file: Path) -> None:
    try:
        there = file.exists()
    except OSError as error:  # a name that the system does not take
        raise DataError(
            f"cannot be read ({error.strerror})", "check the path", file=file
        ) from error
    if not there:
        raise DataError("no such file or folder", "check the path", file=file)

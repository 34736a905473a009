"""Recordings that a trained run is to name: in the format of its data set, or in any that is known.

What the data set itself reads is read as it was for training. Everything else goes through the
readers of pose files, as in `starcli data inspect`, and becomes what the run has learned from: its
joints, its frame rate, its number of axes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from starcli.contracts import (
    BadClip,
    DatasetSource,
    KnownRate,
    Layout,
    Normalisation,
    Recording,
    SingleFileReader,
)
from starcli.data.body_frame import is_hip_centred
from starcli.data.imported import Imported
from starcli.data.importing import checks, reading, sources
from starcli.data.importing.conversion import Meaning
from starcli.data.importing.index import Entry
from starcli.data.importing.inspection import Known
from starcli.data.importing.labels import Labelled, labelled
from starcli.data.importing.options import as_imported
from starcli.data.importing.sources import Source
from starcli.data.normalise import NORMALISATIONS, Joints, PersonFiller, checked, grounded
from starcli.data.rates import Times, at_rate, at_times
from starcli.errors import LEAVE_OUT, DataError, StarError, UsageError
from starcli.poses import KINECT, PoseFile, Poses, UnnamedJoints, Up

Array = npt.NDArray[np.generic]
Named = Iterator[tuple[str, Joints] | StarError]
ARRAYS = "arrays"
"""The format whose files say as little of their joints as a stream."""
TRAIN = "train on such recordings: starcli data import NAME {}, then starcli train --dataset NAME"


@dataclass(frozen=True)
class Form:
    """How files are to be read.

    Args:
        meaning: What the user says of them.
        reader: The only reader that is to be used; None for the one that knows the format.
        fps: Frames a second, where a file does not say.
    """

    meaning: Meaning = field(default_factory=Meaning)
    reader: str | None = None
    fps: float | None = None


@dataclass(frozen=True)
class Recorded:
    """A recording as a reader gives it, before it becomes what the run has learned from.

    Args:
        place: The file, folder or zip that was given.
        name: What tells it from the other recordings there.
        entry: What is said of it.
        poses: Its people.
        meaning: How its joints are meant.
        format: Name of its reader.
    """

    place: Path
    name: str
    entry: Entry
    poses: Poses
    meaning: Meaning
    format: str


@dataclass(frozen=True)
class Incoming:
    """A clip to be named.

    Args:
        file: The file, folder or zip that was given.
        name: What tells it from the other clips there.
        joints: [frames, M, V, 3], metres, normalised; as far as may be where it is impossible.
        known: What its file says of it; None where the data set read it.
        impossible: Why it is of nobody who does anything; None where it may be of somebody.
    """

    file: str
    name: str
    joints: Joints
    known: Known | None = None
    impossible: str | None = None


@dataclass
class Reader:
    """Reads clips as a run needs them.

    Args:
        source: The run's data set.
        normalise: What is done to every clip.
        persons: Most persons of a clip.
        form: How files are to be read.
        warnings: What a user should know of what was read, a line each.
    """

    source: DatasetSource
    normalise: Sequence[Normalisation]
    persons: int
    form: Form = field(default_factory=Form)
    warnings: list[str] = field(default_factory=list)

    def read(self, place: Path) -> Iterator[Incoming | StarError]:
        """The clips of a file, folder or zip one by one; an error in place of each bad recording.

        Args:
            place: What the data set takes as `--raw`, or a file of one of its recordings, whatever
                it is called; or poses in any format that a reader knows.
        """
        try:
            _require_there(place)
            own = self._own(place)
            if own is None:
                yield from self._foreign(place)
                return
            for source in own:
                yield (source if isinstance(source, StarError) else self._incoming(place, *source))
        except (DataError, UsageError) as error:
            yield error

    def recordings(self, place: Path) -> Iterator[Recorded | StarError]:
        """The same before they become what the run has learned from, to be cut.

        Args:
            place: As `read` takes it.
        """
        try:
            _require_there(place)
            own = self._own(place)
            if own is None:
                yield from self._recordings(place)
                return
            for source in own:
                yield source if isinstance(source, StarError) else self._known(place, *source)
        except (DataError, UsageError) as error:
            yield error

    def _known(self, place: Path, name: str, joints: Joints) -> Recorded:
        """A clip as the data set reads it."""
        source = self.source
        there = joints.any((2, 3), keepdims=True)
        poses = Poses(
            np.where(there, joints.astype(np.float64), np.nan),
            source.layout.name,
            fps=source.fps if isinstance(source, KnownRate) else None,
            unit="m",
            axes=KINECT,
        )
        meaning = Meaning(layout=source.layout, target=source.layout)
        return Recorded(place, name, Entry(name), poses, meaning, "")

    def streamed(self, name: str) -> Recorded:
        """What is said of frames that come one by one: by the user, else metres with y up.

        Args:
            name: What they are called in messages.
        """
        source, given = self.source, self.form.meaning
        layout = given.layout or source.layout
        meaning = replace(given, layout=layout, target=source.layout, usual_up="y", usual_unit="m")
        if isinstance(source, Imported):
            meaning = replace(meaning, flat=source.flat)
            if given.layout is None and self._has_learned_from(ARRAYS):
                meaning = _as_imported(meaning, source)
        poses = Poses(np.empty((0, 1, len(layout.joints), 3)), layout.name)
        return Recorded(Path(name), name, Entry(name), poses, meaning, ARRAYS)

    def read_array(self, array: Array, name: str) -> Iterator[Incoming | StarError]:
        """The clip of an array, as of the file that `numpy.save` makes of it.

        Args:
            array: [frames, V, 2 to 4] or [frames, persons, V, 2 to 4].
            name: What it is called in messages.
        """
        if array.dtype.kind not in "fiu":
            yield DataError(f"expected numbers, got {array.dtype}", "give joints", file=name)
            return
        with tempfile.TemporaryDirectory(prefix="starcli-") as folder:
            file = Path(folder) / "array.npy"
            np.save(file, array, allow_pickle=False)
            for clip in self.read(file):
                if isinstance(clip, StarError):
                    clip.file = name
                    yield clip
                else:
                    known = clip.known and _renamed(clip.known, name)
                    yield replace(clip, file=name, name=name, known=known)

    def _own(self, place: Path) -> Named | None:
        """The clips of a place as the data set reads them; None where it knows none there."""
        source = self.source
        if source.request is None or self.form != Form() or place.suffix.lower() == ".npy":
            return None
        if isinstance(source, SingleFileReader) and _is_file_of(place, source.suffix):
            try:
                return iter([(str(place), source.skeleton(Recording(place.name, place)))])
            except DataError:
                file = PoseFile(place, place.name)
                if sources.recognised(file, sources.readers()) is None:
                    raise
                # Another format whose files end alike.
                return None
        try:
            recordings = source.recordings(place)
        except (DataError, UsageError):
            return None
        return (clip for recording in recordings for clip in self._clips(recording))

    def _clips(self, recording: Recording) -> Named:
        try:
            for clip in self.source.clips(recording):
                yield clip.error if isinstance(clip, BadClip) else (clip.name, clip.joints)
        except (DataError, UsageError) as error:
            yield error

    def _foreign(self, place: Path) -> Iterator[Incoming | StarError]:
        """The clips of a place through the readers of pose files."""
        for recorded in self._recordings(place):
            yield recorded if isinstance(recorded, StarError) else self.convert(recorded)

    def _recordings(self, place: Path) -> Iterator[Recorded | StarError]:
        """The recordings of a place as the readers of pose files give them."""
        with sources.unpacked(place) as folder:
            name = partial(_named, folder=folder, place=place)
            try:
                items, unknown = self._items(folder, place)
            except DataError as error:
                error.file = name(error.file or "")
                raise
            self._warn(f"{name(file)}: of no known format" for file in unknown)
            usual = reading.agreed([item.source for item in items], self.form.meaning)
            for parts in reading.by_file(items).values():
                for recorded in self._recorded(place, parts, usual):
                    if isinstance(recorded, StarError):
                        recorded.file = name(recorded.file or "")
                        yield recorded
                    else:
                        yield replace(recorded, name=name(recorded.entry.name))

    def _items(self, folder: Path, place: Path) -> tuple[list[Labelled], list[str]]:
        """The recordings of a place; arrays of no known shape are in the run's joints."""
        layout = self.form.meaning.layout
        try:
            return labelled(folder, self.form.reader, None, layout, place)
        except DataError:
            if layout is not None:
                raise
            try:
                return labelled(folder, self.form.reader, None, self.source.layout, place)
            except DataError:
                pass
            raise

    def _recorded(
        self, place: Path, parts: Sequence[Labelled], usual: Meaning
    ) -> Iterator[Recorded | StarError]:
        """The recordings of a file, an error in place of one that cannot be read."""
        source, meaning = self._as_learned(parts[0].source, usual)
        parts = [replace(part, source=source) for part in parts]
        try:
            for entry, poses in reading.recordings(parts, self.form.fps):
                yield Recorded(place, entry.name, entry, poses, meaning, source.format)
        except (DataError, UsageError) as error:
            error.file = error.file or parts[0].entry.name
            yield error

    def convert(self, recorded: Recorded, times: Times | None = None) -> Incoming | StarError:
        """A recording, or a part of one, as the data set would have it; an error of a bad one.

        Args:
            recorded: The recording.
            times: float64 [frames], seconds; None for those of its frame rate.
        """
        entry, poses = recorded.entry, recorded.poses
        try:
            clip = reading.clip_of(entry, poses, recorded.meaning, recorded.format)
            if poses.centred and not self._has_learned_from(recorded.format):
                clip = replace(clip, joints=grounded(clip.joints, clip.layout))
        except (DataError, UsageError) as error:
            error.file = recorded.name
            return error
        return self._converted(recorded, clip, times)

    def _as_learned(self, file: Source, usual: Meaning) -> tuple[Source, Meaning]:
        """A file and what is said of it: by the user, else as of those that were imported.

        Arrays that have as many joints as the run are in the run's.
        """
        source, given = self.source, self.form.meaning
        meaning = replace(usual, target=source.layout)
        if isinstance(source, Imported):
            meaning = replace(meaning, flat=source.flat)
            if self._has_learned_from(file.format):
                meaning = _as_imported(meaning, source)
        reader = file.reader
        if (
            given.layout is None
            and isinstance(reader, UnnamedJoints)
            and _fits(file, reader, source.layout)
        ):
            file = replace(file, reader=reader.in_layout(source.layout))
            meaning = replace(meaning, layout=source.layout)
            if not isinstance(source, Imported):
                self._doubt(given.up, usual.usual_up)
                meaning = replace(meaning, up=given.up or "y", unit=given.unit or "m")
        return file, meaning

    def _has_learned_from(self, format_: str) -> bool:
        """Whether the run's clips came from files of a format."""
        source = self.source
        return isinstance(source, Imported) and format_ in source.reader.split(", ")

    def _doubt(self, up: Up | None, usual: Up | None) -> None:
        """Warn of arrays whose bodies stand along another axis than the one that is believed."""
        if up is None and usual not in (None, "y"):
            self._warn([f"y was taken to point up, bodies stand along {usual}: see --up"])

    def _warn(self, lines: Iterable[str]) -> None:
        self.warnings += [line for line in lines if line not in self.warnings]

    def _converted(
        self, recorded: Recorded, clip: reading.Clip, times: Times | None
    ) -> Incoming | StarError:
        """A clip that a reader has read as the data set would have it."""
        source, facts = self.source, clip.facts
        place, name = recorded.place, recorded.name
        if facts.body.flat and not (isinstance(source, Imported) and source.flat):
            return DataError(
                "has two axes, the run learned from three", TRAIN.format(place), file=name
            )
        known = _renamed(Known.of(clip), name)
        try:
            joints = checked(clip.joints, source.layout, name)
        except DataError as error:
            if impossible := checks.impossible(facts):
                return Incoming(str(place), name, clip.joints, known, impossible)
            return error
        wanted = source.fps if isinstance(source, KnownRate) else None
        if times is None:
            joints = at_rate(joints, facts.fps, wanted)
        else:
            joints = at_times(joints, times, wanted)
        if isinstance(source, PersonFiller):
            joints = source.fill_persons(joints)
        return self._incoming(place, name, joints, known)

    def _incoming(
        self, place: Path, name: str, joints: Joints, known: Known | None = None
    ) -> Incoming | StarError:
        """A clip normalised, without persons who are never there beyond those known."""
        if not joints.any():
            return DataError("has no person in any frame", LEAVE_OUT, file=name)
        if joints[:, self.persons :].any():
            return DataError(
                f"has {joints.shape[1]} persons, the run learned from clips of at most "
                f"{self.persons}",
                "choose with --people: largest, most-motion, or a name",
                file=name,
            )
        joints = joints[:, : self.persons]
        layout = self.source.layout
        impossible = checks.impossible(known.facts) if known else None
        try:
            for each in self.normalise:
                if each == "floor" and is_hip_centred(joints, layout):
                    line = "is centred on the hips: its lower ankle was put on the floor"
                    self._warn([f"{name}: {line}"])
                joints = NORMALISATIONS[each](joints, layout)
        except DataError as error:
            if not impossible:
                return error
        return Incoming(str(place), name, joints, known, impossible)


def _is_file_of(place: Path, suffix: str) -> bool:
    return place.suffix.lower() == suffix and place.is_file()


def _fits(source: Source, reader: UnnamedJoints, layout: Layout) -> bool:
    """Whether files that do not name their joints have as many as a layout."""
    try:
        poses = next(iter(reader.in_layout(layout).read(source.files)), None)
    except DataError:  # said when it is read
        return False
    return poses is not None and poses.joints.shape[2] == len(layout.joints)


def _as_imported(meaning: Meaning, source: Imported) -> Meaning:
    """What is said of files, and where nothing is, what was said when the data set was imported."""
    own = as_imported(source)
    if not source.flat:
        meaning = replace(meaning, usual_up=own.usual_up, usual_unit=own.usual_unit)
    return replace(
        meaning,
        up=meaning.up or own.up,
        unit=meaning.unit or own.unit,
        people=meaning.people or own.people,
        mirrored=meaning.mirrored or own.mirrored,
        swap_sides=meaning.swap_sides or own.swap_sides,
    )


def _named(name: str, folder: Path, place: Path) -> str:
    """A file as the user named it.

    Args:
        name: As messages and clips have it.
        folder: The place with its files, which of a zip is another folder.
        place: The place that the user named.
    """
    if name in ("", str(folder), str(place)):
        return str(place)
    inside = folder.is_dir()
    below = name.removeprefix(f"{folder if inside else folder.parent}/")
    below = below.removeprefix(f"{place}/")
    return str((place if inside else place.parent) / below)


def _renamed(known: Known, name: str) -> Known:
    return known._replace(entry=replace(known.entry, name=name))


def _require_there(place: Path) -> None:
    try:
        there = place.exists()
    except OSError as error:  # a name that the system does not take
        raise DataError(
            f"cannot be read ({error.strerror})", "check the path", file=place
        ) from error
    if not there:
        raise DataError("no such file or folder", "check the path", file=place)

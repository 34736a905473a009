"""Recordings of a file, folder or zip, each with the reader that knows its format."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from starcli import registry
from starcli.contracts import Layout
from starcli.errors import DataError, UsageError
from starcli.poses import PoseFile, Reader, UnnamedJoints, natural

ADDED = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
"""What systems add to folders and archives."""
MAX_MEMBERS, MAX_BYTES = 100_000, 2**34
"""Of a zip that is unpacked: files, and bytes of all."""


FEW = 12
"""Files of a folder of which what was read to know their format stays in memory."""


@dataclass(frozen=True)
class Source:
    """A recording before it is read.

    Args:
        name: Its file below the source, or that of its frames without their numbers.
        files: The file, or those of its frames in natural order.
        reader: What reads them.
        format: Name of the reader.
    """

    name: str
    files: tuple[PoseFile, ...]
    reader: Reader
    format: str


@dataclass(frozen=True)
class Found:
    """What a place holds.

    Args:
        sources: The recordings, in natural order.
        unknown: Names of files that may be poses by their names and are of no known format.
    """

    sources: Sequence[Source]
    unknown: Sequence[str]


def readers(only: str | None = None, layout: Layout | None = None) -> dict[str, Reader]:
    """The readers that are installed, by name.

    Args:
        only: One that is asked for.
        layout: The layout that files are said to be in; None for what they say themselves.

    Raises:
        MissingError: There is none of this name.
    """
    names = [only] if only else [entry.name for entry in registry.entries("reader")]
    by_name: dict[str, Reader] = {}
    for name in names:
        plugin = registry.load("reader", name)
        reader = plugin(plugin.Settings())
        if layout is not None and isinstance(reader, UnnamedJoints):
            reader = reader.in_layout(layout)
        by_name[name] = reader
    return by_name


def find(
    place: Path, known: Mapping[str, Reader], name: str = "", called: Path | None = None
) -> Found:
    """The recordings of a file or folder.

    Args:
        place: A file, or a folder of files at any depth.
        known: The readers to choose from.
        name: What the file or folder is called; where left out, files have their own names, and
            those below a folder the names that they have there.
        called: What the place is called in messages, such as the zip that was unpacked there.

    Raises:
        DataError: It does not exist, or nothing in it is of a known format.
    """
    _require_there(place)
    files = [PoseFile(place, name or place.name)] if place.is_file() else _below(place, name)
    sources: list[Source] = []
    unknown: list[str] = []
    for folder in _by_folder(files):
        _of_folder(folder, known, sources, unknown)
    if not sources:
        raise _nothing(place, files, known, called or place)
    sources.sort(key=lambda source: natural(source.name))
    return Found(sources, unknown)


@contextmanager
def unpacked(place: Path) -> Iterator[Path]:
    """The place itself, or a folder with the files of a zip, which goes when it is done with.

    Raises:
        DataError: A member leads out of the folder, or there is too much of it.
    """
    is_zip = place.suffix.lower() == ".zip" and place.is_file()
    if not is_zip:
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="starcli-") as folder:
        _unpack(place, Path(folder))
        inside = list(Path(folder).iterdir())
        alone = len(inside) == 1 and inside[0].is_dir()
        yield inside[0] if alone else Path(folder)  # a folder is packed with its own name


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as file:
            members = [info for info in file.infolist() if not info.is_dir()]
            members = [info for info in members if not is_added(PurePosixPath(info.filename))]
            size = sum(info.file_size for info in members)
            if len(members) > MAX_MEMBERS or size > MAX_BYTES:
                raise DataError(
                    f"has {len(members):,} files of {size:,} bytes; at most "
                    f"{MAX_MEMBERS:,} of {MAX_BYTES:,} are unpacked",
                    "unpack it and name the folder",
                    file=archive,
                )
            for info in members:
                parts = PurePosixPath(info.filename).parts
                if info.filename.startswith("/") or ".." in parts or "\\" in info.filename:
                    raise DataError(
                        f"member '{info.filename}' leads out of the archive",
                        "make the archive again",
                        file=archive,
                    )
                file.extract(info, folder)
    except DataError:
        raise
    except Exception as error:  # zipfile and its decompressors raise whatever the damage leads to
        raise DataError(
            f"cannot be read ({error})", "make the archive again", file=archive
        ) from error


def is_added(path: PurePosixPath) -> bool:
    """Whether a file was added by a system, or hidden by it."""
    return any(part in ADDED or (part.startswith(".") and part != "..") for part in path.parts)


def _below(root: Path, name: str) -> list[PoseFile]:
    """The files below a folder, in natural order, with their names below it or below `name`."""
    paths = [(path.relative_to(root).as_posix(), path) for path in _files_in(root, frozenset())]
    kept = [(below, path) for below, path in paths if not is_added(PurePosixPath(below))]
    kept.sort(key=lambda both: natural(both[0]))
    return [PoseFile(path, str(PurePosixPath(name) / below)) for below, path in kept]


def _files_in(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """The files at any depth, links followed, but for those that lead to a folder above.

    A link that leads nowhere is a file, so that reading names it.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror})", "check the path", file=folder
        ) from error
    for entry in entries:
        if entry.is_dir():
            yield from _files_in(Path(entry), above | {real})
        elif entry.is_file() or entry.is_symlink():
            yield Path(entry)


def _by_folder(files: Sequence[PoseFile]) -> Iterator[list[PoseFile]]:
    folders: dict[str, list[PoseFile]] = {}
    for file in files:
        folders.setdefault(str(PurePosixPath(file.name).parent), []).append(file)
    yield from folders.values()


def _of_folder(
    files: Sequence[PoseFile],
    known: Mapping[str, Reader],
    sources: list[Source],
    unknown: list[str],
) -> None:
    """Add the recordings of one folder; files of single frames go together by their names.

    A folder of nothing but the frames of one recording is the recording.
    """
    frames: dict[tuple[str, str], list[PoseFile]] = {}
    last: str | None = None
    single = False
    for file in files:
        if last and (frame := known[last].frame_of(file)) and (last, frame[0]) in frames:
            frames[last, frame[0]].append(file)
            continue
        name = recognised(file, known, first=last)
        if len(files) > FEW:  # the beginnings of a hundred thousand files take gigabytes
            file.forget()
        if name is None:
            unknown += [file.name] if _may_be(file, known) else []
            continue
        last = name
        if frame := known[name].frame_of(file):
            frames.setdefault((name, frame[0]), []).append(file)
        else:
            sources.append(Source(file.name, (file,), known[name], name))
            single = True
    alone = len(frames) == 1 and not single
    for (name, stem), together in frames.items():
        folder = PurePosixPath(together[0].name).parent
        where = folder if (alone and folder.parts) or not stem else PurePosixPath(stem)
        sources.append(Source(where.as_posix(), tuple(together), known[name], name))


def _may_be(file: PoseFile, known: Mapping[str, Reader]) -> bool:
    return any(file.path.suffix.lower() in reader.suffixes for reader in known.values())


def recognised(file: PoseFile, known: Mapping[str, Reader], first: str | None = None) -> str | None:
    """Name of the reader that knows a file's format; None where none does.

    Args:
        file: The file.
        known: The readers.
        first: The one that knew the file before it.
    """
    order = sorted(known, key=lambda name: name != first)
    suffix = file.path.suffix.lower()
    named = [name for name in order if suffix in known[name].suffixes]
    return next((name for name in named if known[name].recognises(file)), None)


def _nothing(
    place: Path, files: Sequence[PoseFile], known: Mapping[str, Reader], called: Path
) -> DataError:
    if len(known) == 1 and files:
        (name,) = known
        what = "is not" if place.is_file() else f"none of its {len(files)} files is"
        return DataError(
            f"{what} {known[name].title}", "leave --reader out to find the format", file=called
        )
    titles = ", ".join(sorted(reader.title for reader in known.values()))
    if not files:
        return DataError("has no files", "name recordings", file=called)
    if place.is_file() and (damage := _damage(files[0])):
        return damage
    return DataError(
        "is of no known format of poses"
        if place.is_file()
        else f"none of its {len(files)} files is of a known format of poses",
        f"known are: {titles}",
        file=called,
    )


def _damage(file: PoseFile) -> DataError | None:
    """What is wrong with a file that ought to be JSON."""
    try:
        _ = file.json if file.path.suffix.lower() == ".json" else None
    except DataError as error:
        return error
    return None


def _require_there(place: Path) -> None:
    try:
        there = place.exists()
    except OSError as error:  # a name that the system does not take
        raise DataError(
            f"cannot be read ({error.strerror})", "check the path", file=place
        ) from error
    if not there:
        raise DataError("no such file or folder", "check the path", file=place)
    if not (place.is_file() or place.is_dir()):
        raise UsageError("is not a file or folder", "name recordings", file=place)

"""What identifies recordings: their bytes, wherever they lie; and that nobody changes them."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from starcli.errors import DataError
from starcli.store.artifacts import Store
from starcli.store.recipe_key import canonical

State = tuple[int, int]
"""Size of a file, and the time of its last change."""


@dataclass(frozen=True)
class RawFiles:
    """The files of recordings as they are at one time.

    Args:
        place: The file or folder that they are in.
        digest: What identifies them.
        states: Absolute path -> how the file was before it was read for the digest.
    """

    place: Path
    digest: str
    states: Mapping[Path, State]

    @classmethod
    def of(cls, place: Path, files: Sequence[Path], workers: int) -> RawFiles:
        """These files now.

        Args:
            place: The file or folder that they are in.
            files: The files.
            workers: Number of threads.

        Raises:
            DataError: One cannot be read.
        """
        before = states(files)
        return cls(place, fingerprint(files, workers), before)

    def require_unchanged(self, expected: str, read: Iterable[Path] = ()) -> None:
        """Refuse other recordings than those that results are named after.

        Args:
            expected: What identifies those.
            read: The files that were read so far.

        Raises:
            DataError: A file has changed, come or gone, or these are other recordings.
        """
        if self.digest != expected:
            raise DataError(
                "these are not the recordings that the run was made of",
                "name those, or train again",
                file=self.place,
            )
        for path, state in states({*self.states, *read}).items():
            if self.states.get(path) != state:
                raise DataError(
                    "changed while the recordings were read",
                    "wait until nothing writes there, and run again",
                    file=path,
                )


def last_prepared(store: Store, dataset: object) -> str | None:
    """What identifies the recordings that a store's clips of a data set were last read from.

    Args:
        store: The store.
        dataset: The plugin of the data set, as recipes name it.
    """
    for artifact in store.all("prepare"):
        if artifact.meta["recipe"]["plugin"] == dataset:
            return str(artifact.meta["recipe"]["raw"])
    return None


def fingerprint(files: Sequence[Path], workers: int) -> str:
    """What identifies files of recordings: their bytes, wherever they lie.

    Args:
        files: One file is the same archive under any name; of many, the names say what they hold.
        workers: Number of threads.

    Raises:
        DataError: One cannot be read.
    """

    def lines(part: Sequence[Path]) -> list[str]:
        return [f"{path.name if len(files) > 1 else ''} {content(path)}" for path in part]

    # One long task for each thread: to hand over single small files takes as long as to read them.
    parts = [files[start::workers] for start in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        every = sorted(line for listed in pool.map(lines, parts) for line in listed)
    return hashlib.sha256(canonical(every).encode()).hexdigest()[:16]


def states(files: Iterable[Path]) -> dict[Path, State]:
    """Size and time of change of files by their absolute paths; of one that is gone, (-1, -1)."""
    by_path = {}
    for path in map(Path.absolute, files):
        try:
            state = path.stat()
            by_path[path] = state.st_size, state.st_mtime_ns
        except OSError:
            by_path[path] = -1, -1
    return by_path


def content(path: Path) -> str:
    """What identifies a file of recordings: of a zip its list of checksums, which is short.

    Raises:
        DataError: It cannot be read.
    """
    try:
        if not path.is_file():
            raise DataError("is not a regular file", "remove it from the recordings", file=path)
        with path.open("rb", buffering=0) as file:
            # Searching for the end of a zip takes longer than all else on a small file.
            if file.read(2) == b"PK" and zipfile.is_zipfile(file):
                infos = zipfile.ZipFile(file).infolist()
                members = [[info.filename, info.file_size, info.CRC] for info in infos]
                return hashlib.sha256(canonical(members).encode()).hexdigest()
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"cannot be read ({error})", "check the file", file=path) from error

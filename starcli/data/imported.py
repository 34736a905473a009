"""Data sets that a user imported: they lie in the store and are found there by name.

`<store>/datasets/NAME/` has `dataset.json`, which says everything but the skeletons, and a folder
that is named after the digest of this file, with shards of skeletons [rows, V, 3]; the rows of a
clip are its frames times its persons. To replace `dataset.json` is to replace the data set. Earlier
versions had the shards beside the file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NotRequired, TypedDict

from pydantic import BaseModel

from starcli import registry
from starcli.contracts import Clip, Layout, NoSettings, Recording, Subset
from starcli.data import layouts
from starcli.errors import DataError, UsageError, suggest
from starcli.poses import Unit, Up
from starcli.store import unfinished, verification
from starcli.totals import Totals, per_class

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FORMAT = 1
"""Version of the files."""
NAME = r"[a-z0-9][a-z0-9-]{0,99}"
FILE = unfinished.DATASET
SMALL = 2000
"""Clips below which a data set is small."""
SMALL_PRESET = {
    "method.star.attributes": 32,
    "method.star.width": 128,
    "method.star.heads": 4,
    "method.star.batch": 32,
    "method.star.augment": True,
}
AGAIN = "import it again with: starcli data import ... --overwrite"


class ClipRow(TypedDict):
    """What is said of a clip."""

    name: str
    label: int
    subject: str
    sides: Mapping[str, Subset]
    place: Sequence[int]
    """Its shard, and its first row, frames and persons there."""


class Shard(TypedDict):
    """A file of skeletons in the folder of the data set."""

    file: str
    sha256: str


class Given(TypedDict, total=False):
    """The options that said how files were meant."""

    layout: str
    up: Up
    unit: Unit
    people: str
    mirrored: bool
    swap_sides: bool


class About(TypedDict):
    """What is said of all clips; what is not known is left out."""

    format: int
    layout: Mapping[str, object]
    up: NotRequired[Up]
    unit: NotRequired[Unit]
    given: NotRequired[Given]
    reader: NotRequired[str]
    fps: NotRequired[float]
    flat: NotRequired[bool]


class Facts(TypedDict):
    """The class members that say how all clips are."""

    layout: Layout
    up: Up
    unit: Unit
    given: Given
    reader: str
    fps: float | None
    flat: bool


class Content(About):
    """The content of `dataset.json`."""

    classes: Sequence[str]
    splits: Mapping[str, Sequence[int]]
    protocols: Sequence[str]
    clips: Sequence[ClipRow]
    shards: Sequence[Shard]


class Imported:
    """An imported data set; `load` makes a class of each, with what its file says."""

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    Settings: ClassVar[type[BaseModel]] = NoSettings
    preset: ClassVar[Mapping[str, object]] = {}
    request: ClassVar[str | None] = None
    folder: ClassVar[Path]
    digest: ClassVar[str]
    """SHA-256 of the file, which names the bytes of all shards."""
    rows: ClassVar[Mapping[str, ClipRow]]
    """Clip name -> what the file says of it."""
    shards: ClassVar[Mapping[str, str]]
    """Path in the folder -> SHA-256."""
    up: ClassVar[Up]
    """The axis that pointed up in the user's files, where they did not say it themselves."""
    unit: ClassVar[Unit]
    """What they were in."""
    given: ClassVar[Given]
    """The options that said how the files were meant, by name."""
    reader: ClassVar[str]
    """Names of the readers of the files."""
    fps: ClassVar[float | None]
    """Frames a second of all clips; None where they differ or nobody said."""
    flat: ClassVar[bool]
    """Whether the clips are of pictures, without a depth."""
    layout: Layout
    classes: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    splits: Mapping[str, tuple[int, ...]] = {}
    missing_classes: tuple[int, ...] = ()
    """Class ids without any clip."""

    def __init__(self, settings: NoSettings) -> None:
        self.settings = settings

    def __reduce__(self) -> tuple[object, ...]:
        """By its place: the class is made anew in the process that reads."""
        return _same, (self.folder, self.digest)

    @property
    def totals(self) -> Totals:
        """What was imported."""
        rows = self.rows.values()
        clips = ((row["label"], row["sides"]) for row in rows)
        return Totals(
            clips=len(rows),
            subjects=len({row["subject"] for row in rows} - {""}) or None,
            subsets=per_class(clips, len(self.classes)),
            names=lambda: self.rows,
        )

    def files(self, raw: Path) -> Sequence[Path]:
        """No files: the recordings were copied when they were imported."""
        return ()

    def recordings(self, raw: Path | None) -> Sequence[Recording]:
        """One for each clip, in the order of names; `raw` is not read.

        Raises:
            DataError: A shard is damaged.
        """
        for name, expected in self.shards.items():
            _verify(self.folder / name, expected)
        return [self._recording(name) for name in sorted(self.rows)]

    def _recording(self, name: str) -> Recording:
        shard, start, frames, persons = self.rows[name]["place"]
        path = self.folder / list(self.shards)[shard]
        return Recording(name, path, start=start, stop=start + frames * persons)

    def clips(self, recording: Recording) -> Iterator[Clip]:
        """The clip of a recording.

        Raises:
            DataError: Its file is missing, damaged, or has fewer rows.
        """
        from starcli.data.normalise import checked

        row = self.rows[recording.name]
        _, _, frames, persons = row["place"]
        rows = _read(recording, frames * persons)
        joints = rows.reshape(frames, persons, *rows.shape[1:])
        yield Clip(
            name=recording.name,
            joints=checked(joints, self.layout, recording.where),
            label=row["label"],
            subsets=row["sides"],
            subject=row["subject"],
        )

    def write_sample(self, raw: Path) -> None:
        """Nothing to write: the recordings lie in the store."""


def folder(store: Path) -> Path:
    """Where a store keeps imported data sets."""
    return store / "datasets"


def names(store: Path) -> list[str]:
    """Names of the imported data sets, sorted."""
    folders = (path.parent.name for path in folder(store).glob(f"*/{FILE}"))
    return sorted(name for name in folders if re.fullmatch(NAME, name))


def load(store: Path, name: str) -> type[Imported]:
    """The class of an imported data set.

    Args:
        store: The folder of all results.
        name: Its name.

    Raises:
        UsageError: Neither a plugin nor an imported data set has the name.
        DataError: Its file is damaged.
    """
    imported = names(store)
    if name not in imported:
        known = [*(entry.name for entry in registry.entries("dataset")), *imported]
        raise UsageError(f"no dataset '{name}'", suggest(name, known))
    return _load((folder(store) / name).resolve())


def about(source: Imported) -> About:
    """What is said of all clips of a data set."""
    facts: About = {
        "format": FORMAT,
        "layout": layouts.tree(source.layout),
        "up": source.up,
        "unit": source.unit,
        "given": source.given,
        "reader": source.reader,
        "flat": source.flat,
    }
    if source.fps is not None:
        facts["fps"] = source.fps
    return facts


def without_clips(
    about: About, classes: Sequence[str], splits: Mapping[str, tuple[int, ...]], where: Path
) -> Imported:
    """A data set of which no clip is at hand: its facts, for recordings to be read as its were.

    Args:
        about: What is said of all clips.
        classes: Class names.
        splits: Split name -> unseen class ids.
        where: The file that says so.

    Raises:
        DataError: Its layout is none.
    """
    nothing = {"rows": {}, "shards": {}, "folder": where.parent, "digest": ""}
    members = {"classes": tuple(classes), "splits": splits, **_facts(about, where), **nothing}
    made: type[Imported] = type("Imported", (Imported,), members)
    return made(NoSettings())


def _load(place: Path) -> type[Imported]:
    try:
        state = (place / FILE).stat()
    except OSError as error:
        raise DataError(f"cannot be read ({error})", AGAIN, file=place / FILE) from error
    return _parsed(place, state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _parsed(place: Path, inode: int, size: int, changed: int) -> type[Imported]:
    path = place / FILE
    try:
        data = path.read_bytes()
        content: Content = json.loads(data)
        if content["format"] != FORMAT:
            raise DataError(
                f"has format {content['format']}, this starcli reads {FORMAT}", AGAIN, file=path
            )
        digest = hashlib.sha256(data).hexdigest()
        members = _members(content, path)
        shards = {shard["file"]: shard["sha256"] for shard in content["shards"]}
        if odd := [name for name in shards if not unfinished.SHARD.fullmatch(name)]:
            raise ValueError(f"'{odd[0]}' is not the name of a file of clips")
        members["shards"] = _placed(path, digest, shards)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration) as error:
        raise DataError(f"is damaged ({error!r})", AGAIN, file=path) from error
    return type("Imported", (Imported,), {**members, "folder": place, "digest": digest})


def _placed(path: Path, digest: str, shards: Mapping[str, str]) -> dict[str, str]:
    """Where shards lie, as path in the folder of a data set -> SHA-256."""
    version = path.parent / version_of(digest)
    if version.is_dir():
        return {f"{version.name}/{name}": sha256 for name, sha256 in shards.items()}
    if not all((path.parent / name).is_file() for name in shards):
        raise DataError("is damaged, or clips that it names are gone", AGAIN, file=path)
    return dict(shards)


def version_of(digest: str) -> str:
    """The folder of shards for a `dataset.json` of this SHA-256."""
    return digest[:16]


def _members(content: Content, path: Path) -> dict[str, object]:
    """The class members that a file describes."""
    facts = _facts(content, path)
    splits = {name: tuple(ids) for name, ids in content["splits"].items()}
    protocols, labels = tuple(content["protocols"]), {row["label"] for row in content["clips"]}
    preset: dict[str, object] = {
        "dataset.protocol": protocols[0],
        "dataset.split": next(iter(splits)),
        "describer.name": "lexicon",
    }
    if 6 not in facts["layout"].parts:  # the default of the setting
        preset |= {"parts": max(facts["layout"].parts), "describer.name": "names"}
    return {
        **facts,
        "classes": tuple(content["classes"]),
        "protocols": protocols,
        "splits": splits,
        "missing_classes": tuple(c for c in range(len(content["classes"])) if c not in labels),
        "preset": {**preset, **(SMALL_PRESET if len(content["clips"]) < SMALL else {})},
        "rows": {row["name"]: row for row in content["clips"]},
    }


def _facts(about: About, path: Path) -> Facts:
    """The class members that say how all clips are."""
    return {
        "layout": layouts.parse(about["layout"], path),
        "up": about.get("up", "y"),
        "unit": about.get("unit", "m"),
        "given": _given(about),
        "reader": about.get("reader", "arrays"),
        "fps": about.get("fps"),
        "flat": about.get("flat", False),
    }


def _given(about: About) -> Given:
    """The options; earlier versions took arrays only, and always said axis and unit."""
    if "given" in about:
        return about["given"]
    given = Given()
    if "up" in about:
        given["up"] = about["up"]
    if "unit" in about:
        given["unit"] = about["unit"]
    return given


def _same(place: Path, digest: str) -> Imported:
    """The data set that another process pickled."""
    current = _load(place)
    if current.digest != digest:
        raise DataError("changed while it was read", "run the command again", file=place / FILE)
    return current(NoSettings())


def _verify(shard: Path, expected: str) -> None:
    """Refuse a shard that is not as it was written.

    Raises:
        DataError: It is not.
    """
    record: verification.Record = {"files": {shard.name: expected}}
    _, what = verification.fault(shard.parent, [shard.name], record, whole=True)
    if what:
        raise DataError(what, AGAIN, file=shard)


def _read(recording: Recording, count: int) -> npt.NDArray[np.float32]:
    """Rows [count, V, 3] of a shard."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(recording.file, framework="np") as file:
            rows: npt.NDArray[np.float32] = file.get_slice("joints")[
                recording.start : recording.stop
            ]
    except (OSError, SafetensorError) as error:
        raise DataError(f"cannot be read ({error})", AGAIN, file=recording.where) from error
    if len(rows) != count:
        raise DataError(
            f"has no rows {recording.start} to {recording.stop}", AGAIN, file=recording.where
        )
    return rows

"""A user's recordings -> a data set in the store, which then has a name like any other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from starcli import registry
from starcli.contracts import Layout, Progress, silent
from starcli.data import imported, layouts
from starcli.data.importing import inspection, options
from starcli.data.importing.conversion import Meaning
from starcli.data.importing.index import Entry
from starcli.data.importing.inspection import Inspection, Known
from starcli.data.importing.labels import Labelled, every_action, labelled
from starcli.data.importing.reading import Clip, agreed, clips
from starcli.data.importing.sources import unpacked
from starcli.data.normalise import checked
from starcli.errors import DataError, UsageError, writes_to
from starcli.files import digest, save_text, save_whole, sync
from starcli.store.artifacts import SHARD_BYTES
from starcli.store.recipe_key import canonical
from starcli.store.unfinished import sweep, working

Joints = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ImportRequest:
    """What is to be imported, and how it is meant.

    Args:
        source: A file, folder, zip or index of recordings.
        meaning: What the user says of them, above what their files say.
        reader: The only reader that is to be used; None for the one that knows the format.
        pattern: A regular expression with groups `class`, `subject`, `view` for their names.
        fps: Their frames a second, where no file says them.
        classes: A file with a class name in each line; None for those that the clips have.
        train: `xsub` and `xview` -> the subjects and views that train.
        unseen: The splits, as `options.splits` takes them.
    """

    source: Path
    meaning: Meaning = field(default_factory=Meaning)
    reader: str | None = None
    pattern: str | None = None
    fps: float | None = None
    classes: Path | None = None
    train: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unseen: Sequence[str] = ()


class Made(NamedTuple):
    """What an import has made.

    Args:
        dataset: The class of the data set.
        inspection: What its recordings were.
    """

    dataset: type[imported.Imported]
    inspection: Inspection


def make(
    name: str,
    request: ImportRequest,
    store: Path,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Made:
    """Copy a user's recordings into the store, whole or not at all.

    Args:
        name: What the data set is called from now on.
        request: What is to be imported.
        store: The folder of all results.
        overwrite: Replace a data set of this name.
        progress: Told about every recording.

    Raises:
        UsageError: The name cannot be used or is taken, or a choice is impossible.
        DataError: Something cannot be read, is not what it should be, or is not a body.
        OutputError: The store cannot be written.
    """
    target = imported.folder(store) / name
    _check_name(name, target, overwrite)
    with unpacked(request.source) as place:
        items, unknown = labelled(
            place, request.reader, request.pattern, request.meaning.layout, request.source
        )
        items.sort(key=lambda item: item.entry.name)
        if every_action(items):  # what is wrong there is known before anything is read
            _choices([item.entry for item in items], request)
        meaning = agreed([item.source for item in items], request.meaning)
        sweep(store)
        with working(store, "datasets", name, "import", wait=True) as work, writes_to(target):
            _check_name(name, target, overwrite)  # another process may have been waited for
            copied = _Copied()
            joints = copied.joints(items, replace(request, meaning=meaning), progress)
            places, shards = _write_shards(joints, work / "files")
            chosen = _choices([known.entry for known in copied.clips], request)
            warnings = inspection.notes(copied.clips, unknown) + chosen.warnings
            warnings += inspection.contradictions(copied.clips)
            report = inspection.summary(copied.clips, warnings)
            content: imported.Content = {
                **_about(copied, request.meaning, meaning, report),
                "classes": chosen.classes,
                "splits": chosen.splits,
                "protocols": list(chosen.subsets),
                "clips": _rows(copied.clips, places, chosen),
                "shards": shards,
            }
            save_text(work / imported.FILE, canonical(content))
            _put(work, target)
    return Made(imported.load(store, name), report)


def _choices(entries: Sequence[Entry], request: ImportRequest) -> options.Choices:
    return options.choices(entries, request.classes, request.train, request.unseen)


class _Copied:
    """What is kept of clips while they are written."""

    def __init__(self) -> None:
        self.clips: list[Known] = []
        self.layout: Layout | None = None

    def joints(
        self, items: Sequence[Labelled], request: ImportRequest, progress: Progress
    ) -> Iterator[Joints]:
        """Each clip [frames, M, V, 3], metres, y up."""
        for clip in clips(items, request.meaning, request.fps, progress):
            self.layout = clip.layout
            self.clips.append(Known.of(clip))
            yield _sound(clip, self.clips[-1])


def _sound(clip: Clip, known: Known) -> Joints:
    try:
        return checked(clip.joints, clip.layout, clip.entry.name)
    except DataError as error:
        inspection.contradictions([known])  # which knows more of why
        fix = "check --unit and --layout, or fix the recording, or leave it out"
        raise DataError(error.message, fix, file=error.file, frame=error.frame) from error


def _about(copied: _Copied, given: Meaning, meaning: Meaning, report: Inspection) -> imported.About:
    """What is said of all clips; facts that are not known are left out."""
    assert copied.layout is not None
    flat = all(known.facts.body.flat for known in copied.clips)
    facts: imported.About = {
        "format": imported.FORMAT,
        "layout": layouts.tree(copied.layout),
        "up": meaning.up or meaning.usual_up or ("-y" if flat else "y"),
        "unit": meaning.unit or meaning.usual_unit or copied.clips[0].facts.unit,
        "given": options.given(given),
        "reader": report["reader"],
    }
    if report["fps"] is not None:
        facts["fps"] = report["fps"]
    if flat:
        facts["flat"] = True
    return facts


def _rows(
    clips: Sequence[Known], places: Sequence[Sequence[int]], chosen: options.Choices
) -> list[imported.ClipRow]:
    """What is said of each clip, in the order of names."""
    rows: list[imported.ClipRow] = [
        {
            "name": known.entry.name,
            "label": chosen.labels[number],
            "subject": known.entry.subject,
            "sides": {protocol: subset[number] for protocol, subset in chosen.subsets.items()},
            "place": places[number],
        }
        for number, known in enumerate(clips)
    ]
    return sorted(rows, key=lambda row: row["name"])


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


def _write_shards(
    skeletons: Iterable[Joints], folder: Path
) -> tuple[list[list[int]], list[imported.Shard]]:
    """Write clips one after the other, and tell where each lies and what the files are."""
    places: list[list[int]] = []
    shards: list[imported.Shard] = []
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
    if version.exists():  # the same recordings again, which may be to repair these files
        for shard in (work / "files").iterdir():
            os.replace(shard, version / shard.name)
    else:
        os.replace(work / "files", version)
    for folder in (version, target):
        sync(folder)
    os.replace(work / imported.FILE, target / imported.FILE)
    sync(target)

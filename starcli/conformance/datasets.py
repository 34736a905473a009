"""Rules of data sets, on the made-up recordings that they write of themselves."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from starcli.contracts import (
    BadClip,
    Clip,
    DatasetSource,
    ImpossibleSplits,
    MissingClasses,
    PublishedValidation,
    Recording,
    SingleFileReader,
)
from starcli.errors import StarError
from starcli.totals import SUBSETS, CountedDataset, Totals

ENOUGH = 24
"""Clips that are looked at: samples are small, but a data set made on the fly may be large."""


@contextmanager
def sample(
    plugin: type[DatasetSource], settings: BaseModel
) -> Iterator[tuple[DatasetSource, Path | None]]:
    """The source, and a folder with its made-up recordings; None where it needs none."""
    source = plugin(settings)
    if source.request is None:
        yield source, None
        return
    with tempfile.TemporaryDirectory() as folder:
        source.write_sample(Path(folder))
        yield source, Path(folder)


def clips_of(source: DatasetSource, recording: Recording) -> Iterator[Clip]:
    """The clips of a recording, none of which may be damaged."""
    for clip in source.clips(recording):
        if isinstance(clip, BadClip):
            raise clip.error
        yield clip


def read(source: DatasetSource, raw: Path | None) -> list[Clip]:
    """The first clips."""
    clips: list[Clip] = []
    for recording in source.recordings(raw):
        clips += clips_of(source, recording)
        if len(clips) >= ENOUGH:
            break
    return clips


def classes_are_names(plugin: type[DatasetSource], settings: BaseModel) -> None:
    """Two classes or more, each with a name of its own."""
    names = [" ".join(name.casefold().split()) for name in plugin(settings).classes]
    assert len(names) > 1 and all(names)
    assert len(set(names)) == len(names), "two classes have one name"


def splits_are_disjoint(plugin: type[DatasetSource], settings: BaseModel) -> None:
    """Unseen classes exist, are named once, and leave two seen ones or more."""
    source = plugin(settings)
    assert source.splits and source.protocols
    for name, unseen in source.splits.items():
        assert len(set(unseen)) == len(unseen) > 0, f"split {name} repeats a class or is empty"
        assert set(unseen) <= set(range(len(source.classes))), f"split {name} has no such class"
        assert len(source.classes) - len(unseen) > 1, f"split {name} leaves too few seen classes"


def parts_are_disjoint(plugin: type[DatasetSource], settings: BaseModel) -> None:
    """The parts of every partition cover each joint once."""
    layout = plugin(settings).layout
    for count, parts in layout.parts.items():
        joints = sorted(joint for group in parts.values() for joint in group)
        assert joints == list(range(len(layout.joints))), f"partition into {count}"
        assert len(parts) == count


def clips_have_the_promised_shape(plugin: type[DatasetSource], settings: BaseModel) -> None:
    """Finite float32 [frames, M, V, 3], a known label, a subset of every protocol, own names."""
    with sample(plugin, settings) as (source, raw):
        clips = read(source, raw)
        assert clips, "its sample has no clips"
        for clip in clips:
            assert clip.joints.dtype == np.float32, f"{clip.name}: {clip.joints.dtype}"
            frames, persons, joints, axes = clip.joints.shape
            assert frames > 0 and persons > 0 and axes == 3, f"{clip.name}: {clip.joints.shape}"
            assert joints == len(source.layout.joints), f"{clip.name}: {joints} joints"
            assert np.isfinite(clip.joints).all() and clip.joints.any(), clip.name
            assert 0 <= clip.label < len(source.classes), f"{clip.name}: label {clip.label}"
            assert set(clip.subsets) == set(source.protocols), f"{clip.name}: {clip.subsets}"
            assert set(clip.subsets.values()) <= {"train", "test"}, f"{clip.name}: {clip.subsets}"
        assert len({clip.name for clip in clips}) == len(clips), "two clips have one name"


def recordings_come_in_order(plugin: type[DatasetSource], settings: BaseModel) -> None:
    """Recordings are sorted by names of their own."""
    with sample(plugin, settings) as (source, raw):
        names = [recording.name for recording in source.recordings(raw)]
        assert names and names == sorted(set(names))


def reading_twice_gives_the_same(plugin: type[DatasetSource], settings: BaseModel) -> None:
    """Two sources read the same clips, in whatever order they are asked for."""
    with sample(plugin, settings) as (source, raw):
        first = read(source, raw)
        again = plugin(settings)
        recordings = list(again.recordings(raw))
        last = recordings[len(recordings) // 2]
        alone = {clip.name: clip for clip in clips_of(again, last)}
        second = read(again, raw)
    for one, two in zip(first, second, strict=True):
        assert one.name == two.name and np.array_equal(one.joints, two.joints), one.name
        if one.name in alone:
            assert np.array_equal(one.joints, alone[one.name].joints), f"{one.name} alone"


def files_exist(plugin: type[DatasetSource], settings: BaseModel) -> None:
    """The files that clips depend on are named."""
    with sample(plugin, settings) as (source, raw):
        if raw is not None:
            files = source.files(raw)
            assert files and all(Path(file).is_file() for file in files)


def a_truncated_file_is_named(plugin: type[DatasetSource], settings: BaseModel) -> None:
    """Where a file is cut in half, the error says which."""
    with sample(plugin, settings) as (source, raw):
        if raw is None:
            return
        broken = max(source.files(raw), key=lambda file: Path(file).stat().st_size)
        content = Path(broken).read_bytes()
        Path(broken).write_bytes(content[: len(content) // 2])
        again = plugin(settings)
        try:
            for recording in again.recordings(raw):
                list(clips_of(again, recording))
        except StarError as error:
            assert Path(broken).name in str(error), f"does not name {broken}: {error}"
            return
        raise AssertionError(f"{broken} was cut in half, and nobody noticed")


def an_empty_folder_is_refused(plugin: type[DatasetSource], settings: BaseModel) -> None:
    """A folder without recordings is an error of ours that says so."""
    source = plugin(settings)
    if source.request is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            source.files(Path(folder))
        except StarError as error:
            assert error.fix
            return
    raise AssertionError("an empty folder was taken for recordings")


def totals_add_up(plugin: type[DatasetSource], settings: BaseModel) -> None:
    """What is known of the complete data set agrees with itself and with classes and protocols."""
    source = plugin(settings)
    totals = source.totals if isinstance(source, CountedDataset) else Totals()
    assert set(totals.subsets) <= set(source.protocols), f"totals know {list(totals.subsets)}"
    for protocol, subsets in totals.subsets.items():
        assert all(len(subsets[subset]) == len(source.classes) for subset in SUBSETS), protocol
        assert totals.clips == sum(sum(subsets[subset]) for subset in SUBSETS), protocol
    if totals.names is not None:
        names = list(totals.names())
        assert len(set(names)) == len(names) == totals.clips, f"{len(names)} names"


def missing_classes_have_no_clips(plugin: type[DatasetSource], settings: BaseModel) -> None:
    """Classes that it says are missing are ids of its own, in no split, and without clips."""
    with sample(plugin, settings) as (source, raw):
        if not isinstance(source, MissingClasses):
            return
        missing = {*source.missing_classes}
        assert missing <= set(range(len(source.classes))), f"no such class: {missing}"
        for name, unseen in source.splits.items():
            assert not missing & {*unseen}, f"split {name} has a missing class"
        for clip in read(source, raw):
            assert clip.label not in missing, f"{clip.name} is of a missing class"


def impossible_splits_cannot_be_chosen(plugin: type[DatasetSource], settings: BaseModel) -> None:
    """A split that cannot be asked for says why, and is not among those that can."""
    source = plugin(settings)
    if isinstance(source, ImpossibleSplits):
        for name, reason in source.impossible_splits.items():
            assert name not in source.splits, f"split {name} is possible as well"
            assert reason.strip(), f"split {name}: no reason"


def validation_classes_are_seen(plugin: type[DatasetSource], settings: BaseModel) -> None:
    """Published classes of validation are of a split, and none of its unseen ones."""
    source = plugin(settings)
    if isinstance(source, PublishedValidation):
        for name, ids in source.validation.items():
            assert name in source.splits, f"no split {name}"
            assert {*ids} <= set(range(len(source.classes))), f"split {name}: no such class"
            assert not {*ids} & {*source.splits[name]}, f"split {name}: validation is unseen"


def single_files_are_read(plugin: type[DatasetSource], settings: BaseModel) -> None:
    """A single file, under another name, is read as joints [frames, M, V, 3]."""
    with sample(plugin, settings) as (source, raw):
        if raw is None or not isinstance(source, SingleFileReader):
            return
        own = [each for each in source.recordings(raw) if each.file.suffix == source.suffix]
        for recording in own[:1]:
            place = raw / f"another{source.suffix}"
            place.write_bytes(recording.file.read_bytes())
            joints = source.skeleton(Recording(place.name, place))
            assert joints.dtype == np.float32 and joints.ndim == 4, joints.shape
            assert joints.shape[2:] == (len(source.layout.joints), 3), joints.shape
            assert np.isfinite(joints).all() and joints.any()


RULES = (
    classes_are_names,
    splits_are_disjoint,
    parts_are_disjoint,
    clips_have_the_promised_shape,
    recordings_come_in_order,
    reading_twice_gives_the_same,
    files_exist,
    a_truncated_file_is_named,
    an_empty_folder_is_refused,
    totals_add_up,
    missing_classes_have_no_clips,
    impossible_splits_cannot_be_chosen,
    validation_classes_are_seen,
    single_files_are_read,
)

"""Several data sets as one, in joints that all of them have: `a,b,c`.

Classes with one name are one class. Protocols and splits are those of the first data set; clips of
the others train in each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from starcli import registry
from starcli.class_names import alike
from starcli.contracts import (
    ALL,
    BadClip,
    Clip,
    DatasetSource,
    KnownRate,
    Layout,
    MissingClasses,
    Recording,
    Synonyms,
)
from starcli.data import layouts
from starcli.data.imported import SMALL_PRESET, Imported
from starcli.data.mapping import JointMap, joint_map
from starcli.data.rates import at_rate
from starcli.errors import AbsentError, DataError, UsageError

SEPARATOR = ","
FPS = 30.0
"""Frames a second to which clips of known other rates are brought."""
INSIDE = "/"
"""What stands between the name of a data set and those of its clips, recordings and subjects."""


@dataclass(frozen=True)
class Member:
    """One of the data sets.

    Args:
        name: Its name.
        source: The data set.
        joints: How the common joints follow from its own.
        labels: Its class ids -> those of all data sets together.
    """

    name: str
    source: DatasetSource
    joints: JointMap
    labels: Sequence[int]

    @property
    def fps(self) -> float | None:
        """Its frames a second; None where they differ or nobody knows."""
        return self.source.fps if isinstance(self.source, KnownRate) else None

    def place(self, raw: Path) -> Path:
        """Its recordings below a folder.

        Raises:
            AbsentError: There are none.
        """
        places = [raw / self.name, raw / self.name.replace("-", "_")]
        for place in places:
            if place.exists():
                return place
        raise AbsentError(
            f"no recordings of {self.name}",
            f"put them into the folder of --raw as '{self.name}', or leave it out of --dataset; "
            f"starcli data show {self.name} says what they are",
            file=places[0],
        )


class Common(BaseModel):
    """What all clips have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: str = Field("openni-15", description="joints to which all clips are mapped")


class Joined:
    """Data sets that are learned from together; `join` makes a class of each list of names."""

    Settings: ClassVar[type[BaseModel]] = Common
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    names: ClassVar[tuple[str, ...]] = ()
    plugins: ClassVar[Mapping[str, type[DatasetSource]]] = {}
    preset: ClassVar[Mapping[str, object]] = {
        "dataset.protocol": ALL,
        "dataset.split": ALL,
        "pretrain.balance": 0.5,
        **SMALL_PRESET,
    }
    request: ClassVar[str | None] = None

    def __init__(self, settings: Common) -> None:
        self._join(settings, {name: p(p.Settings()) for name, p in self.plugins.items()})

    def _join(self, settings: Common, sources: Mapping[str, DatasetSource]) -> None:
        self.settings = settings
        self.layout: Layout = layouts.named(settings.layout)
        self.classes = _union([source.classes for source in sources.values()])
        self.members = tuple(self._member(name, source) for name, source in sources.items())
        first = self.members[0]
        self.protocols: tuple[str, ...] = first.source.protocols
        self.splits: Mapping[str, tuple[int, ...]] = {
            name: self._ids(first, ids) for name, ids in first.source.splits.items()
        }

    def __reduce__(self) -> tuple[object, ...]:
        """By what it is made of: the class is made anew in the process that reads."""
        return _again, (self.settings, {member.name: member.source for member in self.members})

    @property
    def missing_classes(self) -> tuple[int, ...]:
        """Classes without clips in any of the data sets."""
        there = set[int]()
        for member in self.members:
            there |= set(member.labels) - set(self._ids(member, _missing(member.source)))
        return tuple(label for label in range(len(self.classes)) if label not in there)

    @property
    def synonyms(self) -> Mapping[str, Sequence[str]]:
        """Name of a class -> what else the data sets call it."""
        more: dict[str, list[str]] = {}
        for member in self.members:
            own = member.source.synonyms if isinstance(member.source, Synonyms) else {}
            for name, label in zip(member.source.classes, member.labels, strict=True):
                others = {name, *own.get(name, ())} - {self.classes[label]}
                more.setdefault(self.classes[label], []).extend(sorted(others))
        return {name: others for name, others in more.items() if others}

    @property
    def fps(self) -> float | None:
        """Frames a second where those of every data set are known."""
        return FPS if all(member.fps is not None for member in self.members) else None

    @property
    def notes(self) -> list[str]:
        """What is to be known of the data sets together, a line each."""
        unknown = [member.name for member in self.members if member.fps is None]
        several = [
            f"{name} ({', '.join(of)})"
            for label, name in enumerate(self.classes)
            if len(of := [m.name for m in self.members if label in m.labels]) > 1
        ]
        rates = f"frame rates are unknown, and left as they are, of {', '.join(unknown)}"
        shared = f"one class with one description in several data sets: {'; '.join(several)}"
        return [*([rates] if unknown else []), *([shared] if several else [])]

    def alone(self, name: str) -> Joined:
        """One of the data sets in the common joints, with classes and subsets of its own."""
        source = next(member.source for member in self.members if member.name == name)
        return _again(self.settings, {name: source})

    def has(self, member: int) -> frozenset[int]:
        """The classes of one of the data sets."""
        return frozenset(self.members[member].labels)

    def member_of(self, clip: str) -> int:
        """Which of the data sets a clip is of."""
        return [member.name for member in self.members].index(clip.partition(INSIDE)[0])

    def files(self, raw: Path) -> Sequence[Path]:
        """The files of all data sets."""
        return [file for member, place in self._placed(raw) for file in member.source.files(place)]

    def recordings(self, raw: Path | None) -> Sequence[Recording]:
        """Those of all data sets, each with the name of its data set before its own.

        Raises:
            AbsentError: A data set has no recordings in a folder of its name.
        """
        if raw is None and self.request is not None:
            raise DataError("the recordings of all data sets are needed", self.request)
        return sorted(
            replace(recording, name=f"{member.name}{INSIDE}{recording.name}")
            for member, place in self._placed(raw or Path())
            for recording in member.source.recordings(place)
        )

    def clips(self, recording: Recording) -> Iterator[Clip | BadClip]:
        """The clips of a recording, in the common joints and classes."""
        name, _, own = recording.name.partition(INSIDE)
        member = next(member for member in self.members if member.name == name)
        for clip in member.source.clips(replace(recording, name=own)):
            if isinstance(clip, BadClip):
                yield replace(clip, name=f"{name}{INSIDE}{clip.name}")
            else:
                yield self._as_ours(clip, member)

    def write_sample(self, raw: Path) -> None:
        """Write the samples of all data sets, each in a folder of its name."""
        for member in self.members:
            place = raw / member.name
            place.mkdir(parents=True, exist_ok=True)
            member.source.write_sample(place)

    def _as_ours(self, clip: Clip, member: Member) -> Clip:
        own = member is self.members[0]
        joints = member.joints.apply(clip.joints.astype(np.float64)).astype(np.float32)
        return replace(
            clip,
            name=f"{member.name}{INSIDE}{clip.name}",
            joints=at_rate(joints, member.fps, FPS),
            label=member.labels[clip.label],
            subsets=clip.subsets if own else dict.fromkeys(self.protocols, "train"),
            subject=f"{member.name}{INSIDE}{clip.subject}",
        )

    def _placed(self, raw: Path) -> Iterator[tuple[Member, Path]]:
        for member in self.members:
            yield member, raw if member.source.request is None else member.place(raw)

    def _ids(self, member: Member, own: Sequence[int]) -> tuple[int, ...]:
        return tuple(sorted(member.labels[label] for label in own))

    def _member(self, name: str, source: DatasetSource) -> Member:
        if isinstance(source, Imported) and source.flat:
            raise UsageError(
                f"dataset.name: {name} has two axes, the other data sets have three",
                "train on it alone",
            )
        try:
            joints = joint_map(source.layout, self.layout)
        except DataError as error:
            raise UsageError(
                f"dataset.name: {name}: {error.message}",
                f"leave {name} out, or choose other joints with --set dataset.layout=NAME",
            ) from error
        places = {alike(each): label for label, each in enumerate(self.classes)}
        return Member(name, source, joints, [places[alike(each)] for each in source.classes])


def join(plugins: Mapping[str, type[DatasetSource]]) -> type[Joined]:
    """The class of data sets that are learned from together.

    Args:
        plugins: Name -> class of each.
    """
    requests = [f"{n}: {p.request}" for n, p in plugins.items() if p.request is not None]
    request = "pass --raw with a folder that has a folder or zip of each; " + "; ".join(requests)
    members = {
        "names": tuple(plugins),
        "plugins": dict(plugins),
        "request": request if requests else None,
    }
    made: type[Joined] = type("Joined", (Joined,), members)
    return made


def _again(settings: Common, sources: Mapping[str, DatasetSource]) -> Joined:
    """The data sets that another process pickled."""
    made = join({name: type(source) for name, source in sources.items()})
    joined = made.__new__(made)
    joined._join(settings, sources)
    return joined


def names_in(listed: str) -> list[str]:
    """The names in a list of data sets.

    Raises:
        UsageError: One is empty, or there twice.
    """
    names = [name.strip() for name in listed.split(SEPARATOR)]
    for name in names:
        if not name:
            raise UsageError(f"dataset.name: '{listed}' names nothing between two commas", "fix it")
        if names.count(name) > 1:
            raise UsageError(f"dataset.name: {name} is there twice", "name it once")
    return names


def recipe(
    plugins: Mapping[str, type[DatasetSource]], settings: Mapping[str, object]
) -> dict[str, object]:
    """The part of a recipe that says which data sets are joined, in which joints.

    Args:
        plugins: Name -> class of each.
        settings: What they have in common.
    """
    return {
        "plugin": place_of(plugins),
        "plugin_revision": Joined.revision,
        "settings": dict(settings),
        "joined": {name: _recipe(name, plugin) for name, plugin in plugins.items()},
    }


def place_of(names: Iterable[str]) -> str:
    """What recipes call data sets that are joined."""
    return f"joined:{SEPARATOR.join(names)}"


def _recipe(name: str, plugin: type[DatasetSource]) -> dict[str, object]:
    if issubclass(plugin, Imported):
        return {"plugin": f"imported:{name}", "content": plugin.digest}
    entry = registry.find("dataset", name)
    return {"plugin": f"{entry.distribution}:{entry.name}", "plugin_revision": plugin.revision}


def _union(many: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """All names, of alike ones the first."""
    names: dict[str, str] = {}
    for classes in many:
        for name in classes:
            names.setdefault(alike(name), name)
    return tuple(names.values())


def _missing(source: DatasetSource) -> Sequence[int]:
    return source.missing_classes if isinstance(source, MissingClasses) else ()

"""The data set of made-up movements: clips composed on the fly, a class for each name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import ClassVar, Generic, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from starcli.contracts import Clip, Layout, MadeUpClip, Recording, Subset
from starcli.data.mapping import joint_map
from starcli.data.normalise import Joints
from starcli.totals import Totals, per_class
from starcli_plugins.datasets import SMALL
from starcli_plugins.datasets.movements import composer, entries
from starcli_plugins.datasets.movements.entries import SIDES, both_forms, spoken
from starcli_plugins.layouts import KINECT_V2, OPENNI_15

Value = TypeVar("Value")
LAYOUTS = {layout.name: layout for layout in (KINECT_V2, OPENNI_15)}
FPS = 30.0
FOLDS = 5
SUBJECTS = 8
"""Clips are dealt out to so many subjects, though every clip has a body of its own."""
SEEDS = 1_000_000
"""Seeds of clips that a seed of the data set has."""


@cache
def members() -> Mapping[str, tuple[str, ...]]:
    """Class, a first name with sides not named, -> ids of its movements."""
    labels: dict[str, list[str]] = {}
    for name, movement in entries.movements().items():
        if movement.names:
            label = spoken(movement.names[0], "right", named=False)
            labels.setdefault(label, []).append(name)
    return {label: tuple(names) for label, names in sorted(labels.items())}


def folds() -> Mapping[str, tuple[int, ...]]:
    """Split -> unseen classes, every fifth one."""
    return {f"fold{fold}": tuple(range(fold, len(members()), FOLDS)) for fold in range(FOLDS)}


class AsAsked(Generic[Value]):
    """An attribute of a class that is made when somebody asks: reading all entries takes a while.

    Args:
        make: Makes its value.
    """

    def __init__(self, make: Callable[[], Value]) -> None:
        self.make = make

    def __get__(self, instance: object, owner: type) -> Value:
        return self.make()


class Movements:
    """Clips of all movements, composed from the settings: nothing to download.

    Movements that share their first name are one class, and both sides are the same class.
    """

    class Settings(BaseModel):
        """How many clips, of which seed."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        clips: int = Field(16, ge=2, le=1000, description="clips of each class")
        seed: int = Field(0, ge=0, lt=2**32, description="seed of the clips")
        layout: Literal["kinect-v2", "openni-15"] = Field(
            "kinect-v2", description="joints of the clips; openni-15: those that all sensors see"
        )

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    preset: ClassVar[Mapping[str, object]] = {
        "dataset.protocol": "xsub",
        "dataset.split": "fold0",
        "pretrain.epochs": 15,
        **SMALL,
    }
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "general": {
            "dataset.name": "movements",
            "dataset.movements.clips": 4,
            "dataset.movements.layout": "openni-15",
            "backbone.name": "part-pure",
            "backbone.body_width": 160,
            "method.name": "cosine",
            "describer.name": "movements",
            "describer.movements.encoder": "minilm",
            "prepare.normalise": ("floor", "body"),
            "pretrain.teacher": "movements",
            "pretrain.teacher_told": True,
            "pretrain.teacher_share": 0.9,
            "pretrain.teacher_clips": 12000,
            "pretrain.epochs": 10,
        }
    }
    request: ClassVar[str | None] = None
    fps: ClassVar[float | None] = FPS
    layout: Layout = KINECT_V2
    protocols = ("xsub",)
    classes = AsAsked(lambda: tuple(members()))
    splits = AsAsked(folds)

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.layout = LAYOUTS[settings.layout]
        self._composers: dict[frozenset[str], composer.Composer] = {}

    @property
    def totals(self) -> Totals:
        """What its settings ask for."""
        names = [recording.name for recording in self.recordings(None)]
        places = (self._place(name) for name in names)
        return Totals(
            clips=len(names),
            subjects=min(SUBJECTS, self.settings.clips),
            views=1,
            subsets=per_class(
                ((label, _subsets(number)) for label, number in places), len(self.classes)
            ),
            names=lambda: names,
        )

    @cached_property
    def _composer(self) -> composer.Composer:
        return composer.Composer(composer.Settings(rates=(FPS,)))

    @cached_property
    def movements(self) -> Mapping[str, tuple[str, ...]]:
        """Id of a movement -> its names, with either side and without."""
        return {
            name: tuple(
                dict.fromkeys(form for side in SIDES for form in both_forms(movement.names, side))
            )
            for name, movement in entries.movements().items()
        }

    @property
    def synonyms(self) -> Mapping[str, tuple[str, ...]]:
        """Class -> all names of its movements."""
        return {
            label: tuple(name for movement in ids for name in self.movements[movement])
            for label, ids in members().items()
        }

    def sentences(self, without: Collection[str] = ()) -> Mapping[str, tuple[str, ...]]:
        """Part -> all sentences of all movements but some."""
        return dict(self._composer_without(frozenset(without)).sentences().items())

    def make_up(self, seed: int, without: Collection[str]) -> MadeUpClip:
        """The clip of a seed, of any movements but some."""
        made = self._composer_without(frozenset(without)).clip(seed)
        return MadeUpClip(self._seen(made.joints), made.names, dict(made.sentences.items()))

    def fingerprint(self) -> str:
        """The entries that clips are composed of."""
        return entries.fingerprint()

    def _seen(self, joints: Joints) -> Joints:
        """Joints [frames, M, V, 3] of the layout, of those that are composed."""
        if self.layout is KINECT_V2:
            return joints
        mapped = joint_map(KINECT_V2, self.layout).apply(joints.astype(np.float64))
        return mapped.astype(np.float32)

    def _composer_without(self, without: frozenset[str]) -> composer.Composer:
        if without not in self._composers:
            self._composers[without] = composer.Composer(composer.Settings(without=without))
        return self._composers[without]

    def files(self, raw: Path) -> Sequence[Path]:
        """No files: the clips are made on the fly."""
        return ()

    def recordings(self, raw: Path | None) -> Sequence[Recording]:
        """One for each clip, in name order; `raw` is not read."""
        return sorted(
            Recording(f"{label}-{number:03d}", Path())
            for label in self._labels
            for number in range(self.settings.clips)
        )

    def clips(self, recording: Recording) -> Iterator[Clip]:
        """The clip of a name."""
        label, number = self._place(recording.name)
        ids = members()[self.classes[label]]
        seed = self.settings.seed * SEEDS + label * 1000 + number
        made = self._composer.clip(seed, ids[number % len(ids)])
        yield Clip(
            name=recording.name,
            joints=self._seen(made.joints),
            label=label,
            subsets=_subsets(number),
            subject=f"P{number % SUBJECTS + 1:02d}",
        )

    def write_sample(self, raw: Path) -> None:
        """Nothing to write: the clips are made on the fly."""

    def _place(self, name: str) -> tuple[int, int]:
        """Class and number of a clip."""
        label, _, number = name.rpartition("-")
        return self._labels[label], int(number)

    @cached_property
    def _labels(self) -> Mapping[str, int]:
        return {label.replace(" ", "-"): n for n, label in enumerate(self.classes)}


def _subsets(number: int) -> dict[str, Subset]:
    return {"xsub": "test" if number % 2 else "train"}

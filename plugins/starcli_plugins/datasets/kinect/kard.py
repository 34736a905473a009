"""KARD (Gaglio, Lo Re and Morana, IEEE THMS 2015): 18 activities, 10 people, Kinect v1."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from starcli.contracts import Clip, Recording, Subset
from starcli.data.normalise import Joints, checked
from starcli.totals import Totals, per_class
from starcli_plugins.datasets import SMALL
from starcli_plugins.datasets.kinect import joint_lines
from starcli_plugins.datasets.one_clip_files import OneClipFiles, class_at
from starcli_plugins.layouts import OPENNI_15

SUBJECTS, TAKES = range(1, 11), (1, 2, 3)
TO_OPENNI_15 = [0, 1, 8, 5, 6, 7, 2, 3, 4, 12, 13, 14, 9, 10, 11]
"""KARD has the torso after the arms, and the right side before the left."""
METRES = np.array([-1, 1, 1]) / 1000
"""Millimetres whose x runs the other way than the names of the sides say."""


class Kard(OneClipFiles):
    """KARD from its files of real-world coordinates, cross-subject protocol: odd subjects train.

    Joint names and axes of the files contradict each other: with the axes as they are, nobody who
    sits down faces forward, while the named right hand is the one that drinks and throws. So the
    names are kept, and x is negated. Its paper trains on shares of the clips of all people, or
    leaves one person out.
    """

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    name = "kard"
    pattern = r"a(\d+)_s(\d+)_e(\d+)_realworld\.txt"
    form = "aXX_sYY_eZZ_realworld.txt"
    preset: ClassVar[Mapping[str, Any]] = {
        "dataset.protocol": "xsub",
        "dataset.split": "fold0",
        **SMALL,
    }
    request: ClassVar[str | None] = (
        "get KARD from Mendeley Data (data.mendeley.com/datasets/k28dtm7tr6; the terms are there) "
        "and pass --raw with the zip or folder of its 540 files aXX_sYY_eZZ_realworld.txt"
    )
    suffix: ClassVar[str] = ".txt"
    fps: ClassVar[float | None] = 30
    layout = OPENNI_15
    protocols = ("xsub",)
    splits: Mapping[str, tuple[int, ...]] = {
        "fold0": (0, 2, 3, 10, 12),
        "fold1": (4, 5, 7, 13, 16),
        "fold2": (6, 9, 11, 14),
        "fold3": (1, 8, 15, 17),
    }
    classes = (
        "horizontal arm wave",
        "high arm wave",
        "two hand wave",
        "catch cap",
        "high throw",
        "draw x",
        "draw tick",
        "toss paper",
        "forward kick",
        "side kick",
        "take umbrella",
        "bend",
        "hand clap",
        "walk",
        "phone call",
        "drink",
        "sit down",
        "stand up",
    )

    @property
    def totals(self) -> Totals:
        """Every subject does every activity three times."""
        takes = list(itertools.product(range(len(self.classes)), SUBJECTS, TAKES))
        return Totals(
            clips=len(takes),
            subjects=len(SUBJECTS),
            views=1,
            subsets=per_class(((a, _subsets(s)) for a, s, _ in takes), len(self.classes)),
            names=lambda: (f"a{a + 1:02}_s{s:02}_e{e:02}" for a, s, e in takes),
        )

    def skeleton(self, recording: Recording) -> Joints:
        """The joints of a file, whatever it is called."""
        joints = joint_lines.read(recording, len(self.layout.joints))[:, :, TO_OPENNI_15] * METRES
        return checked(joints, self.layout, recording.where)

    def clip(self, recording: Recording, match: re.Match[str]) -> Clip:
        """The clip of a file named activity, subject and repetition."""
        action, subject, _ = (int(group) for group in match.groups())
        return Clip(
            name=recording.name.removesuffix("_realworld.txt"),
            joints=self.skeleton(recording),
            label=class_at(action, self.classes, recording),
            subsets=_subsets(subject),
            subject=f"s{subject:02}",
        )

    def write_sample(self, raw: Path) -> None:
        """Write one made-up clip of every class by subjects 1 and 2."""
        rng = np.random.default_rng(0)
        for action, subject in itertools.product(range(1, len(self.classes) + 1), (1, 2)):
            values = rng.normal(size=(41, len(self.layout.joints), 3)) * 500
            path = raw / f"a{action:02}_s{subject:02}_e01_realworld.txt"
            path.write_text(joint_lines.text(values), "utf-8")


def _subsets(subject: int) -> dict[str, Subset]:
    return {"xsub": "train" if subject % 2 else "test"}

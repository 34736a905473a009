"""UTKinect-Action3D (Xia, Chen and Aggarwal, CVPRW 2012): 10 actions, 10 people, Kinect v1."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from starcli.contracts import Clip, Recording, Subset
from starcli.data.normalise import Joints, checked
from starcli.errors import DataError
from starcli.totals import Totals, per_class
from starcli_plugins.datasets import SMALL
from starcli_plugins.datasets.kinect import joint_lines
from starcli_plugins.datasets.one_clip_files import OneClipFiles
from starcli_plugins.layouts import KINECT_V1

WORDS = (
    "walk",
    "sitDown",
    "standUp",
    "pickUp",
    "carry",
    "throw",
    "push",
    "pull",
    "waveHands",
    "clapHands",
)
"""What file names call the classes, in their order."""
SUBJECTS, TAKES = range(1, 11), (1, 2)


class UtKinect(OneClipFiles):
    """UTKinect-Action3D from text files, cross-subject protocol: odd subjects train.

    Its paper leaves one clip out at a time. Files have no time stamps, and frames in which nobody
    was tracked are left out of them.
    """

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    name = "utkinect"
    pattern = r"([A-Za-z]+)_s(\d+)_e(\d+)\.txt"
    form = "CLASS_sXX_eYY.txt"
    preset: ClassVar[Mapping[str, Any]] = {
        "dataset.protocol": "xsub",
        "dataset.split": "fold0",
        **SMALL,
    }
    request: ClassVar[str | None] = (
        "get UTKinect-Action3D of the University of Texas at Austin as one text file a clip (200 "
        "files CLASS_sXX_eYY.txt; github.com/Mabdou11/Activity-Recognition-skeleton-datasets, "
        "without a stated licence: for research) and pass --raw with their zip or folder"
    )
    suffix: ClassVar[str] = ".txt"
    fps: ClassVar[float | None] = None
    layout = KINECT_V1
    protocols = ("xsub",)
    splits: Mapping[str, tuple[int, ...]] = {
        "fold0": (2, 4, 6, 7),
        "fold1": (3, 5, 9),
        "fold2": (0, 1, 8),
    }
    classes = (
        "walk",
        "sit down",
        "stand up",
        "pick up",
        "carry",
        "throw",
        "push",
        "pull",
        "wave hands",
        "clap hands",
    )

    @property
    def totals(self) -> Totals:
        """Every subject does every action twice."""
        takes = list(itertools.product(range(len(WORDS)), SUBJECTS, TAKES))
        return Totals(
            clips=len(takes),
            subjects=len(SUBJECTS),
            views=1,
            subsets=per_class(((a, _subsets(s)) for a, s, _ in takes), len(self.classes)),
            names=lambda: (f"{WORDS[a]}_s{s:02}_e{e:02}" for a, s, e in takes),
        )

    def skeleton(self, recording: Recording) -> Joints:
        """The joints of a file, whatever it is called: metres, in the layout's order."""
        joints = joint_lines.read(recording, len(self.layout.joints))
        return checked(joints, self.layout, recording.where)

    def clip(self, recording: Recording, match: re.Match[str]) -> Clip:
        """The clip of a file named action, subject and repetition."""
        word, subject = match[1], int(match[2])
        if word not in WORDS:
            raise DataError(
                f"'{word}' is not an action of the data set",
                "remove the file; actions are " + ", ".join(WORDS),
                file=recording.where,
            )
        return Clip(
            name=recording.name.removesuffix(".txt"),
            joints=self.skeleton(recording),
            label=WORDS.index(word),
            subsets=_subsets(subject),
            subject=f"s{subject:02}",
        )

    def write_sample(self, raw: Path) -> None:
        """Write one made-up clip of every class by subjects 1 and 2."""
        rng = np.random.default_rng(0)
        for word, subject in itertools.product(WORDS, (1, 2)):
            values = rng.normal(size=(21, len(self.layout.joints), 3))
            (raw / f"{word}_s{subject:02}_e01.txt").write_text(joint_lines.text(values), "utf-8")


def _subsets(subject: int) -> dict[str, Subset]:
    return {"xsub": "train" if subject % 2 else "test"}

"""Florence 3D Actions (Seidenari et al., CVPRW 2013): 9 actions, 10 people, Kinect v1."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from starcli.contracts import Clip, Recording, Subset
from starcli.data.normalise import Joints, checked
from starcli.totals import Totals, per_class
from starcli_plugins.datasets import SMALL
from starcli_plugins.datasets.clip_tables import rows
from starcli_plugins.datasets.kinect import joint_lines
from starcli_plugins.datasets.one_clip_files import OneClipFiles, class_at
from starcli_plugins.layouts import OPENNI_15

TAKES = """
1: 3 3 3 4 4 2 2 4 4
2: 2 2 2 2 2 2 2 2 2
3: 3 2 2 2 2 2 2 3 3
4: 3 2 2 2 2 2 2 2 2
5: 2 2 3 2 2 2 2 2 3
6: 3 2 2 2 3 2 2 2 4
7: 2 2 2 2 3 2 2 2 2
8: 2 2 2 4 4 2 2 2 4
9: 2 2 2 4 2 2 2 2 2
10: 2 2 2 5 2 2 2 2 4
"""
"""How often each person does each of the actions; files are counted in this order."""


class Florence3d(OneClipFiles):
    """Florence 3D Actions from text files, cross-subject protocol: odd subjects train.

    Its paper leaves one of the ten people out at a time, which is ten protocols.
    """

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    name = "florence3d"
    pattern = r"a(\d+)_s(\d+)_id(\d+)\.txt"
    form = "aXX_sY_idZ.txt"
    preset: ClassVar[Mapping[str, Any]] = {
        "dataset.protocol": "xsub",
        "dataset.split": "fold0",
        **SMALL,
    }
    request: ClassVar[str | None] = (
        "get Florence 3D Actions of the University of Florence as one text file a clip (215 files "
        "aXX_sY_idZ.txt; github.com/Mabdou11/Activity-Recognition-skeleton-datasets, without a "
        "stated licence: for research) and pass --raw with their zip or folder"
    )
    suffix: ClassVar[str] = ".txt"
    fps: ClassVar[float | None] = None
    layout = OPENNI_15
    protocols = ("xsub",)
    splits: Mapping[str, tuple[int, ...]] = {
        "fold0": (2, 4, 5),
        "fold1": (3, 6, 8),
        "fold2": (0, 1, 7),
    }
    classes = (
        "wave",
        "drink from a bottle",
        "answer phone",
        "clap",
        "tight lace",
        "sit down",
        "stand up",
        "read watch",
        "bow",
    )

    @property
    def totals(self) -> Totals:
        """The clips of the distribution."""
        takes = [
            (label, subject)
            for subject, row in rows(TAKES)
            for label, count in enumerate(map(int, row.split()))
            for _ in range(count)
        ]
        return Totals(
            clips=len(takes),
            subjects=10,
            views=1,
            subsets=per_class(((a, _subsets(s)) for a, s in takes), len(self.classes)),
            names=lambda: (f"a{a + 1:02}_s{s}_id{n}" for n, (a, s) in enumerate(takes, 1)),
        )

    def skeleton(self, recording: Recording) -> Joints:
        """The joints of a file, whatever it is called: millimetres there."""
        joints = joint_lines.read(recording, len(self.layout.joints)) / 1000
        return checked(joints, self.layout, recording.where)

    def clip(self, recording: Recording, match: re.Match[str]) -> Clip:
        """The clip of a file named action, subject and number."""
        action, subject, _ = (int(group) for group in match.groups())
        return Clip(
            name=recording.name.removesuffix(".txt"),
            joints=self.skeleton(recording),
            label=class_at(action, self.classes, recording),
            subsets=_subsets(subject),
            subject=f"s{subject}",
        )

    def write_sample(self, raw: Path) -> None:
        """Write one made-up clip of every class by subjects 1 and 2."""
        rng = np.random.default_rng(0)
        for number in range(2 * len(self.classes)):
            action, subject = number // 2 + 1, number % 2 + 1
            values = rng.normal(size=(21, len(self.layout.joints), 3)) * 500
            path = raw / f"a{action:02}_s{subject}_id{number + 1}.txt"
            path.write_text(joint_lines.text(values), "utf-8")


def _subsets(subject: int) -> dict[str, Subset]:
    return {"xsub": "train" if subject % 2 else "test"}

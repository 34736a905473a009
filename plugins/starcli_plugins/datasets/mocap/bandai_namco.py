"""Bandai-Namco-Research-Motiondataset (Kobayashi et al., 2023): 24 contents, motion capture."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from starcli.contracts import Clip, Recording, Subset
from starcli.data.normalise import Joints, checked
from starcli.errors import DataError
from starcli.poses import Y_UP, PoseFile, Poses, turned
from starcli.totals import Totals, per_class
from starcli_plugins.datasets import SMALL
from starcli_plugins.datasets.io import archives
from starcli_plugins.datasets.one_clip_files import OneClipFiles
from starcli_plugins.layouts import SMPL_22
from starcli_plugins.readers.bvh import positions
from starcli_plugins.readers.bvh_samples import sample
from starcli_plugins.readers.bvh_text import hierarchy, motion
from starcli_plugins.readers.joint_names import require

STYLES = (
    "normal",
    "happy",
    "sad",
    "angry",
    "proud",
    "not-confident",
    "masculinity",
    "feminine",
    "childish",
    "old",
    "tired",
    "active",
    "musical",
    "giant",
    "chimpira",
)
IN_EVERY_STYLE = {
    "walk": 2,
    "walk-back": 1,
    "walk-left": 1,
    "walk-right": 1,
    "run": 1,
    "dash": 1,
    "bow": 1,
    "bye": 1,
    "byebye": 1,
    "guide": 1,
}
NORMAL_ONLY = {"respond": 1, "call": 2, "punch": 2, "kick": 1, "slash": 2, "dance-short": 1}
SECOND = {
    "walk": 24,
    "run": 52,
    "walk-turn-left": 34,
    "walk-turn-right": 35,
    "wave-both-hands": 30,
    "wave-left-hand": 31,
    "wave-right-hand": 30,
    "raise-up-both-hands": 74,
    "raise-up-left-hand": 76,
    "raise-up-right-hand": 79,
}
"""Contents of set 1 in 15 styles, of set 1 in one, and of set 2 -> clips of each style."""
CONTENTS = tuple(dict.fromkeys((*IN_EVERY_STYLE, *NORMAL_ONLY, *SECOND)))
"""What file names call the classes, in their order; `walk` and `run` are in both sets."""
CM = 0.01


class BandaiNamco(OneClipFiles):
    """Set 1 without `dance-long`, and set 2 in the style `normal`; clips train and test by turns.

    Files do not say who performs them, so a clip's subject is its style in set 1 and its number in
    set 2. Contents with one clip train, and are unseen in no fold.
    """

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    name = "bandai-namco"
    pattern = (
        r"dataset-(?!1_dance-long_)(?=1_|2_[a-z-]+_normal_)([12])_([a-z-]+)_([a-z-]+)_(\d+)\.bvh"
    )
    form = "dataset-N_CONTENT_STYLE_NNN.bvh"
    preset: ClassVar[Mapping[str, Any]] = {
        "dataset.protocol": "xtake",
        "dataset.split": "fold0",
        **SMALL,
    }
    request: ClassVar[str | None] = (
        "get Bandai-Namco-Research-Motiondataset 1 and 2 (github.com/BandaiNamcoResearchInc/"
        "Bandai-Namco-Research-Motiondataset, CC BY-NC 4.0: not for commercial use) and pass --raw "
        "with one zip or folder of their files dataset-N_CONTENT_STYLE_NNN.bvh"
    )
    fps: ClassVar[float | None] = 30
    layout = SMPL_22
    protocols = ("xtake",)
    splits: Mapping[str, tuple[int, ...]] = {
        "fold0": (2, 4, 11, 19, 21),
        "fold1": (3, 6, 14, 22),
        "fold2": (0, 8, 12, 20),
        "fold3": (5, 7, 16, 23),
        "fold4": (1, 9, 17, 18),
    }
    classes = tuple(
        {"byebye": "bye bye", "dance-short": "dance"}.get(name, name.replace("-", " "))
        for name in CONTENTS
    )

    @property
    def totals(self) -> Totals:
        """The clips of what is read of the distribution."""
        takes = list(_takes())
        clips = ((CONTENTS.index(take[1]), _subsets(*take[2:])) for take in takes)
        return Totals(
            clips=len(takes),
            views=1,
            subsets=per_class(clips, len(self.classes)),
            names=lambda: ("{}_{}_{}_{:03}".format(*take) for take in takes),
        )

    def clip(self, recording: Recording, match: re.Match[str]) -> Clip:
        """The clip of a file named set, content, style and number."""
        number, content, style, take = match.groups()
        if content not in CONTENTS or style not in STYLES:
            word = style if content in CONTENTS else content
            raise DataError(
                f"'{word}' is not a content or style of the data set",
                "keep the file names of the distribution",
                file=recording.where,
            )
        return Clip(
            name=recording.name.removeprefix("dataset-").removesuffix(".bvh"),
            joints=_joints(recording),
            label=CONTENTS.index(content),
            subsets=_subsets(style, int(take)),
            subject=style if number == "1" else take,
        )

    def write_sample(self, raw: Path) -> None:
        """Write the first two clips of every class with made-up motion."""
        rng = np.random.default_rng(0)
        for content, clips in itertools.groupby(sorted(_takes(), key=_content), key=_content):
            for number, _, style, take in itertools.islice(clips, 2):
                joints = rng.normal(size=(9, 1, len(SMPL_22.joints), 3)) * 50
                path = raw / f"dataset-{number}_{content}_{style}_{take:03}.bvh"
                path.write_text(sample(Poses(joints, SMPL_22.name, fps=30)), "utf-8")


def _takes() -> Iterator[tuple[int, str, str, int]]:
    """Set, content, style and number of every clip."""
    for number, contents, styles in (
        (1, IN_EVERY_STYLE, STYLES),
        (1, NORMAL_ONLY, STYLES[:1]),
        (2, SECOND, STYLES[:1]),
    ):
        for (content, count), style in itertools.product(contents.items(), styles):
            yield from ((number, content, style, take) for take in range(1, count + 1))


def _content(take: tuple[int, str, str, int]) -> str:
    return take[1]


def _subsets(style: str, take: int) -> dict[str, Subset]:
    """By turns of styles and numbers: the first clip of the style `normal` trains."""
    return {"xtake": "train" if (STYLES.index(style) + take) % 2 else "test"}


def _joints(recording: Recording) -> Joints:
    """Positions in metres; the spine's lower joint, which files lack, is halfway to the middle one.

    Raises:
        DataError: A file is damaged, or its joints are not those of a body.
    """
    file = PoseFile(recording.file, recording.where)
    try:
        lines = archives.load(recording).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise file.wrong(f"not UTF-8 at byte {error.start}", "download it again") from error
    nodes, start = hierarchy(lines, file)
    values, *_ = motion(lines, start, sum(len(node.channels) for node in nodes), file)
    every = positions(nodes, values)
    joints = require([node.name for node in nodes], file, (SMPL_22,), every[0]).of(every)
    lower, base, mid = (SMPL_22.joints.index(f"spine {name}") for name in ("lower", "base", "mid"))
    if np.isnan(joints[:, lower]).all():
        joints[:, lower] = (joints[:, base] + joints[:, mid]) / 2
    return checked(turned(joints * CM, Y_UP)[:, None], SMPL_22, recording.where)

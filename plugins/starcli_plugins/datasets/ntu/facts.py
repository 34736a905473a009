"""NTU RGB+D 60 and 120 as they are known before a file is read: clips, protocols, splits, counts.

Names, protocols and class ids: Shahroudy et al., CVPR 2016; Liu et al., TPAMI 2019. Splits: SynSE
(Gupta et al., ICIP 2021), SMIE (Zhou et al., MM 2023), SA-DVAE (Li et al., ECCV 2024), PURLS
(Zhu et al., CVPR 2024) and STAR (Chen et al., MM 2024).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import NamedTuple

from starcli.contracts import Subset
from starcli.errors import DataError
from starcli.totals import SUBSETS, Totals, per_class
from starcli_plugins.datasets.clip_tables import numbers, rows
from starcli_plugins.datasets.ntu.classes import CLASSES
from starcli_plugins.datasets.ntu.missing import MISSING

NAME = r"S([0-9]{3})C([0-9]{3})P([0-9]{3})R([0-9]{3})A([0-9]{3})"
"""A clip's name, the file name without its suffix."""
TRAIN_PERFORMERS = frozenset(
    {
        1,
        2,
        4,
        5,
        8,
        9,
        13,
        14,
        15,
        16,
        17,
        18,
        19,
        25,
        27,
        28,
        31,
        34,
        35,
        38,
        45,
        46,
        47,
        49,
        50,
        52,
        53,
        54,
        55,
        56,
        57,
        58,
        59,
        70,
        74,
        78,
        80,
        81,
        82,
        83,
        84,
        85,
        86,
        89,
        91,
        92,
        93,
        94,
        95,
        97,
        98,
        100,
        103,
    }
)
"""Train subset of xsub in both data sets: the 20 of NTU RGB+D 60 come first."""
TRAIN_CAMERAS = frozenset({2, 3})
CAMERAS, REPLICATIONS = (1, 2, 3), (1, 2)

_PERFORMERS = """
1: 1-8
2: 3,7-14
3: 1,2,7,8,15-19
4: 3,7,8,20
5: 4,10,13,15-18,21
6: 1,7,8,15-17,19,22-24
7: 1,7,8,15-19,25-28
8: 1,7,8,15,19,25,29-36
9: 7,8,15-17,19,25
10: 7,8,13,15-19,21,25
11: 1,2,7,8,15-19,25,27,28,38
12: 7,8,15-19,25,27,28,37
13: 7,8,15-19,25,27,28,37
14: 7,8,15,17,19,25,27,37,39
15: 7,8,15-17,19,25,37
16: 7,8,19,21,25,39,40
17: 3,7-9,15-17,20
18: 8,41-45
19: 8,41,42,46-51
20: 8,41,43,44,52-54
21: 55-60
22: 61-67
23: 55-68
24: 57,60-64,67
25: 55,56,58,59,65,66,68
26: 8,41,44,49-51,69-72,74-77
27: 6,8,11,41,43,44,78-86
28: 8,41-43,46,48,70,73,87
29: 6,8,41,43,44,48,49,51,67,74,75,80,88-90
30: 8,11,41,43,44,48,67,75,76,81,85,88,91-96
31: 6,8,41-44,51,67,82,85,96-101
32: 8,41,43,44,67,102-106
"""


class ClipName(NamedTuple):
    """What the name of a clip says; names and these sort alike."""

    setup: int
    camera: int
    performer: int
    replication: int
    action: int

    def __str__(self) -> str:
        return "".join(f"{letter}{number:03}" for letter, number in zip("SCPRA", self, strict=True))

    @property
    def label(self) -> int:
        """Class id, counted from 0."""
        return self.action - 1


@dataclass(frozen=True, eq=False)
class Facts:
    """Clips, protocols, splits and counts of one of the two data sets.

    Args:
        name: Name of the data set, for messages.
        last: The largest setup, camera, performer, replication and action; all count from 1.
        protocols: Names of the official protocols.
        splits: Split name -> unseen class ids.
        validation: Split name -> class ids that SynSE validates on as if they were unseen.
    """

    name: str
    last: ClipName
    protocols: tuple[str, ...]
    splits: Mapping[str, tuple[int, ...]]
    validation: Mapping[str, tuple[int, ...]]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of class ids."""
        return CLASSES[: self.last.action]

    def parse(self, name: str, where: str | Path) -> ClipName:
        """What a clip's name says.

        Args:
            name: Such as `S001C002P003R002A013`, without a suffix.
            where: The file, for messages.

        Raises:
            DataError: The name has another form, or a number that the data set does not have.
        """
        match = re.fullmatch(NAME, name)
        if match is None:
            raise DataError(
                f"{name!r} is not a name of the form SsssCcccPpppRrrrAaaa",
                "keep the file names of the distribution",
                file=where,
            )
        clip = ClipName(*map(int, match.groups()))
        for letter, number, last in zip("SCPRA", clip, self.last, strict=True):
            if not 1 <= number <= last:
                raise DataError(
                    f"{letter}{number:03} is not in {self.name}, "
                    f"which has {letter}001 to {letter}{last:03}",
                    "remove the file, or name the data set it belongs to",
                    file=where,
                )
        return clip

    def subsets(self, clip: ClipName) -> dict[str, Subset]:
        """Protocol name -> subset of the protocol that a clip is in."""
        trains = {
            "xsub": clip.performer in TRAIN_PERFORMERS,
            "xview": clip.camera in TRAIN_CAMERAS,
            "xset": clip.setup % 2 == 0,
        }
        return {protocol: "train" if trains[protocol] else "test" for protocol in self.protocols}

    def expected(self) -> Iterator[ClipName]:
        """The clips with usable skeletons, in the order of names."""
        missing = without_skeleton()
        for setup, performers in _performers().items():
            if setup <= self.last.setup:
                clips = product((setup,), CAMERAS, performers, REPLICATIONS, _actions(setup))
                yield from (clip for clip in map(ClipName._make, clips) if clip not in missing)

    @cached_property
    def totals(self) -> Totals:
        """The clips with usable skeletons, counted without a look at each."""
        missing = [clip for clip in without_skeleton() if clip.setup <= self.last.setup]
        missing_of = per_class(((c.label, self.subsets(c)) for c in missing), len(self.classes))
        takes = self._takes()
        subsets: dict[str, dict[Subset, list[int]]] = {
            protocol: {
                subset: [
                    takes[protocol, subset, label >= 60] - missing_of[protocol][subset][label]
                    for label in range(len(self.classes))
                ]
                for subset in SUBSETS
            }
            for protocol in self.protocols
        }
        return Totals(
            clips=sum(sum(numbers) for numbers in subsets[self.protocols[0]].values()),
            subjects=self.last.performer,
            views=self.last.camera,
            subsets=subsets,
            names=lambda: map(str, self.expected()),
        )

    def _takes(self) -> Counter[tuple[str, Subset, bool]]:
        """(Protocol, subset, whether of the addition) -> takes of each action, missing ones too."""
        takes: Counter[tuple[str, Subset, bool]] = Counter()
        for setup, performers in _performers().items():
            if setup <= self.last.setup:
                action = _actions(setup)[0]
                for camera, performer in product(CAMERAS, performers):
                    subsets = self.subsets(ClipName(setup, camera, performer, 1, action))
                    for protocol, subset in subsets.items():
                        takes[protocol, subset, action > 60] += len(REPLICATIONS)
        return takes


@cache
def without_skeleton() -> frozenset[ClipName]:
    """The 535 clips of NTU RGB+D 120 without usable skeletons, among them the 302 of 60."""
    clips = set()
    for setup, words in rows(MISSING):
        for word in words.split():
            place, _, actions = word.partition("/")
            camera, performer, replication = map(int, place.split("."))
            clips |= {ClipName(setup, camera, performer, replication, a) for a in numbers(actions)}
    return frozenset(clips)


@cache
def _performers() -> Mapping[int, tuple[int, ...]]:
    """Setup -> who performed in it: every action of the setup twice, before all three cameras."""
    return {setup: numbers(text) for setup, text in rows(_PERFORMERS)}


def _actions(setup: int) -> range:
    """NTU RGB+D 60 is setups 1 to 17 with actions 1 to 60; the addition shares neither."""
    return range(1, 61) if setup <= 17 else range(61, 121)


_SMIE_60 = ((4, 19, 31, 47, 51), (12, 29, 32, 44, 59), (7, 20, 28, 39, 58))

# fmt: off
NTU60 = Facts(
    name="ntu60",
    last=ClipName(setup=17, camera=3, performer=40, replication=2, action=60),
    protocols=("xsub", "xview"),
    splits={
        "55/5": (10, 11, 19, 26, 56),
        "48/12": (3, 5, 9, 12, 15, 40, 42, 47, 51, 56, 58, 59),
        "40/20": (0, 12, 13, 14, 15, 16, 17, 22, 23, 26, 29, 30, 31, 35, 36, 42, 43, 48, 56, 57),
        "30/30": (0, 1, 2, 6, 7, 8, 10, 12, 13, 15, 16, 18, 20, 21, 25, 26, 27, 31, 32, 33, 39, 42,
                  45, 47, 48, 51, 52, 55, 58, 59),
        "smie-1": _SMIE_60[0], "smie-2": _SMIE_60[1], "smie-3": _SMIE_60[2],
        # Table 5 of STAR is over the three splits of SMIE.
        "star-1": _SMIE_60[0], "star-2": _SMIE_60[1], "star-3": _SMIE_60[2],
        "sa-dvae-1": (0, 8, 15, 28, 46),
        "sa-dvae-2": (15, 19, 23, 47, 50),
        "sa-dvae-3": (29, 37, 38, 45, 55),
    },
    validation={
        "55/5": (16, 21, 25, 31, 48),
        "48/12": (4, 8, 10, 13, 17, 22, 30, 33, 39, 46, 50, 54),
    },
)
NTU120 = Facts(
    name="ntu120",
    last=ClipName(setup=32, camera=3, performer=106, replication=2, action=120),
    protocols=("xsub", "xset"),
    splits={
        "110/10": (4, 13, 37, 43, 49, 65, 88, 95, 99, 106),
        "96/24": (5, 9, 11, 16, 18, 20, 22, 29, 35, 39, 45, 49, 59, 68, 70, 81, 84, 87, 93, 94, 104,
                  113, 114, 119),
        "80/40": (11, 12, 18, 22, 23, 26, 28, 34, 37, 38, 42, 44, 46, 47, 48, 57, 59, 64, 66, 70,
                  73, 74, 75, 83, 86, 90, 92, 93, 95, 96, 102, 104, 107, 108, 110, 112, 115, 116,
                  118, 119),
        "60/60": (0, 1, 4, 6, 7, 8, 9, 17, 18, 21, 23, 25, 26, 28, 30, 32, 33, 34, 37, 38, 39, 40,
                  41, 42, 44, 45, 50, 51, 52, 53, 56, 61, 62, 65, 67, 68, 69, 70, 74, 77, 78, 81,
                  83, 87, 89, 90, 91, 92, 94, 95, 96, 97, 100, 101, 109, 111, 114, 115, 116, 118),
        "smie-4": (3, 18, 26, 38, 41, 60, 87, 99, 102, 110),
        "smie-5": (5, 12, 14, 15, 17, 42, 67, 82, 100, 119),
        "smie-6": (6, 20, 27, 33, 42, 55, 71, 97, 104, 118),
        "sa-dvae-1": (0, 4, 6, 7, 24, 37, 54, 59, 97, 113),
        "sa-dvae-2": (63, 79, 86, 92, 98, 100, 103, 110, 111, 117),
        "sa-dvae-3": (9, 14, 17, 44, 60, 75, 81, 89, 108, 110),
    },
    validation={
        "110/10": (5, 10, 32, 61, 72, 74, 76, 77, 83, 96),
        "96/24": (1, 3, 4, 10, 17, 19, 27, 47, 48, 53, 58, 63, 66, 79, 83, 86, 89, 92, 97, 98, 100,
                  103, 105, 108),
    },
)
# fmt: on

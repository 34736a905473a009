"""Kinder-Gator (Aloba et al., Eurographics 2018): 58 motions of 10 adults, 10 children, Kinect v1.

Motions that differ in side or strength alone are one class, which makes 28.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from starcli.contracts import Clip, Recording, Subset
from starcli.data.normalise import Joints, checked
from starcli.errors import DataError
from starcli.totals import Totals, per_class
from starcli_plugins.datasets import SMALL
from starcli_plugins.datasets.io import archives
from starcli_plugins.datasets.one_clip_files import OneClipFiles
from starcli_plugins.layouts import KINECT_V1

ADULTS = (565, 577, 604, 734, 876, 888, 921, 934, 970, 976)
CHILDREN = (103, 106, 169, 290, 337, 342, 474, 595, 644, 723)
TRAIN_SUBJECTS = frozenset((*ADULTS[::2], *CHILDREN[::2]))
NEVER_RECORDED = (565, "Jump-as-high-as-you-can")
MERGED: Mapping[str, Sequence[str]] = {
    "raise hand": ("Raise-your-hand", "Raise-your-other-hand"),
    "wave hand": ("Wave-your-hand", "Wave-your-other-hand"),
    "bow": ("Bow",),
    "raise arm to the side": ("Raise-your-arm-to-one-side", "Raise-your-arm-to-the-other-side"),
    "bend knee": (
        "Bend-your-knee-while-raising-your-leg",
        "Bend-your-other-knee-while-raising-your-leg",
    ),
    "lean to the side": (
        "Put-your-hands-on-your-hips-and-lean-to-the-side",
        "Put-your-hands-on-your-hips-and-lean-to-the-other-side",
    ),
    "twist": ("Put-your-hands-on-your-hips-and-twist",),
    "touch toes": ("Touch-your-toes",),
    "lunge": ("Do-a-forward-lunge",),
    "lift leg to the side": ("Lift-your-leg-to-one-side", "Lift-your-leg-to-the-other-side"),
    "walk in place": ("Walk-in-place", "Walk-in-place-as-fast-as-you-can"),
    "run in place": ("Run-in-place", "Run-in-place-as-fast-as-you-can"),
    "jump": ("Jump", "Jump-as-high-as-you-can"),
    "jumping jacks": ("Do-two-jumping-jacks",),
    "push a button": ("Push-an-imaginary-button-in-front-of-you",),
    "swipe": (
        "Swipe-across-an-imaginary-screen-in-front-of-you-from-left-to-right",
        "Swipe-across-an-imaginary-screen-in-front-of-you-from-right-to-left",
    ),
    "fly like a bird": ("Fly-like-a-bird",),
    "fly like an airplane": ("Fly-like-an-airplane",),
    "swim": ("Swim",),
    "kick a ball": (
        "Kick-a-ball",
        "Kick-a-ball-as-far-as-you-can",
        "Kick-a-ball-with-the-other-leg",
        "Kick-a-ball-as-far-as-you-can-with-the-other-leg",
    ),
    "throw a ball": (
        "Throw-a-ball-",
        "Throw-a-ball-as-far-as-you-can",
        "Throw-a-ball-with-your-other-arm",
        "Throw-a-ball-as-far-as-you-can-with-the-other-arm",
    ),
    "punch": ("Punch",),
    "climb a ladder": ("Climb-and-imaginary-ladder",),
    "point": ("Point-at-the-camera",),
    "signal stop": ("Signal-someone-to-stop",),
    "signal come here": ("Signal-someone-to-come-here",),
    "draw in the air": (
        *(f"Draw-a-{shape}" for shape in ("circle", "square", "triangle")),
        *(f"Draw-the-letter-{letter}" for letter in "ACKMX"),
    ),
    "make a letter with the body": tuple(f"Make-the-letter-{letter}" for letter in "ACKMPTXY"),
}
"""Class -> what file names call it. Which hand is "your hand" is each person's own choice."""
LABELS = {word: label for label, words in enumerate(MERGED.values()) for word in words}
MIDDLE = {"hip centre": "HipCenter", "shoulder centre": "ShoulderCenter"}
LEVEL = np.sin(np.radians(40))
"""Both arms this near to level, as the sine of their slope, begin a clip in a T-pose."""
AGAIN = "download it again"


class KinderGator(OneClipFiles):
    """Kinder-Gator from CSV files; protocols: half of the adults and children, or adults, train.

    Most clips begin in the T-pose in which the sensor finds a person: of these the first quarter,
    at most 40 frames, is cut. Frames come 31 times a second.
    """

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    name = "kinder-gator"
    pattern = r"POSE-p(\d+)_(\d+)-([A-Za-z-]+)-(\d+)\.csv"
    form = "POSE-pPERSON_ORDER-ACTION-TIME.csv"
    preset: ClassVar[Mapping[str, Any]] = {
        "dataset.protocol": "xsub",
        "dataset.split": "fold0",
        **SMALL,
    }
    request: ClassVar[str | None] = (
        "get Kinder-Gator (github.com/hayeesha/Kinder-Gator, without a stated licence: for "
        "research) and pass --raw with the zip or folder of its 1,159 files "
        "POSE-pPERSON_ORDER-ACTION-TIME.csv"
    )
    fps: ClassVar[float | None] = 30
    layout = KINECT_V1
    protocols = ("xsub", "xage")
    splits: Mapping[str, tuple[int, ...]] = {
        "fold0": (2, 4, 10, 11, 19, 27),
        "fold1": (3, 6, 16, 21, 23, 26),
        "fold2": (0, 8, 12, 13, 18, 20),
        "fold3": (5, 7, 14, 17, 22),
        "fold4": (1, 9, 15, 24, 25),
    }
    classes = tuple(MERGED)

    @property
    def totals(self) -> Totals:
        """Everybody does every motion once, but for one."""
        every = itertools.product(sorted((*ADULTS, *CHILDREN)), LABELS)
        takes = [take for take in every if take != NEVER_RECORDED]
        clips = ((LABELS[word], _subsets(person)) for person, word in takes)
        return Totals(
            clips=len(takes),
            subjects=len(ADULTS) + len(CHILDREN),
            views=1,
            subsets=per_class(clips, len(self.classes)),
            names=lambda: (_name(*take) for take in takes),
        )

    def clip(self, recording: Recording, match: re.Match[str]) -> Clip:
        """The clip of a file named person, order, motion and time."""
        person, word = int(match[1]), match[3]
        if word not in LABELS or person not in (*ADULTS, *CHILDREN):
            what = f"person p{person}" if word in LABELS else f"motion '{word}'"
            raise DataError(
                f"{what} is not in the data set", "remove the file", file=recording.where
            )
        joints = _joints(recording)
        return Clip(
            name=_name(person, word),
            joints=joints[min(40, len(joints) // 4) :] if _begins_in_a_t_pose(joints) else joints,
            label=LABELS[word],
            subsets=_subsets(person),
            subject=f"p{person}",
        )

    def write_sample(self, raw: Path) -> None:
        """Write one made-up clip of every class by a child that trains and an adult that tests."""
        rng = np.random.default_rng(0)
        for words, person in itertools.product(MERGED.values(), (103, 577)):
            rows = rng.normal(size=(31, 60))
            cells = [
                [f"{32 * n}", *(f"{x:.6f}" for x in row), f"{person}", words[0], ""]
                for n, row in enumerate(rows)
            ]
            header = ["Timestamp", *_columns(), "User-ID", "Action", ""]
            text = "\n".join(",".join(line) for line in [header, *cells]) + "\n"
            (raw / f"POSE-p{person}_01-{words[0]}-1.csv").write_text(text, "utf-8")


def _name(person: int, word: str) -> str:
    return f"p{person}_{word.rstrip('-')}"


def _subsets(person: int) -> dict[str, Subset]:
    return {
        "xsub": "train" if person in TRAIN_SUBJECTS else "test",
        "xage": "train" if person in ADULTS else "test",
    }


def _columns() -> list[str]:
    """The columns of all joints: `HandLeftX` and so on."""
    names = []
    for joint in KINECT_V1.joints:
        side, _, limb = joint.partition(" ")
        names.append(MIDDLE.get(joint, limb.capitalize() + side.capitalize()))
    return [name + axis for name in names for axis in "XYZ"]


def _joints(recording: Recording) -> Joints:
    """All frames of a file.

    Raises:
        DataError: It is not a table with the columns of all joints, or a cell is not a number.
    """
    lines = archives.load(recording).decode("utf-8", "replace").splitlines()
    header = lines[0].split(",") if lines else []
    if absent := [name for name in _columns() if name not in header]:
        raise DataError(
            f"has no column {absent[0]}",
            "check that it is a file of Kinder-Gator",
            file=recording.where,
            line=1,
        )
    places = [header.index(name) for name in _columns()]
    rows = [line.split(",") for line in lines[1:]]
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise DataError(
                f"expected {len(header)} cells, got {len(row)}",
                AGAIN,
                file=recording.where,
                line=number,
            )
    return checked(_numbers(rows, places, recording), KINECT_V1, recording.where)


def _numbers(
    rows: Sequence[Sequence[str]], places: Sequence[int], recording: Recording
) -> npt.NDArray[np.float64]:
    """The cells of all joints [frames, 1, V, 3]."""
    values = np.empty((len(rows), len(places)))
    chosen = itemgetter(*places)
    for number, row in enumerate(rows):
        try:
            values[number] = list(map(float, chosen(row)))
        except ValueError as error:
            raise DataError(str(error), AGAIN, file=recording.where, line=number + 2) from error
    return values.reshape(len(rows), 1, len(KINECT_V1.joints), 3)


def _begins_in_a_t_pose(joints: Joints) -> bool:
    """Whether both arms are nearly level in the first frame."""
    for side in ("left", "right"):
        shoulder, wrist = (
            joints[0, 0, KINECT_V1.joints.index(f"{side} {end}")] for end in ("shoulder", "wrist")
        )
        arm = wrist - shoulder
        if abs(arm[1]) > LEVEL * np.linalg.norm(arm):
            return False
    return True

"""PKU-MMD (Liu et al., arXiv:1703.07475): 51 actions in long videos, 3 views, Kinect v2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from starcli.contracts import Clip, Recording, Subset
from starcli.data.normalise import Joints
from starcli.errors import LEAVE_OUT, DataError
from starcli.totals import Totals
from starcli_plugins.datasets.pku import files
from starcli_plugins.datasets.pku.files import CLASSES, Label
from starcli_plugins.layouts import KINECT_V2

LONGEST = 300
"""Frames; of longer clips the middle is kept."""
TEST_VIEW = "L"
TOTALS = {
    1: Totals(recordings=1076, subjects=66, views=3),
    2: Totals(recordings=1009, subjects=13, views=3),
}
"""Phase -> the numbers of the data set. That of labelled intervals is stated
differently (21,545 of phase 1 by the authors), and so is not known."""
NOT_IN_PHASE_2 = (11, 13, 15, 17, 20, 23, 25, 26, 28, 37)
"""The ten classes that phase 2 does not have: those of two persons, and the two about pockets."""
LEFT_OUT: Mapping[str, tuple[int, ...]] = {
    "0043-L": (21,),
    "0089-L": (1,),
    "0089-M": (1,),
    "0089-R": (1,),
    "A01N03-L": (1,),
    "A01N03-R": (1,),
    "A03N11-L": (7,),
    "A05N09-R": (4,),
    "A08N11-L": (6,),
    "A11N09-L": (1,),
    "A13N06-R": (1, 2, 3),
    "A15N12-L": (3,),
    "A16N05-M": (1,),
    "A17N06-R": (1, 2, 3, 4, 5, 6),
    "A17N10-L": (6, 7),
    "A20N06-R": (2,),
    "A20N08-L": (2,),
    "A20N08-R": (2,),
    "A20N12-L": (2,),
    "A20N12-R": (2,),
    "A20N13-R": (2,),
    "A21N06-L": (1, 2),
    "A21N09-L": (2,),
    "A21N13-M": (4, 5),
    "A22N03-L": (1,),
    "A22N06-L": (1, 2, 3),
    "A24N11-R": (1, 2, 3, 4, 5, 6, 7),
    "A25N01-R": (1,),
    "A26N01-R": (1,),
    "A26N04-R": (1,),
    "A26N12-R": (5, 6, 7),
}
"""Video -> lines of its label file that the published preparation (AimCLR, SMIE, STAR) leaves out.

Their intervals do not lie inside the video: they start at frame 0 or end after the last one.
"""
SPLITS: Mapping[str, tuple[int, ...]] = {
    "46/5": (1, 9, 20, 34, 50),
    "39/12": (3, 7, 11, 15, 19, 21, 25, 31, 33, 36, 43, 48),
    "smie-7": (1, 9, 20, 34, 50),
    "smie-8": (3, 14, 29, 31, 49),
    "smie-9": (2, 15, 39, 41, 43),
    "sa-dvae-1": (10, 19, 27, 38, 48),
    "sa-dvae-2": (0, 9, 17, 30, 42),
    "sa-dvae-3": (18, 24, 31, 43, 45),
    "star-1": (3, 14, 29, 31, 49),
    "star-2": (2, 15, 39, 41, 43),
    "star-3": (4, 12, 16, 22, 36),
}


class PkuMmd:
    """PKU-MMD from its text files, cross-subject and cross-view protocols.

    Every labelled interval is a clip `<video>-<line of the label file>`, in camera metres.

    Differs from the paper: frames without a first person are dropped; the published preparation
    counts them, and drops as many from the end.

    Args:
        settings: Which of the two phases is read.

    Attributes:
        missing_classes: Class ids that the phase has no recordings of.
        splits: The splits whose unseen classes the phase has.
        impossible_splits: Name of any other split -> why the phase cannot run it.
    """

    class Settings(BaseModel):
        """Which part of the data set."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        phase: Literal[1, 2] = Field(
            1, description="1: 51 classes, 66 subjects; 2: 41 classes, 13 subjects"
        )

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    preset: ClassVar[Mapping[str, Any]] = {
        "dataset.protocol": "xsub",
        "dataset.split": "46/5",
        "prepare.normalise": ("relative", "shoulders"),
        "pretrain.frames": 64,
        "pretrain.crop": 1.0,
        "pretrain.rotation": 0.0,
        "pretrain.scale": 0.0,
        "extract.crop": 1.0,
    }
    request: ClassVar[str | None] = (
        "request PKU-MMD from Peking University (struct002.github.io/PKUMMD), unpack Skeleton.7z "
        "and Label_PKUMMD.7z (phase 2: Skeleton_v2.7z, Label_PKUMMD_v2.7z), and pass --raw with "
        "the folder that holds both and cross-subject.txt (phase 2: cross_subject_v2.txt)"
    )
    suffix: ClassVar[str] = ".txt"
    fps: ClassVar[float | None] = 30
    layout = KINECT_V2
    protocols = ("xsub", "xview")
    splits: Mapping[str, tuple[int, ...]] = SPLITS
    classes = (
        "bow",
        "brushing hair",
        "brushing teeth",
        "check time (from watch)",
        "cheer up",
        "clapping",
        "cross hands in front (say stop)",
        "drink water",
        "drop",
        "eat meal/snack",
        "falling",
        "giving something to other person",
        "hand waving",
        "handshaking",
        "hopping (one foot jumping)",
        "hugging other person",
        "jump up",
        "kicking other person",
        "kicking something",
        "make a phone call/answer phone",
        "pat on back of other person",
        "pickup",
        "playing with phone/tablet",
        "point finger at the other person",
        "pointing to something with finger",
        "punching/slapping other person",
        "pushing other person",
        "put on a hat/cap",
        "put something inside pocket",
        "reading",
        "rub two hands together",
        "salute",
        "sitting down",
        "standing up",
        "take off a hat/cap",
        "take off glasses",
        "take off jacket",
        "take out something from pocket",
        "taking a selfie",
        "tear up paper",
        "throw",
        "touch back (backache)",
        "touch chest",
        "touch head",
        "touch neck",
        "typing on a keyboard",
        "use a fan",
        "wear jacket",
        "wear on glasses",
        "wipe face",
        "writing",
    )

    def __init__(self, settings: Settings) -> None:
        self.phase = settings.phase
        self.missing_classes = NOT_IN_PHASE_2 if self.phase == 2 else ()
        self.impossible_splits = {
            name: f"phase {self.phase} has no class {c} ({self.classes[c]})"
            for name, ids in SPLITS.items()
            for c in ids
            if c in self.missing_classes
        }
        self.splits = {n: ids for n, ids in SPLITS.items() if n not in self.impossible_splits}
        self._labels: Mapping[str, Recording] = {}
        self._training: frozenset[str] = frozenset()

    @property
    def totals(self) -> Totals:
        """The phase's numbers as its authors state them; recordings are videos."""
        return TOTALS[self.phase]

    def files(self, raw: Path) -> Sequence[Path]:
        """The zips, or the skeleton and label files and the list of training videos."""
        recordings = files.find(raw, self.phase, str(self.request))
        return tuple(dict.fromkeys(place.file for place in recordings))

    def recordings(self, raw: Path | None) -> Sequence[Recording]:
        """The skeleton files, one per video; their labels and subsets are kept.

        Raises:
            DataError: A file has no partner, or the list of training videos is missing.
        """
        if raw is None:
            raise DataError("pku-mmd needs its recordings", str(self.request))
        recordings = files.find(raw, self.phase, str(self.request))
        videos = files.sort_out(recordings, raw, self.phase, str(self.request))
        self._labels, self._training = videos.labels, videos.training
        return videos.skeletons

    def clips(self, recording: Recording) -> Iterator[Clip]:
        """The labelled intervals of a video, in the order of its label file.

        Raises:
            DataError: A file is damaged, or an interval is not inside the video.
        """
        video, place = recording.name, self._labels[recording.name]
        out = LEFT_OUT.get(video, ())
        labels = [label for label in files.read_labels(place) if label.line not in out]
        if not labels:
            return
        joints = files.read_skeleton(recording)
        for label in labels:
            yield Clip(
                name=f"{video}-{label.line:03d}",
                joints=cut(joints, label, place.where),
                label=label.action - 1,
                subsets=self._subsets(video),
                subject=_subject(video),
            )

    def skeleton(self, recording: Recording) -> Joints:
        """The joints of a skeleton file that holds one action, whatever it is called."""
        clip = _middle(files.read_skeleton(recording))
        if not len(clip):
            raise DataError("nobody is there in any frame", LEAVE_OUT, file=recording.where)
        return clip

    def _subsets(self, video: str) -> dict[str, Subset]:
        return {
            "xsub": "train" if video in self._training else "test",
            "xview": "test" if video.endswith(TEST_VIEW) else "train",
        }

    def write_sample(self, raw: Path) -> None:
        """Write three made-up performances of every class, each in three views."""
        from starcli_plugins.datasets.pku import sample

        actions = [c + 1 for c in range(CLASSES) if c not in self.missing_classes]
        sample.write(raw, self.phase, actions, NOT_IN_PHASE_2)


def cut(joints: Joints, label: Label, where: str) -> Joints:
    """The frames of a labelled interval, both ends included.

    Args:
        joints: The video, float32 [frames, 2, V, 3].
        label: The interval.
        where: The label file, for messages.

    Returns:
        At most the middle 300 frames, those with a first person; M is 1 where the second is never
        there.

    Raises:
        DataError: The interval is not inside the video, or nobody is there.
    """
    _, _, start, end = label
    if not 1 <= start < end <= len(joints):
        raise DataError(
            f"frames {start} to {end}, the video has 1 to {len(joints)}",
            "correct or remove the line",
            file=where,
            line=label.line,
        )
    clip = _middle(joints[start - 1 : end])
    if not len(clip):
        raise DataError(
            f"nobody is there in frames {start} to {end}",
            "remove the line",
            file=where,
            line=label.line,
        )
    return clip


def _middle(joints: Joints) -> Joints:
    """At most the middle 300 frames, those with a first person, and the second if ever there."""
    spare = max(0, len(joints) - LONGEST) // 2
    clip = joints[spare : spare + LONGEST]
    clip = clip[clip[:, 0, 0].any(-1)]
    return np.ascontiguousarray(clip if clip[:, 1].any() else clip[:, :1])


def _subject(video: str) -> str:
    """Who performs: known in phase 2; in phase 1 the views of one recording share its number."""
    return video[3:6] if video.startswith("A") else video[:4]

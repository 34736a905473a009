"""UTD-MHAD (Chen, Jafari and Kehtarnavaz, ICIP 2015): 27 actions, 8 subjects, Kinect v1."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from starcli.contracts import Clip, NoSettings, Recording, Subset
from starcli.data.normalise import Joints, checked
from starcli.errors import DataError
from starcli.totals import Totals, per_class
from starcli_plugins.datasets import SMALL
from starcli_plugins.datasets.io import archives
from starcli_plugins.layouts import KINECT_V1

PATTERN = r"a(\d+)_s(\d+)_t(\d+)_skeleton\.mat"
TRAIN_SUBJECTS = frozenset({1, 3, 5, 7})
SUBJECTS, TRIALS = range(1, 9), range(1, 5)
NEVER_RECORDED = frozenset({(8, 1, 4), (23, 6, 4), (27, 8, 4)})
"""Action, subject and trial of the three that are not in the distribution."""
TO_KINECT_V1 = [3, 2, 1, 0, *range(4, 20)]
"""UTD-MHAD counts its torso joints from the head down, kinect-v1 from the hip up."""


class UtdMhad:
    """UTD-MHAD from `Skeleton.zip` as distributed, cross-subject protocol."""

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    Settings: ClassVar[type[NoSettings]] = NoSettings
    preset: ClassVar[Mapping[str, Any]] = {
        "dataset.protocol": "xsub",
        "dataset.split": "fold0",
        **SMALL,
    }
    request: ClassVar[str | None] = (
        "request UTD-MHAD from the University of Texas at Dallas "
        "(personal.utdallas.edu/~kehtar/UTD-MHAD.html) and pass --raw with Skeleton.zip "
        "(861 files aX_sY_tZ_skeleton.mat), its folder, or the unpacked folder"
    )
    suffix: ClassVar[str] = ".mat"
    fps: ClassVar[float | None] = 30
    layout = KINECT_V1
    protocols = ("xsub",)
    splits: Mapping[str, tuple[int, ...]] = {
        "fold0": (3, 5, 10, 14, 17),
        "fold1": (0, 7, 18, 19, 21),
        "fold2": (2, 4, 22, 23, 25),
        "fold3": (6, 9, 11, 15, 20, 26),
        "fold4": (1, 8, 12, 13, 16, 24),
    }
    classes = (
        "right arm swipe to the left",
        "right arm swipe to the right",
        "right hand wave",
        "two hand front clap",
        "right arm throw",
        "cross arms in the chest",
        "basketball shoot",
        "right hand draw x",
        "right hand draw circle (clockwise)",
        "right hand draw circle (counter clockwise)",
        "draw triangle",
        "bowling (right hand)",
        "front boxing",
        "baseball swing from right",
        "tennis right hand forehand swing",
        "arm curl (two arms)",
        "tennis serve",
        "two hand push",
        "right hand knock on door",
        "right hand catch an object",
        "right hand pick up and throw",
        "jogging in place",
        "walking in place",
        "sit to stand",
        "stand to sit",
        "forward lunge (left foot forward)",
        "squat (two arms stretch out)",
    )

    def __init__(self, settings: NoSettings) -> None:
        self.settings = settings

    @property
    def totals(self) -> Totals:
        """Every subject does every action four times, but for three takes."""
        actions = range(1, len(self.classes) + 1)
        takes = [t for t in itertools.product(actions, SUBJECTS, TRIALS) if t not in NEVER_RECORDED]
        clips = ((action - 1, _subsets(subject)) for action, subject, _ in takes)
        return Totals(
            clips=len(takes),
            subjects=len(SUBJECTS),
            views=1,
            subsets=per_class(clips, len(self.classes)),
            names=lambda: ("a{}_s{}_t{}".format(*take) for take in takes),
        )

    def files(self, raw: Path) -> Sequence[Path]:
        """The zip or `.mat` files below `raw`."""
        return archives.find(raw, PATTERN, self.request or "")

    def recordings(self, raw: Path | None) -> Sequence[Recording]:
        """One for each file, in the order of file names."""
        if raw is None:
            raise DataError("utd-mhad needs its recordings", self.request or "")
        return archives.recordings(self.files(raw), PATTERN)

    def clips(self, recording: Recording) -> Iterator[Clip]:
        """The one clip of a file.

        Raises:
            DataError: A file is damaged, without `d_skel`, or not [20, 3, frames].
        """
        yield self._clip(recording)

    def skeleton(self, recording: Recording) -> Joints:
        """The joints of a file, whatever it is called."""
        joints = _read_mat(recording)[TO_KINECT_V1].transpose(2, 0, 1)[:, None]
        return checked(joints, self.layout, recording.where)

    def _clip(self, recording: Recording) -> Clip:
        match = re.fullmatch(PATTERN, recording.name)
        if match is None:
            raise DataError(
                f"{recording.name!r} is not a name of the form aX_sY_tZ_skeleton.mat",
                "keep the file names of the distribution",
                file=recording.where,
            )
        action, subject, _ = (int(group) for group in match.groups())
        if not 1 <= action <= len(self.classes):
            raise DataError(
                f"action a{action}, the data set has 1 to 27",
                "remove the file",
                file=recording.where,
            )
        return Clip(
            name=recording.name.removesuffix("_skeleton.mat"),
            joints=self.skeleton(recording),
            label=action - 1,
            subsets=_subsets(subject),
            subject=f"s{subject}",
        )

    def write_sample(self, raw: Path) -> None:
        """Write `Skeleton.zip` with one made-up clip of every class by subjects 1 and 2."""
        import zipfile

        from scipy.io import savemat

        rng = np.random.default_rng(0)
        with zipfile.ZipFile(raw / "Skeleton.zip", "w") as archive:
            for action in range(1, len(self.classes) + 1):
                for subject in (1, 2):
                    buffer = io.BytesIO()
                    savemat(buffer, {"d_skel": rng.normal(size=(20, 3, 41))})
                    name = f"Skeleton/a{action}_s{subject}_t1_skeleton.mat"
                    archive.writestr(name, buffer.getvalue())


def _subsets(subject: int) -> dict[str, Subset]:
    return {"xsub": "train" if subject in TRAIN_SUBJECTS else "test"}


def _read_mat(recording: Recording) -> np.ndarray[Any, np.dtype[Any]]:
    from scipy.io import loadmat

    try:
        # Only d_skel is decoded: other variables of a foreign file stay unread.
        content = loadmat(io.BytesIO(archives.load(recording)), variable_names=["d_skel"])
    except Exception as error:  # scipy raises whatever the damage leads it to
        raise DataError(
            f"not a readable MATLAB file ({error})", "download it again", file=recording.where
        ) from error
    if "d_skel" not in content:
        raise DataError(
            "has no variable d_skel",
            "check that this is a UTD-MHAD skeleton file",
            file=recording.where,
        )
    skeleton = content["d_skel"]
    if skeleton.ndim != 3 or skeleton.shape[:2] != (20, 3) or skeleton.dtype.kind not in "fiu":
        raise DataError(
            f"d_skel: expected real [20, 3, frames], got {skeleton.dtype} {list(skeleton.shape)}",
            "check that this is a UTD-MHAD skeleton file",
            file=recording.where,
        )
    return np.asarray(skeleton)

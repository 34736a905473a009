"""NTU RGB+D 60 and 120 (Shahroudy et al., CVPR 2016; Liu et al., TPAMI 2020), Kinect v2.

Read from the official zips, from `.skeleton` files in folders, from the arrays of CTR-GCN's
preparation, or from pyskl's annotation file; prepared by the rules of CTR-GCN.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from starcli.contracts import BadClip, Clip, NoSettings, Recording, Subset
from starcli.data.normalise import Joints
from starcli.errors import DataError
from starcli.totals import Totals
from starcli_plugins.datasets.io import archives
from starcli_plugins.datasets.ntu import body_selection, ctr_npz, sample, skeleton_files
from starcli_plugins.datasets.ntu.annotation_clips import Annotated
from starcli_plugins.datasets.ntu.annotations import recordings, rows
from starcli_plugins.datasets.ntu.facts import NAME, NTU60, NTU120, Facts, without_skeleton
from starcli_plugins.layouts import KINECT_V2

SUFFIX = ".skeleton"
PATTERN = r"[^/.][^/]*\.skeleton"
"""Any name but those of hidden files, which systems put beside the real ones."""
FEEDER: Mapping[str, Any] = {
    "prepare.normalise": ("centre",),
    "pretrain.frames": 64,
    "pretrain.crop": 0.5,
    "pretrain.crop_frames": 64,
    "pretrain.rotation": 0.3,
    "pretrain.scale": 0.0,
    "extract.crop": 0.95,
}
"""What CTR-GCN's preparation and feeder do."""
REQUEST = (
    "request NTU RGB+D from rose1.ntu.edu.sg/dataset/actionRecognition and pass --raw with {zips}, "
    "a folder of .skeleton files, {npz} of CTR-GCN, or pyskl's {pickle}"
)


class Ntu:
    """Base of NTU RGB+D 60 and 120.

    Differs from the paper, whose recordings are prepared by the scripts of CTR-GCN: where these
    leave nobody or only bodies of zeros, and so fail, the longest body is kept. Annotations of
    pyskl are not prepared again, but centred, and in NTU RGB+D 120 a lone person is repeated.
    """

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 2
    Settings: ClassVar[type[NoSettings]] = NoSettings
    facts: ClassVar[Facts]
    arrays: ClassVar[tuple[str, ...]]
    """File names of CTR-GCN's arrays, one for each protocol."""
    request: ClassVar[str | None]
    suffix: ClassVar[str] = SUFFIX
    fps: ClassVar[float | None] = 30
    layout = KINECT_V2

    def __init__(self, settings: NoSettings) -> None:
        self.settings = settings

    def files(self, raw: Path) -> Sequence[Path]:
        """The zips, `.skeleton` files, array file or annotation file below `raw`.

        Raises:
            DataError: There is none, or several array files, each of one protocol.
        """
        if raw.is_file() and (ctr_npz.is_npz(raw) or raw.suffix == ".pkl"):
            return (raw,)
        known = (*self.arrays, f"{self.facts.name}_3danno.pkl")
        arrays = [raw / name for name in known if (raw / name).is_file()]
        if len(arrays) > 1:
            names = ", ".join(path.name for path in arrays)
            raise DataError(f"holds {names}", "name one of them with --raw", file=raw)
        if arrays:
            return arrays
        return archives.find(raw, PATTERN, self.request or "")

    def recordings(self, raw: Path | None) -> Sequence[Recording]:
        """One for each clip with a usable skeleton, for rows of an array file, or one for all.

        Clips of setups 18 to 32 are left out of NTU RGB+D 60: they are what 120 adds.
        """
        if raw is None:
            raise DataError(f"{self.facts.name} needs its recordings", self.request or "")
        files = self.files(raw)
        if ctr_npz.is_npz(files[0]):
            return ctr_npz.recordings(files[0])
        if files[0].suffix == ".pkl":
            return recordings(files[0])
        clips = archives.recordings(files, PATTERN)
        return [r for r in clips if self._is_wanted(r.name.removesuffix(SUFFIX))]

    def _is_wanted(self, name: str) -> bool:
        """Whether a clip is of the data set; of one with a strange name, reading it says so."""
        try:
            clip = NTU120.parse(name, name)
        except DataError:
            return True
        return clip.setup <= self.facts.last.setup and clip not in without_skeleton()

    def clips(self, recording: Recording) -> Iterator[Clip | BadClip]:
        """The clip of a `.skeleton` file, or those of an array or annotation file.

        Raises:
            DataError: The recording is damaged, or its name is not one of the data set.
        """
        if ctr_npz.is_npz(recording.file):
            yield from self._of_arrays(recording)
        elif recording.file.suffix == ".pkl":
            yield from self._of_annotations(recording)
        else:
            name = self.facts.parse(recording.name.removesuffix(SUFFIX), recording.where)
            yield Clip(
                name=str(name),
                joints=self.skeleton(recording),
                label=name.label,
                subsets=self.facts.subsets(name),
                subject=f"P{name.performer:03d}",
            )

    def skeleton(self, recording: Recording) -> Joints:
        """The joints of a `.skeleton` file, whatever it is called."""
        joints = body_selection.assemble(
            skeleton_files.read(archives.load(recording), recording.where)
        )
        return joints if joints.shape[1] > 1 else self.fill_persons(joints)

    def fill_persons(self, joints: Joints) -> Joints:
        """A clip [frames, M, V, 3] as the preparation has it where one person is there."""
        return joints

    def _of_arrays(self, recording: Recording) -> Iterator[Clip | BadClip]:
        """Clips without a name: each is its own subject, and they know one protocol."""
        protocol = ctr_npz.protocol_of(recording.file)
        if protocol is None or recording.file.name not in self.arrays:
            raise DataError(
                "its name does not say which subsets it holds, or is of other data",
                f"{self.facts.name} reads {' or '.join(self.arrays)}",
                file=recording.file,
            )
        for row in ctr_npz.rows(recording):
            subset: Subset = "train" if row.name.startswith("train") else "test"
            if isinstance(row, BadClip):
                yield row
            elif row.label >= len(self.facts.classes):
                yield BadClip(
                    row.name,
                    DataError(
                        f"label {row.label}, {self.facts.name} has 0 to "
                        f"{len(self.facts.classes) - 1}",
                        "name the data set it belongs to",
                        file=f"{recording.where}/{row.name}",
                    ),
                )
            else:
                yield Clip(row.name, row.joints, row.label, {protocol: subset}, subject=row.name)

    def _of_annotations(self, recording: Recording) -> Iterator[Clip | BadClip]:
        for clip in rows(recording.file, self._is_wanted):
            yield clip if isinstance(clip, BadClip) else self._annotated(clip, recording.where)

    def _annotated(self, clip: Annotated, where: str) -> Clip | BadClip:
        """The clip of an annotation that its name does not contradict."""
        where = f"{where}/{clip.name}"
        try:
            name = self.facts.parse(clip.name, where)
            if clip.label != name.label:
                raise DataError(
                    f"label is {clip.label}, its name says {name.label}",
                    "download it again",
                    file=where,
                )
        except DataError as error:
            return BadClip(clip.name, error)
        subsets = {p: subset for p, subset in clip.subsets.items() if p in self.facts.protocols}
        joints = self.fill_persons(clip.joints)
        return Clip(clip.name, joints, clip.label, subsets, f"P{name.performer:03d}")

    @property
    def totals(self) -> Totals:
        """The clips with usable skeletons."""
        return self.facts.totals

    def write_sample(self, raw: Path) -> None:
        """Write every class by two performers before two cameras into zips as distributed."""
        performers = {setup: (1, 3) if setup == 1 else (8, 41) for setup in (1, 18)}
        for setup, name in sample.ZIPS.items():
            if setup <= self.facts.last.setup:
                actions = range(1, 61) if setup == 1 else range(61, 121)
                clips = [
                    f"S{setup + extra:03}C{camera:03}P{performer:03}R001A{action:03}"
                    for extra, camera, performer in (
                        (0, 1, performers[setup][0]),
                        (1, 2, performers[setup][1]),
                    )
                    for action in actions
                ]
                sample.write_zip(raw / name, clips, frames=20)


class Ntu60(Ntu):
    """NTU RGB+D 60: 60 actions, 40 subjects, cross-subject and cross-view."""

    facts = NTU60
    arrays = ("NTU60_CS.npz", "NTU60_CV.npz")
    preset: ClassVar[Mapping[str, Any]] = {
        "dataset.protocol": "xsub",
        "dataset.split": "55/5",
        **FEEDER,
    }
    request = REQUEST.format(
        zips="nturgbd_skeletons_s001_to_s017.zip",
        npz=" or ".join(arrays),
        pickle="ntu60_3danno.pkl",
    )
    classes, protocols = NTU60.classes, NTU60.protocols
    splits, validation = NTU60.splits, NTU60.validation


class Ntu120(Ntu):
    """NTU RGB+D 120: 120 actions, 106 subjects, cross-subject and cross-setup.

    A clip that is left with one person has that person twice, as in the arrays of CTR-GCN, whose
    preparation differs in this from that of NTU RGB+D 60.
    """

    facts = NTU120
    arrays = ("NTU120_CSub.npz", "NTU120_CSet.npz")
    preset: ClassVar[Mapping[str, Any]] = {
        "dataset.protocol": "xsub",
        "dataset.split": "110/10",
        **FEEDER,
    }
    request = REQUEST.format(
        zips="the folder of nturgbd_skeletons_s001_to_s017.zip and "
        "nturgbd_skeletons_s018_to_s032.zip",
        npz=" or ".join(arrays),
        pickle="ntu120_3danno.pkl",
    )
    classes, protocols = NTU120.classes, NTU120.protocols
    splits, validation = NTU120.splits, NTU120.validation

    def recordings(self, raw: Path | None) -> Sequence[Recording]:
        """As of NTU RGB+D 60, but both halves must be there.

        Raises:
            DataError: Only one of the two zips is there.
        """
        recordings = super().recordings(raw)
        setups = {r.name[:4] for r in recordings if re.match(NAME, r.name)}
        if setups and (max(setups) < "S018" or min(setups) > "S017"):
            other = sample.ZIPS[18 if max(setups) < "S018" else 1]
            raise DataError(
                "holds half of NTU RGB+D 120",
                f"put {other} beside it and pass --raw with their folder",
                file=raw,
            )
        return recordings

    def fill_persons(self, joints: Joints) -> Joints:
        """A clip [frames, M, V, 3] of one person with that person twice."""
        return joints if joints[:, 1:].any() else np.repeat(joints[:, :1], 2, axis=1)

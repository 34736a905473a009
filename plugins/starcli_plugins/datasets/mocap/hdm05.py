"""HDM05 (Mueller et al., Universitaet Bonn, CG-2007-2, 2007): cuts of 11 actions, 5 actors."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from starcli.contracts import Clip, Recording, Subset
from starcli.data.normalise import Joints, checked
from starcli.errors import DataError
from starcli.poses import METRES, Y_UP, turned
from starcli.totals import Totals, per_class
from starcli_plugins.datasets import SMALL
from starcli_plugins.datasets.clip_tables import numbers, rows
from starcli_plugins.datasets.io import archives
from starcli_plugins.datasets.mocap import asf_amc
from starcli_plugins.datasets.one_clip_files import OneClipFiles
from starcli_plugins.layouts import SMPL_22

ACTIONS = {
    "depositFloorR": "deposit on the floor",
    "elbowToKnee1RepsLelbowStart": "elbow to knee",
    "grabHighR": "grab high",
    "hopBothLegs1hops": "hop on both legs",
    "jogLeftCircle4StepsRstart": "jog in a left circle",
    "kickLFront1Reps": "kick with the left foot",
    "lieDownFloor": "lie down on the floor",
    "rotateArmsBothBackward1Reps": "rotate both arms backward",
    "sneak2StepsLStart": "sneak",
    "squat1Reps": "squat",
    "throwBasketball": "throw a basketball",
}
"""What file names call the classes -> the classes."""
WORDS = tuple(ACTIONS)
TRAIN, TEST = ("bd", "bk", "dg"), ("mm", "tr")
TAKES = """
1: bd.1-6 bk.7-12 dg.13-18 mm.19-26 tr.27-32
2: bd.1-6 bk.7-12 dg.13-18 mm.19-20 tr.21-27
3: bd.1-4 bk.5-10 dg.11-16 mm.17-22 tr.23-29
4: bd.1-12 bk.13-21 dg.22-30 mm.31-33 tr.34-36
5: bd.1-2 bk.3-7 dg.8-10 mm.11-13 tr.14-17
6: bd.1-6 bk.7-12 dg.13-18 mm.19-24 tr.25-29
7: bd.1-4 bk.5-10 dg.11-14 mm.15-18 tr.19-20
8: bd.1-4 bk.5-8 dg.9-10 mm.11-13 tr.14-16
9: bd.1-3 bk.4-5 dg.7-10 mm.11-13 tr.14-16
10: bd.1-12 bk.13-24 dg.25-36 mm.37-40 tr.41-52
11: bd.1-3 bk.4-6 dg.7-9 mm.10-11 tr.12-14
"""
"""Rows of a class counted from 1, a colon, and words `actor.takes`."""
ENDS = {
    "spine base": "root",
    "spine lower": "lowerback",
    "spine mid": "upperback",
    "spine upper": "thorax",
    "neck": "lowerneck",
    "head": "upperneck",
    **{
        f"{side} {joint}": side[0] + bone
        for side in ("left", "right")
        for joint, bone in {
            "hip": "hipjoint",
            "knee": "femur",
            "ankle": "tibia",
            "foot": "foot",
            "shoulder": "clavicle",
            "elbow": "humerus",
            "wrist": "wrist",
        }.items()
    },
}
"""Joint -> the bone that ends there; the clavicles' own joints follow from thorax and shoulders."""
EVERY = 4
"""Frames are taken so far apart: 30 of 120 a second."""


class Hdm05(OneClipFiles):
    """Cuts of HDM05 from AMC and ASF files; actors bd, bk and dg train, mm and tr test."""

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    name = "hdm05"
    pattern = r"HDM_([a-z]{2})_([A-Za-z0-9]+)_(\d+)_120\.amc"
    form = "HDM_ACTOR_ACTION_TAKE_120.amc"
    preset: ClassVar[Mapping[str, Any]] = {
        "dataset.protocol": "xsub",
        "dataset.split": "fold0",
        **SMALL,
    }
    request: ClassVar[str | None] = (
        "get the cuts of HDM05 (resources.mpi-inf.mpg.de/HDM05, CC BY-SA 3.0; as chosen by "
        "github.com/zhangchi8620/JointLearning-HDM05) and pass --raw with the zip or folder of the "
        "287 files HDM_ACTOR_ACTION_TAKE_120.amc, each beside its HDM_ACTOR.asf"
    )
    fps: ClassVar[float | None] = 30
    layout = SMPL_22
    protocols = ("xsub",)
    splits: Mapping[str, tuple[int, ...]] = {
        "fold0": (2, 4, 6, 7),
        "fold1": (0, 3, 5, 10),
        "fold2": (1, 8, 9),
    }
    classes = tuple(ACTIONS.values())

    @property
    def totals(self) -> Totals:
        """The clips of the distribution."""
        takes = list(_takes())
        clips = ((label, _subsets(actor)) for label, actor, _ in takes)
        return Totals(
            clips=len(takes),
            subjects=len(TRAIN) + len(TEST),
            views=1,
            subsets=per_class(clips, len(self.classes)),
            names=lambda: (f"{actor}_{WORDS[a]}_{take:03}" for a, actor, take in takes),
        )

    def files(self, raw: Path) -> Sequence[Path]:
        """The zip, or the AMC files below `raw` and the ASF files beside them."""
        own = super().files(raw)
        amc = [path for path in own if archives.is_named(path.name, self.pattern)]
        asf = {path for folder in {path.parent for path in amc} for path in folder.glob("*.asf")}
        return (*own, *sorted(asf))

    def clip(self, recording: Recording, match: re.Match[str]) -> Clip:
        """The clip of a file named actor, action and take."""
        actor, word, take = match.groups()
        if word not in WORDS or actor not in (*TRAIN, *TEST):
            what = f"actor '{actor}'" if word in WORDS else f"action '{word}'"
            raise DataError(
                f"{what} is not in the data set", "remove the file", file=recording.where
            )
        return Clip(
            name=f"{actor}_{word}_{take}",
            joints=_joints(recording, _beside(recording, f"HDM_{actor}.asf")),
            label=WORDS.index(word),
            subsets=_subsets(actor),
            subject=actor,
        )

    def write_sample(self, raw: Path) -> None:
        """Write one made-up clip of every class by an actor that trains and one that tests."""
        rng = np.random.default_rng(0)
        for actor in ("bd", "mm"):
            (raw / f"HDM_{actor}.asf").write_text(_sample_asf(), "utf-8")
        for word, actor in itertools.product(WORDS, ("bd", "mm")):
            lines = [":FULLY-SPECIFIED", ":DEGREES"]
            for frame in range(1, 22):
                lines.append(f"{frame}")
                lines.append("root " + " ".join(f"{x:.4f}" for x in rng.normal(size=6)))
                for bone in SAMPLE_BONES:
                    lines.append(f"{bone} " + " ".join(f"{x:.4f}" for x in rng.normal(size=3) * 20))
            path = raw / f"HDM_{actor}_{word}_001_120.amc"
            path.write_text("\n".join(lines) + "\n", "utf-8")


def _takes() -> Iterator[tuple[int, str, int]]:
    """Class id, actor and take of every clip."""
    for action, row in rows(TAKES):
        for word in row.split():
            actor, _, takes = word.partition(".")
            yield from ((action - 1, actor, take) for take in numbers(takes))


def _subsets(actor: str) -> dict[str, Subset]:
    return {"xsub": "train" if actor in TRAIN else "test"}


def _beside(recording: Recording, name: str) -> Recording:
    """Another file in the folder of a recording.

    Raises:
        DataError: It is not there.
    """
    member = str(PurePosixPath(recording.member).with_name(name)) if recording.member else ""
    file = recording.file if member else recording.file.with_name(name)
    if not (archives.has(file, member) if member else file.is_file()):
        raise DataError(
            f"needs {name} in the same folder",
            "put the actor's skeleton beside the file",
            file=recording.where,
        )
    return Recording(name, file, member)


def _joints(recording: Recording, actor: Recording) -> Joints:
    """Joints of every fourth frame in metres, turned to the camera.

    Raises:
        DataError: A file is damaged, or its skeleton lacks a joint.
    """
    body = asf_amc.skeleton(_text(actor), actor.where)
    values = asf_amc.motion(_text(recording), body, recording.where)
    ends = asf_amc.positions(body, {bone: every[::EVERY] for bone, every in values.items()})
    if absent := [bone for bone in ENDS.values() if bone not in ends]:
        raise DataError(
            f"has no bone {absent[0]}", "check that it is a skeleton of HDM05", file=actor.where
        )
    places = {joint: ends[bone] for joint, bone in ENDS.items()}
    for side in ("left", "right"):
        shoulder = places[f"{side} shoulder"]
        places[f"{side} clavicle"] = 0.75 * places["spine upper"] + 0.25 * shoulder
    joints = np.stack([places[joint] for joint in SMPL_22.joints], 1)
    return checked(turned(joints * METRES["inch"], Y_UP)[:, None], SMPL_22, recording.where)


def _text(recording: Recording) -> str:
    return archives.load(recording).decode("latin-1")  # ASCII but for comments


SAMPLE_BONES: Mapping[str, tuple[str, tuple[float, float, float]]] = {
    "lowerback": ("root", (0, 2.5, 0)),
    "upperback": ("lowerback", (0, 2.5, 0)),
    "thorax": ("upperback", (0, 2.5, 0)),
    "lowerneck": ("thorax", (0, 1.5, 0)),
    "upperneck": ("lowerneck", (0, 1.5, 0)),
    **{
        f"{side}{bone}": (
            parent if parent in ("root", "thorax") else side + parent,
            (sign * x, y, z),
        )
        for side, sign in (("l", 1), ("r", -1))
        for bone, parent, x, y, z in (
            ("hipjoint", "root", 1.5, -1.5, 0),
            ("femur", "hipjoint", 0, -7, 0),
            ("tibia", "femur", 0, -7, 0),
            ("foot", "tibia", 0, -1, 2),
            ("clavicle", "thorax", 3, 0.5, 0),
            ("humerus", "clavicle", 5, 0, 0),
            ("radius", "humerus", 3, 0, 0),
            ("wrist", "radius", 1.5, 0, 0),
        )
    },
}
"""Bone -> its parent and its end as seen from there, of a made-up actor."""


def _sample_asf() -> str:
    """The skeleton of the made-up actor."""
    lines = [":units", "  length 0.45", "  angle deg", ":root", "  order TX TY TZ RX RY RZ"]
    lines += ["  axis XYZ", "  position 0 0 0", "  orientation 0 0 0", ":bonedata"]
    for name, (_, offset) in SAMPLE_BONES.items():
        length = float(np.linalg.norm(offset))
        direction = " ".join(f"{x / length:.8f}" for x in offset)
        lines += ["  begin", f"    name {name}", f"    direction {direction}"]
        lines += [f"    length {length:.8f}", "    axis 0 0 0 XYZ", "    dof rx ry rz", "  end"]
    lines += [":hierarchy", "  begin"]
    lines += [f"    {parent} {name}" for name, (parent, _) in SAMPLE_BONES.items()]
    return "\n".join([*lines, "  end"]) + "\n"

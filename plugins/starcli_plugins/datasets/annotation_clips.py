"""The clips of annotation files: their names, sides, labels and joints, each checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from starcli.contracts import Side
from starcli.errors import LEAVE_OUT, DataError
from starcli.skeletons import Joints, checked
from starcli_plugins.layouts import KINECT_V2

MAX_PERSONS = 2
SPLITS = re.compile(r"(xsub|xview|xset)_(train|val)")
REFETCH = "download ntu60_3danno.pkl or ntu120_3danno.pkl again, or pass the .skeleton files"


def by_name(clips: Sequence[Any], path: Path) -> dict[str, Mapping[str, Any]]:
    """The annotations by their names, of which none is there twice."""
    named: dict[str, Mapping[str, Any]] = {}
    for number, clip in enumerate(clips, 1):
        name = clip.get("frame_dir") if isinstance(clip, dict) else None
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 80:
            raise DataError(f"annotation {number} is not a dict with a name as frame_dir", REFETCH,
                            file=path)  # fmt: skip
        if name in named:
            raise DataError(f"clip {name} is there twice", REFETCH, file=path)
        named[name] = clip
    return named


def sides_of(
    split: Mapping[Any, Any], names: Mapping[str, object], path: Path
) -> dict[str, dict[str, Side]]:
    """The side of every clip in every protocol that the file has lists of.

    Args:
        split: Protocol and side, such as `xsub_val`, -> names of clips.
        names: The names of all clips.
        path: The file, for messages.
    """
    sides: dict[str, dict[str, Side]] = {name: {} for name in names}
    protocols = {_protocol_and_side(part, path)[0] for part in split}
    for part, listed in split.items():
        protocol, side = _protocol_and_side(part, path)
        if not isinstance(listed, list):
            raise DataError(f"{part} is {shown(listed)}, want a list of names", REFETCH, file=path)
        for name in listed:
            _place(sides, name, protocol, side, path)
    for name, known in sides.items():
        if not known or len(known) < len(protocols):
            missing = ", ".join(sorted(protocols - set(known))) or "any protocol"
            raise DataError(f"clip {name} is on no side of {missing}", REFETCH, file=path)
    return sides


def _protocol_and_side(part: object, path: Path) -> tuple[str, Side]:
    """What a list of names is of, `val` being the test part."""
    match = SPLITS.fullmatch(part) if isinstance(part, str) else None
    if match is None:
        raise DataError(f"unknown split {shown(part)}, want such as xsub_train and xsub_val",
                        REFETCH, file=path)  # fmt: skip
    return match[1], "train" if match[2] == "train" else "test"


def _place(
    sides: Mapping[str, dict[str, Side]], name: object, protocol: str, side: Side, path: Path
) -> None:
    """Note the side of a clip, which has one in each protocol."""
    if not isinstance(name, str) or name not in sides:
        raise DataError(f"a list of {protocol} has {shown(name)}, which is no annotation", REFETCH,
                        file=path)  # fmt: skip
    if protocol in sides[name]:
        raise DataError(f"clip {name} is listed twice in {protocol}", REFETCH, file=path)
    sides[name][protocol] = side


def label_of(clip: Mapping[str, Any], where: str) -> int:
    """The class id of an annotation."""
    label = clip.get("label")
    if type(label) is not int or label < 0:
        raise DataError(f"label is {shown(label)}, want a class id", REFETCH, file=where)
    return label


def joints_of(clip: Mapping[str, Any], where: str) -> Joints:
    """The joints [frames, M, V, 3] of an annotation, whose `keypoint` is [M, T, V, 3]."""
    values, frames = clip.get("keypoint"), clip.get("total_frames")
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f" or values.ndim != 4:
        raise DataError(f"keypoint is {shown(values)}, want floats [M, T, 25, 3]", REFETCH,
                        file=where)  # fmt: skip
    if values.shape[3] == 2:
        raise DataError("these are 2-D poses, want ntu60_3danno.pkl", REFETCH, file=where)
    if not 1 <= len(values) <= MAX_PERSONS:
        raise DataError(f"has {len(values)} persons, want 1 or 2", REFETCH, file=where)
    if values.shape[1] != frames:
        raise DataError(f"has {values.shape[1]} frames, total_frames is {shown(frames)}", REFETCH,
                        file=where)  # fmt: skip
    joints = checked(values.transpose(1, 0, 2, 3), KINECT_V2, where)
    filled = np.flatnonzero(joints.any((1, 2, 3)))
    if len(filled) == 0:
        raise DataError("no pose in any frame, only zeros", LEAVE_OUT, file=where)
    persons = MAX_PERSONS if joints[:, 1:].any() else 1
    return np.ascontiguousarray(joints[: filled[-1] + 1, :persons])


def shown(value: object) -> str:
    """A value for a message; of containers only the kind, since they may be endless."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)}"
    if isinstance(value, str):
        return repr(value[:80])
    if value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63):
        return repr(value)
    return f"a {type(value).__name__}"

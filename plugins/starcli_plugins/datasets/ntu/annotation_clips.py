"""The clips of annotation files: their names, subsets, labels and joints, each checked."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import numpy as np
import numpy.typing as npt

from starcli.contracts import BadClip, Subset
from starcli.data.normalise import Joints, checked
from starcli.errors import LEAVE_OUT, DataError
from starcli_plugins.layouts import KINECT_V2

MAX_PERSONS = 2
SPLITS = re.compile(r"(xsub|xview|xset)_(train|val)")
REFETCH = "download ntu60_3danno.pkl or ntu120_3danno.pkl again, or pass the .skeleton files"


class Annotated(NamedTuple):
    """A clip of an annotation file.

    Args:
        name: Its name.
        label: Class id.
        joints: [frames, M, V, 3], metres, without frames at the end in which nobody is there, and
            without a second person who never is.
        subsets: Protocol -> subset; `val` is test.
    """

    name: str
    label: int
    joints: Joints
    subsets: Mapping[str, Subset]


Listed = Sequence[tuple[str, Subset]]
"""The protocols and subsets whose lists have a clip."""


def annotated(
    clips: Sequence[Any], split: Mapping[Any, Any], path: Path, wanted: Callable[[str], bool]
) -> Iterator[Annotated | BadClip]:
    """The clips of an annotation file in the order of their names.

    Args:
        clips: The annotations.
        split: Protocol and subset, such as `xsub_val`, -> names of clips.
        path: The file, for messages.
        wanted: Says of a name whether the clip is looked at.

    Raises:
        DataError: The split is not of subsets of protocols and lists of names.
    """
    named, bad = by_name(clips, path)
    listed = listed_in(split, path)
    protocols = sorted({part.partition("_")[0] for part in split})
    for name in sorted(listed.keys() - named.keys() - bad.keys()):
        lists = ", ".join(sorted({protocol for protocol, _ in listed[name]}))
        bad[name] = DataError(
            f"a list of {lists} has it, but there is no annotation", REFETCH, file=f"{path}/{name}"
        )
    for name in filter(wanted, sorted(named | bad)):
        if name in bad:
            yield BadClip(name, bad[name])
            continue
        try:
            clip: Annotated | BadClip = _checked(
                name, named[name], listed.get(name, ()), protocols, f"{path}/{name}"
            )
        except DataError as error:
            clip = BadClip(name, error)
        yield clip


def _checked(
    name: str, clip: Mapping[str, Any], listed: Listed, protocols: Sequence[str], where: str
) -> Annotated:
    subsets = subsets_of(listed, protocols, where)
    return Annotated(name, label_of(clip, where), joints_of(clip, where), subsets)


def by_name(
    clips: Sequence[Any], path: Path
) -> tuple[dict[str, Mapping[str, Any]], dict[str, DataError]]:
    """The annotations by their names, and what is wrong with the others; a copy is left out."""
    named: dict[str, Mapping[str, Any]] = {}
    bad: dict[str, DataError] = {}
    copies: list[str] = []
    for number, clip in enumerate(clips, 1):
        name = clip.get("frame_dir") if isinstance(clip, dict) else None
        if not _is_name(name):
            place = f"annotation {number}"
            bad[place] = DataError(
                f"{place} is not a dict with a name as frame_dir", REFETCH, file=path
            )
        elif not _are_equal(named.setdefault(name, clip), clip):
            bad[name] = DataError(
                f"annotation {number} is a duplicate with different contents",
                REFETCH,
                file=f"{path}/{name}",
            )
        elif named[name] is not clip:
            copies.append(name)
    if copies:
        logging.getLogger("starcli").warning(
            "warning: %s has %d copies of annotations, such as of %s, which are left out",
            path,
            len(copies),
            copies[0],
        )
    return named, bad


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= 80


def _are_equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two annotations are the same in all that is read of them."""
    if one is other:
        return True
    same = all(shown(one.get(key)) == shown(other.get(key)) for key in ("label", "total_frames"))
    return same and np.array_equal(_array(one), _array(other), equal_nan=True)


def _array(clip: Mapping[str, Any]) -> npt.NDArray[Any]:
    values = clip.get("keypoint")
    return values if isinstance(values, np.ndarray) else np.empty(0)


def listed_in(split: Mapping[Any, Any], path: Path) -> dict[str, Listed]:
    """The lists that each name is on.

    Args:
        split: Protocol and subset, such as `xsub_val`, -> names of clips.
        path: The file, for messages.

    Raises:
        DataError: A part is not a subset of a protocol, or not a list of names.
    """
    listed: dict[str, list[tuple[str, Subset]]] = {}
    for part, names in split.items():
        match = SPLITS.fullmatch(part) if isinstance(part, str) else None
        if match is None:
            raise DataError(
                f"unknown split {shown(part)}, expected such as xsub_train and xsub_val",
                REFETCH,
                file=path,
            )
        if not isinstance(names, list) or not all(map(_is_name, names)):
            raise DataError(f"{part} is not a list of names", REFETCH, file=path)
        subset: Subset = "train" if match[2] == "train" else "test"
        for name in names:
            listed.setdefault(name, []).append((match[1], subset))
    return {name: tuple(lists) for name, lists in listed.items()}


def subsets_of(listed: Listed, protocols: Sequence[str], where: str) -> dict[str, Subset]:
    """The subset of a clip in every protocol, of which it has one.

    Args:
        listed: The lists that have it.
        protocols: The protocols that the file has lists of.
        where: The clip, for messages.
    """
    subsets = dict(listed)
    if len(subsets) < len(listed):
        twice = next(p for n, (p, _) in enumerate(listed) if p in dict(listed[:n]))
        raise DataError(f"duplicate in the lists of {twice}", REFETCH, file=where)
    if missing := [protocol for protocol in protocols if protocol not in subsets]:
        raise DataError(f"is in no subset of {', '.join(missing)}", REFETCH, file=where)
    if not subsets:
        raise DataError("is in no subset of any protocol", REFETCH, file=where)
    return subsets


def label_of(clip: Mapping[str, Any], where: str) -> int:
    """The class id of an annotation."""
    label = clip.get("label")
    if type(label) is not int or label < 0:
        raise DataError(f"label: expected a class id, got {shown(label)}", REFETCH, file=where)
    return label


def joints_of(clip: Mapping[str, Any], where: str) -> Joints:
    """The joints [frames, M, V, 3] of an annotation, whose `keypoint` is [M, T, V, 3]."""
    values, frames = clip.get("keypoint"), clip.get("total_frames")
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f" or values.ndim != 4:
        raise DataError(
            f"keypoint: expected floats [M, T, 25, 3], got {shown(values)}", REFETCH, file=where
        )
    if values.shape[3] == 2:
        raise DataError("expected ntu60_3danno.pkl, got 2-D poses", REFETCH, file=where)
    if not 1 <= len(values) <= MAX_PERSONS:
        raise DataError(f"expected 1 or 2 persons, got {len(values)}", REFETCH, file=where)
    if values.shape[1] != frames:
        raise DataError(
            f"has {values.shape[1]} frames, total_frames is {shown(frames)}", REFETCH, file=where
        )
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

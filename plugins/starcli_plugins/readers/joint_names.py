"""Joints of a file matched with those of a layout, by the names that people and tools give them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from starcli.contracts import Layout
from starcli.poses import PoseFile
from starcli_plugins.layouts import LAYOUTS

Values = npt.NDArray[np.float64]

PREFIX = re.compile(r"^(?:.*:|mixamorig\d*_?|character\d+_|bip0?1(?=[ _]))", re.IGNORECASE)
"""What tools put before all names of a skeleton."""
SPINE = re.compile(
    r"spinelower|lowerback|lowback|abdomen\d*|spine\d*|torso|spinemid|midspine|spinechest|chest\d*"
    r"|spineupper|upperback|upperchest|thorax"
)
"""Joints between the hips and the neck, from low to high."""
SIDES = {"left": "left", "right": "right", "l": "left", "r": "right"}

# Of one side. A key is left to the first joint that takes it: `shoulder` is the clavicle only where
# `arm` is the shoulder, `hand` is the wrist only where no wrist is.
SIDED: Mapping[str, tuple[str, ...]] = {
    "shoulder": ("sjc", "shldr", "upperarm", "uparm", "arm", "shoulder", "shoulderjoint"),
    "elbow": ("ejc", "elbow", "forearm", "lowerarm", "loarm", "elbowjoint"),
    "wrist": ("wjc", "wrist", "hand", "wristjoint"),
    "hip": ("hjc", "upleg", "upperleg", "thigh", "hip", "hipjoint"),
    "knee": ("kjc", "knee", "leg", "lowerleg", "loleg", "shin", "calf", "kneejoint"),
    "ankle": ("ajc", "ankle", "foot", "anklejoint"),
    "big toe": ("bigtoe", "hallux"),
    "small toe": ("smalltoe", "littletoe"),
    "heel": ("heel", "calc", "calcaneus"),
    "foot index": ("footindex", "bigtoe", "toe", "toes"),
    "foot": ("foot", "toebase", "toe", "toes", "toe0", "ball", "footindex", "bigtoe"),
    "hand": ("hand", "handmiddle1", "palm"),
    "hand tip": (
        "handtip",
        "fingertip",
        "handmiddle4",
        "handmiddle3",
        "handindex4",
        "handindex1",
        "fingerbase",
    ),
    "thumb": ("thumb", "handthumb1", "thumb1", "thumb4", "handthumb4"),
    "index": ("index", "handindex1", "index1"),
    "pinky": ("pinky", "handpinky1", "pinky1"),
    "clavicle": ("clavicle", "collar", "collarbone", "shoulder"),
    "eye": ("eye",),
    "eye inner": ("eyeinner",),
    "eye outer": ("eyeouter",),
    "ear": ("ear",),
    "mouth": ("mouth", "mouthcorner"),
}
MIDDLE: Mapping[str, tuple[str, ...]] = {
    "spine base": (
        "spinebase",
        "hips",
        "pelvis",
        "midhip",
        "hipmid",
        "hipcenter",
        "hipcentre",
        "hip",
        "waist",
        "pelo",
        "root",
    ),
    "hip centre": ("hipcenter", "hipcentre"),
    "spine": ("spine",),
    "shoulder centre": ("shouldercenter", "shouldercentre"),
    "spine shoulder": ("spineshoulder", "thorax", "shouldercenter", "shouldercentre"),
    "spine chest": ("spinechest", "chestspine"),
    "spine mid": ("spinemid", "spinenavel", "spinenaval", "navalspine", "navelspine"),
    "spine lower": ("spinelower",),
    "spine upper": ("spineupper",),
    "neck": ("neck", "neck1", "necklower"),
    "neck base": ("neckbase", "neck", "midshoulder", "shouldermid"),
    "head top": ("headtop", "headtopend", "topofhead", "head"),
    "head": ("head", "hedo"),
    "face": ("face", "necknose", "jaw", "neckbase", "nose"),
    "nose": ("nose",),
}
"""Joint -> its keys, the surest first: names in small letters without what is between words."""
ORDER = [*SIDED, *MIDDLE]
HEAD = {"head", "head top", "face", "nose", "left ear", "right ear"}
LIMBS = tuple(
    f"{side} {joint}"
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)


@dataclass(frozen=True)
class Joints:
    """Where a file has the joints of a layout.

    Args:
        layout: The layout.
        index: int64 [V], which joint of the file each is; -1 where the file lacks it.
    """

    layout: Layout
    index: npt.NDArray[np.int64]

    @property
    def lacking(self) -> tuple[str, ...]:
        """Which of the 13 points are lacking that every action needs: the head and the limbs'."""
        names = {name for name, at in zip(self.layout.joints, self.index, strict=True) if at >= 0}
        return (*(() if names & HEAD else ("head",)), *(n for n in LIMBS if n not in names))

    def of(self, values: Values) -> Values:
        """The joints of the layout out of those of the file, along the last axis but one.

        Args:
            values: [..., joints of the file, any].

        Returns:
            [..., V, any], NaN where the file lacks a joint.
        """
        out = values[..., self.index, :]
        out[..., self.index < 0, :] = np.nan
        return out


def fit(
    names: Sequence[str], layouts: Iterable[Layout] = LAYOUTS, points: Values | None = None
) -> Joints:
    """The layout that suits the names best.

    It is one with the 13 points if there is one, and then the one with most joints of the file and
    fewest that the file lacks.

    Args:
        names: Names of the file's joints.
        layouts: The layouts to choose from.
        points: [joints of the file, 3], where they are in one frame; tells long spines apart.
    """
    known = _keys(names)
    spine = _spine(known, points)
    fitted = [_fitted(layout, known, spine) for layout in layouts]
    return max(fitted, key=_suits)


def _suits(joints: Joints) -> tuple[int, int, int]:
    there = int((joints.index >= 0).sum())
    return -len(joints.lacking), 2 * there - len(joints.index), there


def require(
    names: Sequence[str],
    file: PoseFile,
    layouts: Iterable[Layout] = LAYOUTS,
    points: Values | None = None,
) -> Joints:
    """As `fit`, of a file that must have the 13 points.

    Raises:
        DataError: Some of them are not found.
    """
    joints = fit(names, layouts, points)
    if joints.lacking:
        some = ", ".join(repr(name) for name in names[:8]) + (" ..." if len(names) > 8 else "")
        raise file.wrong(
            f"no joint found for {', '.join(joints.lacking)}; names are {some}",
            "rename the joints, such as left_wrist, or leave the file out",
        )
    return joints


def is_body(names: Sequence[str]) -> bool:
    """Whether names have the 13 points."""
    return not fit(names).lacking


def _fitted(layout: Layout, known: Mapping[str, int], spine: Mapping[str, int]) -> Joints:
    """Where the names have the joints of one layout."""
    where: dict[str, int] = {}
    taken: set[int] = set()
    for joint in sorted(layout.joints, key=_rank):
        at = _found(joint, known, spine, taken)
        if at is not None:
            where[joint] = at
            taken.add(at)
    return Joints(layout, np.array([where.get(name, -1) for name in layout.joints], np.int64))


def _rank(joint: str) -> int:
    """The place of a joint in the order in which keys are taken."""
    side, base = _parted(joint)
    return ORDER.index(base if side or base in MIDDLE else joint)


def _parted(joint: str) -> tuple[str, str]:
    """Side and joint of a layout's name: `left` and `hand tip`."""
    words = joint.split()
    side = next((word for word in words if word in ("left", "right")), "")
    return side, " ".join(word for word in words if word != side)


def _found(
    joint: str, known: Mapping[str, int], spine: Mapping[str, int], taken: set[int]
) -> int | None:
    side, base = _parted(joint)
    keys = SIDED[base] if side else MIDDLE[base]
    places = [known[side + key] for key in keys if side + key in known]
    if joint in spine:
        places.append(spine[joint])
    return next((place for place in places if place not in taken), None)


def _keys(names: Sequence[str]) -> dict[str, int]:
    """Key of each name -> its place; of the same names, the first."""
    out: dict[str, int] = {}
    for place, name in enumerate(names):
        out.setdefault(_key(name), place)
    return out


def _key(name: str) -> str:
    """A name in small letters without prefix and separators, its side first: `leftelbow`."""
    plain = re.sub(r"[\s_.\-]", "", PREFIX.sub("", name, count=1)).lower()
    if plain in MIDDLE_KEYS or SPINE.fullmatch(plain):
        return plain
    for mark, side in SIDES.items():
        for base in (plain.removeprefix(mark), plain.removesuffix(mark)):
            if base != plain and base in SIDED_KEYS:
                return side + base
    return plain


MIDDLE_KEYS = {key for keys in MIDDLE.values() for key in keys}
SIDED_KEYS = {key for keys in SIDED.values() for key in keys}


def _spine(known: Mapping[str, int], points: Values | None) -> dict[str, int]:
    """The joints between hips and neck as what layouts call them.

    The last one is at the shoulders; of the others, the one nearest the middle of hips and neck is
    the spine's middle; a single one is that too.
    """
    places = [
        place
        for _, place in sorted((_height(k), v) for k, v in known.items() if SPINE.fullmatch(k))
    ]
    if not places:
        return {}
    *lower, last = places
    if not lower:
        return {"spine mid": last}
    middle = _middle(lower, known, points)
    out = {"spine mid": middle, "spine upper": last, "spine shoulder": last}
    below = lower[: lower.index(middle)]
    return {**out, "spine lower": below[0]} if below else out


def _height(key: str) -> tuple[int, int]:
    """Where a joint of the spine is among others, from low to high."""
    word = key.rstrip("0123456789")
    return SPINE_WORDS.index(word), int(key[len(word) :] or 0)


def _middle(places: Sequence[int], known: Mapping[str, int], points: Values | None) -> int:
    """Of the lower joints of a spine, the one in the middle of hips and neck."""
    ends = [
        next((known[k] for k in MIDDLE[name] if k in known), None)
        for name in ("spine base", "neck")
    ]
    if points is None or ends[0] is None or ends[1] is None:
        return places[len(places) // 2]
    centre = (points[ends[0]] + points[ends[1]]) / 2
    return min(places, key=lambda place: float(np.linalg.norm(points[place] - centre)))


SPINE_WORDS = re.sub(r"\\d\*", "", SPINE.pattern).split("|")

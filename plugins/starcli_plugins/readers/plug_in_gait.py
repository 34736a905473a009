"""Rough joints from the markers of Plug-in Gait, which lie on the skin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from starcli_plugins.readers.joint_names import LIMBS, Values

MIDDLES = {
    "shoulder": ("SHO",),
    "elbow": ("ELB", "ELM"),
    "wrist": ("WRA", "WRB"),
    "knee": ("KNE", "KNM"),
    "ankle": ("ANK", "MED"),
    "foot": ("TOE",),
}
"""Joint -> its markers after the letter of the side; it is in their middle, or at the first."""
HEAD = ("LFHD", "RFHD", "LBHD", "RBHD")
FRONT, BACK = ("LASI", "RASI"), ("LPSI", "RPSI", "SACR")
HIP = (0.14, 0.30, 0.19)
"""Hip joint towards the middle, down and back from the front marker of its side, as shares of the
distance of these markers (Bell, Brand and Pedersen, Human Movement Science 8, 1989)."""


def joints(markers: Mapping[str, Values]) -> dict[str, Values]:
    """Joint -> its places [T, 3]; nothing where markers of the 13 points are lacking.

    Args:
        markers: Label -> its places [T, 3], NaN where it was not seen.
    """
    out: dict[str, Values] = {}
    if set(FRONT) <= set(markers) and set(BACK) & set(markers):
        out |= _hips(markers)
        out["pelvis"] = (out["left hip"] + out["right hip"]) / 2
    for side in ("left", "right"):
        for joint, ends in MIDDLES.items():
            labels = [side[0].upper() + end for end in ends]
            if labels[0] in markers:
                out[f"{side} {joint}"] = _mean(markers, labels)
    if set(HEAD) & set(markers):
        out["head"] = _mean(markers, HEAD)
    return out if {*LIMBS, "head"} <= set(out) else {}


def _mean(markers: Mapping[str, Values], labels: Sequence[str]) -> Values:
    """The middle of those markers that there are."""
    return np.asarray(np.mean([markers[label] for label in labels if label in markers], axis=0))


def _hips(markers: Mapping[str, Values]) -> dict[str, Values]:
    """Both hips from the markers of the pelvis."""
    left, right = (markers[label] for label in FRONT)
    width = np.linalg.norm(left - right, axis=-1, keepdims=True)
    across = (left - right) / width
    back = _mean(markers, BACK) - (left + right) / 2
    back -= (back * across).sum(-1, keepdims=True) * across
    back /= np.linalg.norm(back, axis=-1, keepdims=True)
    up = np.cross(across, back)
    middle, down, behind = (share * width for share in HIP)
    shift = behind * back - down * up
    return {
        "left hip": left - middle * across + shift,
        "right hip": right + middle * across + shift,
    }

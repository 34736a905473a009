"""One layout's joints from another's: by name, or by a rule over joints that are there.

A rule is a weighted sum of joints whose weights add up to one, so that a whole mapping is a matrix
that moving, turning and scaling the body do not change. Rules and numbers: measured on Kinect v1
recordings (UTD-MHAD) and a published Kinect v2 frame; hips and shoulders are sides' middles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from starcli.contracts import Layout
from starcli.errors import DataError

Rule = Mapping[str, float]
HIPS: Rule = {"left hip": 0.5, "right hip": 0.5}
SHOULDERS: Rule = {"left shoulder": 0.5, "right shoulder": 0.5}


def _between(low: Rule, high: Rule, share: float) -> Rule:
    """The point `share` of the way from one point to another, beyond it above 1."""
    return {
        joint: (1 - share) * low.get(joint, 0.0) + share * high.get(joint, 0.0)
        for joint in {**low, **high}
    }


MIDDLE_RULES: Mapping[str, tuple[Rule, ...]] = {
    "spine base": ({"hip centre": 1}, HIPS),
    "spine lower": ({"spine base": 0.5, "spine mid": 0.5},),
    "spine mid": ({"spine base": 0.5, "neck": 0.5}, {"spine": 1}),
    "spine chest": ({"spine mid": 0.5, "spine shoulder": 0.5}, {"spine upper": 1}),
    "spine upper": ({"spine mid": 0.5, "spine shoulder": 0.5}, {"spine chest": 1}),
    "spine shoulder": (
        {"left clavicle": 0.5, "right clavicle": 0.5},
        _between(SHOULDERS, {"neck": 1}, 0.5),
        {"shoulder centre": 1},
    ),
    "neck": (_between({"spine base": 1}, SHOULDERS, 1.19), {"shoulder centre": 1}),
    "neck base": (SHOULDERS,),
    "head": (
        {"left ear": 0.5, "right ear": 0.5},
        {"face": 0.5, "head top": 0.5},
        {"left eye": 0.5, "right eye": 0.5},
        {"nose": 1},
        {"head top": 1},
        _between({"spine base": 1}, {"neck": 1}, 1.3),
    ),
    "head top": (_between({"neck": 1}, {"head": 1}, 1.5),),
    "nose": ({"face": 1}, {"head": 1}),
    "face": ({"nose": 1}, {"head": 1}),
    "hip centre": (_between(HIPS, SHOULDERS, 0.19),),
    "spine": (_between(HIPS, SHOULDERS, 0.375),),
    "shoulder centre": (_between(HIPS, SHOULDERS, 1.30),),
}
SIDE_RULES: Mapping[str, tuple[Rule, ...]] = {
    "clavicle": ({"spine shoulder": 0.75, "* shoulder": 0.25},),
    "hand": (
        {"* pinky": 0.5, "* index": 0.5},
        _between({"* elbow": 1}, {"* wrist": 1}, 1.28),
    ),
    "hand tip": ({"* index": 1}, {"* hand": 1}),
    "thumb": ({"* hand": 1},),
    "index": ({"* hand tip": 1}, {"* hand": 1}),
    "pinky": ({"* hand": 1},),
    "foot": (
        {"* ankle": 0.5, "* foot index": 0.5},
        {"* ankle": 0.5, "* big toe": 0.5},
        {"* ankle": 1},
    ),
    "foot index": ({"* big toe": 1}, _between({"* ankle": 1}, {"* foot": 1}, 2)),
    "big toe": ({"* foot index": 1}, _between({"* ankle": 1}, {"* foot": 1}, 2)),
    "small toe": ({"* big toe": 1},),
    "heel": ({"* ankle": 1},),
    "eye": ({"nose": 1},),
    "ear": ({"head": 1},),
}
"""Rules of either side; `*` is the side."""
FACE_RULES: Mapping[str, tuple[Rule, ...]] = {
    f"{side} eye {place}": ({f"{side} eye": 1},)
    for side in ("left", "right")
    for place in ("inner", "outer")
} | {f"mouth {side}": ({"nose": 1},) for side in ("left", "right")}


def _sided(rule: Rule, side: str) -> Rule:
    return {joint.replace("*", side): weight for joint, weight in rule.items()}


RULES: Mapping[str, tuple[Rule, ...]] = {
    **MIDDLE_RULES,
    **FACE_RULES,
    **{
        f"{side} {joint}": tuple(_sided(rule, side) for rule in rules)
        for side in ("left", "right")
        for joint, rules in SIDE_RULES.items()
    },
}
"""Joint -> the rules that give it: the first whose joints are there, else the first whose joints
follow from rules themselves."""


@dataclass(frozen=True)
class JointMap:
    """How the joints of one layout become those of another.

    Args:
        weights: float64 [V of the target, V of the source], rows that add up to one.
    """

    weights: npt.NDArray[np.float64]

    def apply(self, joints: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The target's joints [..., V, axes]; NaN where a joint they need is NaN.

        Args:
            joints: [..., V of the source, axes].
        """
        absent = np.isnan(joints)
        out: npt.NDArray[np.float64] = np.einsum(
            "ts,...sc->...tc", self.weights, np.where(absent, 0.0, joints)
        )
        lacking = np.einsum("ts,...sc->...tc", self.weights != 0, absent.astype(np.float64)) > 0
        out[lacking] = np.nan
        return out


def joint_map(source: Layout, target: Layout) -> JointMap:
    """How the joints of a layout become those of another.

    Raises:
        DataError: A joint of the target has neither the same name in the source nor a rule.
    """
    if source == target:
        return JointMap(np.eye(len(source.joints)))
    has = frozenset(source.joints)
    rules = {joint: _weights(joint, has, frozenset()) for joint in target.joints}
    if lacking := [joint for joint, weights in rules.items() if weights is None]:
        raise DataError(
            f"layout {source.name} has no joint, and there is no rule, for {', '.join(lacking)} of "
            f"{target.name}",
            f"train on recordings of {source.name}: starcli data import NAME SOURCE, then "
            "starcli train --dataset NAME",
        )
    matrix = np.zeros((len(target.joints), len(source.joints)))
    for row, weights in enumerate(rules.values()):
        for joint, weight in (weights or {}).items():
            matrix[row, source.joints.index(joint)] = weight
    return JointMap(matrix)


def rule_map(layout: Layout, absent: Sequence[int]) -> JointMap:
    """How joints of a layout that were never seen follow from its others.

    A joint without a rule takes the place of the one that it hangs on, or, at the root, of the
    first one that hangs on it.

    Args:
        layout: The layout.
        absent: Joints that were never seen.
    """
    lost = {layout.joints[joint] for joint in absent}
    has = frozenset(layout.joints) - lost
    matrix = np.eye(len(layout.joints))
    for joint in absent:
        weights = _weights(layout.joints[joint], has, frozenset())
        matrix[joint] = 0
        for name, weight in (weights or {_neighbour(layout, joint, has): 1.0}).items():
            matrix[joint, layout.joints.index(name)] = weight
    return JointMap(matrix)


def _neighbour(layout: Layout, joint: int, has: frozenset[str]) -> str:
    """The nearest joint along the bones that was seen."""
    near, seen = [joint], {joint}
    for current in near:
        if layout.joints[current] in has:
            return layout.joints[current]
        steps = [p for c, p in layout.bones if c == current]
        steps += [c for c, p in layout.bones if p == current]
        near += [step for step in steps if step not in seen]
        seen |= set(steps)
    raise DataError("no joint was seen", "leave the recording out")


def _weights(joint: str, has: frozenset[str], above: frozenset[str]) -> Rule | None:
    """A joint as a weighted sum of those that there are; None where no rule gives it."""
    if joint in has:
        return {joint: 1.0}
    rules = () if joint in above else RULES.get(joint, ())
    for rule in sorted(rules, key=lambda rule: not has.issuperset(rule)):
        parts = {name: _weights(name, has, above | {joint}) for name in rule}
        if all(parts.values()):
            total: dict[str, float] = {}
            for name, weights in parts.items():
                for other, weight in (weights or {}).items():
                    total[other] = total.get(other, 0.0) + rule[name] * weight
            return total
    return None

"""A body of 25 Kinect v2 joints that is driven by targets: wrists, ankles, pelvis and trunk.

Two-bone inverse kinematics gives elbows and knees, and every other joint follows by rule. The frame
is that of the simulated body: x to the body's right, y up, z away from the camera. A body of
heading 0 faces -z, and the floor is y = 0. Units are metres and radians; T is frames, S is 3 axes.
Pairs of limbs are right and left, in this order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from starcli_plugins.datasets.simulated.body import INDEX
from starcli_plugins.datasets.simulated.body import Body as SimulatedBody

Array = npt.NDArray[np.float64]

SIDES = ("right", "left")
OUT = np.array([1.0, -1.0])
"""Which way along x is outward, for the right and the left side."""
STRAIGHTEST = 0.998
"""Share of its length that a limb is stretched to: never to a line, which has no hinge."""
CLOSED = np.deg2rad([26.0, 26.0, 30.0, 30.0])
"""Smallest angle inside an elbow or a knee, for right arm, left arm, right leg, left leg."""
GROUND = 0.045
"""Metres above the floor below which no elbow and no knee comes, if it can be."""
SHARES = np.array([[0.5, 0.4, 0.3], [0.85, 0.75, 0.6], [1.0, 1.0, 1.0]])
"""How much of pitch, roll and twist of the trunk the pelvis, the waist and the chest take."""
ANKLE = 0.08
"""Height of the ankle of a flat foot above the floor, for a body of 1.7 m."""
SOLE = np.arctan2(0.05, 0.12)
"""How far the line from ankle to foot points down in a flat foot."""
LEG = 0.78
"""Length of thigh and shin of a body of 1.7 m: what ankle, pelvis and floor are measured by."""

_JOINTS = [INDEX[name] for name in ("spine mid", "spine shoulder", "neck", "head")]
_SPINE_MID, _SPINE_SHOULDER, _NECK, _HEAD = _JOINTS
_PELVIS = INDEX["spine base"]


def _pair(name: str) -> list[int]:
    return [INDEX[f"{side} {name}"] for side in SIDES]


_SHOULDERS, _ELBOWS, _WRISTS, _HANDS = map(_pair, ("shoulder", "elbow", "wrist", "hand"))
_THUMBS, _TIPS = map(_pair, ("thumb", "hand tip"))
_HIPS, _KNEES, _ANKLES, _FEET = map(_pair, ("hip", "knee", "ankle", "foot"))


class Body(SimulatedBody):
    """One person's limb lengths, and what inverse kinematics needs of them."""

    @cached_property
    def bones(self) -> Array:
        """Upper and lower bone of right arm, left arm, right leg and left leg, metres, [4, 2]."""
        limbs = zip(_ELBOWS + _KNEES, _WRISTS + _ANKLES, strict=True)
        return np.asarray(np.linalg.norm(self.offsets[np.array(list(limbs))], axis=-1))

    def with_elbows(self, factor: float) -> Body:
        """The same body with upper arms of another length, and arms as long as they were."""
        offsets = self.offsets.copy()
        upper = self.bones[:2, 0]
        for joints, length in ((_ELBOWS, factor * upper), (_WRISTS, self.arm - factor * upper)):
            way = self.offsets[joints]
            offsets[joints] = way * (length / np.linalg.norm(way, axis=-1))[:, None]
        return replace(self, offsets=offsets)

    @property
    def arm(self) -> float:
        """From shoulder to wrist: the unit of wrist points, metres."""
        return float(self.bones[0].sum())

    @property
    def unit(self) -> float:
        """What a metre of ankle, pelvis and floor points is in this body, metres."""
        return float(self.bones[2].sum()) / LEG

    @property
    def ankle(self) -> float:
        """Height of the ankles above the floor in standing, metres."""
        return ANKLE * self.unit

    @property
    def foot(self) -> float:
        """From ankle to foot, metres."""
        return float(np.linalg.norm(self.offsets[_FEET[0]]))

    @property
    def standing(self) -> float:
        """Height of the pelvis above the floor in standing, metres."""
        hip: float = self.offsets[_HIPS[0], 1]
        return float(self.ankle + STRAIGHTEST * self.bones[2].sum() - hip)

    @property
    def stance(self) -> float:
        """How far beside the middle a foot stands, metres."""
        return float(self.offsets[_HIPS[0], 0]) + 0.02 * self.unit


@dataclass(frozen=True)
class Targets:
    """What drives a body.

    Args:
        pelvis: Where the pelvis should be; it is lower where feet on the floor are out of its
            reach, [T, S].
        heading: Where the body faces, turned to its right from -z, [T].
        trunk: Pitch forward, roll to the right, twist to the right, [T, S].
        neck: The same of the head, against the trunk, [T, S].
        wrists: From the own shoulder, metres, [T, 2, S]: out, up and forward in the axes that
            `upright` names; or on the floor, from below the origin of the clip, where `pinned`.
        upright: For each arm, how far its axes stay upright when the trunk leans: 1 or 0, [2].
        pinned: For each arm, whether its wrist is where it is in the room, [2].
        shoulders: Lift of the shoulders, [T, 2].
        elbows: Swivel of the elbows, outward and up, [T, 2].
        ankles: Positions of the ankles, [T, 2, S].
        knees: Swivel of the knees, outward, [T, 2].
        toes: How far the toes are raised from a flat foot, [T, 2].
        yaws: Where the feet point, as `heading`, [T, 2].
        free: Whether a foot hangs at its shin, 1, or stands level, 0, [T, 2].
    """

    pelvis: Array
    heading: Array
    trunk: Array
    neck: Array
    wrists: Array
    upright: Array
    pinned: npt.NDArray[np.bool_]
    shoulders: Array
    elbows: Array
    ankles: Array
    knees: Array
    toes: Array
    yaws: Array
    free: Array


def leaning(angles: Array) -> Array:
    """Rotation matrices of pitch forward, then roll to the right, then twist to the right.

    Args:
        angles: Pitch, roll and twist, radians, [..., S].

    Returns:
        Matrices [..., S, S].
    """
    cosine, sine = np.cos(angles), np.sin(angles)
    cx, cz, cy = cosine[..., 0], cosine[..., 1], cosine[..., 2]
    sx, sz, sy = -sine[..., 0], -sine[..., 1], -sine[..., 2]
    out = np.empty((*angles.shape, 3))
    # Ry(twist) Rx(pitch) Rz(roll)
    out[..., 0, 0] = cy * cz + sy * sx * sz
    out[..., 0, 1] = sy * sx * cz - cy * sz
    out[..., 0, 2] = sy * cx
    out[..., 1, 0] = cx * sz
    out[..., 1, 1] = cx * cz
    out[..., 1, 2] = -sx
    out[..., 2, 0] = cy * sx * sz - sy * cz
    out[..., 2, 1] = sy * sz + cy * sx * cz
    out[..., 2, 2] = cy * cx
    return out


def turned(points: Array, heading: Array) -> Array:
    """Points turned to the right about the vertical axis.

    Args:
        points: Positions [..., S].
        heading: Angles in radians, [...].

    Returns:
        Positions [..., S].
    """
    cosine, sine = np.cos(heading), np.sin(heading)
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    out = np.empty((*np.broadcast_shapes(x.shape, heading.shape), 3))
    out[..., 0] = x * cosine - z * sine
    out[..., 1] = y
    out[..., 2] = x * sine + z * cosine
    return out


def sided(points: Array) -> Array:
    """Right and left points out, up, forward [..., 2, S] -> x, y, z [..., 2, S]."""
    axes = np.array([[1.0, 1.0, -1.0], [-1.0, 1.0, -1.0]])
    return np.asarray(points * axes)


def _dot(one: Array, other: Array) -> Array:
    return np.asarray(np.einsum("...s,...s->...", one, other)[..., None])


def _cross(one: Array, other: Array) -> Array:
    """Cross products; `numpy.cross` takes several times as long for few vectors."""
    a, b = one[..., [1, 2, 0]], other[..., [2, 0, 1]]
    c, d = one[..., [2, 0, 1]], other[..., [1, 2, 0]]
    return np.asarray(a * b - c * d)


def _apply(matrices: Array, vectors: Array) -> Array:
    return np.asarray(np.einsum("...ij,...j->...i", matrices, vectors))


def across(vectors: Array, axis: Array) -> Array:
    """The directions of vectors without what they have along unit axes, [..., S]."""
    rest = vectors - axis * _dot(vectors, axis)
    length = np.sqrt(_dot(rest, rest))
    if (length < 1e-6).any():
        # Along the axis there is no such direction: any one will do.
        other = across(np.eye(3)[np.abs(axis).argmin(-1)], axis)
        return np.asarray(np.where(length < 1e-6, other, rest / np.maximum(length, 1e-6)))
    return np.asarray(rest / length)


def along(lines: Array) -> tuple[Array, Array]:
    """Directions [..., S] and lengths [..., 1] of lines; one without a length hangs down."""
    length = np.sqrt(_dot(lines, lines))
    hanging = np.array([0.0, -1.0, 0.0])
    return np.where(length < 1e-9, hanging, lines / np.maximum(length, 1e-9)), length


def bend(
    roots: Array, targets: Array, bones: Array, closed: Array, side: Array
) -> tuple[Array, Array]:
    """Two-bone inverse kinematics.

    Args:
        roots: Shoulders or hips, [..., S].
        targets: Where wrists or ankles should be, [..., S].
        bones: Lengths of the upper and the lower bone, [..., 2].
        closed: Smallest angle between the two bones, radians, [...].
        side: The way that the joint between them bends out: unit vectors across the line from
            root to target, [..., S].

    Returns:
        The joints between, and the ends: the targets, or the nearest points in reach.
    """
    upper, lower = bones[..., :1], bones[..., 1:]
    axis, length = along(targets - roots)
    least = np.sqrt(upper**2 + lower**2 - 2 * upper * lower * np.cos(closed)[..., None])
    reach = np.clip(length, least, STRAIGHTEST * (upper + lower))
    part = (upper**2 - lower**2 + reach**2) / (2 * reach)
    height = np.sqrt(np.maximum(upper**2 - part**2, 0))
    return roots + part * axis + height * side, roots + reach * axis


def above_ground(roots: Array, middle: Array, axis: Array) -> Array:
    """Elbows and knees that are in the floor, swung about their limb until they lie on it.

    Args:
        roots: Shoulders and hips, [..., S].
        middle: Elbows and knees, [..., S].
        axis: From the roots to the ends, unit vectors, [..., S].
    """
    base = roots + axis * _dot(middle - roots, axis)
    out = middle - base
    height = np.sqrt(_dot(out, out))
    upward = across(np.broadcast_to([0.0, 1.0, 0.0], axis.shape), axis)
    level = _cross(axis, upward)
    share = (GROUND - base[..., 1:2]) / np.maximum(height * upward[..., 1:2], 1e-9)
    cosine = np.clip(share, -1, 1)
    way = np.where(_dot(out, level) < 0, -1.0, 1.0)
    lifted = base + height * (cosine * upward + way * np.sqrt(1 - cosine**2) * level)
    return np.where(middle[..., 1:2] < GROUND, lifted, middle)


def _bending(axis: Array, lean: Array, swivel: Array) -> Array:
    """Which way elbows and knees bend out, [T, 4, S].

    An elbow points back where the arm hangs, down and outward where it reaches forward, and outward
    and forward where it is raised. A knee points forward, and up where the leg is lifted.

    Args:
        axis: From shoulder to wrist and from hip to ankle, unit vectors, [T, 4, S].
        lean: Axes of chest, chest, pelvis and pelvis, [T, 4, S, S].
        swivel: Turn of the elbows and knees about the axis, outward, [T, 4].
    """
    raised = np.einsum("tls,tls->tl", lean[..., 1], axis)
    hint = np.empty_like(axis)
    hint[:, :2, 0] = (0.5 + 0.3 * raised[:, :2]) * OUT
    hint[:, :2, 1] = -0.6
    hint[:, :2, 2] = 0.3 - 0.7 * raised[:, :2]
    before = -np.einsum("tls,tls->tl", lean[:, 2:, :, 2], axis[:, 2:])
    hint[:, 2:, 0] = 0.12 * OUT
    hint[:, 2:, 1] = 0.4 + 0.8 * np.maximum(before, 0)
    hint[:, 2:, 2] = -1.0
    side = across(_apply(lean, hint), axis)
    # Elbows bend to the back and knees to the front, so that outward is the other way round.
    turn = (swivel * np.concatenate([OUT, -OUT]))[..., None]
    return np.asarray(side * np.cos(turn) + _cross(side, axis) * np.sin(turn))


def lowered(body: Body, targets: Targets, hips: Array) -> Array:
    """The pelvis no higher than legs reach whose feet are on the floor, [T, S].

    Args:
        body: The body.
        targets: What drives it.
        hips: Hips from the pelvis, [T, 2, S].
    """
    pelvis = targets.pelvis
    leg = STRAIGHTEST * body.bones[2].sum()
    gap = targets.ankles - pelvis[:, None] - hips
    wide = gap[..., 0] ** 2 + gap[..., 2] ** 2
    tall = np.sqrt(np.maximum(leg**2 - wide, (0.3 * leg) ** 2))
    highest = targets.ankles[..., 1] + tall - hips[..., 1]
    highest = np.where(targets.free < 0.05, highest, np.inf).min(1)
    out = pelvis.copy()
    out[:, 1] = np.minimum(pelvis[:, 1], highest)
    return out


def pose(body: Body, targets: Targets) -> Array:
    """Positions of all joints, metres, [T, V, S].

    Bones have the body's lengths exactly: wrists and ankles out of reach are as near as can be.
    """
    frames = len(targets.pelvis)
    joints = np.empty((frames, len(INDEX), 3))
    angles = targets.trunk[:, None] * SHARES
    angles[..., 2] += targets.heading[:, None]
    lean = leaning(angles)
    offsets = body.offsets
    hips = np.einsum("tij,lj->tli", lean[:, 0], offsets[_HIPS])
    pelvis = lowered(body, targets, hips)
    joints[:, _PELVIS] = pelvis
    joints[:, _SPINE_MID] = pelvis + lean[:, 1] @ offsets[_SPINE_MID]
    top = joints[:, _SPINE_SHOULDER] = joints[:, _SPINE_MID] + lean[:, 2] @ offsets[_SPINE_SHOULDER]
    _head(joints, body, lean[:, 2], targets.neck)

    lift = np.zeros((frames, 2, 3))
    lift[..., 1] = -targets.shoulders * OUT
    clavicles = _apply(leaning(lift), offsets[_SHOULDERS])
    shoulders = top[:, None] + np.einsum("tij,tlj->tli", lean[:, 2], clavicles)
    resting = top[:, None] + np.einsum("tij,lj->tli", lean[:, 2], offsets[_SHOULDERS])
    roots = np.concatenate([shoulders, pelvis[:, None] + hips], 1)
    aims = np.concatenate([_wrists(targets, resting, lean[:, 2]), targets.ankles], 1)
    axis, _ = along(aims - roots)
    axes = lean[:, [2, 2, 0, 0]]
    side = _bending(axis, axes, np.concatenate([targets.elbows, targets.knees], 1))
    middle, ends = bend(roots, aims, body.bones, CLOSED, side)
    if (middle[..., 1] < GROUND).any():
        middle = above_ground(roots, middle, axis)
        side = across(middle - roots, axis)
    joints[:, _SHOULDERS + _HIPS] = roots
    joints[:, _ELBOWS + _KNEES] = middle
    joints[:, _WRISTS + _ANKLES] = ends
    lower = (ends - middle) / body.bones[:, 1:]
    side = across(side, lower)
    _hands(joints, body, lower[:, :2], side[:, :2])
    _feet(joints, body, targets, lower[:, 2:], side[:, 2:])
    return joints


def _wrists(targets: Targets, shoulders: Array, chest: Array) -> Array:
    """Where the wrists should be, [T, 2, S]."""
    points = sided(targets.wrists)
    leant = np.einsum("tij,tlj->tli", chest, points)
    plumb = turned(points, (targets.heading + targets.trunk[:, 2])[:, None])
    share = targets.upright[:, None]
    aims: Array = shoulders + share * plumb + (1 - share) * leant
    return np.where(targets.pinned[:, None], points, aims)


def _head(joints: Array, body: Body, chest: Array, neck: Array) -> None:
    """Neck and head: half of the neck's turn is below the neck, all of it above."""
    half, whole = leaning(neck / 2), leaning(neck)
    below = _apply(half, np.broadcast_to(body.offsets[_NECK], neck.shape))
    above = _apply(whole, np.broadcast_to(body.offsets[_HEAD], neck.shape))
    joints[:, _NECK] = joints[:, _SPINE_SHOULDER] + _apply(chest, below)
    joints[:, _HEAD] = joints[:, _NECK] + _apply(chest, above)


def _hands(joints: Array, body: Body, forearm: Array, elbow: Array) -> None:
    """Hands go on along the forearm; the thumb is on the side that the elbow does not point to."""
    palm = np.linalg.norm(body.offsets[_HANDS[0]])
    _, down, front = np.abs(body.offsets[_THUMBS[0]])
    _, tip, _ = np.abs(body.offsets[_TIPS[0]])
    hands = joints[:, _WRISTS] + palm * forearm
    joints[:, _HANDS] = hands
    joints[:, _THUMBS] = hands + down * forearm - front * elbow
    joints[:, _TIPS] = hands + (down + tip) * forearm


def level_foot(body: Body, toes: Array, yaws: Array) -> Array:
    """From ankle to foot where a foot stands level, [..., S].

    Args:
        body: The body.
        toes: How far the toes are raised, radians, [...].
        yaws: Where the foot points, radians, [...].
    """
    angle = SOLE - toes
    forward = body.foot * np.cos(angle)
    out = np.empty((*np.broadcast_shapes(np.shape(angle), yaws.shape), 3))
    out[..., 0] = np.sin(yaws) * forward
    out[..., 1] = -body.foot * np.sin(angle)
    out[..., 2] = -np.cos(yaws) * forward
    return out


def _feet(joints: Array, body: Body, targets: Targets, shin: Array, knee: Array) -> None:
    """Feet are level on the floor, and at right angles to the shin in the air."""
    angle = (SOLE - targets.toes)[..., None]
    level = level_foot(body, targets.toes, targets.yaws)
    hanging = body.foot * (np.cos(angle) * knee + np.sin(angle) * shin)
    share = targets.free[..., None]
    foot = share * hanging + (1 - share) * level
    joints[:, _FEET] = joints[:, _ANKLES] + body.foot * along(foot)[0]

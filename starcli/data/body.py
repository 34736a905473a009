"""Checks that joints can be a body, and its unit, upright axis and sides.

Sizes, shares and limits are those measured on UTD-MHAD, NW-UCLA, Bandai-Namco and NTU RGB+D. All
functions take joints [T, M, V, 3] with NaN where a joint was not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from starcli.contracts import Layout
from starcli.poses import Unit

Values = npt.NDArray[np.float64]

HEADS = ("head", "head top", "nose", "face", "neck", "neck base")
FEET = ("ankle", "foot", "knee")
TOES = ("foot index", "big toe", "foot")
SIZES: tuple[tuple[float, float, Unit], ...] = (
    (0.25, 0.75, "m"),
    (2.5, 5.5, "dm"),
    (5.5, 8.0, "cmu"),
    (10, 25, "inch"),
    (25, 75, "cm"),
    (250, 750, "mm"),
)
"""Lengths of a trunk, from mid-hips to mid-shoulders, and the unit that they speak for."""
LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
UPWARD = np.array([0.0, 1.0, 0.0])
DOWN = 0.1
"""Share of frames with the head above the feet that a body has which is upside down."""
ODD = 0.5
"""Share by which the limbs of a body differ neither over a clip nor between its sides."""


@dataclass(frozen=True)
class Body:
    """What joints in metres, y up, say of the body that they are of.

    Args:
        height: Median extent of people, metres.
        trunk: Median length of the trunk, metres; NaN if unknown, as of what is no whole body.
        flat: Whether there are two axes only.
        head_up: Share of frames in which the head is above the feet; NaN if unknown.
        head_down: Whether the head is straight below the feet throughout, not beside them as of who
            lies or bends.
        handed: Share of frames in which left is left; NaN where that cannot be seen.
        left_higher: Share of frames in which the left hand is clearly the higher one.
        right_higher: Share of frames in which the right hand is.
        odd: Limbs of lengths that no body has.
        step: Longest way of a body's middle in a frame, metres.
        moves: Whether anything moves.
    """

    height: float
    trunk: float
    flat: bool
    head_up: float
    head_down: bool
    handed: float
    left_higher: float
    right_higher: float
    odd: tuple[str, ...]
    step: float
    moves: bool


def report(joints: Values, layout: Layout) -> Body:
    """What joints in metres, y up, say of the body that they are of."""
    size, (left, right) = height(joints), higher_hand(joints, layout)
    head_up = head_above_feet(joints, layout)
    with np.errstate(all="ignore"):
        ways = np.nanmax(joints, 0, initial=-np.inf) - np.nanmin(joints, 0, initial=np.inf)
    return Body(
        height=size,
        trunk=trunk(joints, layout),
        flat=_is_flat(joints),
        head_up=head_up,
        head_down=head_up < DOWN and up_axis(joints, layout) == (1, -1),
        handed=handedness(joints, layout),
        left_higher=left,
        right_higher=right,
        odd=odd_limbs(joints, layout),
        step=step(joints),
        moves=bool(ways.max() > 0.01 * size),
    )


def point(joints: Values, layout: Layout, *names: str) -> Values | None:
    """The first joint of some names, or the middle of both sides' [T, M, 3]; None without any."""
    for name in names:
        sides = [n for n in (name, f"left {name}", f"right {name}") if n in layout.joints]
        if sides:
            middle: Values = joints[:, :, [layout.joints.index(n) for n in sides]].mean(2)
            return middle
    return None


def trunk(joints: Values, layout: Layout) -> float:
    """Median distance from mid-hips to mid-shoulders, in the unit of the joints; NaN if unknown."""
    hips, shoulders = point(joints, layout, "hip"), point(joints, layout, "shoulder")
    if hips is None or shoulders is None:
        return float("nan")
    return _median(np.linalg.norm(shoulders - hips, axis=-1))


def has_trunk(layout: Layout) -> bool:
    """Whether a layout has hips and shoulders, which tell how large a body is."""
    ends = ("hip", "shoulder")
    return all({end, f"left {end}", f"right {end}"} & set(layout.joints) for end in ends)


def unit_of(length: float) -> Unit | None:
    """The unit in which a trunk has a length; None where no unit gives a body's."""
    return next((unit for low, high, unit in SIZES if low <= length < high), None)


def up_axis(joints: Values, layout: Layout) -> tuple[int, int] | None:
    """The axis along which the head lies furthest from the feet, and its sign; None if unknown.

    Clips that begin lying down say less than those that begin upright: the frames count in which
    head and feet are furthest apart.
    """
    head, feet = point(joints, layout, *HEADS), point(joints, layout, *FEET)
    if head is None or feet is None:
        return None
    along = (head - feet).reshape(-1, joints.shape[-1])
    along = along[np.isfinite(along).all(-1)]
    if not len(along):
        return None
    size = np.linalg.norm(along, axis=-1)
    mean = along[size >= np.quantile(size, 0.5)].mean(0)
    axis = int(np.abs(mean).argmax())
    return axis, int(np.sign(mean[axis])) or 1


def head_above_feet(joints: Values, layout: Layout) -> float:
    """Share of frames in which the head is higher than the feet; NaN if unknown."""
    head, feet = point(joints, layout, *HEADS), point(joints, layout, *FEET)
    if head is None or feet is None:
        return float("nan")
    return _share(head[..., 1] - feet[..., 1])


def handedness(joints: Values, layout: Layout) -> float:
    """Share of frames in which left is left of where the body faces; NaN if that cannot be seen.

    Frames count as much as they show it. It needs three axes, and tells that sides and axes
    contradict each other, not which of them is wrong.
    """
    if not {"left shoulder", "right shoulder"} <= set(layout.joints) or _is_flat(joints):
        return float("nan")
    to_left = _to_left(joints, layout)
    if to_left is None:
        return float("nan")
    left, right = (
        joints[:, :, layout.joints.index(f"{side} shoulder")] for side in ("left", "right")
    )
    across = (to_left * (left - right)).sum(-1)
    shown = float(np.nansum(np.abs(across)))
    return float(np.nansum(across.clip(0)) / shown) if shown else float("nan")


def _is_flat(joints: Values) -> bool:
    return joints.shape[-1] < 3 or not np.nanmax(np.abs(joints[..., 2]), initial=0.0)


def _to_left(joints: Values, layout: Layout) -> Values | None:
    """The left of where people face [T, M, 3], as far as legs, or else the nose, tell.

    Of a leg it is the axis of its knee, shank x foot, which is the same however the leg swings:
    who runs has the toes of one foot below or behind its ankle.
    """
    for toes in TOES:
        legs = [_knee_axis(joints, layout, side, toes) for side in ("left", "right")]
        if axes := [axis for axis in legs if axis is not None]:
            both: Values = np.nansum(axes, 0)  # of one that is not seen, the other tells
            return both
    nose, ears = point(joints, layout, "nose"), point(joints, layout, "ear")
    return None if nose is None or ears is None else _cross(UPWARD, nose - ears)


def _knee_axis(joints: Values, layout: Layout, side: str, toes: str) -> Values | None:
    """To the left of a body on its feet [T, M, 3]; None where the leg lacks joints."""
    names = [f"{side} {joint}" for joint in ("knee", "ankle", toes)]
    if not set(names) <= set(layout.joints):
        return None
    knee, ankle, toe = (joints[:, :, layout.joints.index(name)] for name in names)
    return _cross(knee - ankle, toe - ankle)


def _cross(one: Values, other: Values) -> Values:
    product: Values = np.cross(one, other)
    return product


def higher_hand(joints: Values, layout: Layout) -> tuple[float, float]:
    """Shares of frames in which the left, and the right hand is clearly the higher one."""
    if not {"left wrist", "right wrist"} <= set(layout.joints):
        return float("nan"), float("nan")
    left, right = (
        joints[:, :, layout.joints.index(f"{side} wrist"), 1] for side in ("left", "right")
    )
    clear = 0.1 * trunk(joints, layout)
    known = np.isfinite(left - right)
    count = max(1, int(known.sum()))
    return (
        float((left - right > clear).sum() / count),
        float((right - left > clear).sum() / count),
    )


def odd_limbs(joints: Values, layout: Layout) -> tuple[str, ...]:
    """Limbs whose lengths no body has: names of their bones, such as `left shoulder to left elbow`.

    A limb is odd where its length changes by more than half over a clip, differs from the other
    side's by more than half, or is less than a fifth or more than twice the trunk's. Joints in
    another order than the layout's make most limbs odd, a noisy recording one or two.
    """
    trunk_length = trunk(joints, layout)
    odd: list[str] = []
    for above, below in LIMBS:
        lengths = {}
        for side in ("left", "right"):
            ends = [f"{side} {end}" for end in (above, below)]
            if not set(ends) <= set(layout.joints):
                continue
            first, second = (joints[:, :, layout.joints.index(end)] for end in ends)
            length = np.linalg.norm(first - second, axis=-1)
            lengths[" to ".join(ends)] = length[np.isfinite(length)]
        known = {name: length for name, length in lengths.items() if len(length)}
        middle = {name: float(np.median(length)) for name, length in known.items()}
        uneven = bool(middle) and max(middle.values()) > (1 + ODD) * min(middle.values())
        for name, length in known.items():
            low, high = np.quantile(length, [0.1, 0.9])
            far = middle[name] < 0.2 * trunk_length or middle[name] > 2 * trunk_length
            if uneven or far or high - low > ODD * middle[name]:
                odd.append(name)
    return tuple(odd)


def height(joints: Values) -> float:
    """Median extent of people along their longest axis, in the unit of the joints."""
    with np.errstate(all="ignore"):
        extent = np.nanmax(joints, 2, initial=-np.inf) - np.nanmin(joints, 2, initial=np.inf)
    return _median(extent.max(-1))


def step(joints: Values) -> float:
    """The longest way of a body's middle from one frame to the next."""
    seen = np.isfinite(joints).all(-1, keepdims=True)
    count = seen.sum(2)
    middle = np.where(seen, joints, 0.0).sum(2) / np.where(count, count, np.nan)
    ways = np.linalg.norm(np.diff(middle, axis=0), axis=-1)
    ways = ways[np.isfinite(ways)]
    return float(ways.max()) if len(ways) else 0.0


def _median(values: Values) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else float("nan")


def _share(values: Values) -> float:
    finite = values[np.isfinite(values)]
    return float((finite > 0).mean()) if len(finite) else float("nan")

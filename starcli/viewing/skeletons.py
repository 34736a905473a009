"""Clips as they are drawn: views, colours of bones, and the person's left and right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from starcli.contracts import Layout
from starcli.errors import LEAVE_OUT, DataError

Values = npt.NDArray[np.float32]
Side = Literal["left", "right", "middle"]
Table = tuple[tuple[str, ...], ...]
"""Rows of cells, the first of which is the head."""
Axis = tuple[Literal[0, 1, 2], Literal[-1, 1]]
"""x, y or z, and its sign."""
LIGHT = ("#003976", "#ff4200", "#109e96", "#8849cc", "#961605", "#3c0005")
DARK = ("#606fff", "#f25b00", "#1dc8ea", "#955487", "#ffc52e", "#f3fff8")
"""Colours of parts on white and on black, as far apart as could be found with any colour vision."""
LIT = ("#f7c600", "#8a7400")
"""What joints that are attended to shine with, on white and on black."""
MARKED = ("wrist", "hand", "ankle", "shoulder")
"""Joints that L and R stand beside, the first that there is."""


@dataclass(frozen=True)
class View:
    """Where a clip is looked at from: what of the product's axes is right and what is up.

    Args:
        name: What it is called.
        caption: What to know when looking at it.
        right: The axis to the right of the picture.
        up: The axis to its top.
    """

    name: str
    caption: str
    right: Axis
    up: Axis

    def project(self, joints: Values) -> Values:
        """Joints [..., 3] in the picture [..., 2], to the right and up, metres."""
        axes = (self.right, self.up)
        return np.stack([sign * joints[..., axis] for axis, sign in axes], -1)


FRONT = View(
    "front", "as the camera sees it; who faces it has the left on the right", (0, -1), (1, 1)
)
SIDE = View("side", "from the right of the front view; the camera is on the left", (2, 1), (1, 1))
TOP = View("top", "from above; the camera is at the bottom", (0, -1), (2, 1))


@dataclass(frozen=True)
class Skeleton:
    """How a layout is drawn.

    Args:
        joints: V names.
        bones: Pairs (child, parent) of joints.
        parts: Names of the parts.
        part: For each joint, the part that it belongs to.
        sides: For each joint, the person's side that it is on.
    """

    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    parts: tuple[str, ...]
    part: tuple[int, ...]
    sides: tuple[Side, ...]

    @classmethod
    def of(cls, layout: Layout) -> Skeleton:
        """The skeleton of a layout, in its finest partition that has a colour for each part."""
        fitting = [count for count in layout.parts if count <= len(LIGHT)]
        table = layout.parts[max(fitting, default=min(layout.parts))]
        part = {joint: n for n, joints in enumerate(table.values()) for joint in joints}
        joints = range(len(layout.joints))
        return cls(
            joints=layout.joints,
            bones=layout.bones,
            parts=tuple(table),
            part=tuple(part[joint] % len(LIGHT) for joint in joints),
            sides=tuple(side_of(name) for name in layout.joints),
        )

    @property
    def marked(self) -> dict[str, int]:
        """The joints that the letters L and R stand beside."""
        marks = {}
        for letter, side in (("L", "left"), ("R", "right")):
            own = [joint for joint, other in enumerate(self.sides) if other == side]
            named = [
                joint for word in MARKED for joint in own if word in self.joints[joint].lower()
            ]
            if own:
                marks[letter] = (named or own)[0]
        return marks


def side_of(joint: str) -> Side:
    """The person's side that a joint is on, by its name."""
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", joint)}
    if words & {"left", "l"}:
        return "left"
    return "right" if words & {"right", "r"} else "middle"


@dataclass(frozen=True)
class Shown:
    """A clip that is to be drawn.

    Args:
        name: What it is called.
        joints: [T, M, V, 3], metres, y up, x to the left of the camera, z away from it; somebody
            who is not there is all zeros, and joints that were not seen are NaN.
        layout: The layout of the joints.
        label: What is done in it; empty where nobody says.
        fps: Frames a second; None where nobody says.
        facts: What is known of it, a line each.
        table: What its parts are like; empty where nobody says.
        attention: How much each joint is attended to in each of L equal stretches of time [L, V],
            as a multiple of the mean of its part; None where nothing attends.

    Raises:
        DataError: Its joints are not those of the layout, or nobody is in it.
    """

    name: str
    joints: Values
    layout: Layout
    label: str = ""
    fps: float | None = None
    facts: tuple[str, ...] = ()
    table: Table = ()
    attention: Values | None = None

    def __post_init__(self) -> None:
        shape = (len(self.layout.joints), 3)
        if self.joints.ndim != 4 or self.joints.shape[2:] != shape:
            raise DataError(
                f"expected joints [frames, persons, {shape[0]}, 3], got {list(self.joints.shape)}",
                LEAVE_OUT,
                file=self.name,
            )
        if not np.isfinite(self.visible).any():
            raise DataError("has no person in any frame", LEAVE_OUT, file=self.name)

    @property
    def caption(self) -> str:
        """Its name, with what is done in it."""
        return f"{self.name}: {self.label}" if self.label else self.name

    @cached_property
    def visible(self) -> Values:
        """Its joints, NaN where nothing is drawn."""
        with np.errstate(invalid="ignore"):
            away = (self.joints == 0).all((2, 3), keepdims=True)
        seen = np.isfinite(self.joints).all(-1, keepdims=True) & ~away
        return np.where(seen, self.joints, np.float32(np.nan))

    @cached_property
    def skeleton(self) -> Skeleton:
        """How its layout is drawn."""
        return Skeleton.of(self.layout)

    @property
    def views(self) -> tuple[View, ...]:
        """From where it is looked at: only from the front where it has no depth."""
        depth = self.visible[..., 2]
        return (FRONT, SIDE, TOP) if (np.nan_to_num(depth) != 0).any() else (FRONT,)

    def lit(self, frame: int) -> Values:
        """How bright its joints are in a frame [V], from 0 for the mean and below it to 1."""
        if self.attention is None:
            return np.zeros(len(self.layout.joints), np.float32)
        step = frame * len(self.attention) // len(self.joints)
        above = max(float(self.attention.max()) - 1, 1e-9)
        bright: Values = ((self.attention[step] - 1) / above).clip(0, 1)
        return bright

    def frames(self, count: int) -> list[int]:
        """So many frames from the first to the last, evenly; all where there are fewer."""
        last = len(self.joints) - 1
        return sorted({round(last * n / max(count - 1, 1)) for n in range(count)})

    def followed(self) -> tuple[Values, float]:
        """Its joints with people kept in the middle and their lowest point at 0; their extent.

        Returns:
            [T, M, V, 3] and the side of the square that they fit in from everywhere, metres.
        """
        seen = np.isfinite(self.visible)
        count = seen.sum((1, 2), keepdims=True)
        middle = np.where(seen, self.visible, 0).sum((1, 2), keepdims=True) / np.maximum(count, 1)
        middle[..., 1] = np.nanmin(self.visible[..., 1])
        joints = (self.visible - middle).astype(np.float32)
        across = 2 * max(float(np.nanmax(np.abs(joints[..., axis]))) for axis in (0, 2))
        return joints, max(across, float(np.nanmax(joints[..., 1])), 1e-3)


def spread(total: int, most: int) -> Sequence[int]:
    """Numbers below a total, so many at most, from all over it.

    By steps of the golden ratio: names often come in turns, such as those of classes, and even
    steps could meet the same one each time.
    """
    if total <= most:
        return range(total)
    golden, step, chosen = (5**0.5 - 1) / 2, 0, set[int]()
    while len(chosen) < most:
        chosen.add(int(step * golden % 1 * total))
        step += 1
    return sorted(chosen)

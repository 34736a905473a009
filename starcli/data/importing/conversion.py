"""What a reader gave -> a clip as data sets have it: metres, y up, people in slots, no gaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from starcli.contracts import Layout
from starcli.data import body
from starcli.data.body import Body
from starcli.data.importing import gaps, people
from starcli.data.mapping import joint_map
from starcli.errors import DataError, UsageError
from starcli.poses import KINECT, METRES, Axes, Poses, Unit, Up, turned

Values = npt.NDArray[np.float64]
Joints = npt.NDArray[np.float32]
TRUNK = 0.5
"""Length that the trunk of a body is given where no unit says how long it is, metres."""
FURTHEST = 1e7
"""A coordinate that no recording has, whatever its unit: 10 km in millimetres."""
ASPECT = 16 / 9
"""Width to height of a picture whose size nobody knows."""
UPRIGHT: dict[Up, Axes] = {
    "y": ("x", "y", "z"),
    "-y": ("x", "-y", "-z"),
    "z": ("x", "z", "-y"),
    "-z": ("x", "-z", "y"),
    "x": ("-y", "x", "z"),
    "-x": ("y", "-x", "z"),
}
"""The axis that points up -> the turn after which y does."""


@dataclass(frozen=True)
class Meaning:
    """What a user says of recordings, above what their files say.

    Args:
        layout: Which joints they are in.
        target: The layout that they become; None for their own.
        up: The axis that points up.
        usual_up: The same for recordings whose files do not say it.
        unit: What coordinates are in.
        usual_unit: The same for recordings whose files do not say it.
        flat: Whether the depth is left out, as in recordings of pictures.
        people: Who is meant: `largest`, `most-motion`, or a name.
        mirrored: Whether the axes are mirrored, so that left of the picture is right.
        swap_sides: Whether names of left and right are exchanged.
    """

    layout: Layout | None = None
    target: Layout | None = None
    up: Up | None = None
    usual_up: Up | None = None
    unit: Unit | None = None
    usual_unit: Unit | None = None
    flat: bool = False
    people: str | None = None
    mirrored: bool = False
    swap_sides: bool = False


@dataclass(frozen=True)
class Facts:
    """What is known of a recording once it is converted.

    Args:
        layout: Name of the layout that its file is in.
        resembles: Another layout, as whose joints its joints lie; empty for none.
        frames: Number of frames.
        people: Number of people.
        fps: Frames a second; None where nobody says.
        unit: What coordinates were in.
        axes: Which axis became x, y and z.
        missing: Share of joints that were not seen.
        body: What its joints say of the body.
        notes: What was done by rule, a line each.
    """

    layout: str
    resembles: str
    frames: int
    people: int
    fps: float | None
    unit: Unit
    axes: Axes
    missing: float
    body: Body
    notes: tuple[str, ...]


def convert(
    poses: Poses, layout_of: Callable[[str], Layout], meaning: Meaning, where: str
) -> tuple[Joints, Facts]:
    """A clip [T, M, V, 3], metres, y up, and what is known of it.

    Args:
        poses: What its reader gave.
        layout_of: Finds layouts by name.
        meaning: What the user says of it.
        where: The file, for messages.

    Raises:
        DataError: Nobody is in it, its joints are not those of its layout, or it is not a body.
        UsageError: Nobody is called like who is meant, or a picture's depth is to point up.
    """
    layout = meaning.layout or layout_of(poses.layout)
    if poses.joints.shape[2] != len(layout.joints):
        raise DataError(
            f"has {poses.joints.shape[2]} joints, layout {layout.name} has {len(layout.joints)}",
            "name another with --layout",
            file=where,
        )
    seen = gaps.without_doubtful(poses.joints, poses.confidence)
    _require_near(seen, layout, poses, where)
    seen = people.without_ghosts(seen)
    numbers = np.arange(len(seen)) if poses.frames is None else poses.frames
    everybody = people.followed(seen, poses.people, numbers)
    meant = people.chosen(everybody, meaning.people)
    placed, unit, axes, notes = _placed(
        gaps.spread(meant.joints, numbers, where), layout, poses, meaning, where
    )
    done = gaps.filled(placed, layout)
    if not len(done.joints):
        raise DataError("has no person in any frame", "leave the recording out", file=where)
    facts = Facts(
        layout=layout.name,
        resembles=poses.resembles,
        frames=len(done.joints),
        people=done.joints.shape[1],
        fps=poses.fps,
        unit=unit,
        axes=axes,
        missing=done.missing,
        body=body.report(placed, layout),
        notes=(*poses.notes, *notes, *_notes(everybody, meant, done, numbers)),
    )
    joints = done.joints
    if meaning.target is not None and meaning.target.name != layout.name:
        joints = joint_map(layout, meaning.target).apply(joints)
    return np.ascontiguousarray(joints + 0.0, np.float32), facts  # no negative zero


def is_far(joints: Values) -> npt.NDArray[np.bool_]:
    """Which numbers are no coordinates: with them nothing can be computed."""
    far: npt.NDArray[np.bool_] = np.isfinite(joints) & (np.abs(joints) > FURTHEST)
    return far


def _require_near(joints: Values, layout: Layout, poses: Poses, where: str) -> None:
    far = is_far(joints)
    if not far.any():
        return
    row, _, joint, _ = index = tuple(np.argwhere(far)[0])
    raise DataError(
        f"the {layout.joints[joint]} is at {joints[index]:.3g}",
        "fix the recording, or leave it out",
        file=where,
        frame=int(row + 1 if poses.frames is None else poses.frames[row]),
    )


def known_facts(joints: Joints, layout: Layout) -> Facts:
    """What a clip of a data set says of the body in it.

    Args:
        joints: [T, M, V, 3], metres, y up, zeros where a person is not there.
        layout: The layout of the joints.
    """
    there = (joints != 0).any((2, 3), keepdims=True)
    return Facts(
        layout=layout.name,
        resembles="",
        frames=len(joints),
        people=joints.shape[1],
        fps=None,
        unit="m",
        axes=KINECT,
        missing=0.0,
        body=body.report(np.where(there, joints.astype(np.float64), np.nan), layout),
        notes=(),
    )


def _notes(
    everybody: people.Followed, meant: people.Followed, done: gaps.Filled, numbers: people.Numbers
) -> list[str]:
    """What was done by rule, a line each."""
    notes = []
    if everybody.relinked:
        notes.append(f"people change places in {everybody.relinked} frames and were linked again")
    if left_out := len(everybody.names) - len(meant.names):
        notes.append(
            f"{left_out} of {len(everybody.names)} people are left out; kept: "
            f"{', '.join(meant.names)}"
        )
    holes = int(numbers[-1] - numbers[0]) + 1 - len(numbers)
    if holes:
        notes.append(f"frame numbers jump: {holes} frames are left out in the file")
    if done.bridged > holes:
        notes.append(f"{done.bridged - holes} frames without anybody were bridged")
    if done.cut:
        notes.append(f"{done.cut} frames without anybody at the ends were cut")
    if done.absent:
        notes.append(f"somebody is gone for {done.absent} frames")
    if done.long_gaps:
        notes.append(f"{done.long_gaps} gaps of a joint are longer than {gaps.LONGEST} frames")
    if done.never:
        notes.append(f"never seen, estimated from others: {', '.join(done.never)}")
    return notes


def _placed(
    joints: Values, layout: Layout, poses: Poses, meaning: Meaning, where: str
) -> tuple[Values, Unit, Axes, list[str]]:
    """The joints [T, M, V, 3] in metres with y up, their unit and axes, and what was assumed."""
    unit, notes = meaning.unit or poses.unit, list[str]()
    flat = joints.shape[-1] == 2 or unit in ("pixel", "image")
    if flat:
        joints, notes = _of_picture(joints[..., :2], unit, poses, layout)
    axes = _axes(joints, layout, poses, meaning, flat=flat)
    upright = turned(joints, axes)
    if meaning.mirrored:
        upright = upright * np.array([-1.0, 1.0, 1.0])
    if meaning.swap_sides:
        upright = upright[:, :, twins(layout)]
    if meaning.flat and not flat:
        picture = np.where(np.isnan(upright), np.nan, upright * np.array([1.0, 1.0, 0.0]))
        return _scaled(picture, layout, where), unit or "m", axes, notes
    if unit in METRES:
        return upright * METRES[unit], unit, axes, notes
    if flat:
        return _scaled(upright, layout, where), unit or "pixel", axes, notes
    return (*_measured(upright, layout, meaning.usual_unit, where), axes, notes)


def _measured(
    joints: Values, layout: Layout, usual: Unit | None, where: str
) -> tuple[Values, Unit]:
    """Joints in metres by the unit that their body's size speaks for, and that unit."""
    length = body.trunk(joints, layout)
    unit = usual or ("m" if not body.has_trunk(layout) else body.unit_of(length))
    if unit is None and not np.isfinite(length):
        raise DataError(
            "no frame shows hips and shoulders, from which its unit would follow",
            "name the unit with --unit, or leave the recording out",
            file=where,
        )
    if unit is None:
        raise DataError(
            f"a trunk of {length:.3g} is a body's in no unit",
            "name the unit with --unit, or the joints' layout with --layout",
            file=where,
        )
    return joints * METRES[unit], unit


def _of_picture(
    joints: Values, unit: Unit | None, poses: Poses, layout: Layout
) -> tuple[Values, list[str]]:
    """Joints of a picture [T, M, V, 3] whose x and y have one scale, z being 0."""
    notes = []
    if unit is None and _is_share(joints):
        unit = "image"
    if unit == "image":
        width, height = poses.image_size or (ASPECT, 1.0)
        joints = joints * (np.array([width, height]) / height)
        if poses.image_size is None:
            notes.append("the picture's size is not known: taken as 16:9")
    return np.concatenate([joints, np.where(np.isnan(joints[..., :1]), np.nan, 0.0)], -1), notes


def _is_share(joints: Values) -> bool:
    """Whether all coordinates lie about where shares of a picture do."""
    finite = joints[np.isfinite(joints)]
    return bool(len(finite)) and finite.min() > -1.0 and finite.max() < 2.0


def _axes(joints: Values, layout: Layout, poses: Poses, meaning: Meaning, *, flat: bool) -> Axes:
    """Which of the file's axes become x, y and z."""
    if meaning.up is not None:
        if flat and meaning.up[-1] == "z":
            raise UsageError(
                f"--up {meaning.up}: the recordings have two axes", "use --up y or --up -y"
            )
        return UPRIGHT[meaning.up]
    if poses.axes is not None:
        return poses.axes
    if flat:
        return ("-x", "-y", "z")
    return UPRIGHT[meaning.usual_up or upward(joints, layout) or "y"]


def upward(joints: Values, layout: Layout) -> Up | None:
    """The axis along which bodies stand; None where that cannot be seen."""
    axis_and_sign = body.up_axis(joints, layout)
    if axis_and_sign is None:
        return None
    axis, sign = axis_and_sign
    up: tuple[Up, Up, Up] = ("x", "y", "z")
    down: tuple[Up, Up, Up] = ("-x", "-y", "-z")
    return up[axis] if sign > 0 else down[axis]


def twins(layout: Layout) -> list[int]:
    """For each joint, the same one of the other side."""
    swap = {"left": "right", "right": "left"}
    names = [" ".join(swap.get(word, word) for word in name.split()) for name in layout.joints]
    return [layout.joints.index(name) for name in names]


def _scaled(joints: Values, layout: Layout, where: str) -> Values:
    """Joints of no known unit, made as large as a body is, about the middle of all of them."""
    length = body.trunk(joints, layout)
    if not length > 0:
        raise DataError(
            "no frame shows hips and shoulders, from which its scale would follow",
            "name the unit with --unit, or leave the recording out",
            file=where,
        )
    middle = np.nanmedian(joints, axis=(0, 1, 2))
    scaled: Values = (joints - middle) * (TRUNK / length)
    return scaled

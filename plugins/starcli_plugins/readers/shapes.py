"""What arrays of joints without names are: their layout by number and place, their last axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from starcli.contracts import Layout
from starcli.poses import Unit
from starcli_plugins.layouts import BY_NAME
from starcli_plugins.readers.joint_names import Values


@dataclass(frozen=True)
class Form:
    """A list of joints without names.

    Args:
        layout: The layout that its joints are read as.
        joints: For each joint of the layout, which one of the list it is; empty: the first ones.
        near: Joints that are close together in this list, and not in others of its length.
        flat: Whether it comes in 2-D, too, so that a third number may be a confidence.
    """

    layout: str
    joints: tuple[int, ...] = ()
    near: tuple[int, ...] = ()
    flat: bool = True


H36M_OF_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
SMPL = Form("smpl-22", flat=False)
FORMS: dict[int, tuple[Form, ...]] = {
    17: (Form("coco-17", near=(0, 1, 2, 3, 4)), Form("h36m-17", near=(0, 1, 4, 7))),
    18: (Form("coco-18"),),
    20: (Form("kinect-v1", flat=False),),
    22: (SMPL,),
    24: (SMPL,),
    25: (
        Form("kinect-v2", near=(0, 1, 12, 16), flat=False),
        Form("body-25", near=(0, 15, 16, 17, 18)),
    ),
    26: (Form("halpe-26"),),
    32: (
        Form("azure-32", near=(0, 1, 18, 22), flat=False),
        Form("h36m-17", H36M_OF_32, near=(0, 1, 6, 12), flat=False),
    ),
    33: (Form("mediapipe-33"),),
    34: (Form("azure-32", flat=False),),
    38: (Form("zed-38", flat=False),),
    52: (SMPL,),
    55: (SMPL,),
    133: (Form("coco-17"),),
    136: (Form("halpe-26"),),
    553: (Form("mediapipe-33", flat=False),),
}
"""Number of joints -> the lists of that length; longer lists begin with the layout's joints."""
ROWS = (17, 18, 20, 22, 24, 25, 26, 32, 33)
"""Numbers of joints that come as columns."""
HOLISTIC = 1662
"""MediaPipe Holistic as columns, the 33 x 4 of the body first."""

LARGEST = 3.0
"""Metres; larger coordinates beside a confidence are pixels."""


def column_shapes(columns: int) -> list[tuple[int, int]]:
    """The numbers of joints and of values each that rows of so many columns may have."""
    if columns == HOLISTIC:
        return [(33, 4)]
    return [(joints, width) for joints in ROWS for width in (2, 3, 4) if joints * width == columns]


def given_form(layout: Layout, points: Values) -> Form:
    """What joints [..., V, 2 or more] are that are said to be of a layout."""
    count = points.shape[-2]
    known = [form for form in FORMS.get(count, ()) if form.layout == layout.name]
    pixels = bool(np.nanmax(points[..., :2], initial=0.0) > LARGEST)
    flat = any(form.flat for form in known) if known else pixels
    return Form(layout.name, tuple(range(count)), flat=flat)


def form_of(points: Values) -> Form:
    """What joints [..., V, 2 or more], V one of `FORMS`, are by where they lie."""
    forms = FORMS[points.shape[-2]]
    if len(forms) == 1:
        return forms[0]
    flat = points[..., :3].reshape(-1, *points.shape[-2:-1], min(points.shape[-1], 3))
    return min(forms, key=lambda form: _extent(flat[:, list(form.near)]))


def _extent(points: Values) -> float:
    """The median diagonal of the box around points [frames, n, axes]; missing ones are NaN."""
    missing = ~np.isfinite(points)
    low = np.where(missing, np.inf, points).min(1)
    high = np.where(missing, -np.inf, points).max(1)
    known = ~missing.all(1).any(-1)
    with np.errstate(over="ignore"):  # numbers that are no coordinates are named later
        diagonal = np.linalg.norm(high[known] - low[known], axis=-1)
    return float(np.median(diagonal)) if len(diagonal) else np.inf


def picked(values: npt.NDArray[np.float64], form: Form) -> Values:
    """The joints of the layout out of a list [..., V, any] of this form."""
    return values[..., list(form.joints or range(len(names_of(form.layout)))), :]


def names_of(layout: str) -> tuple[str, ...]:
    """Joints of a layout; none of one that is not known here."""
    return BY_NAME[layout].joints if layout in BY_NAME else ()


def parted(points: Values, form: Form) -> tuple[Values, Values | None]:
    """Coordinates and confidence of rows of 2, 3 or 4 numbers [..., V, 2 to 4].

    A third number is a confidence where it is one everywhere, and the others are pixels or shares
    of an image.
    """
    width = points.shape[-1]
    if width == 4 or (width == 3 and form.flat and _is_confidence(points)):
        return points[..., :-1], points[..., -1]
    return points, None


def _is_confidence(points: Values) -> bool:
    place, third = points[..., :2], points[..., 2]
    place, third = place[np.isfinite(place)], third[np.isfinite(third)]
    if not len(third) or third.min() < -1 or third.max() > 1:
        return False
    if place.max() > LARGEST:  # some tools mark what they did not see with -1
        return True
    return bool(third.min() >= 0 and place.min() >= 0 and place.max() <= 1)


def seen(joints: Values, layout: str) -> Values:
    """Joints with NaN where they are at the origin or lack a coordinate.

    A joint of the spine that is at the origin in every frame in which there is anybody is where the
    tool puts the origin, and stays.
    """
    missing = ~np.isfinite(joints).all(-1) | (joints == 0).all(-1)
    origin = root(joints, layout)
    if origin is not None:
        missing[..., origin] = missing.all(-1) | ~np.isfinite(joints[..., origin, :]).all(-1)
    return np.where(missing[..., None], np.nan, joints)


def root(joints: Values, layout: str) -> int | None:
    """The joint of the spine that is the origin of every frame with anybody in it, if one is."""
    names = names_of(layout)
    anybody = (np.nan_to_num(joints) != 0).any((-1, -2))
    for joint in (n for n, name in enumerate(names) if name in ("spine base", "spine mid")):
        if anybody.any() and joints.shape[-1] == 3 and (joints[anybody][:, joint] == 0).all():
            return joint
    return None


def picture_unit(joints: Values) -> Unit | None:
    """The unit of coordinates [..., 2 or more] of a picture by how large x and y are."""
    place = joints[..., :2]
    place = place[np.isfinite(place)]
    if not len(place):
        return None
    if place.min() > -0.5 and place.max() < 1.5:
        return "image"
    return "pixel" if place.max() > LARGEST else None


def hips_are_origin(joints: Values, layout: str) -> bool:
    """Whether the middle of the hips is the origin of every frame."""
    names = BY_NAME[layout].joints
    hips = [names.index(f"{side} hip") for side in ("left", "right")]
    middle = joints[..., hips, :].mean(-2)
    middle = middle[np.isfinite(middle).all(-1)]
    return len(middle) > 0 and bool((np.abs(middle) < 1e-3).all())

"""Which way clips are looked at, in which colours, and which of many."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from starcli.contracts import Layout
from starcli.errors import DataError
from starcli.viewing.skeletons import (
    DARK,
    FRONT,
    LIGHT,
    SIDE,
    TOP,
    Shown,
    Skeleton,
    View,
    side_of,
    spread,
)
from starcli_plugins.layouts import KINECT_V2, LAYOUTS
from tests.viewing.standing import POSE, STICK, clip, joints

HIPS, HEAD, LEFT, RIGHT = range(4)
Values = npt.NDArray[np.float64]


def test_who_faces_the_camera_has_the_left_hand_on_the_right_of_the_picture() -> None:
    front = FRONT.project(POSE)
    assert front[LEFT].tolist() == [0.75, 1.5]
    assert front[RIGHT].tolist() == [-0.25, 0.75]
    assert front[HEAD, 1] > front[HIPS, 1], "up is up"


def test_the_camera_is_left_of_the_side_view_and_below_the_top_view() -> None:
    side, top = SIDE.project(POSE), TOP.project(POSE)
    assert side[RIGHT].tolist() == [1.75, 0.75]
    assert side[RIGHT, 0] < side[HIPS, 0], "nearer to the camera is further left"
    assert top[RIGHT].tolist() == [-0.25, 1.75]
    assert top[RIGHT, 1] < top[HIPS, 1], "nearer to the camera is further down"
    assert top[:, 0].tolist() == FRONT.project(POSE)[:, 0].tolist()


@pytest.mark.parametrize("view", [FRONT, SIDE, TOP], ids=lambda view: view.name)
def test_no_view_mirrors_the_body(view: View) -> None:
    """Right, up and towards the viewer are right-handed, as the product's frame is."""
    right, up = (np.eye(3)[axis] * sign for axis, sign in (view.right, view.up))
    toward = {FRONT.name: [0, 0, -1], SIDE.name: [-1, 0, 0], TOP.name: [0, 1, 0]}[view.name]
    assert np.cross(right, up).tolist() == toward


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_layout_has_its_sides_parts_and_letters(layout: Layout) -> None:
    skeleton = Skeleton.of(layout)
    assert skeleton.parts == tuple(layout.parts[6])
    for part, members in zip(range(6), layout.parts[6].values(), strict=True):
        assert {skeleton.part[joint] for joint in members} == {part}
    assert skeleton.sides.count("left") == skeleton.sides.count("right") > 0
    marked = {letter: layout.joints[joint] for letter, joint in skeleton.marked.items()}
    assert marked == {"L": "left wrist", "R": "right wrist"}


def test_sides_are_read_from_names_of_any_spelling() -> None:
    sides = {
        "left hand": "left",
        "LeftHand": "left",
        "Hand_L": "left",
        "l_wrist": "left",
        "RIGHT_KNEE": "right",
        "rightUpLeg": "right",
        "r.ankle": "right",
        "head": "middle",
        "pelvis": "middle",
        "lower spine": "middle",
    }
    assert {name: side_of(name) for name in sides} == sides


def test_a_partition_that_has_too_many_parts_for_the_colours_is_not_used() -> None:
    single = {25: {str(joint): (joint,) for joint in range(25)}}
    both = replace(KINECT_V2, parts={**KINECT_V2.parts, **single})
    assert Skeleton.of(both).parts == tuple(KINECT_V2.parts[6])
    assert max(Skeleton.of(replace(KINECT_V2, parts=single)).part) < len(LIGHT)


def test_who_is_not_there_and_what_was_not_seen_is_not_drawn() -> None:
    values = joints(frames=3, people=2)
    values[1, 1] = 0
    values[2, 0, RIGHT, 1] = np.nan
    seen = np.isfinite(Shown("clip", values, STICK).visible)
    assert not seen[1, 1].any()
    assert not seen[2, 0, RIGHT].any()
    assert seen.sum() == seen.size - 6 * 3 - 3


def test_clips_without_depth_are_seen_from_the_front_alone() -> None:
    assert clip().views == (FRONT, SIDE, TOP)
    flat = joints() * np.array([1, 1, 0], np.float32)
    assert Shown("flat", flat, STICK).views == (FRONT,)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((0, 1, 6, 3), np.float32), "no person in any frame"),
        (np.zeros((4, 1, 6, 3), np.float32), "no person in any frame"),
        (np.full((4, 1, 6, 3), np.nan, np.float32), "no person in any frame"),
        (np.ones((4, 1, 5, 3), np.float32), "expected joints [frames, persons, 6, 3], got"),
        (np.ones((4, 6, 3), np.float32), "expected joints [frames, persons, 6, 3], got [4, 6, 3]"),
    ],
    ids=["no frames", "nobody", "NaN", "other layout", "no persons axis"],
)
def test_what_cannot_be_drawn_is_an_error_that_names_the_clip(
    values: npt.NDArray[np.float32], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        Shown("bad clip", values, STICK)
    assert message in caught.value.message
    assert caught.value.file == "bad clip"


def test_a_followed_body_stays_in_the_middle_and_stands_on_the_ground() -> None:
    shown = clip()
    followed, size = shown.followed()
    np.testing.assert_allclose(followed[0], followed[-1], atol=1e-6)
    assert followed[..., 1].min() == 0
    np.testing.assert_allclose(followed[..., [0, 2]].mean((1, 2)), 0, atol=1e-6)
    assert size == pytest.approx(1.75), "it is taller than wide"


def test_frames_of_a_sheet_go_from_the_first_to_the_last() -> None:
    assert clip(frames=10).frames(4) == [0, 3, 6, 9]
    assert clip(frames=3).frames(8) == [0, 1, 2]
    assert clip(frames=5).frames(1) == [0]


def test_clips_are_taken_from_all_over_and_not_in_step_with_classes() -> None:
    assert list(spread(3, 20)) == [0, 1, 2]
    chosen = spread(600, 20)
    assert len({*chosen}) == 20
    assert max(np.diff(chosen)) < 3 * 600 / 20
    assert len({number % 30 for number in chosen}) > 10, "of 30 classes in turns"
    assert list(spread(0, 5)) == []


def linear(colour: str) -> Values:
    """Linear light of a colour [3]."""
    values = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(colour: str, ground: str) -> float:
    """WCAG 2's ratio of luminance."""
    low, high = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (colour, ground))
    return (high + 0.05) / (low + 0.05)


def oklab(light: Values) -> Values:
    """Linear light as perceived colour (Ottosson, 2020), in which distances are differences."""
    cones = [[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]
    axes = [[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
    return np.array(axes) @ np.cbrt(np.array(cones) @ light)


BLINDNESS = {
    "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protan": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "deutan": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "tritan": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}
"""What is left of linear light (Machado, Oliveira and Fernandes, 2009)."""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", BLINDNESS)
def test_colours_are_told_apart_with_any_colour_vision(theme: str, kind: str) -> None:
    colours, ground = {"light": (LIGHT, "#f6f6f4"), "dark": (DARK, "#1d1d21")}[theme]
    assert all(contrast(colour, ground) >= 3 for colour in colours)
    seen = [oklab(np.clip(np.array(BLINDNESS[kind]) @ linear(c), 0, 1)) for c in colours]
    apart = {
        (a, b): float(np.linalg.norm(seen[a] - seen[b]))
        for a, b in combinations(range(len(colours)), 2)
    }
    assert min(apart.values()) > 0.15, apart

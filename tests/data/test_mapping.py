"""Joints of one layout from another's."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from starcli.contracts import Layout
from starcli.data.mapping import joint_map, rule_map
from starcli.errors import DataError
from starcli_plugins import layouts
from starcli_plugins.layouts import AZURE_32, BODY_25, COCO_17, KINECT_V1, KINECT_V2, OPENNI_15
from tests.every import of_every

LAYOUTS = (*layouts.LAYOUTS, OPENNI_15)
PAIRS = list(product(LAYOUTS, LAYOUTS))


def position(layout: Layout, name: str) -> int:
    return layout.joints.index(name)


@of_every(PAIRS, lambda pair: f"{pair[0].name} to {pair[1].name}")
def test_all_layouts_map_to_all_others_and_moving_the_body_moves_every_joint(
    pair: tuple[Layout, Layout],
) -> None:
    source, target = pair
    mapping = joint_map(source, target)
    np.testing.assert_allclose(mapping.weights.sum(1), 1, atol=1e-12)
    joints = np.random.default_rng(0).normal(size=(len(source.joints), 3))
    shift = np.array([3.0, -2.0, 1.0])
    np.testing.assert_allclose(mapping.apply(joints + shift), mapping.apply(joints) + shift)


@of_every(PAIRS, lambda pair: f"{pair[0].name} to {pair[1].name}")
def test_joints_that_both_have_are_taken_as_they_are(pair: tuple[Layout, Layout]) -> None:
    source, target = pair
    joints = np.random.default_rng(0).normal(size=(len(source.joints), 3))
    mapped = joint_map(source, target).apply(joints)
    for name in set(source.joints) & set(target.joints):
        place, origin = target.joints.index(name), source.joints.index(name)
        np.testing.assert_array_equal(mapped[place], joints[origin])


@of_every(LAYOUTS, lambda layout: layout.name)
def test_sides_are_not_exchanged(layout: Layout) -> None:
    """The map of a mirrored body is the mirrored map: left joints come from left ones."""
    for target in LAYOUTS:
        weights = joint_map(layout, target).weights
        twin = [_twin(layout, j) for j in layout.joints]
        other = [_twin(target, j) for j in target.joints]
        np.testing.assert_allclose(weights[other][:, twin], weights)


def _twin(layout: Layout, name: str) -> int:
    swap = {"left": "right", "right": "left"}
    return layout.joints.index(" ".join(swap.get(word, word) for word in name.split()))


def test_kinect_v2_from_coco_by_hand() -> None:
    """Shoulders at height 1 and +-0.2, hips at 0.5, wrist below the elbow: A6, by hand."""
    joints = np.zeros((17, 3))
    places = {
        "left shoulder": (0.2, 1.0),
        "right shoulder": (-0.2, 1.0),
        "left hip": (0.1, 0.5),
        "right hip": (-0.1, 0.5),
        "left elbow": (0.3, 0.8),
        "left wrist": (0.3, 0.55),
        "left ear": (0.07, 1.25),
        "right ear": (-0.07, 1.21),
    }
    for name, (x, y) in places.items():
        joints[position(COCO_17, name), :2] = x, y
    mapped = dict(zip(KINECT_V2.joints, joint_map(COCO_17, KINECT_V2).apply(joints), strict=True))
    np.testing.assert_allclose(mapped["spine base"], [0, 0.5, 0])
    np.testing.assert_allclose(mapped["neck"], [0, 1.0 + 0.19 * 0.5, 0], atol=1e-12)
    np.testing.assert_allclose(mapped["spine shoulder"], [0, 1.0475, 0], atol=1e-12)
    np.testing.assert_allclose(mapped["spine mid"], [0, 0.7975, 0], atol=1e-12)
    np.testing.assert_allclose(mapped["head"], [0, 1.23, 0], atol=1e-12)
    np.testing.assert_allclose(mapped["left hand"], [0.3, 0.55 - 0.28 * 0.25, 0], atol=1e-12)


def test_kinect_v1_from_azure_by_hand() -> None:
    joints = np.zeros((32, 3))
    for name, y in {
        "left shoulder": 1.4,
        "right shoulder": 1.4,
        "left hip": 1,
        "right hip": 1,
    }.items():
        joints[position(AZURE_32, name), 1] = y
    mapped = dict(zip(KINECT_V1.joints, joint_map(AZURE_32, KINECT_V1).apply(joints), strict=True))
    assert mapped["hip centre"][1] == pytest.approx(1 + 0.19 * 0.4)
    assert mapped["spine"][1] == pytest.approx(1 + 0.375 * 0.4)
    assert mapped["shoulder centre"][1] == pytest.approx(1.4 + 0.30 * 0.4)


def test_body_25_to_coco_takes_the_published_places() -> None:
    places = [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11]
    np.testing.assert_array_equal(joint_map(BODY_25, COCO_17).weights, np.eye(25)[places])


def test_a_joint_that_was_not_seen_is_lacking_in_what_needs_it_and_nowhere_else() -> None:
    joints = np.random.default_rng(0).normal(size=(1, 17, 3))
    joints[0, position(COCO_17, "left wrist")] = np.nan
    absent = np.any(np.isnan(joint_map(COCO_17, KINECT_V2).apply(joints)), axis=-1)[0]
    names = {name for name, gone in zip(KINECT_V2.joints, absent, strict=True) if gone}
    assert names == {"left wrist", "left hand", "left hand tip", "left thumb"}


def test_a_joint_never_seen_follows_from_the_others() -> None:
    joints = np.random.default_rng(0).normal(size=(25, 3))
    base, left, right = (position(KINECT_V2, n) for n in ("spine base", "left hip", "right hip"))
    filled = rule_map(KINECT_V2, [base]).apply(np.where(np.arange(25)[:, None] == base, 0, joints))
    np.testing.assert_allclose(filled[base], (joints[left] + joints[right]) / 2)
    knee, hip = position(KINECT_V2, "left knee"), position(KINECT_V2, "left hip")
    assert (rule_map(KINECT_V2, [knee]).apply(joints)[knee] == joints[hip]).all()


def test_layouts_without_common_joints_are_named() -> None:
    tail = Layout("tail", ("tip", "root"), ((0, 1),), {1: {"all": (0, 1)}}, 0, 1, (0, 1))
    with pytest.raises(DataError, match=r"layout tail has no joint.*spine base.*of kinect-v2"):
        joint_map(tail, KINECT_V2)

"""The body parts and bones of every skeleton."""

from __future__ import annotations

from collections import Counter

import pytest

from starcli.contracts import Layout
from starcli_plugins.layouts import (
    AZURE_32,
    BODY_25,
    COCO_17,
    COCO_18,
    H36M_17,
    HALPE_26,
    KINECT_V1,
    KINECT_V2,
    LAYOUTS,
    MEDIAPIPE_33,
    OPENNI_15,
    SMPL_22,
    ZED_38,
)
from tests.every import of_every

EVERY = of_every([*LAYOUTS, OPENNI_15], lambda layout: layout.name)
KINECTS = pytest.mark.parametrize("layout", [KINECT_V1, KINECT_V2], ids=lambda x: x.name)
POSES = pytest.mark.parametrize("layout", [COCO_17, MEDIAPIPE_33], ids=lambda x: x.name)
V2_PARTS = {
    "head": {2, 3, 20},
    "hand": {7, 11, 21, 22, 23, 24},
    "arm": {4, 5, 6, 8, 9, 10},
    "hip": {0, 1},
    "leg": {12, 13, 16, 17},
    "foot": {14, 15, 18, 19},
}
V2_EDGES_FROM_1 = (
    (1, 2),
    (2, 21),
    (3, 21),
    (4, 3),
    (5, 21),
    (6, 5),
    (7, 6),
    (8, 7),
    (9, 21),
    (10, 9),
    (11, 10),
    (12, 11),
    (13, 1),
    (14, 13),
    (15, 14),
    (16, 15),
    (17, 1),
    (18, 17),
    (19, 18),
    (20, 19),
    (22, 23),
    (23, 8),
    (24, 25),
    (25, 12),
)
V1_EDGES_FROM_1 = (
    (1, 2),
    (2, 3),
    (4, 3),
    (5, 3),
    (6, 5),
    (7, 6),
    (8, 7),
    (9, 3),
    (10, 9),
    (11, 10),
    (12, 11),
    (13, 1),
    (14, 13),
    (15, 14),
    (16, 15),
    (17, 1),
    (18, 17),
    (19, 18),
    (20, 19),
)


@pytest.mark.parametrize("parts", [2, 4, 6])
@EVERY
def test_partition_is_disjoint_and_covers(layout: Layout, parts: int) -> None:
    table = layout.parts[parts]
    joints = Counter(j for group in table.values() for j in group)

    assert len(table) == parts
    assert joints == Counter(range(len(layout.joints)))


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        (6, ["head", "hand", "arm", "hip", "leg", "foot"]),
        (4, ["head", "hand-arm", "hip", "leg-foot"]),
        (2, ["upper body", "lower body"]),
    ],
)
@EVERY
def test_parts_are_named_as_in_the_paper(layout: Layout, parts: int, names: list[str]) -> None:
    assert list(layout.parts[parts]) == names


MERGED = {
    "hand-arm": ("hand", "arm"),
    "leg-foot": ("leg", "foot"),
    "upper body": ("head", "hand", "arm"),
    "lower body": ("hip", "leg", "foot"),
}


@pytest.mark.parametrize("parts", [2, 4])
@EVERY
def test_coarse_part_has_the_joints_of_its_fine_ones(layout: Layout, parts: int) -> None:
    assert tuple(layout.parts[6]) == ("head", "hand", "arm", "hip", "leg", "foot")
    for name, own in layout.parts[parts].items():
        joints = {j for fine in MERGED.get(name, (name,)) for j in layout.parts[6][fine]}
        assert set(own) == joints


@EVERY
def test_bones_are_a_tree_over_all_joints(layout: Layout) -> None:
    reached = {layout.centre}
    for _ in layout.joints:
        reached |= {b for bone in layout.bones if reached & set(bone) for b in bone}

    assert reached == set(range(len(layout.joints)))
    assert len(layout.bones) == len(layout.joints) - 1
    # Every joint hangs on one parent, but for the root.
    assert max(Counter(child for child, _ in layout.bones).values()) == 1


@pytest.mark.parametrize(
    ("layout", "edges"), [(KINECT_V1, V1_EDGES_FROM_1), (KINECT_V2, V2_EDGES_FROM_1)]
)
def test_bones_are_the_published_edges(layout: Layout, edges: tuple[tuple[int, int], ...]) -> None:
    assert {frozenset(bone) for bone in layout.bones} == {
        frozenset((a - 1, b - 1)) for a, b in edges
    }


def test_six_parts_of_kinect_v2_are_the_published_table() -> None:
    assert {name: set(group) for name, group in KINECT_V2.parts[6].items()} == V2_PARTS


def test_six_parts_of_kinect_v1_hold_the_joints_of_the_same_names() -> None:
    # The two sensors name the spine differently; every other joint has one name.
    other = {"hip centre": "spine base", "spine": "spine mid", "shoulder centre": "spine shoulder"}
    v2 = {KINECT_V2.joints[j]: p for p, group in KINECT_V2.parts[6].items() for j in group}
    v1 = {KINECT_V1.joints[j]: p for p, group in KINECT_V1.parts[6].items() for j in group}

    assert v1 == {name: v2[other.get(name, name)] for name in v1}


@KINECTS
def test_special_joints_of_kinects_are_the_ones_meant(layout: Layout) -> None:
    assert [layout.joints[j] for j in layout.across] == ["left shoulder", "right shoulder"]
    assert layout.joints[layout.centre] in ("spine shoulder", "shoulder centre")
    assert layout.joints[layout.origin] in ("spine mid", "spine")


@POSES
def test_special_joints_of_poses_are_the_ones_meant(layout: Layout) -> None:
    assert [layout.joints[j] for j in layout.across] == ["left shoulder", "right shoulder"]
    assert (layout.joints[layout.centre], layout.joints[layout.origin]) == ("nose", "left hip")


def test_joints_of_poses_stand_at_the_published_numbers() -> None:
    counted = [(17, COCO_17), (33, MEDIAPIPE_33)]
    assert [len(layout.joints) for _, layout in counted] == [n for n, _ in counted]
    coco = {
        0: "nose",
        4: "right ear",
        5: "left shoulder",
        10: "right wrist",
        11: "left hip",
        16: "right ankle",
    }
    assert {n: COCO_17.joints[n] for n in coco} == coco
    pose = {
        3: "left eye outer",
        8: "right ear",
        10: "mouth right",
        15: "left wrist",
        18: "right pinky",
        19: "left index",
        22: "right thumb",
        24: "right hip",
        27: "left ankle",
        30: "right heel",
        31: "left foot index",
    }
    assert {n: MEDIAPIPE_33.joints[n] for n in pose} == pose


HANDLESS = [COCO_17, COCO_18, BODY_25, HALPE_26, H36M_17, SMPL_22, OPENNI_15]
"""Wrists stand in for the hands."""
SPINES = [KINECT_V1, KINECT_V2, AZURE_32, H36M_17, SMPL_22, ZED_38, OPENNI_15]
"""The spine is the hip part, as in the paper; elsewhere the hips are."""
BELONGS = {
    "head": (
        "nose",
        "eye",
        "ear",
        "mouth",
        "head",
        "neck",
        "face",
        "chest",
        "shoulder",
        "upper",
        "centre",
    ),
    "hand": ("pinky", "index", "thumb", "hand"),
    "arm": ("clavicle", "shoulder", "elbow", "wrist"),
    "hip": ("base", "mid", "lower", "hip", "centre", "spine"),
    "leg": ("hip", "knee"),
    "foot": ("ankle", "heel", "foot", "toe"),
}


@EVERY
def test_parts_hold_the_joints_named(layout: Layout) -> None:
    sided = {"left", "right"}
    for part, group in layout.parts[6].items():
        for joint in group:
            words = set(layout.joints[joint].split())
            assert words & set(BELONGS[part]) or (
                layout in HANDLESS and part == "hand" and "wrist" in words
            )
            if "shoulder" in words or "hip" in words:  # of a side, or of the spine
                limb = {"shoulder": "arm", "hip": "leg" if layout in SPINES else "hip"}
                spine = {"shoulder": "head", "hip": "hip"}
                (word,) = words & {"shoulder", "hip"}
                assert part == (limb if words & sided else spine)[word]


def test_hands_are_wrists_only_where_there_are_no_hands() -> None:
    for layout in (*LAYOUTS, OPENNI_15):
        hands = {layout.joints[j] for j in layout.parts[6]["hand"]}
        assert ({"left wrist", "right wrist"} == hands) == (layout in HANDLESS)


@EVERY
def test_bones_point_at_the_centre(layout: Layout) -> None:
    parent = dict(layout.bones)
    for joint in range(len(layout.joints)):
        while joint != layout.centre:
            joint = parent[joint]


@EVERY
def test_sides_mirror_each_other(layout: Layout) -> None:
    def mirrored(name: str) -> str:
        swap = {"left": "right", "right": "left"}
        return " ".join(swap.get(word, word) for word in name.split())

    def named(bone: tuple[int, int]) -> tuple[str, ...]:
        return tuple(layout.joints[j] for j in bone)

    bones = {named(bone) for bone in layout.bones}
    assert {tuple(mirrored(name) for name in bone) for bone in bones} == bones
    assert len(set(layout.joints)) == len(layout.joints)


@EVERY
def test_both_sides_of_a_joint_are_in_the_same_part(layout: Layout) -> None:
    part = {layout.joints[j]: name for name, group in layout.parts[6].items() for j in group}
    for joint in layout.joints:
        if "left" in joint.split():
            assert part[joint] == part[joint.replace("left", "right")]
    assert [layout.joints[j] for j in layout.across] == ["left shoulder", "right shoulder"]


TO_COCO_17 = [
    (BODY_25, [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11]),
    (COCO_18, [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]),
    (HALPE_26, list(range(17))),
    (MEDIAPIPE_33, [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]),
    (AZURE_32, [27, 28, 30, 29, 31, 5, 12, 6, 13, 7, 14, 18, 22, 19, 23, 20, 24]),
    (ZED_38, [5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]),
]
"""Where the writers of OpenPose and the makers' lists have COCO's keypoints."""


@pytest.mark.parametrize(("layout", "numbers"), TO_COCO_17, ids=lambda x: getattr(x, "name", ""))
def test_keypoints_of_coco_stand_at_the_published_numbers(
    layout: Layout, numbers: list[int]
) -> None:
    assert tuple(layout.joints[n] for n in numbers) == COCO_17.joints


TO_KINECT_V2 = [
    (
        AZURE_32,
        {
            0: 0,
            1: 1,
            2: 3,
            3: 26,
            4: 5,
            5: 6,
            6: 7,
            7: 8,
            8: 12,
            9: 13,
            10: 14,
            11: 15,
            12: 18,
            13: 19,
            14: 20,
            15: 21,
            16: 22,
            17: 23,
            18: 24,
            19: 25,
            21: 9,
            22: 10,
            23: 16,
            24: 17,
        },
    ),
    (
        SMPL_22,
        {
            0: 0,
            1: 6,
            2: 12,
            3: 15,
            4: 16,
            5: 18,
            6: 20,
            8: 17,
            9: 19,
            10: 21,
            12: 1,
            13: 4,
            14: 7,
            15: 10,
            16: 2,
            17: 5,
            18: 8,
            19: 11,
        },
    ),
    (
        H36M_17,
        {
            0: 0,
            1: 7,
            4: 11,
            5: 12,
            6: 13,
            8: 14,
            9: 15,
            10: 16,
            12: 4,
            13: 5,
            14: 6,
            16: 1,
            17: 2,
            18: 3,
            20: 8,
        },
    ),
    (
        ZED_38,
        {
            0: 0,
            1: 2,
            2: 4,
            4: 12,
            5: 14,
            6: 16,
            8: 13,
            9: 15,
            10: 17,
            12: 18,
            13: 20,
            14: 22,
            16: 19,
            17: 21,
            18: 23,
            21: 34,
            22: 30,
            23: 35,
            24: 31,
        },
    ),
    (BODY_25, {0: 8}),
    (HALPE_26, {0: 19}),
]
"""Joints of Kinect v2 that another layout has itself -> their numbers in it."""


@pytest.mark.parametrize(("layout", "numbers"), TO_KINECT_V2, ids=lambda x: getattr(x, "name", ""))
def test_joints_that_kinect_has_too_have_its_names(layout: Layout, numbers: dict[int, int]) -> None:
    same = {
        v2: layout.joints.index(name)
        for v2, name in enumerate(KINECT_V2.joints)
        if name in layout.joints
    }
    assert {v2: same[v2] for v2 in numbers} == numbers
    limbs = {4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18}
    assert set(same) - limbs == set(numbers) - limbs

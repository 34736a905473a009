"""The body parts and bones of every skeleton."""

from __future__ import annotations

from collections import Counter

import pytest

from starcli.contracts import Layout
from starcli_plugins.layouts import COCO_17, KINECT_V1, KINECT_V2, MEDIAPIPE_33

LAYOUTS = [KINECT_V1, KINECT_V2, COCO_17, MEDIAPIPE_33]
EVERY = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda x: x.name)
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


@EVERY
@pytest.mark.parametrize("parts", [2, 4, 6])
def test_partition_is_disjoint_and_covers(layout: Layout, parts: int) -> None:
    table = layout.parts[parts]
    joints = Counter(j for group in table.values() for j in group)

    assert len(table) == parts
    assert joints == Counter(range(len(layout.joints)))


@EVERY
@pytest.mark.parametrize(
    ("parts", "names"),
    [
        (6, ["head", "hand", "arm", "hip", "leg", "foot"]),
        (4, ["head", "hand-arm", "hip", "leg-foot"]),
        (2, ["upper body", "lower body"]),
    ],
)
def test_parts_are_named_as_in_the_paper(layout: Layout, parts: int, names: list[str]) -> None:
    assert list(layout.parts[parts]) == names


MERGED = {
    "hand-arm": ("hand", "arm"),
    "leg-foot": ("leg", "foot"),
    "upper body": ("head", "hand", "arm"),
    "lower body": ("hip", "leg", "foot"),
}


@EVERY
@pytest.mark.parametrize("parts", [2, 4])
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


@POSES
def test_parts_of_poses_hold_the_joints_named(layout: Layout) -> None:
    belongs = {
        "head": ("nose", "eye", "ear", "mouth"),
        "hand": ("pinky", "index", "thumb"),
        "arm": ("shoulder", "elbow", "wrist"),
        "hip": ("hip",),
        "leg": ("knee",),
        "foot": ("ankle", "heel", "foot"),
    }
    for part, group in layout.parts[6].items():
        for joint in group:
            words = layout.joints[joint].split()
            # COCO has no hands: the wrists stand in for them.
            alone = layout is COCO_17 and part == "hand" and "wrist" in words
            assert alone or set(words) & set(belongs[part])


@POSES
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

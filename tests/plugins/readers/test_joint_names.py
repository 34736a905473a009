"""Names of joints as tools and people write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from starcli.contracts import Layout
from starcli.errors import DataError
from starcli.poses import PoseFile
from starcli_plugins.layouts import (
    AZURE_32,
    BODY_25,
    COCO_17,
    H36M_17,
    HALPE_26,
    KINECT_V1,
    KINECT_V2,
    LAYOUTS,
    MEDIAPIPE_33,
    SMPL_22,
    ZED_38,
)
from starcli_plugins.readers.joint_names import Joints, fit, is_body, require
from tests.every import of_every

SIDED_LIMBS = ("UpLeg", "Leg", "Foot", "Shoulder", "Arm", "ForeArm", "Hand")
CMU = (
    "Hips LHipJoint LeftUpLeg LeftLeg LeftFoot LeftToeBase RHipJoint RightUpLeg RightLeg RightFoot"
    " RightToeBase LowerBack Spine Spine1 Neck Neck1 Head LeftShoulder LeftArm LeftForeArm LeftHand"
    " LeftFingerBase LeftHandIndex1 LThumb RightShoulder RightArm RightForeArm RightHand"
    " RightFingerBase RightHandIndex1 RThumb"
)
MIXAMO = [
    f"mixamorig:{name}"
    for name in (
        "Hips",
        "Spine",
        "Spine1",
        "Spine2",
        "Neck",
        "Head",
        "HeadTop_End",
        *(
            f"{side}{joint}"
            for side in ("Left", "Right")
            for joint in (*SIDED_LIMBS, "ToeBase", "Toe_End")
        ),
    )
]
BANDAI = (
    "joint_Root Hips Spine Chest Neck Head Shoulder_L UpperArm_L LowerArm_L Hand_L Shoulder_R"
    " UpperArm_R LowerArm_R Hand_R UpperLeg_L LowerLeg_L Foot_L Toes_L UpperLeg_R LowerLeg_R"
    " Foot_R Toes_R"
)
BIOVISION = (
    "Hips LeftHip LeftKnee LeftAnkle RightHip RightKnee RightAnkle Chest LeftCollar LeftShoulder"
    " LeftElbow LeftWrist RightCollar RightShoulder RightElbow RightWrist Neck Head"
)
BIPED = [
    f"Bip01 {name}"
    for name in (
        "Pelvis",
        "Spine",
        "Spine1",
        "Neck",
        "Head",
        *(
            f"{side} {joint}"
            for side in "LR"
            for joint in (
                "Clavicle",
                "UpperArm",
                "Forearm",
                "Hand",
                "Thigh",
                "Calf",
                "Foot",
                "Toe0",
            )
        ),
    )
]
POSER = (
    "hip abdomen chest neck head lCollar lShldr lForeArm lHand rCollar rShldr rForeArm rHand"
    " lThigh lShin lFoot lToe rThigh rShin rFoot rToe"
)
POSE2SIM = (
    "Hip RHip RKnee RAnkle RBigToe RSmallToe RHeel LHip LKnee LAnkle LBigToe LSmallToe LHeel Neck"
    " Head Nose RShoulder RElbow RWrist LShoulder LElbow LWrist"
)
MMPOSE_3D = (
    "root right_hip right_knee right_foot left_hip left_knee left_foot spine thorax neck_base head"
    " left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
)
OPENPOSE = (
    "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle LHip LKnee"
    " LAnkle REye LEye REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel"
)


def named(names: list[str], joints: Joints) -> dict[str, str]:
    """Joint of the layout -> name in the file."""
    pairs = zip(joints.layout.joints, joints.index, strict=True)
    return {joint: names[at] for joint, at in pairs if at >= 0}


@pytest.mark.parametrize("style", ["{}", "snake", "Camel", "SideLast", "l_"])
@of_every(LAYOUTS, lambda layout: layout.name)
def test_every_layout_is_found_by_its_own_names(layout: Layout, style: str) -> None:
    joints = fit([styled(name, style) for name in layout.joints])
    assert joints.layout.name == layout.name
    assert joints.index.tolist() == list(range(len(layout.joints)))
    assert joints.lacking == ()


def styled(name: str, style: str) -> str:
    words = name.split()
    if style == "snake":
        return "_".join(words)
    if style == "l_":
        return "_".join(word[0] if word in ("left", "right") else word for word in words)
    if style == "SideLast":
        words = [
            *(w for w in words if w not in ("left", "right")),
            *(w for w in words if w in ("left", "right")),
        ]
    return name if style == "{}" else "".join(word.capitalize() for word in words)


@pytest.mark.parametrize(
    ("names", "layout", "wanted"),
    [
        (
            CMU,
            SMPL_22,
            {
                "left hip": "LeftUpLeg",
                "spine lower": "LowerBack",
                "spine mid": "Spine",
                "spine upper": "Spine1",
                "left clavicle": "LeftShoulder",
                "left shoulder": "LeftArm",
                "left wrist": "LeftHand",
                "neck": "Neck",
                "left ankle": "LeftFoot",
                "left foot": "LeftToeBase",
            },
        ),
        (
            MIXAMO,
            SMPL_22,
            {
                "spine base": "mixamorig:Hips",
                "spine lower": "mixamorig:Spine",
                "spine upper": "mixamorig:Spine2",
                "right knee": "mixamorig:RightLeg",
                "right elbow": "mixamorig:RightForeArm",
            },
        ),
        (
            BANDAI,
            SMPL_22,
            {
                "spine base": "Hips",
                "spine mid": "Spine",
                "spine upper": "Chest",
                "left clavicle": "Shoulder_L",
                "left shoulder": "UpperArm_L",
                "left knee": "LowerLeg_L",
                "right foot": "Toes_R",
            },
        ),
        (
            BIOVISION,
            SMPL_22,
            {
                "left clavicle": "LeftCollar",
                "left shoulder": "LeftShoulder",
                "left hip": "LeftHip",
                "spine mid": "Chest",
            },
        ),
        (
            BIPED,
            SMPL_22,
            {
                "left hip": "Bip01 L Thigh",
                "right knee": "Bip01 R Calf",
                "right foot": "Bip01 R Toe0",
                "left clavicle": "Bip01 L Clavicle",
            },
        ),
        (
            POSER,
            SMPL_22,
            {
                "spine base": "hip",
                "spine mid": "abdomen",
                "left shoulder": "lShldr",
                "left knee": "lShin",
                "right wrist": "rHand",
            },
        ),
        (
            POSE2SIM,
            HALPE_26,
            {
                "neck base": "Neck",
                "head top": "Head",
                "spine base": "Hip",
                "left hip": "LHip",
                "left big toe": "LBigToe",
            },
        ),
        (
            MMPOSE_3D,
            H36M_17,
            {
                "left ankle": "left_foot",
                "face": "neck_base",
                "head top": "head",
                "spine shoulder": "thorax",
                "spine mid": "spine",
            },
        ),
        (OPENPOSE, BODY_25, {"neck base": "Neck", "spine base": "MidHip"}),
    ],
    ids=[
        "cmu",
        "mixamo",
        "bandai",
        "biovision",
        "biped",
        "poser",
        "pose2sim",
        "mmpose",
        "openpose",
    ],
)
def test_names_of_tools(names: str | list[str], layout: Layout, wanted: dict[str, str]) -> None:
    names = names.split() if isinstance(names, str) else names
    joints = fit(names)
    assert joints.layout is layout
    found = named(names, joints)
    assert {joint: found.get(joint) for joint in wanted} == wanted
    assert joints.lacking == ()
    used = joints.index[joints.index >= 0]
    assert len(set(used.tolist())) == len(used)


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        (
            ["PELVIS", "SPINE_NAVAL", *(n.upper().replace(" ", "_") for n in AZURE_32.joints[2:])],
            AZURE_32,
        ),
        (
            [
                "HipCenter",
                "Spine",
                "ShoulderCenter",
                *(styled(n, "SideLast") for n in KINECT_V1.joints[3:]),
            ],
            KINECT_V1,
        ),
        ([styled(n, "SideLast") for n in KINECT_V2.joints], KINECT_V2),
        ([n.replace(" ", "-") for n in MEDIAPIPE_33.joints], MEDIAPIPE_33),
        ([n.upper() for n in COCO_17.joints], COCO_17),
        ([n.replace(" ", ".") for n in ZED_38.joints], ZED_38),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_layouts_as_their_makers_write_them(names: list[str], layout: Layout) -> None:
    joints = fit(names)
    assert joints.layout is layout
    assert joints.index.tolist() == list(range(len(names)))


def test_the_middle_of_a_long_spine_is_the_joint_nearest_the_middle() -> None:
    names = [n for n in BIOVISION.split() if n != "Chest"] + ["Chest", "Chest2", "Chest3", "Chest4"]
    points = np.zeros((len(names), 3))
    heights = {"Neck": 10.0, "Chest": 1.0, "Chest2": 2.0, "Chest3": 6.0, "Chest4": 8.0}
    for name, height in heights.items():
        points[names.index(name), 1] = height

    found = named(names, fit(names, [SMPL_22], points))
    assert found["spine lower"] == "Chest"
    assert found["spine mid"] == "Chest3"
    assert found["spine upper"] == "Chest4"


def test_joints_that_a_file_lacks_are_nan_and_the_rest_stays_in_place() -> None:
    names = ["tail", *reversed([n for n in COCO_17.joints if n != "left ear"])]
    joints = fit(names)
    values = np.arange(len(names), dtype=float)[:, None].repeat(2, 1)
    out = joints.of(values)
    assert joints.layout is COCO_17
    assert np.isnan(out[3]).all()
    assert out[0].tolist() == [16, 16]  # the nose is last
    assert values[16].tolist() == [16, 16]


def test_what_is_lacking_is_listed(tmp_path: Path) -> None:
    file = PoseFile(tmp_path / "dance.csv", "dance.csv")
    names = [n for n in COCO_17.joints if n not in ("left wrist", "right knee")]
    with pytest.raises(
        DataError, match=r"dance\.csv: no joint found for left wrist, right knee; names are 'nose'"
    ) as caught:
        require(names, file)
    assert caught.value.fix
    assert not is_body(names)
    assert is_body(list(COCO_17.joints))
    assert not is_body(["name", "age"])

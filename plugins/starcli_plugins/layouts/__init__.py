"""Skeleton layouts: joint names, bones and the paper's 2-, 4- and 6-part partitions.

A name means the same place on the body in all of them. All bones point at the layout's centre.
"""

from starcli_plugins.layouts.bodies import H36M_17, SMPL_22, ZED_38
from starcli_plugins.layouts.keypoints import BODY_25, COCO_17, COCO_18, HALPE_26, MEDIAPIPE_33
from starcli_plugins.layouts.kinect import AZURE_32, KINECT_V1, KINECT_V2, OPENNI_15

LAYOUTS = (
    KINECT_V2,
    KINECT_V1,
    AZURE_32,
    COCO_17,
    COCO_18,
    BODY_25,
    HALPE_26,
    MEDIAPIPE_33,
    H36M_17,
    SMPL_22,
    ZED_38,
)
"""Those that pose files come in; OPENNI_15 is one of data sets alone."""
BY_NAME = {layout.name: layout for layout in LAYOUTS}

__all__ = [
    "AZURE_32",
    "BODY_25",
    "BY_NAME",
    "COCO_17",
    "COCO_18",
    "H36M_17",
    "HALPE_26",
    "KINECT_V1",
    "KINECT_V2",
    "LAYOUTS",
    "MEDIAPIPE_33",
    "OPENNI_15",
    "SMPL_22",
    "ZED_38",
]

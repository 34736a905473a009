"""Arrays of joints: which layout, which axis, what is missing, and what is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli.conformance import conforms
from starcli.conformance.bodies import sample
from starcli.conformance.readers import compare
from starcli.contracts import NoSettings
from starcli.errors import DataError
from starcli.poses import IMAGE, PoseFile, Poses
from starcli_plugins.readers.arrays import Arrays
from starcli_plugins.readers.shapes import column_shapes

READER = Arrays(NoSettings())
Array = np.ndarray[Any, np.dtype[np.float64]]


@conforms("reader", Arrays)
def test_rules(rule: Callable[[], None]) -> None:
    rule()


def saved(folder: Path, array: Any, **others: Any) -> PoseFile:
    """An `.npy`, or with further arrays an `.npz` that has it as `keypoint`."""
    path = folder / ("x.npz" if others else "x.npy")
    if others:
        np.savez(path, **({} if array is None else {"keypoint": array}), **others)
    else:
        np.save(path, array)
    return PoseFile(path, path.name)


def read(file: PoseFile) -> Poses:
    assert READER.recognises(file)
    (poses,) = READER.read([file])
    return poses


def body(layout: str, dimensions: int = 3) -> Array:
    """One person [T, V, axes] without gaps."""
    poses = sample(layout, 3 if dimensions == 3 else 2, 1).joints[:, 0]
    return np.where(np.isnan(poses), poses[:1], poses)


@pytest.mark.parametrize("layout", Arrays.layouts)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_every_layout_comes_back(tmp_path: Path, layout: str, suffix: str) -> None:
    poses = sample(layout, Arrays.layouts[layout])
    (path,) = READER.write_sample(poses, tmp_path / f"x{suffix}")
    found = read(PoseFile(path, path.name))
    assert found.layout == layout
    compare(found, poses, layout)
    if Arrays.layouts[layout] == 2:
        assert (found.unit, found.axes) == ("pixel", IMAGE)
        assert found.confidence is not None and poses.confidence is not None
        np.testing.assert_allclose(found.confidence, poses.confidence)
    assert found.fps == (25.0 if suffix == ".npz" else None)


def turned_over(points: Array) -> list[Array]:
    """The same body in frames whose vertical axis is another one."""
    x, y, z = np.moveaxis(points, -1, 0)
    return [np.stack(axes, -1) for axes in [(x, y, z), (x, -y, -z), (x, z, -y), (z, -x, y)]]


@pytest.mark.parametrize("layout", ["coco-17", "h36m-17", "kinect-v2", "body-25", "azure-32"])
def test_equal_numbers_of_joints_are_told_apart_whatever_axis_is_up(
    tmp_path: Path, layout: str
) -> None:
    for points in turned_over(body(layout)):
        assert read(saved(tmp_path, points)).layout == layout
        assert read(saved(tmp_path, 1000 * points - 7)).layout == layout
    if layout in ("coco-17", "h36m-17", "body-25"):
        assert read(saved(tmp_path, body(layout, 2))).layout == layout


def test_32_joints_of_human36m_are_its_17(tmp_path: Path) -> None:
    places = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    points = np.repeat(body("h36m-17")[:, 7:8], 32, axis=1)
    points[:, places] = body("h36m-17")
    poses = read(saved(tmp_path, points))
    assert poses.layout == "h36m-17"
    np.testing.assert_array_equal(poses.joints[:, 0], body("h36m-17"))


@pytest.mark.parametrize(
    ("count", "layout"),
    [
        (24, "smpl-22"),
        (52, "smpl-22"),
        (55, "smpl-22"),
        (34, "azure-32"),
        (136, "halpe-26"),
        (553, "mediapipe-33"),
        (133, "coco-17"),
    ],
)
def test_longer_lists_begin_with_the_body(tmp_path: Path, count: int, layout: str) -> None:
    points = body(layout)
    more = np.ones((len(points), count - points.shape[1], 3))
    poses = read(saved(tmp_path, np.concatenate([points, more], axis=1)))
    assert poses.layout == layout
    np.testing.assert_array_equal(poses.joints[:, 0], points)


def test_columns_are_joints_one_after_the_other(tmp_path: Path) -> None:
    points, scores = body("mediapipe-33"), np.full((4, 33, 1), 0.25)
    rows = np.concatenate([points, scores], axis=-1).reshape(4, 132)
    hands = np.full((4, 1662 - 132), 9.0)
    for array in (rows, np.concatenate([rows, hands], axis=1)):
        poses = read(saved(tmp_path, array))
        np.testing.assert_array_equal(poses.joints[:, 0], points)
        assert poses.confidence is not None and (poses.confidence == 0.25).all()
    assert read(saved(tmp_path, body("kinect-v2").reshape(4, 75))).layout == "kinect-v2"
    assert read(saved(tmp_path, body("body-25", 2).reshape(4, 50))).layout == "body-25"


def test_columns_that_may_be_two_things_are_refused(tmp_path: Path) -> None:
    file = saved(tmp_path, np.ones((4, 66)))
    with pytest.raises(DataError, match="66 columns may be 22 x 3 or 33 x 2") as caught:
        read(file)
    assert "reshape" in caught.value.fix
    assert column_shapes(99) == [(33, 3)]
    assert column_shapes(51) == [(17, 3)]
    assert column_shapes(263) == []


def test_persons_may_come_before_frames(tmp_path: Path) -> None:
    two = np.stack([body("coco-17", 2), body("coco-17", 2) + 200], axis=1)
    poses = read(saved(tmp_path, two.swapaxes(0, 1)))
    np.testing.assert_array_equal(poses.joints, two)
    assert poses.people == ("1", "2")
    assert poses.notes == ("taken as [persons, frames, joints, axes]",)
    assert read(saved(tmp_path, two)).notes == ()


def test_scores_and_boxes_of_an_npz_are_no_poses(tmp_path: Path) -> None:
    points = body("coco-17", 2)
    scores = np.linspace(0, 1, 4 * 17).reshape(1, 4, 17)
    file = saved(
        tmp_path,
        points[None],
        keypoint_score=scores,
        fps=np.array([12.5]),
        boxes=np.ones((4, 17, 4)),
        note=np.array(["a"]),
    )
    poses = read(file)
    assert poses.confidence is not None
    np.testing.assert_array_equal(poses.confidence, scores.swapaxes(0, 1))
    np.testing.assert_array_equal(poses.joints[:, 0], points)
    assert (poses.fps, poses.name) == (12.5, "")


def test_several_arrays_are_recordings_named_by_key(tmp_path: Path) -> None:
    file = saved(tmp_path, None, walk=body("smpl-22"), run=body("coco-17", 2))
    found = {poses.name: poses.layout for poses in READER.read([file])}
    assert found == {"walk": "smpl-22", "run": "coco-17"}


def test_a_third_number_is_a_confidence_or_a_depth(tmp_path: Path) -> None:
    picture = body("coco-17", 2)
    scores = np.full((4, 17, 1), 0.5)
    pixels = read(saved(tmp_path, np.concatenate([picture, scores], -1)))
    shares = read(saved(tmp_path, np.concatenate([picture / [640, 480], scores], -1)))
    assert pixels.joints.shape[-1] == shares.joints.shape[-1] == 2
    assert (pixels.unit, shares.unit) == ("pixel", "image")
    metres = read(saved(tmp_path, body("coco-17")))
    assert metres.joints.shape[-1] == 3
    assert (metres.unit, metres.axes, metres.confidence) == (None, None, None)


def test_joints_at_the_origin_were_not_seen(tmp_path: Path) -> None:
    points = np.concatenate([body("coco-17", 2), np.full((4, 17, 1), 0.9)], -1)
    points[1, 9, :2] = 0
    points[2, 3, 0] = np.nan
    points[3] = 0
    missing = np.any(np.isnan(read(saved(tmp_path, points)).joints), axis=-1)
    assert np.argwhere(missing[:3]).tolist() == [[1, 0, 9], [2, 0, 3]]
    assert missing[3].all()


def test_a_root_that_is_the_origin_was_seen(tmp_path: Path) -> None:
    points = body("h36m-17")
    points -= points[:, :1]
    points[1, 5] = 0
    points[3] = 0
    poses = read(saved(tmp_path, points))
    assert poses.centred
    missing = np.any(np.isnan(poses.joints), axis=-1)[:, 0]
    assert np.argwhere(missing[:3]).tolist() == [[1, 5]]
    assert missing[3].all()


def test_landmarks_of_the_world_and_of_the_image(tmp_path: Path) -> None:
    points = body("mediapipe-33") * [-1, -1, 1]
    world = points - points[:, [23, 24]].mean(1, keepdims=True)
    found = read(saved(tmp_path, world))
    assert (found.unit, found.axes, found.centred) == ("m", IMAGE, True)
    image = world * 0.3 + [0.5, 0.5, 0]
    found = read(saved(tmp_path, image))
    assert (found.unit, found.axes, found.centred) == ("image", IMAGE, False)


@pytest.mark.parametrize(
    ("others", "said", "fix"),
    [
        ({"poses": np.ones((9, 156)), "trans": np.ones((9, 3))}, "holds angles", "smplx"),
        ({"pose_body": np.ones((9, 63)), "trans": np.ones((9, 3))}, "holds angles", "smplx"),
        ({"motion": np.ones((9, 263))}, "features", "new_joints"),
        ({"out": np.ones((1, 1, 17, 3))}, "y before x", "x, y and score"),
        ({"out": np.ones((9, 1, 1, 17, 3))}, "y before x", "x, y and score"),
        ({"out": np.ones((9, 6, 56))}, "y before x", "x, y and score"),
        ({"positions_3d": np.array({"S1": 1})}, "Python objects, refused", "numpy.save"),
    ],
)
def test_what_holds_no_joints_is_refused_with_advice(
    tmp_path: Path, others: dict[str, Any], said: str, fix: str
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read(saved(tmp_path, None, **others))
    assert fix in caught.value.fix
    assert str(caught.value).startswith("x.npz")


def test_joints_beside_angles_are_read(tmp_path: Path) -> None:
    angles = {"poses": np.ones((4, 156)), "trans": np.ones((4, 3))}
    assert read(saved(tmp_path, None, joints=body("smpl-22"), **angles)).layout == "smpl-22"


@pytest.mark.parametrize(
    "array",
    [
        np.ones((4, 19, 3)),
        np.ones((4, 17, 5)),
        np.ones((4, 3)),
        np.ones(7),
        np.ones((0, 17, 3)),
        np.array(["a"]),
        np.ones((2, 17, 3), complex),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_other_arrays_are_not_recognised(tmp_path: Path, array: Any) -> None:
    file = saved(tmp_path, array)
    assert not READER.recognises(file)
    with pytest.raises(DataError, match=r"^x\.npy: expected \[frames, joints, 2 to 4\]"):
        list(READER.read([file]))


def test_a_data_set_of_ctr_gcn_is_not_recognised(tmp_path: Path) -> None:
    arrays = {"x_train": np.ones((2, 300, 150)), "y_train": np.ones((2, 60))}
    assert not READER.recognises(saved(tmp_path, None, **arrays))


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_cut_files_are_named(tmp_path: Path, suffix: str) -> None:
    (path,) = READER.write_sample(sample("smpl-22"), tmp_path / f"cut{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=rf"^cut\{suffix}"):
        list(READER.read([PoseFile(path, path.name)]))


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return pytest.fail, ("was unpickled",)

    buffer = io.BytesIO()
    np.save(buffer, np.array([Trap()], dtype=object))
    path = tmp_path / "x.npy"
    path.write_bytes(buffer.getvalue())
    assert not READER.recognises(PoseFile(path, "x.npy"))
    with pytest.raises(DataError):
        list(READER.read([PoseFile(path, "x.npy")]))

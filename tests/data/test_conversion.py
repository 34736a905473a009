"""From what a reader gave to a clip, and what contradicts a body."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest

from starcli.contracts import Layout
from starcli.data.importing.checks import Clip, contradictions
from starcli.data.importing.conversion import UPRIGHT, Meaning, convert
from starcli.data.mapping import joint_map
from starcli.errors import DataError
from starcli.poses import IMAGE, KINECT, Z_UP, Poses, Up, turned
from starcli_plugins.datasets.simulated.source import Simulated
from starcli_plugins.layouts import COCO_17, H36M_17, KINECT_V2, LAYOUTS

Values = npt.NDArray[np.float64]
SAY = Meaning()


def layout_of(name: str) -> Layout:
    return next(layout for layout in LAYOUTS if layout.name == name)


@pytest.fixture(scope="module")
def clip() -> Values:
    """Somebody who does something [T, 1, 25, 3], in Kinect's frame."""
    source = Simulated(Simulated.Settings())
    joints = next(iter(source.clips(source.recordings(None)[0]))).joints[:, :1]
    return joints.astype(np.float64)


def kinect(joints: Values, **more: Any) -> Poses:
    return Poses(joints, "kinect-v2", **{"unit": "m", "axes": KINECT, **more})


def checked(poses: Poses, meaning: Meaning = SAY) -> list[str]:
    _, facts = convert(poses, layout_of, meaning, "clip.json")
    return contradictions([Clip("clip.json", facts)], LAYOUTS)


def test_a_clip_of_the_products_own_form_stays_as_it_is(clip: Values) -> None:
    joints, facts = convert(kinect(clip), layout_of, SAY, "clip.json")
    np.testing.assert_array_equal(joints, clip.astype(np.float32))
    assert (facts.notes, facts.missing, facts.unit) == ((), 0.0, "m")
    assert checked(kinect(clip)) == []


def test_units_and_axes_of_a_file_are_undone(clip: Values) -> None:
    azure = np.stack([-clip[..., 0], -clip[..., 1], clip[..., 2]], -1) * 1000
    joints, _ = convert(kinect(azure, unit="mm", axes=IMAGE), layout_of, SAY, "")
    np.testing.assert_allclose(joints, clip, atol=1e-6)
    c3d = np.stack([clip[..., 0], -clip[..., 2], clip[..., 1]], -1) * 100
    joints, facts = convert(kinect(c3d, unit="cm", axes=Z_UP), layout_of, SAY, "")
    np.testing.assert_allclose(joints, clip, atol=1e-6)
    assert facts.axes == Z_UP


@pytest.mark.parametrize("up", get_args(Up))
def test_turning_upright_keeps_distances_and_hands(up: Up) -> None:
    joints = np.random.default_rng(0).normal(size=(4, 3))
    upright = turned(joints, UPRIGHT[up])
    before, after = joints[1:] - joints[0], upright[1:] - upright[0]
    np.testing.assert_allclose(after @ after.T, before @ before.T)
    assert np.linalg.det(after) == pytest.approx(np.linalg.det(before))
    axis, sign = "xyz".index(up[-1]), -1 if up[0] == "-" else 1
    np.testing.assert_array_equal(upright[:, 1], sign * joints[:, axis])


def test_a_depth_that_is_left_out_makes_a_picture(clip: Values) -> None:
    flat, facts = convert(kinect(clip), layout_of, Meaning(flat=True), "")
    picture, _ = convert(kinect(clip[..., :2], unit="pixel"), layout_of, SAY, "")
    np.testing.assert_allclose(flat, picture, atol=1e-6)
    assert facts.body.flat and not flat[..., 2].any()


def test_what_no_file_says_is_read_from_the_body(clip: Values) -> None:
    """Millimetres with z up, and nothing said: the body tells, and every frame is upright."""
    raw = np.stack([clip[..., 0], -clip[..., 2], clip[..., 1]], -1) * 1000
    joints, facts = convert(kinect(raw, unit=None, axes=None), layout_of, SAY, "")
    np.testing.assert_allclose(joints, clip, atol=1e-6)
    assert facts.unit == "mm"


def test_pictures_are_scaled_by_the_body_and_by_their_aspect(clip: Values) -> None:
    """The same movement in pixels and in shares of a 1600 x 900 picture gives one clip."""
    pixels = np.stack([800 - 200 * clip[..., 0], 450 - 200 * clip[..., 1]], -1)
    shares = pixels / [1600, 900]
    plain = {"axes": IMAGE}
    one, facts = convert(kinect(pixels, unit="pixel", **plain), layout_of, SAY, "")
    two, _ = convert(
        kinect(shares, unit="image", image_size=(1600.0, 900.0), **plain), layout_of, SAY, ""
    )
    three, third = convert(kinect(shares, unit=None, **plain), layout_of, SAY, "")
    np.testing.assert_allclose(one - one[0, 0, 0], two - two[0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(one - one[0, 0, 0], three - three[0, 0, 0], atol=1e-5)
    assert facts.body.flat and "16:9" in third.notes[0]
    hips, shoulders = (
        one[:, 0, [KINECT_V2.joints.index(f"{s} {end}") for s in ("left", "right")]].mean(1)
        for end in ("hip", "shoulder")
    )
    assert np.median(np.linalg.norm(hips - shoulders, axis=-1)) == pytest.approx(0.5, abs=1e-4)


def test_a_run_of_another_layout_gets_its_joints(clip: Values) -> None:
    joints, _ = convert(kinect(clip), layout_of, Meaning(target=COCO_17), "")
    assert joints.shape == (len(clip), 1, 17, 3)
    wrist = KINECT_V2.joints.index("left wrist")
    np.testing.assert_array_equal(joints[:, :, 9], clip[:, :, wrist].astype(np.float32))


def test_empty_frames_swapped_people_and_doubtful_joints_are_mended_and_said(clip: Values) -> None:
    beside = clip + np.array([2.0, 0, 0])
    pair = np.concatenate([clip, beside], 1)
    spoilt = pair.copy()
    spoilt[10:] = spoilt[10:, ::-1]
    spoilt[5] = np.nan
    joints, facts = convert(kinect(spoilt), layout_of, SAY, "")
    np.testing.assert_allclose(joints[10:], pair[10:], atol=1e-6)
    assert any("change places" in note for note in facts.notes)


def test_sides_exchanged_or_mirrored_are_an_error_that_offers_both(clip: Values) -> None:
    mirrored = clip * [-1, 1, 1]
    with pytest.raises(DataError, match="left and right contradict the axes") as error:
        checked(kinect(mirrored))
    assert "--mirrored" in error.value.fix and "--swap-sides" in error.value.fix
    assert checked(kinect(mirrored), Meaning(mirrored=True)) == []
    joints, _ = convert(kinect(mirrored), layout_of, Meaning(mirrored=True), "")
    np.testing.assert_allclose(joints, clip, atol=1e-6)
    assert checked(kinect(mirrored), Meaning(swap_sides=True)) == []


@pytest.mark.parametrize(
    "factor, fix", [(100.0, "--unit cm"), (1000.0, "--unit mm"), (0.001, "--unit")]
)
def test_a_body_of_impossible_size_is_an_error_that_names_the_unit(
    clip: Values, factor: float, fix: str
) -> None:
    with pytest.raises(DataError, match=r"bodies are .* m tall") as error:
        checked(kinect(clip * factor))
    assert fix in error.value.fix


def test_joints_in_another_order_are_an_error_that_names_layouts(clip: Values) -> None:
    h36m = joint_map(KINECT_V2, H36M_17).apply(clip)
    with pytest.raises(DataError, match="no body has such limbs") as error:
        checked(Poses(h36m, "coco-17", unit="m", axes=KINECT))
    assert "coco-17, h36m-17" in error.value.fix


def test_a_body_upside_down_is_an_error_that_names_the_axis(clip: Values) -> None:
    with pytest.raises(DataError, match="heads are below feet") as error:
        checked(kinect(clip * [1, -1, -1]))
    assert "--up -y" in error.value.fix


def test_some_odd_recordings_among_many_are_a_warning(clip: Values) -> None:
    sound = Clip("good", convert(kinect(clip), layout_of, SAY, "")[1])
    still = Clip("still", convert(kinect(np.repeat(clip[:1], 9, 0)), layout_of, SAY, "")[1])
    short = Clip("short", replace(sound.facts, frames=2))
    found = contradictions([sound, sound, still, short], LAYOUTS)
    assert found == ["still: nothing moves", "short: it has 3 frames or fewer"]


def test_depth_in_some_only_is_an_error(clip: Values) -> None:
    flat = convert(kinect(clip[..., :2]), layout_of, SAY, "")[1]
    deep = convert(kinect(clip), layout_of, SAY, "")[1]
    with pytest.raises(DataError, match=r"flat\.npy: has two axes, deep\.npy has three"):
        contradictions([Clip("deep.npy", deep), Clip("flat.npy", flat)], LAYOUTS)

"""The simulated data set: reproducible, rigid, as described, and composed as promised."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import starcli_plugins.describers
from starcli.contracts import Clip
from starcli_plugins.datasets.simulated.body import INDEX, PARENT, Array, Body
from starcli_plugins.datasets.simulated.motions import ACTIONS, PRIMITIVES, descriptions
from starcli_plugins.datasets.simulated.source import (
    REST,
    Performer,
    Simulated,
    angles_of,
    film,
    perform,
)
from starcli_plugins.layouts import KINECT_V2

pytestmark = pytest.mark.usefixtures("made_anew")
JSON = Path(starcli_plugins.describers.__file__).parent / "descriptions" / "simulated.json"
Claim = Callable[[Array], np.bool_]
SUBSETS = ("train", "test")
CLAIMS = {
    "head": ("head",),
    "hand": ("hand tip", "hand"),
    "arm": ("wrist", "elbow"),
    "hip": ("spine base", "spine mid", "spine shoulder", "shoulder"),
    "leg": ("knee",),
    "foot": ("ankle", "foot"),
}
"""Joints that a moving primitive of the part must move, left or right or unpaired."""
POSES = {"down", "up", "fists", "right_up", "both_up", "forward", "crossed", "turned_out"}
"""Primitives that hold a pose: they differ from rest, but do not move."""
CALM = {"still", "relaxed", "hang", "flat"}
"""Primitives that leave their part at rest."""
PAIRS = [(part, name) for part, names in PRIMITIVES.items() for name in names]


def made(**values: Any) -> list[Clip]:
    source = Simulated(Simulated.Settings(**values))
    return [clip for each in source.recordings(None) for clip in source.clips(each)]


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return made()


def digest(clips: list[Clip]) -> str:
    state = hashlib.sha256()
    for clip in clips:
        state.update(clip.name.encode() + clip.joints.tobytes())
    return state.hexdigest()


def bones(joints: Array) -> Array:
    """Bone lengths, [frames, bones]."""
    child, parent = np.array(KINECT_V2.bones).T
    return np.asarray(np.linalg.norm(joints[..., child, :] - joints[..., parent, :], axis=-1))


def shown(part: str, name: str) -> Array:
    """An exact and noise-free cycle of a primitive by an average body, [frames, V, S]."""
    angles = angles_of(PRIMITIVES[part][name], np.arange(60) / 60)
    return Body.of().joints(np.deg2rad(REST + angles))


@pytest.mark.slow
def test_same_seed_same_bytes_and_another_seed_other_bytes() -> None:
    assert digest(made(subjects=2)) == digest(made(subjects=2))
    assert digest(made(subjects=2)) != digest(made(subjects=2, seed=1))


@pytest.mark.slow
def test_more_subjects_and_repetitions_leave_clips_as_they_are() -> None:
    few = made(subjects=2)
    more = {clip.name: clip for clip in made(subjects=3, repetitions=2)}
    assert len(more) == 3 * len(few)
    assert all(np.array_equal(clip.joints, more[clip.name].joints) for clip in few)


def test_clips_are_complete_named_in_order_and_in_front_of_the_camera(clips: list[Clip]) -> None:
    names = [clip.name for clip in clips]
    assert names == sorted(set(names))
    assert names[0] == "S000C001P001R001A001"
    assert set(Counter(clip.label for clip in clips).values()) == {8 * 3}
    for clip in clips:
        assert clip.joints.dtype == np.float32
        assert clip.joints.shape[1:] == (1, 25, 3)
        assert 40 <= len(clip.joints) <= 100
        assert np.isfinite(clip.joints).all()
        assert 2.5 < clip.joints[..., KINECT_V2.origin, 2].mean() < 3.5


def test_nothing_is_read_or_written(tmp_path: Path) -> None:
    source = Simulated(Simulated.Settings(subjects=2))
    source.write_sample(tmp_path)
    assert source.files(tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [{"subjects": 1}, {"noise": -0.1}, {"seed": -1}, {"other": 1}])
def test_settings_are_checked(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Simulated.Settings(**bad)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    subject=st.integers(1, 100),
    action=st.sampled_from(list(ACTIONS)),
)
def test_limbs_are_rigid_and_feet_on_the_floor(seed: int, subject: int, action: str) -> None:
    performer = Performer.of(seed, subject)
    joints = perform(performer, ACTIONS[action], np.random.default_rng(seed))
    lengths = bones(joints)
    assert np.allclose(lengths, lengths[0], atol=1e-9)
    child, parent = np.array(list(PARENT.items())).T
    wanted = np.linalg.norm(performer.body.offsets[child], axis=-1)
    assert np.allclose(np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1), wanted)
    soles = [
        INDEX[f"{subset} {joint}"] for subset in ("left", "right") for joint in ("ankle", "foot")
    ]
    assert np.allclose((joints[:, soles, 1] - [0.08, 0.03, 0.08, 0.03]).min(-1), 0)


def test_a_camera_changes_nothing_but_the_yaw() -> None:
    joints = perform(Performer.of(0, 1), ACTIONS["swing a lasso while tapping a foot"], _rng())
    front, left, right = (film(joints, view, _rng(), 0.0) for view in (1, 2, 3))
    for subset, yaw in ((left, 45), (right, -45)):
        assert np.allclose(subset[..., 1], front[..., 1])
        assert np.allclose(bones(subset), bones(front))
        line = [shot[0, 8] - shot[0, 4] for shot in (front, subset)]
        angles = [np.arctan2(across[2], across[0]) for across in line]
        assert (angles[0] - angles[1]) % (2 * np.pi) == pytest.approx(np.deg2rad(yaw % 360))


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_noise_has_the_stated_deviation_and_memory() -> None:
    joints = np.zeros((100, 25, 3))
    error = film(joints, 1, _rng(), 0.02) - film(joints, 1, _rng(), 0.0)
    assert error.std() == pytest.approx(0.02, rel=0.1)
    assert 0.3 < np.mean(error[1:] * error[:-1]) / error.var() < 0.6


@pytest.mark.parametrize(("part", "name"), PAIRS)
def test_primitives_move_what_they_claim(part: str, name: str) -> None:
    at_rest = shown("leg", "still")
    wanted = [
        joint
        for joint, spoken in enumerate(KINECT_V2.joints)
        if spoken.removeprefix("left ").removeprefix("right ") in CLAIMS[part]
    ]
    joints = shown(part, name)
    moved = np.ptp(joints, axis=0).max(-1)[wanted].max()
    away = np.abs(joints - at_rest).max((0, 2))[wanted].max()
    if name in CALM:
        assert away < 1e-9
    elif name in POSES:
        assert moved < 1e-9
        assert away > 0.05
    else:
        assert moved > 0.05


@pytest.mark.parametrize(
    ("part", "name", "claim"),
    [
        ("arm", "both_up", lambda j: (j[:, INDEX["left hand"], 1] > j[:, INDEX["head"], 1]).all()),
        ("arm", "right_up", lambda j: (j[:, INDEX["left hand"], 1] < j[:, 0, 1]).all()),
        ("arm", "forward", lambda j: (j[:, INDEX["left hand"], 2] < -0.5).all()),
        ("arm", "crossed", lambda j: (j[:, 7, 0] > j[:, 11, 0]).all()),
        ("arm", "side_raise", lambda j: np.ptp(j[:, INDEX["right hand"], 0]) > 0.4),
        ("hand", "fists", lambda j: np.abs(j[:, 7] - j[:, 21]).max() < 0.1),
        ("head", "up", lambda j: (j[:, 3, 2] > 0.02).all()),
        ("head", "down", lambda j: (j[:, 3, 2] < -0.08).all()),
        ("hip", "bow", lambda j: j[:, INDEX["head"], 2].min() < -0.5),
        ("hip", "lean", lambda j: np.ptp(j[:, INDEX["head"], 0]) > 0.4),
        ("hip", "hula", lambda j: np.ptp(j[:, 0][:, [0, 2]], axis=0).min() > 0.15),
        ("leg", "squat", lambda j: np.ptp(j[:, 0, 1]) > 0.25),
        ("leg", "kick", lambda j: j[:, INDEX["right foot"], 2].min() < -0.6),
        ("leg", "knee", lambda j: np.ptp(j[:, INDEX["left knee"]], axis=0).max() < 0.05),
        ("leg", "step", lambda j: np.ptp(j[:, INDEX["left ankle"], 0]) > 0.25),
        ("foot", "tiptoe", lambda j: np.ptp(j[:, 0, 1]) > 0.05),
        ("foot", "heels", lambda j: j[:, INDEX["left ankle"], 2].max() > 0.3),
    ],
)
def test_poses_and_directions_are_as_the_sentences_say(part: str, name: str, claim: Claim) -> None:
    assert claim(shown(part, name))


def test_a_clap_brings_the_hands_together_and_apart() -> None:
    for arm in ("both_up", "forward"):
        angles = angles_of(PRIMITIVES["arm"][arm], np.arange(60) / 60)
        angles += angles_of(PRIMITIVES["hand"]["clap"], np.arange(60) / 60)
        joints = Body.of().joints(np.deg2rad(REST + angles))
        gap = np.linalg.norm(joints[:, 7] - joints[:, 11], axis=-1)
        assert gap.min() < 0.15
        assert gap.max() > 0.5


def test_folds_cover_every_class_once() -> None:
    assert list(Simulated.splits) == [f"fold{fold}" for fold in range(6)]
    assert all(len(unseen) == 5 for unseen in Simulated.splits.values())
    assert sorted(itertools.chain(*Simulated.splits.values())) == list(range(30))


@pytest.mark.parametrize("split", Simulated.splits)
def test_seen_actions_show_every_primitive_of_unseen_ones_twice(split: str) -> None:
    unseen = Simulated.splits[split]
    compositions = list(ACTIONS.values())
    seen = Counter(
        pair for label in range(30) if label not in unseen for pair in compositions[label].items()
    )
    assert all(seen[pair] >= 2 for label in unseen for pair in compositions[label].items())


def test_actions_differ_in_two_parts_and_use_every_primitive() -> None:
    assert len(Simulated.classes) == len(ACTIONS) == 30
    for one, other in itertools.combinations(ACTIONS.values(), 2):
        assert sum(one[part] != other[part] for part in one) >= 2
    used = {pair for parts in ACTIONS.values() for pair in parts.items()}
    assert used == set(PAIRS)


def test_sides_hold_out_subjects_and_views(clips: list[Clip]) -> None:
    subjects = {
        subset: {c.subject for c in clips if c.subsets["xsub"] == subset} for subset in SUBSETS
    }
    assert subjects["train"] == {"P001", "P003", "P005", "P007"}
    assert subjects["test"] == {"P002", "P004", "P006", "P008"}
    views = {
        subset: {c.name[4:8] for c in clips if c.subsets["xview"] == subset} for subset in SUBSETS
    }
    assert views == {"train": {"C002", "C003"}, "test": {"C001"}}


def test_descriptions_of_finest_parts_are_the_sentences_of_the_primitives() -> None:
    actions = json.loads(JSON.read_text(encoding="utf-8"))["actions"]
    for name, sentences in descriptions().items():
        assert {part: actions[name][part] for part in sentences} == sentences


def test_other_primitives_have_clearly_other_sentences() -> None:
    for primitives in PRIMITIVES.values():
        for one, other in itertools.combinations(primitives.values(), 2):
            left, right = (set(p.sentence.lower().strip(".").split()) for p in (one, other))
            assert len(left & right) / len(left | right) < 0.6


def test_the_nearest_centroid_beats_chance_on_other_subjects(clips: list[Clip]) -> None:
    labels = np.array([clip.label for clip in clips])
    train = np.array([clip.subsets["xsub"] == "train" for clip in clips])
    features = np.stack([_features(clip) for clip in clips])
    centroids = np.stack([features[train & (labels == label)].mean(0) for label in range(30)])
    gaps = np.linalg.norm(features[~train][:, None] - centroids, axis=-1)
    accuracy = (gaps.argmin(1) == labels[~train]).mean()
    assert 0.5 < accuracy < 0.95


def _features(clip: Clip) -> Array:
    """Mean and deviation of all positions around the body's centre, [2 * V * S]."""
    joints = clip.joints[:, 0] - clip.joints[:, 0, KINECT_V2.origin][:, None]
    return np.concatenate([joints.mean(0).ravel(), 2 * joints.std(0).ravel()])

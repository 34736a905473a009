"""Movements as data: entries, what composes them, and the data set of their names."""

from __future__ import annotations

import hashlib
import re
import runpy
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from starcli.contracts import DescriberContext, Teacher
from starcli.errors import DataError, UsageError
from starcli_plugins.datasets.movements.composer import MIRRORED, Composed, Composer, Settings
from starcli_plugins.datasets.movements.entries import (
    PARTS,
    RESTING,
    Movement,
    both_forms,
    collect,
    movements,
    spoken,
)
from starcli_plugins.datasets.movements.kinematics import Array
from starcli_plugins.datasets.movements.sensors import SensorSettings, recorded
from starcli_plugins.datasets.movements.source import Movements, members
from starcli_plugins.datasets.movements.speech import COARSE, descriptions, said_of
from starcli_plugins.datasets.simulated.body import INDEX, PARENT
from starcli_plugins.describers.bundled import Bundled
from tests.conftest import ROOT
from tests.every import of_every

EXACT = Settings(
    beside=0,
    children=0,
    mirrored=0,
    cut=0,
    begun=0,
    ended=0,
    aside=0,
    tempo=(1, 1),
    gain=(1, 1),
    loose=0,
    untimely=0,
    elbows=(1, 1),
    swivel=0,
    along=0,
    turn=0,
    tilt=0,
    noise=(0, 0),
    hips=(0, 0),
    spine=(1, 1),
    head=(1, 1),
    forearm=(1, 1),
    rates=(30,),
    dropped=0,
)
"""Movements as they are written, by an adult, seen from the front."""
ALL = list(movements())
NAMED = [name for name, movement in movements().items() if movement.names]
REST = """
[hang]
driver = "arms"
kind = "hold"
hand = ["Both hands hang."]
arm = ["Both arms hang."]
[upright]
driver = "trunk"
kind = "hold"
hip = ["Hips stay."]
head = ["Head stays."]
[stand-still]
driver = "legs"
kind = "hold"
leg = ["Both legs stand."]
foot = ["Both feet stand."]
"""
REACH = """
[reach]
driver = "arms"
kind = "once"
names = ["reach with the {a} hand"]
wrist = [[0.5, 0.0, 0.1, 0.9]]
hand = ["{A} hand reaches."]
arm = ["{A} arm is stretched."]
"""
WALK = """
[walk]
driver = "legs"
kind = "loop"
names = ["walk"]
gait = {forward = 1.0}
leg = ["Both legs walk."]
foot = ["Both feet walk."]
hip = ["Hips travel."]
head = ["Head travels."]
"""


def exact(name: str, seed: int = 3) -> Array:
    """The joints of a movement as it is written, [T, V, S]."""
    return np.asarray(EXACTLY.clip(seed, name).joints[:, 0].astype(np.float64))


EXACTLY = Composer(EXACT)


def joint(joints: Array, name: str) -> Array:
    return np.asarray(joints[:, INDEX[name]])


def digest(clips: list[Composed]) -> str:
    """SHA-256 of clips to a tenth of a millimetre, which processors agree about."""
    state = hashlib.sha256()
    for clip in clips:
        state.update(np.round(clip.joints * 1e4).astype("<i4").tobytes())
        state.update(repr((clip.rate, clip.names, clip.movements, clip.side)).encode())
        state.update(repr(sorted(clip.sentences.items())).encode())
    return state.hexdigest()


def small() -> Mapping[str, Movement]:
    return collect([("rest.toml", REST), ("some.toml", REACH + WALK)])


# Entries


def test_there_are_many_in_several_domains() -> None:
    assert len(movements()) >= 250
    kinds = {movement.kind for movement in movements().values()}
    drivers = {movement.driver for movement in movements().values()}
    assert kinds == {"once", "loop", "hold"}
    assert drivers == {"arms", "trunk", "legs"}


@of_every(ALL)
def test_an_entry_says_two_things_or_more_of_the_parts_it_moves(name: str) -> None:
    movement = movements()[name]
    for part in PARTS:
        texts = movement.sentences(part)
        assert not texts or 2 <= len(texts) <= 4, part
    assert movement.sided == any("{" in text for text in (*movement.names, *movement.texts))


@of_every(ALL)
def test_every_form_of_a_sentence_reads_well(name: str) -> None:
    movement = movements()[name]
    for text in (*movement.names, *movement.texts):
        for form in (*both_forms([text], "left"), *both_forms([text], "right")):
            assert not re.search(r"\b(\w+) \1\b|[{}]|\b(the|a|its) (one|the)\b|  ", form), form


@of_every(NAMED)
def test_names_are_those_of_everyday(name: str) -> None:
    for text in movements()[name].names:
        assert re.fullmatch(r"[a-z{}]+( [a-z{}]+)*", text), text
        assert len(text.split()) <= 9


def test_no_two_movements_of_a_driver_say_the_same_of_what_they_drive() -> None:
    """Checked by the loader; here for hands and arms, legs and feet apart."""
    for part in ("hand", "arm", "leg", "foot"):
        homes: dict[str, str] = {}
        for name, movement in movements().items():
            for text in movement.sentences(part):
                if text not in homes or text in ("Feet do not move.",):
                    homes[text] = name
                assert homes[text] == name, f"{part} of {name}: {text}"


def test_words_follow_the_side() -> None:
    text = "{A} hand draws a ring clockwise, {b} hand hangs at its {b} hip."
    right = "Right hand draws a ring clockwise, left hand hangs at its left hip."
    left = "Left hand draws a ring counterclockwise, right hand hangs at its right hip."
    assert spoken(text, "right", named=True) == right
    assert spoken(text, "left", named=True) == left
    assert spoken("raise the {a} hand", "left", named=False) == "raise one hand"
    assert spoken("{A} hand", "left", named=False) == "One hand"
    assert spoken("to the {b} side", "right", named=False) == "to the other side"
    text = "The {a} hand rubs, the {b} one rests at its {b} side, under the {a} one."
    unnamed = "One hand rubs, the other rests at the other side, under one."
    assert spoken(text, "left", named=False) == unnamed
    assert both_forms(["a", "{A} b"], "left") == ("a", "Left b", "One b")


def sentence(part: str) -> str:
    return f'{part} = ["Some {part} moves."]\n'


BODY = 'driver = "arms"\nkind = "once"\n'
SAID = sentence("hand") + sentence("arm")
BAD = {
    "not TOML": ("[wave", "not readable TOML"),
    "no driver": ('[a]\nkind = "once"\n', "driver"),
    "another driver": ('[a]\ndriver = "wings"\nkind = "once"\n', "driver: input should be"),
    "unknown field": (f"[a]\n{BODY}{SAID}wirst = [[0.5, 0, 0, 1]]\n", "wirst: extra"),
    "out of reach": (f"[a]\n{BODY}{SAID}wrists = [[0.5, 1, 1, 0]]\n", "1.41 arm lengths"),
    "leg out of reach": (
        f'[a]\ndriver = "legs"\nkind = "once"\n{sentence("leg")}{sentence("foot")}'
        "ankles = [[0.5, 0, 0.3, 0.9]]\n",
        "1.31 leg lengths",
    ),
    "no sentence": (f"[a]\n{BODY}{sentence('hand')}", "no sentence for the part 'arm'"),
    "half of another": (f"[a]\n{BODY}{SAID}{sentence('leg')}", "no sentence for the part 'foot'"),
    "moves in silence": (
        f"[a]\n{BODY}{SAID}trunk = [[0.5, 20, 0, 0]]\n",
        "moves the trunk without",
    ),
    "no full stop": (f'[a]\n{BODY}hand = ["hand moves"]\n{sentence("arm")}', "is not a sentence"),
    "twice the same": (
        f'[a]\n{BODY}hand = ["Hand moves.", "Hand moves."]\n{sentence("arm")}',
        "says the same twice",
    ),
    "same as another": (f"[a]\n{BODY}{SAID}[b]\n{BODY}{SAID}", "the same sentences as 'a'"),
    "names one side": (
        f'[a]\n{BODY}hand = ["Right hand moves."]\n{sentence("arm")}',
        "names one side",
    ),
    "sides mixed": (
        f'[a]\n{BODY}hand = ["{{A}} hand meets the left one."]\n{sentence("arm")}',
        "names a side",
    ),
    "side without words": (
        f"[a]\n{BODY}{SAID}wrist = [[0.5, 0, 0, 0.9]]\n",
        "is of one side, but no sentence says which",
    ),
    "words without side": (
        f'[a]\n{BODY}hand = ["{{A}} hand moves."]\n{sentence("arm")}wrists = [[0.5, 0, 0, 0.9]]\n',
        "both sides do the same",
    ),
    "one and both": (
        f'[a]\n{BODY}hand = ["{{A}} hand moves."]\n{sentence("arm")}'
        "wrists = [[0.5, 0, 0, 0.9]]\nwrist = [[0.5, 0, 0, 0.9]]\n",
        "both wrist and wrists",
    ),
    "placeholder": (f'[a]\n{BODY}hand = ["{{C}} hand moves."]\n{sentence("arm")}', "placeholder"),
    "too few numbers": (f"[a]\n{BODY}{SAID}wrists = [[0.5, 0, 0.9]]\n", "has 3 numbers"),
    "times fall": (
        f"[a]\n{BODY}{SAID}wrists = [[0.5, 0, 0, 0.9], [0.4, 0, 0, 0.9]]\n",
        "do not rise",
    ),
    "held twice": (
        f'[a]\ndriver = "arms"\nkind = "hold"\n{SAID}wrists = [[0, 0, 0, 0.9], [1, 0, 0, 0.9]]\n',
        "but it is held",
    ),
    "loop to the end": (
        f'[a]\ndriver = "arms"\nkind = "loop"\n{SAID}wrists = [[0, 0, 0, 0.9], [1, 0, 0, 0.9]]\n',
        "its beginning again",
    ),
    "nothing alternates": (
        f'[a]\ndriver = "arms"\nkind = "loop"\nalternate = true\n{SAID}wrists = [[0, 0, 0, 0.9]]\n',
        "with one point",
    ),
    "companion": (f'[a]\n{BODY}{SAID}with = ["twits"]\n', "no movement 'twits' to go with it"),
    "companion moves the same": (
        f'[a]\n{BODY}{SAID}with = ["b"]\n[b]\n{BODY}hand = ["B."]\n'.replace('["B."]', '["By."]')
        + 'arm = ["By arm."]\n',
        "'b' moves the arms too",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_entry_is_named_with_its_file_and_the_way_out(case: str) -> None:
    text, message = BAD[case]
    with pytest.raises(DataError, match=re.escape(message)) as error:
        collect([("mine.toml", text)])
    assert error.value.file == "mine.toml"
    assert error.value.fix
    assert case == "not TOML" or re.search(r"movement '[ab]'", error.value.message)


def test_an_entry_in_two_files_is_an_error_that_names_both() -> None:
    with pytest.raises(DataError, match=r"movement 'reach' is in one.toml too") as error:
        collect([("one.toml", REACH), ("two.toml", REACH)])
    assert error.value.file == "two.toml"


# Composed clips


def test_the_same_seed_makes_the_same_clips_and_another_one_others() -> None:
    one, two = (Composer(Settings(), small()) for _ in range(2))
    clips = [one.clip(seed) for seed in range(3)]
    assert digest(clips) == digest([two.clip(seed) for seed in range(3)])
    assert digest(clips) != digest([two.clip(seed) for seed in range(1, 4)])


@pytest.mark.numerical
def test_clips_are_the_same_on_every_machine() -> None:
    composer = Composer(Settings(), small())
    assert digest([composer.clip(seed) for seed in range(3)]) == DIGEST


DIGEST = "600ac58533999f29866bf02fd1941bb13f532b6e5c7034a49b44bb3e35a97801"


@of_every(range(40))
def test_clips_are_complete(seed: int) -> None:
    clip = Composer().clip(seed)
    frames, people, joints, axes = clip.joints.shape
    assert (people, joints, axes) == (1, 25, 3)
    assert frames >= 8
    assert clip.joints.dtype == np.float32
    assert np.isfinite(clip.joints).all()
    assert clip.rate in Settings().rates
    assert set(clip.sentences) == set(PARTS)
    assert all(clip.sentences.values())
    assert clip.names
    assert 0.5 < clip.joints[..., 0, 2].mean() < 6.5
    for texts in (clip.names, *clip.sentences.values()):
        assert not any("{" in text for text in texts)
        assert len(set(texts)) == len(texts)


@pytest.mark.slow
def test_every_movement_is_met_and_every_part_is_spoken_of_once() -> None:
    composer = Composer()
    for name in NAMED:
        cast = composer.clip(1, name).movements
        assert cast[0] == name
        slots = [slot for each in cast for slot in movements()[each].slots]
        assert sorted(slots) == ["arms", "legs", "trunk"], cast


def test_main_acts_come_in_the_shares_that_are_stated() -> None:
    composer = Composer()
    drivers = [
        movements()[composer._cast(np.random.default_rng(seed), None)[0]].driver
        for seed in range(2000)
    ]
    assert drivers.count("arms") / 2000 == pytest.approx(0.64, abs=0.05)
    assert drivers.count("trunk") / 2000 == pytest.approx(0.095, abs=0.03)


def test_what_is_left_out_is_never_met() -> None:
    without = frozenset(NAMED) - {"wave", "walk"}
    composer = Composer(Settings(without=without))
    mains = {composer.clip(seed).movements[0] for seed in range(20)}
    assert mains == {"wave", "walk"}
    everything = {name for seed in range(60) for name in composer.clip(seed).movements}
    assert not everything & (without - set(RESTING.values()))


def test_a_recorder_moves_the_joints_that_recorders_disagree_about_and_no_other() -> None:
    joints = Composer(EXACT).clip(3, "wave").joints[:, 0].astype(np.float64)
    still = SensorSettings(
        turn=0, tilt=0, noise=(0, 0), hips=(0.5, 0.5), spine=(0.25, 0.25), head=(2, 2),
        forearm=(1.5, 1.5), dropped=0,
    )  # fmt: skip
    seen = recorded(np.random.default_rng(0), still, joints)
    seen = seen - seen[:, [INDEX["left knee"]]] + joints[:, [INDEX["left knee"]]]  # same camera
    at = {name: joints[:, joint] for name, joint in INDEX.items()}
    pelvis = (at["left hip"] + at["right hip"]) / 2
    up = (at["left shoulder"] + at["right shoulder"]) / 2 - pelvis
    wanted = dict(at)
    for name in ("left hip", "right hip", "spine base"):
        wanted[name] = at[name] + up / 2
    wanted["spine mid"] = pelvis + up / 2 + (at["spine mid"] - pelvis) / 8
    wanted["head"] = at["neck"] + 2 * (at["head"] - at["neck"])
    for side in ("left", "right"):
        half = (at[f"{side} wrist"] - at[f"{side} elbow"]) / 2
        for name in ("wrist", "hand", "hand tip", "thumb"):
            wanted[f"{side} {name}"] = at[f"{side} {name}"] + half
    for name, joint in INDEX.items():
        np.testing.assert_allclose(seen[:, joint], wanted[name], atol=1e-9, err_msg=name)


@pytest.mark.parametrize("along", [0, 1])
def test_free_arms_hang_down_or_lean_along_with_the_trunk(along: int) -> None:
    settings = EXACT.model_copy(update={"along": along})
    joints = Composer(settings).clip(3, "bow").joints[:, 0].astype(np.float64)
    arm = joints[:, INDEX["right wrist"]] - joints[:, INDEX["right shoulder"]]
    trunk = joints[:, INDEX["spine base"]] - joints[:, INDEX["spine shoulder"]]
    lowest = np.argmin(joints[:, INDEX["head"], 1])
    with_trunk = angle(arm[lowest], trunk[lowest])
    with_gravity = angle(arm[lowest], np.array([0.0, -1.0, 0.0]))
    assert (with_trunk < 15) == bool(along)
    assert (with_gravity < 15) != bool(along)


def test_an_action_is_said_by_all_movements_of_its_name_in_turn() -> None:
    drink, at_mouth = movements()["drink"], movements()["at-mouth"]
    said = said_of("drink from a cup")
    assert said is not None
    one = [text.replace("{A}", "One") for text in (drink.hand[0], at_mouth.hand[0], drink.hand[1])]
    assert said["hand"] == " ".join(one)
    assert said["leg"] == " ".join(movements()["stand-still"].leg)
    assert said["upper body"] == " ".join(said[part] for part in ("head", "hand", "arm"))


def test_a_side_that_an_action_names_is_named_in_its_sentences() -> None:
    left, right = said_of("wave the left hand"), said_of("wave the right hand")
    assert left is not None
    assert right is not None
    assert left["hand"].startswith("Left hand waves")
    assert right["hand"].startswith("Right hand waves")


def test_nothing_is_said_of_an_action_that_no_movement_is_of() -> None:
    assert said_of("juggle") is None


def angle(one: Array, other: Array) -> float:
    """Degrees between two vectors."""
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    return float(np.degrees(np.arccos(cosine)))


def test_an_unknown_movement_to_leave_out_is_an_error() -> None:
    with pytest.raises(UsageError, match="no movement 'wav' to leave out") as error:
        Composer(Settings(without=frozenset({"wav"})))
    assert "did you mean 'wave'" in error.value.fix


def test_the_left_side_is_the_mirror_image_of_the_right_one_in_words_and_joints() -> None:
    for seed, name in enumerate(("reach", "walk")):
        right = Composer(EXACT, small()).clip(seed, name)
        left = Composer(EXACT.model_copy(update={"mirrored": 1.0}), small()).clip(seed, name)
        assert (right.side, left.side) == ("right", "left")
        place = right.joints[0, 0, 0] * [2, 0, 0]
        assert np.allclose(left.joints[:, :, MIRRORED] * [-1, 1, 1] + place, right.joints, atol=0.4)
        shift = left.joints[:, :, MIRRORED] * [-1, 1, 1] - right.joints
        assert np.ptp(shift, axis=(0, 1, 2)).max() < 1e-5, "but for where the body stands"
    assert Composer(EXACT, small()).clip(0, "reach").names == (
        "reach with the right hand",
        "reach with one hand",
    )
    texts = Composer(EXACT.model_copy(update={"mirrored": 1.0}), small()).clip(0, "reach").sentences
    assert texts["hand"][:2] == ("Left hand reaches.", "Left hand reaches, right hand hangs still.")
    assert "One hand reaches, the other hand hangs still." in texts["hand"]


def test_a_free_arm_that_swings_with_a_walk_is_not_said_to_hang() -> None:
    composer = Composer(EXACT.model_copy(update={"beside": 1.0}))
    for seed in range(200):
        clip = composer.clip(seed, "wave")
        if "walk" in clip.movements:
            assert not any("hangs" in text for text in clip.sentences["hand"])
            assert "Feet step forward one after the other." in clip.sentences["foot"]
            return
    raise AssertionError("no wave in 200 is made while walking")


def test_who_walks_swings_the_arms_against_the_legs_and_is_said_to() -> None:
    clip = EXACTLY.clip(4, "walk")
    assert clip.movements == ("walk", "swing-walk")
    joints = np.asarray(clip.joints[:, 0].astype(np.float64))
    wrist, ankle = (
        joint(joints, f"right {name}")[:, 2] - joint(joints, "spine base")[:, 2]
        for name in ("wrist", "ankle")
    )
    assert np.corrcoef(wrist, ankle)[0, 1] < -0.8


def test_who_stands_does_nothing_else() -> None:
    assert {Composer().clip(seed, "hang").movements for seed in range(30)} == {
        ("hang", "stand-still", "upright")
    }


def test_noise_has_the_stated_deviation() -> None:
    noisy = EXACT.model_copy(update={"noise": (0.02, 0.02)})
    quiet, loud = (Composer(each).clip(5, "seated").joints for each in (EXACT, noisy))
    assert (loud - quiet).std() == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize(("missing", "lost"), [("nan", True), ("held", False)])
def test_lost_joints_are_nan_or_stand_still(missing: str, lost: bool) -> None:
    values = {**EXACT.model_dump(), "dropped": 1.0, "missing": missing, "noise": (0.01, 0.01)}
    joints = Composer(Settings.model_validate(values)).clip(2, "wave").joints[:, 0]
    still = (np.diff(joints, axis=0) == 0).all(-1)
    assert np.isnan(joints).any() == lost
    assert still.any() != lost


def test_a_tilted_camera_turns_the_whole_body() -> None:
    tilted = EXACT.model_copy(update={"tilt": 20.0, "turn": 90.0})
    one, two = (Composer(each).clip(5, "bow").joints[:, 0] for each in (EXACT, tilted))
    assert not np.allclose(one - one[:, :1], two - two[:, :1], atol=0.1)
    gaps = [np.linalg.norm(each[:, :, None] - each[:, None], axis=-1) for each in (one, two)]
    assert np.allclose(gaps[0], gaps[1], atol=1e-5)


def test_children_are_smaller() -> None:
    children = EXACT.model_copy(update={"children": 1.0})
    heights = [
        np.mean(
            [np.ptp(Composer(each).clip(seed, "hang").joints[0, 0, :, 1]) for seed in range(20)]
        )
        for each in (EXACT, children)
    ]
    assert 0.6 < heights[1] / heights[0] < 0.85


@pytest.mark.parametrize(
    "bad", [{"rates": ()}, {"children": 2}, {"missing": "zero"}, {"other": 1}, {"noise": 1}]
)
def test_settings_are_checked(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(bad)


# Every movement, as a body does it


@pytest.mark.slow
@of_every(NAMED)
def test_every_movement_is_possible(name: str) -> None:
    joints = exact(name)
    child, parent = np.array(list(PARENT.items())).T
    lengths = np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1)
    assert np.allclose(lengths, lengths[0], atol=2e-6), "bones are rigid"
    floor = joints[..., 1].min()
    assert np.isclose(np.percentile(joints[..., 1].min(1), 20), floor, atol=0.08), "it has ground"
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() * 30
    assert speed < 14, "no joint is faster than a pitcher's hand"
    for side in ("right", "left"):
        for top, middle, end in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
            upper = joint(joints, f"{side} {top}") - joint(joints, f"{side} {middle}")
            lower = joint(joints, f"{side} {end}") - joint(joints, f"{side} {middle}")
            cosine = (upper * lower).sum(-1) / (
                np.linalg.norm(upper, axis=-1) * np.linalg.norm(lower, axis=-1)
            )
            assert cosine.max() < np.cos(np.deg2rad(25)), f"{side} {middle} is folded up"


@pytest.mark.slow
@of_every(NAMED)
def test_knees_bend_forward(name: str) -> None:
    joints = exact(name)
    across = joint(joints, "right hip") - joint(joints, "left hip")
    up = joint(joints, "spine mid") - joint(joints, "spine base")
    front = np.cross(up, across)
    front /= np.linalg.norm(front, axis=-1, keepdims=True)
    for side in ("right", "left"):
        hip, knee, ankle = (joint(joints, f"{side} {part}") for part in ("hip", "knee", "ankle"))
        line = (ankle - hip) / np.linalg.norm(ankle - hip, axis=-1, keepdims=True)
        out = knee - hip - line * ((knee - hip) * line).sum(-1, keepdims=True)
        # A knee points to the front of the pelvis, and up where the thigh is lifted.
        assert (out * (front + 0.5 * up / 0.29)).sum(-1).min() > -0.06, side


@pytest.mark.slow
@of_every(NAMED)
def test_feet_on_the_floor_do_not_slide(name: str) -> None:
    joints = exact(name)
    floor = min(joint(joints, f"{side} foot")[:, 1].min() for side in ("right", "left"))
    for side in ("right", "left"):
        foot = joint(joints, f"{side} foot")
        low = foot[:, 1] < floor + 0.001
        both = low[1:] & low[:-1]
        moved = np.linalg.norm(np.diff(foot[:, [0, 2]], axis=0), axis=-1)
        assert not both.any() or moved[both].max() < 0.008, side


# The data set


@pytest.fixture(scope="module")
def source() -> Movements:
    return Movements(Movements.Settings(clips=2))


def test_a_class_is_a_first_name(source: Movements) -> None:
    assert len(source.classes) > 100
    assert "drink" in source.classes
    assert set(members()["drink"]) >= {"drink", "at-mouth"}
    assert "raise one hand" in source.classes
    folds = sorted(label for fold in source.splits.values() for label in fold)
    assert folds == list(range(len(source.classes)))


def test_a_clip_depends_on_its_name_and_the_seed_alone(source: Movements) -> None:
    recordings = source.recordings(None)
    assert [each.name for each in recordings] == sorted({each.name for each in recordings})
    (one,), (two,) = (list(source.clips(recordings[7])) for _ in range(2))
    more = Movements(Movements.Settings(clips=4))
    (same,) = more.clips(recordings[7])
    other = Movements(Movements.Settings(clips=2, seed=1))
    (another,) = other.clips(recordings[7])
    assert np.array_equal(one.joints, two.joints)
    assert np.array_equal(one.joints, same.joints)
    assert not np.array_equal(one.joints[:8], another.joints[:8])
    assert one.name == recordings[7].name
    assert one.subsets == {"xsub": "test"}


def test_every_class_has_a_sentence_for_every_part(source: Movements) -> None:
    parts = (*PARTS, *COARSE)
    texts = Bundled(Bundled.Settings()).describe(source.classes, parts, DescriberContext())
    assert [set(each) for each in texts] == [set(parts)] * len(source.classes)
    every = descriptions(movements())
    assert texts[source.classes.index("wave")] == every["wave"]
    assert every["wave"]["hand"].startswith("One hand waves from side to side")
    assert (
        every["wave"]["leg-foot"]
        == "Both legs stand straight and still. Both feet stay flat on the floor."
    )


def test_nothing_is_read_or_written(source: Movements, tmp_path: Path) -> None:
    source.write_sample(tmp_path)
    assert source.files(tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_movements_are_drawn(tmp_path: Path) -> None:
    script = runpy.run_path(str(ROOT / "docs/movements_sheet.py"))
    script["main"](tmp_path / "sheet.png", ["wave", "squat"])
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


# What is repeated or held, taken up from rest


def test_a_held_hand_is_raised_from_rest_and_lowered_again() -> None:
    values = {**EXACT.model_dump(), "begun": 1.0, "ended": 1.0}
    heights, steady = [], []
    for seed in range(20):
        joints = (
            Composer(Settings.model_validate(values))
            .clip(seed, "hold-up")
            .joints[:, 0]
            .astype(np.float64)
        )
        height = joint(joints, "right wrist") - joint(joints, "right shoulder")
        heights.append(height[:, 1])
        still = Composer(EXACT).clip(seed, "hold-up").joints[:, 0].astype(np.float64)
        steady.append(joint(still, "right wrist") - joint(still, "right shoulder"))
    assert max(height.max() for height in heights) > 0.4
    assert sum(height[0] < -0.4 for height in heights) >= 5, "it begins at rest"
    assert sum(height[-1] < -0.4 for height in heights) >= 5, "it ends at rest"
    assert all(h[:, 1].min() > 0.4 for h in steady)


def test_points_of_a_clip_lie_aside_together() -> None:
    """Where a wrist is from its shoulder differs between clips, by one way within each."""
    values = Settings.model_validate({**EXACT.model_dump(), "aside": 0.1})
    ways = []
    for seed in range(12):
        courses = []
        for settings in (EXACT, values):
            joints = Composer(settings).clip(seed, "remote").joints[:, 0].astype(np.float64)
            courses.append(joint(joints, "right wrist") - joint(joints, "right shoulder"))
        way = courses[1] - courses[0]
        assert np.ptp(way, axis=0).max() < 0.03, "the same at all times"
        ways.append(way.mean(0))
    spread = np.std(ways, axis=0)
    assert (spread > 0.015).all() and spread[1] == max(spread)


def test_everyday_movements_are_chosen_more_often() -> None:
    every = movements()
    mains = [Composer().clip(seed).movements[0] for seed in range(400)]
    often = [name for name in mains if every[name].weight > 1]
    named = [name for name, movement in every.items() if movement.names]
    share = sum(every[name].weight > 1 for name in named) / len(named)
    assert len(often) / len(mains) > share + 0.1


def test_a_teacher_leaves_out_what_it_is_told_to(source: Movements) -> None:
    assert isinstance(source, Teacher)
    said, every = source.sentences(["wave", "clap"]), source.sentences()
    assert set(said["hand"]) < set(every["hand"])
    for seed in range(20):
        made = source.make_up(seed, ["wave", "clap"])
        assert not {"wave", "clap", "applaud"} & set(made.names)
        for part, texts in made.sentences.items():
            assert set(texts) <= set(said[part]) <= set(every[part])
    small = Movements(Movements.Settings(clips=2, layout="openni-15"))
    assert small.make_up(3, ()).joints.shape[2:] == (15, 3) == (len(small.layout.joints), 3)
    assert source.fingerprint() == small.fingerprint()


def test_the_documentation_counts_them() -> None:
    def text(path: str) -> str:
        return (ROOT / path).read_text("utf-8")

    assert f"[{len(ALL)} movements]" in text("docs/how-to/pretraining.md")
    assert f"{len(ALL)} entries" in text("CHANGELOG.md")
    assert f"`movements` ({len(members())} actions)" in text("docs/how-to/recordings.md")


def test_pictures_show_movements_as_they_are_written() -> None:
    assert runpy.run_path(str(ROOT / "docs" / "movements_sheet.py"))["EXACT"] == EXACT

"""Recordings that people have, named by a run: the same answer in any form that says the same, else
an error that names the way out, and never another answer in silence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import starcli
from starcli import registry
from starcli.contracts import Layout, NoSettings
from starcli.data.importing.builder import ImportRequest, make
from starcli.data.importing.options import meaning
from starcli.data.mapping import joint_map
from starcli.errors import DataError, StarError, UsageError
from starcli.poses import IMAGE, KINECT, Poses, turned
from starcli.prediction.reader import Incoming, Reader
from starcli_plugins.layouts import AZURE_32, BODY_25, COCO_17, KINECT_V1, KINECT_V2, MEDIAPIPE_33
from tests.bodies import body, pixels
from tests.conftest import Outcome
from tests.test_pipeline import TINY

pytestmark = pytest.mark.slow
Cli = Callable[..., Outcome]
Values = npt.NDArray[np.float64]
Scores = Mapping[str, float]
SMALL = {key: value for key, value in TINY.items() if not key.startswith("dataset.")}
CLASSES = ("bow", "kick", "sit down", "wave", "clap", "jump")
SQUATS = 15
"""The class of the simulated body."""
ASIDE = np.array([2.0, 0, 0])


def clip(label: int = 3, subject: int = 1) -> Values:
    """A clip [T, 1, 25, 3]."""
    return body(label, subject)[:, None]


def trained(
    root: Path, joints: Callable[[Values], Values], encoder: str = "glove-50", **said: Any
) -> starcli.Run:
    """A run on clips of six classes by two people."""
    for label, name in enumerate(CLASSES):
        for number, subject in enumerate(("ann", "bob")):
            path = root / "clips" / name / subject / "1.npy"
            path.parent.mkdir(parents=True)
            np.save(path, joints(clip(label, number)))
    make("own", ImportRequest(root / "clips", meaning(**said)), root / "store")
    settings = {**SMALL, "encoder.name": encoder}
    return starcli.train(dataset="own", store=root / "store", settings=settings)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> starcli.Run:
    """A run on Kinect's joints with a depth."""
    return trained(tmp_path_factory.mktemp("deep"), lambda joints: joints)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> starcli.Run:
    """A run on clips of two people."""

    def two(joints: Values) -> Values:
        return np.concatenate([joints, joints + ASIDE], 1)

    return trained(tmp_path_factory.mktemp("pair"), two)


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> starcli.Run:
    """A run on keypoints of pictures."""

    def picture(joints: Values) -> Values:
        return pixels(joints)

    return trained(tmp_path_factory.mktemp("flat"), picture, layout="kinect-v2")


@pytest.fixture(scope="module")
def worded(tmp_path_factory: pytest.TempPathFactory) -> starcli.Run:
    """A run whose text encoder makes something of every text."""
    return trained(tmp_path_factory.mktemp("worded"), lambda joints: joints, encoder="minilm")


@dataclass(frozen=True)
class Answer:
    """What one recording was named."""

    scores: Scores
    warnings: Sequence[str]


def answer(run: starcli.Run, recording: Any, **options: Any) -> Answer:
    found = starcli.predict(run, recording, top=9, **options)
    assert found["bad"] == []
    (one,) = found["predictions"]
    return Answer({a["name"]: a["score"] for a in one["actions"]}, found["warnings"])


def none_of(run: starcli.Run, recording: Any, **options: Any) -> str:
    """Why one recording is none of the run's classes."""
    (one,) = starcli.predict(run, recording, **options)["predictions"]
    assert one["actions"] == [] and one["none"]
    return one["none"]


def same(one: Answer, other: Answer, atol: float = 1e-4) -> bool:
    return one.scores == pytest.approx(other.scores, abs=atol)


def refused(run: starcli.Run, recording: Any, said: str, fix: str, **options: Any) -> StarError:
    with pytest.raises(StarError) as caught:
        starcli.predict(run, recording, **options)
    assert said in caught.value.message, caught.value.message
    assert fix in caught.value.fix, caught.value.fix
    return caught.value


def written(name: str, layout: Layout, path: Path, joints: Values, fps: float = 30.0) -> Path:
    """Joints [T, 25, 3] in a file of a reader's format; or the folder of frames."""
    plugin = registry.load("reader", name)
    reader = plugin(NoSettings())
    path.mkdir(parents=True)
    mapped = joint_map(KINECT_V2, layout).apply(joints)[:, None]
    if name == "mediapipe":
        hips = [layout.joints.index(f"{side} hip") for side in ("left", "right")]
        mapped = mapped - mapped[:, :, hips].mean(2, keepdims=True)
    two = plugin.layouts[layout.name] == 2
    shown = pixels(mapped) if two else turned(mapped, KINECT, IMAGE)
    poses = Poses(
        1000 * shown if name == "azure-kinect" else shown,
        layout.name,
        confidence=np.ones(mapped.shape[:3]),
        frames=np.arange(len(mapped)),
        people=("1",),
        fps=fps,
        image_size=(1280.0, 720.0) if two else None,
        unit="pixel" if two else "mm" if name == "azure-kinect" else "m",
        axes=IMAGE,
        centred=name == "mediapipe",
    )
    files = reader.write_sample(poses, path / f"take{reader.suffixes[0]}")
    return files[0] if len(files) == 1 else path


# The sixteen kinds that came in wrong, as far as they concern naming.


def test_persons_before_frames(run: starcli.Run) -> None:
    found = answer(run, clip().swapaxes(0, 1))
    assert same(found, answer(run, clip()))
    assert any("taken as [persons, frames, joints, axes]" in line for line in found.warnings)


def test_a_comma_in_the_name_of_an_action(run: starcli.Run) -> None:
    found = starcli.predict(run, clip(), actions='"put on, hat", wave')
    assert [item["name"] for item in found["candidates"]] == ["wave", "put on, hat"]


@pytest.mark.parametrize("slots", [(0, None), (None, 0), (None, 0, None)])
def test_nobody_in_the_first_slot(run: starcli.Run, slots: Sequence[int | None]) -> None:
    people = np.concatenate([clip() * (slot is not None) for slot in slots], 1)
    assert same(answer(run, people), answer(run, clip()))


@pytest.mark.parametrize("rows", [slice(1, None, 2), slice(20, None)], ids=["each", "once"])
def test_people_who_swap(pair: starcli.Run, rows: slice) -> None:
    people = np.concatenate([clip(), clip() + ASIDE], 1)
    swapped = people.copy()
    swapped[rows] = swapped[rows, ::-1]
    found = answer(pair, swapped)
    assert same(found, answer(pair, people))
    assert any("people change places" in line for line in found.warnings)


def test_files_that_systems_add(run: starcli.Run, tmp_path: Path) -> None:
    np.save(tmp_path / "1.npy", clip())
    (tmp_path / "._1.npy").write_bytes(b"\0\5\x16\7" + bytes(159))
    (tmp_path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    assert same(answer(run, tmp_path), answer(run, clip()))


def test_a_body_that_can_be_none(run: starcli.Run) -> None:
    simulated = clip()
    assert "m tall: use --unit cm" in none_of(run, 100 * simulated, unit="m")
    assert same(answer(run, 100 * simulated, unit="cm"), answer(run, simulated))
    angles = np.random.default_rng(0).uniform(-90, 90, simulated.shape)
    none = none_of(run, angles, unit="cm")
    assert "no body has such limbs" in none and "--layout" in none


def test_joints_in_another_order(run: starcli.Run) -> None:
    joints = joint_map(KINECT_V2, BODY_25).apply(clip())
    none = none_of(run, joints)
    assert "joints lie as those of body-25 do" in none and "use --layout body-25" in none
    found = answer(run, joints, layout="body-25")
    assert same(found, answer(run, clip()), atol=0.5)


def test_frames_without_anybody(run: starcli.Run) -> None:
    joints, empty = clip(), np.zeros((40, 1, 25, 3))
    want = answer(run, joints)
    assert same(answer(run, np.concatenate([joints, empty])), want)
    assert same(answer(run, np.concatenate([empty, joints])), want)
    spread = np.zeros((2 * len(joints) - 1, 1, 25, 3))
    spread[::2] = joints
    between = np.zeros_like(spread)
    between[::2], between[1::2] = joints, (joints[1:] + joints[:-1]) / 2
    assert same(answer(run, spread), answer(run, between))


@pytest.mark.parametrize("form", ["metres", "pixels", "shares"])
def test_two_axes_for_a_run_with_a_depth(run: starcli.Run, form: str) -> None:
    plane = {
        "metres": clip()[..., :2],
        "pixels": pixels(clip()),
        "shares": pixels(clip()) / np.array([640, 480]),
    }[form]
    error = refused(run, plane, "two axes", "starcli data import NAME")
    assert "starcli train --dataset NAME" in error.fix


def test_scores_beside_the_joints(run: starcli.Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", keypoints=clip(), confidence=np.ones((len(clip()), 1, 25)))
    assert same(answer(run, tmp_path / "a.npz"), answer(run, clip()))


def test_folders_of_subsets(run: starcli.Run, tmp_path: Path) -> None:
    """`train/` and `test/` are folders like others to who is to be named."""
    for number, folder in enumerate(("train/wave", "test/wave")):
        (tmp_path / folder).mkdir(parents=True)
        np.save(tmp_path / folder / "x.npy", clip(3, number))
    found = starcli.predict(run, tmp_path, top=9)["predictions"]
    names = [str(tmp_path / folder / "x.npy") for folder in ("test/wave", "train/wave")]
    assert [each["clip"] for each in found] == names
    for each, subject in zip(found, (1, 0), strict=True):
        scores = {a["name"]: a["score"] for a in each["actions"]}
        assert scores == pytest.approx(answer(run, clip(3, subject)).scores, abs=1e-4)


@pytest.mark.parametrize("names", [("Anna", "anna"), ("1", "01")])
def test_one_person_under_two_names(
    run: starcli.Run, tmp_path: Path, names: tuple[str, str]
) -> None:
    """Each recording is named, whoever else has a name alike."""
    for number, person in enumerate(names):
        (tmp_path / "wave" / person).mkdir(parents=True)
        np.save(tmp_path / "wave" / person / "x.npy", clip(3, number))
    found = starcli.predict(run, tmp_path, top=9)["predictions"]
    scores = {each["clip"]: {a["name"]: a["score"] for a in each["actions"]} for each in found}
    for number, person in enumerate(names):
        want = answer(run, clip(3, number)).scores
        name = str(tmp_path / "wave" / person / "x.npy")
        assert scores[name] == pytest.approx(want, abs=1e-4)


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        ("A001, A002", "2 names, such as 'A001', say no action to a text encoder: name actions in"),
        ("0, wave", "the name '0' says no action"),
        ("пить воду, wave", "the name 'пить воду' says little to encoders that read English"),
        ("손 흔들기, 발차기", "2 names, such as '손 흔들기', say little to encoders"),
    ],
)
def test_actions_that_say_nothing_to_a_text_encoder(
    worded: starcli.Run, actions: str, said: str
) -> None:
    found = starcli.predict(worded, clip(), actions=actions)
    assert any(said in line for line in found["notes"]), found["notes"]


def test_actions_of_which_the_encoder_knows_no_word(run: starcli.Run) -> None:
    refused(run, clip(), "the encoder knows no word of", "", actions="пить воду, wave")


def test_actions_joined_in_any_way_are_one_text(run: starcli.Run) -> None:
    """A class of the run is found, and a new action is described, in any spelling."""
    want = answer(run, clip(), actions="sit down, put on hat")
    assert set(want.scores) == {"sit down", "put on hat"}
    for names in ("sit_down, put_on_hat", "Sit-Down, put-on-hat", "SitDown, PutOnHat"):
        assert same(answer(run, clip(), actions=names), want), names
    for twice in ("put_on, PutOn", ["sit down", "SitDown"]):
        refused(run, clip(), "duplicate action", "spell both the same", actions=twice)


def test_tables_of_spreadsheets(run: starcli.Run, tmp_path: Path) -> None:
    r"""`\` in paths, an empty last column, empty rows, semicolons, a byte order mark."""
    for number, person in enumerate(("ann", "bob")):
        (tmp_path / "wave" / person).mkdir(parents=True)
        np.save(tmp_path / "wave" / person / "x.npy", clip(3, number))
    table = tmp_path / "clips.csv"
    rows = ["file;class;", r"wave\ann\x.npy;wave;", ";;", r"wave\bob\x.npy;wave;", ";;", ""]
    table.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    found = starcli.predict(run, table, top=9)
    assert found["bad"] == []
    for number, each in enumerate(found["predictions"]):
        scores = {a["name"]: a["score"] for a in each["actions"]}
        assert scores == pytest.approx(answer(run, clip(3, number)).scores, abs=1e-4)
    table.write_text("file,class\nwave/ann/x.npy,wave\nwave/bob/y.npy,wave\n")
    error = refused(run, table, "no such file", "check the path")
    assert (error.file, error.line) == (str(table), 3)
    table.write_text("file,class\nwave/ann/x.npy,wave,1\n")
    error = refused(run, table, "has 3 fields, the first line has 2", "may be quoted")
    assert (error.file, error.line) == (str(table), 2)


# What else goes wrong.


def test_files_that_are_no_recordings_b20(cli: Cli, run: starcli.Run, tmp_path: Path) -> None:
    good = written("openpose", BODY_25, tmp_path / "frames", clip()[:, 0]) / "x"
    first = sorted(good.parent.iterdir())[0]
    first.write_text(first.read_text()[:-40])
    (tmp_path / "other.json").write_text('{"name": "a package", "version": "1.0"}')
    (tmp_path / "nobody.json").write_text('{"version": 1.3, "people": []}')
    np.save(tmp_path / "good.npy", clip())
    store = ["--store", str(run.experiment.store.root)]
    for file, said in (
        ("frames", "not readable JSON"),
        ("other.json", "of no known format of poses"),
        ("nobody.json", "nobody is in any frame"),
        ("absent.json", "no such file or folder"),
    ):
        alone = cli("predict", file, *store)
        assert alone.code == 3
        assert said in alone.err and file in alone.err, alone.err
        beside = cli("predict", file, "good.npy", *store, "--json")
        assert beside.code == 9
        found = json.loads(beside.out)
        assert [each["file"] for each in found["predictions"]] == ["good.npy"]
        assert [error["file"].split("/")[0] for error in found["bad"]] == [file]
    wrong = cli("predict", "good.npy", "--reader", "openpose", *store)
    assert wrong.code == 3 and "--reader" in wrong.err
    assert cli("predict", "good.npy", "--reader", "opnpose", *store).code != 0
    several = cli("predict", "good.npy", "--people", "ann", *store)
    assert several.code == 2 and "nobody has this name" in several.err


def test_a_run_is_an_option(cli: Cli, run: starcli.Run, tmp_path: Path) -> None:
    store = ["--store", str(run.experiment.store.root)]
    np.save(tmp_path / "a b.npy", clip())
    for name in ("latest", run.name):
        old = cli("predict", name, "a b.npy", *store)
        assert old.code == 2
        assert f"starcli predict 'a b.npy' --run {name}" in old.err
        new = cli("predict", "a b.npy", "--run", name, *store)
        assert new.code == 0, new.err
    assert "starcli predict SOURCE --run latest" in cli("predict", "latest", *store).err
    none = cli("predict", "a b.npy", "--store", "empty", "--json")
    assert none.code == 0 and json.loads(none.out)["run"] == "general"
    (tmp_path / "latest").mkdir()
    np.save(tmp_path / "latest" / "1.npy", clip())
    assert cli("predict", "latest", *store).code == 0


# Across layouts and rates.


def test_files_of_other_tools(run: starcli.Run, tmp_path: Path) -> None:
    """Several sources of several layouts, each mapped to the run's."""
    joints = clip()[:, 0]
    sources = [
        written("azure-kinect", AZURE_32, tmp_path / "azure", joints),
        written("mediapipe", MEDIAPIPE_33, tmp_path / "mediapipe", joints),
    ]
    found = starcli.predict(run, sources, top=9)
    assert found["bad"] == []
    assert [each["file"] for each in found["predictions"]] == [str(file) for file in sources]
    want = answer(run, joints).scores
    for each in found["predictions"]:
        scores = {a["name"]: a["score"] for a in each["actions"]}
        assert scores == pytest.approx(want, abs=0.5)


def test_a_body_about_its_hips_stands_on_the_floor(run: starcli.Run, tmp_path: Path) -> None:
    """A squat is no lift of the feet, whatever the origin of the file is."""
    reader = Reader(run.experiment.source, (), 1)
    joints = clip(SQUATS)[:, 0]
    (squats,) = reader.read(written("mediapipe", MEDIAPIPE_33, tmp_path / "take", joints))
    assert isinstance(squats, Incoming)
    ankles = [KINECT_V2.joints.index(f"{side} ankle") for side in ("left", "right")]
    low = squats.joints[:, 0, ankles, 1].min(1)
    np.testing.assert_allclose(low, 0, atol=1e-6)
    hips, want = squats.joints[:, 0, 0, 1], joints[:, 0, 1] - joints[:, ankles, 1].min(1)
    assert np.ptp(want) > 0.2
    np.testing.assert_allclose(hips, want, atol=0.1)


def test_pictures_of_any_layout_and_the_image_plane_of_any_body(
    flat: starcli.Run, tmp_path: Path
) -> None:
    joints = clip()[:, 0]
    want = answer(flat, pixels(joints))
    assert same(answer(flat, joints), want, atol=0.05)
    assert same(answer(flat, 3 * pixels(joints)), want, atol=0.01)
    body_25 = written("openpose", BODY_25, tmp_path / "openpose", joints)
    coco = written("coco", COCO_17, tmp_path / "coco", joints)
    for file in (body_25, coco):
        assert same(answer(flat, file), want, atol=0.5)


def test_joints_that_a_layout_lacks(run: starcli.Run, tmp_path: Path) -> None:
    layout = tmp_path / "stick.toml"
    layout.write_text(
        'name = "stick"\njoints = ["left hand", "right hand", "middle"]\nbones = [[0, 2], [1, 2]]\n'
        'origin = "middle"\ncentre = "middle"\nacross = ["left hand", "right hand"]\n'
        '[parts.2]\nup = ["left hand", "right hand"]\ndown = ["middle"]\n'
    )
    error = refused(
        run,
        clip()[:, :, :3],
        "has no joint, and there is no rule, for",
        "starcli data import",
        layout=str(layout),
        unit="m",
    )
    assert "spine base" in error.message


def test_another_frame_rate(
    run: starcli.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At twice the rate a clip with the frames in between is the same clip."""
    joints = clip()[:, 0]
    double = np.zeros((2 * len(joints) - 1, 25, 3))
    double[::2], double[1::2] = joints, (joints[1:] + joints[:-1]) / 2
    slow = written("azure-kinect", AZURE_32, tmp_path / "slow", joints)
    fast = written("azure-kinect", AZURE_32, tmp_path / "fast", double, fps=60.0)
    rated = starcli.open_run(store=run.experiment.store.root)
    monkeypatch.setattr(type(rated.experiment.source), "fps", 30.0)
    assert same(answer(rated, fast), answer(rated, slow), atol=1e-3)


def test_arrays_are_read_as_their_files(run: starcli.Run, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", clip())
    want = answer(run, tmp_path / "a.npy")
    for array in (clip(), clip()[:, 0], clip().astype(np.float32)):
        assert same(answer(run, array), want)
    both = starcli.predict(run, [clip(), str(tmp_path / "a.npy")])["predictions"]
    assert [each["file"] for each in both] == ["array 1", str(tmp_path / "a.npy")]
    with pytest.raises(DataError, match="array 1"):
        starcli.predict(run, np.array(["a"]))
    with pytest.raises(UsageError):
        starcli.predict(run, clip(), layout="kinect-v9")
    with pytest.raises(DataError, match="layout kinect-v1 has 20"):
        starcli.predict(run, clip(), layout=KINECT_V1.name)

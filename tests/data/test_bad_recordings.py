"""Recordings that are damaged, incomplete or something else: what is said, and what comes of it."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from starcli.conformance.bodies import sample
from starcli.contracts import NoSettings
from starcli.data.importing.conversion import Meaning
from starcli.data.importing.inspection import Inspection, inspect
from starcli.data.importing.labels import labelled
from starcli.errors import DataError
from starcli.poses import IMAGE, Poses
from starcli.viewing.places import Wanted, look
from starcli_plugins.layouts import BODY_25, COCO_17
from starcli_plugins.readers.bvh import Bvh
from starcli_plugins.readers.ultralytics import Ultralytics
from tests.bodies import body, pixels
from tests.conftest import Outcome

Cli = Callable[..., Outcome]
Values = npt.NDArray[np.float64]
ASIDE = np.array([300.0, 0.0])
"""Pixels to somebody who stands beside."""
METRES_ASIDE = np.array([2.0, 0.0, 0.0])


def openpose(folder: Path, frames: Sequence[Sequence[Values]], name: str = "take") -> list[Path]:
    """A file of each frame, with its people [25, 2] in this order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, people in enumerate(frames):
        rows = [np.concatenate([person, np.full((25, 1), 0.8)], 1) for person in people]
        listed = [{"pose_keypoints_2d": row.round(3).reshape(-1).tolist()} for row in rows]
        paths.append(folder / f"{name}_{number:012d}_keypoints.json")
        paths[-1].write_text(json.dumps({"version": 1.3, "people": listed}))
    return paths


@pytest.fixture
def take() -> Values:
    """Somebody who does something [T, 25, 2], pixels."""
    return pixels(body(4, 0, BODY_25))


def said(found: Inspection, *warnings: str) -> bool:
    """Whether these are the warnings, as far as they are told."""
    assert len(found["warnings"]) == len(warnings), found["warnings"]
    return all(text in line for text, line in zip(warnings, found["warnings"], strict=True))


def test_frames_without_people_are_bridged(tmp_path: Path, take: Values) -> None:
    openpose(tmp_path, [[person] if n % 5 else [] for n, person in enumerate(take[:-1], 1)])
    found = inspect(tmp_path, Meaning())
    assert (found["clips"], found["people"], found["frames"]) == (1, 1, len(take) - 1)
    assert said(found, f"{(len(take) - 1) // 5} frames without anybody were bridged")


def test_nobody_at_all(tmp_path: Path, take: Values) -> None:
    openpose(tmp_path, [[] for _ in take])
    with pytest.raises(DataError, match="nobody is in any frame"):
        inspect(tmp_path, Meaning())


def test_somebody_who_is_gone_for_half_of_the_clip(tmp_path: Path, take: Values) -> None:
    """Alone, it is the same person who comes back; beside another, the other one stays."""
    gone = range(20, len(take) - 10)
    openpose(tmp_path / "alone", [[] if n in gone else [p] for n, p in enumerate(take)])
    found = inspect(tmp_path / "alone", Meaning())
    assert (found["people"], found["frames"]) == (1, len(take))
    assert said(found, f"somebody is gone for {len(gone)} frames", "gaps of a joint are longer")
    frames = [[p] if n in gone else [p + ASIDE, p] for n, p in enumerate(take)]
    openpose(tmp_path / "two", frames)
    seen = look(str(tmp_path / "two"), Wanted()).clips[0].joints
    there = (seen != 0).any((2, 3))
    assert there.all(0).any() and seen.shape[1] == 2


def test_a_person_with_a_name_is_the_same_however_long_it_is_gone(tmp_path: Path) -> None:
    pair = np.stack([body(4), body(4) + METRES_ASIDE], 1)
    pair = np.concatenate([pair, pair[::-1], pair])
    pair[20:100, 1] = 0
    np.save(tmp_path / "pair.npy", pair)
    found = inspect(tmp_path / "pair.npy", Meaning())
    assert (found["people"], found["frames"]) == (2, len(pair))
    joints = look(str(tmp_path / "pair.npy"), Wanted()).clips[0].joints
    np.testing.assert_allclose(joints[110:], pair[110:], atol=1e-5)
    assert not joints[20:100, 1].any()


def test_people_without_names_whose_order_is_random(tmp_path: Path, take: Values) -> None:
    draw = np.random.default_rng(0)
    frames = [[p, p + ASIDE] if draw.random() < 0.5 else [p + ASIDE, p] for p in take]
    openpose(tmp_path, frames)
    found = inspect(tmp_path, Meaning())
    assert found["people"] == 2 and said(found, "people change places in")
    joints = look(str(tmp_path), Wanted()).clips[0].joints
    assert np.linalg.norm(np.diff(joints.mean(2), axis=0), axis=-1).max() < 0.2


def test_skeletons_of_two_kinds_in_one_folder(cli: Cli, tmp_path: Path, take: Values) -> None:
    for subject in ("ann", "bob"):
        openpose(tmp_path / "clips" / "bow" / subject / "1", [[p] for p in take])
        (tmp_path / "clips" / "kick" / subject).mkdir(parents=True)
        np.save(tmp_path / "clips" / "kick" / subject / "1.npy", body(0))
    done = cli("data", "import", "mine", str(tmp_path / "clips"))
    assert (done.code, done.err.count("\n")) == (3, 2)
    assert "1.npy: is in kinect-v2, others are in body-25" in done.err
    assert "fix: import recordings of each layout as a data set of their own" in done.err


@pytest.mark.parametrize("reader", ["bvh", "coco", "arrays"])
def test_another_reader_than_that_of_the_files(
    cli: Cli, tmp_path: Path, take: Values, reader: str
) -> None:
    openpose(tmp_path / "clips" / "bow", [[p] for p in take[:3]])
    done = cli("data", "import", "mine", str(tmp_path / "clips"), "--reader", reader)
    assert done.code == 3
    assert "none of its 3 files is" in done.err
    assert "fix: leave --reader out to find the format" in done.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"image_id": 1, "keypo', "not readable JSON"),
        ("[" * 100_000, "not readable JSON"),
        ('{"name": "poses", "version": "1.0.0"}', "is of no known format of poses"),
        ("[1, 2, 3]", "is of no known format of poses"),
        ("null", "is of no known format of poses"),
        ("", "not readable JSON"),
    ],
    ids=["cut", "deep", "object", "list", "null", "empty"],
)
def test_json_that_is_damaged_or_of_something_else(
    cli: Cli, tmp_path: Path, take: Values, content: str, message: str
) -> None:
    """Alone it is an error, and among others it is left out and named."""
    (tmp_path / "a.json").write_text(content)
    alone = cli("data", "import", "mine", str(tmp_path / "a.json"))
    assert (alone.code, message in alone.err) == (3, True), alone.err
    assert alone.err.count("\n") == 2
    openpose(tmp_path / "clips", [[p] for p in take])
    (tmp_path / "clips" / "zzz.json").write_text(content)
    found = inspect(tmp_path / "clips", Meaning())
    assert found["clips"] == 1 and said(found, "of no known format: zzz.json")


def test_a_frame_that_lost_its_end_is_named(tmp_path: Path, take: Values) -> None:
    """It is an error; what is left of it may be so little that it is no frame: it is bridged."""
    paths = openpose(tmp_path, [[p] for p in take])
    whole = paths[7].read_text()
    paths[7].write_text(whole[:200])
    with pytest.raises(DataError, match="not readable JSON") as caught:
        inspect(tmp_path, Meaning())
    assert caught.value.file == paths[7].name
    paths[7].write_text(whole[:20])
    found = inspect(tmp_path, Meaning())
    assert found["frames"] == len(take)
    assert said(found, "frame numbers jump: 1 frames", f"of no known format: {paths[7].name}")


def test_two_files_of_one_frame(cli: Cli, tmp_path: Path, take: Values) -> None:
    paths = openpose(tmp_path / "clips" / "bow", [[p] for p in take])
    twin = paths[3].with_name("take_3_keypoints.json")
    twin.write_bytes(paths[3].read_bytes())
    done = cli("data", "inspect", str(tmp_path / "clips"))
    assert done.code == 3
    assert "(frame 3): duplicate frame" in done.err
    assert "fix: leave one of the two out" in done.err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Zrotation", "Wrotation", "Wrotation"),
        ("CHANNELS 6 Xposition", "CHANNELS 9 Xscale Yscale Zscale Xposition", "scale"),
    ],
    ids=["unknown", "nine"],
)
def test_channels_of_bvh_that_nobody_knows(
    cli: Cli, tmp_path: Path, old: str, new: str, message: str
) -> None:
    reader = Bvh(NoSettings())
    layout = next(iter(Bvh.layouts))
    (path,) = reader.write_sample(sample(layout, 3, 1), tmp_path / "take.bvh")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    done = cli("data", "inspect", str(path))
    assert (done.code, message in done.err) == (3, True), done.err
    assert "take.bvh:" in done.err and done.err.count("\n") == 2


@pytest.mark.slow
def test_sixty_thousand_frames(tmp_path: Path) -> None:
    once = body(0, 0, COCO_17)[:, None].astype(np.float32)
    np.save(tmp_path / "long.npy", np.tile(once, (60_000 // len(once) + 1, 1, 1, 1))[:60_000])
    found = inspect(tmp_path / "long.npy", Meaning())
    assert (found["frames"], found["people"], found["warnings"]) == (60_000, 1, [])


def test_confidence_below_zero_is_of_joints_that_were_not_seen(
    tmp_path: Path, take: Values
) -> None:
    for path in openpose(tmp_path, [[p] for p in take]):
        document = json.loads(path.read_text())
        document["people"][0]["pose_keypoints_2d"][3 * 4 + 2] = -0.5
        path.write_text(json.dumps(document))
    found = inspect(tmp_path, Meaning())
    assert found["missing"] == pytest.approx(1 / 25)
    assert said(found, "never seen, estimated from others: right wrist")


def test_shares_of_a_picture_of_unknown_size(tmp_path: Path) -> None:
    poses = Poses(
        pixels(body(4, 0, COCO_17))[:, None],
        "coco-17",
        confidence=np.full((len(body(4)), 1, 17), 0.9),
        image_size=(1280.0, 720.0),
        unit="pixel",
        axes=IMAGE,
    )
    reader = Ultralytics(NoSettings())
    reader.write_sample(poses, tmp_path / f"take{reader.suffixes[0]}")
    found = inspect(tmp_path, Meaning())
    assert found["unit"] == "image" and said(found, "not known: taken as 16:9")


def test_a_recording_of_any_reader_may_be_asked_for_by_its_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", a=body(0), b=body(1), c=body(2), d=body(3))
    rows = "".join(f"all.npz#{key},{name}\n" for key, name in zip("abcd", "wxyz", strict=True))
    (tmp_path / "index.csv").write_text("file,class\n" + rows)
    found = inspect(tmp_path / "index.csv", Meaning())
    assert (found["clips"], found["classes"]) == (4, ["w", "x", "y", "z"])
    assert found["frames"] == sum(len(body(label)) for label in range(4))
    (tmp_path / "index.csv").write_text("file,class\n" + rows + "all.npz#e,w\n")
    with pytest.raises(DataError, match=r"no array 'e' in all\.npz") as caught:
        inspect(tmp_path / "index.csv", Meaning())
    assert (caught.value.line, caught.value.fix) == (6, "there are: a, b, c, d")


def test_takes_whose_frames_lie_in_one_folder(tmp_path: Path, take: Values) -> None:
    """Each is a clip of the folder's class and subject, called by what its names begin with."""
    for name in ("a", "b"):
        openpose(tmp_path / "bow" / "ann", [[p] for p in take], name)
    items, _ = labelled(tmp_path, None, None)
    entries = [item.entry for item in items]
    assert [entry.name for entry in entries] == ["bow/ann/a", "bow/ann/b"]
    assert {(entry.action, entry.subject) for entry in entries} == {("bow", "ann")}


def test_links_are_followed_but_not_in_circles(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    np.save(tmp_path / "far" / "1.npy", body(0))
    (tmp_path / "clips" / "kick").mkdir(parents=True)
    np.save(tmp_path / "clips" / "kick" / "1.npy", body(1))
    (tmp_path / "clips" / "bow").symlink_to(tmp_path / "far")
    (tmp_path / "clips" / "kick" / "up").symlink_to(tmp_path / "clips")
    (tmp_path / "far" / "round").symlink_to(tmp_path / "clips" / "kick")
    items, _ = labelled(tmp_path / "clips", None, None)
    names = [item.entry.name for item in items]
    assert names == ["bow/1.npy", "bow/round/1.npy", "kick/1.npy"]
    (tmp_path / "clips" / "bow" / "2.npy").symlink_to(tmp_path / "nowhere.npy")
    done = cli("data", "inspect", "clips")
    assert (done.code, done.err.count("\n")) == (3, 2)
    assert "bow/2.npy: cannot be read (No such file or directory)" in done.err
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "loop: no such file or folder" in cli("data", "inspect", "loop").err


@pytest.mark.parametrize("command", ["data inspect", "data import mine", "view"])
@pytest.mark.parametrize(
    ("members", "message"),
    [([], "clips.zip: has no files"), (["a/readme.txt"], "clips.zip: none of its 1 files is of")],
    ids=["empty", "other"],
)
def test_a_zip_without_recordings_is_named(
    cli: Cli, command: str, members: Sequence[str], message: str
) -> None:
    with zipfile.ZipFile("clips.zip", "w") as archive:
        for name in members:
            archive.writestr(name, "words")
    done = cli(*command.split(), "clips.zip")
    assert (done.code, done.err.count("\n")) == (3, 2)
    assert f"error: {message}" in done.err


@pytest.mark.filterwarnings("error")
def test_numbers_that_are_no_coordinates(tmp_path: Path, take: Values) -> None:
    paths = openpose(tmp_path / "far", [[p] for p in take])
    document = json.loads(paths[5].read_text())
    document["people"][0]["pose_keypoints_2d"][3] = 1e308
    paths[5].write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"the neck base is at 1e\+308") as caught:
        inspect(tmp_path / "far", Meaning())
    assert (caught.value.file, caught.value.frame) == ("take", 5)
    joints = body(0)
    joints[2, 0] = 1e300
    np.save(tmp_path / "far.npy", joints)
    with pytest.raises(DataError, match="the spine base is at"):
        inspect(tmp_path / "far.npy", Meaning())
    joints = body(0)
    joints[3, 4] = np.inf
    np.save(tmp_path / "once.npy", joints)
    assert inspect(tmp_path / "once.npy", Meaning())["missing"] == pytest.approx(
        1 / joints[..., 0].size
    )
    joints[joints[..., 1] > 0] = np.inf
    np.save(tmp_path / "half.npy", joints)
    with pytest.raises(DataError, match="shows hips and shoulders, from which its unit"):
        inspect(tmp_path / "half.npy", Meaning())


def test_one_clip_of_each_class_leaves_none_to_test(cli: Cli, tmp_path: Path) -> None:
    for label, name in enumerate(("bow", "kick")):
        (tmp_path / "clips" / name).mkdir(parents=True)
        np.save(tmp_path / "clips" / name / "1.npy", body(label))
    done = cli("data", "import", "mine", "clips")
    assert (done.code, done.err.count("\n")) == (3, 2)
    assert "protocol half: every clip is in the subset 'train'" in done.err
    assert "fix: import two clips or more of a class" in done.err
    np.save(tmp_path / "clips" / "bow" / "2.npy", body(0, 1))
    assert cli("data", "import", "mine", "clips").code == 0


@pytest.mark.parametrize("command", ["data inspect", "data import mine", "view"])
def test_a_folder_that_may_not_be_opened_is_named(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    for label, name in enumerate(("bow", "kick")):
        (tmp_path / "clips" / name).mkdir(parents=True)
        np.save(tmp_path / "clips" / name / "1.npy", body(label))
    scandir = os.scandir

    def locked(path: Path) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "kick":
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    done = cli(*command.split(), "clips")
    assert (done.code, done.err.count("\n")) == (3, 2)
    assert "error: clips/kick: cannot be read (Permission denied)" in done.err

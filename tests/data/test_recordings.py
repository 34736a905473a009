"""Recordings that people have, and what goes wrong with them: each kind is put right by rule and
counted, or is an error that names the way out, and nothing is stored."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from starcli.contracts import Layout, NoSettings, silent
from starcli.data import imported, integrity
from starcli.data.importing.builder import ImportRequest, Made, make
from starcli.data.importing.options import meaning
from starcli.errors import DataError, StarError
from starcli.poses import PoseFile, Poses
from starcli_plugins.layouts import BODY_25, COCO_17, H36M_17
from starcli_plugins.readers.arrays import Arrays
from tests.bodies import body, pixels
from tests.conftest import Outcome

Values = npt.NDArray[np.float64]
CLASSES = ("bow", "kick", "sit down", "wave")
ASIDE = np.array([2.0, 0, 0])
MEANING = ("layout", "up", "unit", "people", "mirrored", "swap_sides")


class Store(NamedTuple):
    """A place for clips and what is made of them."""

    root: Path

    def save(
        self,
        joints: Callable[[int, int], Values],
        classes: Sequence[str] = CLASSES,
        subjects: Sequence[str] = ("ann", "bob"),
    ) -> None:
        """A clip of each class and subject at CLASS/SUBJECT/1.npy."""
        for label, name in enumerate(classes):
            for number, subject in enumerate(subjects):
                path = self.root / "clips" / name / subject / "1.npy"
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, joints(label, number))

    def make(self, source: str = "clips", **said: Any) -> Made:
        """The data set of the clips."""
        told = meaning(**{key: said.pop(key) for key in MEANING if key in said})
        request = ImportRequest(self.root / source, told, **said)
        return make("mine", request, self.root / "store", overwrite=True)

    def refused(self, said: str, fix: str, **options: Any) -> StarError:
        """The error of importing the clips, which has left nothing."""
        with pytest.raises(StarError) as caught:
            self.make(**options)
        assert said in caught.value.message, caught.value.message
        assert fix in caught.value.fix, caught.value.fix
        assert imported.names(self.root / "store") == []
        assert not list((self.root / "store").glob("unfinished/*"))
        return caught.value


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def one(label: int, subject: int) -> Values:
    """A clip [T, 1, 25, 3]."""
    return body(label, subject)[:, None]


def joints_of(made: Made) -> dict[str, npt.NDArray[np.float32]]:
    source = made.dataset(NoSettings())
    return {c.name: c.joints for r in source.recordings(None) for c in source.clips(r)}


def same(made: Made, atol: float = 1e-6) -> bool:
    """Whether the clips are those of `one`, from wherever they are looked at."""
    found = joints_of(made)
    for label, name in enumerate(CLASSES):
        for number, subject in enumerate(("ann", "bob")):
            got, want = found[f"{name}/{subject}/1.npy"], one(label, number)
            np.testing.assert_allclose(got - got[:1, :, :1], want - want[:1, :, :1], atol=atol)
    return len(found) == 2 * len(CLASSES)


def warned(made: Made, *said: str) -> bool:
    """Whether these are the warnings, as far as they are told."""
    warnings = made.inspection["warnings"]
    assert len(warnings) == len(said), warnings
    return all(text in warning for text, warning in zip(said, warnings, strict=True))


def test_sound_clips_need_no_options_and_give_no_warning(store: Store) -> None:
    store.save(one)
    made = store.make()
    assert same(made) and warned(made)
    told = store.make(layout="kinect-v2", up="y", unit="m")
    assert same(told, atol=0) and warned(told)
    assert (told.dataset.up, told.dataset.unit, told.dataset.flat) == ("y", "m", False)
    assert told.dataset.given == {"layout": "kinect-v2", "up": "y", "unit": "m"}


@pytest.mark.parametrize("options", [{}, {"layout": "kinect-v2"}], ids=["found", "told"])
def test_persons_before_frames(store: Store, options: dict[str, str]) -> None:
    store.save(lambda label, subject: one(label, subject).swapaxes(0, 1))
    made = store.make(**options)
    assert same(made) and warned(made, "taken as [persons, frames, joints, axes]")


def test_folders_of_subsets(store: Store) -> None:
    for subset, subject in (("train", 0), ("val", 1)):
        for label, name in enumerate(CLASSES):
            folder = store.root / "clips" / subset / name
            folder.mkdir(parents=True)
            np.save(folder / "x.npy", one(label, subject))
    made = store.make()
    assert made.dataset.classes == CLASSES
    assert made.dataset.protocols == ("folder",)
    sides = {name: row["sides"]["folder"] for name, row in made.dataset.rows.items()}
    assert (sides["train/wave/x.npy"], sides["val/wave/x.npy"]) == ("train", "test")


@pytest.mark.parametrize("names", [("Anna", "anna"), ("1", "01"), ("P_1", "p1")])
def test_one_person_under_two_names(store: Store, names: tuple[str, str]) -> None:
    clip = "clips/bow/ann/1.npy"
    store.save(one)
    rows = [f"clips/{name}/{who}/1.npy,{name},{who}" for name in CLASSES for who in ("ann", "bob")]
    rows[0] = f"{clip},bow,{names[0]}"
    rows[2] = rows[2].replace(",ann", f",{names[1]}")
    (store.root / "index.csv").write_text("file,class,subject\n" + "\n".join(rows))
    error = store.refused("duplicate subject", "spell both the same", source="index.csv")
    assert error.line in (2, 4)


def test_a_comma_in_the_name_of_a_class(store: Store) -> None:
    store.save(one, ("put on, hat", "put on", "hat", "wave"))
    whole = store.make(unseen=["hard=put on, hat"]).dataset
    assert [whole.classes[c] for c in whole.splits["hard"]] == ["put on, hat"]
    parts = store.make(unseen=['hard="put on","hat"']).dataset
    assert [parts.classes[c] for c in parts.splits["hard"]] == ["hat", "put on"]


@pytest.mark.parametrize("slots", [(0,), (0, None), (None, 0), (None, 0, None)])
def test_nobody_in_the_first_slot(store: Store, slots: Sequence[int | None]) -> None:
    def clip(label: int, subject: int) -> Values:
        person = one(label, subject)
        return np.concatenate([np.zeros_like(person) if s is None else person for s in slots], 1)

    store.save(clip)
    made = store.make()
    assert same(made) and made.inspection["people"] == 1


@pytest.mark.parametrize("rows", [slice(1, None, 2), slice(20, None)], ids=["each", "once"])
def test_people_who_swap(store: Store, rows: slice) -> None:
    def clip(label: int, subject: int) -> Values:
        return np.concatenate([one(label, subject), one(label, subject) + ASIDE], 1)

    def swapped(label: int, subject: int) -> Values:
        joints = clip(label, subject)
        joints[rows] = joints[rows, ::-1]
        return joints

    store.save(clip)
    want = joints_of(store.make())
    store.save(swapped)
    made = store.make()
    assert warned(made, "people change places in")
    for name, joints in joints_of(made).items():
        np.testing.assert_array_equal(joints, want[name])


def test_files_that_systems_add(store: Store) -> None:
    store.save(one)
    for path in list((store.root / "clips").rglob("*.npy")):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7" + bytes(159))
    (store.root / "clips" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (store.root / "clips" / "__MACOSX").mkdir()
    (store.root / "clips" / "__MACOSX" / "x.npy").write_bytes(b"no clip")
    made = store.make()
    assert same(made) and warned(made)


def test_centimetres_that_nobody_named(store: Store) -> None:
    store.save(lambda label, subject: 100 * one(label, subject))
    store.refused("m tall", "use --unit cm", unit="m")
    made = store.make(layout="kinect-v2")
    assert same(made) and made.inspection["unit"] == "cm"


def test_a_body_that_can_be_none(tmp_path: Path) -> None:
    metres, angles = Store(tmp_path / "m"), Store(tmp_path / "a")
    metres.save(one)
    metres.refused("m tall, in 8 of 8 recordings", "use --unit m", unit="mm")
    draw = np.random.default_rng(0)
    angles.save(lambda label, subject: draw.uniform(-90, 90, (40, 25, 3)))
    angles.refused("no body has such limbs, in 8 of 8", "--layout", layout="kinect-v2")


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(
    ("own", "other"), [(H36M_17, "coco-17"), (COCO_17, "h36m-17"), (BODY_25, "kinect-v2")]
)
def test_joints_in_another_order(store: Store, own: Layout, other: str, flat: bool) -> None:
    def clip(label: int, subject: int) -> Values:
        joints = body(label, subject, own)
        return pixels(joints) if flat else joints

    store.save(clip)
    store.refused("", "--layout", layout=other)
    assert store.make().inspection["layout"] == own.name


def test_joints_of_nobody_known_in_another_order(store: Store) -> None:
    order = np.random.default_rng(0).permutation(17)
    store.save(lambda label, subject: body(label, subject, COCO_17)[:, order])
    store.refused("", "--layout", layout="coco-17")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("A001", "A002", "A003", "A004"), "4 names, such as 'A001', say no action"),
        (("0", "1", "2", "3"), "say no action"),
        (("\U0001f44b", "\U0001f9b5", "\U0001f57a", "\U0001f64c"), "say no action"),
        (("пить воду", "махать", "пинать", "прыгать"), "say little to encoders that read English"),
        (("물 마시기", "손 흔들기", "발차기", "점프"), "say little to encoders that read English"),
    ],
)
def test_names_that_say_nothing_to_a_text_encoder(
    store: Store, names: Sequence[str], said: str
) -> None:
    store.save(one, names)
    assert warned(store.make(), said)


@pytest.mark.parametrize("numbers", ["0123", ("A001", "A002", "A003", "A004")])
def test_numbers_of_classes_become_names_c17(store: Store, numbers: Sequence[str]) -> None:
    store.save(one, list(numbers))
    (store.root / "names.txt").write_text("bow\nkick\nsit down\nwave\n")
    made = store.make(classes=store.root / "names.txt")
    assert made.dataset.classes == CLASSES and warned(made)
    rows = made.dataset.rows
    assert [rows[f"{number}/ann/1.npy"]["label"] for number in numbers] == [0, 1, 2, 3]
    (store.root / "names.txt").write_text("bow\nkick\nsit down\n")
    with pytest.raises(DataError, match=f"no class '{numbers[3]}'"):
        store.make(classes=store.root / "names.txt")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda j: np.concatenate([j, np.zeros((200, *j.shape[1:]))]), "at the ends were cut"),
        (lambda j: np.concatenate([np.zeros((99, *j.shape[1:])), j]), "99 frames without anybody"),
    ],
    ids=["padded", "led"],
)
def test_empty_frames_at_the_ends(
    store: Store, spoil: Callable[[Values], Values], said: str
) -> None:
    store.save(lambda label, subject: spoil(one(label, subject)))
    made = store.make()
    assert same(made) and warned(made, said)


def test_every_other_frame_empty(store: Store) -> None:
    def clip(label: int, subject: int) -> Values:
        joints = one(label, subject)
        joints[1:-1:2] = 0
        return joints

    store.save(clip)
    made = store.make()
    assert same(made, atol=0.2) and warned(made, "frames without anybody were bridged")


def test_two_axes_beside_three(store: Store) -> None:
    store.save(one)
    np.save(store.root / "clips" / "wave" / "ann" / "2.npy", body(3)[..., :2])
    store.refused("has two axes", "data sets of their own")


@pytest.mark.parametrize("shares", [False, True])
def test_pictures_are_marked_and_scaled_by_the_body(store: Store, shares: bool) -> None:
    size = np.array([640, 480]) if shares else 1.0
    store.save(lambda label, subject: pixels(body(label, subject, COCO_17)) / size)
    made = store.make()
    assert made.dataset.flat and made.inspection["unit"] == ("image" if shares else "pixel")
    assert warned(made, *(["16:9"] if shares else []))
    assert all(1.2 < np.ptp(joints[..., 1]) < 2.6 for joints in joints_of(made).values())


@pytest.mark.parametrize("names", ["sit_down", "sit-down", "SitDown", "sitDown", "sit down"])
def test_names_joined_in_any_way_are_one_text(store: Store, names: str) -> None:
    store.save(one, ("bow", "kick", names, "wave"))
    made = store.make(unseen=[names])
    assert made.dataset.classes == CLASSES
    assert made.dataset.splits == {"unseen": (2,)}


def test_two_spellings_of_one_class(store: Store) -> None:
    store.save(one, ("bow", "sit_down", "SitDown", "wave"))
    store.refused("duplicate class", "spell both the same")


def test_scores_beside_the_poses_of_a_file(store: Store) -> None:
    for label, name in enumerate(CLASSES):
        for number, subject in enumerate(("ann", "bob")):
            folder = store.root / "clips" / name / subject
            folder.mkdir(parents=True)
            joints = body(label, number, COCO_17)
            two = np.full((*joints.shape[:2], 2), 0.9)
            np.savez(folder / "1.npz", keypoints=joints, confidence=two, scores=two[..., 0])
    assert len(joints_of(store.make())) == len(joints_of(store.make(layout="coco-17"))) == 8


@pytest.mark.parametrize("unseen", [0.0, -1.0, -0.5])
def test_confidence_in_the_third_column(store: Store, unseen: float) -> None:
    def clip(label: int, subject: int) -> Values:
        joints = pixels(body(label, subject, COCO_17))
        scores = np.full((*joints.shape[:2], 1), 0.9)
        joints[3:6, 9], scores[3:6, 9] = 0.5, unseen
        return np.concatenate([joints, scores], -1)

    store.save(clip)
    made = store.make()
    assert warned(made, "the third number of each joint is its confidence")
    assert made.dataset.flat
    wrist = joints_of(made)["wave/ann/1.npy"][:, 0, 9]
    assert np.linalg.norm(np.diff(wrist, axis=0), axis=1).max() < 0.3


def test_joints_that_were_not_seen_are_zero(store: Store) -> None:
    def clip(label: int, subject: int) -> Values:
        joints = one(label, subject)
        joints[5:7, 0, 6] = 0
        joints[:1, 0, 10] = np.nan
        return joints

    store.save(clip)
    made = store.make()
    assert same(made, atol=0.2)
    assert (
        0
        < made.inspection["missing"]
        == pytest.approx(8 * 3 / (25 * made.inspection["frames"]), rel=1e-6)
    )


@pytest.mark.parametrize("option", ["mirrored", "swap_sides"])
def test_left_and_right_that_contradict_the_axes(store: Store, option: str) -> None:
    store.save(lambda label, subject: one(label, subject) * [-1, 1, 1])
    store.refused("left and right contradict the axes, in 8 of 8", "--mirrored")
    said: dict[str, Any] = {option: True}
    made = store.make(**said)
    assert warned(made) and made.dataset.given == said
    if option == "mirrored":
        assert same(made)


def test_heads_below_feet(store: Store) -> None:
    store.save(lambda label, subject: one(label, subject) * [1, -1, -1])
    store.refused("heads are below feet, in 8 of 8", "--up -y", up="y")
    assert same(store.make())
    assert store.make().dataset.up == "-y"


@pytest.mark.slow
def test_one_of_several_people(store: Store) -> None:
    def clip(label: int, subject: int) -> Values:
        still = np.repeat(one(label, subject)[:1], len(one(label, subject)), 0)
        return np.concatenate([still * 1.2 + ASIDE, one(label, subject)], 1)

    store.save(clip)
    assert store.make().inspection["people"] == 2
    assert same(store.make(people="most-motion"))
    largest = joints_of(store.make(people="largest"))["wave/ann/1.npy"]
    assert largest.shape[1] == 1 and not np.ptp(largest, 0).any()
    assert same(store.make(people="2"))
    with pytest.raises(StarError, match="--people eve: nobody has this name"):
        store.make(people="eve")


def test_a_check_says_the_same_of_what_was_imported(store: Store) -> None:
    """As of what earlier versions took without a word."""
    store.save(one)
    made = store.make()
    source = made.dataset(NoSettings())
    assert integrity.check(source, None, 1, silent)["warnings"] == []
    still = store.root / "clips" / "wave" / "ann" / "1.npy"
    np.save(still, np.repeat(one(3, 0)[:1], 20, 0))
    source = store.make().dataset(NoSettings())
    assert integrity.check(source, None, 1, silent)["warnings"] == ["wave/ann/1.npy: nothing moves"]


def test_the_command_says_what_came_in_and_what_to_look_at(
    cli: Callable[..., Outcome], store: Store
) -> None:
    store.save(one)
    place = ("data", "import", "mine", str(store.root / "clips"), "--fps", "20")
    done = cli(*place)
    assert done.code == 0, done.err
    for text in ("kinect-v2", "frames a second", "protocol xsub", "4 train, 4 test"):
        assert text in done.out
    assert "see it move: starcli view mine" in done.err
    assert "next: starcli train --dataset mine" in done.err
    document = json.loads(cli(*place, "--overwrite", "--json").out)
    inspected = json.loads(cli("data", "inspect", *place[3:], "--json").out)
    for key, value in {
        "reader": "arrays",
        "layout": "kinect-v2",
        "clips": 8,
        "people": 1,
        "fps": 20.0,
        "unit": "m",
        "missing": 0.0,
        "warnings": [],
    }.items():
        assert document[key] == inspected[key] == value
    assert document["frames"] == inspected["frames"] > 0
    assert document["axes"] == inspected["axes"] == "x y z"
    seen = json.loads(cli("view", "mine", "--out", "x.html", "--json").out)
    assert len(seen["clips"]) == 8
    assert "20 frames a second" in seen["clips"][0]["facts"][0]


def test_parts_of_a_long_file_are_clips_and_it_is_read_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = np.concatenate([one(label, 0) for label in range(4)])
    ends = np.cumsum([0, *(len(one(label, 0)) for label in range(4))])
    np.savez(store.root / "long.npz", joints=long, fps=np.array(20.0))
    rows = [f"long.npz,{ends[n] / 20},{ends[n + 1] / 20},{CLASSES[n]}" for n in range(4)]
    rows += [f"long.npz,{ends[n] / 20},{ends[n + 1] / 20 - 0.5},{CLASSES[n]}" for n in range(4)]
    (store.root / "parts.csv").write_text("file,start,end,class\n" + "\n".join(rows))
    reads: list[int] = []
    read = Arrays.read

    def counted(self: Arrays, files: Sequence[PoseFile]) -> Iterator[Poses]:
        reads.append(len(files))
        return read(self, files)

    monkeypatch.setattr(Arrays, "read", counted)
    made = store.make("parts.csv")
    assert len(reads) == 2  # once to see which axis points up
    assert made.dataset.fps == 20.0
    found = joints_of(made)
    assert len(found) == 8
    for n in range(4):
        start, end = ends[n] / 20, ends[n + 1] / 20
        np.testing.assert_allclose(found[f"long.npz@{start}-{end}"], one(n, 0), atol=1e-6)
        assert len(found[f"long.npz@{start}-{end - 0.5}"]) == len(one(n, 0)) - 10


def test_a_zip_of_a_folder_is_the_folder(store: Store) -> None:
    store.save(one)
    archive = shutil.make_archive(str(store.root / "packed"), "zip", store.root, "clips")
    made = store.make(Path(archive).name)
    assert same(made) and warned(made)
    with pytest.raises(DataError, match="does not match --class-pattern") as caught:
        store.make(Path(archive).name, pattern="(?P<class>x)")
    assert caught.value.file == f"{archive}/bow/ann/1.npy"

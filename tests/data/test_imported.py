"""Own recordings become a data set with a name: what arrives, what is refused, what runs."""

from __future__ import annotations

import io
import json
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from starcli import array_files, registry
from starcli.contracts import Layout, NoSettings
from starcli.data import imported, layouts
from starcli.data.importing import options
from starcli.data.importing.builder import ImportRequest, make
from starcli.data.importing.index import Entry, rows
from starcli.data.importing.options import meaning
from starcli.errors import DataError, StarError, UsageError
from starcli_plugins.layouts import COCO_17
from tests.bodies import body
from tests.conftest import Outcome
from tests.test_pipeline import TINY

Cli = Callable[..., Outcome]
NAMES = ["coco-17", "kinect-v1", "kinect-v2", "mediapipe-33"]
STICK = """
name = "stick"
joints = ["hip", "neck", "left hand", "right hand"]
bones = [["hip", "neck"], ["left hand", "neck"], [3, 1]]
origin = "hip"
centre = "neck"
across = ["left hand", "right hand"]
[parts.2]
upper = ["neck", "left hand", "right hand"]
lower = ["hip"]
[parts.3]
trunk = [1]
hands = [2, 3]
lower = [0]
"""


def clip(value: float = 0.5, frames: int = 3, joints: int = 4) -> np.ndarray[Any, Any]:
    """A clip whose every number tells frame, joint and axis."""
    numbers = np.arange(frames * joints * 3).reshape(frames, joints, 3)
    return (value + numbers / 1000).astype(np.float32)


EXPECTED = "[frames, joints, 2 or 3] or [frames, persons, joints, 2 or 3] of numbers"


def is_clip(shape: tuple[int, ...]) -> bool:
    return len(shape) in (3, 4) and shape[-1] in (2, 3) and min(shape) > 0


def read_clip(path: Path, key: str = "") -> npt.NDArray[Any]:
    return array_files.read(path, key, shaped=is_clip, expected=EXPECTED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four classes by two subjects, and the layout of a stick."""
    (tmp_path / "stick.toml").write_text(STICK)
    for number, name in enumerate(("bow", "jump", "sit", "wave")):
        for subject in ("ann", "bob"):
            path = tmp_path / "clips" / name / subject / "1.npy"
            path.parent.mkdir(parents=True)
            np.save(path, clip(number + (subject == "bob") / 2))
    return tmp_path


def request(folder: Path, source: str = "clips", **more: Any) -> ImportRequest:
    said = {key: more.pop(key) for key in ("up", "unit") if key in more}
    return ImportRequest(folder / source, meaning(str(folder / "stick.toml"), **said), **more)


def made(folder: Path, source: str = "clips", **more: Any) -> imported.Imported:
    again = more.pop("overwrite", False)
    asked = request(folder, source, **more)
    return make("mine", asked, folder / "store", overwrite=again).dataset(NoSettings())


def clips_of(source: imported.Imported) -> dict[str, Any]:
    return {c.name: c for r in source.recordings(None) for c in source.clips(r)}


def index(folder: Path, text: str, name: str = "index.csv") -> str:
    (folder / name).write_text(text, "utf-8")
    return name


def entries_of(path: Path) -> list[Entry]:
    return [row.entry() for row in rows(path)]


def test_a_folder_of_clips_becomes_a_data_set(folder: Path) -> None:
    before = {p: p.read_bytes() for p in (folder / "clips").rglob("*.npy")}
    source = made(folder)
    assert source.classes == ("bow", "jump", "sit", "wave")
    assert source.protocols == ("xsub",)
    assert source.splits == {f"fold{n}": (n,) for n in range(4)}
    found = clips_of(source)
    assert list(found) == sorted(found)
    assert len(found) == 8
    one = found["wave/bob/1.npy"]
    assert (one.label, one.subject, one.subsets) == (3, "bob", {"xsub": "test"})
    assert found["wave/ann/1.npy"].subsets == {"xsub": "train"}
    assert one.joints.dtype == np.float32
    np.testing.assert_array_equal(one.joints, clip(3.5)[:, None])
    assert {p: p.read_bytes() for p in before} == before
    assert sorted(p.name for p in (folder / "store" / "datasets").iterdir()) == ["mine"]
    totals = source.totals
    assert (totals.clips, totals.subjects, totals.views) == (8, 2, None)
    assert totals.subsets == {"xsub": {"train": [1, 1, 1, 1], "test": [1, 1, 1, 1]}}
    assert totals.names is not None
    assert sorted(totals.names()) == list(found)


def test_an_index_says_file_class_subject_view_and_sides(folder: Path) -> None:
    rows = [
        "file,class,subject,view,mine",
        "a b.npy,Bow,7,left,test",
        '"c,d.npy",wave,8,right,train',
        "e.npz#x,wave,9,left,train",
        "sub/f.npz,bow,7,right,train",
    ]
    (folder / "sub").mkdir()
    np.save(folder / "a b.npy", clip(1))
    np.save(folder / "c,d.npy", clip(2))
    np.savez(folder / "e.npz", x=clip(3), y=clip(9))
    np.savez_compressed(folder / "sub" / "f.npz", only=clip(4))
    names = index(folder, "wave\nBOW\n", "names.txt")
    source = made(
        folder, index(folder, "\n".join(rows)), classes=folder / names, train={"xsub": ["8", "9"]}
    )
    found = clips_of(source)
    assert source.classes == ("wave", "BOW")
    assert source.protocols == ("mine", "xsub", "xview")
    assert [found[n].label for n in ("a b.npy", "c,d.npy", "e.npz#x", "sub/f.npz")] == [1, 0, 0, 1]
    assert found["a b.npy"].subsets == {"mine": "test", "xsub": "test", "xview": "train"}
    assert found["c,d.npy"].subsets == {"mine": "train", "xsub": "train", "xview": "test"}
    np.testing.assert_array_equal(found["e.npz#x"].joints, clip(3)[:, None])
    np.testing.assert_array_equal(found["sub/f.npz"].joints, clip(4)[:, None])


def test_a_json_index_says_the_same_as_csv(folder: Path) -> None:
    np.savez(folder / "e.npz", x=clip(1), y=clip(2), z=clip(3), w=clip(4))
    rows = [
        {"file": f"e.npz#{key}", "class": name, "subject": subject}
        for key, name, subject in (("x", "a", 1), ("y", "b", 1), ("z", "a", 2), ("w", "b", 2))
    ]
    lines = ["file,class,subject", *(",".join(map(str, row.values())) for row in rows)]
    one = made(folder, index(folder, json.dumps(rows), "index.json"))
    two = make("two", request(folder, index(folder, "\n".join(lines))), folder / "store").dataset
    assert one.digest == two.digest
    assert one.rows["e.npz#z"]["sides"] == {"xsub": "test"}


def test_every_array_of_an_npz_in_a_folder_is_a_clip(folder: Path) -> None:
    np.savez(folder / "clips" / "bow" / "ann" / "2.npz", p=clip(0), q=clip(1))
    found = clips_of(made(folder))
    np.testing.assert_array_equal(found["bow/ann/2.npz#q"].joints, clip(1)[:, None])
    assert len(found) == 10


@pytest.mark.parametrize(
    ("up", "unit", "x", "y", "z"),
    [
        ("y", "cm", (0, 0.01), (1, 0.01), (2, 0.01)),
        ("z", "m", (0, 1), (2, 1), (1, -1)),
        ("-y", "mm", (0, 0.001), (1, -0.001), (2, -0.001)),
        ("x", "m", (1, -1), (0, 1), (2, 1)),
    ],
)
def test_axes_and_units_by_hand(
    folder: Path, up: str, unit: str, x: tuple[int, float], y: Any, z: Any
) -> None:
    joints = clips_of(made(folder, up=up, unit=unit))["wave/bob/1.npy"].joints[:, 0]
    want = np.stack([factor * clip(3.5)[..., axis] for axis, factor in (x, y, z)], -1)
    np.testing.assert_allclose(joints, want, rtol=1e-6)
    plane = folder / "clips" / "wave" / "bob" / "2.npy"
    for path in (folder / "clips").rglob("*.npy"):
        np.save(path, np.load(path)[..., :2])
    np.save(plane, clip(3.5)[..., :2])
    if up == "z":
        with pytest.raises(UsageError, match="--up z: the recordings have two axes"):
            made(folder, up=up, unit=unit, overwrite=True)
        return
    flat = clips_of(made(folder, up=up, unit=unit, overwrite=True))["wave/bob/2.npy"].joints[:, 0]
    np.testing.assert_allclose(flat[..., :2], want[..., :2], rtol=1e-6)
    assert not flat[..., 2].any() and not np.signbit(flat[..., 2]).any()


def test_two_persons_stay_two_and_an_absent_one_zero(folder: Path) -> None:
    pair = np.stack([clip(1), clip(2), np.zeros((3, 4, 3))], 1)
    pair[2, 1] = 0
    np.save(folder / "clips" / "bow" / "ann" / "2.npy", pair)
    found = clips_of(made(folder, up="z"))
    joints = found["bow/ann/2.npy"].joints
    assert joints.shape == (3, 2, 4, 3)
    assert not joints[2, 1].any()
    assert joints[:2, 1].all() and joints[:, 0].all()
    assert found["bow/ann/1.npy"].joints.shape == (3, 1, 4, 3)


def test_shards_hold_the_bytes_that_the_file_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from starcli.data.importing import builder
    from starcli.files import digest

    monkeypatch.setattr(builder, "SHARD_BYTES", 3 * clip().nbytes)
    source = made(folder)
    listed = json.loads((source.folder / "dataset.json").read_text())["shards"]
    place = source.folder / digest(source.folder / "dataset.json")[:16]
    assert [len(load_file(place / s["file"])["joints"]) for s in listed] == [9, 9, 6]
    assert all(digest(place / s["file"]) == s["sha256"] for s in listed)
    np.testing.assert_array_equal(clips_of(source)["sit/bob/1.npy"].joints, clip(2.5)[:, None])


def test_without_subjects_or_views_every_other_clip_of_a_class_trains(folder: Path) -> None:
    for number in range(3):
        np.save(folder / f"{number}.npy", clip(number))
        np.save(folder / f"{number}b.npy", clip(number))
    rows = "".join(f"{n}.npy,bow\n{n}b.npy,wave\n" for n in range(3))
    source = made(folder, index(folder, "file,class\n" + rows))
    assert source.protocols == ("half",)
    subsets = {name: c.subsets["half"] for name, c in clips_of(source).items()}
    assert [subsets[f"{n}.npy"] for n in range(3)] == ["train", "test", "train"]
    assert [subsets[f"{n}b.npy"] for n in range(3)] == ["train", "test", "train"]
    assert {c.subject for c in clips_of(source).values()} == {""}


@given(st.integers(2, 40))
def test_default_folds_make_every_class_unseen_once(count: int) -> None:
    names = [str(n) for n in range(count)]
    folds = options.splits([], names, list(range(count)))
    assert sorted(c for fold in folds.values() for c in fold) == list(range(count))
    sizes = {len(fold) for fold in folds.values()}
    assert max(sizes) - min(sizes) <= 1
    assert len(folds) == min(5, count)


def test_unseen_classes_are_named_by_flag_or_file(folder: Path) -> None:
    names = ("bow", "jump", "a, b")
    (folder / "s.toml").write_text('hard = ["a, b", "Bow"]\n"5/5" = ["jump"]\n')
    (folder / "s.json").write_text('{"easy": ["jump"]}')
    assert options.splits(["bow,jump"], names, [0, 1, 2]) == {"unseen": (0, 1)}
    given = ["one = jump", str(folder / "s.toml"), str(folder / "s.json")]
    assert options.splits(given, names, [0, 1, 2]) == {
        "one": (1,),
        "hard": (0, 2),
        "5/5": (1,),
        "easy": (1,),
    }


@pytest.mark.parametrize(
    ("unseen", "said"),
    [
        (["bwo"], "no class 'bwo'"),
        (["a=bow,jump"], "2 of 2 classes are unseen"),
        (["a=bow", "a=jump"], "'a' is not a name of a split, or a duplicate"),
        (["../x=bow"], "'../x' is not a name of a split"),
        (["a="], "no class ''"),
    ],
)
def test_impossible_splits_are_refused_c04(unseen: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        options.splits(unseen, ("bow", "jump"), [0, 1])
    assert said in caught.value.message


def test_a_class_without_clips_is_known_but_not_learned(folder: Path) -> None:
    names = index(folder, "bow\nfly\njump\nsit\nwave\n", "names.txt")
    source = made(folder, classes=folder / names)
    assert source.missing_classes == (1,)
    assert set(sum(source.splits.values(), ())) == {0, 2, 3, 4}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("bow\n\nwave\n", 2, "empty"),
        ("bow\nwave\n  \nsit\n", 3, "empty"),
        ("caf\u00e9\nwave\nCafe\u0301\n", 3, "it is 'caf\u00e9' in line 1"),
        ("stra\u00dfe\nSTRASSE", 2, "in line 1"),
        ("only\n", None, "1 class, expected 2 or more"),
        ("", 1, "empty"),
    ],
)
def test_bad_class_names_c15_c16(folder: Path, text: str, line: int | None, said: str) -> None:
    path = folder / index(folder, text, "names.txt")
    with pytest.raises(DataError) as caught:
        options.classes(path, [])
    assert said in caught.value.message
    assert (caught.value.file, caught.value.line) == (str(path), line)


def test_two_spellings_of_a_class_in_an_index_c15(folder: Path) -> None:
    name = index(folder, "file,class\na.npy,wave\nb.npy,bow\nc.npy,Wave\n")
    with pytest.raises(DataError, match="line") as caught:
        options.classes(None, entries_of(folder / name))
    assert caught.value.line in (2, 4)
    assert f"line {6 - caught.value.line}" in caught.value.message


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def test_rows_that_name_one_clip_or_a_subject_for_some_only_are_named(folder: Path) -> None:
    one, two = "clips/bow/ann/1.npy", "clips/wave/ann/1.npy"
    twice = index(folder, f"file,class\n{one},bow\n{two},wave\n{one},bow\n")
    with pytest.raises(DataError, match=r"duplicate clip '.*', also in line 2") as caught:
        made(folder, twice)
    assert caught.value.line == 4
    some = index(folder, f"file,class,subject\n{one},bow,1\n{two},wave,\n")
    with pytest.raises(DataError, match="has no subject, others have one") as caught:
        made(folder, some)
    assert caught.value.line == 3


def saved(value: Any, **more: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, value, **more)
    return buffer.getvalue()


HEADER = "{{'descr': '<f4', 'fortran_order': False, 'shape': {}}}"
BAD_ARRAYS: Mapping[str, tuple[bytes, str]] = {
    "objects_B07": (saved(np.array([[[None]]]), allow_pickle=True), "Python objects, refused"),
    "complex_B10": (saved(np.ones((2, 4, 3), complex)), "got complex128 [2, 4, 3]"),
    "text_B10": (saved(np.full((2, 4, 3), "x")), "got <U1 [2, 4, 3]"),
    "flat_B10": (saved(np.ones((2, 13))), "got float64 [2, 13]"),
    "five_axes_B10": (saved(np.ones((2, 4, 5))), "expected [frames, joints, 2 to 4]"),
    "no_frames": (saved(np.ones((0, 4, 3))), "got float64 [0, 4, 3]"),
    "joints": (saved(np.ones((2, 5, 3))), "has 5 joints, layout stick has 4"),
    "huge_B12": (npy(HEADER.format((10**12, 4, 3))), "claims float32 [1000000000000, 4, 3]"),
    "negative_B12": (npy(HEADER.format((-1, 4, 3))), "got float32 [-1, 4, 3]"),
    "code_B12": (npy("__import__('os')"), "has no readable .npy header"),
    "cut_B08": (saved(clip())[:-8], "claims float32 [3, 4, 3], 144 bytes, and holds 136"),
    "more_B08": (saved(clip()) + b"x", "and holds 145"),
    "empty": (b"", "has no readable .npy header"),
    "far": (saved(np.full((3, 4, 3), 1500.0)), "expected metres below 100, got 1500.0"),
    "nobody": (saved(np.zeros((3, 4, 3))), "has no person in any frame"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays(folder: Path, case: str) -> None:
    content, said = BAD_ARRAYS[case]
    path = folder / "clips" / "bow" / "ann" / "1.npy"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        made(folder)
    assert said in caught.value.message
    assert "allow_pickle" not in str(caught.value) + caught.value.fix
    assert caught.value.file == "bow/ann/1.npy"
    assert caught.value.fix
    assert caught.value.frame == {"far": 1}.get(case)
    assert imported.names(folder / "store") == []
    assert not list((folder / "store").glob("unfinished/*"))


def test_millimetres_taken_for_metres_get_a_hint(folder: Path) -> None:
    np.save(folder / "clips" / "bow" / "ann" / "1.npy", 1000 * clip())
    with pytest.raises(DataError) as caught:
        made(folder)
    assert "--unit" in caught.value.fix


@pytest.mark.parametrize("damage", ["crc", "cut", "text", "missing", "objects"])
def test_bad_npz_names_the_member_b08_b09(folder: Path, damage: str) -> None:
    path = folder / "x.npz"
    np.savez(path, a=clip(1), b=clip(2))
    content = bytearray(path.read_bytes())
    place = f"{path}#a"
    if damage == "crc":
        content[300] ^= 1
    elif damage == "cut":
        del content[len(content) // 2 :]
    elif damage == "text":
        content = bytearray(b"no zip at all")
    path.write_bytes(content)
    if damage == "missing":
        np.savez(path, b=clip(2), c=clip(2))
    if damage == "objects":
        np.savez(path, a=np.array([None]))
    said = {"missing": "no array 'a'; there are: b, c", "objects": "Python objects, refused"}
    with pytest.raises(DataError) as caught:
        read_clip(path, "a")
    assert said.get(damage, "cannot be read") in caught.value.message
    assert caught.value.file == place


def test_a_zip_bomb_is_refused_by_its_claim_b11(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_files, "MAX_BYTES", 2**20)
    np.savez_compressed(folder / "x.npz", a=np.zeros((100_000, 4, 3), np.float32))
    assert (folder / "x.npz").stat().st_size < 2**16
    with pytest.raises(DataError, match=r"has 4,800,000 bytes, at most 1,048,576 are read"):
        read_clip(folder / "x.npz", "a")


def test_an_npz_of_several_needs_a_key(folder: Path) -> None:
    np.savez(folder / "x.npz", a=clip(1), b=clip(2))
    with pytest.raises(DataError, match="has 2 arrays; there are: a, b"):
        read_clip(folder / "x.npz")


@given(st.binary(max_size=200), st.integers(0, 400))
@settings(deadline=None, max_examples=200)
def test_any_bytes_are_read_or_refused(tail: bytes, cut: int) -> None:
    whole = saved(clip())
    with io.BytesIO(whole[:cut] + tail) as file:
        try:
            found = array_files._array(file, len(whole[:cut] + tail), "x.npy", is_clip, EXPECTED)
        except DataError:
            return
    assert found.ndim in (3, 4)


def test_columns_first_order_is_the_same_clip(folder: Path) -> None:
    np.save(folder / "f.npy", np.asfortranarray(clip()))
    np.testing.assert_array_equal(read_clip(folder / "f.npy"), clip())


@pytest.mark.parametrize("name", NAMES)
def test_every_layout_survives_being_written_down(name: str) -> None:
    layout = registry.layout(name)
    written = json.loads(json.dumps(layouts.tree(layout)))
    assert layouts.parse(written, Path("x")) == layout


def test_a_layout_is_read_from_toml(folder: Path) -> None:
    assert layouts.read(folder / "stick.toml") == Layout(
        name="stick",
        joints=("hip", "neck", "left hand", "right hand"),
        bones=((0, 1), (2, 1), (3, 1)),
        parts={
            2: {"upper": (1, 2, 3), "lower": (0,)},
            3: {"trunk": (1,), "hands": (2, 3), "lower": (0,)},
        },
        origin=0,
        centre=1,
        across=(2, 3),
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "stick"\n', "", "a layout: expected name, joints"),
        ('name = "stick"', 'name = ""', "name: expected a text"),
        ('name = "stick"', 'name = "stick"\nspine = 1', "got name, spine"),
        (
            '"left hand", "right hand"]\nbones',
            '"hip", "right hand"]\nbones',
            "duplicate name 'hip'",
        ),
        ('["hip", "neck", "left hand", "right hand"]', '["hip"]', "expected at least two names"),
        ("[3, 1]", "[4, 1]", "bone: no joint 4 among 4"),
        ("[3, 1]", "[true, 1]", "bone: no joint True"),
        ("[3, 1]", "[-1, 1]", "bone: no joint -1"),
        ("[3, 1]", "[3, 3]", "two different joints"),
        ("[3, 1]", "[3, 2, 1]", "two different joints"),
        (", [3, 1]", "", "got 'neck', 'right hand'"),
        (", [3, 1]", ", [2, 0]", "joint 'left hand' has 2 parents"),
        ("[3, 1]]", "[1, 0]]", "bones form a cycle at 'hip'"),
        ("[3, 1]]", "[3, 1], [1, 3]]", "bones form a cycle"),
        ('"neck"\nacross', '"nek"\nacross', "centre: no joint 'nek'"),
        ("[parts.2]", "[parts.4]", "parts.4: expected 4 parts, got 2"),
        ('lower = ["hip"]', 'lower = ["hip", "neck"]', "joint 'neck': expected in 1 part, got 2"),
        ("trunk = [1]", "trunk = []", "joint 'neck': expected in 1 part, got 0"),
        ("trunk = [1]\nhands = [2, 3]", "trunk = [1, 2]\nhands = [3]\n", ""),
        (
            '"left hand", "right hand"]\nlower = ["hip"]',
            '"left hand"]\nlower = ["hip", 3]',
            "parts.2.upper: is not a union of parts",
        ),
        ("trunk = [1]", "name = [1]", "cannot be called 'name'"),
        ("[parts.2]", "[other.2]", "a layout: expected"),
        ('["left hand", "right hand"]\n[', '["left hand", "left hand"]\n[', "two different joints"),
        ("name =", "name", "not readable TOML"),
    ],
)
def test_bad_layouts_are_refused(folder: Path, old: str, new: str, said: str) -> None:
    assert STICK.count(old) == 1
    path = folder / "stick.toml"
    path.write_text(STICK.replace(old, new))
    if not said:  # a change that leaves it sound
        assert layouts.read(path).parts[3]["trunk"] == (1, 2)
        return
    with pytest.raises(DataError) as caught:
        layouts.read(path)
    assert said in caught.value.message
    assert caught.value.file == str(path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("simulated", "is the data set of a plugin"),
        ("../mine", "cannot be called"),
        ("Mine", "cannot be called"),
        ("a" * 101, "cannot be called"),
        ("", "cannot be called"),
        ("-x", "cannot be called"),
    ],
)
def test_names_that_cannot_be_used_f19(folder: Path, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make(name, request(folder), folder / "store")
    assert not (folder / "store").exists()


def test_a_data_set_is_replaced_only_on_request_f11(folder: Path) -> None:
    first = made(folder)
    with pytest.raises(UsageError, match="there is a data set 'mine'") as caught:
        made(folder)
    assert "--overwrite" in caught.value.fix
    np.save(folder / "clips" / "bow" / "ann" / "1.npy", clip(9))
    second = make("mine", request(folder), folder / "store", overwrite=True).dataset(NoSettings())
    assert second.digest != first.digest
    assert clips_of(second)["bow/ann/1.npy"].joints[0, 0, 0, 0] == 9
    assert [p.name for p in (folder / "store" / "datasets").iterdir()] == ["mine"]


def test_a_failed_replacement_keeps_what_was_there_f11(folder: Path) -> None:
    first = made(folder)
    (folder / "clips" / "wave" / "bob" / "1.npy").write_bytes(b"")
    with pytest.raises(DataError):
        make("mine", request(folder), folder / "store", overwrite=True)
    assert imported.load(folder / "store", "mine").digest == first.digest
    assert [p.name for p in (folder / "store" / "datasets").iterdir()] == ["mine"]


def test_importing_again_gives_the_same_bytes(folder: Path) -> None:
    first, second = made(folder), make("two", request(folder), folder / "store").dataset
    assert first.digest == second.digest


@pytest.mark.skipif(
    sys.getfilesystemencoding() != "utf-8", reason="file names here cannot have every character"
)
def test_file_names_of_any_kind_f18(folder: Path) -> None:
    for name in ("-x y.npy", "z\nb.npy", "\u00e9\U0001f600.npy", "n" * 200 + ".npy"):
        np.save(folder / "clips" / "bow" / "ann" / name, clip(1))
    assert len(clips_of(made(folder))) == 12
    long = "n" * 300
    row = f"file,class\n{long}.npy,bow\n{long}.npz,bow\nx.npy,wave\ny.npy,wave\n"
    with pytest.raises(DataError, match="cannot be read"):
        make("two", request(folder, index(folder, row)), folder / "store")


@pytest.mark.parametrize("path", ["x.npy", "a/b/c/x.npy"])
def test_clips_outside_the_folders_of_classes_are_named_c01(folder: Path, path: str) -> None:
    place = folder / "clips" / path
    place.parent.mkdir(parents=True, exist_ok=True)
    np.save(place, clip())
    with pytest.raises(DataError, match=f"'{path}' has no class") as caught:
        made(folder)
    assert caught.value.file == str(place)
    assert "--class-pattern" in caught.value.fix


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({"xsub": ["bob", "eve"]}, "no subject 'eve'"),
        ({"xview": ["front"]}, "--train-views: no clip has one"),
    ],
)
def test_subjects_and_views_that_nobody_is(
    folder: Path, train: Mapping[str, Sequence[str]], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        made(folder, train=train)


def test_a_protocol_without_a_test_side_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="protocol xsub: every clip is in the subset 'train'"):
        made(folder, train={"xsub": ["ann", "bob"]})


def test_a_class_that_is_not_listed_is_named_with_its_line(folder: Path) -> None:
    names = index(folder, "wave\nbow\n", "names.txt")
    lines = index(folder, "file,class\nclips/bow/ann/1.npy,wave\nclips/bow/bob/1.npy,bwo\n")
    with pytest.raises(DataError, match="no class 'bwo'") as caught:
        made(folder, lines, classes=folder / names)
    assert (caught.value.line, "did you mean 'bow'?" in caught.value.fix) == (3, True)


def test_other_processes_read_the_same_data_set_or_none(folder: Path) -> None:
    source = made(folder)
    sent = pickle.dumps(source)
    again = pickle.loads(sent)
    assert clips_of(again).keys() == clips_of(source).keys()
    np.save(folder / "clips" / "bow" / "ann" / "1.npy", clip(9))
    make("mine", request(folder), folder / "store", overwrite=True)
    with pytest.raises(DataError, match="changed while it was read"):
        pickle.loads(sent)


@pytest.mark.parametrize("damage", ["gone", "cut", "short"])
def test_damaged_shards_are_named(folder: Path, damage: str) -> None:
    source = made(folder)
    [shard] = source.folder.glob("*/clips-00000.safetensors")
    content = shard.read_bytes()
    shard.unlink()
    if damage == "cut":
        shard.write_bytes(content[:-7])
    if damage == "short":
        from safetensors.numpy import save_file

        save_file({"joints": np.ones((2, 4, 3), np.float32)}, shard)
    with pytest.raises(DataError) as caught:
        clips_of(source)
    assert caught.value.file == str(shard)
    assert "starcli data import" in caught.value.fix


def test_a_flipped_bit_in_a_shard_is_found_e11(folder: Path) -> None:
    source = made(folder)
    [shard] = source.folder.glob("*/clips-00000.safetensors")
    content = bytearray(shard.read_bytes())
    content[-3] ^= 1
    shard.unlink()
    shard.write_bytes(content)
    with pytest.raises(DataError, match="its bytes are not those that were written") as caught:
        clips_of(source)
    assert caught.value.file == str(shard)
    make("mine", request(folder), folder / "store", overwrite=True)  # the same again mends it
    assert len(clips_of(source)) == 8


def as_before(source: imported.Imported) -> None:
    """Lay a data set out as earlier versions did: shards beside the file."""
    [version] = (path for path in source.folder.iterdir() if path.is_dir())
    for shard in version.iterdir():
        shard.rename(source.folder / shard.name)
    version.rmdir()


def test_data_sets_of_earlier_versions_are_read_and_replaced(folder: Path) -> None:
    source = made(folder)
    clips = clips_of(source)
    as_before(source)
    (source.folder / "dataset.json").touch()  # another process, which has not read it
    again = imported.load(folder / "store", "mine")(NoSettings())
    assert again.digest == source.digest
    found = clips_of(again)
    assert found.keys() == clips.keys()
    for name, clip in clips.items():
        np.testing.assert_array_equal(found[name].joints, clip.joints)
    make("mine", request(folder), folder / "store", overwrite=True)
    assert len([*source.folder.iterdir()]) == 2
    assert clips_of(imported.load(folder / "store", "mine")(NoSettings())).keys() == clips.keys()


def test_a_flipped_letter_of_the_description_is_found_e11(folder: Path) -> None:
    path = made(folder).folder / "dataset.json"
    path.write_text(path.read_text().replace('"wave"', '"wavy"'))
    with pytest.raises(DataError, match="is damaged, or clips that it names are gone") as caught:
        imported.load(folder / "store", "mine")
    assert caught.value.file == str(path)


def test_one_damaged_data_set_leaves_the_list_of_others(cli: Cli, folder: Path) -> None:
    make("good", request(folder), folder / "store")
    path = made(folder).folder / "dataset.json"
    path.write_text("{}")
    table = cli("data", "list", "--store", str(folder / "store"))
    assert table.code == 9
    assert "good" in table.out
    assert "mine: " in table.err
    listed = json.loads(cli("data", "list", "--store", str(folder / "store"), "--json").out)
    assert {"good": "stick"}.items() <= {r["name"]: r["layout"] for r in listed["datasets"]}.items()
    [bad] = listed["bad"]
    assert (bad["name"], bad["file"], bad["exit_code"]) == ("mine", str(path), 3)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1}'])
def test_a_damaged_description_is_named(folder: Path, text: str) -> None:
    path = made(folder).folder / "dataset.json"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        imported.load(folder / "store", "mine")
    assert caught.value.file == str(path)


def test_an_unknown_data_set_lists_plugins_and_imported_ones(folder: Path) -> None:
    made(folder)
    with pytest.raises(UsageError, match="no dataset 'mien'") as caught:
        imported.load(folder / "store", "mien")
    assert caught.value.fix.startswith("did you mean 'mine'? there are: ")
    assert "simulated" in caught.value.fix
    with pytest.raises(UsageError, match=r"no dataset '\.\./datasets/mine'"):
        imported.load(folder / "store", "../datasets/mine")


def coco(tmp_path: Path) -> None:
    """Eight classes by three subjects on a plane, in millimetres, y down."""
    for number in range(8):
        for place, subject in enumerate("abc"):
            path = tmp_path / "poses" / f"action {number}" / subject / "1.npy"
            path.parent.mkdir(parents=True)
            np.save(path, -1000 * body(number, place, COCO_17)[..., :2])


TRAIN = [
    part
    for key, value in TINY.items()
    if key != "dataset.subjects"
    for part in ("--set", f"{key}={value}")
]
IMPORT = ["data", "import", "poses", "poses", "--layout", "coco-17", "--up", "-y", "--unit", "mm"]


@pytest.mark.slow
def test_an_imported_data_set_trains_without_a_further_step(cli: Cli, tmp_path: Path) -> None:
    coco(tmp_path)
    done = cli(*IMPORT, "--train-subjects", "a,b", "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert done.out.count("\n") == 1
    assert (said["ok"], said["dataset"], said["clips"], said["layout"]) == (
        True,
        "poses",
        24,
        "coco-17",
    )
    assert said["protocols"] == {"xsub": {"train": 16, "test": 8}}
    assert said["splits"]["fold0"] == ["action 0", "action 5"]
    trained = cli("train", "--dataset", "poses", *TRAIN, "--json")
    assert trained.code == 0, trained.err
    report = cli("evaluate", "--json")
    assert report.code == 0, report.err
    found = json.loads(report.out)
    assert (found["dataset"], found["protocol"], found["split"]) == ("poses", "xsub", "fold0")
    assert found["zsl"]["clips"] == 2
    assert json.loads(cli("train", "--dataset", "poses", *TRAIN, "--json").out)["ran"] == []
    # The same recordings under --overwrite are the same data set; others are not.
    assert cli(*IMPORT, "--train-subjects", "a,b", "--overwrite").code == 0
    assert json.loads(cli("train", "--dataset", "poses", *TRAIN, "--json").out)["ran"] == []
    assert cli(*IMPORT, "--train-subjects", "a,c", "--overwrite").code == 0
    stale = cli("evaluate")
    assert (stale.code, "its prepare has changed since" in stale.err) == (3, True)
    bones = cli("pretrain", "--dataset", "poses", *TRAIN, "--set", "extract.modality=bone")
    assert bones.code == 0, bones.err


def test_bones_of_an_imported_layout(folder: Path) -> None:
    import torch

    from starcli.data.transforms import modality

    source = made(folder)
    joints = torch.from_numpy(clips_of(source)["bow/ann/1.npy"].joints).permute(3, 0, 2, 1)[None]
    bones = modality(joints, source.layout.bones, "bone")
    # Joints lie 3/1000 apart on every axis; neck (1) is the parent of all.
    expected = [-0.003, 0, 0.003, 0.006]
    np.testing.assert_allclose(bones[0, 0, 0, :, 0], expected, atol=1e-6)


def test_a_layout_without_six_parts_is_cut_into_its_finest(folder: Path) -> None:
    from starcli.experiment import Experiment
    from starcli.settings.resolve import load

    made(folder)
    loaded = load({"dataset.name": "mine", "run.store": folder / "store"})
    assert loaded.settings.parts == 3
    assert (loaded.settings.dataset.protocol, loaded.settings.dataset.split) == ("xsub", "fold0")
    assert loaded.settings.describer.name == "names"
    assert loaded.plugin_settings["method"].model_dump()["width"] == 128
    assert Experiment(loaded).raw_digest == ""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["train", "--dataset", "poses", "--raw", "x"], 2, "poses reads no recordings"),
        (["train", "--dataset", "pose"], 2, "did you mean 'poses'?"),
        (IMPORT, 2, "there is a data set 'poses'"),
        (["data", "import", "new", "none", "--layout", "coco-17"], 3, "no such file or folder"),
        (
            ["data", "import", "new", "poses", "--layout", "mediapipe"],
            2,
            "did you mean 'mediapipe-33'?",
        ),
        (["data", "import", "new", "poses", "--layout", "no.toml"], 3, "no.toml: cannot be read"),
        (["data", "import", "new", "poses", "--reader", "bvh"], 3, "none of its 24 files is BVH"),
        (["data", "import", "new", "poses", "--layout", "kinect-v2"], 3, "has 17 joints, layout"),
        (["data", "import", "new", "poses", "--layout", "coco-17", "--up", "z"], 2, "--up z"),
    ],
)
def test_misuse(cli: Cli, tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    coco(tmp_path)
    assert cli(*IMPORT).code == 0
    done = cli(*arguments)
    assert (done.code, said in done.err) == (code, True), done.err
    document = json.loads(cli(*arguments, "--json").out)
    assert document["ok"] is False
    assert document["error"]["exit_code"] == code


def test_the_table_says_what_was_imported_and_what_is_next(cli: Cli, tmp_path: Path) -> None:
    coco(tmp_path)
    done = cli(*IMPORT)
    for text in (
        "24",
        "coco-17",
        "protocol xsub",
        "16 train, 8 test",
        "unseen: action 0, action 5",
    ):
        assert text in done.out
    assert "next: starcli train --dataset poses" in done.err
    for path in (tmp_path / "poses").glob("*/*/1.npy"):
        path.rename(path.parents[1] / f"{path.parent.name}.npy")
        path.parent.rmdir()
    half = cli(*IMPORT, "--overwrite")
    assert "the protocol 'half' trains on every other clip" in half.err


def test_errors_are_all_ours(folder: Path) -> None:
    """A store that cannot be written is an output error, and leaves nothing."""
    (folder / "store").write_text("a file")
    with pytest.raises(StarError) as caught:
        made(folder)
    assert caught.value.exit_code == 6


def test_a_zip_member_of_another_name_is_no_array(folder: Path) -> None:
    with zipfile.ZipFile(folder / "x.npz", "w") as archive:
        archive.writestr("../a.npy", saved(clip()))
    assert array_files.keys(folder / "x.npz") == ["../a"]
    np.testing.assert_array_equal(read_clip(folder / "x.npz"), clip())

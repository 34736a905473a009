"""Annotation pickles: clips as they were written, and nothing a pickle asks for is ever run."""

from __future__ import annotations

import collections
import functools
import os
import pickle
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from starcli.contracts import BadClip
from starcli.data.normalise import Joints
from starcli.errors import DataError
from starcli_plugins.datasets.ntu import annotations as reader
from starcli_plugins.datasets.ntu.annotation_clips import Annotated
from tests.every import of_every

NAMES = ["S001C001P001R001A003", "S001C002P003R001A001", "S002C003P001R002A002"]
SPLIT = {
    "xsub_train": [NAMES[0], NAMES[2]],
    "xsub_val": [NAMES[1]],
    "xview_train": NAMES[1:],
    "xview_val": NAMES[:1],
}
ENCODE = b"c_codecs\nencode\n"
DTYPE = b"cnumpy\ndtype\n"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
ARRAY = np.array([[1, 2, 3], [4, 5, 6]], np.float16)
PROTOCOLS = pytest.mark.parametrize("protocol", [2, 3, 4, 5])


def clip(frames: int, persons: int, start: float) -> Joints:
    """Joints that float16 holds exactly and that are never zero."""
    values = start + np.arange(frames * persons * 75, dtype=np.float32) % 64 / 64
    return np.asarray(values.reshape(frames, persons, 25, 3))


CLIPS = [(NAMES[2], 1, clip(2, 1, 1)), (NAMES[0], 2, clip(4, 2, 2)), (NAMES[1], 0, clip(3, 1, 3))]


def made(folder: Path, protocol: int = 2) -> Path:
    path = folder / "ntu60_3danno.pkl"
    reader.write(path, CLIPS, SPLIT, protocol=protocol)
    return path


def dumped(folder: Path, content: object, protocol: int = 4) -> Path:
    """Any object as an annotation file."""
    path = folder / "ntu60_3danno.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def annotated(**changed: Any) -> dict[str, Any]:
    """The content of a file of one clip, some fields of which are changed; None leaves out."""
    keypoint = np.ones((1, 2, 25, 3), np.float16)
    fields = {"frame_dir": NAMES[0], "label": 2, "keypoint": keypoint, "total_frames": 2} | changed
    clip = {key: value for key, value in fields.items() if value is not None}
    return {"split": {"xsub_train": NAMES[:1], "xsub_val": []}, "annotations": [clip]}


def everything(path: Path) -> list[Annotated]:
    """All clips, of which none may be bad."""
    found = []
    for each in reader.rows(path):
        if isinstance(each, BadClip):
            raise each.error
        found.append(each)
    return found


def told(path: Path) -> dict[str, str]:
    """The names of all clips, and what is wrong with them, if anything is."""
    return {
        each.name: each.error.message if isinstance(each, BadClip) else ""
        for each in reader.rows(path)
    }


def refused(path: Path, *said: str) -> DataError:
    """The error of reading the file, once it is known to say what, where and what next."""
    with pytest.raises(DataError) as caught:
        everything(path)
    error = caught.value
    assert path.name in str(error)
    for words in said:
        assert words in str(error)
    assert error.fix
    assert len(str(error).removeprefix(str(path))) < 400
    assert "\n" not in str(error)
    return error


def keypoint(path: Path) -> npt.NDArray[Any]:
    (found,) = reader.read(path)["annotations"]
    return np.asarray(found["keypoint"])


# Reading


@PROTOCOLS
def test_what_is_written_is_read_in_the_order_of_names(tmp_path: Path, protocol: int) -> None:
    found = everything(made(tmp_path, protocol))

    assert [(name, label, subsets) for name, label, _, subsets in found] == [
        (NAMES[0], 2, {"xsub": "train", "xview": "test"}),
        (NAMES[1], 0, {"xsub": "test", "xview": "train"}),
        (NAMES[2], 1, {"xsub": "train", "xview": "train"}),
    ]
    for (_, _, joints, _), number in zip(found, [1, 2, 0], strict=True):
        assert joints.dtype == np.float32
        np.testing.assert_array_equal(joints, CLIPS[number][2])


def test_the_format_is_that_of_pyskl(tmp_path: Path) -> None:
    """Persons first, float16, class ids from 0, as a plain pickle of protocol 2."""
    path = made(tmp_path)
    content = pickle.loads(path.read_bytes())
    first = content["annotations"][1]

    assert path.read_bytes()[:2] == b"\x80\x02"
    assert content["split"] == SPLIT
    assert set(first) == {"frame_dir", "label", "keypoint", "total_frames"}
    assert (first["frame_dir"], first["label"], first["total_frames"]) == (NAMES[0], 2, 4)
    assert first["keypoint"].dtype == np.float16
    assert first["keypoint"].shape == (2, 4, 25, 3)
    assert first["keypoint"][1, 3, 7, 2] == CLIPS[1][2][3, 1, 7, 2]


def test_one_recording_is_the_file(tmp_path: Path) -> None:
    path = made(tmp_path)
    (recording,) = reader.recordings(path)

    assert (recording.file, recording.member, recording.where) == (path, "", str(path))


def test_persons_come_second_frames_of_zeros_at_the_end_go(tmp_path: Path) -> None:
    values = np.zeros((2, 6, 25, 3), np.float32)
    values[0, [1, 3], 5, 1] = [1, 3]
    values[1, 4, 6, 2] = 4
    ((_, _, joints, _),) = everything(dumped(tmp_path, annotated(keypoint=values, total_frames=6)))

    assert joints.shape == (5, 2, 25, 3)
    assert joints[:, 0, 5, 1].tolist() == [0, 1, 0, 3, 0]
    assert joints[:, 1, 6, 2].tolist() == [0, 0, 0, 0, 4]


def test_a_second_person_who_is_never_there_is_left_out(tmp_path: Path) -> None:
    values = np.zeros((2, 2, 25, 3), np.float16)
    values[0] = 1
    ((_, _, joints, _),) = everything(dumped(tmp_path, annotated(keypoint=values)))

    assert joints.shape == (2, 1, 25, 3)


def test_numbers_of_numpy_and_further_fields_are_read(tmp_path: Path) -> None:
    content = annotated(
        label=np.int64(3), total_frames=np.int32(2), img_shape=(1080, 1920), note=b"x"
    )
    content["split"] = collections.OrderedDict(content["split"])
    ((_, label, _, _),) = everything(dumped(tmp_path, content))

    assert label == 3
    assert type(label) is int


@PROTOCOLS
@pytest.mark.parametrize(
    "array",
    [
        ARRAY,
        np.asfortranarray(ARRAY),
        ARRAY[:, ::2],
        ARRAY[::-1],
        np.arange(24.0).reshape(2, 3, 4).transpose(1, 2, 0),
        ARRAY.astype(">f4"),
        np.array([[True], [False]]),
        np.arange(6, dtype=np.uint8),
    ],
    ids=["C", "F", "strided", "reversed", "transposed", "big-endian", "bool", "bytes"],
)
def test_arrays_of_every_form(tmp_path: Path, array: npt.NDArray[Any], protocol: int) -> None:
    found = keypoint(dumped(tmp_path, annotated(keypoint=array), protocol))

    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@PROTOCOLS
def test_an_array_used_twice_is_read_twice(tmp_path: Path, protocol: int) -> None:
    content = annotated()
    content["annotations"].append({**content["annotations"][0], "frame_dir": NAMES[1]})
    content["split"]["xsub_val"] = [NAMES[1]]
    first, second = everything(dumped(tmp_path, content, protocol))

    np.testing.assert_array_equal(first[2], second[2])


def test_modules_of_numpy_1_are_known(tmp_path: Path) -> None:
    path = made(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"numpy._core", b"numpy.core"))

    assert len(everything(path)) == 3


# Nothing runs


class Asks:
    """Pickled as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


def raw(*parts: bytes, protocol: int = 2) -> bytes:
    return bytes([0x80, protocol]) + b"".join(parts) + b"."


def calling(target: str, *arguments: bytes, protocol: int = 2) -> bytes:
    """A pickle that calls `module name` with strings."""
    module, name = target.split()
    pushed = b"".join(b"X" + struct.pack("<I", len(a)) + a for a in arguments)
    return raw(f"c{module}\n{name}\n(".encode(), pushed, b"tR", protocol=protocol)


def nested_in_list(evil: object) -> object:
    return [[[evil]]]


def nested_in_annotation(evil: object) -> object:
    return annotated(note={"deep": (1, [evil])})


def nested_in_object_array(evil: object) -> object:
    return annotated(keypoint=np.array([evil], dtype=object))


PLACES = pytest.mark.parametrize(
    "place",
    [lambda evil: evil, nested_in_list, nested_in_annotation, nested_in_object_array],
    ids=["top", "list", "annotation", "array"],
)
CANARIES: dict[str, Callable[[str], Asks]] = {
    "os.system": lambda file: Asks(os.system, f"touch '{file}'"),
    "eval": lambda file: Asks(eval, f"open({file!r}, 'w')"),
    "exec": lambda file: Asks(exec, f"open({file!r}, 'w')"),
    "open": lambda file: Asks(open, file, "w"),
    "mkdir": lambda file: Asks(os.mkdir, file),
    "Popen": lambda file: Asks(subprocess.Popen, ["touch", file]),
    "getattr": lambda file: Asks(getattr, file, "upper"),
    "partial": lambda file: Asks(functools.partial(os.mkdir, file)),
    "np.save": lambda file: Asks(np.save, file, 1),
    "np.load": lambda file: Asks(np.load, file),
    "np.memmap": lambda file: Asks(np.memmap, file, "u1", "w+", 0, (4,)),
    "np.fromfile": lambda file: Asks(np.fromfile, file),
}


@PROTOCOLS
@PLACES
@of_every(CANARIES)
def test_a_call_never_runs(
    attack: str, tmp_path: Path, place: Callable[[object], object], protocol: int
) -> None:
    canary = tmp_path / f"canary of {attack}"
    path = dumped(tmp_path, place(CANARIES[attack](str(canary))), protocol)

    refused(path, "refused")
    assert not canary.exists()


def test_the_canary_would_sing(tmp_path: Path) -> None:
    """The attacks are real: Python's own reader runs them."""
    canary = tmp_path / "canary"
    pickle.loads(dumped(tmp_path, CANARIES["os.system"](str(canary))).read_bytes())

    assert canary.exists()


@of_every(
    [
        "os system",
        "posix system",
        "builtins eval",
        "builtins getattr",
        "builtins dict",
        "__builtin__ eval",
        "numpy load",
        "numpy memmap",
        "numpy.core.multiarray fromfile",
        "numpy._core.multiarray array",
        "numpy.ndarray tofile",
        "numpy ndarray.tofile",
        "numpy dtype.__class__",
        "numpy os.system",
        "numpy.core.multiarray os",
        "_codecs decode",
        "_codecs lookup",
        "codecs encode",
        "collections OrderedDict.__init__",
        "copyreg __reduce_ex__",
        "copyreg add_extension",
        "operator attrgetter",
        "functools partial",
        "types CodeType",
        "starcli_plugins.datasets.ntu.annotations write",
    ],
)
def test_the_refused_global_is_named(target: str, tmp_path: Path) -> None:
    path = tmp_path / "ntu60_3danno.pkl"
    path.write_bytes(calling(target, b"true"))

    refused(path, target.replace(" ", "."), "refused")


@of_every(
    [
        b"Psomewhere\n",  # persistent id
        b"Nq\x00Q",  # persistent id from the stack
        b"(cos\nsystem\no",  # OBJ
        b"(S'true'\nios\nsystem\n",  # INST
        b"\x82\x01",  # EXT1
        DTYPE + b")\x81",  # NEWOBJ
        DTYPE + b")}\x92",  # NEWOBJ_EX
        b"\x97",  # NEXT_BUFFER
        b"N2",  # DUP
        b"\x8f(N\x90",  # EMPTY_SET, ADDITEMS
        b"\x8b\xff\xff\xff\x7f",  # LONG4
        b"I1\n",  # text instructions of protocol 0
    ],
    repr,
)
def test_instructions_beyond_arrays_are_refused(program: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ntu60_3danno.pkl"
    path.write_bytes(raw(program))

    refused(path, "instruction", "refused")


@pytest.mark.parametrize(
    "start", [b"\x80\x00", b"\x80\x01", b"\x80\x06", b"(", b"PK\x03\x04", b"\x80"]
)
def test_other_protocols_and_formats(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "ntu60_3danno.pkl"
    path.write_bytes(start + pickle.dumps(annotated(), 4)[2:])

    refused(path, "protocol 2 to 5")


@pytest.mark.parametrize("protocol", [0, 1])
def test_old_protocols_say_what_is_read(tmp_path: Path, protocol: int) -> None:
    refused(dumped(tmp_path, annotated(), protocol), "protocol 2 to 5")


@of_every(
    [
        # A state for what has none would set attributes of functions, classes or strings.
        RECONSTRUCT + b"}X\x03\x00\x00\x00abcNsb",
        DTYPE + b"}X\x09\x00\x00\x00__class__Nsb",
        b"N}X\x03\x00\x00\x00abcNs\x86b",
        ENCODE + b"N}X\x08\x00\x00\x00__code__Ns\x86b",
        b"]}b",
        # Arguments that numpy would take and we do not.
        DTYPE + b"X\x01\x00\x00\x00O\x85R",
        DTYPE + b"X\x02\x00\x00\x00O8\x85R",
        DTYPE + b"X\x03\x00\x00\x00V99\x85R",
        DTYPE + b"X\x05\x00\x00\x00f2,O8\x85R",
        DTYPE + DTYPE + b"\x85R",
        DTYPE + b"]\x85R",
        DTYPE + b")R",
        RECONSTRUCT + DTYPE + b"K\x00\x85C\x01b\x87R",
        RECONSTRUCT + b"NK\x00\x85C\x01b\x87R",
        ENCODE + b"X\x01\x00\x00\x00xX\x03\x00\x00\x00hex\x86R",
        ENCODE + b"X\x01\x00\x00\x00xX\x05\x00\x00\x00rot13\x86R",
        ENCODE + b"C\x01xX\x06\x00\x00\x00latin1\x86R",
        b"ccollections\nOrderedDict\n]\x85R",
        # Not functions.
        b"NN\x85R",
        b"]N\x85R",
        b"cnumpy\nndarray\nN\x85R",
        b"}(NK\x01sR",
        # Keys whose hash takes for ever, or that cannot be hashed.
        b"})Ns",
        b"}]Ns",
        b"}K\x01Ns",
        b"](NNu",
        b"}(Nu",
        # Damage.
        b"",
        b"h\x00",
        b"R",
        b"b",
        b"t",
        b"s",
        b"u",
        b"\x93",
        b"\x95" + b"\xff" * 8,
    ],
    repr,
)
def test_hostile_programs_are_refused(program: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ntu60_3danno.pkl"
    before = {name: vars(value).copy() for name, value in functions().items()}
    path.write_bytes(raw(program))

    refused(path, "cannot be read")
    assert {name: vars(value) for name, value in functions().items()} == before


def functions() -> dict[str, Any]:
    return {n: v for n, v in vars(reader).items() if callable(v) and hasattr(v, "__dict__")}


def array_program(
    shape: object, code: str = "f2", data: object = bytes(12), fortran: object = False
) -> bytes:
    """An array as `numpy` pickles it, of any shape, type and data."""

    class Made:
        def __reduce__(self) -> tuple[Any, ...]:
            build = np.array([]).__reduce__()[0]
            return build, (np.ndarray, (0,), b"b"), (1, shape, np.dtype(code), fortran, data)

    return pickle.dumps(annotated(keypoint=Made()), 4)


@pytest.mark.parametrize(
    ("shape", "code", "data"),
    [
        ((2, 4), "f2", bytes(12)),
        ((10**12,), "f2", bytes(12)),
        ((10**30, 0), "f2", b""),
        ((-1,), "f2", bytes(12)),
        ((2**62, 2**62, 2**62), "f8", bytes(12)),
        ((-2, -3), "f2", bytes(12)),
        ((-6,), "f2", bytes(12)),
        ((6.0,), "f2", bytes(12)),
        ((True,) * 6, "f2", bytes(2)),
        ([2, 3], "f2", bytes(12)),
        (6, "f2", bytes(12)),
        ((1,) * 100, "f2", bytes(2)),
        ((6,), "f2", [1, 2]),
        ((6,), "f2", "123456789012"),
        ((6,), "f2", None),
        ((6,), "M8[s]", bytes(48)),
        ((6,), "U1", bytes(24)),
        ((6,), "V2", bytes(12)),
        ((6,), "c8", bytes(48)),
        ((2,), "f8,i4", bytes(24)),
    ],
)
def test_arrays_that_claim_what_they_are_not(
    tmp_path: Path, shape: object, code: str, data: object
) -> None:
    path = tmp_path / "ntu60_3danno.pkl"
    path.write_bytes(array_program(shape, code, data))

    refused(path, "cannot be read")


def test_arrays_of_another_size_than_their_data_say_so(tmp_path: Path) -> None:
    path = tmp_path / "ntu60_3danno.pkl"
    path.write_bytes(array_program((2, 10**12), data=bytes(12)))

    refused(path, "an array has 12 bytes")


def test_the_made_up_array_is_otherwise_sound(tmp_path: Path) -> None:
    path = tmp_path / "ntu60_3danno.pkl"
    path.write_bytes(array_program((2, 3), data=ARRAY.tobytes()))

    np.testing.assert_array_equal(keypoint(path), ARRAY)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_b07_object_arrays_are_refused(tmp_path: Path, protocol: int) -> None:
    content = annotated(keypoint=np.array([None, 1], dtype=object))

    refused(dumped(tmp_path, content, protocol), "Python objects, refused")


BOMBS = {
    "memo index": raw(b"]r\xff\xff\xff\x7f"),
    "bytearray": raw(b"\x96" + struct.pack("<Q", 2**40), protocol=5),
    "bytes": raw(b"\x8e" + struct.pack("<Q", 2**40), protocol=4),
    "string": raw(b"\x8d" + struct.pack("<Q", 2**40), protocol=4),
    "frame": raw(b"\x95" + struct.pack("<Q", 2**40), protocol=4),
    "tuples as key": raw(b")q\x00" + b"h\x00h\x00\x86q\x00" * 60 + b"}h\x00Ns"),
    "deep list": raw(b"]" * 200_000 + b"a" * 199_999),
    "deep tuple": raw(b")" + b"\x85" * 200_000),
    "laughing lists": raw(b"]q\x00" + b"](h\x00h\x00eq\x00" * 60),
    "marks": raw(b"(" * 200_000),
}


@pytest.mark.slow
def test_bombs_go_off_nowhere(tmp_path: Path) -> None:
    """All of them in a process that may take no more than 1 GiB beyond what its imports took."""
    for name, bomb in BOMBS.items():
        (tmp_path / name).write_bytes(bomb)
    script = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        from starcli.errors import DataError
        from starcli_plugins.datasets.ntu import annotations
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + 2**30
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        for path in sorted(Path(sys.argv[1]).iterdir()):
            try:
                annotations.read(path)
            except DataError as error:
                assert "MemoryError" not in str(error), error
                print(path.name)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=300
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == sorted(BOMBS)


# Content


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ([], "a list"),
        ({}, "a dict"),
        ("text", "'text'"),
        ({"annotations": []}, "'annotations'"),
        ({"annotations": {}, "split": {}}, "'annotations', 'split'"),
        ({"annotations": [], "split": []}, "'annotations', 'split'"),
    ],
)
def test_other_content_lists_found_and_wanted(tmp_path: Path, content: object, found: str) -> None:
    refused(dumped(tmp_path, content), f"expected annotations and split, got {found}")


@pytest.mark.parametrize("name", [None, 3, b"S001", "", "a\nb", "x" * 81, ["S001"]])
def test_annotations_without_a_name_are_counted_from_1(tmp_path: Path, name: object) -> None:
    found = told(dumped(tmp_path, annotated(frame_dir=name)))
    assert list(found) == [NAMES[0], "annotation 1"]
    assert "frame_dir" in found["annotation 1"]
    assert "there is no annotation" in found[NAMES[0]]


@pytest.mark.parametrize("label", [None, "3", 2.0, -1, True, [1], ARRAY])
def test_labels_that_are_no_class_ids(tmp_path: Path, label: object) -> None:
    refused(dumped(tmp_path, annotated(label=label)), NAMES[0], "label: expected a class id")


def test_2_d_poses_say_which_file_is_wanted(tmp_path: Path) -> None:
    content = annotated(keypoint=np.ones((1, 2, 17, 2), np.float16))

    refused(dumped(tmp_path, content), NAMES[0], "expected ntu60_3danno.pkl, got 2-D poses")


@pytest.mark.parametrize(
    ("keypoint", "said"),
    [
        (None, "[M, T, 25, 3], got None"),
        ([[1.0]], "[M, T, 25, 3], got a list"),
        (np.ones((2, 25, 3), np.float16), "float16 [2, 25, 3]"),
        (np.ones((1, 2, 25, 3), np.int64), "int64 [1, 2, 25, 3]"),
        (np.ones((1, 2, 20, 3), np.float16), "[2, 1, 20, 3]"),
        (np.ones((1, 2, 25, 4), np.float16), "[2, 1, 25, 4]"),
        (np.ones((3, 2, 25, 3), np.float16), "expected 1 or 2 persons, got 3"),
        (np.ones((0, 2, 25, 3), np.float16), "expected 1 or 2 persons, got 0"),
        (np.ones((1, 3, 25, 3), np.float16), "3 frames, total_frames is 2"),
        (np.zeros((2, 2, 25, 3), np.float16), "only zeros"),
    ],
)
def test_b10_wrong_keypoints_name_the_clip(tmp_path: Path, keypoint: object, said: str) -> None:
    refused(dumped(tmp_path, annotated(keypoint=keypoint)), NAMES[0], said)


def test_a_clip_without_frames(tmp_path: Path) -> None:
    content = annotated(keypoint=np.ones((1, 0, 25, 3), np.float16), total_frames=0)

    refused(dumped(tmp_path, content), NAMES[0], "no frames")


@pytest.mark.parametrize("value", [np.nan, np.inf, 101])
def test_b10_bad_coordinates_name_clip_and_frame(tmp_path: Path, value: float) -> None:
    values = np.ones((1, 2, 25, 3), np.float16)
    values[0, 1, 3, 0] = value

    error = refused(dumped(tmp_path, annotated(keypoint=values)), NAMES[0], "joint 3")
    assert error.frame == 2


def test_a_copy_of_an_annotation_is_left_out_with_a_warning_a27(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = annotated()
    content["annotations"] *= 3

    (clip,) = everything(dumped(tmp_path, content))
    assert clip.name == NAMES[0]
    assert "2 copies of annotations" in caplog.text
    assert NAMES[0] in caplog.text


@pytest.mark.parametrize("change", [{"label": 1}, {"keypoint": np.ones((2, 2, 25, 3), np.float16)}])
def test_of_two_annotations_of_one_name_neither_is_read_a27(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    content = annotated()
    content["annotations"].append({**content["annotations"][0], **change})

    error = refused(dumped(tmp_path, content), "annotation 2 is a duplicate", "different contents")
    assert str(error.file).endswith(NAMES[0])


def test_bad_annotations_are_named_and_the_others_read(tmp_path: Path) -> None:
    """One of each kind among three sound ones."""
    good = [annotated(frame_dir=f"S001C001P00{n}R001A003")["annotations"][0] for n in (1, 2, 3)]
    bad: dict[str, dict[str, object]] = {
        "label": {"label": -1},
        "nan": {"keypoint": np.full((1, 2, 25, 3), np.nan, np.float16)},
        "none": {"keypoint": None},
        "zeros": {"keypoint": np.zeros((1, 2, 25, 3), np.float16)},
        "twice listed": {},
        "nowhere": {},
    }
    clips = [*good, *({**good[0], "frame_dir": name, **fields} for name, fields in bad.items())]
    listed = [clip["frame_dir"] for clip in clips if clip["frame_dir"] != "nowhere"]
    split = {"xsub_train": [*listed, "lacking"], "xsub_val": ["twice listed"]}
    found = told(dumped(tmp_path, {"annotations": [*clips, 7], "split": split}))

    assert list(found) == sorted(found)
    assert [name for name, fault in found.items() if not fault] == [c["frame_dir"] for c in good]
    faults = {
        "annotation 10": "not a dict",
        "label": "got -1",
        "nan": "joint 0",
        "none": "[M, T, 25, 3], got None",
        "zeros": "only zeros",
        "twice listed": "duplicate in the lists of xsub",
        "nowhere": "in no subset of xsub",
        "lacking": "no annotation",
    }
    assert {name for name, fault in found.items() if fault} == set(faults)
    for name, words in faults.items():
        assert words in found[name]


def test_clips_that_are_not_wanted_are_not_looked_at(tmp_path: Path) -> None:
    content = annotated(label=-1)
    path = dumped(tmp_path, content)

    assert list(reader.rows(path, lambda name: name != NAMES[0])) == []


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({}, f"{NAMES[0]}: is in no subset of any protocol"),
        ({"xsub_train": []}, f"{NAMES[0]}: is in no subset of xsub"),
        ({"xsub_train": NAMES[:1], "xset_val": []}, f"{NAMES[0]}: is in no subset of xset"),
        (
            {"xsub_train": NAMES[:1], "xsub_val": NAMES[:1]},
            f"{NAMES[0]}: duplicate in the lists of xsub",
        ),
        ({"xsub_train": NAMES[:1] * 2}, f"{NAMES[0]}: duplicate in the lists of xsub"),
        ({"xsub_train": NAMES[:2]}, f"{NAMES[1]}: a list of xsub has it"),
        ({"xsub_train": NAMES[0]}, "xsub_train is not a list of names"),
        ({"xsub_train": [[]]}, "xsub_train is not a list of names"),
        ({"xsub_train": None}, "xsub_train is not a list of names"),
        ({"train": NAMES[:1]}, "unknown split 'train'"),
        ({"xsub_test": NAMES[:1]}, "unknown split 'xsub_test'"),
    ],
)
def test_sides_that_are_not_known(tmp_path: Path, split: object, said: str) -> None:
    content = annotated()
    content["split"] = split
    refused(dumped(tmp_path, content), said)


def test_missing_and_empty_files(tmp_path: Path) -> None:
    refused(tmp_path / "ntu60_3danno.pkl", "cannot be read")
    refused(tmp_path, "cannot be read")
    (tmp_path / "ntu60_3danno.pkl").write_bytes(b"")
    refused(tmp_path / "ntu60_3danno.pkl", "cannot be read")


@PROTOCOLS
def test_b08_truncated_anywhere(tmp_path: Path, protocol: int) -> None:
    path = made(tmp_path, protocol)
    data = path.read_bytes()
    for length in [*range(0, len(data), 37), len(data) - 1]:
        path.write_bytes(data[:length])
        refused(path)


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), protocol=st.integers(2, 5))
def test_mutated_pickles_are_read_or_refused(
    tmp_path: Path, data: st.DataObject, protocol: int
) -> None:
    path = made(tmp_path, protocol)
    content = bytearray(path.read_bytes())
    marks = (
        b"numpy",
        b"_codecs",
        b"keypoint",
        b"label",
        b"split",
        b"xsub",
        b"xview",
        NAMES[0].encode(),
    )
    near = [content.find(mark) for mark in marks if mark in content]
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.sampled_from([0, len(content) - 60, *near])) + data.draw(
            st.integers(-10, 80)
        )
        content[at % len(content)] = data.draw(st.integers(0, 255))
    path.write_bytes(content)

    read_or_refused(path)


STEPS = [
    RECONSTRUCT,
    DTYPE,
    ENCODE,
    b"cnumpy\nndarray\n",
    b"}",
    b"]",
    b"(",
    b")",
    b"N",
    b"K\x01",
    b"C\x02ab",
    b"X\x02\x00\x00\x00f2",
    b"X\x01\x00\x00\x00<",
    b"t",
    b"\x85",
    b"\x86",
    b"\x87",
    b"R",
    b"b",
    b"s",
    b"u",
    b"a",
    b"e",
    b"q\x00",
    b"h\x00",
]


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    program=st.lists(
        st.one_of(
            st.sampled_from(STEPS),
            st.binary(min_size=1, max_size=3),
        ),
        max_size=30,
    )
)
def test_random_programs_are_read_or_refused(tmp_path: Path, program: list[bytes]) -> None:
    path = tmp_path / "ntu60_3danno.pkl"
    path.write_bytes(raw(*program))

    read_or_refused(path)


def read_or_refused(path: Path) -> None:
    try:
        everything(path)
    except DataError as error:
        assert path.name in str(error)

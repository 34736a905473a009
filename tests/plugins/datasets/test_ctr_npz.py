"""CTR-GCN's array files: read by rows, padding removed, damage named, claims not believed."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
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
from starcli_plugins.datasets.ntu import ctr_npz
from starcli_plugins.datasets.ntu.ctr_npz import KEYS, MAX_FRAMES, ROWS, Row

Clips = list[tuple[int, Joints]]


def clip(frames: int, persons: int, start: float) -> Joints:
    """Joints whose values are all different and never zero."""
    count = frames * persons * 75
    values = start + np.arange(1, count + 1, dtype=np.float32) / count
    return np.asarray(values.reshape(frames, persons, 25, 3))


TRAIN: Clips = [(0, clip(3, 1, 0)), (4, clip(5, 2, 1)), (2, clip(6, 1, 2))]
TEST: Clips = [(1, clip(2, 2, 3))]


def made(folder: Path, *, compressed: bool = False) -> Path:
    path = folder / "NTU60_CS.npz"
    ctr_npz.write(path, TRAIN, TEST, classes=5, frames=6, compressed=compressed)
    return path


def everything(path: Path) -> list[Row]:
    """All clips, of which none may be bad."""
    found = []
    for part in ctr_npz.recordings(path):
        for row in ctr_npz.rows(part):
            if isinstance(row, BadClip):
                raise row.error
            found.append(row)
    return found


def sound() -> dict[str, npt.NDArray[Any]]:
    """Arrays of one clip on each subset."""
    x, y = np.ones((1, 4, 150), np.float32), np.eye(5)[[3]]
    return {"x_train": x, "y_train": y, "x_test": x + 1, "y_test": y}


def saved(folder: Path, **changed: npt.NDArray[Any]) -> Path:
    path = folder / "NTU60_CS.npz"
    arrays: Mapping[str, Any] = sound() | changed
    np.savez(path, **arrays)
    return path


def npy(header: bytes, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """An `.npy` file with a header of one's own."""
    size = struct.pack("<H" if version[0] == 1 else "<I", len(header))
    return b"\x93NUMPY" + version + size + header + data


def described(shape: object, descr: str = "'<f4'", fortran: bool = False) -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()


def zipped(folder: Path, method: int = zipfile.ZIP_STORED, **changed: bytes) -> Path:
    """A file whose arrays are given as the bytes of `.npy` files."""
    path = folder / "NTU60_CS.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        for key, array in sound().items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(f"{key}.npy", changed.get(key, buffer.getvalue()))
    return path


def refused(path: Path, *said: str) -> DataError:
    """The error of reading the file, once it is known to say what, where and what next."""
    with pytest.raises(DataError) as caught:
        everything(path)
    error = caught.value
    assert path.name in str(error)
    for words in said:
        assert words in str(error)
    assert error.fix
    assert "allow_pickle" not in str(error) + error.fix
    assert "\n" not in str(error)
    return error


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("NTU60_CS.npz", "xsub"),
        ("NTU60_CV.npz", "xview"),
        ("NTU120_CSub.npz", "xsub"),
        ("NTU120_CSet.npz", "xset"),
        ("ntu120_csub.NPZ", "xsub"),
        ("NTU60.npz", None),
        ("CS.npz.npz", None),
    ],
)
def test_the_protocol_is_in_the_name(name: str, protocol: str | None) -> None:
    assert ctr_npz.protocol_of(Path("CV_folder") / name) == protocol
    assert ctr_npz.is_npz(Path(name))


def test_other_files_are_no_array_files() -> None:
    assert not ctr_npz.is_npz(Path("NTU60_CS.zip"))


@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_written_is_read(tmp_path: Path, compressed: bool) -> None:
    found = everything(made(tmp_path, compressed=compressed))

    assert [name for name, _, _ in found] == [
        "test-00000000",
        "train-00000000",
        "train-00000001",
        "train-00000002",
    ]
    for (_, label, joints), (wanted, original) in zip(found, TEST + TRAIN, strict=True):
        assert label == wanted
        assert joints.dtype == np.float32
        np.testing.assert_array_equal(joints, original)


def test_the_format_is_that_of_ctr_gcn(tmp_path: Path) -> None:
    """The same arrays as np.savez of padded rows: person, joint, coordinate; labels one-hot."""
    with np.load(made(tmp_path)) as arrays:
        assert {k: v.shape for k, v in arrays.items()} == {
            "x_train": (3, 6, 150),
            "y_train": (3, 5),
            "x_test": (1, 6, 150),
            "y_test": (1, 5),
        }
        row = arrays["x_train"][1]
        np.testing.assert_array_equal(arrays["y_train"][1], [0, 0, 0, 0, 1])
    np.testing.assert_array_equal(row[2, 75 + 3 * 7 : 75 + 3 * 7 + 3], TRAIN[1][1][2, 1, 7])
    assert not row[5:].any()


def test_values_150_are_person_joint_coordinate(tmp_path: Path) -> None:
    x = np.zeros((1, 4, 150), np.float32)
    x[0, 0] = np.arange(150) / 10
    (_, label, joints) = everything(saved(tmp_path, x_train=x))[1]

    assert label == 3
    assert joints.shape == (1, 2, 25, 3)
    np.testing.assert_allclose(joints[0, 0, 1], [0.3, 0.4, 0.5], rtol=1e-6)
    np.testing.assert_allclose(joints[0, 1, 24], [14.7, 14.8, 14.9], rtol=1e-6)


def test_a_clip_is_as_long_as_it_has_frames_that_are_not_zero(tmp_path: Path) -> None:
    """As in the feeder: frames are counted, and that many are taken from the start."""
    x = np.zeros((1, 6, 150), np.float32)
    x[0, [0, 2, 3], 5] = [1, 3, 4]
    joints = everything(saved(tmp_path, x_train=x))[1][2]

    assert joints[:, 0, 1, 2].tolist() == [1, 0, 3]


def test_float64_becomes_float32(tmp_path: Path) -> None:
    joints = everything(saved(tmp_path, x_train=np.full((1, 4, 150), 0.1)))[1][2]

    assert joints.dtype == np.float32
    assert (joints == np.float32(0.1)).all()


def test_foreign_byte_order_is_read(tmp_path: Path) -> None:
    joints = everything(saved(tmp_path, x_train=np.full((1, 4, 150), 2, ">f4")))[1][2]

    assert (joints == 2).all()


@pytest.mark.parametrize("compressed", [False, True])
def test_parts_are_read_on_their_own(tmp_path: Path, compressed: bool) -> None:
    """Stored rows come in parts at their own places, in any order; compressed ones in one part."""
    count = 2 * ROWS + 3
    noise = np.random.default_rng(0).normal(size=(count, 1, 1, 25, 3)).astype(np.float32)
    clips: Clips = [(row % 5, joints) for row, joints in enumerate(noise)]
    path = tmp_path / "NTU60_CV.npz"
    ctr_npz.write(path, clips, TEST, classes=5, frames=6, compressed=compressed)
    parts = ctr_npz.recordings(path)
    spans = [(p.start, p.stop) for p in parts if p.member == "x_train.npy"]

    assert parts == sorted(parts)
    whole = [(0, count)]
    assert spans == (whole if compressed else [(0, 128), (128, 256), (256, 259)])
    rows = [row for part in reversed(parts) for row in ctr_npz.rows(part)]
    found = {row[0]: row[1:] for row in rows if not isinstance(row, BadClip)}
    assert len(found) == count + 1
    for row, (label, joints) in enumerate(clips):
        assert found[f"train-{row:08d}"][0] == label
        np.testing.assert_array_equal(found[f"train-{row:08d}"][1], joints)


def test_a_part_reads_only_its_own_rows(tmp_path: Path) -> None:
    """Damage in another part goes unnoticed: nothing but the asked rows was read."""
    clips: Clips = [(0, np.full((1, 1, 25, 3), 1, np.float32))] * (ROWS + 1)
    path = tmp_path / "NTU60_CS.npz"
    ctr_npz.write(path, clips, TEST, classes=5, frames=6)
    data = path.read_bytes()
    at = data.index(struct.pack("<f", 1)) + 600
    path.write_bytes(data[:at] + b"\xff" * 100 + data[at + 100 :])
    first, second = ctr_npz.recordings(path)[1:]

    assert len(list(ctr_npz.rows(second))) == 1
    with pytest.raises(DataError, match="x_train"):
        list(ctr_npz.rows(first))


def test_clips_do_not_hold_on_to_their_block(tmp_path: Path) -> None:
    for _, _, joints in everything(made(tmp_path)):
        assert joints.base is None
        assert joints.flags.writeable


@pytest.mark.parametrize("key", KEYS)
def test_b07_objects_are_refused(tmp_path: Path, key: str) -> None:
    path = saved(tmp_path, **{key: np.array([{"a": 1}], dtype=object)})

    refused(path, f"{key}.npy", "Python objects, refused")


@pytest.mark.parametrize("descr", ["'|O'", "[('a', '|O')]"])
def test_b07_objects_in_a_made_up_header(tmp_path: Path, descr: str) -> None:
    refused(zipped(tmp_path, x_train=npy(described((1,), descr), b"x")), "x_train", "refused")


def test_b08_not_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "NTU60_CS.npz"
    path.write_bytes(b"<html>please log in</html>" * 10)

    refused(path, "not a zip")


def test_b08_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "NTU60_CS.npz", "cannot be read")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_b08_truncated(tmp_path: Path, share: float, compressed: bool) -> None:
    path = made(tmp_path, compressed=compressed)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])

    refused(path, "cannot be read")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("compressed", [False, True])
def test_b08_a_changed_byte_names_the_member(tmp_path: Path, key: str, compressed: bool) -> None:
    """Stored, it is in the last value; such a change no check of the values can find."""
    path = made(tmp_path, compressed=compressed)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{key}.npy")
    data = bytearray(path.read_bytes())
    name, extra = struct.unpack_from("<2H", data, info.header_offset + 26)
    at = info.compress_size // 2 if compressed else info.compress_size - 4
    data[info.header_offset + 30 + name + extra + at] ^= 1
    path.write_bytes(data)

    refused(path, f"{key}.npy")


@pytest.mark.parametrize("compressed", [False, True])
def test_b08_checksum_alone_is_wrong(tmp_path: Path, compressed: bool) -> None:
    path = made(tmp_path, compressed=compressed)
    with zipfile.ZipFile(path) as archive:
        crc = struct.pack("<I", archive.getinfo("x_train.npy").CRC)
    path.write_bytes(path.read_bytes().replace(crc, bytes(4)))

    refused(path, "x_train.npy", "CRC")


def test_encrypted_member(tmp_path: Path) -> None:
    path = made(tmp_path)
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)

    refused(path, "x_train.npy", "encrypted")


def test_b09_missing_member_lists_found_and_wanted(tmp_path: Path) -> None:
    path = tmp_path / "NTU60_CS.npz"
    np.savez(path, x_train=np.zeros(1), y=np.zeros(1))

    refused(path, "'x_train, y'", "x_train, y_train, x_test, y_test")


@pytest.mark.parametrize(
    ("key", "array", "said"),
    [
        ("x_train", np.ones((1, 4, 75), np.float32), "float32 [1, 4, 75]"),
        ("x_train", np.ones((1, 3, 4, 25, 2), np.float32), "[1, 3, 4, 25, 2]"),
        ("x_test", np.ones((1, 0, 150), np.float32), "[1, 0, 150]"),
        ("x_test", np.ones((1, MAX_FRAMES + 1, 150), np.float32), "1001"),
        ("x_train", np.ones((), np.float32), "float32 []"),
        ("x_train", np.ones((1, 4, 150), np.complex64), "complex64"),
        ("x_train", np.full((1, 4, 150), "1"), "<U1"),
        ("x_train", np.ones((1, 4, 150), np.float16), "float16"),
        ("x_train", np.ones((1, 4, 150), np.int32), "int32"),
        ("y_train", np.array([3]), "int64 [1]"),
        ("y_train", np.full((1, 5), "0"), "<U1"),
        ("y_train", np.zeros((1, 1001)), "1001"),
    ],
)
def test_b10_wrong_shape_or_type_says_what_is_wanted(
    tmp_path: Path, key: str, array: npt.NDArray[Any], said: str
) -> None:
    refused(saved(tmp_path, **{key: array}), f"{key}.npy", said, "expected")


def test_fortran_order_is_refused(tmp_path: Path) -> None:
    x = np.asfortranarray(np.ones((2, 4, 150), np.float32))

    assert "ascontiguousarray" in refused(saved(tmp_path, x_train=x), "Fortran").fix


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 100.5, -1e9])
def test_bad_coordinate_names_row_frame_and_joint(tmp_path: Path, value: float) -> None:
    x = np.ones((2, 4, 150), np.float32)
    x[1, 2, 3] = value
    error = refused(
        saved(tmp_path, x_train=x, y_train=np.eye(5)[[0, 1]]), "x_train.npy[1]", "joint 1"
    )

    assert error.frame == 3


def test_clip_of_zeros_names_the_row(tmp_path: Path) -> None:
    x = np.ones((2, 4, 150), np.float32)
    x[1] = 0

    refused(saved(tmp_path, x_train=x, y_train=np.eye(5)[[0, 1]]), "x_train.npy[1]", "zeros")


def test_a_bad_row_hides_no_other(tmp_path: Path) -> None:
    x, y = np.ones((4, 4, 150), np.float32), np.eye(5)[[0, 1, 2, 3]]
    x[1, 2, 3], y[2] = np.nan, 1
    (_, part) = ctr_npz.recordings(saved(tmp_path, x_train=x, y_train=y))
    found = list(ctr_npz.rows(part))

    assert [row.name for row in found] == [f"train-{row:08d}" for row in range(4)]
    assert [isinstance(row, BadClip) for row in found] == [False, True, True, False]


@pytest.mark.parametrize(
    "row", [[0, 0, 0], [1, 1, 0], [0, 2, 0], [0, 0.5, 0.5], [0, -1, 0], [np.nan, 0, 0], [1, 0, -1]]
)
def test_labels_that_are_not_one_hot(tmp_path: Path, row: list[float]) -> None:
    refused(saved(tmp_path, y_test=np.array([row])), "y_test.npy[0]", "one-hot")


def test_b11_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "NTU60_CS.npz"
    clips: Clips = [(0, np.ones((300, 2, 25, 3), np.float32))] * 200
    ctr_npz.write(path, clips, TEST, classes=5, frames=300, compressed=True)
    assert path.stat().st_size < 36e6 / 200

    with pytest.raises(DataError, match="unpacks from"):
        ctr_npz.recordings(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("shape", [(10**10, 4, 150), (2, 4, 150), (-1, -4, 150), (10**400, 4, 150)])
def test_b12_header_claims_more_than_there_is(tmp_path: Path, shape: object, method: int) -> None:
    content = npy(described(shape), bytes(4 * 150 * 4))

    refused(zipped(tmp_path, method, x_train=content), "x_train.npy", "claims")


def test_b12_zip_claims_more_than_the_file_holds(tmp_path: Path) -> None:
    """Sizes in the directory of the zip that agree with the header, but not with the file."""
    path = zipped(tmp_path, x_train=npy(described((10**6, 4, 150)), bytes(8)))
    claimed = 10 + len(described((10**6, 4, 150)))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<2I", data, at + 20, claimed + 10**6 * 2400, claimed + 10**6 * 2400)
    path.write_bytes(data)

    refused(path, "x_train.npy", "claims 2,400,000,", "more than the file has")


def test_b12_zip_claims_more_than_it_stores(tmp_path: Path) -> None:
    path = zipped(tmp_path, x_train=npy(described((9, 4, 150)), bytes(8)))
    data = bytearray(path.read_bytes())
    size = 10 + len(described((9, 4, 150))) + 9 * 2400
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, size)
    path.write_bytes(data)

    refused(path, "x_train.npy", "claims float32 [9, 4, 150], 21,600 bytes, and holds 8")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        npy(b"garbage"),
        npy(described("x")),
        npy(b"(" * 9000),
        npy(b" " * 20_000 + described((1, 4, 150))),
        npy(described((1, 4, 150)), version=b"\x03\x00"),
        npy(described((1, 4, 150)), version=b"\x09\x00"),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(50_000),
        npy(b"__import__('os').system('true')"),
    ],
)
def test_b12_unreadable_headers(tmp_path: Path, content: bytes) -> None:
    refused(zipped(tmp_path, zipfile.ZIP_DEFLATED, x_train=content), "x_train.npy")


def test_b13_other_number_of_labels_says_both(tmp_path: Path) -> None:
    refused(saved(tmp_path, y_train=np.eye(5)), "x_train.npy has 1 rows, y_train.npy has 5")


def test_no_clips_at_all(tmp_path: Path) -> None:
    path = tmp_path / "NTU60_CS.npz"
    ctr_npz.write(path, [], [], classes=5, frames=6)

    refused(path, "no clips")


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), compressed=st.booleans())
def test_mutated_files_are_read_or_refused(
    tmp_path: Path, data: st.DataObject, compressed: bool
) -> None:
    path = made(tmp_path, compressed=compressed)
    content = bytearray(path.read_bytes())
    structure = [i for mark in (b"PK", b"NUMPY", b"descr") for i in places(content, mark)]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.sampled_from(structure)) + data.draw(st.integers(0, 60))
        content[at % len(content)] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, 2 * len(content)))])

    try:
        everything(path)
    except DataError as error:
        assert path.name in str(error)


def places(content: bytes | bytearray, mark: bytes) -> list[int]:
    return [i for i in range(len(content)) if content.startswith(mark, i)]

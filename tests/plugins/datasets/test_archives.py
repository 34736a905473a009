"""Recordings are read in place, in one order, and damage is named."""

from __future__ import annotations

import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from starcli.errors import DataError
from starcli_plugins.datasets.io import archives
from starcli_plugins.datasets.io.archives import MAX_BYTES

PATTERN = r"r(\d+)\.txt"
REQUEST = "request it from nobody"
CONTENT = {"r2.txt": b"two", "r10.txt": b"ten", "r1.txt": b"one" * 50}
ORDER = ["r1.txt", "r10.txt", "r2.txt"]


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@dataclass(frozen=True)
class Member:
    name: str
    where: str
    data: bytes


def members(raw: Path) -> list[Member]:
    found = archives.recordings(archives.find(raw, PATTERN, REQUEST), PATTERN)
    return [Member(r.name, r.where, archives.load(r)) for r in found]


def refused(raw: Path, *said: str, file: str | None = None) -> DataError:
    """The error of reading `raw`, once it is known to say what, where and what next."""
    with pytest.raises(DataError) as caught:
        members(raw)
    error = caught.value
    assert error.exit_code == 3
    assert (file or raw.name) in str(error)
    for words in said:
        assert words in str(error)
    assert error.fix, f"no next step: {error}"
    return error


def as_zip(folder: Path) -> Path:
    return zipped(folder / "all.zip", {f"in/{name}": data for name, data in CONTENT.items()})


def as_zip_folder(folder: Path) -> Path:
    as_zip(folder)
    return folder


def as_zip_of_another_name(folder: Path) -> Path:
    return as_zip(folder).rename(folder / "download")


def as_zip_in_capitals(folder: Path) -> Path:
    as_zip(folder).rename(folder / "ALL.ZIP")
    return folder / "ALL.ZIP"


def as_flat_folder(folder: Path) -> Path:
    for name, data in CONTENT.items():
        (folder / name).write_bytes(data)
    return folder


def as_deep_folder(folder: Path) -> Path:
    for depth, (name, data) in enumerate(CONTENT.items()):
        path = folder.joinpath(*["z", "y", "x"][:depth], name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def as_two_zips(folder: Path) -> Path:
    for number, name in enumerate(reversed(ORDER)):
        zipped(folder / f"{number}.zip", {name: CONTENT[name]})
    return folder


@pytest.mark.parametrize(
    "lay",
    [
        as_zip,
        as_zip_folder,
        as_zip_of_another_name,
        as_zip_in_capitals,
        as_flat_folder,
        as_deep_folder,
        as_two_zips,
    ],
)
def test_every_form_gives_the_same_recordings(lay: Callable[[Path], Path], tmp_path: Path) -> None:
    found = members(lay(tmp_path))

    assert [m.name for m in found] == ORDER
    assert {m.name: m.data for m in found} == CONTENT
    assert all(m.where.endswith(m.name) for m in found)


def test_order_is_that_of_the_names_not_of_the_archive(tmp_path: Path) -> None:
    forward = zipped(tmp_path / "a.zip", CONTENT)
    backward = zipped(tmp_path / "b.zip", dict(reversed(CONTENT.items())))

    assert [m.name for m in members(forward)] == [m.name for m in members(backward)] == ORDER


def test_reading_writes_nothing_beside_the_archive(tmp_path: Path) -> None:
    path = as_zip(tmp_path)
    before = path.stat()
    members(tmp_path)

    assert list(tmp_path.rglob("*")) == [path]
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def test_other_files_are_left_out(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "all.zip",
        {**CONTENT, "README.txt": b"", "__MACOSX/._r1.txt": b"", "r3.txt.bak": b"", "xr4.txt": b""},
    )
    zipped(tmp_path / "unrelated.zip", {"video.avi": b""})

    assert [m.name for m in members(path)] == ORDER
    assert archives.find(tmp_path, PATTERN, REQUEST) == (path,)


@pytest.mark.parametrize("name", ["../../r1.txt", "/r1.txt", "a\\..\\..\\r1.txt/r1.txt"])
def test_members_that_climb_out_are_refused_b17(name: str, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    path = zipped(inner / "all.zip", {"r2.txt": b"two", name: b"one"})

    refused(path, "outside", "r1.txt")
    assert sorted(tmp_path.rglob("*")) == [inner, path]


def test_a_member_that_is_a_link_is_refused_b17(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("r1.txt")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr(info, "/etc/hostname")

    refused(tmp_path / "all.zip", "link", "r1.txt")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_named_like_a_recording_but_is_none_a23_a24(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / "r1.txt")
    refused(tmp_path, "r1.txt")


def test_missing_folder_names_it_and_where_to_request(tmp_path: Path) -> None:
    assert REQUEST in refused(tmp_path / "nowhere", "no such").fix


@pytest.mark.parametrize("filled", [False, True])
def test_folder_without_recordings_says_where_to_request(filled: bool, tmp_path: Path) -> None:
    if filled:
        (tmp_path / "notes.txt").write_text("r1.txt")
        zipped(tmp_path / "unrelated.zip", {"video.avi": b""})

    assert REQUEST in refused(tmp_path, "no recordings").fix


def test_zip_without_recordings(tmp_path: Path) -> None:
    refused(zipped(tmp_path / "other.zip", {"video.avi": b""}), "no recordings")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("named", ["zip", "folder"])
def test_b08_truncated_zip(share: float, named: str, tmp_path: Path) -> None:
    path = as_zip(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])

    refused(path if named == "zip" else tmp_path, file="all.zip")


def test_not_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    path.write_bytes(b"<html>please log in</html>" * 100)

    assert REQUEST in refused(path, "zip").fix


def test_b08_flipped_byte_in_a_member_names_the_member(tmp_path: Path) -> None:
    path = zipped(tmp_path / "all.zip", CONTENT, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"two", b"twa", 1))

    refused(path, "r2.txt")


def test_encrypted_member_is_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "all.zip", CONTENT)
    data = bytearray(path.read_bytes())
    # Bit 0 of the flags, in the local header of r2.txt and in its central directory entry.
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)

    refused(path, "r2.txt")


def test_recording_twice_in_a_zip(tmp_path: Path) -> None:
    path = zipped(tmp_path / "all.zip", {"a/r1.txt": b"one", "b/r1.txt": b"1"})
    refused(path, "duplicate", "a/r1.txt", "b/r1.txt", "different contents")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_path_a27(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of which a reader by name sees only the last."""
    for name, contents in (("same", (b"1", b"1")), ("other", (b"1", b"2"))):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            for data in contents:
                archive.writestr("in/r1.txt", data)

    assert [m.data for m in members(tmp_path / "same.zip")] == [b"1"]
    assert "a copy of" in caplog.text
    refused(tmp_path / "other.zip", "two members 'in/r1.txt' with different contents")


def test_recording_twice_with_other_content_a27(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "r1.txt").write_bytes(b"one")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "r1.txt").write_bytes(b"another")

    refused(tmp_path, "duplicate", "a/r1.txt", "b/r1.txt", "different contents")


def test_copies_of_one_recording_are_one_and_a_warning_a27(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    members(as_zip(tmp_path))
    assert caplog.text == ""
    shutil.copy(tmp_path / "all.zip", tmp_path / "more.zip")
    assert [m.data for m in members(tmp_path)] == [CONTENT[name] for name in ORDER]
    (record,) = caplog.records
    said = record.getMessage()
    assert "more.zip/in/r1.txt, a copy of" in said
    assert "all.zip/in/r1.txt, and 2 more copies are left out" in said


def test_twins_by_case_are_one_or_refused_a28(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """R1.TXT sorts before r10.txt and r1.txt, and is their sort's first, not their neighbour."""
    as_flat_folder(tmp_path)
    (tmp_path / "more").mkdir()
    twin = tmp_path / "more" / "R1.TXT"
    twin.write_bytes(CONTENT["r1.txt"])
    assert [m.name for m in members(tmp_path)] == ORDER
    assert f"{twin}, a copy of {tmp_path / 'r1.txt'}, is left out" in caplog.text
    twin.write_bytes(b"another")
    refused(tmp_path, "more/R1.TXT", f"duplicate of {tmp_path / 'r1.txt'}", file="R1.TXT")


def test_a_recording_in_other_case_is_not_left_out_without_a_word_a28(tmp_path: Path) -> None:
    (tmp_path / "R1.TXT").write_bytes(b"one")
    assert [m.name for m in members(tmp_path)] == ["R1.TXT"]


def test_b18_oversized_member_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path / "all.zip", {"r1.txt": bytes(MAX_BYTES + 1)})
    assert path.stat().st_size < MAX_BYTES / 100

    refused(path, "r1.txt", f"{MAX_BYTES + 1:,}")


def test_b18_member_larger_than_it_claims(tmp_path: Path) -> None:
    path = zipped(tmp_path / "all.zip", {"r1.txt": bytes(10_000)})
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[22:26] = data[central + 24 : central + 28] = struct.pack("<I", 10)
    path.write_bytes(data)

    refused(path, "r1.txt")


def test_b18_oversized_loose_file(tmp_path: Path) -> None:
    with (tmp_path / "r1.txt").open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # sparse

    refused(tmp_path, "r1.txt", f"{MAX_BYTES + 1:,}")


@pytest.mark.slow
def test_any_flipped_bit_is_harmless_or_a_data_error(tmp_path: Path) -> None:
    path = as_zip(tmp_path)
    good = path.read_bytes()
    wrong = []
    for bit in range(8 * len(good)):
        data = bytearray(good)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        try:
            # Damage to names and dates is nobody's loss; content is covered by its checksum.
            if any(CONTENT.get(m.name, m.data) != m.data for m in members(path)):
                wrong.append((bit, "other content"))
        except DataError as error:
            if "all.zip" not in str(error):
                wrong.append((bit, str(error)))
        except Exception as error:  # all others would be shown as a traceback
            wrong.append((bit, repr(error)))

    assert wrong == []

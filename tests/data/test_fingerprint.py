"""What identifies recordings: what files hold, not where they lie or how they are packed."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from starcli.data.fingerprint import RawFiles, content, fingerprint
from starcli.errors import DataError
from starcli.files import digest


def test_a_zip_is_known_by_what_it_holds_not_by_how_it_is_packed(tmp_path: Path) -> None:
    def packed(name: str, text: str, method: int) -> str:
        with zipfile.ZipFile(tmp_path / name, "w", method) as archive:
            archive.writestr("clip.txt", text)
        return content(tmp_path / name)

    same = packed("a.zip", "one" * 99, zipfile.ZIP_STORED)
    assert packed("b.zip", "one" * 99, zipfile.ZIP_DEFLATED) == same
    assert packed("c.zip", "two" * 99, zipfile.ZIP_STORED) != same
    (tmp_path / "d.txt").write_bytes((tmp_path / "a.zip").read_bytes()[:50])
    assert content(tmp_path / "d.txt") == digest(tmp_path / "d.txt")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_file_has_no_content_and_is_not_opened_a23(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / "x.skeleton")
    with pytest.raises(DataError, match="not a regular file"):
        content(tmp_path / "x.skeleton")


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_files_are_known_by_their_names_and_bytes_f17(workers: int, tmp_path: Path) -> None:
    files = [tmp_path / "b", tmp_path / "a", tmp_path / "c"]
    for path in files:
        path.write_bytes(path.name.encode())
    one, two, three = (hashlib.sha256(name).hexdigest() for name in (b"a", b"b", b"c"))
    lines = f'["a {one}","b {two}","c {three}"]'
    assert fingerprint(files, workers) == hashlib.sha256(lines.encode()).hexdigest()[:16]
    (tmp_path / "b").write_bytes(b"x")
    assert fingerprint(files, workers) != hashlib.sha256(lines.encode()).hexdigest()[:16]


def test_one_file_is_the_same_under_any_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"bytes")
    (tmp_path / "b").write_bytes(b"bytes")
    want = f'[" {hashlib.sha256(b"bytes").hexdigest()}"]'
    for name in "ab":
        assert fingerprint([tmp_path / name], 2) == hashlib.sha256(want.encode()).hexdigest()[:16]


def test_files_that_are_read_and_were_not_there_before_are_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "a", tmp_path / "b"
    one.write_bytes(b"bytes")
    two.write_bytes(b"bytes")
    files = RawFiles.of(tmp_path, [one], 1)
    files.require_unchanged(files.digest, [one])
    with pytest.raises(DataError, match="changed while") as caught:
        files.require_unchanged(files.digest, [two])
    assert caught.value.file == str(two)
    with pytest.raises(DataError, match="not the recordings that the run was made of") as caught:
        files.require_unchanged("0" * 16)
    assert caught.value.file == str(tmp_path)

"""Indexes: CSV, as spreadsheets write it too, and JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from starcli.data.importing.index import Entry, rows
from starcli.errors import DataError


def entries(path: Path) -> list[Entry]:
    return [row.entry() for row in rows(path)]


def index(folder: Path, text: str, name: str = "index.csv") -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder / name


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("file:class\na.npy:bow\n", 1, "has no column 'file', got 'file:class'"),
        ("file,class\na.npy,bow\nb.npy,wave,1,5\n", 3, "has 4 fields, the first line has 2"),
        ('file,class\na.npy,"bow\nb.npy,wave\n', 3, "not readable CSV"),
        ('file,class\n"a.npy"x,bow\n', 2, "not readable CSV"),
        ("file,class\na.npy,\n", 2, "'class' is empty"),
        ("file,class,class\na.npy,b,b\n", 1, "duplicate column 'class'"),
        ("file,class,xsub\na.npy,bow,maybe\n", 2, "'xsub' is 'maybe', expected train or test"),
        ("file,class,xsub\na.npy,bow,train\nb.npy,bow,\n", 3, "'xsub' is empty"),
        ("file,class,x sub\na.npy,bow,train\n", 1, "column 'x sub' is not a name of a protocol"),
        ("file,class,,view\na.npy,bow,1,left\n", 1, "column '' is not a name"),
        ("file,class\n", None, "has no rows"),
        ("", 1, "has no column 'file'"),
    ],
)
def test_bad_csv_b16(tmp_path: Path, text: str, line: int | None, said: str) -> None:
    path = index(tmp_path, text)
    with pytest.raises(DataError) as caught:
        entries(path)
    assert said in caught.value.message
    assert (caught.value.file, caught.value.line) == (str(path), line)


def test_lines_are_counted_through_quoted_breaks(tmp_path: Path) -> None:
    path = index(tmp_path, 'file,class\n"a\nb.npy",bow\n\nc.npy,bow,x\n')
    with pytest.raises(DataError) as caught:
        entries(path)
    assert caught.value.line == 5


GOOD_ROW = '{"file": "a.npy", "class": "bow"}'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (f"[{GOOD_ROW},\n oops]", 2, "not readable JSON"),
        ("[NaN]", None, "has NaN, which is not JSON"),
        ('[{"file": "a.npy", "class": "b", "file": "c.npy"}]', None, "duplicate key 'file'"),
        ("[" * 100_000, None, "not readable JSON"),
        (f"[{'1' * 5000}]", None, "not readable JSON"),
        (GOOD_ROW, None, "expected a list of objects"),
        (f"[{GOOD_ROW}, 3]", None, "entry 2: expected an object of texts"),
        ('[{"file": "a.npy", "class": true}]', None, "entry 1: expected an object of texts"),
        ('[{"file": "a.npy", "clas": "b"}]', None, "has no column 'class'"),
        (f'[{GOOD_ROW}, {{"file": "b.npy", "class": "b", "view": 1}}]', None, "entry 2: has"),
    ],
)
def test_bad_json_b14(tmp_path: Path, text: str, line: int | None, said: str) -> None:
    path = index(tmp_path, text, "index.json")
    with pytest.raises(DataError) as caught:
        entries(path)
    assert said in caught.value.message
    assert (caught.value.file, caught.value.line) == (str(path), line)


def test_a_byte_order_mark_is_no_part_of_the_text_b14(tmp_path: Path) -> None:
    assert entries(index(tmp_path, "\ufefffile,class\na.npy,bow\n"))[0].action == "bow"
    assert entries(index(tmp_path, f"\ufeff[{GOOD_ROW}]", "i.json"))[0].action == "bow"
    (tmp_path / "latin.csv").write_bytes(b"file,class\na.npy,caf\xe9\n")
    with pytest.raises(DataError, match="not UTF-8 at byte 20"):
        entries(tmp_path / "latin.csv")


@pytest.mark.parametrize(
    "text",
    [
        "file,class,subject\na b/1.npy,bow,ann\n",
        "file;class;subject\r\na b/1.npy;bow;ann\r\n",
        "file\tclass\tsubject\na b/1.npy\tbow\tann\n",
        "\ufeffFile,Class,Subject\r\na b/1.npy,bow,ann\r\n",
        "file,class,subject\na b\\1.npy,bow,ann\n",
        "file,class,subject,\na b/1.npy,bow,ann,\n,,,\n,,,\n",
        "file,class,subject\n,,\na b/1.npy, bow ,ann\n\n,,\n",
    ],
    ids=["plain", "semicolons", "tabs", "mark", "backslashes", "last-column", "empty-rows"],
)
def test_tables_as_spreadsheets_write_them_say_the_same(tmp_path: Path, text: str) -> None:
    (entry,) = entries(index(tmp_path, text))
    assert (entry.name, entry.action, entry.subject) == ("a b/1.npy", "bow", "ann")


def test_a_table_in_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_bytes("file,class\na.npy,bow\n".encode("utf-16"))
    with pytest.raises(DataError, match="not UTF-8 at byte 0") as caught:
        entries(tmp_path / "wide.csv")
    assert (caught.value.line, caught.value.fix) == (1, "save it as UTF-8")


def test_folders_of_subsets_have_many_names(tmp_path: Path) -> None:
    text = "file,class,mine\na,bow,Training\nb,bow,val\nc,bow,test\n"
    assert [e.subsets["mine"] for e in entries(index(tmp_path, text))] == ["train", "test", "test"]

"""Damaged files of every format: clips, or an error of ours that names the file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from starcli import class_names, files, registry
from starcli.conformance.readers import people_of, write
from starcli.contracts import NoSettings
from starcli.data import layouts
from starcli.data.importing.index import rows
from starcli.errors import StarError
from starcli.poses import PoseFile, Reader
from starcli.text import descriptions

EXAMPLES = int(os.environ.get("PYTEST_FUZZ", "12"))
"""Per reader; a longer search is `PYTEST_FUZZ=5000 pytest tests/faults/test_fuzz.py`."""
READERS = [e.name for e in registry.entries("reader") if e.distribution == registry.OURS]
TOKENS = [
    *(b"nan", b"-1", b"1e999", b"0", b"9" * 400, b"null", b"[]", b"{}", b'""', b'"'),
    *(b",", b"\t", b"\n", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"=1+1", b"\x1b[31m"),
]
Edit = tuple[int, int, bytes]
edits: st.SearchStrategy[list[Edit]] = st.lists(
    st.tuples(
        st.integers(0, 2**16), st.integers(0, 40), st.sampled_from(TOKENS) | st.binary(max_size=8)
    ),
    min_size=1,
    max_size=4,
)
"""Place, bytes that go, bytes that come."""
within = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def edited(data: bytes, changes: Sequence[Edit]) -> bytes:
    for place, gone, come in changes:
        start = place % (len(data) + 1)
        data = data[:start] + come + data[start + gone :]
    return data


@cache
def whole(name: str) -> tuple[Reader, str, bytes]:
    """A reader, the name of a file of its own, and the bytes of it."""
    plugin = registry.load("reader", name)
    reader = plugin(NoSettings())
    with tempfile.TemporaryDirectory() as folder:
        file = write(reader, people_of(plugin, next(iter(plugin.layouts))), Path(folder))[0]
        return reader, file.name, file.path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
@within
@given(changes=edits, kept=st.integers(0, 100))
def test_poses_of_any_reader_a33(tmp_path: Path, name: str, changes: list[Edit], kept: int) -> None:
    """Edited, and of every other one the end is cut."""
    reader, called, data = whole(name)
    data = edited(data, changes)
    data = data[: len(data) * kept // 100] if kept % 2 else data
    path = tmp_path / called
    path.write_bytes(data)
    file = PoseFile(path, called)
    if not reader.recognises(file):
        return
    reader.frame_of(file)
    try:
        for poses in reader.read([file]):
            assert poses.joints.ndim == 4
    except StarError as error:
        assert error.fix
        assert error.file and error.file.startswith(called)


TEXTS = {
    "index.csv": ('file,class,subject,start,end,xsub\na.npy,"bow, low",ann,1,20,train\n', rows),
    "index.json": ('[{"file": "a.npy", "class": "bow", "view": 1}]', rows),
    "layout.toml": (
        'name = "mine"\njoints = ["a", "b", "c"]\nbones = [["a", "b"], ["b", "c"]]\n'
        '[parts]\nupper = ["a"]\nlower = ["b", "c"]\n',
        layouts.read,
    ),
    "settings.toml": ('seed = 1\n[pretrain]\nepochs = 3\nname = "x"\n', files.toml),
    "texts.json": ('{"actions": {"bow": {"head": "Head bows.", "arm": "x"}}}', descriptions.read),
}
"""Texts that people write, and what reads them."""


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXTS)
@within
@given(changes=edits)
def test_texts_that_people_write_b14_b16(tmp_path: Path, name: str, changes: list[Edit]) -> None:
    text, read = TEXTS[name]
    path = tmp_path / name
    path.write_bytes(edited(text.encode(), changes))
    try:
        read(path)
    except StarError as error:
        assert error.fix


@within
@given(st.text(max_size=60), st.lists(st.text(max_size=12), max_size=4))
def test_any_text_is_split_into_names_c15(text: str, known: list[str]) -> None:
    names = class_names.split_names(text, known)
    assert names
    assert all(isinstance(class_names.spelled(name), str) for name in names)

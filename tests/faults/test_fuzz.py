"""Damaged files of every format: clips, or an error of ours that names the file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from starcli import class_names
from tests import fuzzed

EXAMPLES = int(os.environ.get("PYTEST_FUZZ", "8"))
"""Per parser; a longer search is `PYTEST_FUZZ=5000 pytest tests/faults/test_fuzz.py`."""
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


@pytest.mark.slow
@pytest.mark.parametrize("name", fuzzed.NAMES)
@within
@given(changes=edits, kept=st.integers(0, 100))
def test_files_of_others_a33_b14_b16(
    tmp_path: Path, name: str, changes: list[Edit], kept: int
) -> None:
    """Edited, and of every other one the end is cut."""
    parser = fuzzed.parser(name)
    data = edited(parser.sound, changes)
    parser.attempt(tmp_path, data[: len(data) * kept // 100] if kept % 2 else data)


@within
@given(st.text(max_size=60), st.lists(st.text(max_size=12), max_size=4))
def test_any_text_is_split_into_names_c15(text: str, known: list[str]) -> None:
    names = class_names.split_names(text, known)
    assert names
    assert all(isinstance(class_names.spelled(name), str) for name in names)

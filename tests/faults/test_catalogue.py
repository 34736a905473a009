"""Every row of `docs/faults.md` has a test that carries its id, and every id is that of a row."""

from __future__ import annotations

import re
from functools import cache

from starcli.cli.output import SKIPPED
from starcli.errors import StarError
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "faults.md"
ROW = re.compile(r"^\| ([A-G]\d\d) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


@cache
def rows() -> dict[str, str]:
    """Id -> exit codes of every row."""
    found = [(row[1], row[4]) for row in ROW.finditer(PAGE.read_text("utf-8"))]
    assert len(dict(found)) == len(found), "an id is there twice"
    return dict(found)


@cache
def ids_in_tests() -> dict[str, list[str]]:
    """Id -> the tests whose names have it."""
    found: dict[str, list[str]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        for name in re.findall(r"^def (test_\w+)\(", path.read_text("utf-8"), re.MULTILINE):
            for id in re.findall(r"(?<=_)[a-gA-G]\d\d(?=_|$)", name):
                found.setdefault(id.upper(), []).append(name)
    return found


def test_every_row_is_read() -> None:
    lines = re.findall(r"^\| *[A-Z]\d", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(rows()) == len(lines) == 165
    assert [*rows()] == sorted(rows())


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    assert not set(ids_in_tests()) - set(rows()), "tests without a row"
    assert not set(rows()) - set(ids_in_tests()), "rows without a test"


def test_exit_codes_are_those_of_errors() -> None:
    kinds = StarError.__subclasses__()
    known = {0, 1, SKIPPED, 130, 143} | {kind.exit_code for kind in kinds}
    for id, codes in rows().items():
        numbers = {int(code) for code in re.findall(r"\d+", codes)}
        assert numbers <= known, id
        assert numbers or codes == "any", id

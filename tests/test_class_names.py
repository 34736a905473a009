"""Class names are one where they differ in case, spaces and Unicode form alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcli.class_names import casefolded, find_class, require_classes, require_distinct
from starcli.errors import DataError, UsageError

CLASSES = ("wave", "Throw  a ball", "pirouett\u00e9")


@given(st.text())
def test_the_form_that_is_compared_is_its_own(name: str) -> None:
    assert casefolded(casefolded(name)) == casefolded(name)


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("Wave", 0),
        (" throw a\tBALL ", 1),
        ("PIROUETTE\u0301", 2),
        ("pirouette", None),
        ("throw", None),
        ("", None),
    ],
)
def test_a_class_is_found_however_its_name_is_written(name: str, position: int | None) -> None:
    assert find_class(name, CLASSES) == find_class(name, list(CLASSES)) == position


def test_classes_are_found_each_once_in_order() -> None:
    assert require_classes(["throw a ball", "WAVE", "Throw a ball"], CLASSES) == [1, 0]
    assert require_classes([], CLASSES) == []
    with pytest.raises(UsageError, match="--unseen easy: no class 'wafe'") as caught:
        require_classes(["wave", "wafe"], CLASSES, "--unseen easy: ")
    assert caught.value.fix.startswith("did you mean 'wave'?")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["wave", "  "], "class 2 has no name"),
        (["wave", "jump", "Wave "], "two classes have the same name: 'wave' and 'Wave '"),
        (["pirouett\u00e9", "pirouette\u0301"], "two classes have the same name"),
    ],
)
def test_names_that_cannot_be_told_apart(names: list[str], message: str) -> None:
    require_distinct(CLASSES)
    with pytest.raises(DataError, match=message):
        require_distinct(names)

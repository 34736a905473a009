"""How class names are compared, spelled and listed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcli.class_names import (
    alike,
    casefolded,
    find_class,
    require_classes,
    require_distinct,
    spelled,
    split_names,
)
from starcli.errors import DataError, UsageError

CLASSES = ("wave", "Throw  a ball", "pirouett\u00e9")


@pytest.mark.slow
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
        ("throw_a-ball", 1),
        ("ThrowABall", 1),
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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sit down", "Sit_Down"),
        ("sit down", "SitDown"),
        ("sit-down", "sit  down"),
        ("1", "01"),
        ("P 1", "p_001"),
        ("caf\u00e9", "CAFE\u0301"),
    ],
)
def test_names_that_are_one(one: str, other: str) -> None:
    assert alike(one) == alike(other)


@pytest.mark.parametrize(
    ("one", "other"), [("1 2", "12"), ("10", "1"), ("0", ""), ("1.05", "1.5"), ("put on", "put")]
)
def test_names_that_are_two(one: str, other: str) -> None:
    assert alike(one) != alike(other)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sit_down", "sit down"),
        ("sit-down", "sit down"),
        ("SitDown", "sit down"),
        ("sitDown", "sit down"),
        ("raise-up-both-hands", "raise up both hands"),
        ("Bow", "Bow"),
        ("put on a t-shirt", "put on a t-shirt"),
        ("open PowerPoint", "open PowerPoint"),
        ("A001", "A001"),
        ("-", "-"),
    ],
)
def test_names_as_texts(name: str, text: str) -> None:
    assert spelled(name) == text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("wave, bow", ["wave", "bow"]),
        ("put on, hat", ["put on, hat"]),
        ("wave,Put_on, hat,bow", ["wave", "Put_on, hat", "bow"]),
        ('"put on", "hat"', ["put on", "hat"]),
        ('wave, "put on, hat"', ["wave", "put on, hat"]),
        ('"a ""b""",c', ['a "b"', "c"]),
        ("", [""]),
        ("wave,", ["wave", ""]),
    ],
)
def test_names_in_one_text(text: str, names: list[str]) -> None:
    assert split_names(text, ["put on, hat", "put on", "hat", "wave", "bow"]) == names


def test_thousands_of_names_are_split_as_few_are() -> None:
    names = [f"action {number}" for number in range(1000)]

    assert split_names(",".join(names)) == names
    assert split_names(",".join([*names, "put on, hat"]), ["put on, hat"]) == [
        *names,
        "put on, hat",
    ]

"""Names of actions: what is taken as it is, and what is refused with its reason."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from starcli.errors import DataError
from starcli.text.vocabulary import LONGEST, read_vocabulary


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("squat", ("squat",)),
        ("squat, chop onions", ("squat", "chop onions")),
        ('wave, "put on, hat"', ("wave", "put on, hat")),
        (["a, b", "c"], ("a, b", "c")),
        ("jet\u00e9, t-pose, 180 jump", ("jet\u00e9", "t-pose", "180 jump")),
        ("x" * LONGEST, ("x" * LONGEST,)),
    ],
)
def test_names_are_taken_in_their_order(given: str | Sequence[str], names: tuple[str, ...]) -> None:
    assert read_vocabulary(given) == names


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "action 1 has no name"),
        ("squat,, wave", "action 2 has no name"),
        ("squat, ", "action 2 has no name"),
        ([], "no action is named"),
        ("squat, Squat", "duplicate action 'Squat': it is 'squat'"),
        (["squat", "squat"], "duplicate action 'squat': it is 'squat'"),
        ("sit down, SitDown", "duplicate action 'SitDown': it is 'sit down'"),
        ("x" * 10_000, "action 1 has a name of 10,000 characters, more than 200"),
        ("wave, a\x1b[31mb", "action 2 has control characters in its name"),
        (["a\nb"], "action 1 has control characters in its name"),
        ("wave, \u8dd1\u6b65", "action 2 is not named in English: '\u8dd1\u6b65'"),
        ("\u043f\u0440\u0438\u0441\u0435\u0434", "action 1 is not named in English"),
        ("123, wave", "action 1 has no word in its name: '123'"),
        ("wave, \U0001f44b", "action 2 has no word in its name"),
    ],
)
def test_what_is_no_vocabulary_is_refused(given: str | Sequence[str], message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_vocabulary(given)

    assert message in caught.value.message
    assert caught.value.file == "--actions"
    assert caught.value.fix

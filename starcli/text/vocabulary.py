"""Names of actions that somebody types: English, of a name's length, no two alike."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from starcli.class_names import alike, split_names
from starcli.errors import DataError

LONGEST = 200
"""Characters of the longest name."""
PLACE = "--actions"


def read_vocabulary(given: str | Sequence[str]) -> tuple[str, ...]:
    """The names that are meant.

    Args:
        given: Names, several or in one text with commas between them.

    Raises:
        DataError: A name is empty, too long, no printable English, or a duplicate.
    """
    names = split_names(given) if isinstance(given, str) else given
    known: dict[str, str] = {}
    for number, name in enumerate(names, start=1):
        if fault := _fault(name):
            message, fix = fault
            raise DataError(f"action {number} {message}", fix, file=PLACE)
        if (key := alike(name)) in known:
            message = f"duplicate action '{name}': it is '{known[key]}'"
            raise DataError(message, "remove one", file=PLACE)
        known[key] = name
    if not known:
        raise DataError("no action is named", "name some, such as 'squat, wave'", file=PLACE)
    return tuple(known.values())


def _fault(name: str) -> tuple[str, str] | None:
    """What is wrong with a name, and the way out; None where nothing is."""
    if not name.strip():
        return "has no name", "write one name between two commas"
    if not name.isprintable():
        return "has control characters in its name", "write it in plain characters, on one line"
    if len(name) > LONGEST:
        message = f"has a name of {len(name):,} characters, more than {LONGEST}"
        return (
            message,
            "name it in a few words; sentences go into a file: see describe --schema",
        )
    letters = [letter for letter in name if letter.isalpha()]
    if not letters:
        return f"has no word in its name: '{name}'", "name it in English words"
    if not all(unicodedata.name(letter, "").startswith("LATIN") for letter in letters):
        message = f"is not named in English: '{name}'"
        return message, "use its English name: descriptions and text encoders know English only"
    return None

"""How class names are compared, found, spelled and listed."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

from starcli.errors import DataError, UsageError, suggest

HUMPS = re.compile(r"[A-Z]?[a-z]+(?:[A-Z][a-z]+)+")
"""A name such as `SitDown` or `sitDown`."""
CONTROL = {"Cc", "Cs"}
"""Categories of characters that no picture and no page can hold."""
QUOTED = re.compile(r'\s*"((?:[^"]|"")*)"\s*(?:,(.*))?', re.DOTALL)
"""A name in quotes at the beginning of a list, and what comes after its comma."""


def printable(text: str) -> str:
    """A text for pictures and pages, in which control characters and half letters are replaced.

    Args:
        text: Any text, such as the name of a class.
    """
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if c != "\n" and unicodedata.category(c) in CONTROL else c
        for c in text
    )


def casefolded(name: str) -> str:
    """The form in which class names are compared: NFC, casefolded, single spaces.

    Args:
        name: Name of a class.
    """
    # Casefolding can take a name out of NFC again.
    once = unicodedata.normalize("NFC", name).casefold()
    return " ".join(unicodedata.normalize("NFC", once).split())


def find_class(name: str, classes: Sequence[str]) -> int | None:
    """The position of the class of this name, or else of the only one alike; None for none.

    Args:
        name: As someone wrote it.
        classes: Names of all classes.
    """
    positions = _positions(tuple(classes))
    return positions.get(casefolded(name), positions.get(alike(name)))


@lru_cache(maxsize=8)  # thousands of names are looked up in the same classes
def _positions(classes: tuple[str, ...]) -> dict[str, int]:
    count = Counter(map(alike, classes))
    nearly = {alike(name): n for n, name in enumerate(classes) if count[alike(name)] == 1}
    return nearly | {casefolded(name): position for position, name in enumerate(classes)}


def require_classes(names: Iterable[str], classes: Sequence[str], where: str = "") -> list[int]:
    """The positions of the classes of these names, each once, in order.

    Args:
        names: As someone wrote them.
        classes: Names of all classes.
        where: What begins the message, such as `--unseen easy: `.

    Raises:
        UsageError: There is no such class.
    """
    positions = []
    for name in names:
        position = find_class(name, classes)
        if position is None:
            raise UsageError(f"{where}no class '{name}'", suggest(name, classes))
        positions.append(position)
    return list(dict.fromkeys(positions))


def require_distinct(names: Iterable[str]) -> None:
    """Refuse names that are empty, or alike but for case, spaces and Unicode form.

    Raises:
        DataError: There are such names.
    """
    known: dict[str, str] = {}
    for number, name in enumerate(names, start=1):
        key = casefolded(name)
        if not key:
            raise DataError(f"class {number} has no name", "name it in the data set")
        if key in known:
            raise DataError(
                f"two classes have the same name: '{known[key]}' and '{name}'",
                "give one another name in the data set",
            )
        known[key] = name


def alike(name: str) -> str:
    """The form in which names that people type are compared: casefolded, without `_` and `-`.

    `sit down`, `Sit_Down`, `sit-down` and `SitDown` are one name, as are `1` and `01`.

    Args:
        name: Name of a class, a subject or a view.
    """
    words = re.sub(r"[\s_-]+", " ", casefolded(name))
    together = re.sub(r"(?<!\d) | (?!\d)", "", words)  # `1 2` is not 12
    return re.sub(r"(?<![\d.])0+(?=\d)", "", together) or casefolded(name)


def spelled(name: str) -> str:
    """A name as text encoders read it: words with spaces, where it joins them with `_` or `-`, or
    by capitals.

    Args:
        name: Name of a class, such as that of a folder.
    """
    words = name.replace("_", " ").split()
    if len(words) == 1:
        words = re.split(r"(?<=\w)-(?=\w)", words[0])
    if len(words) == 1 and HUMPS.fullmatch(words[0]):
        words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+", words[0])]
    return " ".join(words)


def split_names(text: str, known: Collection[str] = ()) -> list[str]:
    """The names in a text that separates them by commas.

    A name with a comma is quoted; of known ones, the longest that the text has is taken whole.

    Args:
        text: Such as `wave, "put on, hat"`.
        known: Names that there are.
    """
    keys = {alike(name) for name in known}
    names: list[str] = []
    rest: str | None = text
    while rest is not None:
        name, rest = _first(rest, keys)
        names.append(name)
    return names


def _first(text: str, keys: Collection[str]) -> tuple[str, str | None]:
    """The first name of a text, and what comes after its comma; None where there is none."""
    if quoted := QUOTED.match(text):
        return quoted[1].replace('""', '"'), quoted[2]
    pieces = text.split(",")
    most = max((key.count(",") for key in keys), default=0) + 1
    ends = range(min(len(pieces), most), 1, -1)
    end = next((end for end in ends if alike(",".join(pieces[:end])) in keys), 1)
    return ",".join(pieces[:end]).strip(), ",".join(pieces[end:]) if end < len(pieces) else None

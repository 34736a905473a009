"""How class names are compared, found and told apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from starcli.errors import DataError, UsageError, suggest


def casefolded(name: str) -> str:
    """The form in which class names are compared: NFC, casefolded, single spaces.

    Args:
        name: Name of a class.
    """
    # Casefolding can take a name out of NFC again.
    once = unicodedata.normalize("NFC", name).casefold()
    return " ".join(unicodedata.normalize("NFC", once).split())


def find_class(name: str, classes: Sequence[str]) -> int | None:
    """The position of the class of this name; None where there is none.

    Args:
        name: As someone wrote it.
        classes: Names of all classes.
    """
    return _positions(tuple(classes)).get(casefolded(name))


@lru_cache(maxsize=8)  # thousands of names are looked up in the same classes
def _positions(classes: tuple[str, ...]) -> dict[str, int]:
    return {casefolded(name): position for position, name in enumerate(classes)}


def require_classes(names: Iterable[str], classes: Sequence[str], where: str = "") -> list[int]:
    """The positions of the classes of these names, each once, in order.

    Args:
        names: As someone wrote them.
        classes: Names of all classes.
        where: What begins the message, such as `--unseen easy: `.

    Raises:
        UsageError: There is no such class.
    """
    found = []
    for name in names:
        position = find_class(name, classes)
        if position is None:
            raise UsageError(f"{where}no class '{name}'", suggest(name, classes))
        found.append(position)
    return list(dict.fromkeys(found))


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

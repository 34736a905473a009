"""Tables of clips in a few lines of text: rows of a number, a colon, and words."""

from __future__ import annotations

from collections.abc import Iterator


def rows(table: str) -> Iterator[tuple[int, str]]:
    """The number and the text of every row."""
    for row in table.strip().splitlines():
        number, _, rest = row.partition(": ")
        yield int(number), rest


def numbers(text: str) -> tuple[int, ...]:
    """`1,2,7-9` -> 1, 2, 7, 8, 9."""
    listed: list[int] = []
    for word in filter(None, text.split(",")):
        first, _, last = word.partition("-")
        listed += range(int(first), int(last or first) + 1)
    return tuple(listed)

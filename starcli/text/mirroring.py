"""What is said of an action, as it is said of its copy in a mirror."""

from __future__ import annotations

import re
from collections.abc import Callable

SIDED = re.compile(
    r"\b(?:(?P<left>left)|(?P<right>right)(?!\s+angles?\b)"
    r"|(?P<against>counter[\s-]?clockwise|anti[\s-]?clockwise)|(?P<clockwise>clockwise))(?=\b|wards?\b)",
    re.IGNORECASE,
)
"""Words that a mirror exchanges; a right angle stays one."""
EXCHANGED = {
    "left": "right",
    "right": "left",
    "against": "clockwise",
    "clockwise": "counterclockwise",
}


def mirrored(text: str) -> str:
    """A text with left and right, clockwise and counterclockwise exchanged, in the same case."""
    return SIDED.sub(lambda match: _as(match[0])(EXCHANGED[str(match.lastgroup)]), text)


def _as(word: str) -> Callable[[str], str]:
    """What writes a word as another is written: small, in capitals, or with one at its start."""
    if word.isupper():
        return str.upper
    return str.capitalize if word[0].isupper() else str.lower

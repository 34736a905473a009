"""How class names are compared."""

from __future__ import annotations

import unicodedata


def folded(name: str) -> str:
    """The form in which class names are compared: NFC, casefolded, single spaces.

    Args:
        name: Name of a class.
    """
    # Casefolding can take a name out of NFC again.
    once = unicodedata.normalize("NFC", name).casefold()
    return " ".join(unicodedata.normalize("NFC", once).split())

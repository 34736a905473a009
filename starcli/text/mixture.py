"""Texts of several lines: what an action is called, then what actions near to it are said to do.

The first line counts as much as all others together. Beside names alone, and beside the sentences
of the nearest action alone, such mixtures were most like sentences written for an action.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def lines(text: str) -> list[str]:
    """The lines of a text, without those that are blank; at least one.

    Args:
        text: One or more lines.
    """
    return [line for each in text.splitlines() if (line := each.strip())] or [text]


def line_by_line(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """Texts that have equally many lines as their first lines, their second lines, and so on.

    Args:
        texts: At least one; where the numbers of lines differ, each is one line.
    """
    split = [lines(text) for text in texts]
    if len(set(map(len, split))) > 1:
        split = [[" ".join(own)] for own in split]
    return list(zip(*split, strict=True))


def mixed(vectors: Tensor) -> Tensor:
    """The vector [E] of a text, as long as those of its lines are in the mean.

    Args:
        vectors: Those of its lines [n, E].
    """
    if len(vectors) == 1:
        return vectors[0]
    both = vectors[0] + vectors[1:].mean(0)
    length = both.norm()
    return both * (vectors.norm(dim=1).mean() / length) if length else both

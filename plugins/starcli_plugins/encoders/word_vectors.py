"""Base of the encoders that have one vector for each word."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from starcli.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

POSSESSIVE = re.compile(r"['\u2019]s\b")
WORD = re.compile(r"[^\W_]+")


def split(text: str) -> list[str]:
    """The words of a text: runs of letters and digits, without the s of a possessive."""
    return WORD.findall(POSSESSIVE.sub("", text))


class WordVectors(ABC):
    """A text is the mean of the vectors of its words; words without a vector are left out.

    Args:
        settings: `normalise`, whether vectors of texts get unit length.
    """

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    limit: int | None = None

    def __init__(self, settings: BaseModel) -> None:
        self.settings: Any = settings

    @property
    @abstractmethod
    def dim(self) -> int:
        """E."""

    @abstractmethod
    def _row(self, word: str) -> int | None:
        """The number of a word's vector, exactly as it is spelt; None where it has none."""

    @abstractmethod
    def _vectors(self, rows: Sequence[int]) -> Tensor:
        """Vectors float32 [words, E]."""

    def _find(self, word: str) -> int | None:
        """The number of a word's vector as it is spelt, or else in small letters."""
        row = self._row(word)
        return self._row(word.lower()) if row is None else row

    def length(self, text: str) -> int:
        """Words of a text that have a vector."""
        return sum(self._find(word) is not None for word in split(text))

    def unknown(self, text: str) -> list[str]:
        """The words of a text that have no vector."""
        return [word for word in split(text) if self._find(word) is None]

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Vectors float32 [len(texts), E].

        Raises:
            DataError: No word of a text has a vector.
        """
        import torch

        vectors = torch.stack([self._mean(text) for text in texts])
        return torch.nn.functional.normalize(vectors, dim=1) if self.settings.normalise else vectors

    def _mean(self, text: str) -> Tensor:
        rows = [row for word in split(text) if (row := self._find(word)) is not None]
        if not rows:
            raise DataError(
                f"no word of '{text}' has a vector", "say it in other words, or use another encoder"
            )
        return self._vectors(rows).mean(0)

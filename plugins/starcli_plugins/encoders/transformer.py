"""What the encoders share that are a tokenizer and a transformers model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from starcli_plugins.hub_files import ON_DISK, find, fingerprint, opening, require_same_words

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 32


class Transformer(ABC):
    """A frozen text model of transformers.

    Args:
        settings: `model`, a folder or a name on the hub, and `normalise`.
    """

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1

    def __init__(self, settings: BaseModel) -> None:
        self.settings: Any = settings

    @property
    @abstractmethod
    def dim(self) -> int:
        """E."""

    @abstractmethod
    def _open(self, folder: Path) -> Any:
        """The model; ValueError where it cannot be one of this kind."""

    @abstractmethod
    def _pooled(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Vectors [B, E] of token ids and their mask, each [B, tokens], padded on the right."""

    @cached_property
    def _folder(self) -> Path:
        return find(self.settings.model)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Tokenizer and model."""
        from transformers import AutoTokenizer

        with opening(self._folder):
            model = self._open(self._folder)
            tokenizer = AutoTokenizer.from_pretrained(self._folder, padding_side="right", **ON_DISK)
            if tokenizer.pad_token is None:
                tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
            require_same_words(tokenizer, model)
        return tokenizer, model

    def fingerprint(self) -> str:
        """SHA-256 over the names and bytes of the model's files."""
        return fingerprint(self._folder)

    @cached_property
    def limit(self) -> int | None:
        """Tokens that the model has places for; None where it has no fixed number."""
        tokenizer, model = self._loaded
        places = getattr(model.config, "max_position_embeddings", None)
        for name, module in model.named_modules():
            # RoBERTa and its kin count places from behind that of the padding.
            if name.endswith("position_embeddings") and getattr(module, "padding_idx", None):
                places = module.num_embeddings - module.padding_idx - 1
        # Tokenizers write "no limit" as a number beyond all texts.
        known = [n for n in (places, tokenizer.model_max_length) if n is not None and n < 2**31]
        return min(known, default=None)

    def length(self, text: str) -> int:
        """Tokens of a text, special ones included."""
        return len(self._loaded[0](text, truncation=False, verbose=False)["input_ids"])

    def unknown(self, text: str) -> list[str]:
        """The words of a text that the model's vocabulary cannot spell."""
        return unknown_words(self._loaded[0], text)

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Vectors float32 [len(texts), E]; of a longer text, those of its first tokens."""
        import torch

        tokenizer = self._loaded[0]
        vectors = torch.empty(len(texts), self.dim)
        # Texts of like length together, so that little padding is computed.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(order), BATCH):
            ids = order[start : start + BATCH]
            batch = tokenizer(
                [texts[i] for i in ids],
                return_tensors="pt",
                padding=True,
                truncation=self.limit is not None,
                max_length=self.limit,
            )
            with torch.inference_mode():
                vectors[ids] = self._pooled(batch)
        if self.settings.normalise:
            vectors = torch.nn.functional.normalize(vectors, dim=1)
        return vectors


def unknown_words(tokenizer: Any, text: str) -> list[str]:
    """The words of a text that stand for nothing but the tokenizer's mark of the unknown.

    Args:
        tokenizer: Of transformers.
        text: Any text.
    """
    unknown = tokenizer.unk_token_id
    if unknown is None or not tokenizer.is_fast:
        return []
    read = tokenizer(text, return_offsets_mapping=True, verbose=False)
    pieces = zip(read["input_ids"], read["offset_mapping"], strict=True)
    return [text[a:b] for token, (a, b) in pieces if token == unknown and a < b]

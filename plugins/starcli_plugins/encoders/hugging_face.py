"""Any text model that transformers knows, its token vectors made one in a chosen way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from starcli_plugins.encoders.transformer import Transformer
from starcli_plugins.hub_files import ON_DISK, load

if TYPE_CHECKING:
    from torch import Tensor


class HuggingFace(Transformer):
    """A text model from a folder or the hub's local cache; of T5 and its kin, the encoder.

    Args:
        settings: Which model, how its token vectors become one, whether it gets unit length.
    """

    class Settings(BaseModel):
        """Which model, and how it is read."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        model: str = Field(
            "google-bert/bert-base-uncased", description="folder, or name on the hub"
        )
        pooling: Literal["mean", "cls", "last", "pooler"] = Field(
            "mean", description="mean of all tokens, first, last (eos), or the model's own pooler"
        )
        normalise: bool = Field(True, description="scale vectors to unit length")

    @property
    def dim(self) -> int:
        """E."""
        return int(self._loaded[1].config.hidden_size)

    def _open(self, folder: Path) -> Any:
        from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding

        config = AutoConfig.from_pretrained(folder, **ON_DISK)
        if hasattr(config, "vision_config"):
            raise ValueError("it reads pictures as well; for a CLIP there is `--encoder clip`")
        kind = AutoModelForTextEncoding if config.is_encoder_decoder else AutoModel
        model = load(kind, folder, "" if self.settings.pooling == "pooler" else "pooler.")
        if self.settings.pooling == "pooler" and not hasattr(model, "pooler"):
            raise ValueError("it has no pooler; set encoder.pooling to mean, cls or last")
        return model

    def _pooled(self, batch: Mapping[str, Tensor]) -> Tensor:
        out, mask = self._loaded[1](**batch), batch["attention_mask"]
        if self.settings.pooling == "pooler":
            own: Tensor = out.pooler_output
            return own
        return pool(out.last_hidden_state, mask, self.settings.pooling)


def pool(tokens: Tensor, mask: Tensor, how: str) -> Tensor:
    """Token vectors made one per text.

    Args:
        tokens: [B, tokens, E].
        mask: [B, tokens], 1 where there is a token and 0 behind the text's end.
        how: `mean` of the text's tokens, its first (`cls`) or its `last` one.

    Returns:
        [B, E].
    """
    if how == "cls":
        return tokens[:, 0]
    if how == "last":
        import torch

        return tokens[torch.arange(len(tokens)), mask.sum(1) - 1]
    weights = mask.unsqueeze(2).to(tokens.dtype)
    return (tokens * weights).sum(1) / weights.sum(1)

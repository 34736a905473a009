"""The text tower of CLIP (Radford et al., ICML 2021), the text encoder of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from starcli_plugins.encoders.transformer import Transformer
from starcli_plugins.hub_files import load

if TYPE_CHECKING:
    from torch import Tensor


class Clip(Transformer):
    """Any CLIP from a folder or the hub's local cache: the projected vector of the whole text.

    Its vision tower, where the folder has one, is not loaded.

    Args:
        settings: Which model, and whether vectors get unit length.
    """

    class Settings(BaseModel):
        """Which CLIP."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        model: str = Field(
            "openai/clip-vit-large-patch14-336", description="folder, or name on the hub"
        )
        normalise: bool = Field(True, description="scale vectors to unit length")

    @property
    def dim(self) -> int:
        """E."""
        return int(self._loaded[1].config.projection_dim)

    def _open(self, folder: Path) -> Any:
        from transformers import CLIPTextModelWithProjection

        return load(CLIPTextModelWithProjection, folder)

    def _pooled(self, batch: Mapping[str, Tensor]) -> Tensor:
        vectors: Tensor = self._loaded[1](**batch).text_embeds
        return vectors

"""Two plugins for starcli: a light graph network, and a text encoder without weights."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from starcli.contracts import Layout


class Block(nn.Module):
    """Neighbours are mixed, then each channel is filtered over time on its own, then channels mix.

    The temporal part is a depthwise and a pointwise convolution (EfficientGCN, Song et al., TPAMI
    2022, section 3.3), with a residual around the whole.

    Shapes: [N, width_in, T, V] -> [N, width, T // stride, V].
    """

    def __init__(self, width_in: int, width: int, stride: int, neighbours: Tensor) -> None:
        super().__init__()
        self.neighbours: Tensor
        self.register_buffer("neighbours", neighbours, persistent=False)
        self.weight = nn.Parameter(torch.ones_like(neighbours))
        self.graph = nn.Conv2d(width_in, width, 1)
        self.graph_norm = nn.BatchNorm2d(width)
        self.depthwise = nn.Conv2d(width, width, (5, 1), (stride, 1), (2, 0), groups=width)
        self.pointwise = nn.Conv2d(width, width, 1)
        self.norm = nn.BatchNorm2d(width)
        self.around = nn.Conv2d(width_in, width, 1, (stride, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[N, width_in, T, V] -> [N, width, T // stride, V]."""
        mixed = self.graph_norm(self.graph(x) @ (self.neighbours * self.weight)).relu()
        filtered = self.norm(self.pointwise(self.depthwise(mixed)))
        out: Tensor = (filtered + self.around(x)).relu()
        return out


class SeparableGcn(nn.Module):
    """A graph network with separable temporal convolutions, over any layout.

    Shapes: clips [B, 3, T, V, M] -> joint tokens [B, T // stride, V, dim], persons averaged.

    Args:
        settings: Size of the network.
        layout: The skeleton.
    """

    class Settings(BaseModel):
        """Size of the network."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        widths: tuple[int, ...] = Field(
            (32, 64, 96), min_length=1, description="channels per block"
        )
        strides: tuple[int, ...] = Field(
            (1, 2, 2), min_length=1, description="time stride per block"
        )

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1

    def __init__(self, settings: Settings, layout: Layout) -> None:
        super().__init__()
        self.dim, self.stride = settings.widths[-1], math.prod(settings.strides)
        neighbours = torch.eye(len(layout.joints))
        for child, parent in layout.bones:
            neighbours[child, parent] = neighbours[parent, child] = 1
        neighbours = neighbours / neighbours.sum(0)
        self.normalise = nn.BatchNorm1d(3 * len(layout.joints))
        sizes = zip((3, *settings.widths[:-1]), settings.widths, settings.strides, strict=True)
        self.blocks = nn.Sequential(*(Block(i, o, s, neighbours) for i, o, s in sizes))

    def forward(self, clips: Tensor) -> Tensor:
        """Clips [B, 3, T, V, M] -> joint tokens [B, T // stride, V, dim]."""
        batch, channels, frames, joints, persons = clips.shape
        x = clips.permute(0, 4, 1, 3, 2).reshape(batch * persons, channels * joints, frames)
        x = self.normalise(x).view(batch * persons, channels, joints, frames).transpose(2, 3)
        x = self.blocks(x[:, :, : frames // self.stride * self.stride])
        return x.permute(0, 2, 3, 1).unflatten(0, (batch, persons)).mean(1)


class HashedWords:
    """A text is the sum of a fixed random vector for each of its words (the hashing trick).

    It knows no meanings: texts are near each other where they share words. A yardstick for what a
    language model adds.

    Args:
        settings: Width of the vectors.
    """

    class Settings(BaseModel):
        """Width of the vectors."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        width: int = Field(256, ge=2, description="length of a vector")

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    limit = None  # texts of any length are read whole

    def __init__(self, settings: Settings) -> None:
        self.dim = settings.width

    def fingerprint(self) -> str:
        """There are no weights that could change."""
        return f"hashed-words-{self.revision}"

    def length(self, text: str) -> int:
        """Words of a text."""
        return len(self._words(text))

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Vectors float32 [len(texts), E] of unit length."""
        vectors = torch.stack([self._sum(text) for text in texts])
        return nn.functional.normalize(vectors, dim=1)

    def _sum(self, text: str) -> Tensor:
        return torch.stack([self._vector(word) for word in self._words(text)]).sum(0)

    def _words(self, text: str) -> list[str]:
        return re.findall(r"\w+", text.casefold()) or [""]

    def _vector(self, word: str) -> Tensor:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:7], "big")
        return torch.randn(self.dim, generator=torch.Generator().manual_seed(seed))

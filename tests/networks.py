"""A network with what every backbone has, for tests that ask it for nothing else."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel
from torch import Tensor, nn

from starcli.contracts import NoSettings


class Bare(nn.Module):
    """A backbone by its facts alone; a test adds the parameters."""

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    Settings: ClassVar[type[BaseModel]] = NoSettings
    dim: int = 4
    stride: int = 4

    def forward(self, clips: Tensor) -> Tensor:
        raise AssertionError("must not come here")

"""ST-GCN: spatial temporal graph convolutional networks (Yan, Xiong and Lin, AAAI 2018)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from starcli.contracts import Layout


def spatial_partition(layout: Layout) -> Tensor:
    """The spatial configuration partition of a skeleton's adjacency (ST-GCN, section 3.3).

    Edges, self-loops included, fall into three groups by whether the neighbour is as far from
    the centre joint as the joint itself, nearer, or farther; the whole is normalised as A D^-1.

    Returns:
        [3, V, V], entry [g, v, w] the weight with which joint v flows to joint w.
    """
    count = len(layout.joints)
    linked = torch.eye(count)
    for child, parent in layout.bones:
        linked[child, parent] = linked[parent, child] = 1
    hops = _hops(linked, layout.centre)
    normal = linked / linked.sum(0, keepdim=True)
    source, target = hops[:, None], hops[None, :]
    groups = [source == target, source < target, source > target]
    return torch.stack([normal * group for group in groups])


def _hops(linked: Tensor, centre: int) -> Tensor:
    """Graph distance [V] of every joint from the centre."""
    hops = torch.full((len(linked),), -1)
    frontier, distance = {centre}, 0
    while frontier:
        hops[list(frontier)] = distance
        around = linked[list(frontier)].sum(0) > 0
        frontier = {int(v) for v in torch.nonzero(around & (hops < 0))}
        distance += 1
    return hops


class Block(nn.Module):
    """One spatial graph convolution and one temporal convolution with a residual (section 3.2).

    Shapes: [B, in, T, V] -> [B, out, T // stride, V].
    """

    def __init__(
        self, width_in: int, width: int, stride: int, kernel: int, groups: int, joints: int,
        dropout: float, residual: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.groups = groups
        self.importance = nn.Parameter(torch.ones(groups, joints, joints))
        self.spatial = nn.Conv2d(width_in, width * groups, 1)
        self.temporal = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, (kernel, 1), (stride, 1), (kernel // 2, 0)),
            nn.BatchNorm2d(width),
            nn.Dropout(dropout),
        )
        self.shortcut: nn.Module | None = None
        if residual:
            same = width_in == width and stride == 1
            self.shortcut = nn.Identity() if same else nn.Sequential(
                nn.Conv2d(width_in, width, 1, (stride, 1)), nn.BatchNorm2d(width)
            )  # fmt: skip

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """[B, in, T, V] with adjacency [3, V, V] -> [B, out, T // stride, V]."""
        batch, _, frames, joints = x.shape
        split = self.spatial(x).view(batch, self.groups, -1, frames, joints)
        mixed = torch.einsum("bgctv,gvw->bctw", split, adjacency * self.importance)
        out: Tensor = self.temporal(mixed)
        if self.shortcut is not None:
            out = out + self.shortcut(x)
        return out.relu()


class StGcn(nn.Module):
    """ST-GCN over any skeleton layout.

    Differs from the paper: the number, width and stride of blocks are settings. The defaults
    are a light network for small data sets and two cores; `widths` and `strides` of the paper
    are 64x4, 128x3, 256x3 and stride 2 at the fifth and eighth block, kernel 9.

    Shapes: [B, 3, T, V, M] -> [B, T // stride, V, dim], averaged over persons.
    """

    class Settings(BaseModel):
        """Size of the network."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        widths: tuple[int, ...] = Field((48, 64, 64, 128, 128), description="channels per block")
        strides: tuple[int, ...] = Field((1, 2, 1, 2, 1), description="time stride per block")
        kernel: int = Field(9, ge=1, description="frames of the temporal convolution; odd")
        dropout: float = Field(0.2, ge=0, lt=1, description="dropout after each block")

        @model_validator(mode="after")
        def _consistent(self) -> StGcn.Settings:
            if len(self.widths) != len(self.strides) or not self.widths:
                raise ValueError("widths and strides need one entry per block")
            if min(self.widths + self.strides) < 1 or self.kernel % 2 == 0:
                raise ValueError("widths and strides are positive and the kernel is odd")
            return self

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1

    def __init__(self, settings: Settings, layout: Layout) -> None:
        super().__init__()
        adjacency = spatial_partition(layout)
        groups, joints, _ = adjacency.shape
        self.adjacency: Tensor
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.dim = settings.widths[-1]
        self.stride = int(torch.tensor(settings.strides).prod())
        self.normalise = nn.BatchNorm1d(3 * joints)
        ins = (3, *settings.widths[:-1])
        self.blocks = nn.ModuleList(
            Block(i, o, s, settings.kernel, groups, joints, settings.dropout, residual=n > 0)
            for n, (i, o, s) in enumerate(zip(ins, settings.widths, settings.strides, strict=True))
        )

    def forward(self, clips: Tensor) -> Tensor:
        """[B, 3, T, V, M] -> joint tokens [B, T // stride, V, dim]."""
        clips = clips[:, :, : clips.shape[2] // self.stride * self.stride]
        batch, channels, frames, joints, persons = clips.shape
        x = clips.permute(0, 4, 3, 1, 2).reshape(batch * persons, joints * channels, frames)
        x = self.normalise(x).view(-1, joints, channels, frames).permute(0, 2, 3, 1)
        for block in self.blocks:
            x = block(x, self.adjacency)
        tokens = x.permute(0, 2, 3, 1)
        averaged: Tensor = tokens.reshape(batch, persons, *tokens.shape[1:]).mean(1)
        return averaged

"""A straight port of ST-GCN: the published computation and key names, nothing rearranged."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from starcli.contracts import Layout
from starcli_plugins.backbones.graph import dense, skeleton_graph

WIDTHS = (64,) * 4 + (128,) * 3 + (256,) * 3
STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


class SpatialConv(nn.Module):
    """1x1 convolution to three subsets, each mixed by its adjacency."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width_in, 3 * width, kernel_size=1)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        x = self.conv(x)
        x = x.view(x.shape[0], 3, -1, x.shape[2], x.shape[3])
        return torch.einsum("nkctv,kvw->nctw", x, adjacency)


class Block(nn.Module):
    def __init__(self, width_in: int, width: int, stride: int, residual: bool) -> None:
        super().__init__()
        self.gcn = SpatialConv(width_in, width)
        self.tcn = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, (9, 1), (stride, 1), (4, 0)),
            nn.BatchNorm2d(width),
            nn.Dropout(0.0, inplace=True),
        )
        self.residual: nn.Module | None = None
        if residual and (width_in != width or stride != 1):
            self.residual = nn.Sequential(
                nn.Conv2d(width_in, width, 1, (stride, 1)), nn.BatchNorm2d(width)
            )
        elif residual:
            self.residual = nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        rest = 0 if self.residual is None else self.residual(x)
        out: Tensor = self.relu(self.tcn(self.gcn(x, adjacency)) + rest)
        return out


class StraightStGcn(nn.Module):
    """Clips [B, 3, T, V, M] -> logits [B, classes]."""

    def __init__(self, layout: Layout, classes: int = 60) -> None:
        super().__init__()
        adjacency = dense(skeleton_graph(layout, "distance-published"))
        self.A: Tensor
        self.register_buffer("A", adjacency)
        self.data_bn = nn.BatchNorm1d(3 * len(layout.joints))
        ins = (3, *WIDTHS[:-1])
        self.st_gcn_networks = nn.ModuleList(
            Block(i, o, s, residual=n > 0)
            for n, (i, o, s) in enumerate(zip(ins, WIDTHS, STRIDES, strict=True))
        )
        self.edge_importance = nn.ParameterList(
            nn.Parameter(torch.ones_like(adjacency)) for _ in WIDTHS
        )
        self.fcn = nn.Conv2d(WIDTHS[-1], classes, kernel_size=1)

    def features(self, clips: Tensor) -> Tensor:
        """Clips [B, 3, T, V, M] -> [B * M, 256, T / 4, V]."""
        n, c, t, v, m = clips.shape
        x: Tensor = clips.permute(0, 4, 3, 1, 2).contiguous().view(n * m, v * c, t)
        x = self.data_bn(x).view(n * m, v, c, t).permute(0, 2, 3, 1).contiguous()
        for block, importance in zip(self.st_gcn_networks, self.edge_importance, strict=True):
            x = block(x, self.A * importance)
        return x

    def forward(self, clips: Tensor) -> Tensor:
        x = self.features(clips)
        x = nn.functional.avg_pool2d(x, x.shape[2:])
        x = x.view(clips.shape[0], clips.shape[4], -1, 1, 1).mean(dim=1)
        return self.fcn(x).flatten(1)  # type: ignore[no-any-return]

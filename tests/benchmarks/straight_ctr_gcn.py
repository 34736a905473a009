"""A straight port of CTR-GCN: the published computation and key names, nothing rearranged."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from starcli.contracts import Layout
from starcli_plugins.backbones.graph import dense, skeleton_graph

WIDTHS = (64,) * 4 + (128,) * 3 + (256,) * 3
STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)
PERSONS = 2


class Refinement(nn.Module):
    """One subset: features mixed by a topology of their own in every channel."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        relation = 8 if width_in <= 9 else width_in // 8
        self.conv1 = nn.Conv2d(width_in, relation, kernel_size=1)
        self.conv2 = nn.Conv2d(width_in, relation, kernel_size=1)
        self.conv3 = nn.Conv2d(width_in, width, kernel_size=1)
        self.conv4 = nn.Conv2d(relation, width, kernel_size=1)

    def forward(self, x: Tensor, shared: Tensor, alpha: Tensor) -> Tensor:
        left, right, value = self.conv1(x).mean(-2), self.conv2(x).mean(-2), self.conv3(x)
        relation = torch.tanh(left.unsqueeze(-1) - right.unsqueeze(-2))
        topology = self.conv4(relation) * alpha + shared[None, None]
        return torch.einsum("ncuv,nctv->nctu", topology, value)


class SpatialConv(nn.Module):
    def __init__(self, width_in: int, width: int, start: Tensor) -> None:
        super().__init__()
        self.convs = nn.ModuleList(Refinement(width_in, width) for _ in start)
        self.PA = nn.Parameter(start.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.bn = nn.BatchNorm2d(width)
        self.down: nn.Module = nn.Identity()
        if width_in != width:
            self.down = nn.Sequential(nn.Conv2d(width_in, width, 1), nn.BatchNorm2d(width))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        parts = [conv(x, a, self.alpha) for conv, a in zip(self.convs, self.PA, strict=True)]
        out = self.bn(parts[0] + parts[1] + parts[2])
        out += self.down(x)
        return self.relu(out)  # type: ignore[no-any-return]


class TemporalConv(nn.Module):
    """A convolution over frames and its norm."""

    def __init__(self, width_in: int, width: int, kernel: int, stride: int, dilation: int) -> None:
        super().__init__()
        pad = (kernel - 1) * dilation // 2
        self.conv = nn.Conv2d(
            width_in, width, (kernel, 1), (stride, 1), (pad, 0), dilation=(dilation, 1)
        )
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))  # type: ignore[no-any-return]


class MultiScale(nn.Module):
    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        own = width // 4

        def entry() -> list[nn.Module]:
            return [nn.Conv2d(width, own, 1), nn.BatchNorm2d(own), nn.ReLU(inplace=True)]

        pool = nn.MaxPool2d((3, 1), (stride, 1), (1, 0))
        self.branches = nn.ModuleList(
            [
                nn.Sequential(*entry(), TemporalConv(own, own, 5, stride, 1)),
                nn.Sequential(*entry(), TemporalConv(own, own, 5, stride, 2)),
                nn.Sequential(*entry(), pool, nn.BatchNorm2d(own)),
                nn.Sequential(nn.Conv2d(width, own, 1, (stride, 1)), nn.BatchNorm2d(own)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Block(nn.Module):
    def __init__(
        self, width_in: int, width: int, stride: int, start: Tensor, residual: bool
    ) -> None:
        super().__init__()
        self.gcn1 = SpatialConv(width_in, width, start)
        self.tcn1 = MultiScale(width, stride)
        self.residual: nn.Module | None = None
        if residual and (width_in != width or stride != 1):
            self.residual = TemporalConv(width_in, width, 1, stride, 1)
        elif residual:
            self.residual = nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        rest = 0 if self.residual is None else self.residual(x)
        return self.relu(self.tcn1(self.gcn1(x)) + rest)  # type: ignore[no-any-return]


class StraightCtrGcn(nn.Module):
    """Clips [B, 3, T, V, 2] -> logits [B, classes]."""

    def __init__(self, layout: Layout, classes: int = 60) -> None:
        super().__init__()
        # Published topologies are [target, source].
        start = dense(skeleton_graph(layout, "direction")).transpose(1, 2)
        self.data_bn = nn.BatchNorm1d(PERSONS * 3 * len(layout.joints))
        ins = (3, *WIDTHS[:-1])
        self.depth = len(WIDTHS)
        for n, (i, o, s) in enumerate(zip(ins, WIDTHS, STRIDES, strict=True)):
            self.add_module(f"l{n + 1}", Block(i, o, s, start, residual=n > 0))
        self.fc = nn.Linear(WIDTHS[-1], classes)

    def features(self, clips: Tensor) -> Tensor:
        """Clips [B, 3, T, V, 2] -> [B * 2, 256, T / 4, V]."""
        n, c, t, v, m = clips.shape
        x: Tensor = self.data_bn(clips.permute(0, 4, 3, 1, 2).contiguous().view(n, m * v * c, t))
        x = x.view(n, m, v, c, t).permute(0, 1, 3, 4, 2).contiguous().view(n * m, c, t, v)
        for number in range(1, self.depth + 1):
            x = self.get_submodule(f"l{number}")(x)
        return x

    def forward(self, clips: Tensor) -> Tensor:
        x = self.features(clips)
        x = x.view(clips.shape[0], clips.shape[4], x.shape[1], -1)
        return self.fc(x.mean(3).mean(1))  # type: ignore[no-any-return]

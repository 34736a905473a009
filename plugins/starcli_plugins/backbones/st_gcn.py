"""ST-GCN: spatial temporal graph convolutional networks (Yan, Xiong and Lin, AAAI 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Data

from starcli.contracts import Layout
from starcli_plugins.backbones.base import (
    SkeletonBackbone,
    conv_norm,
    fuse_batch_norm,
    renamed,
)
from starcli_plugins.backbones.graph import Operator, dense, from_dense, skeleton_graph
from starcli_plugins.backbones.settings import StGcnFacts

PUBLISHED: tuple[tuple[str, str], ...] = (
    # The authors' code, and SMIE's.
    (r"data_bn\.(.+)", r"normalise.\1"),
    (r"edge_importance\.(\d+)", r"blocks.\1.spatial.importance"),
    (r"st_gcn_networks\.(\d+)\.gcn\.conv\.(.+)", r"blocks.\1.spatial.lift.\2"),
    (r"st_gcn_networks\.(\d+)\.tcn\.0\.(.+)", r"blocks.\1.before.\2"),
    (r"st_gcn_networks\.(\d+)\.tcn\.2\.(.+)", r"blocks.\1.temporal.\2"),
    (r"st_gcn_networks\.(\d+)\.tcn\.3\.(.+)", r"blocks.\1.after.\2"),
    (r"st_gcn_networks\.(\d+)\.residual\.(.+)", r"blocks.\1.shortcut.\2"),
    (r"fcn\.(.+)", r"fc.\1"),
    # pyskl.
    (r"backbone\.data_bn\.(.+)", r"normalise.\1"),
    (r"backbone\.gcn\.(\d+)\.gcn\.A", r"blocks.\1.spatial.adjacency"),
    (r"backbone\.gcn\.(\d+)\.gcn\.PA", r"blocks.\1.spatial.importance"),
    (r"backbone\.gcn\.(\d+)\.gcn\.conv\.(.+)", r"blocks.\1.spatial.lift.\2"),
    (r"backbone\.gcn\.(\d+)\.gcn\.bn\.(.+)", r"blocks.\1.before.\2"),
    (r"backbone\.gcn\.(\d+)\.tcn\.conv\.(.+)", r"blocks.\1.temporal.\2"),
    (r"backbone\.gcn\.(\d+)\.tcn\.bn\.(.+)", r"blocks.\1.after.\2"),
    (r"backbone\.gcn\.(\d+)\.residual\.conv\.(.+)", r"blocks.\1.shortcut.0.\2"),
    (r"backbone\.gcn\.(\d+)\.residual\.bn\.(.+)", r"blocks.\1.shortcut.1.\2"),
    (r"cls_head\.fc_cls\.(.+)", r"fc.\1"),
)


class PartitionConv(Operator):
    """Graph convolution over a partition of the neighbours, with learned edge importance.

    out_w = sum_g sum_v (A_g * M_g)[v, w] (W_g x_v + b_g): eqs. 9 and 10 of ST-GCN, with the edge
    importance M of its section 3.4.

    Shapes: [N, in, T, V] -> [N, out, T, V].

    Args:
        width_in: Channels in.
        width: Channels out.
        graph: The skeleton and its partition.
    """

    def __init__(self, width_in: int, width: int, graph: Data) -> None:
        super().__init__(aggr="add", node_dim=-2)
        adjacency = dense(graph)
        self.groups, self.width = len(adjacency), width
        self.adjacency: Tensor
        self.register_buffer("adjacency", adjacency)
        self.importance = nn.Parameter(torch.ones_like(adjacency))
        self.lift = nn.Conv2d(width_in, width * self.groups, 1)

    def reset_parameters(self) -> None:
        """Every edge matters alike; weights as nn.Conv2d draws them."""
        nn.init.ones_(self.importance)
        self.lift.reset_parameters()

    def forward(self, x: Tensor, norm: nn.BatchNorm2d | None = None) -> Tensor:
        """[N, in, T, V] -> [N, out, T, V], through the batch norm that follows if it is given."""
        if norm is None or norm.training:
            out = self._mix(x, self.lift.weight, self._constant())
            return out if norm is None else norm(out)
        scale, offset = fuse_batch_norm(norm)
        weight = self.lift.weight * scale.repeat(self.groups)[:, None, None, None]
        return self._mix(x, weight, self._constant() * scale + offset)

    def _constant(self) -> Tensor:
        """What the biases add to every joint and channel [V, out], whatever the input."""
        assert self.lift.bias is not None
        flow = (self.adjacency * self.importance).sum(1)
        return flow.T @ self.lift.bias.view(self.groups, self.width)

    def _mix(self, x: Tensor, weight: Tensor, constant: Tensor) -> Tensor:
        """All groups in one product per frame, [V, V G] by [V G, out]: x is read where it lies."""
        lifted = functional.conv2d(x, weight)
        n, _, frames, joints = lifted.shape
        rows = lifted.permute(0, 2, 3, 1).reshape(n * frames, joints * self.groups, self.width)
        mixing = (self.adjacency * self.importance).permute(2, 1, 0).reshape(1, joints, -1)
        out = torch.baddbmm(constant, mixing.expand(rows.shape[0], -1, -1), rows)
        return out.view(n, frames, joints, self.width).permute(0, 3, 1, 2)

    def propagated(self, x: Tensor) -> Tensor:
        """The same by messages along the edges: slower, for graphs as PyTorch Geometric has them.

        Shapes: [N, in, T, V] -> [N, out, T, V].
        """
        graph = from_dense(self.adjacency)
        source, target = graph.edge_index
        weight = graph.edge_weight * self.importance[graph.edge_group, source, target]
        lifted = self.lift(x).permute(0, 2, 3, 1)
        out = self.propagate(graph.edge_index, x=lifted, weight=weight, group=graph.edge_group)
        mixed: Tensor = out.permute(0, 3, 1, 2)
        return mixed

    def message(self, x_j: Tensor, weight: Tensor, group: Tensor) -> Tensor:
        """The source's features of the edge's group, weighted: [N, T, E, G out] -> [.., E, out]."""
        own = x_j.view(*x_j.shape[:-1], self.groups, self.width)
        return own[:, :, torch.arange(len(group), device=group.device), group] * weight[:, None]


class Block(nn.Module):
    """One spatial and one temporal graph convolution with a residual (ST-GCN, section 3.4).

    Shapes: [N, in, T, V] -> [N, out, T // stride, V].
    """

    def __init__(
        self,
        width_in: int,
        width: int,
        stride: int,
        kernel: int,
        dropout: float,
        graph: Data,
        residual: bool,
    ) -> None:
        super().__init__()
        self.spatial = PartitionConv(width_in, width, graph)
        self.before = nn.BatchNorm2d(width)
        self.temporal = nn.Conv2d(width, width, (kernel, 1), (stride, 1), (kernel // 2, 0))
        self.after = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(dropout)
        self.residual = residual
        self.shortcut: nn.ModuleList | None = None
        if residual and (width_in != width or stride != 1):
            self.shortcut = nn.ModuleList(
                (nn.Conv2d(width_in, width, 1, (stride, 1)), nn.BatchNorm2d(width))
            )

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, T, V] -> [N, out, T // stride, V]."""
        mixed = self.spatial(x, self.before).relu_()
        out: Tensor = self.dropout(conv_norm(mixed, self.temporal, self.after))
        if self.shortcut is not None:
            out = out + conv_norm(x, *self.shortcut)
        elif self.residual:
            out = out + x
        return out.relu_()


class StGcn(StGcnFacts, SkeletonBackbone):
    """ST-GCN over any skeleton layout.

    Differs from the paper: the number, width and stride of blocks are settings, the defaults
    being a light network for small data sets and two cores; `widths` and `strides` of the paper
    are 64x4, 128x3, 256x3 and stride 2 at the fifth and eighth block, kernel 9.

    Shapes: [B, 3, T, V, M] -> [B, T // stride, V, dim], averaged over persons.

    Args:
        settings: Size of the network.
        layout: The skeleton.
    """

    def __init__(self, settings: StGcnFacts.Settings, layout: Layout) -> None:
        super().__init__(
            layout,
            coordinates=settings.coordinates,
            persons=settings.persons,
            dim=settings.widths[-1],
            stride=prod(settings.strides),
        )
        graph = skeleton_graph(layout, settings.partition)
        ins = (settings.coordinates, *settings.widths[:-1])
        self.blocks = nn.ModuleList(
            Block(i, o, s, settings.kernel, settings.dropout, graph, residual=n > 0)
            for n, (i, o, s) in enumerate(zip(ins, settings.widths, settings.strides, strict=True))
        )

    def encode(self, x: Tensor) -> Tensor:
        """[N, coordinates, T, V] -> feature map [N, dim, T // stride, V]."""
        for block in self.blocks:
            x = block(x)
        return x

    @classmethod
    def published(cls, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of the authors' code, SMIE's or pyskl's under this network's names.

        Args:
            tensors: A published state dict, container prefixes stripped.

        Returns:
            This network's state dict, the classifier as `fc.weight` [classes, dim] and `fc.bias`;
            empty if the names are none of these.
        """
        named = renamed(tensors, PUBLISHED)
        blocks = {name.split(".")[1] for name in named if name.startswith("blocks.")}
        if "A" in tensors:  # One graph, which every block shares.
            named |= {f"blocks.{n}.spatial.adjacency": tensors["A"] for n in blocks}
        for n in blocks:  # Networks without importances weigh all edges alike.
            where = f"blocks.{n}.spatial"
            if f"{where}.adjacency" in named:
                even = torch.ones_like(named[f"{where}.adjacency"])
                named.setdefault(f"{where}.importance", even)
        if "fc.weight" in named:
            named["fc.weight"] = named["fc.weight"].flatten(1)
        return named if blocks else {}

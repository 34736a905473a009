"""CTR-GCN: channel-wise topology refinement graph convolution (Chen et al., ICCV 2021)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Data

from starcli.contracts import Layout
from starcli_plugins.backbones.base import (
    SkeletonBackbone,
    conv_like,
    conv_norm,
    convs,
    fusable,
    fuse_batch_norm,
    renamed,
    scaled_conv,
)
from starcli_plugins.backbones.graph import skeleton_graph
from starcli_plugins.backbones.refined_conv import RefinedConv
from starcli_plugins.backbones.settings import CtrGcnFacts


class MultiScaleConv(nn.Module):
    """Four branches over time, each a quarter of the channels (CTR-GCN, section 3.4).

    A map to fewer channels, then five frames, five frames two apart, or the maximum of three; the
    fourth branch is a map alone. Norms of all branches stand side by side and are one norm.

    Shapes: [N, C, T, V] -> [N, C, T // stride, V].
    """

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        own = width // 4
        self.stride = stride
        self.entry = nn.Conv2d(width, 3 * own, 1)
        self.entry_norm = nn.BatchNorm2d(3 * own)
        self.near = nn.Conv2d(own, own, (5, 1), (stride, 1), (2, 0))
        self.far = nn.Conv2d(own, own, (5, 1), (stride, 1), (4, 0), (2, 1))
        self.point = nn.Conv2d(width, own, 1, (stride, 1))
        self.norm = nn.BatchNorm2d(4 * own)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Kaiming, fan out, as published; the entries are three maps, not one."""
        for part in (*self.entry.weight.chunk(3), *(m.weight for m in self._last())):
            nn.init.kaiming_normal_(part, mode="fan_out")
        for conv in (self.entry, *self._last()):
            assert conv.bias is not None
            nn.init.zeros_(conv.bias)

    def _last(self) -> tuple[nn.Conv2d, nn.Conv2d, nn.Conv2d]:
        return self.near, self.far, self.point

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, V] -> [N, C, T // stride, V]."""
        if fusable(self.norm):
            return self._folded(x)
        inner, point = self._entered(x)
        near, far, peak = self.entry_norm(inner).relu_().chunk(3, 1)
        near = conv_like(near, self.near, self.near.weight, self.near.bias)
        far = conv_like(far, self.far, self.far.weight, self.far.bias)
        peak = peak_of_three(peak, self.stride)
        out: Tensor = self.norm(torch.cat((near, far, peak, point), 1))
        return out

    def _entered(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Entries of three branches and the map of the fourth, before their norms."""
        one, other = self.entry, self.point
        if self.stride == 1:
            inner, point = convs(x, (one.weight, other.weight), (one.bias, other.bias))
            return inner, point
        point = conv_like(x, other, other.weight, other.bias)
        return conv_like(x, one, one.weight, one.bias), point

    def _folded(self, x: Tensor) -> Tensor:
        near, far, peak = conv_norm(x, self.entry, self.entry_norm).relu_().chunk(3, 1)
        peak = peak_of_three(peak, self.stride)
        scale, offset = (value.chunk(4) for value in fuse_batch_norm(self.norm))
        peak = torch.addcmul(offset[2][:, None, None], peak, scale[2][:, None, None])
        return torch.cat(
            [
                scaled_conv(near, self.near, scale[0], offset[0]),
                scaled_conv(far, self.far, scale[1], offset[1]),
                peak,
                scaled_conv(x, self.point, scale[3], offset[3]),
            ],
            1,
        )


def peak_of_three(x: Tensor, stride: int) -> Tensor:
    """Maximum over a frame and its two neighbours: [N, C, T, V] >= 0 -> [N, C, T // stride, V]."""
    if torch.is_grad_enabled():
        return functional.max_pool2d(x, (3, 1), (stride, 1), (1, 0))
    # Without gradients nobody asks which frame it was, and three shifted views are faster. Nothing
    # is below zero after a ReLU, so that the zeros outside the clip never win.
    frames = x.shape[2]
    padded = functional.pad(x, (0, 0, 1, 1))
    before, here, after = (padded[:, :, k : k + frames : stride] for k in range(3))
    return torch.maximum(torch.maximum(before, here), after)


class Block(nn.Module):
    """A refined graph convolution and a multi-scale temporal one, with residuals (section 3.4).

    Shapes: [N, in, T, V] -> [N, out, T // stride, V].
    """

    def __init__(self, width_in: int, width: int, stride: int, graph: Data, residual: bool) -> None:
        super().__init__()
        self.spatial = RefinedConv(width_in, width, graph)
        self.norm = nn.BatchNorm2d(width)
        # Almost nothing of the graph convolution at first: the block starts as its residual.
        nn.init.constant_(self.norm.weight, 1e-6)
        self.down = None if width_in == width else _shortcut(width_in, width, 1)
        self.temporal = MultiScaleConv(width, stride)
        self.residual = residual
        plain = not residual or (width_in == width and stride == 1)
        self.shortcut = None if plain else _shortcut(width_in, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, T, V] -> [N, out, T // stride, V]."""
        out: Tensor = self.temporal(self._mixed(x).relu_())
        # In place: what a norm gives is new, and its gradient does not need it.
        if self.shortcut is not None:
            out.add_(conv_norm(x, *self.shortcut))
        elif self.residual:
            out.add_(x)
        return out.relu_()

    def _mixed(self, x: Tensor) -> Tensor:
        """Graph convolution, norm and residual, before the ReLU."""
        rest = x if self.down is None else conv_norm(x, *self.down)
        if not fusable(self.norm):
            out: Tensor = self.norm(self.spatial(x))
            return out.add_(rest)
        scale, offset = fuse_batch_norm(self.norm)
        mixed: Tensor = self.spatial(x, scale)
        return mixed.add_(rest).add_(offset[:, None, None])


def _shortcut(width_in: int, width: int, stride: int) -> nn.ModuleList:
    conv = nn.Conv2d(width_in, width, 1, (stride, 1))
    nn.init.kaiming_normal_(conv.weight, mode="fan_out")
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return nn.ModuleList((conv, nn.BatchNorm2d(width)))


# Names of the authors' code and of pyskl, once blocks are `net.0`, `net.1`, ...: `#` and a number
# say where a tensor stands in one that joins several.
PUBLISHED: tuple[tuple[str, str], ...] = (
    (r"data_bn\.(.+)", r"normalise.\1"),
    (r"net\.(\d+)\.gcn1\.P?A", r"blocks.\1.spatial.topology"),
    (r"net\.(\d+)\.gcn1\.alpha", r"blocks.\1.spatial.alpha"),
    (r"net\.(\d+)\.gcn1\.convs\.(\d)\.conv1\.(.+)", r"blocks.\1.spatial.psi.\3#\2"),
    (r"net\.(\d+)\.gcn1\.convs\.(\d)\.conv2\.(.+)", r"blocks.\1.spatial.phi.\3#\2"),
    (r"net\.(\d+)\.gcn1\.convs\.(\d)\.conv3\.(.+)", r"blocks.\1.spatial.theta.\3#\2"),
    (r"net\.(\d+)\.gcn1\.convs\.(\d)\.conv4\.(.+)", r"blocks.\1.spatial.xi.\3#\2"),
    (r"net\.(\d+)\.gcn1\.bn\.(.+)", r"blocks.\1.norm.\2"),
    (r"net\.(\d+)\.gcn1\.down\.(.+)", r"blocks.\1.down.\2"),
    (r"net\.(\d+)\.tcn1\.branches\.([012])\.0\.(.+)", r"blocks.\1.temporal.entry.\3#\2"),
    (r"net\.(\d+)\.tcn1\.branches\.([012])\.1\.(.+)", r"blocks.\1.temporal.entry_norm.\3#\2"),
    (r"net\.(\d+)\.tcn1\.branches\.0\.3\.conv\.(.+)", r"blocks.\1.temporal.near.\2"),
    (r"net\.(\d+)\.tcn1\.branches\.1\.3\.conv\.(.+)", r"blocks.\1.temporal.far.\2"),
    (r"net\.(\d+)\.tcn1\.branches\.3\.0\.(.+)", r"blocks.\1.temporal.point.\2"),
    (r"net\.(\d+)\.tcn1\.branches\.([01])\.3\.bn\.(.+)", r"blocks.\1.temporal.norm.\3#\2"),
    (r"net\.(\d+)\.tcn1\.branches\.2\.4\.(.+)", r"blocks.\1.temporal.norm.\2#2"),
    (r"net\.(\d+)\.tcn1\.branches\.3\.1\.(.+)", r"blocks.\1.temporal.norm.\2#3"),
    (r"net\.(\d+)\.residual\.conv\.(.+)", r"blocks.\1.shortcut.0.\2"),
    (r"net\.(\d+)\.residual\.bn\.(.+)", r"blocks.\1.shortcut.1.\2"),
    (r"(?:cls_head\.fc_cls|fc)\.(.+)", r"fc.\1"),
)


def _common_name(name: str) -> str:
    """One numbering of blocks for both codes: `l1.x` and `backbone.net.0.x` become `net.0.x`."""
    block = re.fullmatch(r"l(\d+)\.(.+)", name)
    if block:
        return f"net.{int(block[1]) - 1}.{block[2]}"
    return name.removeprefix("backbone.")


def _joined(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of names `x#0`, `x#1`, ... joined to one `x` along their first axis."""
    pieces: defaultdict[str, list[Tensor]] = defaultdict(list)
    for name in sorted(tensors):
        pieces[name.partition("#")[0]].append(tensors[name])
    return {n: torch.cat(p) if len(p) > 1 and p[0].ndim else p[0] for n, p in pieces.items()}


class CtrGcn(CtrGcnFacts, SkeletonBackbone):
    """CTR-GCN over any skeleton layout.

    Differs from the paper: the number, width and stride of blocks are settings, the defaults
    being a light network for small data sets and two cores; `widths` and `strides` of the paper
    are 64x4, 128x3, 256x3 and stride 2 at the fifth and eighth block, `persons` 2. Topologies start
    normalised by what flows into a joint; the authors' code starts with what flows out of it.

    Shapes: [B, 3, T, V, M] -> [B, T // stride, V, dim], averaged over persons.

    Args:
        settings: Size of the network.
        layout: The skeleton.
    """

    def __init__(self, settings: CtrGcnFacts.Settings, layout: Layout) -> None:
        super().__init__(
            layout,
            coordinates=settings.coordinates,
            persons=settings.persons,
            dim=settings.widths[-1],
            stride=prod(settings.strides),
        )
        graph = skeleton_graph(layout, "direction")
        ins = (settings.coordinates, *settings.widths[:-1])
        self.blocks = nn.ModuleList(
            Block(i, o, s, graph, residual=n > 0)
            for n, (i, o, s) in enumerate(zip(ins, settings.widths, settings.strides, strict=True))
        )

    def encode(self, x: Tensor) -> Tensor:
        """[N, coordinates, T, V] -> feature map [N, dim, T // stride, V]."""
        for block in self.blocks:
            x = block(x)
        return x

    @classmethod
    def published(cls, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of the authors' code or pyskl's under this network's names.

        The authors index topologies by (target, source). pyskl's go from source to target and
        relate the source to the target, tanh(conv1(source) - conv2(target)); tanh being odd, that
        is ours with the two maps exchanged and xi turned round.

        Args:
            tensors: A published state dict, container prefixes stripped.

        Returns:
            This network's state dict, the classifier as `fc.weight` [classes, dim] and `fc.bias`;
            empty if the names are none of these.
        """
        pyskl = any(name.startswith("backbone.net.") for name in tensors)
        common = {_common_name(name): value for name, value in tensors.items()}
        named = _joined(renamed(common, PUBLISHED))
        if not any(name.startswith("blocks.") for name in named):
            return {}
        out = {}
        for name, value in named.items():
            if name.endswith(("psi.weight", "phi.weight")):
                value = value.squeeze(-1)
            elif name.endswith("topology") and not pyskl:
                value = value.transpose(1, 2).contiguous()
            elif name.endswith("xi.weight") and pyskl:
                value = -value
            if pyskl:
                name = re.sub(r"\.(psi|phi)\.", _exchanged, name)
            out[name] = value
        return out


def _exchanged(match: re.Match[str]) -> str:
    return {".psi.": ".phi.", ".phi.": ".psi."}[match[0]]

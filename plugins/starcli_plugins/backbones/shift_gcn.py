"""Shift-GCN: shift graph convolutional networks (Cheng et al., CVPR 2020)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from starcli.contracts import Layout
from starcli_plugins.backbones.base import (
    SkeletonBackbone,
    affine,
    conv_norm,
    fusable,
    fuse_batch_norm,
)
from starcli_plugins.backbones.settings import ShiftGcnFacts
from starcli_plugins.backbones.shifts import SpatialShift, TemporalShift

_PUBLISHED = (
    (r"data_bn\.(\w+)", r"normalise.\1"),
    (r"l(\d+)\.gcn1\.Feature_Mask", r"blocks.\1.spatial.mask"),
    (r"l(\d+)\.gcn1\.Linear_(weight|bias)", r"blocks.\1.spatial.linear.\2"),
    (r"l(\d+)\.gcn1\.bn\.(\w+)", r"blocks.\1.spatial.norm.\2"),
    (r"l(\d+)\.gcn1\.down\.(\d\.\w+)", r"blocks.\1.spatial.shortcut.\2"),
    (r"l(\d+)\.tcn1\.bn\.(\w+)", r"blocks.\1.temporal.norm_in.\2"),
    (r"l(\d+)\.tcn1\.bn2\.(\w+)", r"blocks.\1.temporal.norm_out.\2"),
    (r"l(\d+)\.tcn1\.shift_(in|out)\.ypos", r"blocks.\1.temporal.shift_\2.offset"),
    (r"l(\d+)\.tcn1\.temporal_linear\.(\w+)", r"blocks.\1.temporal.linear.\2"),
    (r"l(\d+)\.residual\.conv\.(\w+)", r"blocks.\1.shortcut.0.\2"),
    (r"l(\d+)\.residual\.bn\.(\w+)", r"blocks.\1.shortcut.1.\2"),
    (r"(fc\.(?:weight|bias))", r"\1"),
)
"""Names of the published network and of this one; its blocks count from 1."""


def _shortcut(width_in: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width_in, width, 1), nn.BatchNorm2d(width))


def _around(x: Tensor, shortcut: nn.Sequential | None, stride: int = 1) -> Tensor:
    """[B, in, T, V] -> [B, out, ceil(T / stride), V]."""
    if shortcut is None:
        return x
    conv, norm = shortcut
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    if stride > 1:
        # Not by a stride of the convolution, whose gradient would leave channels-last memory.
        x = x.permute(0, 2, 3, 1)[:, ::stride].permute(0, 3, 1, 2)
    return conv_norm(x, conv, norm)


class SpatialPart(nn.Module):
    """Spatial shift graph convolution (section 3.2): shift, mask, map, shift back.

    Shapes: [B, in, T, V] -> [B, out, T, V], in channels-last memory.
    """

    def __init__(self, width_in: int, width: int, joints: int) -> None:
        super().__init__()
        self.mask = nn.Parameter(torch.zeros(joints, width_in))
        self.shift_in = SpatialShift(joints, width_in)
        self.linear = nn.Conv2d(width_in, width, 1)
        self.shift_out = SpatialShift(joints, width, back=True)
        self.norm = nn.BatchNorm1d(joints * width)
        self.shortcut = _shortcut(width_in, width) if width_in != width else None
        nn.init.normal_(self.linear.weight, 0, math.sqrt(1 / width))
        nn.init.zeros_(self.linear.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, T, V] -> [B, out, T, V]."""
        masked = self.shift_in(x.permute(0, 2, 3, 1))
        weight = self.mask.tanh() + 1
        masked = masked * weight if torch.is_grad_enabled() else masked.mul_(weight)
        shifted = self.shift_out(self._mapped(masked))
        out = self._normalised(shifted).permute(0, 3, 1, 2)
        around = _around(x, self.shortcut)
        # With gradients a new tensor: autograd copies whatever is written through a view.
        return (out + around if torch.is_grad_enabled() else out.add_(around)).relu_()

    def _mapped(self, x: Tensor) -> Tensor:
        """[B, T, V, in] -> [B, T, V, out]."""
        if torch.is_grad_enabled() and not self.training:  # in the published order, see `fusable`
            assert self.linear.bias is not None
            return x @ self.linear.weight[:, :, 0, 0].T + self.linear.bias
        out: Tensor = self.linear(x.permute(0, 3, 1, 2))
        return out.permute(0, 2, 3, 1)

    def _normalised(self, x: Tensor) -> Tensor:
        """[B, T, V, out] -> the same, normalised per joint and channel."""
        if not fusable(self.norm):
            out: Tensor = self.norm(x.reshape(-1, self.norm.num_features))
            return out.view(x.shape)
        scale, offset = (value.view(x.shape[2:]) for value in fuse_batch_norm(self.norm))
        return affine(x, scale, offset)


class TemporalPart(nn.Module):
    """Temporal shift convolution (section 3.3.2): two learned shifts around a map of channels.

    Shapes: [B, C, T, V] -> [B, C, T // stride, V], in channels-last memory.
    """

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.norm_in = nn.BatchNorm2d(width)
        self.shift_in = TemporalShift(width)
        self.linear = nn.Conv2d(width, width, 1)
        self.shift_out = TemporalShift(width, stride)
        self.norm_out = nn.BatchNorm2d(width)
        nn.init.kaiming_normal_(self.linear.weight, mode="fan_out")
        nn.init.zeros_(self.linear.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T, V] -> [B, C, T // stride, V]."""
        x = self.linear(self.shift_in(self._normalised(x))).relu_()
        if fusable(self.norm_out):
            return self.shift_out(x, self.norm_out)  # type: ignore[no-any-return]
        out: Tensor = self.norm_out(self.shift_out(x))
        return out

    def _normalised(self, x: Tensor) -> Tensor:
        if not fusable(self.norm_in):
            out: Tensor = self.norm_in(x)
            return out
        # Not fused with the shift: what it reads outside the clip is zero after this norm.
        scale, offset = fuse_batch_norm(self.norm_in)
        return affine(x.permute(0, 2, 3, 1), scale, offset).permute(0, 3, 1, 2)


class Block(nn.Module):
    """The spatial part, the temporal part and a residual around both (section 3.4).

    Shapes: [B, in, T, V] -> [B, out, T // stride, V], in channels-last memory.
    """

    def __init__(self, width_in: int, width: int, stride: int, joints: int, residual: bool) -> None:
        super().__init__()
        self.spatial = SpatialPart(width_in, width, joints)
        self.temporal = TemporalPart(width, stride)
        self.residual = residual
        self.stride = stride
        changed = residual and (width_in != width or stride != 1)
        self.shortcut = _shortcut(width_in, width) if changed else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, T, V] -> [B, out, T // stride, V]."""
        out: Tensor = self.temporal(self.spatial(x))
        if self.residual:
            out.add_(_around(x, self.shortcut, self.stride))
        return out.relu_()


class ShiftGcn(ShiftGcnFacts, SkeletonBackbone):
    """Shift-GCN over any skeleton layout.

    Differs from the paper: the number, width and stride of blocks are settings. The defaults
    are a light network for small data sets and two cores; `widths` and `strides` of the paper
    are 64x4, 128x3, 256x3 and stride 2 at the fifth and eighth block, with 2 persons.

    Shapes: [B, 3, T, V, M] -> [B, T // stride, V, dim], averaged over persons.
    """

    def __init__(self, settings: ShiftGcnFacts.Settings, layout: Layout) -> None:
        super().__init__(
            layout,
            coordinates=settings.coordinates,
            persons=settings.persons,
            dim=settings.widths[-1],
            stride=math.prod(settings.strides),
        )
        ins = (settings.coordinates, *settings.widths[:-1])
        self.blocks = nn.ModuleList(
            Block(i, o, s, len(layout.joints), residual=n > 0)
            for n, (i, o, s) in enumerate(zip(ins, settings.widths, settings.strides, strict=True))
        )

    def encode(self, x: Tensor) -> Tensor:
        """[B * M, coordinates, T, V] -> feature map [B * M, dim, T // stride, V]."""
        for block in self.blocks:
            x = block(x)
        return x

    @classmethod
    def published(cls, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The state dict of a published Shift-GCN under this network's names, else nothing.

        Index tables, shifts across joints (zero throughout) and heads of other models beside the
        classifier `fc` are left out.
        """
        renamed = {}
        for name, value in tensors.items():
            for pattern, ours in _PUBLISHED:
                if match := re.fullmatch(pattern, name):
                    renamed[_from_zero(match.expand(ours))] = _reshaped(name, value)
        return renamed if "blocks.0.spatial.mask" in renamed else {}


def _from_zero(name: str) -> str:
    return re.sub(r"(?<=^blocks\.)\d+", lambda number: str(int(number[0]) - 1), name)


def _reshaped(name: str, value: Tensor) -> Tensor:
    """The published map of channels is a matrix [in, out]; here it is a 1x1 convolution."""
    if name.endswith("Linear_weight"):
        return value.T[..., None, None].contiguous()
    if name.endswith("Linear_bias"):
        return value.flatten()
    return value.squeeze(0) if name.endswith("Feature_Mask") else value

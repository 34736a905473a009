"""A straight port of Shift-GCN: the published computation, one operation after the other.

Activations are [n, C, T, V]; every shift, product and norm is an operation of its own. It says what
the published network costs and computes in plain PyTorch, where its CUDA extension is absent.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from starcli.contracts import Layout

WIDTHS = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


def _rotation(joints: int, width: int, sign: int) -> Tensor:
    """Where position i * C + c of the flattened joints and channels reads from."""
    position = torch.arange(joints * width)
    return (position + sign * width * (position % width)) % (joints * width)


class TemporalShift(nn.Module):
    """Each channel reads `ypos` frames later, between two frames linearly, zeros outside."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.ypos = nn.Parameter(torch.empty(width).uniform_(-1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[n, C, T, V] -> [n, C, T // stride, V]; like the CUDA operator, of contiguous memory."""
        x = x.contiguous()
        channel = torch.arange(x.shape[1], device=x.device)[:, None]
        offset = self.ypos + 0.5 if self.stride == 2 else self.ypos
        floor = offset.floor()
        part = (offset - floor).view(-1, 1, 1)
        first = torch.arange(0, x.shape[2], self.stride, device=x.device) + floor.long()[:, None]

        def read(frame: Tensor) -> Tensor:
            inside = (frame >= 0) & (frame < x.shape[2])
            return x[:, channel, frame.clamp(0, x.shape[2] - 1)] * inside[..., None]

        return (1 - part) * read(first) + part * read(first + 1)


class SpatialShiftConv(nn.Module):
    """The joints of each channel rotated, masked, mapped, rotated back."""

    def __init__(self, width_in: int, width: int, joints: int) -> None:
        super().__init__()
        self.Linear_weight = nn.Parameter(torch.randn(width_in, width) / width**0.5)
        self.Linear_bias = nn.Parameter(torch.zeros(1, 1, width))
        self.Feature_Mask = nn.Parameter(torch.zeros(1, joints, width_in))
        self.register_buffer("shift_in", _rotation(joints, width_in, 1))
        self.register_buffer("shift_out", _rotation(joints, width, -1))
        self.bn = nn.BatchNorm1d(joints * width)
        self.down: nn.Module = nn.Identity()
        if width_in != width:
            self.down = nn.Sequential(nn.Conv2d(width_in, width, 1), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """[n, in, T, V] -> [n, out, T, V]."""
        batch, width, frames, joints = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(batch * frames, joints * width)
        rows = rows.index_select(1, self.get_buffer("shift_in"))
        each = rows.view(batch * frames, joints, width) * (self.Feature_Mask.tanh() + 1)
        mapped = torch.einsum("nvc,cd->nvd", each, self.Linear_weight) + self.Linear_bias
        rows = mapped.reshape(batch * frames, -1).index_select(1, self.get_buffer("shift_out"))
        out = self.bn(rows).view(batch, frames, joints, -1).permute(0, 3, 1, 2)
        summed: Tensor = out + self.down(x)
        return summed.relu()


class ShiftConv(nn.Module):
    """A learned shift in time, a map of the channels and a second shift, with the stride."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(width)
        self.shift_in = TemporalShift(width, 1)
        self.temporal_linear = nn.Conv2d(width, width, 1)
        self.shift_out = TemporalShift(width, stride)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[n, C, T, V] -> [n, C, T // stride, V]."""
        x = self.shift_in(self.bn(x))
        x = self.shift_out(self.temporal_linear(x).relu())
        out: Tensor = self.bn2(x)
        return out


class StridedMap(nn.Module):
    """The way around a block that changes width or frame rate."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width_in, width, 1, (stride, 1))
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[n, in, T, V] -> [n, out, T // stride, V]."""
        out: Tensor = self.bn(self.conv(x))
        return out


class Unit(nn.Module):
    """The spatial part, the temporal part and the residual."""

    def __init__(self, width_in: int, width: int, stride: int, joints: int, residual: bool) -> None:
        super().__init__()
        self.gcn1 = SpatialShiftConv(width_in, width, joints)
        self.tcn1 = ShiftConv(width, stride)
        self.residual: nn.Module | None = None
        if residual:
            same = width_in == width and stride == 1
            self.residual = nn.Identity() if same else StridedMap(width_in, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[n, in, T, V] -> [n, out, T // stride, V]."""
        out: Tensor = self.tcn1(self.gcn1(x))
        if self.residual is not None:
            out = out + self.residual(x)
        return out.relu()


class StraightShiftGcn(nn.Module):
    """Shift-GCN as published, for two persons and 60 classes.

    Shapes: clips [B, 3, T, V, 2] -> logits [B, 60].
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        joints = len(layout.joints)
        self.data_bn = nn.BatchNorm1d(2 * joints * 3)
        ins = (3, *WIDTHS[:-1])
        for n, (i, o, s) in enumerate(zip(ins, WIDTHS, STRIDES, strict=True), start=1):
            self.add_module(f"l{n}", Unit(i, o, s, joints, residual=n > 1))
        self.fc = nn.Linear(WIDTHS[-1], 60)

    def features(self, clips: Tensor) -> Tensor:
        """[B, 3, T, V, M] -> [B * M, 256, T // 4, V]."""
        batch, channels, frames, joints, persons = clips.shape
        x: Tensor = clips.permute(0, 4, 3, 1, 2).reshape(batch, persons * joints * channels, frames)
        x = self.data_bn(x).view(batch, persons, joints, channels, frames)
        x = x.permute(0, 1, 3, 4, 2).reshape(batch * persons, channels, frames, joints)
        for n in range(1, len(WIDTHS) + 1):
            x = self.get_submodule(f"l{n}")(x)
        return x

    def forward(self, clips: Tensor) -> Tensor:
        """[B, 3, T, V, M] -> [B, classes]."""
        maps = self.features(clips)
        pooled = maps.view(len(clips), -1, *maps.shape[1:]).mean((1, 3, 4))
        logits: Tensor = self.fc(pooled)
        return logits

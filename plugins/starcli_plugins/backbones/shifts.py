"""The two shifts of Shift-GCN (Cheng et al., CVPR 2020): channels move between joints and frames.

A shift replaces the aggregation of a graph or temporal convolution: it only moves features, so
that the 1x1 product after it sees other joints, or other frames, in other channels.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from starcli_plugins.backbones.base import fuse_batch_norm
from starcli_plugins.backbones.graph import Operator


class _Permute(torch.autograd.Function):
    """Columns read through a permutation; the gradient reads through its inverse.

    Autograd's own gradient of an indexing adds into zeros, several times slower than a gather.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(order, inverse)
        return rows.gather(1, order.expand(rows.shape[0], -1))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        order, inverse = ctx.saved_tensors
        return permute_columns(grads[0], inverse, order), None, None


def permute_columns(rows: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
    """[R, K] -> [R, K], column k read from column order[k]; `inverse` undoes `order`."""
    out: Tensor = _Permute.apply(rows, order, inverse)  # type: ignore[no-untyped-call]
    return out


class SpatialShift(Operator):
    """The non-local shift graph operation (Shift-GCN, section 3.2.2, figure 3c).

    Every joint takes one slice of channels from each joint: out[v, c] = x[(v + c) mod V, c], or
    (v - c) mod V for the shift back. As a graph it is complete, and an edge carries the channels
    whose number is, modulo V, the edge's length around the ring of joints.

    Args:
        self: The operator.
        joints: V.
        width: C.
        back: Shift in the opposite direction.
    """

    def __init__(self, joints: int, width: int, back: bool = False) -> None:
        super().__init__(aggr="sum", node_dim=-2)
        self.joints, self.width, self.sign = joints, width, -1 if back else 1
        joint, channel = torch.arange(joints)[:, None], torch.arange(width)
        # Fixed by V and C alone, so weights need not carry them.
        for name, sign in (("order", self.sign), ("inverse", -self.sign)):
            source = (joint + sign * channel) % joints
            self.register_buffer(name, (source * width + channel).flatten(), persistent=False)
        self.order: Tensor
        self.inverse: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """[..., V, C] -> [..., V, C]."""
        rows = x.reshape(-1, self.joints * self.width)
        return permute_columns(rows, self.order, self.inverse).view(x.shape)

    def reference(self, x: Tensor) -> Tensor:
        """The same through messages over the edges of the complete graph."""
        joints = torch.arange(self.joints, device=x.device)
        edges = torch.stack([joints.repeat_interleave(self.joints), joints.repeat(self.joints)])
        length = (self.sign * (edges[0] - edges[1])) % self.joints
        out: Tensor = self.propagate(edges, x=x, length=length)
        return out

    def message(self, x_j: Tensor, length: Tensor) -> Tensor:
        """What an edge carries: [..., E, C] without the channels of other lengths."""
        channel = torch.arange(self.width, device=x_j.device) % self.joints
        return torch.where(length[:, None] == channel, x_j, 0)


class TemporalShift(nn.Module):
    """The adaptive temporal shift (Shift-GCN, section 3.3.2, equation 7).

    Channel c reads y_c frames later, linearly between two frames, zeros outside the clip:
    out[t] = (1 - d) x[ts + k] + d x[ts + k + 1] with k = floor(y_c), d = y_c - k and stride s.

    Differs from the paper: as in the published code, a shift with stride 2 reads half a frame
    later, from the middle of the frames it stands for; other strides likewise.

    Args:
        width: C.
        stride: s.
    """

    def __init__(self, width: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.offset = nn.Parameter(torch.empty(width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Offsets uniform between one frame back and one frame ahead (section 3.3.2)."""
        nn.init.uniform_(self.offset, -1, 1)

    def _position(self) -> tuple[Tensor, Tensor]:
        """k, whole frames, and d, the way from there to the next frame, both [C]."""
        offset = self.offset + (self.stride - 1) / 2
        whole = offset.detach().floor()
        return whole, offset - whole

    def forward(self, x: Tensor, norm: nn.BatchNorm2d | None = None) -> Tensor:
        """[B, C, T, V] -> [B, C, ceil(T / s), V]; a `norm` after it, in eval mode, is fused in.

        A depthwise convolution with two taps other than zero per channel: one pass over memory,
        and no pass in which gradients are scattered.
        """
        if torch.compiler.is_exporting():  # the taps depend on numbers, which have none yet
            shifted = self.reference(x)
            return shifted if norm is None else norm(shifted)
        if torch.is_grad_enabled() and not self.training:  # in the published order, see `fusable`
            return self.reference(x)
        whole, part = self._position()
        # An offset that is not a number makes a loss that is none, which training reports.
        least, most = torch.stack(torch.aminmax(whole.nan_to_num(0, 0, 0))).tolist()
        low, high = -int(least), int(most) + 1
        # Taps beyond the clip read nothing but zeros.
        reach = min(max(low, high, 0), x.shape[2])
        tap = torch.arange(-reach, reach + 1, device=x.device)
        taps = (1 - part[:, None]) * (tap == whole[:, None])
        taps = taps + part[:, None] * (tap == whole[:, None] + 1)
        bias = None
        if norm is not None:
            scale, bias = fuse_batch_norm(norm)
            taps = taps * scale[:, None]
        return functional.conv2d(
            x, taps[:, None, :, None], bias, (self.stride, 1), (reach, 0), groups=len(taps)
        )

    def reference(self, x: Tensor) -> Tensor:
        """The same, read frame by frame as in the formula."""
        whole, part = self._position()
        frames, steps = x.shape[2], math.ceil(x.shape[2] / self.stride)
        first = self.stride * torch.arange(steps, device=x.device) + whole.long()[:, None]
        out = torch.zeros_like(x[:, :, :steps])
        for ahead, weight in ((0, 1 - part), (1, part)):
            frame = first + ahead  # [C, ceil(T / s)]
            inside = (frame >= 0) & (frame < frames)
            index = frame.clamp(0, frames - 1)[None, :, :, None].expand(
                x.shape[0], -1, -1, x.shape[3]
            )
            out = out + x.gather(2, index) * (weight[:, None] * inside)[..., None]
        return out

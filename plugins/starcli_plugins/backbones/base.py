"""Base of the graph backbones: input normalisation, tokens, and batch norms fused with their maps.

Networks compute on [B * M, C, T, V], persons adjacent, in channels-last memory: there a joint's
channels lie side by side, so that convolutions and shifts read whole rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from starcli.contracts import Layout
from starcli.errors import DataError

SLICE = 8
"""Skeletons that a CPU encodes at a time at inference, so that activations stay in its cache."""


class SkeletonBackbone(nn.Module):
    """A network over joints and frames, with its input normalisation and its tokens.

    Subclasses define `encode`: [B * M, coordinates, T, V] -> [B * M, dim, T // stride, V].

    Args:
        layout: The skeleton.
        coordinates: 3, or 2 to read x and y only.
        persons: 1: all persons share the input normalisation. M: each has its own, and clips with
            fewer persons are filled up with absent ones, as in the published networks with M = 2.
        dim: D.
        stride: T // L.
    """

    def __init__(
        self, layout: Layout, *, coordinates: int, persons: int, dim: int, stride: int
    ) -> None:
        super().__init__()
        self.coordinates = coordinates
        self.persons = persons
        self.dim = dim
        self.stride = stride
        self.normalise = nn.BatchNorm1d(persons * len(layout.joints) * coordinates)

    def encode(self, x: Tensor) -> Tensor:
        """[B * M, coordinates, T, V] -> feature map [B * M, dim, T // stride, V]."""
        raise NotImplementedError

    def features(self, clips: Tensor) -> Tensor:
        """Clips [B, 3, T, V, M] -> feature map [B * M, dim, T // stride, V], persons adjacent.

        Raises:
            DataError: The clips have more persons than the normalisation.
        """
        frames = clips.shape[2] // self.stride * self.stride
        clips = clips[:, : self.coordinates, :frames]
        missing = self.persons - clips.shape[4]
        if missing < 0 and self.persons > 1:
            raise DataError(
                f"clips have {clips.shape[4]} persons, the backbone {self.persons}",
                "raise backbone.persons",
            )
        clips = functional.pad(clips, (0, max(0, missing)))
        batch, channels, _, joints, persons = clips.shape
        x = clips.permute(0, 4, 3, 1, 2).reshape(-1, self.normalise.num_features, frames)
        x = self.normalise(x).view(batch * persons, joints, channels, frames)
        if torch.is_grad_enabled() and not self.training:
            return self.encode(x.permute(0, 2, 3, 1).contiguous())
        # [B * M, C, T, V] over memory laid out as [B * M, T, V, C].
        x = x.permute(0, 3, 1, 2).contiguous().permute(0, 3, 1, 2)
        whole = self.training or torch.is_grad_enabled() or x.device.type != "cpu"
        if whole or torch.compiler.is_exporting():
            return self.encode(x)
        return torch.cat([self.encode(few) for few in x.split(SLICE)])

    def forward(self, clips: Tensor) -> Tensor:
        """Clips [B, 3, T, V, M] -> joint tokens [B, T // stride, V, dim], persons averaged."""
        maps = self.features(clips)
        batch = clips.shape[0]  # not `len`, which an exported program would take for a constant
        persons = maps.shape[0] // batch
        tokens = maps.permute(0, 2, 3, 1).reshape(batch, persons, *maps.shape[2:], self.dim)
        return tokens.mean(1)


def fusable(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> bool:
    """Whether a batch norm may be fused with the map beside it: in eval mode without gradients.

    With gradients, operations stay in the published order: a few of the millions of values before
    a ReLU lie within rounding of zero, and the gradient is to take the published side of them.
    """
    return not norm.training and not torch.is_grad_enabled()


def fuse_batch_norm(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """A batch norm in eval mode as y = scale * x + offset, both [C]."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def affine(x: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    """scale * x + offset by broadcasting, in place where no gradient needs x."""
    out = None if torch.is_grad_enabled() else x
    return torch.addcmul(offset, x, scale, out=out)


def conv_norm(x: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """A convolution and the batch norm after it, one convolution where `fusable` allows it."""
    if not fusable(norm):
        out: Tensor = norm(conv_like(x, conv, conv.weight, conv.bias))
        return out
    return scaled_conv(x, conv, *fuse_batch_norm(norm))


def scaled_conv(x: Tensor, conv: nn.Conv2d, scale: Tensor, offset: Tensor) -> Tensor:
    """scale * conv(x) + offset as one convolution; scale and offset are [out]."""
    bias = offset if conv.bias is None else conv.bias * scale + offset
    weight = conv.weight * scale[:, None, None, None]
    return conv_like(x, conv, weight, bias)


def conv_like(x: Tensor, conv: nn.Conv2d, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The convolution of `conv` with a weight and bias of choice, differentiated as in `convs`.

    A strided 1x1 convolution takes its frames out first: in channels-last memory the backward
    pass of oneDNN's (torch 2.13) writes outside its buffers.
    """
    stride = conv.stride
    if conv.kernel_size == (1, 1) and stride != (1, 1):
        x, stride = _Strided.apply(x, *stride), (1, 1)  # type: ignore[no-untyped-call]
    return convs(x, (weight,), (bias,), stride, conv.padding, conv.dilation)[0]


def convs(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor | None],
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
) -> tuple[Tensor, ...]:
    """Convolutions of the same input as `functional.conv2d` gives them, differentiated at once.

    The gradients of biases are sums: oneDNN's own take a quarter of its backward pass.

    Args:
        x: [N, in, H, W].
        weights: Each [out, in, h, w], `out` its own.
        biases: Each [out].
        stride: Of all, as padding and dilation.
        padding: In pixels.
        dilation: In pixels.

    Returns:
        Each [N, out, H', W'].
    """
    where = (stride, padding, dilation)
    if not torch.is_grad_enabled():
        return _forward(x, weights, biases, where)
    out: tuple[Tensor, ...] = _Convs.apply(x, where, *weights, *biases)  # type: ignore[no-untyped-call]
    return out


def _forward(
    x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor | None], where: tuple[Any, ...]
) -> tuple[Tensor, ...]:
    pairs = zip(weights, biases, strict=True)
    return tuple(functional.conv2d(x, weight, bias, *where) for weight, bias in pairs)


class _Convs(torch.autograd.Function):
    """See `convs`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, where: tuple[Any, ...], *maps: Any) -> tuple[Tensor, ...]:
        weights, biases = maps[: len(maps) // 2], maps[len(maps) // 2 :]
        ctx.save_for_backward(x, *weights)
        ctx.where, ctx.biased = where, [bias is not None for bias in biases]
        return _forward(x, weights, biases, where)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, *weights = ctx.saved_tensors
        rest = (None, *ctx.where, False, (0, 0), 1, (ctx.needs_input_grad[0], True, False))
        to_x, to_weights = None, []
        for grad, weight in _joined(grads, weights):
            # Autocast computed in the precision that the gradient has.
            x, weight = x.to(grad.dtype), weight.to(grad.dtype)
            one, own, _ = torch.ops.aten.convolution_backward(grad, x, weight, *rest)
            to_x = one if to_x is None else to_x.add_(one)
            to_weights.append(own)
        sizes = [len(weight) for weight in weights]
        split = torch.split_with_sizes(torch.cat(to_weights), sizes)
        pairs = zip(grads, ctx.biased, strict=True)
        return to_x, None, *split, *(grad.sum((0, 2, 3)) if own else None for grad, own in pairs)


def _joined(grads: Sequence[Tensor], weights: Sequence[Tensor]) -> Sequence[tuple[Tensor, Tensor]]:
    """Gradients of convolutions of one input and their weights, as those of a single convolution.

    Left apart beyond 32 MiB: glibc maps every larger buffer anew, and the page faults cost more
    than is won.
    """
    if len(grads) == 1 or sum(grad.nbytes for grad in grads) > 32 << 20:
        return list(zip(grads, weights, strict=True))
    joined = torch.cat([grad.permute(0, 2, 3, 1) for grad in grads], 3)
    return [(joined.permute(0, 3, 1, 2), torch.cat(list(weights)))]


class _Strided(torch.autograd.Function):
    """Every n-th row and column of [N, C, H, W], with a gradient in the same memory order."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: int, columns: int) -> Tensor:
        ctx.shape, ctx.every = x.shape, (..., slice(None, None, rows), slice(None, None, columns))
        ctx.order = torch.channels_last if x.stride(1) == 1 else torch.contiguous_format
        return x[ctx.every].contiguous(memory_format=ctx.order)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        whole = torch.empty(
            ctx.shape, dtype=grad.dtype, device=grad.device, memory_format=ctx.order
        )
        whole.zero_()[ctx.every] = grad
        return whole, None, None


def renamed(tensors: Mapping[str, Tensor], rules: Sequence[tuple[str, str]]) -> dict[str, Tensor]:
    """Tensors whose names match one of the rules (pattern, replacement), under their new names."""
    compiled = [(re.compile(pattern), new) for pattern, new in rules]
    matching = ((name, *rule) for name in tensors for rule in compiled if rule[0].fullmatch(name))
    return {pattern.sub(new, name): tensors[name] for name, pattern, new in matching}

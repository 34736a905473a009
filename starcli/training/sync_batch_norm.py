"""Batch norm whose statistics are those of the whole batch, over all processes and devices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes, through which gradients flow to all of them."""

    @staticmethod  # whose `ctx` torch gives no type
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


def _summed(value: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(value)  # type: ignore[no-untyped-call]
    return total


class _SyncBatchNorm(_BatchNorm):
    """A batch norm that sums its statistics over all processes.

    Differs from `torch.nn.SyncBatchNorm`, which exists on CUDA only: plain all-reduces, that any
    device and backend has. Statistics are taken in two passes, mean first, like those of one
    process.

    Shapes: [B, C, ...] -> the same.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            usual: Tensor = super().forward(input)
            return usual
        with torch.autocast(input.device.type, enabled=False):
            return self._together(input.float()).to(input.dtype)

    def _together(self, input: Tensor) -> Tensor:
        """In float32: low precision cannot even count the numbers of a batch."""
        over = [d for d in range(input.dim()) if d != 1]
        shape = [1, -1] + [1] * (input.dim() - 2)
        count = _summed(input.new_tensor(float(input.numel() // input.shape[1])))
        mean = _summed(input.sum(over)) / count
        centred = input - mean.view(shape)
        variance = _summed(centred.square().sum(over)) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1).clamp_min(1))
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        normal = centred * scale.view(shape)
        return normal + self.bias.view(shape) if self.affine else normal

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        tracked = float(self.num_batches_tracked)
        share = 1 / tracked if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


class _SyncBatchNorm1d(_SyncBatchNorm, nn.BatchNorm1d):
    """In place of BatchNorm1d."""


class _SyncBatchNorm2d(_SyncBatchNorm, nn.BatchNorm2d):
    """In place of BatchNorm2d."""


_TOGETHER: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: _SyncBatchNorm1d,
    nn.BatchNorm2d: _SyncBatchNorm2d,
}


def synchronise(model: nn.Module) -> None:
    """Make every batch norm of a model take its statistics over all processes, in place."""
    for module in model.modules():
        together = _TOGETHER.get(type(module))
        if together is not None:
            # The same object under its new class: parameters, buffers and references stay.
            module.__class__ = together

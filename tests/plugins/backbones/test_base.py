"""Convolutions that are differentiated together, against those of torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from starcli_plugins.backbones import base
from starcli_plugins.backbones.base import conv_like, convs

pytestmark = pytest.mark.numerical


def drawn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    ("kernel", "where"),
    [
        ((1, 1), {}),
        ((3, 1), {"stride": (2, 1), "padding": (1, 0)}),
        ((5, 1), {"padding": (4, 0), "dilation": (2, 1)}),
    ],
)
def test_gradients_are_those_of_each_convolution_alone(
    kernel: tuple[int, int],
    where: dict[str, Any],
    apart: bool,
    memory: torch.memory_format,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if apart:  # as beyond the size from which they are not joined
        monkeypatch.setattr(base, "_joined", lambda *pair: list(zip(*pair, strict=True)))
    x = drawn(2, 3, 9, 4)
    weights = [drawn(out, 3, *kernel, seed=out) for out in (2, 5)]
    biases = [drawn(2, seed=7), None]

    ours = convs(x.contiguous(memory_format=memory), weights, biases, **where)
    theirs = [functional.conv2d(x, w, b, **where) for w, b in zip(weights, biases, strict=True)]

    leaves = [x, *weights, *(b for b in biases if b is not None)]
    pull = [drawn(*out.shape, seed=3).detach() for out in theirs]
    for got, want in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got, want)
    for got, want in zip(
        torch.autograd.grad(ours, leaves, pull),
        torch.autograd.grad(theirs, leaves, pull),
        strict=True,
    ):
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3)])
def test_a_strided_convolution_passes_gradcheck(
    stride: tuple[int, int], kernel: tuple[int, int]
) -> None:
    conv = nn.Conv2d(2, 3, kernel, stride)
    x, weight, bias = drawn(2, 2, 7, 4), drawn(3, 2, *kernel, seed=1), drawn(3, seed=2)

    def run(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return conv_like(x.contiguous(memory_format=torch.channels_last), conv, weight, bias)

    torch.testing.assert_close(run(x, weight, bias), functional.conv2d(x, weight, bias, stride))
    assert torch.autograd.gradcheck(run, (x, weight, bias))


def test_half_precision_gives_gradients_of_the_weights_own_precision() -> None:
    x, weight = drawn(2, 3, 4, 4).detach().float(), drawn(2, 3, 1, 1).detach().float()
    weight.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        (out,) = convs(x, [weight], [None])
    assert out.dtype == torch.bfloat16
    torch.autograd.backward(out.float().square().sum())
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32
    want = functional.conv2d(x, weight).square().sum()
    (exact,) = torch.autograd.grad(want, weight)
    torch.testing.assert_close(weight.grad, exact, rtol=0.05, atol=0.5)

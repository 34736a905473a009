"""From a part's tokens to its vector in the shared space (paper section 3.3 (1), eqs. 1 to 3).

`VisualPrompts` is the paper's; `MeanTokenQuery` and `MeanToken` are what Table 7 calls STAR without
the visual-attribute prompts and STAR without the attention-based mechanism.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

SLICE = 32
"""Clips that a CPU works on at a time, so that what they need stays in its cache."""


class PrecomputedProducts(NamedTuple):
    """What a branch computes from its weights alone, once for all clips.

    Args:
        queries: [n * m, D], the queries of every head, scaled and seen from the tokens: the score
            of a token x is its product with P W_q W_k^T / sqrt(d).
        inner: [width, width], W_o and the first map of the FFN in one.
        rows: [m, width], P W and the second map of the FFN in one.
        offset: [m], P W times the bias of the second map.
    """

    queries: Tensor
    inner: Tensor
    rows: Tensor
    offset: Tensor


class DiagonalFFN(torch.autograd.Function):
    """The FFN, each attribute's output only along its own row of the products (eq. 3).

    In its own words autograd would hold and add up several arrays [B, m, width] per slice.
    """

    @staticmethod  # whose `ctx` torch gives no type
    def forward(ctx: Any, mixed: Tensor, inner: Tensor, bias: Tensor, rows: Tensor) -> Tensor:
        """Attention output [B * m, width] -> [B, m]."""
        hidden = torch.addmm(bias, mixed, inner.T).relu_()
        ctx.save_for_backward(mixed, inner, rows, hidden)
        features: Tensor = (hidden.view(-1, *rows.shape) * rows).sum(2)
        return features

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Slope of the loss by the output [B, m] -> by every input of `forward`."""
        mixed, inner, rows, hidden = ctx.saved_tensors
        full = (slope.unsqueeze(2) * rows).flatten(0, 1)
        full = torch.ops.aten.threshold_backward(full, hidden, 0)  # zero where ReLU is
        along = torch.einsum("bm,bmw->mw", slope, hidden.view(-1, *rows.shape))
        return full @ inner, full.T @ mixed, full.sum(0), along


class VisualPrompts(nn.Module):
    """Visual-attribute prompts attending to one part's tokens (eqs. 1 to 3).

    Eq. 3 is read as the diagonal of P W phi^T, one number per attribute, because only so the
    visual and semantic sides have the same length m. Matrix products are taken in the cheapest
    order: all that does not depend on the clip first (`PrecomputedProducts`), so that keys, the
    output map of the attention and the second map of the FFN are never computed per clip.

    Shapes: tokens [B, S, D] of S = L * joints of the part -> [B, m].

    Args:
        attributes: m.
        width: Width of prompts and attention, d_va.
        heads: Attention heads n.
        token_dim: D.
        dropout: Dropout of the attention output.
        scale: Deviation of the initial projecting matrix W.
    """

    def __init__(
        self, attributes: int, width: int, heads: int, token_dim: int, dropout: float, scale: float
    ) -> None:
        super().__init__()
        self.heads = heads
        self.prompts = nn.Parameter(torch.randn(attributes, width))
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(token_dim, width, bias=False)
        self.value = nn.Linear(token_dim, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)
        self.projection = nn.Parameter(torch.randn(width, width) * scale)
        self.dropout = nn.Dropout(dropout)
        self._kept: tuple[list[tuple[int, int]], PrecomputedProducts] | None = None

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens of the part [B, S, D] -> F_v^e [B, m]."""
        products = self._products()
        whole = tokens.device.type != "cpu" or torch.compiler.is_exporting()
        if whole:
            return self._attend(tokens, products)
        return torch.cat([self._attend(some, products) for some in torch.split(tokens, SLICE)])

    def _attend(self, tokens: Tensor, products: PrecomputedProducts) -> Tensor:
        batch, steps, heads = *tokens.shape[:2], self.heads
        attention = functional.linear(tokens, products.queries).transpose(1, 2).softmax(2)
        value = self.value(tokens).view(batch, steps, heads, -1).transpose(1, 2)
        mixed = attention.view(batch, heads, -1, steps) @ value
        mixed = self.dropout(mixed.transpose(1, 2).reshape(-1, self.prompts.shape[1]))
        inner, bias, rows = (
            x.to(mixed.dtype) for x in (products.inner, self.inner.bias, products.rows)
        )
        features: Tensor = DiagonalFFN.apply(mixed, inner, bias, rows)  # type: ignore[no-untyped-call]
        return features + products.offset

    def attention(self, tokens: Tensor) -> Tensor:
        """Attention to tokens of the part (eq. 1), mean of the prompts: [B, S, D] -> [B, S]."""
        return functional.linear(tokens, self._products().queries).softmax(1).mean(2)

    def precompute(self) -> PrecomputedProducts:
        """The products that do not depend on the clip."""
        heads, size = self.heads, self.prompts.shape[1] // self.heads
        query = self.query(self.prompts).view(-1, heads, size).transpose(0, 1)
        key = self.key.weight.view(heads, size, -1) / math.sqrt(size)
        rows = self.prompts @ self.projection
        return PrecomputedProducts(
            queries=torch.bmm(query, key).flatten(0, 1),
            inner=self.inner.weight @ self.out.weight,
            rows=rows @ self.outer.weight,
            offset=rows @ self.outer.bias,
        )

    def _products(self) -> PrecomputedProducts:
        """`precompute`, at inference only after the weights have changed.

        Fused optimisers change weights without counting it, after a pass that keeps gradients.
        """
        if torch.is_grad_enabled() or torch.compiler.is_exporting():
            self._kept = None
            return self.precompute()
        state = [(p.data_ptr(), p._version) for p in self.parameters()]
        if self._kept is None or self._kept[0] != state:
            self._kept = state, self.precompute()
        return self._kept[1]


class MeanTokenQuery(nn.Module):
    """One part without visual-attribute prompts: its mean token is the only query.

    Attention and FFN stay as they are (eqs. 1 and 2), and W alone, here [m, width], projects the
    FFN's output: F = W phi.

    Shapes: tokens [B, S, D] -> [B, m].

    Args:
        attributes: m.
        width: Width of the attention.
        heads: Attention heads n.
        token_dim: D.
        dropout: Dropout of the attention output.
    """

    def __init__(
        self, attributes: int, width: int, heads: int, token_dim: int, dropout: float
    ) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(token_dim, width, bias=False)
        self.key = nn.Linear(token_dim, width, bias=False)
        self.value = nn.Linear(token_dim, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.ffn = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.projection = nn.Linear(width, attributes, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens of the part [B, S, D] -> F_v^e [B, m]."""
        pooled = tokens.mean(1, keepdim=True)
        query, key, value = (
            project(x).view(len(x), x.shape[1], self.heads, -1).transpose(1, 2)
            for project, x in ((self.query, pooled), (self.key, tokens), (self.value, tokens))
        )
        mixed = functional.scaled_dot_product_attention(query, key, value).flatten(1)
        features: Tensor = self.projection(self.ffn(self.out(self.dropout(mixed))))
        return features

    def attention(self, tokens: Tensor) -> Tensor:
        """Attention of the mean token to tokens of the part, mean of heads: [B, S, D] -> [B, S]."""
        query, key = self.query(tokens.mean(1)), self.key(tokens)
        each = (query[:, None] * key).view(*key.shape[:2], self.heads, -1)
        weights: Tensor = (each.sum(3) / math.sqrt(each.shape[3])).softmax(1).mean(2)
        return weights


class MeanToken(nn.Module):
    """One part without the attention-based mechanism: a linear map of its mean token.

    Cross-attention, FFN, prompts and projecting matrix, which together are the mechanism, are gone.

    Shapes: tokens [B, S, D] -> [B, m].

    Args:
        attributes: m.
        token_dim: D.
    """

    def __init__(self, attributes: int, token_dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(token_dim, attributes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens of the part [B, S, D] -> F_v^e [B, m]."""
        features: Tensor = self.project(tokens.mean(1))
        return features

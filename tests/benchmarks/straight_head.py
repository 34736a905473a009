"""The dual-prompt head as its formulas read (paper eqs. 1 to 8), nothing merged or reordered.

Parameters are named as in `starcli.head.star`, so that a state dict of one fits the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from starcli.head.star import Star


class StraightBranch(nn.Module):
    """Eqs. 1 to 3 for one part, every product per clip and in the order it is written."""

    def __init__(self, attributes: int, width: int, heads: int, token_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.prompts = nn.Parameter(torch.randn(attributes, width))
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(token_dim, width, bias=False)
        self.value = nn.Linear(token_dim, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)
        self.projection = nn.Parameter(torch.randn(width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        prompts = self.prompts.expand(len(tokens), -1, -1)
        query, key, value = (
            x.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for x in (self.query(prompts), self.key(tokens), self.value(tokens))
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        features = self.out(mixed.transpose(1, 2).flatten(2))
        phi: Tensor = self.outer(functional.relu(self.inner(features)))
        return ((self.prompts @ self.projection) * phi).sum(2)


class StraightHead(nn.Module):
    """The whole head, part by part, with the sizes and text of ours."""

    def __init__(self, ours: Star) -> None:
        super().__init__()
        s, token_dim, text_dim = ours.settings, len(ours.mean), ours.name_vectors.shape[1]
        self.groups: Sequence[tuple[int, ...]] = ours.groups
        self.seen, self.temperature = ours.seen, s.temperature
        self.weights = (1.0, s.alpha, s.beta)
        self.mean: Tensor
        self.std: Tensor
        self.share: Tensor
        self.name_vectors: Tensor
        self.part_vectors: Tensor
        for name, buffer in ours.named_buffers():
            self.register_buffer(name, buffer.clone())

        def projector() -> nn.Sequential:
            return nn.Sequential(
                nn.Linear(text_dim, s.hidden), nn.ReLU(), nn.Linear(s.hidden, s.attributes)
            )

        self.branches = nn.ModuleList(
            StraightBranch(s.attributes, s.width, s.heads, token_dim) for _ in self.groups
        )
        self.part_projectors = nn.ModuleList(projector() for _ in self.groups)
        self.name_projector = projector()
        self.part_prompts = nn.Parameter(torch.zeros_like(ours.part_vectors))
        self.load_state_dict(ours.state_dict())

    def visual(self, tokens: Tensor) -> list[Tensor]:
        tokens = (tokens - self.mean) / self.std
        return [
            branch(tokens[:, :, list(group)].flatten(1, 2))
            for branch, group in zip(self.branches, self.groups, strict=True)
        ]

    def semantic(self) -> tuple[list[Tensor], Tensor]:
        prompted = self.part_vectors + self.part_prompts
        parts = zip(self.part_projectors, prompted, strict=True)
        return [project(texts) for project, texts in parts], self.name_projector(self.name_vectors)

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        visual, (parts, names) = self.visual(tokens), self.semantic()
        names = names[self.seen]
        own = torch.arange(len(names))
        mpce = sce = torch.zeros(())
        for feature, every in zip(visual, parts, strict=True):
            mpce = mpce + self.entropy(feature, every[self.seen], targets) / len(parts)
            sce = sce + self.entropy(every[self.seen], names, own) / len(parts)
        whole = torch.zeros_like(visual[0])
        for feature in visual:
            whole = whole + feature
        gce = self.entropy(whole, names, targets)
        return sum(
            (w * term for w, term in zip(self.weights, (mpce, sce, gce), strict=True)),
            start=torch.zeros(()),
        )

    def entropy(self, left: Tensor, right: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(cosine(left, right) / self.temperature, targets)

    def score(self, tokens: Tensor) -> Tensor:
        visual, (parts, names) = self.visual(tokens), self.semantic()
        whole = cosine(torch.stack(visual).sum(0), names)
        by_part = [cosine(f, texts) for f, texts in zip(visual, parts, strict=True)]
        return (1 - self.share) * whole + self.share * torch.stack(by_part).mean(0)


def cosine(left: Tensor, right: Tensor) -> Tensor:
    return functional.normalize(left, dim=-1) @ functional.normalize(right, dim=-1).T

"""The dual-prompt head of STAR, the method `star` (paper sections 3.3 to 3.5).

A clip's joint tokens are cut into K parts. In each part, m visual-attribute prompts attend to the
part's tokens and become an m-vector (eqs. 1 to 3); the parts' vectors add up to the clip's. Texts
of the parts, sharpened by semantic-part prompts (eq. 4), and of the class name are projected into
the same m-dimensional space. Three cross-entropies align the two sides (eqs. 5 to 8).
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from starcli.contracts import Problem, TokenSet, Watch
from starcli.training import derive, run_epochs


class PartBranch(nn.Module):
    """Visual-attribute prompts attending to one part's tokens (eqs. 1 to 3).

    Eq. 3 is read as the diagonal of P W phi^T, one number per attribute, because only so the
    visual and semantic sides have the same length m. Two identities save most of the work:
    `W_o` and the first linear map of the FFN are one map, and the second linear map followed by
    the fixed row P_i W is one row.

    Shapes: tokens [B, S, D] of S = L * joints of the part -> [B, m].

    Args:
        attributes: m.
        width: Width of prompts and attention, d_va.
        heads: Attention heads n.
        token_dim: D.
        dropout: Dropout of the attention output.
    """

    def __init__(
        self, attributes: int, width: int, heads: int, token_dim: int, dropout: float
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
        self.projection = nn.Parameter(torch.randn(width, width) / math.sqrt(width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens of the part [B, S, D] -> F_v^e [B, m]."""
        batch, width = len(tokens), self.prompts.shape[1]
        query = self._split(self.query(self.prompts)[None]).expand(batch, -1, -1, -1)
        key, value = self._split(self.key(tokens)), self._split(self.value(tokens))
        mixed = functional.scaled_dot_product_attention(query, key, value)
        mixed = self.dropout(mixed.transpose(1, 2).reshape(batch, -1, width))
        first = self.inner.weight @ self.out.weight
        hidden = functional.linear(mixed, first, self.inner.bias).relu()
        rows = self.prompts @ self.projection
        return (hidden * (rows @ self.outer.weight)).sum(2) + rows @ self.outer.bias

    def _split(self, x: Tensor) -> Tensor:
        """[B, S, width] -> [B, heads, S, width // heads]."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


def projector(width_in: int, hidden: int, width: int) -> nn.Sequential:
    """Two linear maps with ReLU between them (section 3.3 (2))."""
    return nn.Sequential(nn.Linear(width_in, hidden), nn.ReLU(), nn.Linear(hidden, width))


def similarity(visual: Tensor, text: Tensor, kind: str) -> Tensor:
    """Compatibility of [..., B, m] with [..., C, m]: dot product or cosine -> [..., B, C]."""
    if kind == "cosine":
        visual, text = functional.normalize(visual, dim=-1), functional.normalize(text, dim=-1)
    return visual @ text.transpose(-1, -2)


class Star(nn.Module):
    """Side information and dual prompts for zero-shot skeleton action recognition.

    Differs from the paper: similarity is cosine with a temperature (`similarity = "dot"` and
    `temperature = 1` are the paper's); by default the score adds the mean part score to the global
    one (`inference = "global"`); the text of a class's name goes on with its part sentences
    (`text.name_template = "{name}"`); tokens are standardised per channel on the training clips;
    semantic-part prompts start at zero, and because the semantic cross-entropy runs over seen
    classes only, those of unseen classes stay there; the optimiser is AdamW with a warm cosine.

    Args:
        settings: Sizes and training.
        problem: Layout, parts, text and classes.
        seed: Seed of the initial weights.
    """

    class Settings(BaseModel):
        """The dual-prompt head and its training."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        attributes: int = Field(100, ge=1, description="m, the number of motion attributes")
        width: int = Field(768, ge=1, description="width of prompts and attention")
        heads: int = Field(8, ge=1, description="attention heads")
        hidden: int = Field(256, ge=1, description="hidden width of the text projectors")
        similarity: Literal["cosine", "dot"] = Field("cosine", description="of eqs. 5, 7 and 9")
        temperature: float = Field(0.1, gt=0, description="divides similarities in the losses")
        alpha: float = Field(0.1, ge=0, description="weight of the semantic cross-entropy")
        beta: float = Field(0.1, ge=0, description="weight of the global cross-entropy")
        inference: Literal["global", "parts", "sum"] = Field(
            "sum", description="score by the summed feature and names, by parts, or both"
        )
        dropout: float = Field(0.0, ge=0, lt=1, description="dropout of the attention output")
        epochs: int = Field(30, ge=1, description="length of the training schedule")
        batch: int = Field(64, ge=1, description="clips per step")
        lr: float = Field(1e-3, gt=0, description="peak learning rate of AdamW")
        weight_decay: float = Field(5e-4, ge=0, description="weight decay of AdamW")

        @model_validator(mode="after")
        def _divisible(self) -> Star.Settings:
            if self.width % self.heads:
                raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
            return self

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1

    def __init__(self, settings: Settings, problem: Problem, seed: int) -> None:
        super().__init__()
        self.settings = settings
        self.groups = tuple(problem.parts.values())
        self.seen = torch.tensor(problem.seen)
        classes, _, text_dim = problem.bank.vectors.shape
        self.name_vectors: Tensor
        self.part_vectors: Tensor
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("name_vectors", problem.bank.vectors[:, 0].clone())
        self.register_buffer("part_vectors", problem.bank.vectors[:, 1:].transpose(0, 1).clone())
        self.register_buffer("mean", torch.zeros(problem.token_dim))
        self.register_buffer("std", torch.ones(problem.token_dim))
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "weights"))
            self._build(problem.token_dim, text_dim, classes)

    def _build(self, token_dim: int, text_dim: int, classes: int) -> None:
        s, parts = self.settings, len(self.groups)
        self.branches = nn.ModuleList(
            PartBranch(s.attributes, s.width, s.heads, token_dim, s.dropout) for _ in range(parts)
        )
        self.part_projectors = nn.ModuleList(
            projector(text_dim, s.hidden, s.attributes) for _ in range(parts)
        )
        self.name_projector = projector(text_dim, s.hidden, s.attributes)
        self.part_prompts = nn.Parameter(torch.zeros(parts, classes, text_dim))

    def visual(self, tokens: Tensor) -> Tensor:
        """F_v^e of every part: joint tokens [B, L, V, D] -> [K, B, m] (eqs. 1 to 3)."""
        tokens = (tokens.to(self.mean) - self.mean) / self.std
        parts = zip(self.branches, self.groups, strict=True)
        return torch.stack([branch(tokens[:, :, list(g)].flatten(1, 2)) for branch, g in parts])

    def semantic(self, classes: Tensor) -> tuple[Tensor, Tensor]:
        """F_si^e and F_cn of some classes: ids [C'] -> [K, C', m] and [C', m] (eq. 4)."""
        augmented = (self.part_vectors + self.part_prompts)[:, classes]
        parts = zip(self.part_projectors, augmented, strict=True)
        names: Tensor = self.name_projector(self.name_vectors[classes])
        return torch.stack([project(text) for project, text in parts]), names

    def losses(self, tokens: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The three cross-entropies over the seen classes (eqs. 5, 6 and 7).

        Args:
            tokens: [B, L, V, D].
            targets: Positions [B] in the list of seen classes.
        """
        visual = self.visual(tokens)
        parts, names = self.semantic(self.seen)
        own = torch.arange(len(self.seen), device=tokens.device)
        return {
            "mpce": self._entropy(similarity(visual, parts, self.settings.similarity), targets),
            "sce": self._entropy(similarity(parts, names, self.settings.similarity), own),
            "gce": self._entropy(
                similarity(visual.sum(0), names, self.settings.similarity)[None], targets
            ),
        }

    def _entropy(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of scores [K, B, C'] with one target per row of B."""
        logits = scores / self.settings.temperature
        return functional.cross_entropy(logits.flatten(0, 1), targets.repeat(len(scores)))

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """L_MPCE + alpha L_SCE + beta L_GCE (eq. 8)."""
        terms = self.losses(tokens, targets)
        return (
            terms["mpce"] + self.settings.alpha * terms["sce"] + self.settings.beta * terms["gce"]
        )

    def fit(self, train: TokenSet, watch: Watch, *, seed: int) -> None:
        """Train on clips of seen classes.

        Args:
            train: Their joint tokens; labels are ids into all classes.
            watch: Number of epochs, reports and checkpoint.
            seed: Seed of order and dropout.
        """
        device = self.mean.device
        self.seen = self.seen.to(device)
        position = {int(c): i for i, c in enumerate(self.seen)}
        targets = torch.tensor([position[int(label)] for label in train.labels], device=device)
        self._standardise(train)
        s = self.settings
        optimizer = torch.optim.AdamW(self.parameters(), s.lr, weight_decay=s.weight_decay)

        def loss(ids: Tensor, draws: Tensor) -> Tensor:
            return self.loss(train.batch(ids).to(device), targets[ids.to(device)])

        run_epochs(
            self, loss, optimizer, what="train", size=len(train), batch=s.batch,
            epochs=s.epochs, seed=derive(seed, "star"), watch=watch,
        )  # fmt: skip

    def _standardise(self, train: TokenSet) -> None:
        """Mean and deviation of every channel over the training tokens, read in slices."""
        total = square = torch.zeros_like(self.mean, dtype=torch.float64, device="cpu")
        count = 0
        for ids in torch.split(torch.arange(len(train)), 256):
            flat = train.batch(ids).flatten(0, -2).double()
            total, square, count = total + flat.sum(0), square + (flat**2).sum(0), count + len(flat)
        mean = total / count
        variance = square / count - mean**2
        self.mean.copy_(mean)
        self.std.copy_(variance.clamp_min(1e-8).sqrt())

    @torch.no_grad()
    def score(self, tokens: Tensor) -> Tensor:
        """Scores of all classes, from which eq. 9 subtracts gamma: [B, L, V, D] -> [B, C]."""
        kind, inference = self.settings.similarity, self.settings.inference
        visual = self.visual(tokens)
        everyone = torch.arange(len(self.name_vectors), device=self.mean.device)
        parts, names = self.semantic(everyone)
        by_name = similarity(visual.sum(0), names, kind)
        by_part = similarity(visual, parts, kind).mean(0)
        return {"global": by_name, "parts": by_part, "sum": by_name + by_part}[inference]

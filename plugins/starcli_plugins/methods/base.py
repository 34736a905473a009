"""What methods on one feature per clip share: pooling, standardising, the text, the training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from pydantic import BaseModel
from torch import Tensor, nn
from torch.nn import functional

from starcli.contracts import Problem, TextBank, TokenSet, TrainingCallbacks
from starcli.errors import UsageError
from starcli.training.loop import run_epochs
from starcli.training.schedules import warm_cosine
from starcli.training.seeds import derive
from starcli_plugins.methods.settings import PooledFacts, TrainingSettings

DESCRIBERS = {"verb": "parts-of-speech", "noun": "parts-of-speech"}
"""Which describer gives a facet."""
SLICE = 256
"""Clips whose tokens are in memory at a time."""


def facet_vectors(bank: TextBank, facets: tuple[str, ...]) -> Tensor:
    """Vectors of chosen facets, each of length 1: [F, C, E].

    Raises:
        UsageError: The bank lacks one.
    """
    for facet in facets:
        if facet not in bank.facets:
            describer = DESCRIBERS.get(facet)
            raise UsageError(
                f"the method needs facet '{facet}', the texts have {', '.join(bank.facets)}",
                f"add --describer {describer}" if describer else "choose another describer",
            )
    chosen = bank.vectors[:, [bank.facets.index(facet) for facet in facets]]
    return functional.normalize(chosen.transpose(0, 1).contiguous(), dim=-1)


def pool(tokens: Tensor) -> Tensor:
    """Mean over time and joints: tokens [B, L, V, D] -> [B, D]."""
    return tokens.mean((1, 2))


def of_pairs(network: nn.Sequential, clips: Tensor, text: Tensor) -> Tensor:
    """What a network says of every clip beside every text: [B, D] and [C, E] -> [B, C, out].

    Its first map, a linear one of width D + E, is taken of clips and of texts, not of their pairs.
    """
    first = network[0]
    assert isinstance(first, nn.Linear)
    of_clips, of_text = torch.split(first.weight, [clips.shape[1], text.shape[1]], dim=1)
    texts = functional.linear(text, of_text, first.bias)
    out: Tensor = network[1:](functional.linear(clips, of_clips)[:, None] + texts)
    return out


class PooledMethod(PooledFacts, nn.Module, ABC):
    """A method that compares the mean of a clip's joint tokens with text.

    Features are standardised per channel on the training clips, and text vectors scaled to length
    1, so that one learning rate suits every backbone and encoder. Subclasses define `build`,
    `compare` and `fit`.

    Args:
        settings: Sizes and training.
        problem: Text and classes.
        seed: Seed of the initial weights.

    Raises:
        UsageError: The texts lack one of `facets`.
    """

    def __init__(self, settings: BaseModel, problem: Problem, seed: int) -> None:
        super().__init__()
        self.settings = settings
        self.text: Tensor
        self.seen: Tensor
        self.unseen: Tensor
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("text", self.semantics(problem.bank))
        self.register_buffer("seen", torch.tensor(problem.seen), persistent=False)
        self.register_buffer("unseen", torch.tensor(problem.unseen), persistent=False)
        self.register_buffer("mean", torch.zeros(problem.token_dim))
        self.register_buffer("std", torch.ones(problem.token_dim))
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "weights"))
            self.build(problem.token_dim, self.text.shape[2])

    def semantics(self, bank: TextBank) -> Tensor:
        """What is read of the texts: [F, C, E]."""
        return facet_vectors(bank, self.facets)

    @abstractmethod
    def build(self, token_dim: int, text_dim: int) -> None:
        """Make the layers, from D and E."""

    @abstractmethod
    def compare(self, clips: Tensor) -> Tensor:
        """Features [B, D] -> scores of all classes [B, C]."""

    def prepare(self, train: TokenSet) -> tuple[Tensor, Tensor]:
        """What is learned from.

        Args:
            train: Joint tokens of clips of seen classes.

        Returns:
            Standardised features [N, D], those of each view beside them, and positions [N] in the
            list of seen classes.
        """
        clips = self._pooled(train)
        self.mean.copy_(clips.mean(0))
        self.std.copy_(clips.std(0, correction=0).clamp_min(1e-4))
        views = [self._pooled(train.views[name]) for name in self.views]
        features = torch.cat([(x - self.mean) / self.std for x in (clips, *views)], dim=1)
        targets = (train.labels.to(self.seen)[:, None] == self.seen).int().argmax(1)
        return features, targets

    @torch.no_grad()
    def score(self, tokens: Tensor) -> Tensor:
        """Joint tokens [B, L, V, D] -> scores of all classes [B, C]."""
        return self.compare((pool(tokens.to(self.mean)) - self.mean) / self.std)

    def extend(self, bank: TextBank) -> None:
        """Score further classes too, after the others.

        Args:
            bank: Their texts, in the facets and width of the first bank.

        Raises:
            UsageError: The method has learned something for each class.
        """
        self.text = torch.cat([self.text, self.semantics(bank).to(self.text)], dim=1)

    def _pooled(self, tokens: TokenSet) -> Tensor:
        """Features of all clips of a set [N, D], read in slices."""
        slices = torch.split(torch.arange(len(tokens)), SLICE)
        return torch.cat([pool(tokens.batch(ids)) for ids in slices]).to(self.mean)


class TrainedMethod(PooledMethod):
    """A pooled method that learns epoch by epoch; subclasses define `build`, `compare`, `loss`."""

    settings: TrainingSettings
    warm: ClassVar[float | None] = None
    """Share of the training in which the learning rate rises, a half cosine after it; None: it
    stays the same."""

    @abstractmethod
    def loss(self, clips: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of a batch.

        Args:
            clips: Features [B, D], those of each view beside them.
            targets: Positions [B] in the list of seen classes.
        """

    def optimizer(self) -> torch.optim.Optimizer:
        """The optimiser of all weights."""
        return torch.optim.Adam(self.parameters(), self.settings.lr, fused=True)

    def fit(self, train: TokenSet, callbacks: TrainingCallbacks, *, seed: int) -> None:
        """Train on clips of seen classes.

        Args:
            train: Their joint tokens; labels are ids into all classes.
            callbacks: Number of epochs, reports and checkpoint.
            seed: Seed of order and noise.
        """
        self.learn(*self.prepare(train), callbacks, seed)

    def learn(
        self,
        clips: Tensor,
        targets: Tensor,
        callbacks: TrainingCallbacks,
        seed: int,
        steps: int | None = None,
    ) -> None:
        """Train on what `prepare` gave.

        Args:
            clips: Features [N, D], those of each view beside them.
            targets: Positions [N] in the list of seen classes.
            callbacks: Number of epochs, reports and checkpoint.
            seed: Seed of order and noise.
            steps: Batches of an epoch, in which clips come up several times or not at all; None:
                every clip comes up once.
        """
        s, warm = self.settings, self.warm

        def loss(ids: Tensor, draws: Tensor) -> Tensor:
            ids = ids % len(clips)
            return self.loss(clips[ids], targets[ids])

        run_epochs(
            self,
            loss,
            self.optimizer(),
            what="train",
            batch=s.batch,
            epochs=s.epochs,
            size=len(clips) if steps is None else steps * s.batch,
            callbacks=callbacks,
            seed=derive(seed, "method"),
            rate=lambda progress: 1.0 if warm is None else warm_cosine(progress, warm),
        )

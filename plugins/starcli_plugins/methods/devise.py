"""The method `devise`: a linear map into the space of the texts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from starcli_plugins.methods.base import TrainedMethod
from starcli_plugins.methods.losses import hinge_rank
from starcli_plugins.methods.settings import DeviseFacts


class Devise(DeviseFacts, TrainedMethod):
    """A deep visual-semantic embedding model (Frome et al., NIPS 2013).

    loss = sum over false classes j of max(0, margin - t_y M v + t_j M v) (eq. 1 there), with texts
    t of length 1; the score is t M v.

    Differs from the paper: all seen classes are false terms, not some drawn at random until one
    violates the margin; the network below stays frozen; the paper says neither learning rate nor
    length of the training.
    """

    settings: DeviseFacts.Settings

    def build(self, token_dim: int, text_dim: int) -> None:
        """The map M [E, D], zero to begin with: what no seen text asks for stays zero."""
        self.map = nn.Linear(token_dim, text_dim, bias=False)
        nn.init.zeros_(self.map.weight)

    def optimizer(self) -> torch.optim.Optimizer:
        """Adagrad, as in the paper."""
        return torch.optim.Adagrad(self.parameters(), self.settings.lr)

    def loss(self, clips: Tensor, targets: Tensor) -> Tensor:
        """The hinge rank loss."""
        scores = self.map(clips) @ self.text[0, self.seen].T
        return hinge_rank(scores, targets, self.settings.margin)

    def compare(self, clips: Tensor) -> Tensor:
        """t M v of features [B, D] and all classes: [B, C]."""
        mapped: Tensor = self.map(clips)
        return mapped @ self.text[0].T

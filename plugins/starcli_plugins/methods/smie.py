"""The method `smie`: mutual information between clips and texts, estimated and maximised."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from starcli_plugins.methods.base import TrainedMethod, of_pairs
from starcli_plugins.methods.settings import SmieFacts


class Smie(SmieFacts, TrainedMethod):
    """Mutual information estimation and maximisation (Zhou et al., ACM MM 2023).

    A network T scores a clip beside a text. The Jensen-Shannon estimate of their mutual information
    is E[-softplus(-T)] over true pairs minus E[softplus(T)] over false ones, made by giving each
    text the next clip of the batch. It is maximised, and must fall by a margin when the frames of
    most motion are left out (the temporal constraint).

    Differs from the paper: features are standardised before they are normalised per clip; the
    frames of most motion are left out as `extract.masked` says, none at random beyond them; the
    score is T, which orders classes as -softplus(-T) does.
    """

    settings: SmieFacts.Settings
    warm: ClassVar[float | None] = 0.15

    def build(self, token_dim: int, text_dim: int) -> None:
        """The network T."""
        wide, narrow = self.settings.hidden
        self.network = nn.Sequential(
            nn.Linear(token_dim + text_dim, wide),
            nn.ReLU(),
            nn.Linear(wide, narrow),
            nn.ReLU(),
            nn.Linear(narrow, 1),
        )

    def critic(self, clips: Tensor, text: Tensor) -> Tensor:
        """T of features and texts row by row: [B, D] and [B, E] -> [B]."""
        scores: Tensor = self.network(torch.cat([_normalised(clips), text], dim=-1))
        return scores[:, 0]

    def loss(self, clips: Tensor, targets: Tensor) -> Tensor:
        """Minus the information, and how far it fails to fall without the motion.

        Args:
            clips: Features [B, 2 D], those of the motion-masked view beside the plain ones.
            targets: Positions [B] in the list of seen classes.
        """
        plain, masked = clips.chunk(2, dim=1)
        text = self.text[0, self.seen[targets]]
        false = self.critic(plain.roll(-1, 0), text)
        whole = information(self.critic(plain, text), false)
        part = information(self.critic(masked, text), false)
        shortfall = (self.settings.margin - (whole - part)).relu()
        return self.settings.temporal * shortfall - whole

    def compare(self, clips: Tensor) -> Tensor:
        """T of features [B, D] and all classes: [B, C]."""
        return of_pairs(self.network, _normalised(clips), self.text[0])[..., 0]


def information(true: Tensor, false: Tensor) -> Tensor:
    """The Jensen-Shannon estimate from scores of true and of false pairs."""
    return -functional.softplus(-true).mean() - functional.softplus(false).mean()


def _normalised(clips: Tensor) -> Tensor:
    """Every clip's feature with mean 0 and variance 1 over its channels."""
    return functional.layer_norm(clips, clips.shape[-1:])

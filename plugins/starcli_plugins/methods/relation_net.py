"""The method `relation-net`: a learned comparison of clip and text."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from starcli_plugins.methods.base import TrainedMethod, of_pairs
from starcli_plugins.methods.settings import RelationNetFacts


class RelationNet(RelationNetFacts, TrainedMethod):
    """Relation network for skeletons (Jasani and Mazagonwalla, 2019; Sung et al., CVPR 2018).

    An attribute network maps a class's text to the width of the features, and a relation network
    says from both side by side whether they belong together. Every batch is an episode: its
    relations with the classes that occur in it are regressed to 1 for the own class, else to 0.

    Differs from the paper: sizes and training are those of Sung et al.'s zero-shot code; the score
    is the relation before its sigmoid, which orders classes alike and never saturates.
    """

    settings: RelationNetFacts.Settings

    def build(self, token_dim: int, text_dim: int) -> None:
        """The two networks."""
        hidden = self.settings.hidden
        self.attribute = nn.Sequential(
            nn.Linear(text_dim, hidden), nn.ReLU(), nn.Linear(hidden, token_dim), nn.ReLU()
        )
        self.relation = nn.Sequential(
            nn.Linear(2 * token_dim, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam, with weight decay on the attribute network."""
        groups: list[dict[str, Any]] = [
            {"params": self.attribute.parameters(), "weight_decay": self.settings.weight_decay},
            {"params": self.relation.parameters()},
        ]
        return torch.optim.Adam(groups, self.settings.lr, fused=True)

    def relations(self, clips: Tensor, text: Tensor) -> Tensor:
        """Relations before the sigmoid: features [B, D] and texts [C', E] -> [B, C']."""
        return of_pairs(self.relation, clips, self.attribute(text))[..., 0]

    def loss(self, clips: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error of the relations with the classes of the batch."""
        present, own = torch.unique(targets, return_inverse=True)
        relations = self.relations(clips, self.text[0, self.seen[present]]).sigmoid()
        return functional.mse_loss(relations, functional.one_hot(own, len(present)).float())

    def compare(self, clips: Tensor) -> Tensor:
        """Relations of features [B, D] with all classes: [B, C]."""
        return self.relations(clips, self.text[0])

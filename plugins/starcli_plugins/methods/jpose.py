"""The method `jpose`: an embedding for verbs, one for nouns, and one of both."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from starcli_plugins.methods.base import TrainedMethod
from starcli_plugins.methods.losses import squared_distances
from starcli_plugins.methods.settings import JPoseFacts

SAME = 1 - 1e-5
"""Cosine above which two texts are the same words."""


def triplet(
    anchors: Tensor, others: Tensor, positive: Tensor, negative: Tensor, margin: float
) -> Tensor:
    """Mean over all triplets of max(0, margin + d(anchor, positive) - d(anchor, negative)).

    Distances are squared; 0 where there is no triplet.

    Args:
        anchors: [B, m].
        others: [B', m].
        positive: bool [B, B'], which others belong to an anchor.
        negative: bool [B, B'], which do not.
        margin: By which they are to be farther.
    """
    distances = squared_distances(anchors, others)
    excess = (margin + distances[:, :, None] - distances[:, None]).relu()
    chosen = positive[:, :, None] & negative[:, None]
    return (excess * chosen).sum() / chosen.sum().clamp_min(1)


class JPose(JPoseFacts, TrainedMethod):
    """Joint part-of-speech embeddings (Wray et al., ICCV 2019).

    For each part of speech, a network of the features and one of its text meet in one space, where
    clips and texts with the same verb (noun) are near. Both spaces side by side are the space of
    the actions. In all three, triplet losses of the four directions are added up.

    Differs from the paper: all triplets of a batch count, not ten drawn for each clip; a class has
    one text, which is its own positive; two classes share a verb (noun) where its texts have the
    same vector.
    """

    settings: JPoseFacts.Settings

    def build(self, token_dim: int, text_dim: int) -> None:
        """Two networks for each part of speech."""
        width = self.settings.embedding
        self.visual = nn.ModuleList(_embedding(token_dim, width) for _ in self.facets)
        self.semantic = nn.ModuleList(_embedding(text_dim, width) for _ in self.facets)

    def optimizer(self) -> torch.optim.Optimizer:
        """SGD with momentum."""
        return torch.optim.SGD(self.parameters(), self.settings.lr, momentum=0.9)

    def embed_clips(self, clips: Tensor) -> Tensor:
        """Features [B, D] -> their places in the space of each part of speech [F, B, m]."""
        return torch.stack([functional.normalize(f(clips), dim=-1) for f in self.visual])

    def embed_text(self, classes: Tensor) -> Tensor:
        """Ids of classes [C'] -> the places of their texts in each space [F, C', m]."""
        named = zip(self.semantic, self.text[:, classes], strict=True)
        return torch.stack([functional.normalize(g(text), dim=-1) for g, text in named])

    def losses(self, clips: Tensor, texts: Tensor, same: Tensor, targets: Tensor) -> Tensor:
        """The weighted triplet losses in one space.

        Args:
            clips: [B, m].
            texts: [S, m].
            same: bool [S, S], which seen classes count as the same here.
            targets: Positions [B] in the list of seen classes.
        """
        s, m = self.settings, self.settings.margin
        across, among = same[targets], same[targets][:, targets]
        others = among & ~torch.eye(len(among), dtype=torch.bool, device=among.device)
        return (
            s.clip_text * triplet(clips, texts, across, ~across, m)
            + s.text_clip * triplet(texts, clips, across.T, ~across.T, m)
            + s.clip_clip * triplet(clips, clips, others, ~among, m)
            + s.text_text * triplet(texts, texts, same, ~same, m)
        )

    def loss(self, clips: Tensor, targets: Tensor) -> Tensor:
        """The losses of verbs, of nouns and of actions."""
        mine, texts = self.embed_clips(clips), self.embed_text(self.seen)
        text = self.text[:, self.seen]
        alike = text @ text.transpose(1, 2) > SAME
        parts = [self.losses(*each, targets) for each in zip(mine, texts, alike, strict=True)]
        whole = self.losses(_joined(mine), _joined(texts), alike.all(0), targets)
        return torch.stack([*parts, whole]).sum()

    def compare(self, clips: Tensor) -> Tensor:
        """Cosines of features [B, D] and all classes in the space of actions: [B, C]."""
        everyone = torch.arange(self.text.shape[1], device=clips.device)
        return _joined(self.embed_clips(clips)) @ _joined(self.embed_text(everyone)).T


def _embedding(width: int, out: int) -> nn.Sequential:
    """Two linear maps with ReLU between them."""
    middle = (width + out) // 2
    return nn.Sequential(nn.Linear(width, middle), nn.ReLU(), nn.Linear(middle, out))


def _joined(spaces: Tensor) -> Tensor:
    """Places in each space [F, B, m] -> in the joint one [B, F * m], of length 1."""
    return functional.normalize(torch.cat(list(spaces), dim=-1), dim=-1)

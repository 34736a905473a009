"""The method `revise`: two autoencoders whose codes are made alike."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from starcli_plugins.methods.base import TrainedMethod
from starcli_plugins.methods.losses import hinge_rank, mmd
from starcli_plugins.methods.settings import ReviseFacts


class Autoencoder(nn.Module):
    """A code, what is decoded from it, and the embedding that is compared.

    Args:
        width: Of the input.
        code: Of the code.
        embedding: Of the embedding.
    """

    def __init__(self, width: int, code: int, embedding: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(width, code)
        self.decoder = nn.Linear(code, width)
        self.embed = nn.Linear(code, embedding)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs [B, width] -> codes, reconstructions and embeddings."""
        code = self.encoder(x).relu()
        return code, self.decoder(code), self.embed(code).tanh()

    def contraction(self, code: Tensor) -> Tensor:
        """Mean squared Frobenius norm of the encoder's Jacobian: rows of its weight that fire."""
        rows = self.encoder.weight.square().sum(1)
        return ((code > 0).to(rows) @ rows).mean()


class Revise(ReviseFacts, TrainedMethod):
    """Learning robust visual-semantic embeddings (Tsai, Huang and Salakhutdinov, ICCV 2017).

    A contractive autoencoder of the features and one of the texts; the maximum mean discrepancy
    makes the distributions of their codes alike; embeddings of the codes are compared by their
    product.

    Differs from the paper: layers, weights and the multi-class hinge loss are those with which
    SynSE (Gupta et al., 2021) made the published skeleton results; decoders end without ReLU,
    because standardised features and texts have negative values; the batch is smaller than its
    1,024; the unsupervised adaptation to unlabelled unseen clips is left out, which would be
    transductive.
    """

    settings: ReviseFacts.Settings

    def build(self, token_dim: int, text_dim: int) -> None:
        """The two autoencoders."""
        s = self.settings
        self.visual = Autoencoder(token_dim, s.code, s.embedding)
        self.semantic = Autoencoder(text_dim, s.code, s.embedding)

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam, with weight decay on the texts' autoencoder."""
        groups: list[dict[str, Any]] = [
            {"params": self.semantic.parameters(), "weight_decay": self.settings.weight_decay},
            {"params": self.visual.parameters()},
        ]
        return torch.optim.Adam(groups, self.settings.lr, fused=True)

    def losses(self, clips: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The terms of the loss, without their weights.

        Args:
            clips: Features [B, D].
            targets: Positions [B] in the list of seen classes.
        """
        s, text = self.settings, self.text[0, self.seen]
        code, decoded, embedded = self.visual(clips)
        text_code, text_decoded, text_embedded = self.semantic(text)
        return {
            "hinge": hinge_rank(embedded @ text_embedded.T, targets, s.margin),
            "reconstruction": functional.mse_loss(decoded, clips)
            + functional.mse_loss(text_decoded[targets], text[targets]),
            "contraction": self.visual.contraction(code),
            "mmd": mmd(code, text_code[targets], s.kappa),
        }

    def loss(self, clips: Tensor, targets: Tensor) -> Tensor:
        """The weighted sum of the terms."""
        terms = self.losses(clips, targets)
        weights = {name: getattr(self.settings, name, 1.0) for name in terms}
        return torch.stack([weights[name] * term for name, term in terms.items()]).sum()

    def compare(self, clips: Tensor) -> Tensor:
        """Products of embeddings of features [B, D] and all classes: [B, C]."""
        mine: Tensor = self.visual(clips)[2]
        text: Tensor = self.semantic(self.text[0])[2]
        return mine @ text.T

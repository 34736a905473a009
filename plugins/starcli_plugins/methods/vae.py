"""Variational autoencoders, the distances of their codes, and the classifier on these."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

Sizes = tuple[int, ...]
"""Hidden widths; none for a single linear map."""


class Gaussian(NamedTuple):
    """Normal distributions with independent coordinates.

    Args:
        mean: [B, d].
        log_variance: [B, d].
    """

    mean: Tensor
    log_variance: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One draw from each [B, d]."""
        noise = torch.randn(self.mean.shape, generator=generator).to(self.mean)
        return self.mean + noise * (0.5 * self.log_variance).exp()

    def divergence(self) -> Tensor:
        """Mean Kullback-Leibler divergence from the standard normal."""
        terms = 1 + self.log_variance - self.mean.square() - self.log_variance.exp()
        return -0.5 * terms.sum(1).mean()


def wasserstein(a: Gaussian, b: Gaussian) -> Tensor:
    """Mean 2-Wasserstein distance of pairs of distributions."""
    deviations = (0.5 * a.log_variance).exp() - (0.5 * b.log_variance).exp()
    squared = (a.mean - b.mean).square().sum(1) + deviations.square().sum(1)
    return squared.clamp_min(1e-12).sqrt().mean()


def layers(sizes: Sequence[int]) -> nn.Sequential:
    """Linear maps with ReLU between them, started as in CADA-VAE (Xavier with gain 0.5)."""
    maps: list[nn.Module] = []
    for size, following in pairwise(sizes):
        linear = nn.Linear(size, following)
        nn.init.xavier_uniform_(linear.weight, gain=0.5)
        nn.init.zeros_(linear.bias)
        maps += [linear, nn.ReLU()]
    return nn.Sequential(*maps[:-1])


class Vae(nn.Module):
    """A variational autoencoder.

    Args:
        width: Of what is encoded.
        latent: d.
        encoder: Hidden widths on the way in.
        decoder: Hidden widths on the way out.
    """

    def __init__(self, width: int, latent: int, encoder: Sizes, decoder: Sizes) -> None:
        super().__init__()
        self.encoder = layers((width, *encoder, 2 * latent))
        self.decoder = layers((latent, *decoder, width))

    def encode(self, x: Tensor) -> Gaussian:
        """Inputs [B, width] -> distributions of their codes."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return Gaussian(mean, log_variance)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, d] -> [B, width]."""
        out: Tensor = self.decoder(codes)
        return out


def fit_softmax(
    classifier: nn.Linear,
    codes: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    batch: int,
    lr: float,
    generator: torch.Generator,
) -> None:
    """Train a linear softmax classifier from zero with Adam, by the gradient's closed form.

    Args:
        classifier: Its weights are overwritten.
        codes: [N, d].
        labels: [N].
        epochs: Passes over the codes.
        batch: Codes per step.
        lr: Learning rate.
        generator: Draws the order.
    """
    nn.init.zeros_(classifier.weight)
    nn.init.zeros_(classifier.bias)
    optimizer = torch.optim.Adam(classifier.parameters(), lr, fused=True)
    truth = functional.one_hot(labels, len(classifier.weight)).to(codes)
    with torch.no_grad():
        for _ in range(epochs):
            order = torch.randperm(len(codes), generator=generator).to(codes.device)
            for ids in torch.split(order, batch):
                some = codes[ids]
                slopes = (classifier(some).softmax(1) - truth[ids]) / len(ids)
                classifier.weight.grad, classifier.bias.grad = slopes.T @ some, slopes.sum(0)
                optimizer.step()

"""The method `flora`: aligned codes of clips and texts, and a flow from the one to the other."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from starcli.contracts import TextBank, TokenSet, TrainingCallbacks
from starcli_plugins.methods.base import TrainedMethod, facet_vectors
from starcli_plugins.methods.settings import FloraFacts
from starcli_plugins.methods.synse import with_unit_mean_square
from starcli_plugins.methods.vae import Gaussian

HALFWAY = 0.5
"""Where on the way from text to clip the flow is asked."""
SMALLEST = 1e-5
"""What is left of the text's code at the end of the way."""


class Coder(nn.Module):
    """An encoder of two layers with a head each for mean and log-variance, and a decoder.

    Args:
        width: Of what is encoded.
        code: Width of the codes, and of the layers.
    """

    def __init__(self, width: int, code: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(width, code), nn.ReLU(), nn.Linear(code, code))
        self.mean = nn.Linear(code, code)
        self.log_variance = nn.Linear(code, code)
        self.decoder = nn.Sequential(nn.Linear(code, code), nn.ReLU(), nn.Linear(code, width))

    def encode(self, x: Tensor) -> Gaussian:
        """Inputs [..., width] -> distributions of their codes."""
        hidden = self.encoder(x)
        return Gaussian(self.mean(hidden), self.log_variance(hidden))


class Flow(nn.Module):
    """One transformer block whose norms follow the time (DiT with adaLN-Zero): a velocity.

    It begins as zero: then the error of a way is the distance of its ends.

    Args:
        width: Of the codes.
        heads: Of its attention.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.heads = heads
        self.attention = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.network = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 8 * width)
        self.out = nn.Linear(width, width)
        for layer in (self.modulation, self.out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, codes: Tensor, time: Tensor) -> Tensor:
        """Codes [B, F, d] at times [B] -> velocities [B, F, d]."""
        condition = functional.silu(self.time(_waves(time, codes.shape[-1])))
        shifts = self.modulation(condition)[:, None].chunk(8, dim=-1)
        x = self._scaled(codes, *shifts[:2])
        x = codes + shifts[2] * self._attend(x)
        x = x + shifts[5] * self.network(self._scaled(x, *shifts[3:5]))
        velocity: Tensor = self.out(self._scaled(x, *shifts[6:]))
        return velocity

    def _attend(self, x: Tensor) -> Tensor:
        """Self-attention of tokens [B, F, d]."""
        of_heads = self.attention(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(*of_heads)
        attended: Tensor = self.attended(found.transpose(1, 2).flatten(2))
        return attended

    def _scaled(self, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        scaled: Tensor = self.norm(x) * (1 + scale) + shift
        return scaled


def _waves(time: Tensor, width: int) -> Tensor:
    """Times [B] as sines and cosines of different periods [B, width]."""
    half = (width + 1) // 2
    rates = torch.exp(-math.log(1e4) * torch.arange(half, device=time.device) / half)
    angles = 1000 * time[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], dim=1)[:, :width]


class Flora(FloraFacts, TrainedMethod):
    """Flexible neighbour-aware attunement and an open-form flow classifier (Flora, CVPR 2026).

    The texts of a class, one token each, move towards those of its nearest seen classes. Two
    autoencoders, of the clip beside every text token and of the texts, decode each kind from the
    other's codes too, and their distributions are drawn together. Then, with these as they are, a
    flow learns the velocity from a text's code to its clip's, and to be far from that of another
    class. A clip is of the class from whose text the flow finds its way best.

    Without the flow, and until it begins to learn, the class is that of the nearest mean code.

    Differs from the paper: a class's tokens are its name and its sentences, not the words of two
    texts by CLIP; neighbours are seen classes alone, whether trained on or asked for, so that
    nothing is learned from texts of unseen classes; codes are means where clips are named, so that
    an answer does not depend on a draw; seen and unseen are balanced by calibrated stacking, not by
    a threshold of their errors' ratio; epochs are chosen on validation classes, not as the best of
    20 evaluations on test clips, and neighbours and their weight are the same for all splits.
    """

    settings: FloraFacts.Settings

    def semantics(self, bank: TextBank) -> Tensor:
        """All facets, with a mean square of 1, as standardised features have: [F, C, E]."""
        return with_unit_mean_square(facet_vectors(bank, bank.facets))

    def build(self, token_dim: int, text_dim: int) -> None:
        """The autoencoders and the flow."""
        s = self.settings
        self.clip_coder = Coder(token_dim, s.width)
        self.text_coder = Coder(text_dim, s.width)
        if s.flow:
            self.flow = Flow(s.width, s.heads)
        self.steps: Tensor
        self.register_buffer("steps", torch.tensor(0))

    def optimizer(self) -> torch.optim.Optimizer:
        """AdamW with the usual decay."""
        return torch.optim.AdamW(self.parameters(), self.settings.lr)

    def fit(self, train: TokenSet, callbacks: TrainingCallbacks, *, seed: int) -> None:
        """Train the autoencoders, then the flow, on clips of seen classes.

        Args:
            train: Their joint tokens; labels are ids into all classes.
            callbacks: Number of epochs, reports and checkpoint.
            seed: Seed of order, codes and times.
        """
        self.steps.zero_()
        self.learn(*self.prepare(train), callbacks, seed, self.settings.steps)

    def attuned(self, text: Tensor) -> Tensor:
        """Texts [F, C, E] moved towards those of their nearest seen classes: [C, F, E].

        A class is no neighbour of itself, nor of another with the same texts.
        """
        s, seen = self.settings, self.text[:, self.seen]
        mine, others = (functional.normalize(x.mean(0), dim=-1) for x in (text, seen))
        alike = mine @ others.T
        same = (text[:, :, None] == seen[:, None]).all(-1).all(0)
        near, where = alike.masked_fill(same, -torch.inf).topk(min(s.neighbours, len(others) - 1))
        near = near.masked_fill(near.isinf(), 0.0)  # all further ones have the same texts
        pulled = torch.einsum("ck,fcke->cfe", near, seen[:, where])
        return text.transpose(0, 1) + s.pull / max(near.shape[1], 1) * pulled

    def loss(self, clips: Tensor, targets: Tensor) -> Tensor:
        """That of the autoencoders, or of the flow in its share of the training."""
        s = self.settings
        learns_flow = s.flow and int(self.steps) >= s.epochs * s.steps * (1 - s.flow_share)
        self.steps += 1
        text = self.attuned(self.text[:, self.seen])[targets]
        beside = clips[:, None].expand(-1, text.shape[1], -1)
        if not learns_flow:
            return self.alignment(beside, text)
        with torch.no_grad():
            start = self.text_coder.encode(text).sample()
            end = self.clip_coder.encode(beside).sample()
        return self.flow_loss(start, end, targets)

    def alignment(self, clips: Tensor, text: Tensor) -> Tensor:
        """Reconstructions from both kinds' codes, and how far the distributions are apart.

        Args:
            clips: The feature of each clip beside every text token [B, F, D].
            text: The text tokens of their classes [B, F, E].
        """
        mine, its = self.clip_coder.encode(clips), self.text_coder.encode(text)
        codes = mine.sample(), its.sample()
        decoded = [
            functional.mse_loss(coder.decoder(code), true)
            for coder, true in ((self.clip_coder, clips), (self.text_coder, text))
            for code in codes
        ]
        apart = functional.mse_loss(its.mean, mine.mean)
        apart = apart + functional.mse_loss(its.log_variance, mine.log_variance)
        return torch.stack(decoded).mean() + self.settings.alignment * apart

    def flow_loss(self, start: Tensor, end: Tensor, targets: Tensor) -> Tensor:
        """How far the velocity is off, less a share of how far from another class's.

        Args:
            start: Codes of texts [B, F, d].
            end: Codes of their clips [B, F, d].
            targets: Classes [B]; the next clip's velocity counts where its class is another.
        """
        time = torch.randn(len(start)).to(start).sigmoid()
        found = self.flow(_between(start, end, time), time)
        true = _velocity(start, end)
        other = (targets.roll(-1) != targets).to(start)
        false = ((found - true.roll(-1, 0)).square().mean((1, 2)) * other).mean()
        loss: Tensor = functional.mse_loss(found, true) - self.settings.contrast * false
        return loss

    def compare(self, clips: Tensor) -> Tensor:
        """Minus the error of the way from each class's text to features [B, D]: [B, C]."""
        text = self.text_coder.encode(self.attuned(self.text)).mean
        end = self.clip_coder.encode(clips).mean[:, None]
        return torch.stack([self._way(own.expand(len(clips), -1, -1), end) for own in text], dim=1)

    def _way(self, start: Tensor, end: Tensor) -> Tensor:
        """Minus the error from codes [B, F, d] to clips' [B, 1, d]; their distance without flow."""
        true = _velocity(start, end)
        if self.settings.flow:
            time = torch.full((len(start),), HALFWAY).to(start)
            true = self.flow(_between(start, end, time), time) - true
        return -true.square().mean((1, 2))


def _between(start: Tensor, end: Tensor, time: Tensor) -> Tensor:
    """Where codes [B, F, d] are on their way at times [B]."""
    at = time[:, None, None]
    return (1 - (1 - SMALLEST) * at) * start + at * end


def _velocity(start: Tensor, end: Tensor) -> Tensor:
    """What takes the one code to the other."""
    return end - (1 - SMALLEST) * start

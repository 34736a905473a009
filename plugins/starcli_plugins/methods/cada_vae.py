"""The method `cada-vae`: aligned autoencoders, and a classifier on what they generate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from starcli_plugins.methods.aligned_vae import AlignedVaes
from starcli_plugins.methods.settings import CadaVaeFacts
from starcli_plugins.methods.vae import Sizes


def warm_up(epoch: float, start: int, end: int, factor: float) -> float:
    """A weight that rises evenly from 0 at the epoch `start` to `factor` at `end`, and stays."""
    return factor * min(max((int(epoch) - start) / (end - start), 0.0), 1.0)


class CadaVae(CadaVaeFacts, AlignedVaes):
    """Cross- and distribution aligned VAEs (Schönfeld et al., CVPR 2019).

    loss = L1 reconstruction + beta KL + gamma L1 cross-reconstruction + delta 2-Wasserstein
    distance of the codes of clip and text, the last three with weights that warm up. The classifier
    learns codes of seen classes' clips and of unseen classes' texts.

    Differs from the paper: a clip's noise is drawn for every coordinate, the published code draws
    one number for all; features are standardised, not scaled to [0, 1].
    """

    settings: CadaVaeFacts.Settings
    clip_layers: ClassVar[tuple[Sizes, Sizes]] = ((1560,), (1660,))
    text_layers: ClassVar[tuple[Sizes, Sizes]] = ((1450,), (665,))

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam in the variant AMSGrad, on the autoencoders."""
        learned = [*self.clip_vae.parameters(), *self.text_vaes.parameters()]
        return torch.optim.Adam(learned, self.settings.lr, amsgrad=True, fused=True)

    def weights(self, epoch: float) -> Mapping[str, float]:
        """The published schedules of 100 epochs."""
        s = self.settings
        beta = warm_up(epoch, 0, 93, s.beta)
        return {
            "reconstruction": 1.0,
            "clip_divergence": beta,
            "text_divergence": beta,
            "cross": warm_up(epoch, 21, 75, s.gamma),
            "distance": warm_up(epoch, 6, 22, s.delta),
        }

    def distance(self, decoded: Tensor, true: Tensor) -> Tensor:
        """L1, added up over the coordinates."""
        return (decoded - true).abs().sum(1).mean()

    def codes(
        self, clips: Tensor, targets: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Codes of seen classes' clips, each clip equally often, and of unseen classes' texts."""
        count = self.settings.clip_codes
        chosen = torch.cat(
            [
                own[torch.arange(count, device=own.device) % len(own)]
                for own in ((targets == t).nonzero()[:, 0] for t in torch.unique(targets))
            ]
        )
        seen = self.clip_vae.encode(clips[chosen]).sample(generator)
        unseen, labels = self.codes_of_text(self.unseen, generator)
        return torch.cat([seen, unseen]), torch.cat([self.seen[targets[chosen]], labels])

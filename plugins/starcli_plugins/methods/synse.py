"""The method `synse`: generative embeddings of verbs and nouns."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional

from starcli.contracts import TextBank
from starcli_plugins.methods.aligned_vae import AlignedVaes
from starcli_plugins.methods.base import facet_vectors
from starcli_plugins.methods.settings import CyclicSettings, SynSEFacts


def with_unit_mean_square(vectors: Tensor) -> Tensor:
    """Vectors of length 1, scaled so that errors of their coordinates weigh as much as clips'."""
    return vectors * math.sqrt(vectors.shape[-1])


class CyclicVaes(AlignedVaes):
    """Aligned autoencoders, each a single linear map either way, trained in cycles.

    A cycle begins with the reconstructions alone. From 10/17 of it on, the divergence of clips has
    a weight, which grows evenly; from 14/17 on, so has that of texts, from the third cycle only,
    and the cross-reconstructions count in full.
    """

    settings: CyclicSettings

    def semantics(self, bank: TextBank) -> Tensor:
        """Texts with a mean square of 1, as standardised features have: [F, C, E]."""
        return with_unit_mean_square(facet_vectors(bank, self.facets))

    def cycle(self) -> int:
        """Batches of a cycle."""
        return self.settings.steps

    def weights(self, epoch: float) -> Mapping[str, float]:
        """The weights after so many cycles, in the published schedule of 1,700 steps."""
        cycle, step = int(epoch), (epoch % 1) * 1700
        rise = self.settings.divergence / 3000
        return {
            "reconstruction": 1.0,
            "clip_divergence": rise * max(step - 1000, 0),
            "text_divergence": rise * max(step - 1400, 0) * (cycle > 1),
            "cross": float(step > 1400),
        }

    def distance(self, decoded: Tensor, true: Tensor) -> Tensor:
        """Mean squared error."""
        return functional.mse_loss(decoded, true)


class SynSE(SynSEFacts, CyclicVaes):
    """Syntactically guided generative embeddings (Gupta, Sharma and Sarvadevabhatla, ICIP 2021).

    One half of a clip's code stands for the verb, the other for the noun: the texts of both have
    autoencoders of their own, and a clip is decoded from their codes side by side.

    Differs from the paper: the classifier learns codes of the texts of all classes, not of unseen
    ones only beside another network for seen ones, so that one calibration serves every method
    (calibrated stacking in place of the gate, as in the STAR paper); decoders and classifier end
    without ReLU; texts have the mean square of standardised features, because errors of texts of
    length 1 count for nothing beside those of clips; noise is drawn for every coordinate.
    """

    settings: SynSEFacts.Settings

"""The method `msf`: SynSE's training on several texts fused into one."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from starcli.contracts import TextBank
from starcli_plugins.methods.base import facet_vectors
from starcli_plugins.methods.settings import MsfFacts
from starcli_plugins.methods.synse import CyclicVaes, with_unit_mean_square


class Msf(MsfFacts, CyclicVaes):
    """Multi-semantic fusion (Li et al., ICIG 2023).

    The vectors of all texts of a class, side by side, are one text with one autoencoder.

    Differs from the paper: the fused texts are the class name's and those of the body parts, or
    whatever the describer gives, in place of label, action and motion description; otherwise as
    `synse`.
    """

    settings: MsfFacts.Settings

    def semantics(self, bank: TextBank) -> Tensor:
        """All facets side by side, with a mean square of 1: [1, C, F * E]."""
        vectors = facet_vectors(bank, bank.facets).transpose(0, 1).flatten(1)
        return with_unit_mean_square(functional.normalize(vectors, dim=-1))[None]

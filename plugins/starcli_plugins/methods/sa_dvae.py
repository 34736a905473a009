"""The method `sa-dvae`: codes of clips in two parts, of which texts share one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from starcli_plugins.methods.settings import SaDvaeFacts
from starcli_plugins.methods.synse import CyclicVaes
from starcli_plugins.methods.vae import Gaussian, Vae

CROSS = 0.8
"""Share of a cycle after which the cross-reconstructions count."""


class SaDvae(SaDvaeFacts, CyclicVaes):
    """Disentangled variational autoencoders (Li et al., ECCV 2024).

    The code of a clip is a semantic part, as wide as that of a text, and an instance part, for what
    the text does not say: who moves, how and where. A clip is decoded from both, and from the code
    of its text beside its instance part; a text from its own code and from the semantic part. A
    critic tells codes of one clip side by side from parts of different clips, and the total
    correlation of the parts falls as clips' own look no more likely than those. A softmax
    classifier then learns codes of texts and names clips by the mean of their semantic part.

    Differs from the paper: the classifier learns codes of all classes, so that one calibration
    serves every method; the number of cycles is chosen on validation classes, not on test clips as
    the best of ten; decoders end without ReLU, and texts have the mean square of standardised
    features, as in `synse`; the critic and the autoencoders share an optimiser, and neither gets
    gradients of the other's terms; the weights of divergences and correlation are those that a
    cycle of `synse` ends with.
    """

    settings: SaDvaeFacts.Settings

    def build(self, token_dim: int, text_dim: int) -> None:
        """The autoencoders, the critic and the classifier."""
        s, classes = self.settings, self.text.shape[1]
        both = s.latent + s.instance
        self.clip_vae = Vae(token_dim, both, (), ())
        self.text_vaes = nn.ModuleList([Vae(text_dim, s.latent, (), ())])
        narrow = max(both // 4, 1)
        self.critic = nn.Sequential(nn.Linear(both, narrow), nn.ReLU(), nn.Linear(narrow, 1))
        self.classifier = nn.Linear(s.latent, classes)
        self.steps: Tensor
        self.register_buffer("steps", torch.tensor(0))

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam on the autoencoders and the critic."""
        learned = (self.clip_vae, self.text_vaes, self.critic)
        return torch.optim.Adam([p for m in learned for p in m.parameters()], self.settings.lr)

    def weights(self, epoch: float) -> Mapping[str, float]:
        """The weights after so many cycles; the critic has its turn every few steps."""
        s, place = self.settings, epoch % 1
        weights = {
            "reconstruction": 1.0,
            "clip_divergence": s.divergence * place,
            "text_divergence": s.correlation * place,
            "correlation": s.correlation * place,
            "cross": float(place >= CROSS),
        }
        return weights if int(self.steps) % s.critic_every else {**weights, "critic": 1.0}

    def losses(self, clips: Tensor, classes: Tensor, names: Collection[str]) -> dict[str, Tensor]:
        """Terms of the loss, without their weights.

        Args:
            clips: Features [B, D].
            classes: Their class ids [B].
            names: Which terms.
        """
        text = self.text[0, classes]
        clip, own = self.clip_vae.encode(clips), self.encode_text(classes)[0]
        code, text_code = clip.sample(), own.sample()
        semantic, instance = code[:, : self.settings.latent], code[:, self.settings.latent :]
        crossed = torch.cat([text_code, instance], dim=1)
        terms: dict[str, Callable[[], Tensor]] = {
            "reconstruction": lambda: self._clip(code, clips) + self._text(text_code, classes),
            "clip_divergence": clip.divergence,
            "text_divergence": own.divergence,
            "cross": lambda: (
                self._clip(crossed, clips) + self.distance(self._decoded(semantic), text)
            ),
            "correlation": lambda: self._together(code),
            "critic": lambda: self.critic_loss(code.detach(), crossed.detach()),
        }
        return {name: terms[name]() for name in names}

    def _decoded(self, codes: Tensor) -> Tensor:
        return self._text_vaes()[0].decode(codes)

    def _together(self, code: Tensor) -> Tensor:
        """How likely the critic finds codes [B, d] those of one clip; it learns nothing of it."""
        frozen = {name: weight.detach() for name, weight in self.critic.named_parameters()}
        return cast(Tensor, functional_call(self.critic, frozen, (code,))).sigmoid().mean()

    def critic_loss(self, *codes: Tensor) -> Tensor:
        """How badly the critic tells codes [B, d] from those with another clip's instance part."""
        terms = []
        for code in codes:
            semantic, instance = code[:, : self.settings.latent], code[:, self.settings.latent :]
            order = torch.randperm(len(code)).to(code.device)
            apart = torch.cat([semantic, instance[order]], dim=1)
            for pairs, true in ((code, 1.0), (apart, 0.0)):
                judged = self.critic(pairs)
                target = torch.full_like(judged, true)
                terms.append(functional.binary_cross_entropy_with_logits(judged, target))
        return torch.stack(terms).mean()

    def compare(self, clips: Tensor) -> Tensor:
        """Logits of the mean semantic parts of features [B, D]: [B, C]."""
        code: Gaussian = self.clip_vae.encode(clips)
        logits: Tensor = self.classifier(code.mean[:, : self.settings.latent])
        return logits

"""What CADA-VAE, SynSE and MSF share: aligned autoencoders, then a classifier on their codes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from starcli.contracts import TextBank, TokenSet, TrainingCallbacks, unjudged
from starcli.errors import UsageError
from starcli.training.seeds import derive
from starcli_plugins.methods.base import TrainedMethod
from starcli_plugins.methods.settings import AlignedFacts, AlignedSettings
from starcli_plugins.methods.vae import Gaussian, Sizes, Vae, fit_softmax, wasserstein


class AlignedVaes(AlignedFacts, TrainedMethod):
    """An autoencoder of clips and one of each facet of the text, with codes that fit each other.

    The codes of a class's facets side by side stand for the code of a clip of it, and each kind is
    decoded from the other's codes too. Then a softmax classifier learns codes drawn from texts, of
    unseen classes too, and names clips by their mean codes. Clips of unseen classes are never read;
    their texts are, as in the papers, and results are marked transductive.

    Validation chooses the epochs of the autoencoders; after every `judge_every` of them, where
    somebody judges, and after the last, the classifier is trained from zero, always for the same
    number of epochs of its own.

    Subclasses define `weights` and `distance`.
    """

    settings: AlignedSettings
    clip_layers: ClassVar[tuple[Sizes, Sizes]] = ((), ())
    """Hidden widths of the clips' encoder and decoder."""
    text_layers: ClassVar[tuple[Sizes, Sizes]] = ((), ())
    """Hidden widths of the texts' encoders and decoders."""
    steps_per_epoch = 1

    def build(self, token_dim: int, text_dim: int) -> None:
        """The autoencoders and the classifier."""
        facets, classes, _ = self.text.shape
        latent = self.settings.latent // facets
        self.clip_vae = Vae(token_dim, latent * facets, *self.clip_layers)
        texts = [Vae(text_dim, latent, *self.text_layers) for _ in range(facets)]
        self.text_vaes = nn.ModuleList(texts)
        self.classifier = nn.Linear(latent * facets, classes)
        self.steps: Tensor
        self.register_buffer("steps", torch.tensor(0))

    @abstractmethod
    def weights(self, epoch: float) -> Mapping[str, float]:
        """The weight of each term after so many epochs."""

    @abstractmethod
    def distance(self, decoded: Tensor, true: Tensor) -> Tensor:
        """How far [B, width] is from what it stands for, a mean over B."""

    def encode_text(self, classes: Tensor) -> list[Gaussian]:
        """The distributions of the codes of each facet, for class ids [B]."""
        once, places = torch.unique(classes, return_inverse=True)
        pairs = zip(self._text_vaes(), self.text[:, once], strict=True)
        of_classes = [vae.encode(text) for vae, text in pairs]
        return [Gaussian(g.mean[places], g.log_variance[places]) for g in of_classes]

    def _text_vaes(self) -> list[Vae]:
        return [vae for vae in self.text_vaes if isinstance(vae, Vae)]

    def losses(self, clips: Tensor, classes: Tensor, names: Collection[str]) -> dict[str, Tensor]:
        """Terms of the loss, without their weights; those of facets are added up.

        Args:
            clips: Features [B, D].
            classes: Their class ids [B].
            names: Which terms.
        """
        clip, texts = self.clip_vae.encode(clips), self.encode_text(classes)
        joint = Gaussian(*(torch.cat(each, dim=1) for each in zip(*texts, strict=True)))
        code, text_code = clip.sample(), joint.sample()
        terms: dict[str, Callable[[], Tensor]] = {
            "reconstruction": lambda: self._clip(code, clips) + self._text(text_code, classes),
            "clip_divergence": clip.divergence,
            "text_divergence": joint.divergence,
            "cross": lambda: self._clip(text_code, clips) + self._text(code, classes),
            "distance": lambda: wasserstein(clip, joint),
        }
        return {name: terms[name]() for name in names}

    def _clip(self, code: Tensor, clips: Tensor) -> Tensor:
        return self.distance(self.clip_vae.decode(code), clips)

    def _text(self, code: Tensor, classes: Tensor) -> Tensor:
        apart = code.chunk(len(self.text_vaes), dim=1)
        pairs = zip(self._text_vaes(), apart, self.text[:, classes], strict=True)
        terms = [self.distance(vae.decode(own), text) for vae, own, text in pairs]
        return torch.stack(terms).sum()

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam on the autoencoders."""
        learned = [*self.clip_vae.parameters(), *self.text_vaes.parameters()]
        return torch.optim.Adam(learned, self.settings.lr, fused=True)

    def loss(self, clips: Tensor, targets: Tensor) -> Tensor:
        """The weighted sum of the terms that have a weight yet."""
        every = self.weights(int(self.steps) / self.steps_per_epoch)
        self.steps += 1
        weights = {name: weight for name, weight in every.items() if weight}
        terms = self.losses(clips, self.seen[targets], weights)
        return torch.stack([weight * terms[name] for name, weight in weights.items()]).sum()

    def fit(self, train: TokenSet, callbacks: TrainingCallbacks, *, seed: int) -> None:
        """Train the autoencoders on clips of seen classes, then the classifier.

        Args:
            train: Their joint tokens; labels are ids into all classes.
            callbacks: Number of epochs, reports and checkpoint.
            seed: Seed of order, codes and classifier.
        """
        clips, targets = self.prepare(train)
        last = min(self.settings.epochs, callbacks.epochs or self.settings.epochs)

        def judge(epoch: int) -> float | None:
            passed = epoch % self.settings.judge_every or callbacks.after_epoch is unjudged
            if passed and epoch < last:
                return None
            self.fit_classifier(clips, targets, seed)
            return callbacks.after_epoch(epoch)

        steps = self.cycle()
        self.steps_per_epoch = steps or -(-len(clips) // self.settings.batch)
        self.steps.zero_()
        self.learn(clips, targets, replace(callbacks, after_epoch=judge), seed, steps)

    def cycle(self) -> int | None:
        """Batches of an epoch; None: every clip once."""
        return None

    @torch.no_grad()
    def fit_classifier(self, clips: Tensor, targets: Tensor, seed: int) -> None:
        """Train the classifier from zero.

        Args:
            clips: Features [N, D] of clips of seen classes.
            targets: Positions [N] in the list of seen classes.
            seed: Seed of the codes and their order.
        """
        s = self.settings
        generator = torch.Generator().manual_seed(derive(seed, "classifier"))
        codes, labels = self.codes(clips, targets, generator)
        fit_softmax(
            self.classifier,
            codes,
            labels,
            epochs=s.classifier_epochs,
            batch=s.classifier_batch,
            lr=s.classifier_lr,
            generator=generator,
        )

    def codes(
        self, clips: Tensor, targets: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """What the classifier learns: codes [M, d] drawn from the texts, and class ids [M]."""
        return self.codes_of_text(torch.cat([self.seen, self.unseen]), generator)

    def codes_of_text(self, classes: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`text_codes` codes drawn from the texts of each class, and the class ids."""
        labels = classes.repeat_interleave(self.settings.text_codes)
        drawn = [text.sample(generator) for text in self.encode_text(labels)]
        return torch.cat(drawn, dim=1), labels

    def extend(self, bank: TextBank) -> None:
        """No further classes: each has weights of its own in the classifier.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            "the method has a classifier for the classes that it was trained with",
            "train another, such as --method star",
        )

    def compare(self, clips: Tensor) -> Tensor:
        """Logits of the mean codes of features [B, D]: [B, C]."""
        logits: Tensor = self.classifier(self.clip_vae.encode(clips).mean)
        return logits

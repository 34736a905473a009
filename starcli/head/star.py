"""The dual-prompt head of STAR, the method `star` (paper sections 3.3 to 3.5).

A clip's joint tokens are cut into K parts. In each part, m visual-attribute prompts attend to the
part's tokens and become an m-vector (eqs. 1 to 3); the parts' vectors add up to the clip's. Texts
of the parts, sharpened by semantic-part prompts (eq. 4), and of the class name are projected into
the same m-dimensional space. Three cross-entropies align the two sides (eqs. 5 to 8).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from starcli.contracts import Problem, TextBank, TokenSet, TrainingCallbacks
from starcli.errors import DataError, UsageError
from starcli.head.settings import HeadSettings, StarFacts
from starcli.head.standardise import moments
from starcli.head.visual_prompts import MeanToken, MeanTokenQuery, VisualPrompts
from starcli.training.loop import run_epochs
from starcli.training.schedules import schedule
from starcli.training.seeds import derive

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the parts in the score that nested runs choose among, the preferred one last."""


def projector(width_in: int, hidden: int, width: int) -> nn.Sequential:
    """Two linear maps with ReLU between them (section 3.3 (2))."""
    return nn.Sequential(nn.Linear(width_in, hidden), nn.ReLU(), nn.Linear(hidden, width))


def similarity(visual: Tensor, text: Tensor, kind: str) -> Tensor:
    """Compatibility of [..., B, m] with [..., C, m]: dot product or cosine -> [..., B, C]."""
    if kind == "cosine":
        visual, text = functional.normalize(visual, dim=-1), functional.normalize(text, dim=-1)
    return visual @ text.transpose(-1, -2)


def text_targets(texts: Tensor) -> Tensor | None:
    """Targets of a part for the clips of each class: all classes with the same text, alike.

    Args:
        texts: Text vectors of the parts [K, C', E].

    Returns:
        Probabilities [K, C', C'], those of a class in its row; None where all texts differ, so that
        each class is its own target.
    """
    which = torch.stack([part.unique(dim=0, return_inverse=True)[1] for part in texts])
    same = which[:, :, None] == which[:, None]
    count = same.sum(-1, keepdim=True)
    return same / count if count.max() > 1 else None


class Star(StarFacts, nn.Module):
    """Side information and dual prompts for zero-shot skeleton action recognition.

    Differs from the paper, and each is a setting: similarity is cosine with a temperature
    (`similarity = "dot"` and `temperature = 1` are the paper's); the score mixes global and part
    scores as validation classes like it (`inference = "global"`); classes with the same text of a
    part share its target in eq. 5 (`shared_texts = false`); the text of a class's name goes on with
    its part sentences (`text.name_template = "{name}"`); tokens are standardised per channel on the
    training clips (`standardise = false`); semantic-part prompts start at zero
    (`initial = "published"`); the optimiser is AdamW with a warm cosine (`optimizer = "sgd"`,
    `schedule = "steps"`, `warmup = 0`); presets of small data sets learn from augmented copies of
    the clips as well (`augment = false`). `examples/paper-head.toml` sets what the paper states.

    Semantic-part prompts of unseen classes stay as they start, because eq. 6 runs over seen
    classes; the published code runs it over all of them (`semantic_classes = "all"`).

    Left out by `ablate` (Table 7): `attention`, a part is its pooled tokens; `vap`, its pooled
    token takes the prompts' place; `spp`, part texts go to their projector as they are; `mpce`,
    `sce`, `gce`, the loss has no such term.

    Args:
        settings: Sizes, losses, inference and training.
        problem: Layout, parts, text and classes.
        seed: Seed of the initial weights.

    Raises:
        DataError: The text bank lacks a part, or a class is both seen and unseen.
    """

    def __init__(self, settings: HeadSettings, problem: Problem, seed: int) -> None:
        super().__init__()
        _require_usable(problem)
        self.settings = settings
        self.groups = tuple(problem.parts.values())
        self.joints = len(problem.layout.joints)
        self.seen = torch.tensor(problem.seen)
        classes, _, text_dim = problem.bank.vectors.shape
        self.name_vectors: Tensor
        self.part_vectors: Tensor
        self.mean: Tensor
        self.std: Tensor
        self.share: Tensor
        self.register_buffer("name_vectors", problem.bank.vectors[:, 0].clone())
        self.register_buffer("part_vectors", problem.bank.vectors[:, 1:].transpose(0, 1).clone())
        texts = self.part_vectors[:, self.seen]
        self.text_targets: Tensor | None
        self.register_buffer(
            "text_targets", text_targets(texts) if settings.shared_texts else None, persistent=False
        )
        self.register_buffer("mean", torch.zeros(problem.token_dim))
        self.register_buffer("std", torch.ones(problem.token_dim))
        self.register_buffer("share", torch.tensor(self._initial_share()))
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "weights"))
            self._build(problem.token_dim, text_dim, classes)

    def _build(self, token_dim: int, text_dim: int, classes: int) -> None:
        s, parts = self.settings, len(self.groups)
        self.branches = nn.ModuleList(self._branch(token_dim) for _ in range(parts))
        self.part_projectors = nn.ModuleList(
            projector(text_dim, s.hidden, s.attributes) for _ in range(parts)
        )
        self.name_projector = projector(text_dim, s.hidden, s.attributes)
        if "spp" not in s.ablate:
            start = torch.randn if s.initial == "published" else torch.zeros
            self.part_prompts = nn.Parameter(start(parts, classes, text_dim))

    def _branch(self, token_dim: int) -> nn.Module:
        s = self.settings
        if "attention" in s.ablate:
            return MeanToken(s.attributes, token_dim)
        sizes = (s.attributes, s.width, s.heads, token_dim, s.dropout)
        if "vap" in s.ablate:
            return MeanTokenQuery(*sizes)
        return VisualPrompts(*sizes, 1.0 if s.initial == "published" else s.width**-0.5)

    def _initial_share(self) -> float:
        share = self.settings.inference
        return (
            {"global": 0.0, "parts": 1.0, "auto": 1.0}[share] if isinstance(share, str) else share
        )

    def visual(self, tokens: Tensor) -> Tensor:
        """F_v^e of every part: joint tokens [B, L, V, D] -> [K, B, m] (eqs. 1 to 3).

        Raises:
            DataError: The tokens are of another layout or width.
        """
        if tokens.shape[2:] != (self.joints, len(self.mean)):
            raise DataError(
                f"tokens of {tokens.shape[2]} joints and width {tokens.shape[3]}; the method "
                f"learned from {self.joints} and {len(self.mean)}",
                "use the data set and backbone it was trained with, and no backbone.body_width",
            )
        parts = zip(self.branches, self._part_tokens(tokens), strict=True)
        return torch.stack([branch(part) for branch, part in parts])

    def _part_tokens(self, tokens: Tensor) -> Iterator[Tensor]:
        """Standardised tokens of every part: [B, L, V, D] -> K of [B, S, D]."""
        tokens = torch.addcmul(-self.mean / self.std, tokens.to(self.mean), 1 / self.std)
        for joints in self.groups:
            yield tokens[:, :, list(joints)].flatten(1, 2)

    @torch.no_grad()
    def attention(self, tokens: Tensor) -> Tensor:
        """Which joints its parts attend to when, mean of heads and attributes (eq. 1).

        Args:
            tokens: [B, L, V, D].

        Returns:
            Weights [B, L, V], which sum to 1 in each part.

        Raises:
            UsageError: The head was trained without attention.
        """
        self._require_prompts("attention")
        weights = torch.zeros(tokens.shape[:3], device=self.mean.device)
        parts = zip(self.groups, self.branches, self._part_tokens(tokens), strict=True)
        for joints, branch, part in parts:
            assert isinstance(branch, VisualPrompts | MeanTokenQuery)  # see _branch
            weights[:, :, list(joints)] = branch.attention(part).view(len(part), -1, len(joints))
        return weights

    def semantic(self, classes: Tensor, *, prompted: bool = True) -> tuple[Tensor, Tensor]:
        """F_si^e and F_cn of some classes: ids [C'] -> [K, C', m] and [C', m] (eq. 4).

        Without prompts the same projectors take the part texts as they are.
        """
        texts = self.part_vectors[:, classes]
        if prompted and "spp" not in self.settings.ablate:
            texts = texts + self.part_prompts[:, classes]
        return self._projected(texts, self.name_vectors[classes])

    def _projected(self, texts: Tensor, names: Tensor) -> tuple[Tensor, Tensor]:
        """Texts in the shared space: [K, C', E] and [C', E] -> [K, C', m] and [C', m]."""
        parts = zip(self.part_projectors, texts, strict=True)
        return torch.stack([project(text) for project, text in parts]), self.name_projector(names)

    def skeleton_features(self, tokens: Tensor, *, prompted: bool) -> Tensor:
        """Features of clips, summed over the parts: joint tokens [B, L, V, D] -> [B, W].

        With visual-attribute prompts, F_v^e of W = m (eqs. 1 to 3); without, what the prompts
        attend to: the mean of the part's standardised tokens, W = D. The paper does not say what
        its figure 4 shows without prompts.

        Raises:
            UsageError: The head was trained without visual-attribute prompts.
        """
        self._require_prompts("vap", "attention")
        if prompted:
            return self.visual(tokens).sum(0)
        return torch.stack([part.mean(1) for part in self._part_tokens(tokens)]).sum(0)

    def semantic_features(self, classes: Tensor, *, prompted: bool) -> Tensor:
        """Projected texts, the name's first: ids [C'] -> [C', 1 + K, m] (eq. 4).

        Raises:
            UsageError: The head was trained without semantic-part prompts.
        """
        self._require_prompts("spp")
        parts, names = self.semantic(classes, prompted=prompted)
        return torch.cat([names[:, None], parts.transpose(0, 1)], 1)

    def _require_prompts(self, *components: str) -> None:
        for component in components:
            if component in self.settings.ablate:
                raise UsageError(
                    f"the head was trained without {component}, so that it has no prompts to show",
                    "name a run without --ablate",
                )

    def losses(self, tokens: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The cross-entropies of eqs. 5, 6 and 7, those of the settings' `ablate` left out.

        Args:
            tokens: [B, L, V, D].
            targets: Positions [B] in the list of seen classes.
        """
        s, visual = self.settings, self.visual(tokens)
        (parts, names), own = self.semantic(self.seen), s.semantic_similarity
        kind = s.similarity if own == "same" else own
        together = visual.sum(0, keepdim=True)
        text_targets = targets if self.text_targets is None else self.text_targets[:, targets]
        terms = {
            "mpce": self._entropy(similarity(visual, parts, s.similarity), text_targets),
            "sce": self._semantic_entropy(parts, names, kind),
            "gce": self._entropy(similarity(together, names, s.similarity), targets),
        }
        return {name: term for name, term in terms.items() if name not in s.ablate}

    def _semantic_entropy(self, parts: Tensor, names: Tensor, kind: str) -> Tensor:
        """Eq. 6, over the seen classes that are given or over all."""
        if self.settings.semantic_classes == "all":
            parts, names = self.semantic(self._all_classes())
        own = torch.arange(len(names), device=names.device)
        return self._entropy(similarity(parts, names, kind), own)

    def _entropy(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of scores [K, B, C'] with targets [B], or probabilities [K, B, C']."""
        logits = scores / self.settings.temperature
        every = targets.repeat(len(scores)) if targets.dim() == 1 else targets.flatten(0, 1)
        return functional.cross_entropy(logits.flatten(0, 1), every)

    def terms(self, tokens: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """L_MPCE, alpha L_SCE and beta L_GCE, the terms of eq. 8."""
        weights = {"mpce": 1.0, "sce": self.settings.alpha, "gce": self.settings.beta}
        losses = self.losses(tokens, targets)
        return {name: weights[name] * value for name, value in losses.items()}

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """L_MPCE + alpha L_SCE + beta L_GCE (eq. 8)."""
        return torch.stack([*self.terms(tokens, targets).values()]).sum()

    def fit(self, train: TokenSet, callbacks: TrainingCallbacks, *, seed: int) -> None:
        """Train on clips of seen classes.

        Args:
            train: Their joint tokens; labels are ids into all classes.
            callbacks: Number of epochs, reports and checkpoint.
            seed: Seed of order and dropout.
        """
        device, s = self.mean.device, self.settings
        self.seen = self.seen.to(device)
        position = {int(c): i for i, c in enumerate(self.seen)}
        targets = torch.tensor([position[int(label)] for label in train.labels], device=device)
        if s.standardise:
            for own, found in zip((self.mean, self.std), moments(train), strict=True):
                own.copy_(found)

        def loss(ids: Tensor, draws: Tensor) -> dict[str, Tensor]:
            return self.terms(self._batch(train, ids, draws).to(device), targets[ids.to(device)])

        run_epochs(
            self,
            loss,
            self._optimizer(),
            what="train",
            size=len(train),
            batch=s.batch,
            epochs=s.epochs,
            seed=derive(seed, "star"),
            callbacks=callbacks,
            rate=schedule(s.schedule, s.epochs, s.milestones, s.warmup),
        )

    def _batch(self, train: TokenSet, ids: Tensor, draws: Tensor) -> Tensor:
        """Tokens [B, L, V, D] of clips, or of their augmented copies in half of the draws."""
        tokens = train.batch(ids)
        if not self.settings.augment:
            return tokens
        other = draws[:, 0] < 0.5
        tokens[other] = train.views["augmented"].batch(ids[other])
        return tokens

    def _optimizer(self) -> torch.optim.Optimizer:
        s = self.settings
        if s.optimizer == "adamw":
            return torch.optim.AdamW(
                self.parameters(), s.lr, weight_decay=s.weight_decay, fused=True
            )
        return torch.optim.SGD(
            self.parameters(), s.lr, momentum=0.9, nesterov=True, weight_decay=s.weight_decay
        )

    def extend(self, bank: TextBank) -> None:
        """Score further classes too, after the others; their part texts are read without a prompt.

        Args:
            bank: Their texts, in the facets and width of the first bank.
        """
        names, parts = bank.vectors[:, 0], bank.vectors[:, 1:].transpose(0, 1)
        self.name_vectors = torch.cat([self.name_vectors, names.to(self.mean)])
        self.part_vectors = torch.cat([self.part_vectors, parts.to(self.mean)], dim=1)
        if "spp" not in self.settings.ablate:
            none = torch.zeros_like(parts).to(self.mean)
            self.part_prompts = nn.Parameter(torch.cat([self.part_prompts.data, none], dim=1))

    @property
    def variants(self) -> tuple[float, ...]:
        """Shares of the parts in the score, for the nested run to choose from."""
        return SHARES if self.settings.inference == "auto" else ()

    def choose(self, variant: float) -> None:
        """Score with this share of the parts from now on."""
        self.share.fill_(variant)

    @torch.no_grad()
    def score(self, tokens: Tensor) -> Tensor:
        """Scores of all classes, from which eq. 9 subtracts gamma: [B, L, V, D] -> [B, C]."""
        return self._mixed(tokens, self.semantic(self._all_classes()), [self.share])[0]

    @torch.no_grad()
    def part_scores(self, tokens: Tensor) -> Tensor:
        """Similarities of F_v^e and F_si^e of all classes: [B, L, V, D] -> [K, B, C]."""
        parts, _ = self.semantic(self._all_classes())
        return similarity(self.visual(tokens), parts, self.settings.similarity)

    @torch.no_grad()
    def score_texts(self, tokens: Tensor, texts: Tensor) -> Tensor:
        """Joint tokens [B, L, V, D] and texts [C, F, E], read without prompts -> scores [B, C]."""
        projected = self._projected(texts[:, 1:].transpose(0, 1), texts[:, 0])
        return self._mixed(tokens, projected, [self.share])[0]

    @torch.no_grad()
    def score_variants(self, tokens: Tensor) -> Tensor:
        """`score` with each of the `variants`: [B, L, V, D] -> [R, B, C]."""
        shares = [torch.full_like(self.share, v) for v in self.variants]
        return self._mixed(tokens, self.semantic(self._all_classes()), shares)

    def _mixed(
        self, tokens: Tensor, projected: tuple[Tensor, Tensor], shares: Sequence[Tensor]
    ) -> Tensor:
        """(1 - share) global score + share of the parts' mean score, for every share."""
        kind, visual = self.settings.similarity, self.visual(tokens)
        parts, names = projected
        by_name = similarity(visual.sum(0), names, kind)
        by_part = similarity(visual, parts, kind).mean(0)
        return torch.stack([by_name.lerp(by_part, share) for share in shares])

    def _all_classes(self) -> Tensor:
        return torch.arange(len(self.name_vectors), device=self.mean.device)


def _require_usable(problem: Problem) -> None:
    wanted = ("name", *problem.parts)
    if tuple(problem.bank.facets) != wanted:
        raise DataError(
            f"text bank: facets {', '.join(problem.bank.facets)}; the method reads "
            f"{', '.join(wanted)}",
            "run starcli embed with the same parts",
        )
    both = sorted(set(problem.seen) & set(problem.unseen))
    if both:
        name = problem.bank.classes[both[0]]
        raise DataError(f"class '{name}' is both seen and unseen", "fix the split")

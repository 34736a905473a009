"""The method `cosine`: parts and texts of one space, compared as they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from starcli.contracts import NoSettings, Problem, TextBank, TokenSet, TrainingCallbacks
from starcli.errors import UsageError
from starcli.training.text_alignment import class_vectors, clip_vectors, similarities
from starcli_plugins.methods.settings import CosineFacts


class Cosine(CosineFacts, nn.Module):
    """The cosine of the whole clip and a class, plus the mean of their parts' cosines.

    Nothing is learned: tokens come from a backbone that was pretrained to be like the texts. The
    vector of a part is its mean token, that of a clip the normalised mean of its parts', and of
    this and the token of the whole body where the backbone has one; that of a class the normalised
    mean of its name's and its sentences'.

    Args:
        settings: None.
        problem: Text and classes.
        seed: Unused.

    Raises:
        UsageError: Tokens and texts have different widths, or a part has no text.
    """

    def __init__(self, settings: NoSettings, problem: Problem, seed: int) -> None:
        super().__init__()
        self.parts = problem.parts
        width = problem.bank.vectors.shape[2]
        if problem.token_dim != width:
            raise UsageError(
                f"method cosine: tokens have width {problem.token_dim}, texts {width}",
                f"use a backbone with --set backbone.dim={width} that was pretrained on texts",
            )
        self.facets = problem.bank.facets
        self.names: Tensor
        self.sentences: Tensor
        names, sentences = class_vectors(problem.bank, tuple(self.parts))
        self.register_buffer("names", names)
        self.register_buffer("sentences", sentences)

    def fit(self, train: TokenSet, callbacks: TrainingCallbacks, *, seed: int) -> None:
        """Learn nothing, which is one epoch.

        Args:
            train: Unused.
            callbacks: Told when it is done.
            seed: Unused.
        """
        callbacks.progress.update("train", 1, 1)
        callbacks.after_epoch(1)

    @torch.no_grad()
    def score(self, tokens: Tensor) -> Tensor:
        """Joint tokens [B, L, V, D] -> scores of all classes [B, C]."""
        clips = clip_vectors(tokens.to(self.names), self.parts)
        return similarities(clips, (self.names, self.sentences))

    def score_texts(self, tokens: Tensor, texts: Tensor) -> Tensor:
        """Joint tokens [B, L, V, D] and texts [C, F, E], facets as in the bank -> scores [B, C]."""
        bank = TextBank((), self.facets, texts)
        return similarities(
            clip_vectors(tokens, self.parts), class_vectors(bank, tuple(self.parts))
        )

    @torch.no_grad()
    def part_scores(self, tokens: Tensor) -> Tensor:
        """Joint tokens [B, L, V, D] -> cosines of parts and their sentences [K, B, C]."""
        parts = clip_vectors(tokens.to(self.names), self.parts)[:, 1:]
        return torch.einsum("bkd,ckd->kbc", parts, self.sentences)

    def extend(self, bank: TextBank) -> None:
        """Score further classes too, after the others.

        Args:
            bank: Their texts, in the facets and width of the first bank.
        """
        names, sentences = class_vectors(bank, tuple(self.parts))
        self.names = torch.cat([self.names, names.to(self.names)])
        self.sentences = torch.cat([self.sentences, sentences.to(self.sentences)])

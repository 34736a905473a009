"""The method `eszsl`, a closed form: the yardstick that trains in a second."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from starcli.contracts import TokenSet, TrainingCallbacks
from starcli_plugins.methods.base import PooledMethod
from starcli_plugins.methods.settings import EszslFacts


class Eszsl(EszslFacts, PooledMethod):
    """An embarrassingly simple approach to zero-shot learning (Romera-Paredes and Torr, ICML 2015).

    V = (X X' + gamma I)^-1 X Y S' (S S' + lambda I)^-1, with features X, labels Y of -1 and 1 and
    texts S of the seen classes; a class with text s scores x' V s.

    Differs from the paper: X X' and X Y are means over clips, so that one gamma suits small and
    large data sets; gamma and lambda are settings, while the paper chooses them among powers of ten
    for every data set; features are standardised and texts have length 1.
    """

    settings: EszslFacts.Settings

    def build(self, token_dim: int, text_dim: int) -> None:
        """The one matrix V [D, E]."""
        self.weight: Tensor
        self.register_buffer("weight", torch.zeros(token_dim, text_dim))

    def fit(self, train: TokenSet, callbacks: TrainingCallbacks, *, seed: int) -> None:
        """Solve for V; there is one epoch, and nothing is drawn.

        Args:
            train: Joint tokens of clips of seen classes.
            callbacks: Told when it is done.
            seed: Unused.
        """
        clips, targets = self.prepare(train)
        self.weight.copy_(self.solve(clips.double(), targets))
        callbacks.progress.update("train", 1, 1)
        callbacks.after_epoch(1)

    def solve(self, clips: Tensor, targets: Tensor) -> Tensor:
        """V [D, E] of features [N, D] with targets [N]."""
        text = self.text[0, self.seen].to(clips)
        signs = 2 * functional.one_hot(targets, len(text)).to(clips) - 1
        left = clips.T @ clips / len(clips) + self.settings.gamma * _eye(clips.shape[1], clips)
        right = text.T @ text + self.settings.lam * _eye(text.shape[1], clips)
        middle = clips.T @ signs @ text / len(clips)
        half = torch.linalg.solve(left, middle)
        weight: Tensor = torch.linalg.solve(right, half, left=False)
        return weight

    def compare(self, clips: Tensor) -> Tensor:
        """x' V s of features [B, D] and all classes: [B, C]."""
        return clips @ self.weight @ self.text[0].T


def _eye(size: int, like: Tensor) -> Tensor:
    return torch.eye(size, dtype=like.dtype, device=like.device)

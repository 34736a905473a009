"""Clips beside texts: vectors of parts, their cosines, and the loss that brings them together.

A clip has a vector for each part, the mean of its tokens, and one as a whole: the normalised mean
of these, and of that and the token of the whole body where there is one. What it is to be like is
given by `Targets`, one for the whole and one for each part, so that texts may be those of classes
or any others, in other numbers for each part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, normalize

from starcli.contracts import TextBank
from starcli.errors import UsageError

NAME = "name"
"""The facet of the whole class."""


def clip_vectors(tokens: Tensor, parts: Mapping[str, tuple[int, ...]]) -> Tensor:
    """The vectors of clips and their parts, of length 1.

    Args:
        tokens: Joint tokens [B, L, V, D], or [B, L, V + 1, D] with one of the whole body last.
        parts: Part name -> joint indices, K parts that have all V joints.

    Returns:
        [B, 1 + K, D], the whole clip first.
    """
    means = [tokens[:, :, joints].mean((1, 2)) for joints in parts.values()]
    each = normalize(torch.stack(means, 1), dim=2)
    joints = sum(map(len, parts.values()))
    has_body = tokens.shape[2] > joints
    first = whole(each)
    if has_body:
        body = normalize(tokens[:, :, joints].mean(1), dim=1)
        first = whole(torch.stack([first, body], 1))
    return torch.cat([first[:, None], each], 1)


def whole(parts: Tensor) -> Tensor:
    """The normalised mean [B, D] of the vectors of clips' or classes' parts [B, K, D]."""
    return normalize(parts.mean(1), dim=1)


def class_vectors(bank: TextBank, parts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The vectors that classes' clips are to be like, of length 1.

    Args:
        bank: Texts of C classes.
        parts: Names of the K parts.

    Returns:
        Of the whole class, the normalised mean of its name's and all parts' [C, D]; of its parts
        [C, K, D].

    Raises:
        UsageError: The bank has no text of a part.
    """
    if lacking := [part for part in parts if part not in bank.facets]:
        raise UsageError(
            f"there is no text for {', '.join(lacking)}, the texts have {', '.join(bank.facets)}",
            "choose another describer",
        )
    vectors = normalize(bank.vectors, dim=2)
    chosen = vectors[:, [bank.facets.index(facet) for facet in (NAME, *parts)]]
    return whole(chosen), chosen[:, 1:].contiguous()


def similarities(clips: Tensor, classes: tuple[Tensor, Tensor]) -> Tensor:
    """Cosine of the whole plus the mean of the parts' cosines: [B, C].

    Args:
        clips: What `clip_vectors` gives [B, 1 + K, D].
        classes: What `class_vectors` gives.
    """
    names, sentences = classes
    mean = torch.einsum("bkd,ckd->bc", clips[:, 1:], sentences) / sentences.shape[1]
    return clips[:, 0] @ names.T + mean


def kept_apart(texts: Tensor, limit: float) -> Tensor:
    """What to take off the logits so that texts with nearly one meaning are no wrong answers.

    Args:
        texts: [N, D], of length 1.
        limit: The cosine above which two texts mean the same.

    Returns:
        [N, N]: infinity for each two such texts, 0 for all others and for a text and itself.
    """
    near = texts @ texts.T > limit
    near.fill_diagonal_(False)
    return torch.zeros(near.shape, device=near.device).masked_fill(near, torch.inf)


@dataclass(frozen=True)
class Targets:
    """What a batch of B clips, or a part of each, is to be like.

    Args:
        texts: Vectors of N texts [N, D], of length 1.
        right: The text of each clip, int64 [B].
        lowered: What is taken off the logits [B, N]: infinity keeps a text out that is not wrong,
            0 leaves one as it is. The right text is not lowered.
    """

    texts: Tensor
    right: Tensor
    lowered: Tensor


def contrast(vectors: Tensor, targets: Targets, scale: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of telling each clip's right text from all others, by scaled cosines.

    Args:
        vectors: [B, D], of length 1.
        targets: The texts.
        scale: What cosines are multiplied by.
        smoothing: Share of the target that all texts that are not kept out have in common.
    """
    logits = scale * (vectors @ targets.texts.T) - targets.lowered
    log_shares = log_softmax(logits.float(), dim=1)
    loss = -log_shares.gather(1, targets.right[:, None])[:, 0]
    if smoothing:
        there = torch.isfinite(targets.lowered)
        every = -log_shares.masked_fill(~there, 0.0).sum(1) / there.sum(1)
        loss = (1 - smoothing) * loss + smoothing * every
    return loss.mean()


def alignment_loss(
    clips: Tensor,
    targets: Sequence[Targets],
    scale: Tensor,
    smoothing: float = 0.0,
) -> dict[str, Tensor]:
    """The terms of the loss of a batch: of the whole clips, and the mean of their parts'.

    Args:
        clips: What `clip_vectors` gives [B, 1 + K, D].
        targets: What the clips, and each of their K parts, are to be like.
        scale: What cosines are multiplied by.
        smoothing: As in `contrast`.
    """
    of_whole, *of_parts = (
        contrast(vectors, each, scale, smoothing)
        for vectors, each in zip(clips.unbind(1), targets, strict=True)
    )
    return {"whole": of_whole, "parts": torch.stack(of_parts).mean()}

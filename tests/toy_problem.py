"""A separable zero-shot problem: features are a rotation of the texts, and noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from starcli.contracts import Problem, TextBank, TokenSet
from starcli_plugins.layouts import KINECT_V1

CLASSES, WIDTH, TIME = 24, 6, 2
UNSEEN = (1, 8, 13, 20)
SEEN = tuple(c for c in range(CLASSES) if c not in UNSEEN)
JOINTS = len(KINECT_V1.joints)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def unit(x: Tensor) -> Tensor:
    return functional.normalize(x, dim=-1)


def bank(facets: tuple[str, ...] = ("name", "head", "verb", "noun")) -> TextBank:
    """Every facet has a text of its own, of length 1, but `head` repeats the name."""
    vectors = torch.stack(
        [unit(torch.randn(CLASSES, WIDTH, generator=generator(n))) for n in range(3)], dim=1
    )
    known = {"name": 0, "head": 0, "verb": 1, "noun": 2}
    names = tuple(f"action {c}" for c in range(CLASSES))
    return TextBank(names, facets, vectors[:, [known[f] for f in facets]])


def rotation() -> Tensor:
    """What turns the texts of all three facets, side by side, into tokens: [D, D]."""
    turned: Tensor = torch.linalg.qr(torch.randn(3 * WIDTH, 3 * WIDTH, generator=generator(9)))[0]
    return turned


def bank_of_tokens() -> TextBank:
    """The texts in the space of the tokens: of name and parts, all that of the whole class."""
    three = bank(("name", "verb", "noun"))
    facets = ("name", *KINECT_V1.parts[6])
    vectors = three.vectors.flatten(1) @ rotation()
    return TextBank(three.classes, facets, vectors[:, None].repeat(1, len(facets), 1))


def problem(**changes: Any) -> Problem:
    values: dict[str, Any] = {
        "layout": KINECT_V1,
        "parts": KINECT_V1.parts[6],
        "token_dim": 3 * WIDTH,
        "bank": bank(),
        "seen": SEEN,
        "unseen": UNSEEN,
        **changes,
    }
    return Problem(**values)


def tokens(labels: Tensor, seed: int) -> Tensor:
    """Tokens [B, L, V, D]: the rotated texts of all three facets, and noise."""
    text = bank_of_tokens().vectors[labels, 0]
    noise = torch.randn(len(labels), TIME, JOINTS, 3 * WIDTH, generator=generator(seed))
    return text[:, None, None] + 0.3 * noise


def clips(
    classes: tuple[int, ...], count: int, seed: int, views: Mapping[str, int] | None = None
) -> TokenSet:
    """`count` clips of each class; each view is named with a seed of its own."""
    labels = torch.tensor(classes).repeat(count)
    names = [f"clip {i}" for i in range(len(labels))]
    others = {name: clips(classes, count, own) for name, own in (views or {}).items()}
    return TokenSet([tokens(labels, seed)], torch.arange(len(labels)), labels, names, others)


def accuracy(scores: Tensor, labels: Tensor, among: tuple[int, ...]) -> float:
    """Share of clips whose class has the highest score among some classes."""
    chosen = torch.tensor(among)
    return float((chosen[scores[:, chosen].argmax(1)] == labels).float().mean())

"""The loss of clips beside texts, against sums worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from starcli.contracts import TextBank
from starcli.errors import UsageError
from starcli.training.text_alignment import (
    Targets,
    alignment_loss,
    class_vectors,
    clip_vectors,
    contrast,
    kept_apart,
    similarities,
    whole,
)

pytestmark = pytest.mark.numerical
ONE = torch.tensor(1.0)


def unit(*shape: int, seed: int = 0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(shape, generator=source), dim=-1)


def plain(texts: Tensor, right: Tensor) -> Targets:
    return Targets(texts, right, torch.zeros(len(right), len(texts)))


def test_the_vector_of_a_part_is_its_mean_token() -> None:
    tokens = torch.zeros(1, 2, 3, 2)
    tokens[0, 0, 0] = torch.tensor([3.0, 0.0])
    tokens[0, 1, 1] = torch.tensor([0.0, 3.0])
    tokens[0, :, 2, 1] = 7
    found = clip_vectors(tokens, {"hand": (0, 1), "head": (2,)})
    half = math.sqrt(0.5)
    parts = torch.tensor([[[half, half], [0, 1]]])
    torch.testing.assert_close(found[:, 1:], parts)
    torch.testing.assert_close(found[:, 0], whole(parts))
    torch.testing.assert_close(found.norm(dim=2), torch.ones(1, 3))


def test_the_vector_of_a_clip_is_half_that_of_the_whole_body_where_there_is_one() -> None:
    tokens = torch.zeros(1, 1, 3, 4)
    tokens[..., 1] = 5.0
    body = torch.tensor([[[[3.0, 0, 4.0, 0]]]])
    parts = {"hand": (0, 1), "head": (2,)}
    found = clip_vectors(torch.cat([tokens, body], 2), parts)
    torch.testing.assert_close(found[:, 1:], clip_vectors(tokens, parts)[:, 1:])
    half = math.sqrt(0.5)  # of 0.6, 1, 0.8, which has length the root of 2
    assert found[0, 0].tolist() == pytest.approx([0.6 * half, half, 0.8 * half, 0])


def test_classes_are_all_their_texts_and_parts_in_the_order_asked_for() -> None:
    vectors = torch.tensor([[[2.0, 0], [0, 3], [0, -3]]])
    bank = TextBank(("wave",), ("name", "hand", "head"), vectors)
    names, parts = class_vectors(bank, ("head", "hand"))
    # The unit vectors of hand and head cancel out, that of the name stays.
    assert names.tolist() == [[1, 0]]
    assert parts.tolist() == [[[0, -1], [0, 1]]]
    with pytest.raises(UsageError, match="no text for leg"):
        class_vectors(bank, ("leg",))


def test_similarity_is_that_of_the_whole_and_the_mean_of_the_parts() -> None:
    clips, names, sentences = unit(2, 4, 4), unit(5, 4, seed=1), unit(5, 3, 4, seed=2)
    found = similarities(clips, (names, sentences))
    for clip in range(2):
        for label in range(5):
            own = sum(float(clips[clip, 1 + k] @ sentences[label, k]) for k in range(3)) / 3
            want = float(clips[clip, 0] @ names[label]) + own
            assert float(found[clip, label]) == pytest.approx(want, abs=1e-5)


def test_without_near_texts_it_is_a_scaled_cross_entropy() -> None:
    vectors, texts, right = unit(6, 8), unit(9, 8, seed=1), torch.tensor([0, 8, 3, 3, 1, 2])
    for smoothing in (0.0, 0.3):
        found = contrast(vectors, plain(texts, right), 7 * ONE, smoothing)
        want = cross_entropy(7 * vectors @ texts.T, right, label_smoothing=smoothing)
        torch.testing.assert_close(found, want)


def test_texts_of_one_meaning_are_no_wrong_answers() -> None:
    """A text that is kept out changes nothing, wherever it lies."""
    texts = torch.tensor([[1.0, 0], [0.999, math.sqrt(1 - 0.999**2)], [0, 1]])
    apart = kept_apart(texts, 0.97)
    assert apart.tolist() == [[0, math.inf, 0], [math.inf, 0, 0], [0, 0, 0]]
    vectors, right = unit(4, 2), torch.tensor([0, 0, 2, 2])
    for smoothing in (0.0, 0.2):
        found = contrast(vectors[:2], Targets(texts, right[:2], apart[right[:2]]), ONE, smoothing)
        two = cross_entropy(
            vectors[:2] @ texts[[0, 2]].T, torch.tensor([0, 0]), label_smoothing=smoothing
        )
        torch.testing.assert_close(found, two)
        # To the third text the other two are both wrong.
        all_three = contrast(vectors[2:], Targets(texts, right[2:], apart[right[2:]]), ONE)
        torch.testing.assert_close(all_three, cross_entropy(vectors[2:] @ texts.T, right[2:]))


def test_a_lowered_text_is_less_wrong() -> None:
    vectors, texts, right = unit(1, 4), unit(3, 4, seed=1), torch.tensor([1])
    lowered = torch.tensor([[3.0, 0, 0]])
    logits = 5 * vectors @ texts.T - lowered
    found = contrast(vectors, Targets(texts, right, lowered), 5 * ONE)
    torch.testing.assert_close(found, cross_entropy(logits, right))


def test_the_loss_is_of_the_whole_and_the_mean_of_the_parts() -> None:
    """Parts may have texts in other numbers, with right ones of their own."""
    clips = unit(2, 3, 4)
    targets = [
        plain(unit(3, 4, seed=1), torch.tensor([0, 2])),
        plain(unit(5, 4, seed=2), torch.tensor([4, 1])),
        plain(unit(2, 4, seed=3), torch.tensor([0, 1])),
    ]
    found = alignment_loss(clips, targets, 2 * ONE)
    assert set(found) == {"whole", "parts"}
    whole_clip, *each = (contrast(clips[:, k], targets[k], 2 * ONE) for k in range(3))
    torch.testing.assert_close(found["parts"], (each[0] + each[1]) / 2)
    torch.testing.assert_close(found["whole"], whole_clip)


def test_gradients_are_finite_where_texts_are_kept_out() -> None:
    texts = unit(3, 4)
    vectors = normalize(torch.randn(3, 4, generator=torch.Generator().manual_seed(1)), dim=1)
    vectors.requires_grad_()
    scale = torch.tensor(2.0, requires_grad=True)
    apart = torch.tensor([[0, torch.inf, torch.inf], [0, 0, torch.inf], [0, 0, 0]])
    torch.autograd.backward(contrast(vectors, Targets(texts, torch.arange(3), apart), scale, 0.1))
    assert vectors.grad is not None and scale.grad is not None
    assert torch.isfinite(vectors.grad).all() and torch.isfinite(scale.grad)
    assert not vectors.grad[0].any()  # it has no other text to be told from

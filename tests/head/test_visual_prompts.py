"""Eqs. 1 to 3 and what Table 7 leaves out of them, by hand and by property."""

import math
from copy import deepcopy

import pytest
import torch
from torch import Tensor

from starcli.head import visual_prompts
from starcli.head.visual_prompts import MeanToken, MeanTokenQuery, VisualPrompts

pytestmark = pytest.mark.numerical


def literal_branch(branch: VisualPrompts, tokens: Tensor) -> Tensor:
    """Eqs. 1 to 3 head by head and attribute by attribute, nothing merged."""
    width = branch.prompts.shape[1]
    size = width // branch.heads
    rows = []
    for clip in tokens:
        query = branch.prompts @ branch.query.weight.T
        key, value = clip @ branch.key.weight.T, clip @ branch.value.weight.T
        outputs = []
        for h in range(branch.heads):
            part = slice(h * size, (h + 1) * size)
            weights = torch.softmax(query[:, part] @ key[:, part].T / math.sqrt(size), dim=-1)
            outputs.append(weights @ value[:, part])
        mixed = torch.cat(outputs, dim=-1) @ branch.out.weight.T
        augmented = branch.outer(branch.inner(mixed).relu())
        full = branch.prompts @ branch.projection @ augmented.T
        rows.append(full.diagonal())
    return torch.stack(rows)


def test_branch_equals_the_literal_formula_and_its_gradient() -> None:
    torch.manual_seed(0)
    branch = VisualPrompts(5, 8, 2, 9, 0.0, 0.3).double()
    tokens = torch.randn(3, 12, 9, dtype=torch.double)
    ours, literal = branch(tokens), literal_branch(branch, tokens)
    torch.testing.assert_close(ours, literal)
    for mine, theirs in zip(
        torch.autograd.grad(ours.square().sum(), list(branch.parameters())),
        torch.autograd.grad(literal.square().sum(), list(branch.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


def test_branch_by_hand_with_one_attribute_and_one_token() -> None:
    """One token takes all attention: F = p w relu(x v o a) b, all scalars."""
    branch = VisualPrompts(1, 1, 1, 1, 0.0, 1.0)
    values = {"prompts": 2.0, "projection": 3.0}
    with torch.no_grad():
        for name, value in values.items():
            getattr(branch, name).fill_(value)
        for name, value in {"query": 1.0, "key": 1.0, "value": 5.0, "out": 7.0}.items():
            getattr(branch, name).weight.fill_(value)
        branch.inner.weight.fill_(0.5)
        branch.inner.bias.fill_(1.0)
        branch.outer.weight.fill_(0.1)
        branch.outer.bias.fill_(4.0)
    # x = 2: value 10, out 70, inner 36, outer 7.6, times p w = 6.
    assert branch(torch.tensor([[[2.0]]])).item() == pytest.approx(45.6)


def test_attention_by_hand_with_two_tokens() -> None:
    """Scores 0 and ln 3, so weights 1/4 and 3/4 of the values 0 and 4: 3."""
    branch = VisualPrompts(1, 1, 1, 1, 0.0, 1.0)
    with torch.no_grad():
        for parameter in branch.parameters():
            parameter.fill_(1.0)
        branch.key.weight.fill_(math.log(3))
        branch.value.weight.fill_(4.0)
        for layer in (branch.inner, branch.outer):
            layer.bias.zero_()
    tokens = torch.tensor([[[0.0], [1.0]]])
    with torch.no_grad():
        assert branch(tokens).item() == pytest.approx(3.0)
        assert branch.attention(tokens)[0].tolist() == pytest.approx([1 / 4, 3 / 4])


def test_attention_is_the_mean_over_heads_and_attributes() -> None:
    torch.manual_seed(0)
    branch, tokens = VisualPrompts(5, 8, 2, 9, 0.0, 0.3), torch.randn(3, 12, 9)
    query, key = branch.prompts @ branch.query.weight.T, tokens @ branch.key.weight.T
    every = [
        torch.einsum("md,bsd->bms", query[:, own], key[:, :, own]).div(2).softmax(2)
        for own in (slice(0, 4), slice(4, 8))
    ]
    torch.testing.assert_close(branch.attention(tokens), torch.cat(every, 1).mean(1))


def test_attributes_are_separate_rows() -> None:
    """The i-th number depends on the i-th prompt only."""
    torch.manual_seed(0)
    branch, tokens = VisualPrompts(5, 8, 2, 9, 0.0, 0.3), torch.randn(3, 12, 9)
    before = branch(tokens).detach()
    with torch.no_grad():
        branch.prompts[2] += 1
    differs = (branch(tokens) - before).abs().amax(0) > 1e-6
    assert differs.tolist() == [False, False, True, False, False]


def test_order_of_tokens_does_not_matter() -> None:
    torch.manual_seed(0)
    branch, tokens = VisualPrompts(5, 8, 2, 9, 0.0, 0.3), torch.randn(3, 12, 9)
    torch.testing.assert_close(branch(tokens), branch(tokens.flip(1)))


def test_slices_of_clips_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    branch, tokens = VisualPrompts(5, 8, 2, 9, 0.0, 0.3), torch.randn(7, 12, 9)
    whole = branch(tokens)
    monkeypatch.setattr(visual_prompts, "SLICE", 3)
    torch.testing.assert_close(branch(tokens), whole)


def test_inference_follows_every_change_of_the_weights() -> None:
    """What is kept of the weights is computed anew when they change, in whatever way."""
    torch.manual_seed(0)
    branch, tokens = VisualPrompts(5, 8, 2, 9, 0.0, 0.3), torch.randn(3, 12, 9)
    other = VisualPrompts(5, 8, 2, 9, 0.0, 0.3)

    def check() -> None:
        with torch.no_grad():
            kept = branch(tokens.to(branch.prompts.dtype))
        torch.testing.assert_close(kept, branch(tokens.to(branch.prompts.dtype)).detach())

    check()
    optimizer = torch.optim.SGD(branch.parameters(), 0.1)
    branch(tokens).sum().backward()
    optimizer.step()
    check()
    branch.load_state_dict(other.state_dict())
    check()
    branch.double()
    check()
    with torch.inference_mode():
        first, again = branch._products(), branch._products()
    assert first is again


def test_mixed_precision_is_close() -> None:
    torch.manual_seed(0)
    branch, tokens = VisualPrompts(5, 8, 2, 9, 0.0, 0.3), torch.randn(3, 12, 9)
    full = branch(tokens)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = branch(tokens)
    mixed.float().sum().backward()
    torch.testing.assert_close(mixed.float(), full, rtol=0.1, atol=0.1)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in branch.parameters())


def test_without_prompts_the_pooled_token_asks() -> None:
    """Eqs. 1 and 2 with one query, step by step, then the projecting matrix alone."""
    torch.manual_seed(0)
    branch, tokens = MeanTokenQuery(5, 8, 2, 9, 0.0), torch.randn(3, 12, 9)
    query = branch.query(tokens.mean(1))
    key, value = branch.key(tokens), branch.value(tokens)
    heads = []
    for h in (slice(0, 4), slice(4, 8)):
        scores = torch.einsum("bd,bsd->bs", query[:, h], key[:, :, h]) / 2
        heads.append(torch.einsum("bs,bsd->bd", scores.softmax(1), value[:, :, h]))
    mixed = branch.out(torch.cat(heads, 1))
    want = branch.ffn(mixed) @ branch.projection.weight.T
    assert want.shape == (3, 5)
    torch.testing.assert_close(branch(tokens), want)
    weights = branch.attention(tokens)
    first = torch.einsum("bd,bsd->bs", query[:, :4], key[:, :, :4]).div(2).softmax(1)
    second = torch.einsum("bd,bsd->bs", query[:, 4:], key[:, :, 4:]).div(2).softmax(1)
    torch.testing.assert_close(weights, (first + second) / 2)


def test_without_attention_a_part_is_its_pooled_tokens() -> None:
    branch = MeanToken(2, 1)
    with torch.no_grad():
        branch.project.weight.copy_(torch.tensor([[1.0], [2.0]]))
        branch.project.bias.copy_(torch.tensor([0.0, 5.0]))
    tokens = torch.tensor([[[1.0], [3.0]], [[0.0], [-2.0]]])
    assert branch(tokens).tolist() == [[2.0, 9.0], [-1.0, 3.0]]


def test_what_is_kept_for_inference_follows_a_fused_optimiser() -> None:
    """Its steps do not raise the version of the weights that it changes."""
    branch, tokens = VisualPrompts(5, 8, 2, 6, 0.0, 1.0), torch.randn(3, 4, 6)
    adam = torch.optim.AdamW(branch.parameters(), 0.1, fused=True)
    with torch.no_grad():
        before = branch(tokens)
    branch(tokens).square().sum().backward()
    adam.step()
    with torch.no_grad():
        after, fresh = branch(tokens), deepcopy(branch)
        fresh._kept = None
        torch.testing.assert_close(after, fresh(tokens))
    assert not torch.allclose(after, before)

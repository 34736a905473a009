"""The equations of the dual-prompt head, by hand and by property (paper sections 3.3 to 3.5)."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from starcli.contracts import Problem, TextBank, TokenSet, Watch
from starcli.branches import PartBranch
from starcli.head import Star, similarity
from starcli_plugins.layouts import KINECT_V1

SMALL = {"attributes": 5, "width": 8, "heads": 2, "hidden": 6, "batch": 4, "epochs": 3}
SEEN, UNSEEN = (0, 2, 3), (1,)


def make_head(parts: int = 6, seed: int = 0, **settings: object) -> Star:
    generator = torch.Generator().manual_seed(1)
    groups = KINECT_V1.parts[parts]
    vectors = torch.randn(4, 1 + parts, 7, generator=generator)
    bank = TextBank(("a", "b", "c", "d"), ("name", *groups), vectors)
    problem = Problem(KINECT_V1, groups, 9, bank, SEEN, UNSEEN)
    return Star(Star.Settings.model_validate({**SMALL, **settings}), problem, seed)


def random_tokens(count: int = 3, seed: int = 2) -> Tensor:
    return torch.randn(count, 4, 20, 9, generator=torch.Generator().manual_seed(seed))


def literal_branch(branch: PartBranch, tokens: Tensor) -> Tensor:
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
    branch = PartBranch(5, 8, 2, 9, 0.0, 0.3).double()
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
    branch = PartBranch(1, 1, 1, 1, 0.0, 1.0)
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


def test_a_part_depends_on_its_own_joints_only() -> None:
    head, tokens = make_head(), random_tokens()
    before = head.visual(tokens)
    for number, joints in enumerate(KINECT_V1.parts[6].values()):
        changed = tokens.clone()
        changed[:, :, list(joints)] += 1
        differs = (head.visual(changed) - before).abs().amax((1, 2)) > 1e-6
        assert differs.tolist() == [n == number for n in range(6)]


def test_semantic_prompts_are_added_to_their_class_and_part() -> None:
    """Eq. 4: f_si + P_sp, then the part's projector."""
    head = make_head()
    with torch.no_grad():
        head.part_prompts[2, 3] = torch.arange(7.0)
    parts, names = head.semantic(torch.arange(4))
    text = head.part_vectors[2, 3] + torch.arange(7.0)
    torch.testing.assert_close(parts[2, 3], head.part_projectors[2](text))
    torch.testing.assert_close(parts[2, 0], head.part_projectors[2](head.part_vectors[2, 0]))
    torch.testing.assert_close(names[1], head.name_projector(head.name_vectors[1]))


def test_similarity_by_hand() -> None:
    visual, text = torch.tensor([[3.0, 4.0]]), torch.tensor([[3.0, 4.0], [4.0, 3.0]])
    torch.testing.assert_close(similarity(visual, text, "dot"), torch.tensor([[25.0, 24.0]]))
    torch.testing.assert_close(similarity(visual, text, "cosine"), torch.tensor([[1.0, 0.96]]))


def test_losses_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eqs. 5 to 8 on vectors chosen by hand: two parts, two clips, three seen classes."""
    head = make_head(parts=2, similarity="dot", temperature=1.0, alpha=0.3, beta=0.7)
    visual = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 0.0]]])
    parts = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], [[0.5, 0.0], [1.0, 1.0], [0, 0]]])
    names = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    monkeypatch.setattr(head, "visual", lambda tokens: visual)
    monkeypatch.setattr(head, "semantic", lambda classes: (parts, names))

    def entropy(scores: list[float], target: int) -> float:
        return math.log(sum(math.exp(s) for s in scores)) - scores[target]

    targets = torch.tensor([0, 1])
    got = head.losses(torch.zeros(2, 1), targets)
    mpce = [entropy([1, 0, 0], 0), entropy([0, 1, 0], 1),
            entropy([1, 2, 0], 0), entropy([0, 0, 0], 1)]  # fmt: skip
    sce = [entropy([1, 0, 1], 0), entropy([0, 1, 1], 1), entropy([0, 0, 0], 2),
           entropy([0.5, 0, 0.5], 0), entropy([1, 1, 2], 1), entropy([0, 0, 0], 2)]  # fmt: skip
    gce = [entropy([3, 0, 3], 0), entropy([0, 1, 1], 1)]
    want = [sum(mpce) / 4, sum(sce) / 6, sum(gce) / 2]
    assert [got[k].item() for k in ("mpce", "sce", "gce")] == pytest.approx(want)
    total = want[0] + 0.3 * want[1] + 0.7 * want[2]
    assert head.loss(torch.zeros(2, 1), targets).item() == pytest.approx(total)


def test_temperature_divides_the_similarities() -> None:
    cold, warm = make_head(temperature=0.1), make_head(temperature=1.0)
    scores = torch.tensor([[[0.2, 0.1, -0.3]]])
    target = torch.tensor([0])
    torch.testing.assert_close(cold._entropy(scores, target), warm._entropy(scores * 10, target))


def test_text_of_unseen_classes_gets_no_gradient() -> None:
    head = make_head()
    head.loss(random_tokens(), torch.tensor([0, 1, 2])).backward()  # type: ignore[no-untyped-call]
    gradient = head.part_prompts.grad
    assert gradient is not None
    assert gradient[:, list(UNSEEN)].abs().max() == 0
    assert gradient[:, list(SEEN)].abs().amax((0, 2)).min() > 0


def test_every_parameter_learns() -> None:
    head = make_head()
    head.loss(random_tokens(), torch.tensor([0, 1, 2])).backward()  # type: ignore[no-untyped-call]
    dead = [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []


@pytest.mark.parametrize("inference", ["global", "parts", "sum"])
def test_score_covers_all_classes_clip_by_clip(inference: str) -> None:
    head, tokens = make_head(inference=inference), random_tokens()
    scores = head.score(tokens)
    assert scores.shape == (3, 4)
    torch.testing.assert_close(head.score(tokens[1:2]), scores[1:2])


def test_global_score_is_the_summed_feature_against_names() -> None:
    head, tokens = make_head(inference="global", similarity="dot"), random_tokens()
    names = head.semantic(torch.arange(4))[1]
    torch.testing.assert_close(head.score(tokens), head.visual(tokens).sum(0) @ names.T)


def toy_set() -> TokenSet:
    """Each seen class raises another channel: separable."""
    labels = torch.tensor(SEEN * 6)
    tokens = 0.1 * random_tokens(len(labels))
    for row, label in enumerate(labels.tolist()):
        tokens[row, ..., label] += 2
    return TokenSet(
        [tokens], torch.arange(len(labels)), labels, [str(i) for i in range(len(labels))]
    )


def test_fit_learns_a_separable_problem_and_repeats_itself() -> None:
    first, second, train = make_head(epochs=30), make_head(epochs=30), toy_set()
    for head in (first, second):
        head.fit(train, Watch(), seed=5)
    scores = first.score(train.shards[0])
    seen = torch.tensor(SEEN)
    predicted = seen[scores[:, seen].argmax(1)]
    assert (predicted == train.labels).float().mean() > 0.9
    torch.testing.assert_close(second.score(train.shards[0]), scores, rtol=0, atol=0)


def test_tokens_are_standardised_over_the_training_clips() -> None:
    head, train = make_head(epochs=1), toy_set()
    head.fit(train, Watch(), seed=0)
    flat = train.shards[0].flatten(0, 2)
    torch.testing.assert_close(head.mean, flat.mean(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(head.std, flat.std(0, correction=0), atol=1e-5, rtol=1e-4)


def test_initial_weights_follow_the_seed_and_leave_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    one, same, other = make_head(seed=1), make_head(seed=1), make_head(seed=2)
    assert torch.equal(torch.get_rng_state(), state)
    prompts = [head.branches[0].prompts for head in (one, same, other)]
    assert torch.equal(prompts[0], prompts[1])
    assert not torch.equal(prompts[0], prompts[2])


def test_width_must_be_divisible_by_heads() -> None:
    with pytest.raises(ValidationError, match="not a multiple"):
        Star.Settings(width=10, heads=4)


def test_tokens_of_several_shards_are_found() -> None:
    shards = [torch.arange(4.0).reshape(4, 1, 1, 1), torch.arange(4.0, 6).reshape(2, 1, 1, 1)]
    rows = torch.tensor([5, 0, 4, 3])
    tokens = TokenSet(shards, rows, torch.zeros(4), ["w", "x", "y", "z"])
    assert tokens.batch(torch.tensor([0, 3, 2])).flatten().tolist() == [5.0, 3.0, 4.0]

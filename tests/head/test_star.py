"""The equations of the dual-prompt head, by hand and by property (paper sections 3.3 to 3.5).

Eqs. 1 to 3 are in test_branches.py, the settings and ablations in test_head_settings.py.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from starcli.contracts import Problem, TextBank, TokenSet, TrainingCallbacks, views_of
from starcli.errors import DataError, UsageError
from starcli.evaluation.metrics import ScoredClips, predict
from starcli.head.star import Star, similarity
from starcli.head.visual_prompts import MeanTokenQuery, VisualPrompts
from starcli_plugins.layouts import KINECT_V1

pytestmark = pytest.mark.numerical
SMALL = {
    "attributes": 5,
    "width": 8,
    "heads": 2,
    "hidden": 6,
    "batch": 4,
    "epochs": 3,
    "inference": 0.5,
}
SEEN, UNSEEN = (0, 2, 3), (1,)


def make_problem(parts: int) -> Problem:
    generator = torch.Generator().manual_seed(1)
    groups = KINECT_V1.parts[parts]
    vectors = torch.randn(4, 1 + parts, 7, generator=generator)
    bank = TextBank(("a", "b", "c", "d"), ("name", *groups), vectors)
    return Problem(KINECT_V1, groups, 9, bank, SEEN, UNSEEN)


def make_head(parts: int = 6, seed: int = 0, **settings: object) -> Star:
    return Star(Star.Settings.model_validate({**SMALL, **settings}), make_problem(parts), seed)


def random_tokens(count: int = 3, seed: int = 2) -> Tensor:
    return torch.randn(count, 4, 20, 9, generator=torch.Generator().manual_seed(seed))


def test_a_part_depends_on_its_own_joints_only() -> None:
    head, tokens = make_head(), random_tokens()
    before = head.visual(tokens)
    for number, joints in enumerate(KINECT_V1.parts[6].values()):
        changed = tokens.clone()
        changed[:, :, list(joints)] += 1
        differs = (head.visual(changed) - before).abs().amax((1, 2)) > 1e-6
        assert differs.tolist() == [n == number for n in range(6)]


@pytest.mark.parametrize("ablate", [[], ["vap"]])
def test_parts_attend_to_their_own_joints(ablate: list[str]) -> None:
    head, tokens = make_head(ablate=ablate), random_tokens()
    weights, parts = head.attention(tokens), list(KINECT_V1.parts[6].values())
    for part in parts:
        torch.testing.assert_close(weights[:, :, list(part)].sum((1, 2)), torch.ones(3))
    own = head.get_submodule("branches.2")
    assert isinstance(own, VisualPrompts | MeanTokenQuery)
    third = tokens[:, :, list(parts[2])].flatten(1, 2)
    torch.testing.assert_close(weights[:, :, list(parts[2])].flatten(1), own.attention(third))


def test_without_attention_none_is_shown() -> None:
    with pytest.raises(UsageError, match="trained without attention"):
        make_head(ablate=["attention"]).attention(random_tokens())


@pytest.mark.parametrize("settings", [{}, {"initial": "published"}, {"ablate": ["spp"]}])
def test_a_further_class_is_read_without_a_prompt(settings: dict[str, object]) -> None:
    """It scores as a class of the same text whose prompt is zero; the others score as before."""
    head, tokens = make_head(6, 0, **settings), random_tokens()
    before = head.score(tokens)
    bank = make_problem(6).bank
    head.extend(replace(bank, classes=("e",), vectors=bank.vectors[2:3]))
    if "ablate" not in settings:
        with torch.no_grad():
            head.part_prompts[:, 2] = 0
    after = head.score(tokens)
    assert after.shape == (3, 5)
    torch.testing.assert_close(after[:, 4], after[:, 2])
    torch.testing.assert_close(after[:, [0, 1, 3]], before[:, [0, 1, 3]])


def test_swapping_the_persons_changes_nothing() -> None:
    """From the clip on: joint tokens average the persons, so no channel belongs to one of them."""
    from starcli_plugins.backbones.st_gcn import StGcn

    torch.manual_seed(0)
    settings = StGcn.Settings(widths=(6, 9), strides=(2, 2))
    backbone, head = StGcn(settings, KINECT_V1).eval(), make_head()
    clips = torch.randn(3, 3, 16, 20, 2)
    clips[0, ..., 1] = 0
    with torch.inference_mode():
        before, after = (head.visual(backbone(c)) for c in (clips, clips.flip(4)))
    torch.testing.assert_close(after, before)


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


def test_skeleton_features_without_prompts_are_mean_tokens() -> None:
    """Of every part, standardised, and summed over the parts; with prompts, F_v^e summed."""
    head, tokens = make_head(), random_tokens()
    head.mean.copy_(torch.arange(9.0))
    head.std.fill_(2.0)
    groups = KINECT_V1.parts[6].values()
    by_hand = sum((tokens[:, :, list(g)].mean((1, 2)) - torch.arange(9.0)) / 2 for g in groups)
    torch.testing.assert_close(head.skeleton_features(tokens, prompted=False), by_hand)
    prompted = head.skeleton_features(tokens, prompted=True)
    torch.testing.assert_close(prompted, head.visual(tokens).sum(0))


def test_semantic_features_without_prompts_are_projected_texts() -> None:
    head, ids = make_head(initial="published"), torch.tensor([3, 1])
    without = head.semantic_features(ids, prompted=False)
    torch.testing.assert_close(without[:, 0], head.name_projector(head.name_vectors[ids]))
    text = head.part_vectors[2, ids]
    torch.testing.assert_close(without[:, 3], head.part_projectors[2](text))
    prompted = head.semantic_features(ids, prompted=True)
    torch.testing.assert_close(prompted[:, 0], without[:, 0])
    sharpened = text + head.part_prompts[2, ids]
    torch.testing.assert_close(prompted[:, 3], head.part_projectors[2](sharpened))


@pytest.mark.parametrize("left_out", ["vap", "attention", "spp"])
def test_a_head_without_prompts_shows_none(left_out: str) -> None:
    head = make_head(ablate=[left_out])
    with pytest.raises(UsageError, match=f"trained without {left_out}"):
        head.skeleton_features(random_tokens(), prompted=False)
        head.semantic_features(torch.arange(4), prompted=False)


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
    mpce = [
        entropy([1, 0, 0], 0),
        entropy([0, 1, 0], 1),
        entropy([1, 2, 0], 0),
        entropy([0, 0, 0], 1),
    ]
    sce = [
        entropy([1, 0, 1], 0),
        entropy([0, 1, 1], 1),
        entropy([0, 0, 0], 2),
        entropy([0.5, 0, 0.5], 0),
        entropy([1, 1, 2], 1),
        entropy([0, 0, 0], 2),
    ]
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


def test_semantic_entropy_over_all_classes_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eq. 6 of the published code: every class's text against all names."""
    head = make_head(parts=2, semantic_classes="all", temperature=0.5, semantic_similarity="dot")
    parts = torch.tensor([[[1.0], [0.0], [2.0], [0.0]], [[0.0], [0.0], [0.0], [1.0]]])
    names = torch.tensor([[1.0], [0.0], [0.0], [3.0]])
    monkeypatch.setattr(head, "semantic", lambda classes: (parts[:, classes], names[classes]))
    rows = [[x * n / 0.5 for n in (1, 0, 0, 3)] for x in (1, 0, 2, 0, 0, 0, 0, 1)]
    want = [math.log(sum(map(math.exp, row))) - row[i % 4] for i, row in enumerate(rows)]
    visual = torch.zeros(2, 3, 1)
    monkeypatch.setattr(head, "visual", lambda tokens: visual)
    got = head.losses(torch.zeros(3, 1), torch.tensor([0, 1, 2]))
    assert got["sce"].item() == pytest.approx(sum(want) / 8)
    # The other two stay among the seen classes: three equal scores.
    assert got["mpce"].item() == pytest.approx(math.log(3))


def test_semantic_entropy_over_all_classes_learns_from_unseen_text() -> None:
    head = make_head(semantic_classes="all")
    head.loss(random_tokens(), torch.tensor([0, 1, 2])).backward()  # type: ignore[no-untyped-call]
    gradient = head.part_prompts.grad
    assert gradient is not None
    assert gradient.abs().amax((0, 2)).min() > 0


def test_every_parameter_learns() -> None:
    head = make_head()
    head.loss(random_tokens(), torch.tensor([0, 1, 2])).backward()  # type: ignore[no-untyped-call]
    dead = [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []


@pytest.mark.parametrize("inference", ["global", "parts", "auto", 0.5])
def test_score_covers_all_classes_clip_by_clip(inference: str | float) -> None:
    head, tokens = make_head(inference=inference), random_tokens()
    scores = head.score(tokens)
    assert scores.shape == (3, 4)
    torch.testing.assert_close(head.score(tokens[1:2]), scores[1:2])


def test_score_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sum of the parts against names, mean of part against part text, and shares of both."""
    head = make_head(parts=2, similarity="dot", inference=0.25)
    visual = torch.tensor([[[1.0, 0.0]], [[2.0, 1.0]]])
    parts = torch.tensor([[[2.0, 0.0], [0.0, 1.0]], [[0.0, 4.0], [1.0, 1.0]]])
    names = torch.tensor([[1.0, 0.0], [0.0, 5.0]])
    monkeypatch.setattr(head, "visual", lambda tokens: visual)
    monkeypatch.setattr(head, "semantic", lambda classes: (parts, names))
    by_name, by_part = [3.0, 5.0], [(2 + 4) / 2, (0 + 3) / 2]
    for share in (0.0, 0.25, 0.5, 1.0):
        head.choose(share)
        want = [(1 - share) * n + share * p for n, p in zip(by_name, by_part, strict=True)]
        assert head.score(torch.zeros(1)).tolist() == [pytest.approx(want)]


def test_prediction_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eq. 9: gamma off the seen classes turns the prediction once it passes the gap of 0.5."""
    head = make_head(parts=2, similarity="dot", inference="global")
    visual = torch.tensor([[[1.0, 1.0]], [[1.0, 0.0]]])
    names = torch.tensor([[1.0, 0.0], [0.75, 0.0], [0.0, 0.5], [0.0, 0.0]])
    monkeypatch.setattr(head, "visual", lambda tokens: visual)
    monkeypatch.setattr(head, "semantic", lambda classes: (torch.zeros(2, 4, 2), names))
    scores = head.score(torch.zeros(1)).double().numpy()
    judged = ScoredClips(scores, np.array([1]), SEEN, UNSEEN)
    assert scores.tolist() == [[2.0, 1.5, 0.5, 0.0]]
    assert [int(predict(judged, gamma)[0]) for gamma in (0.0, 0.4, 0.6)] == [0, 0, 1]


@pytest.mark.parametrize(("inference", "share"), [("global", 0.0), ("parts", 1.0), (0.5, 0.5)])
def test_inference_is_a_share_of_the_parts(inference: str | float, share: float) -> None:
    head, tokens = make_head(inference=inference), random_tokens()
    assert head.share.item() == share
    scores = head.score(tokens)
    head.choose(share)
    torch.testing.assert_close(head.score(tokens), scores, rtol=0, atol=0)


def test_variants_are_scores_after_choosing_and_the_choice_is_kept() -> None:
    head, other, tokens = (*(make_head(inference="auto") for _ in "ab"), random_tokens())
    assert make_head(inference="parts").variants == ()
    found = head.score_variants(tokens)
    assert found.shape == (len(head.variants), 3, 4)
    for variant, scores in zip(head.variants, found, strict=True):
        head.choose(variant)
        torch.testing.assert_close(head.score(tokens), scores)
    other.load_state_dict(head.state_dict())
    torch.testing.assert_close(other.score(tokens), head.score(tokens), rtol=0, atol=0)


def toy_set() -> TokenSet:
    """Each seen class raises another channel: separable."""
    labels = torch.tensor(SEEN * 6)
    tokens = 0.1 * random_tokens(len(labels))
    for row, label in enumerate(labels.tolist()):
        tokens[row, ..., label] += 2
    return TokenSet(
        [tokens], torch.arange(len(labels)), labels, [str(i) for i in range(len(labels))]
    )


def test_augmented_copies_take_a_clips_place_in_half_of_the_draws() -> None:
    plain, rows = toy_set(), torch.arange(len(SEEN) * 6)
    copies = TokenSet([plain.batch(rows) + 100], rows, plain.labels, plain.names)
    both = replace(plain, views={"augmented": copies})
    ids, draws = torch.tensor([4, 0, 4, 7]), torch.tensor([[0.2], [0.49], [0.5], [0.9]])
    head = make_head(augment=True)
    assert views_of(Star, head.settings) == ("augmented",)
    want = plain.batch(ids) + torch.tensor([100.0, 100, 0, 0])[:, None, None, None]
    torch.testing.assert_close(head._batch(both, ids, draws), want)
    other = make_head()
    assert views_of(Star, other.settings) == ()
    torch.testing.assert_close(other._batch(plain, ids, draws), plain.batch(ids))
    for learner in (head, other):
        learner.fit(both, TrainingCallbacks(), seed=0)
    assert not torch.equal(
        head.get_parameter("name_projector.0.weight"),
        other.get_parameter("name_projector.0.weight"),
    )


@pytest.mark.slow
def test_fit_learns_a_separable_problem_and_repeats_itself() -> None:
    first, second, train = make_head(epochs=30), make_head(epochs=30), toy_set()
    for head in (first, second):
        head.fit(train, TrainingCallbacks(), seed=5)
    scores = first.score(train.shards[0])
    seen = torch.tensor(SEEN)
    predicted = seen[scores[:, seen].argmax(1)]
    assert (predicted == train.labels).float().mean() > 0.9
    torch.testing.assert_close(second.score(train.shards[0]), scores, rtol=0, atol=0)


def test_tokens_are_standardised_over_the_training_clips() -> None:
    head, train = make_head(epochs=1), toy_set()
    head.fit(train, TrainingCallbacks(), seed=0)
    flat = train.shards[0].flatten(0, 2)
    torch.testing.assert_close(head.mean, flat.mean(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(head.std, flat.std(0, correction=0), atol=1e-5, rtol=1e-4)


def test_initial_weights_follow_the_seed_and_leave_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    one, same, other = make_head(seed=1), make_head(seed=1), make_head(seed=2)
    assert torch.equal(torch.get_rng_state(), state)
    prompts = [head.get_parameter("branches.0.prompts") for head in (one, same, other)]
    assert torch.equal(prompts[0], prompts[1])
    assert not torch.equal(prompts[0], prompts[2])


def test_tokens_may_stay_as_they_are() -> None:
    head = make_head(epochs=1, standardise=False)
    head.fit(toy_set(), TrainingCallbacks(), seed=0)
    assert (head.mean == 0).all()
    assert (head.std == 1).all()


def test_tokens_of_another_layout_or_width_are_refused_c18() -> None:
    head = make_head()
    for shape in ((2, 4, 25, 9), (2, 4, 20, 8)):
        with pytest.raises(DataError, match=f"tokens of {shape[2]} joints and width {shape[3]}"):
            head.score(torch.zeros(shape))


def test_a_text_bank_of_other_parts_is_refused_c18() -> None:
    problem = make_problem(6)
    with pytest.raises(DataError, match=r"facets name, head.*the method reads name, upper"):
        Star(Star.Settings(), replace(problem, parts=KINECT_V1.parts[2]), 0)


def test_a_class_both_seen_and_unseen_is_refused() -> None:
    with pytest.raises(DataError, match="class 'c' is both seen and unseen"):
        Star(Star.Settings(), replace(make_problem(6), unseen=(1, 2)), 0)


def test_tokens_of_several_shards_are_found() -> None:
    shards = [torch.arange(4.0).reshape(4, 1, 1, 1), torch.arange(4.0, 6).reshape(2, 1, 1, 1)]
    rows = torch.tensor([5, 0, 4, 3])
    tokens = TokenSet(shards, rows, torch.zeros(4), ["w", "x", "y", "z"])
    assert tokens.batch(torch.tensor([0, 3, 2])).flatten().tolist() == [5.0, 3.0, 4.0]

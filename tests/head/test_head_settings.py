"""What the settings of the dual-prompt head change, and what they refuse."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from starcli.conformance.methods import learns_from_unseen_text
from starcli.contracts import TrainingCallbacks, is_transductive
from starcli.head.star import Star
from starcli.head.visual_prompts import MeanToken, MeanTokenQuery, VisualPrompts
from starcli.registry import load
from tests.head.test_star import make_head, random_tokens, toy_set

pytestmark = pytest.mark.numerical
TARGETS = torch.tensor([0, 1, 2])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["attention", "vap", "spp", "mpce", "sce", "gce"])
def test_every_ablation_trains_and_scores(name: str) -> None:
    head, train = make_head(ablate=(name,)), toy_set()
    head.fit(train, TrainingCallbacks(), seed=0)
    assert head.score(train.shards[0]).isfinite().all()


@pytest.mark.parametrize(
    ("ablate", "kind"),
    [((), VisualPrompts), (("vap",), MeanTokenQuery), (("attention",), MeanToken)],
)
def test_the_visual_ablations_change_the_branches_only(
    ablate: tuple[str, ...], kind: type[torch.nn.Module]
) -> None:
    head = make_head(ablate=ablate)
    assert {type(branch) for branch in head.branches} == {kind}
    assert set(head.losses(random_tokens(), TARGETS)) == {"mpce", "sce", "gce"}


def test_without_semantic_prompts_texts_are_projected_as_they_are() -> None:
    head = make_head(ablate=("spp",))
    assert "part_prompts" not in dict(head.named_parameters())
    parts, _ = head.semantic(torch.arange(4))
    torch.testing.assert_close(parts[1], head.part_projectors[1](head.part_vectors[1]))


def test_a_loss_left_out_is_a_term_less() -> None:
    full = make_head(alpha=0.3, beta=0.7)
    terms = full.losses(random_tokens(), TARGETS)
    weights = {"mpce": 1.0, "sce": 0.3, "gce": 0.7}
    for name in weights:
        head = make_head(alpha=0.3, beta=0.7, ablate=(name,))
        want = sum(w * terms[k] for k, w in weights.items() if k != name)
        torch.testing.assert_close(head.loss(random_tokens(), TARGETS), want)


def test_ablations_in_any_order_are_the_same_setting() -> None:
    one, other = (Star.Settings(ablate=names) for names in (("vap", "spp"), ("spp", "vap", "spp")))
    assert one == other
    assert one.ablate == ("spp", "vap")
    ends = [Star.Settings(inference=share) for share in (0.0, 1.0, 0.25)]
    assert [settings.inference for settings in ends] == ["global", "parts", 0.25]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"width": 10, "heads": 4}, "not a multiple"),
        ({"ablate": ["mpce", "gce"]}, "nothing is learned from clips"),
        ({"ablate": ["attention", "vap"]}, "no prompts vap could leave out"),
        ({"ablate": ["va"]}, "'attention', 'vap'"),
        ({"inference": 1.5}, "less than or equal to 1"),
        ({"inference": "best"}, "'auto'"),
        ({"semantic_classes": "unseen"}, "'seen' or 'all'"),
        ({"optimizer": "adam"}, "'adamw' or 'sgd'"),
        ({"temperature": 0}, "greater than 0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Star.Settings.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "transductive"),
    [
        ({}, False),
        ({"semantic_classes": "all"}, True),
        ({"semantic_classes": "all", "ablate": ("sce",)}, False),
    ],
)
def test_transductive_is_what_learns_from_unseen_text(
    settings: dict[str, Any], transductive: bool
) -> None:
    small = Star.Settings(attributes=8, width=8, heads=1, hidden=8, **settings)
    assert is_transductive(Star, small) is transductive
    assert learns_from_unseen_text(load("method", "star"), small) is transductive


def test_similarity_of_the_semantic_entropy_may_differ() -> None:
    """The published code: cosine in eqs. 5 and 7, dot product in eq. 6."""
    cosine, dot, mixed = (
        make_head(similarity=kind, semantic_similarity=own).losses(random_tokens(), TARGETS)
        for kind, own in (("cosine", "same"), ("dot", "same"), ("cosine", "dot"))
    )
    assert mixed["mpce"] == cosine["mpce"]
    assert mixed["gce"] == cosine["gce"]
    assert mixed["sce"] == dot["sce"] != cosine["sce"]


def test_published_initial_weights_are_standard_normal() -> None:
    published = make_head(width=64, initial="published")
    scaled = make_head(width=64)
    for branch in published.branches.children():
        assert isinstance(branch, VisualPrompts)
        assert branch.projection.std().item() == pytest.approx(1, abs=0.05)
    assert published.part_prompts.std().item() == pytest.approx(1, abs=0.2)
    branch = scaled.branches[0]
    assert isinstance(branch, VisualPrompts)
    assert branch.projection.std().item() == pytest.approx(1 / 8, abs=0.01)
    assert (scaled.part_prompts == 0).all()


@pytest.mark.slow
def test_the_papers_optimiser_and_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    """SGD with Nesterov momentum; lr 0.001, a tenth of it after 20 and again after 30 epochs."""
    head, rates = (
        make_head(optimizer="sgd", schedule="steps", warmup=0.0, epochs=40, batch=100, lr=1e-3),
        [],
    )
    optimizer = head._optimizer()
    monkeypatch.setattr(head, "_optimizer", lambda: optimizer)
    callbacks = TrainingCallbacks(
        after_epoch=lambda epoch: rates.append(optimizer.param_groups[0]["lr"])
    )
    head.fit(toy_set(), callbacks, seed=0)
    assert isinstance(optimizer, torch.optim.SGD)
    group = optimizer.param_groups[0]
    assert (group["momentum"], group["nesterov"], group["weight_decay"]) == (0.9, True, 5e-4)
    assert rates == pytest.approx([1e-3] * 20 + [1e-4] * 10 + [1e-5] * 10)


def test_the_score_of_parts_alone_is_their_mean() -> None:
    head, tokens = make_head(inference="parts"), random_tokens()
    by_part = head.part_scores(tokens)
    torch.testing.assert_close(by_part.mean(0), head.score(tokens))
    assert by_part.shape[0] == len(head.groups)
    other = tokens.clone()
    other[:, :, list(head.groups[0])] += 1
    moved = (head.part_scores(other) - by_part).abs().amax((1, 2)) > 1e-6
    assert moved.tolist() == [True] + [False] * (len(head.groups) - 1)

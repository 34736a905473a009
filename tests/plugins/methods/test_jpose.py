"""JPoSE: triplets of verbs, nouns and actions."""

import pytest
import torch

from starcli.contracts import TextBank
from starcli_plugins.methods.jpose import JPose, triplet
from tests import toy_problem as toy

pytestmark = pytest.mark.numerical


def make(**settings: float) -> JPose:
    return JPose(JPose.Settings.model_validate({"embedding": 4, **settings}), toy.problem(), 0)


def test_triplets_by_hand() -> None:
    anchors, others = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.5], [2.0], [1.0]])
    positive = torch.tensor([[True, False, False], [False, True, False]])
    negative = torch.tensor([[False, True, True], [False, False, True]])
    # Anchor 0: 1 + 0.25 - 4 < 0 and 1 + 0.25 - 1 = 0.25. Anchor 1: 1 + 1 - 0 = 2.
    found = triplet(anchors, others, positive, negative, 1.0)
    assert found.item() == pytest.approx((0 + 0.25 + 2) / 3)


def test_no_triplet_is_no_loss() -> None:
    none = torch.zeros(2, 2, dtype=torch.bool)
    assert triplet(torch.ones(2, 1), torch.ones(2, 1), none, ~none, 1.0).item() == 0


def test_the_four_directions_have_their_weights() -> None:
    clips, texts = torch.randn(4, 3), torch.randn(3, 3)
    same, targets = torch.eye(3, dtype=torch.bool), torch.tensor([0, 1, 1, 2])
    across, among = same[targets], same[targets][:, targets]
    others = among & ~torch.eye(4, dtype=torch.bool)
    names = ("clip_text", "text_clip", "clip_clip", "text_text")
    expected = (
        triplet(clips, texts, across, ~across, 1.0),
        triplet(texts, clips, across.T, ~across.T, 1.0),
        triplet(clips, clips, others, ~among, 1.0),
        triplet(texts, texts, same, ~same, 1.0),
    )
    for name, value in zip(names, expected, strict=True):
        alone = make(**{**dict.fromkeys(names, 0.0), name: 3.0})
        found = alone.losses(clips, texts, same, targets)
        torch.testing.assert_close(found, 3 * value)


def test_classes_with_the_same_verb_are_no_negatives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen classes 0 and 1 share the verb, not the noun; as actions they differ."""
    bank = toy.bank()
    vectors = bank.vectors.clone()
    vectors[toy.SEEN[1], 2] = 3 * vectors[toy.SEEN[0], 2]  # the same words, another length
    problem = toy.problem(bank=TextBank(bank.classes, bank.facets, vectors))
    method = JPose(JPose.Settings(embedding=4), problem, 0)
    same: list[torch.Tensor] = []

    def losses(
        clips: torch.Tensor, texts: torch.Tensor, alike: torch.Tensor, targets: object
    ) -> torch.Tensor:
        same.append(alike)
        return torch.zeros(())

    monkeypatch.setattr(method, "losses", losses)
    method.loss(torch.randn(2, 3 * toy.WIDTH), torch.tensor([0, 1]))
    verbs, nouns, actions = same
    assert verbs[0, 1] and verbs[1, 0] and verbs.sum() == len(toy.SEEN) + 2
    assert torch.equal(nouns, torch.eye(len(toy.SEEN), dtype=torch.bool))
    assert torch.equal(actions, torch.eye(len(toy.SEEN), dtype=torch.bool))


def test_the_score_is_the_mean_cosine_of_verb_and_noun() -> None:
    method, clips = make(), torch.randn(2, 3 * toy.WIDTH)
    mine, text = method.embed_clips(clips), method.embed_text(torch.arange(toy.CLASSES))
    cosines = torch.stack([a @ b.T for a, b in zip(mine, text, strict=True)])
    torch.testing.assert_close(method.compare(clips), cosines.mean(0))

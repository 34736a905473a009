"""Classes with the same text of a part share its target in eq. 5 (`method.shared_texts`)."""

import math

import pytest
import torch

from starcli.head.star import Star, text_targets
from tests.head.test_star import SMALL, make_head, make_problem, random_tokens

pytestmark = pytest.mark.numerical


def test_targets_of_texts_by_hand() -> None:
    """In the first part classes 0 and 2 say the same, in the second all three do."""
    texts = torch.tensor([[[1.0, 2.0], [1.0, 3.0], [1.0, 2.0]], [[0.0, 1.0]] * 3])
    want = torch.tensor([[[0.5, 0, 0.5], [0, 1, 0], [0.5, 0, 0.5]], [[1 / 3] * 3] * 3])
    torch.testing.assert_close(text_targets(texts), want)


def test_where_all_texts_differ_a_class_is_its_own_target() -> None:
    assert text_targets(torch.tensor([[[1.0, 2.0], [2.0, 1.0]]])) is None
    assert make_head().text_targets is None


def head_of_repeated_texts(**settings: object) -> Star:
    """Classes 0 and 3 say the same of the first part."""
    problem = make_problem(2)
    problem.bank.vectors[3, 1] = problem.bank.vectors[0, 1]
    return Star(Star.Settings.model_validate({**SMALL, **settings}), problem, 0)


def test_part_entropy_of_a_repeated_text_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eq. 5 for a clip of class 0, the first of the seen classes 0, 2 and 3."""
    visual = torch.ones(2, 1, 1)
    parts = torch.tensor([[[1.0], [2.0], [3.0]], [[1.0], [0.0], [0.0]]])
    first, second = (math.log(sum(map(math.exp, row))) for row in ([1, 2, 3], [1, 0, 0]))
    choices: list[tuple[dict[str, object], float]] = [
        ({}, first - (1 + 3) / 2),
        ({"shared_texts": False}, first - 1),
    ]
    for settings, want in choices:
        head = head_of_repeated_texts(**settings, similarity="dot", temperature=1.0)
        monkeypatch.setattr(head, "visual", lambda tokens: visual)
        monkeypatch.setattr(head, "semantic", lambda classes: (parts, torch.zeros(3, 1)))
        got = head.losses(torch.zeros(1, 1), torch.tensor([0]))
        assert got["mpce"].item() == pytest.approx((want + second - 1) / 2)


@pytest.mark.parametrize("shared", [True, False])
def test_prompts_of_a_repeated_text_part_only_where_targets_do(shared: bool) -> None:
    """What clips teach the prompts of two classes with the same text is the same, or not."""
    head = head_of_repeated_texts(shared_texts=shared, ablate=["sce", "gce"])
    loss = head.loss(random_tokens(), torch.tensor([0, 0, 1]))
    [gradient] = torch.autograd.grad(loss, head.part_prompts)
    assert gradient[0, 0].abs().max() > 0
    assert torch.allclose(gradient[0, 0], gradient[0, 3]) is shared
    assert not torch.allclose(gradient[1, 0], gradient[1, 3])


def test_a_saved_head_has_no_targets() -> None:
    """They follow from the texts: heads saved with and without them are alike."""
    assert "text_targets" not in head_of_repeated_texts().state_dict()


def test_without_prompts_repeated_texts_teach_the_same_either_way() -> None:
    """Equal texts have equal scores: no target can tell them apart."""
    losses = []
    for shared in (True, False):
        head = head_of_repeated_texts(shared_texts=shared, ablate=["spp"])
        losses.append(head.loss(random_tokens(), torch.tensor([0, 1, 2])))
    torch.testing.assert_close(*losses)

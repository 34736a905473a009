"""The relation network: episodes, relations, their error."""

import math

import pytest
import torch

from starcli_plugins.methods.relation_net import RelationNet
from tests import toy_problem as toy

pytestmark = pytest.mark.numerical


def make(**changes: object) -> RelationNet:
    return RelationNet(RelationNet.Settings(hidden=5), toy.problem(**changes), 0)


def test_relations_are_the_two_networks_on_each_pair() -> None:
    method, clips = make(), torch.randn(3, 3 * toy.WIDTH)
    text = method.text[0, :2]
    found = method.relations(clips, text)
    for b in range(3):
        for c in range(2):
            pair = torch.cat([clips[b], method.attribute(text[c])])
            assert found[b, c].item() == pytest.approx(method.relation(pair).item(), abs=1e-6)


def test_the_error_of_an_episode_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions 0 and 2 of the seen classes occur: relations with these two only are regressed."""
    method = make()
    asked: list[torch.Tensor] = []

    def relations(clips: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        asked.append(text)
        return torch.tensor([[math.log(3.0), 0.0], [-math.log(3.0), 0.0], [0.0, math.log(3.0)]])

    monkeypatch.setattr(method, "relations", relations)
    loss = method.loss(torch.zeros(3, 3 * toy.WIDTH), torch.tensor([2, 0, 2]))
    torch.testing.assert_close(asked[0], method.text[0, [toy.SEEN[0], toy.SEEN[2]]])
    # Sigmoids [0.75, 0.5], [0.25, 0.5], [0.5, 0.75] against [0, 1], [1, 0], [0, 1].
    errors = [0.75, -0.5, -0.75, 0.5, 0.5, -0.25]
    assert loss.item() == pytest.approx(sum(e**2 for e in errors) / 6)


def test_only_the_attribute_network_decays() -> None:
    method = make()
    attribute, relation = method.optimizer().param_groups
    assert (attribute["weight_decay"], relation["weight_decay"]) == (1e-5, 0)
    assert len(attribute["params"]) == len(relation["params"]) == 4

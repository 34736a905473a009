"""Rules of backbones."""

from __future__ import annotations

import copy
import re

import torch
from pydantic import BaseModel
from torch import Tensor

from starcli.contracts import (
    Backbone,
    DecayFactors,
    Layout,
    PartPure,
    PretrainRecipes,
    PublishedWeights,
    tokens_of,
)

FRAMES = 32
CHAIN = Layout(
    "chain-9",
    tuple(f"joint {i}" for i in range(9)),
    tuple((i, i - 1) for i in range(1, 9)),
    {2: {"upper": (0, 1, 2, 3), "lower": (4, 5, 6, 7, 8)}},
    origin=0,
    centre=4,
    across=(2, 6),
)
"""Nine joints in a row: no layout that a network could have built in."""
STAR = Layout(
    "star-6",
    tuple(f"joint {i}" for i in range(6)),
    tuple((i, 0) for i in range(1, 6)),
    {2: {"upper": (0, 1, 2), "lower": (3, 4, 5)}},
    origin=0,
    centre=0,
    across=(1, 2),
)

ENDS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
BODY = Layout(
    "body-13",
    ("head", *(f"{side} {end}" for end in ENDS for side in ("left", "right"))),
    ((1, 0), (2, 0), *((joint, joint - 2) for joint in range(3, 13))),
    {3: {"head": (0,), "arm": (1, 2, 3, 4, 5, 6), "leg": (7, 8, 9, 10, 11, 12)}},
    origin=0,
    centre=0,
    across=(1, 2),
)
"""Thirteen joints with names, as a network might look for them."""


def network(plugin: type[Backbone], settings: BaseModel, layout: Layout = CHAIN) -> Backbone:
    """The network in eval mode, its weights and statistics away from where they start."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = plugin(settings, layout)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
            for name, value in net.named_buffers():
                if name.endswith("running_mean"):
                    value.normal_(0, 0.1)
                elif name.endswith("running_var"):
                    value.uniform_(0.5, 1.5)
    return net.eval()


def clips(batch: int = 3, persons: int = 2, layout: Layout = CHAIN) -> Tensor:
    """Made-up clips [B, 3, T, V, M]."""
    source = torch.Generator().manual_seed(1)
    return torch.randn(batch, 3, FRAMES, len(layout.joints), persons, generator=source)


def close(got: Tensor, expected: Tensor, what: str) -> None:
    """Equal but for rounding."""
    largest = float(expected.abs().max())
    difference = float((got - expected).abs().max())
    assert difference <= 1e-4 * max(largest, 1e-6), f"{what}: differs by {difference:.3g}"


@torch.no_grad()
def tokens_have_the_promised_shape(plugin: type[Backbone], settings: BaseModel) -> None:
    """[B, 3, T, V, M] -> float32 [B, T // stride, V, dim], on any layout; V + 1 if `WholeBody`."""
    for layout in (CHAIN, STAR):
        net = network(plugin, settings, layout)
        tokens = net(clips(layout=layout))
        expected = (3, FRAMES // net.stride, tokens_of(net, layout), net.dim)
        assert tuple(tokens.shape) == expected, (
            f"expected {expected} as promised, got {tuple(tokens.shape)}"
        )
        assert tokens.dtype == torch.float32
        assert torch.isfinite(tokens).all()


@torch.no_grad()
def same_clips_same_tokens(plugin: type[Backbone], settings: BaseModel) -> None:
    """In eval mode nothing is drawn and nothing is remembered."""
    net, x = network(plugin, settings), clips()
    first = net(x)
    assert torch.equal(net(x), first)


@torch.no_grad()
def a_clip_is_encoded_alone(plugin: type[Backbone], settings: BaseModel) -> None:
    """The tokens of a clip do not depend on the clips beside it."""
    net, x = network(plugin, settings), clips()
    close(net(x[1:2]), net(x)[1:2], "a clip alone")


@torch.no_grad()
def the_input_is_not_changed(plugin: type[Backbone], settings: BaseModel) -> None:
    """The clips are the caller's."""
    net, x = network(plugin, settings), clips()
    before = x.clone()
    net(x)
    assert torch.equal(x, before)


@torch.no_grad()
def persons_are_alike(plugin: type[Backbone], settings: BaseModel) -> None:
    """Swapping the persons changes nothing."""
    net, x = network(plugin, settings), clips()
    close(net(x.flip(4)), net(x), "persons swapped")


@torch.no_grad()
def an_absent_person_is_finite(plugin: type[Backbone], settings: BaseModel) -> None:
    """A person of zeros, or zeros alone, gives numbers."""
    net, x = network(plugin, settings), clips()
    x[:, :, :, :, 1] = 0
    x[0] = 0
    assert torch.isfinite(net(x)).all()


@torch.no_grad()
def one_person_is_enough(plugin: type[Backbone], settings: BaseModel) -> None:
    """Clips of a single person are encoded as well."""
    net = network(plugin, settings)
    tokens = net(clips(persons=1))
    assert tokens.shape[0] == 3 and torch.isfinite(tokens).all()


def gradient_reaches_every_parameter(plugin: type[Backbone], settings: BaseModel) -> None:
    """Every parameter learns."""
    net = network(plugin, settings).train()
    with torch.random.fork_rng():
        torch.manual_seed(2)
        tokens = net(clips())
        torch.autograd.backward((tokens * torch.randn_like(tokens)).sum())
    still = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still, f"no gradient in {', '.join(still[:3])}"


@torch.no_grad()
def the_state_is_all_there_is(plugin: type[Backbone], settings: BaseModel) -> None:
    """The state dict, through safetensors, makes another network the same."""
    from safetensors.torch import load, save

    net, x = network(plugin, settings), clips()
    state = {name: value.contiguous() for name, value in net.state_dict().items()}
    other = plugin(settings, CHAIN).eval()
    other.load_state_dict(load(save(copy.deepcopy(state))))
    close(other(x), net(x), "after a round trip of its state")


def building_draws_from_the_global_generator_alone(
    plugin: type[Backbone], settings: BaseModel
) -> None:
    """The same seed builds the same network: `pretrain` seeds it."""
    states = []
    for _ in range(2):
        with torch.random.fork_rng():
            torch.manual_seed(3)
            states.append(plugin(settings, CHAIN).state_dict())
    different = [n for n in states[0] if not torch.equal(states[0][n], states[1][n])]
    assert not different, f"differs: {', '.join(different[:3])}"


def weight_decay_is_of_its_parameters(plugin: type[Backbone], settings: BaseModel) -> None:
    """Every pattern of `decay_factors` is found in the name of a parameter."""
    net = network(plugin, settings)
    if not isinstance(net, DecayFactors):
        return
    names = [name for name, _ in net.named_parameters()]
    for pattern, factor in net.decay_factors.items():
        assert factor >= 0, f"{pattern}: factor {factor}"
        assert any(re.search(pattern, name) for name in names), f"no parameter has {pattern!r}"


def recipes_say_how_to_pretrain(plugin: type[Backbone], settings: BaseModel) -> None:
    """One of `recipes` is `light`, and each sets what concerns the backbone and its clips."""
    offered: object = plugin
    if not isinstance(offered, PretrainRecipes):
        return
    assert "light" in offered.recipes, f"no recipe light, only {', '.join(offered.recipes)}"
    for name, recipe in offered.recipes.items():
        odd = [
            key
            for key in recipe
            if key.partition(".")[0] not in ("backbone", "extract", "prepare", "pretrain")
        ]
        assert not odd, f"recipe {name} sets {', '.join(odd)}"


def unknown_weights_are_not_renamed(plugin: type[Backbone], settings: BaseModel) -> None:
    """Of tensors whose names it does not know, `published` makes nothing."""
    net = network(plugin, settings)
    if isinstance(net, PublishedWeights):
        assert not net.published({"no.such.network.weight": torch.zeros(2, 2)})


@torch.no_grad()
def parts_depend_on_what_they_read(plugin: type[Backbone], settings: BaseModel) -> None:
    """Of a `PartPure` backbone, a part's token stays where joints move that it does not read."""
    for layout in (CHAIN, STAR, BODY):
        net = network(plugin, settings, layout)
        if not isinstance(net, PartPure):
            return
        finest = layout.parts[max(layout.parts)]
        assert net.reads.keys() == finest.keys(), f"reads of {', '.join(net.reads)}"
        x = clips(layout=layout)
        before = net(x)
        for part, own in finest.items():
            others = [j for j in range(len(layout.joints)) if j not in net.reads[part]]
            assert set(own) <= set(net.reads[part]) and others, f"{part} reads every joint"
            moved = x.clone()
            moved[:, :, :, others] += clips(layout=layout).flip(2)[:, :, :, others]
            after = net(moved)
            assert torch.equal(after[:, :, own], before[:, :, own]), f"{part} reads another part"
            assert not torch.equal(after, before), f"no part reads what {part} does not"


RULES = (
    tokens_have_the_promised_shape,
    same_clips_same_tokens,
    a_clip_is_encoded_alone,
    the_input_is_not_changed,
    persons_are_alike,
    an_absent_person_is_finite,
    one_person_is_enough,
    gradient_reaches_every_parameter,
    the_state_is_all_there_is,
    building_draws_from_the_global_generator_alone,
    weight_decay_is_of_its_parameters,
    recipes_say_how_to_pretrain,
    unknown_weights_are_not_renamed,
    parts_depend_on_what_they_read,
)

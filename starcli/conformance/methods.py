"""Rules of zero-shot methods, on a toy problem whose text tells the classes apart."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from functools import cache

import torch
from pydantic import BaseModel
from torch import Tensor

from starcli.contracts import (
    ExtendableMethod,
    Layout,
    MeanTokenMethod,
    Method,
    Problem,
    PromptFeatures,
    TextBank,
    TextScoringMethod,
    TokenSet,
    TrainingCallbacks,
    TunableMethod,
    facets_of,
    is_in_text_space,
    is_transductive,
    views_of,
)
from starcli.errors import UsageError

LAYOUT = Layout(
    "toy-4",
    ("a", "b", "c", "d"),
    ((1, 0), (2, 1), (3, 2)),
    {2: {"upper": (0, 1), "lower": (2, 3)}},
    origin=0,
    centre=0,
    across=(0, 3),
)
STEPS, WIDTH, TEXT = 4, 12, 10
SEEN, UNSEEN = tuple(range(8)), (8, 9)
CLIPS = 24
"""Of each class."""
NO_VIEWS: Mapping[str, TokenSet] = {}


def _directions() -> Tensor:
    """What a class is: [C, 3], seen ones the corners of a cube, unseen ones two opposite sides."""
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3)
    sides = torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]])
    return torch.nn.functional.normalize(torch.cat([corners, sides]), dim=1)


@cache
def toy(
    facets: tuple[str, ...], in_text_space: bool = False
) -> tuple[Problem, dict[str, Tensor], Tensor]:
    """The problem, tokens by view [N, L, V, D] of all clips, and their labels [N].

    Tokens in the space of the texts are those of their part's text.
    """
    source = torch.Generator().manual_seed(6)
    classes = _directions()
    to_text = torch.randn(len(facets), 3, TEXT, generator=source)
    vectors = torch.einsum("ci,fie->cfe", classes, to_text)
    bank = TextBank(tuple(f"class {i}" for i in range(len(classes))), facets, vectors)
    labels = torch.arange(len(classes)).repeat_interleave(CLIPS)
    to_tokens = torch.randn(3, len(LAYOUT.joints), WIDTH, generator=source)
    if in_text_space:
        to_tokens = torch.stack([to_text[facets.index(part)] for part in _part_of()], 1)
    clean = torch.einsum("ni,ivd->nvd", classes[labels], to_tokens)[:, None]
    width = to_tokens.shape[2]
    shape = (len(labels), STEPS, len(LAYOUT.joints), width)
    views = {
        view: clean + 0.3 * torch.randn(shape, generator=source)
        for view in ("plain", "augmented", "motion-masked")
    }
    problem = Problem(LAYOUT, LAYOUT.parts[2], width, bank, SEEN, UNSEEN)
    return problem, views, labels


def _part_of() -> list[str]:
    """The part of each joint."""
    by_joint = {joint: part for part, joints in LAYOUT.parts[2].items() for joint in joints}
    return [by_joint[joint] for joint in range(len(LAYOUT.joints))]


def _toy(plugin: type[Method]) -> tuple[Problem, dict[str, Tensor], Tensor]:
    """The toy problem as a method reads it."""
    return toy(_facets(plugin), is_in_text_space(plugin))


def _facets(plugin: type[Method]) -> tuple[str, ...]:
    """The text that it reads: its own facets, or the parts of the layout."""
    return ("name", *(f for f in facets_of(plugin) or LAYOUT.parts[2] if f != "name"))


def _tokens(
    plugin: type[Method], settings: BaseModel, chosen: Tensor, spoiled: bool = False
) -> TokenSet:
    """Chosen clips of the toy problem; spoiled: all others are not numbers."""
    _, views, labels = _toy(plugin)
    names = [f"clip {int(i)}" for i in chosen]

    def view(name: str, more: Mapping[str, TokenSet] = NO_VIEWS) -> TokenSet:
        tokens = views[name].clone()
        if spoiled:
            rest = torch.ones(len(labels), dtype=torch.bool)
            rest[chosen] = False
            tokens[rest] = float("nan")
        return TokenSet([tokens], chosen, labels[chosen], names, more)

    return view("plain", {name: view(name) for name in views_of(plugin, settings)})


def _fitted(plugin: type[Method], settings: BaseModel, *, spoiled: bool = False) -> Method:
    """The method after learning from the first two thirds of the seen clips."""
    problem, _, labels = _toy(plugin)
    place = torch.arange(len(labels)) % CLIPS
    chosen = ((labels < len(SEEN)) & (place < 2 * CLIPS // 3)).nonzero()[:, 0]
    method = plugin(settings, problem, 0)
    method.fit(_tokens(plugin, settings, chosen, spoiled), TrainingCallbacks(), seed=0)
    return method.eval()


@cache
def _learned(plugin: type[Method], settings: str) -> tuple[Method, Tensor, Tensor]:
    """The method, its scores of the clips that it did not learn from, and their labels."""
    method = _fitted(plugin, plugin.Settings.model_validate_json(settings))
    _, views, labels = _toy(plugin)
    place = torch.arange(len(labels)) % CLIPS
    test = place >= 2 * CLIPS // 3
    with torch.no_grad():
        return method, method.score(views["plain"][test]), labels[test]


@cache
def _learned_again(plugin: type[Method], settings: str) -> tuple[Method, bool]:
    """With the same seed after other draws, all other clips spoiled; whether it drew globally."""
    before = torch.get_rng_state()
    torch.rand(3)
    middle = torch.get_rng_state()
    method = _fitted(plugin, plugin.Settings.model_validate_json(settings), spoiled=True)
    drew = not torch.equal(torch.get_rng_state(), middle)
    torch.set_rng_state(before)
    return method, drew


def _result(plugin: type[Method], settings: BaseModel) -> tuple[Method, Tensor, Tensor]:
    return _learned(plugin, settings.model_dump_json())


def scores_cover_all_classes(plugin: type[Method], settings: BaseModel) -> None:
    """[B, L, V, D] -> finite float32 [B, C], seen and unseen classes in the order of the bank."""
    _, scores, labels = _result(plugin, settings)
    assert tuple(scores.shape) == (len(labels), len(SEEN) + len(UNSEEN))
    assert scores.dtype == torch.float32 and torch.isfinite(scores).all()


def seen_classes_are_learned(plugin: type[Method], settings: BaseModel) -> None:
    """New clips of seen classes are named right, 3 of 4 or more."""
    _, scores, labels = _result(plugin, settings)
    seen = labels < len(SEEN)
    right = (scores[seen][:, list(SEEN)].argmax(1) == labels[seen]).float().mean()
    assert right >= 0.75, f"{right:.2f} of the seen clips are right"


def unseen_classes_beat_chance(plugin: type[Method], settings: BaseModel) -> None:
    """Clips of classes known by text alone are told apart, 3 of 4 or more of two classes."""
    _, scores, labels = _result(plugin, settings)
    unseen = labels >= len(SEEN)
    predicted = scores[unseen][:, list(UNSEEN)].argmax(1) + len(SEEN)
    right = (predicted == labels[unseen]).float().mean()
    assert right >= 0.75, f"{right:.2f} of the unseen clips are right, chance is 0.50"


def rows_are_scored_alone(plugin: type[Method], settings: BaseModel) -> None:
    """The scores of a clip do not depend on the clips beside it."""
    method, _, _ = _result(plugin, settings)
    tokens = _toy(plugin)[1]["plain"][:6]
    with torch.no_grad():
        together, alone = method.score(tokens), method.score(tokens[2:3])
    difference = float((together[2] - alone[0]).abs().max())
    assert difference <= 1e-4 * float(together.abs().max()), f"differs by {difference:.3g}"


def mean_tokens_are_enough(plugin: type[Method], settings: BaseModel) -> None:
    """Where it declares so, means of tokens get the scores of the tokens."""
    method, _, _ = _result(plugin, settings)
    tokens = _toy(plugin)[1]["plain"][:6]
    if not (isinstance(method, MeanTokenMethod) and method.reads_mean_token):
        return
    with torch.no_grad():
        whole, mean = method.score(tokens), method.score(tokens.mean((1, 2), keepdim=True))
    difference = float((whole - mean).abs().max())
    fault = f"differs by {difference:.3g}: it reads more than the mean token"
    assert difference <= 1e-4 * float(whole.abs().max()), fault


def seeds_reproduce(plugin: type[Method], settings: BaseModel) -> None:
    """The same seed learns the same, whatever was drawn before, and draws nothing globally."""
    _, expected, _ = _result(plugin, settings)
    method, drew = _learned_again(plugin, settings.model_dump_json())
    assert not drew, "it draws from the global generator"
    place = torch.arange(CLIPS * (len(SEEN) + len(UNSEEN))) % CLIPS
    with torch.no_grad():
        got = method.score(_toy(plugin)[1]["plain"][place >= 2 * CLIPS // 3])
    assert torch.equal(got, expected), "two runs with one seed differ"


def other_clips_are_never_read(plugin: type[Method], settings: BaseModel) -> None:
    """Learning reads the clips it is given and no other: all unseen ones are spoiled here."""
    method, _ = _learned_again(plugin, settings.model_dump_json())
    values = [*method.state_dict().values()]
    assert all(torch.isfinite(v).all() for v in values if v.is_floating_point())


def the_state_is_all_there_is(plugin: type[Method], settings: BaseModel) -> None:
    """The state dict, through safetensors, makes another instance score the same."""
    from safetensors.torch import load, save

    method, _, _ = _result(plugin, settings)
    problem, views, _ = _toy(plugin)
    other = plugin(settings, problem, 1)
    state = {name: value.contiguous() for name, value in method.state_dict().items()}
    other.load_state_dict(load(save(state)))
    with torch.no_grad():
        expected, got = method.score(views["plain"][:4]), other.eval().score(views["plain"][:4])
    assert torch.allclose(got, expected, rtol=1e-5, atol=1e-6)


def further_classes_leave_the_others_alone(plugin: type[Method], settings: BaseModel) -> None:
    """Extended by a class, where it can be, it scores that one too and all others as before."""
    problem, views, _ = _toy(plugin)
    tokens = views["plain"][:4]
    method = deepcopy(_result(plugin, settings)[0])
    with torch.no_grad():
        before = method.score(tokens)
        if not isinstance(method, ExtendableMethod):
            return
        try:
            method.extend(replace(problem.bank, classes=("x",), vectors=problem.bank.vectors[-1:]))
        except UsageError:
            return
        after = method.score(tokens)
    assert tuple(after.shape) == (len(tokens), before.shape[1] + 1)
    assert torch.isfinite(after).all()
    assert torch.allclose(after[:, :-1], before, rtol=1e-5, atol=1e-6)
    if isinstance(method, TextScoringMethod):
        with torch.no_grad():
            alone = method.score_texts(tokens, problem.bank.vectors[-1:])
        assert torch.allclose(alone, after[:, -1:], rtol=1e-5, atol=1e-6)


def learns_from_unseen_text(plugin: type[Method], settings: BaseModel) -> bool:
    """Whether an epoch of learning comes out different where the texts of unseen classes do.

    What was learned with other texts takes the place of what a method learned, and all its scores
    are compared: a method may well read these texts to score.
    """
    problem, views, labels = _toy(plugin)
    vectors = problem.bank.vectors.clone()
    vectors[list(UNSEEN)] = vectors[list(UNSEEN)].flip(0, 2)
    seen = (labels < len(SEEN)).nonzero()[:, 0]

    def fitted(bank: TextBank) -> tuple[dict[str, Tensor], Method]:
        method = plugin(settings, replace(problem, bank=bank), 0)
        before = {name: value.clone() for name, value in method.state_dict().items()}
        method.fit(_tokens(plugin, settings, seen), TrainingCallbacks(epochs=1), seed=0)
        return before, method.eval()

    start, method = fitted(problem.bank)
    before, changed = fitted(replace(problem.bank, vectors=vectors))
    learned = {k: v for k, v in changed.state_dict().items() if not torch.equal(v, before[k])}
    other = plugin(settings, problem, 0)
    other.load_state_dict({**start, **learned})
    with torch.no_grad():
        expected, got = method.score(views["plain"]), other.eval().score(views["plain"])
    return not torch.equal(got, expected)


def unseen_text_is_not_learned_from(plugin: type[Method], settings: BaseModel) -> None:
    """Unless it declares `transductive`, it learns the same whatever unseen classes' texts say."""
    if not is_transductive(plugin, settings):
        fault = "it learns from text of unseen classes: declare transductive = True"
        assert not learns_from_unseen_text(plugin, settings), fault


def variants_are_chosen_from(plugin: type[Method], settings: BaseModel) -> None:
    """Scores of a variant are those after it is chosen, which the state dict keeps."""
    problem, views, _ = _toy(plugin)
    tokens, method = views["plain"][:4], deepcopy(_result(plugin, settings)[0])
    if not isinstance(method, TunableMethod) or not method.variants:
        return
    with torch.no_grad():
        scores = method.score_variants(tokens)
        assert scores.shape[:2] == (len(method.variants), len(tokens)), tuple(scores.shape)
        for variant, want in zip(method.variants, scores, strict=True):
            method.choose(variant)
            other = plugin(settings, problem, 1)
            other.load_state_dict(method.state_dict())
            got = other.eval().score(tokens)
            assert torch.allclose(got, want, rtol=1e-5, atol=1e-6), f"variant {variant}"


def features_have_the_promised_shape(plugin: type[Method], settings: BaseModel) -> None:
    """With and without prompts, features are finite: [B, W], and of one shape [C', F, W]."""
    method, views = _result(plugin, settings)[0], _toy(plugin)[1]
    if not isinstance(method, PromptFeatures):
        return
    ids, tokens = torch.tensor(UNSEEN), views["plain"][:4]
    with torch.no_grad():
        try:
            texts = [method.semantic_features(ids, prompted=p) for p in (False, True)]
            clips = [method.skeleton_features(tokens, prompted=p) for p in (False, True)]
        except UsageError:
            return
    assert all(each.ndim == 2 and len(each) == len(tokens) for each in clips)
    assert texts[0].shape == texts[1].shape and texts[0].ndim == 3 and len(texts[0]) == len(ids)
    assert all(torch.isfinite(each).all() for each in (*texts, *clips))


RULES = (
    scores_cover_all_classes,
    seen_classes_are_learned,
    unseen_classes_beat_chance,
    rows_are_scored_alone,
    mean_tokens_are_enough,
    seeds_reproduce,
    other_clips_are_never_read,
    unseen_text_is_not_learned_from,
    the_state_is_all_there_is,
    further_classes_leave_the_others_alone,
    variants_are_chosen_from,
    features_have_the_promised_shape,
)

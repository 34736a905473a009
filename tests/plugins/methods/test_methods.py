"""Rules for every method on pooled features: it learns, repeats itself, reads no unseen clip."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from starcli import pipeline, registry
from starcli.conformance.methods import learns_from_unseen_text, unseen_text_is_not_learned_from
from starcli.contracts import (
    MeanTokenMethod,
    Problem,
    TextBank,
    TokenSet,
    TrainingCallbacks,
    facets_of,
    is_in_text_space,
    is_transductive,
    views_of,
)
from starcli.errors import UsageError
from starcli.experiment import Experiment
from starcli.settings.resolve import load
from starcli_plugins.methods.base import facet_vectors, of_pairs, pool
from tests import toy_problem as toy
from tests.progress import Watching
from tests.test_pipeline import TINY

CYCLES = {
    "epochs": 3,
    "steps": 100,
    "lr": 0.01,
    "latent": 16,
    "text_codes": 30,
    "classifier_lr": 0.05,
    "classifier_epochs": 60,
    "judge_every": 3,
}
"""Of the methods that train in cycles."""
SMALL: dict[str, dict[str, Any]] = {
    "cada-vae": {
        "epochs": 40,
        "lr": 2e-3,
        "batch": 80,
        "text_codes": 20,
        "clip_codes": 10,
        "classifier_epochs": 20,
        "judge_every": 40,
    },
    "cosine": {},
    "devise": {"lr": 0.01},
    "eszsl": {},
    "flora": {"epochs": 3, "steps": 20, "lr": 5e-3, "width": 32, "heads": 2},
    "jpose": {"epochs": 40, "lr": 0.1, "batch": 32, "embedding": 16},
    "msf": CYCLES,
    "relation-net": {"epochs": 150, "lr": 3e-3, "hidden": 64},
    "revise": {"epochs": 30, "lr": 0.01},
    "sa-dvae": {**CYCLES, "steps": 50},
    "smie": {"epochs": 40, "lr": 0.01, "hidden": (64, 32), "batch": 32},
    "synse": CYCLES,
}
"""Settings that suit the toy problem."""
TRANSDUCTIVE = {"cada-vae", "msf", "sa-dvae", "synse"}
"""Those that learn from text of unseen classes, as their papers do."""
UNTRAINED = {"cosine", "eszsl"}
"""Those that are over in one step."""
METHODS = [e.name for e in registry.entries("method") if "starcli_plugins.methods" in e.target]
IN_TEXT_SPACE = [n for n in METHODS if is_in_text_space(registry.load("method", n))]
VIEWS = {"motion-masked": 77}


def problem(name: str) -> Problem:
    """The toy problem, whose texts are in the space of the tokens where the method needs it."""
    return toy.problem(bank=toy.bank_of_tokens() if name in IN_TEXT_SPACE else toy.bank())


def make(name: str, seed: int = 0, **settings: Any) -> Any:
    plugin = registry.load("method", name)
    return plugin(plugin.Settings(**{**SMALL[name], **settings}), problem(name), seed)


def short(name: str) -> dict[str, Any]:
    """Settings of a training that is over at once."""
    known = registry.load("method", name).Settings.model_fields
    few = {"epochs": 3, "steps": 5, "text_codes": 5, "clip_codes": 3, "classifier_epochs": 2}
    return {key: value for key, value in few.items() if key in known}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("methods") / "store"


def trained(name: str, seed: int = 0) -> Any:
    """A method after a training that is over at once."""
    method = make(name, seed, **short(name))
    method.fit(toy.clips(toy.SEEN, 2, 1, VIEWS), TrainingCallbacks(), seed=3)
    return method


once = cache(trained)


def quickly(name: str) -> Any:
    """A copy of the method after that training."""
    return deepcopy(once(name))


def test_every_method_is_here() -> None:
    assert sorted(METHODS) == sorted(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_who_learns_from_unseen_text_declares_it(name: str) -> None:
    plugin = registry.load("method", name)
    settings = plugin.Settings(**{**SMALL[name], **short(name)})
    assert is_transductive(plugin, settings) is (name in TRANSDUCTIVE)
    assert learns_from_unseen_text(plugin, settings) is (name in TRANSDUCTIVE)
    unseen_text_is_not_learned_from(plugin, settings)


def test_who_does_not_declare_it_breaks_the_rule() -> None:
    plugin = registry.load("method", "msf")
    silent = type("Silent", (plugin,), {"transductive": False})
    with pytest.raises(AssertionError, match="declare transductive = True"):
        unseen_text_is_not_learned_from(silent, plugin.Settings(**{**SMALL["msf"], **short("msf")}))


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_it_learns_seen_classes_and_names_unseen_ones_by_their_text(name: str) -> None:
    method = make(name)
    method.fit(toy.clips(toy.SEEN, 8, 1, VIEWS), TrainingCallbacks(), seed=3)
    seen, unseen = toy.clips(toy.SEEN, 3, 2), toy.clips(toy.UNSEEN, 10, 4)
    scores = method.score(seen.shards[0])
    assert scores.shape == (60, toy.CLASSES)
    assert scores.isfinite().all()
    assert toy.accuracy(scores, seen.labels, toy.SEEN) > 0.5  # chance 0.05
    assert toy.accuracy(method.score(unseen.shards[0]), unseen.labels, toy.UNSEEN) > 0.45  # 0.25


@pytest.mark.parametrize("name", METHODS)
def test_the_seeds_decide_the_result_and_nothing_else_is_drawn_from(name: str) -> None:
    state = torch.get_rng_state()
    first = trained(name)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    second, other = trained(name), trained(name, seed=1)
    tokens = toy.clips(toy.UNSEEN, 1, 5).shards[0]
    torch.testing.assert_close(second.score(tokens), first.score(tokens), rtol=0, atol=0)
    draws_nothing = name in ("cosine", "devise", "eszsl")
    assert draws_nothing or not torch.allclose(other.score(tokens), first.score(tokens))


@pytest.mark.parametrize("name", METHODS)
def test_a_score_depends_on_its_own_clip_only(name: str) -> None:
    method = quickly(name)
    tokens = toy.clips(toy.SEEN, 1, 5).shards[0]
    torch.testing.assert_close(method.score(tokens)[3:5], method.score(tokens[3:5]))


@pytest.mark.parametrize("name", METHODS)
def test_the_state_on_disk_is_the_whole_method(name: str, tmp_path: Path) -> None:
    method, other = quickly(name), make(name, seed=7, **short(name))
    save_file(method.state_dict(), tmp_path / "data.safetensors")
    other.load_state_dict(load_file(tmp_path / "data.safetensors"))
    tokens = toy.clips(toy.UNSEEN, 1, 5).shards[0]
    torch.testing.assert_close(other.score(tokens), method.score(tokens), rtol=0, atol=0)


@pytest.mark.parametrize("name", METHODS)
def test_a_further_class_is_scored_by_its_text_alone(name: str) -> None:
    """With the text of a class it gets the very scores of that class; a classifier cannot."""
    method, bank = quickly(name), problem(name).bank
    tokens = toy.clips(toy.UNSEEN, 1, 5).shards[0]
    before, again = method.score(tokens), [0, toy.CLASSES - 1]
    further = TextBank(("one", "two"), bank.facets, bank.vectors[again])
    if name in TRANSDUCTIVE:
        with pytest.raises(UsageError, match="has a classifier for the classes"):
            method.extend(further)
    else:
        method.extend(further)
        want = torch.cat([before, before[:, again]], dim=1)
        torch.testing.assert_close(method.score(tokens), want)


@pytest.mark.parametrize("name", METHODS)
def test_clips_of_unseen_classes_are_never_read(name: str) -> None:
    """They lie in the same shards and are NaN: reading one would show."""
    known = toy.clips(toy.SEEN, 2, 1, VIEWS)

    def beside_unseen(tokens: TokenSet) -> TokenSet:
        nan = torch.full_like(toy.clips(toy.UNSEEN, 2, 1).shards[0], torch.nan)
        return replace(tokens, shards=[torch.cat([*tokens.shards, nan])])

    hidden = replace(
        beside_unseen(known), views={k: beside_unseen(v) for k, v in known.views.items()}
    )
    method = make(name, **short(name))
    method.fit(hidden, TrainingCallbacks(), seed=3)
    tokens = toy.clips(toy.UNSEEN, 1, 5).shards[0]
    torch.testing.assert_close(method.score(tokens), quickly(name).score(tokens), rtol=0, atol=0)


@pytest.mark.parametrize("name", METHODS)
def test_it_is_judged_in_training_as_it_is_in_the_end(name: str) -> None:
    """The nested run's scores after an epoch are those of a training for so many epochs."""
    tokens = toy.clips(toy.UNSEEN, 1, 5).shards[0]
    found: dict[int, torch.Tensor] = {}
    known = registry.load("method", name).Settings.model_fields
    every = {"judge_every": 1} if "judge_every" in known else {}
    method = make(name, **{**short(name), **every})

    def look(epoch: int) -> None:
        found[epoch] = method.score(tokens)

    train = toy.clips(toy.SEEN, 2, 1, VIEWS)
    method.fit(train, TrainingCallbacks(after_epoch=look), seed=3)
    assert sorted(found) == ([1] if name in UNTRAINED else [1, 2, 3])
    again = make(name, **{**short(name), **every})
    again.fit(train, TrainingCallbacks(epochs=min(2, len(found))), seed=3)
    expected = found[min(2, len(found))]
    torch.testing.assert_close(again.score(tokens), expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", [n for n in METHODS if n not in UNTRAINED])
def test_an_interrupted_training_continues_to_the_same_weights(name: str, tmp_path: Path) -> None:
    train = toy.clips(toy.SEEN, 2, 1, VIEWS)
    stopped = make(name, **short(name))

    def stop(what: str, done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.fit(
            train,
            TrainingCallbacks(checkpoint=tmp_path, progress=Watching(stop), interval=0),
            seed=3,
        )
    going_on = make(name, **short(name))
    going_on.fit(train, TrainingCallbacks(checkpoint=tmp_path), seed=3)
    expected = quickly(name).state_dict()
    for key, value in going_on.state_dict().items():
        torch.testing.assert_close(value, expected[key], rtol=0, atol=0, msg=key)


@pytest.mark.parametrize("name", [n for n in METHODS if n not in IN_TEXT_SPACE])
def test_a_missing_facet_is_named_with_its_describer(name: str) -> None:
    plugin = registry.load("method", name)
    lacking = toy.problem(bank=toy.bank(("name", "head")))
    if set(facets_of(plugin) or ()) <= {"name"}:
        plugin(plugin.Settings(), lacking, 0)
        return
    with pytest.raises(UsageError, match=r"facet 'verb', the texts have name, head") as caught:
        plugin(plugin.Settings(), lacking, 0)
    assert caught.value.fix == "add --describer parts-of-speech"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["eszsl", "smie", "cada-vae"])
def test_it_runs_in_the_pipeline(name: str, store: Path) -> None:
    """From clips to report: its views are extracted, its state is stored and read again."""
    dotted = {
        **{k: v for k, v in TINY.items() if not k.startswith("method.")},
        **{f"method.{k}": v for k, v in short(name).items()},
    }
    e = Experiment(load({**dotted, "run.store": store, "method.name": name}))
    results, _ = pipeline.run_steps(e, "calibrate")
    views = set(results["extract"].data()["clips"])
    asked = views_of(registry.load("method", name), e.loaded.plugin_settings["method"])
    assert views == {"plain", *asked}
    scores = results["evaluate"].tensors()["scores"]
    assert scores.isfinite().all()
    assert len(torch.unique(scores, dim=0)) > 1


def test_facets_are_chosen_by_name_and_have_length_1() -> None:
    vectors = torch.tensor([[[3.0, 4.0], [0.0, 2.0]], [[1.0, 0.0], [-5.0, 0.0]]])
    found = facet_vectors(TextBank(("a", "b"), ("name", "verb"), vectors), ("verb", "name"))
    expected = torch.tensor([[[0.0, 1.0], [-1.0, 0.0]], [[0.6, 0.8], [1.0, 0.0]]])
    torch.testing.assert_close(found, expected)


def test_an_unknown_facet_without_describer_of_its_own() -> None:
    with pytest.raises(UsageError, match="facet 'tail'") as caught:
        facet_vectors(toy.bank(("name",)), ("tail",))
    assert caught.value.fix == "choose another describer"


def test_features_are_means_over_time_and_joints() -> None:
    tokens = torch.arange(12.0).reshape(1, 2, 3, 2)
    torch.testing.assert_close(pool(tokens), torch.tensor([[5.0, 6.0]]))


def test_a_network_of_pairs_reads_every_clip_beside_every_text() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    clips, texts = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0, 4.0], [5.0, 6.0], [0.0, 1.0]])
    found = of_pairs(network, clips, texts)
    pairs = [[network(torch.cat([clip, text])) for text in texts] for clip in clips]
    torch.testing.assert_close(found, torch.stack([torch.stack(row) for row in pairs]))


@pytest.mark.parametrize("name", METHODS)
def test_who_reads_mean_tokens_scores_them_as_all_tokens(name: str) -> None:
    method, tokens = quickly(name), toy.clips(toy.UNSEEN, 1, 5).shards[0]
    if name in IN_TEXT_SPACE:
        assert not isinstance(method, MeanTokenMethod)
    else:
        assert method.reads_mean_token
        means = tokens.mean((1, 2), keepdim=True)
        torch.testing.assert_close(method.score(means), method.score(tokens))


def test_features_are_standardised_and_views_follow_with_the_same_scale() -> None:
    train = toy.clips(toy.SEEN, 4, 1, VIEWS)
    features, targets = make("smie").prepare(train)
    plain, masked = pool(train.shards[0]), pool(train.views["motion-masked"].shards[0])
    mean, std = plain.mean(0), plain.std(0, correction=0)
    torch.testing.assert_close(
        features, torch.cat([(plain - mean) / std, (masked - mean) / std], 1)
    )
    assert [toy.SEEN[t] for t in targets] == train.labels.tolist()


def test_a_channel_that_never_changes_does_no_harm() -> None:
    tokens = torch.zeros(2, 1, 1, 3 * toy.WIDTH)
    train = TokenSet([tokens], torch.arange(2), torch.tensor([0, 2]), ["a", "b"])
    features, _ = make("devise").prepare(train)
    assert features.isfinite().all()

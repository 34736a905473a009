"""Clips of no candidate: of nobody, as their joints tell, or with scores that are too low."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

import starcli
from starcli.errors import UsageError
from starcli.prediction.actions import Actions
from starcli.prediction.model import TrainedModel
from starcli.prediction.predictor import Predictor
from starcli.prediction.reader import Incoming
from starcli_plugins.datasets.movements.composer import Composer
from tests.conftest import Outcome

Joints = npt.NDArray[np.float32]
ACTIONS = ("wave", "squat", "jump")


def clip(movement: str = "wave") -> Joints:
    """Somebody who does it [T, 25, 3]."""
    return Composer().clip(10**9, movement).joints[:, 0]


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return starcli.load("general", device="cpu")


NOBODY: dict[str, tuple[Callable[[Joints], npt.NDArray[np.floating]], str]] = {
    "noise": (lambda j: 0.3 * np.random.default_rng(0).normal(size=j.shape), "no body has such"),
    "upside down": (lambda j: j * np.array([1, -1, 1]), "heads are below feet"),
    "three frames": (lambda j: j[:3], "3 frames or fewer"),
    "millimetres": (lambda j: 1000 * j, "use --unit mm"),
    "decimetres": (lambda j: 10 * j, "use --unit dm"),
}


@pytest.mark.parametrize("what", NOBODY)
def test_what_is_of_nobody_is_none_of_these_and_why_is_said(model: TrainedModel, what: str) -> None:
    spoil, reason = NOBODY[what]
    found = starcli.predict(
        model, [spoil(clip())], actions=ACTIONS, layout="kinect-v2", up="y", unit="m"
    )
    (one,) = found["predictions"]
    assert one["none"] and reason in one["none"]
    assert (one["actions"], one["margin"], found["bad"]) == ([], 0, [])


def test_one_that_is_upside_down_among_others_is_none_alone(model: TrainedModel) -> None:
    clips = [clip(), clip() * np.array([1, -1, 1], np.float32), clip("squat")]
    found = starcli.predict(model, clips, actions=ACTIONS, layout="kinect-v2", up="y", unit="m")[
        "predictions"
    ]
    assert [each["none"] for each in found] == [None, "the body is upside down", None]


def test_a_best_score_below_the_threshold_is_none_of_these(model: TrainedModel) -> None:
    def none(threshold: float | None) -> str | None:
        earlier = model.confidence.model_copy(update={"threshold": threshold, "levels": ()})
        (one,) = starcli.predict(
            replace(model, confidence=earlier), clip(), actions=ACTIONS, layout="kinect-v2"
        )["predictions"]
        assert len(one["actions"]) == 3
        return one["none"]

    (one,) = starcli.predict(model, clip(), actions=ACTIONS, layout="kinect-v2")["predictions"]
    assert {each["role"] for each in one["actions"]} == {"seen"}
    best = one["actions"][0]["score"] - model.gamma
    assert none(None) is none(best) is None
    assert none(best + 0.002) == "the best score is 0.002 lower than clips of a candidate have"


def test_candidates_that_other_names_outdo_are_none_of_these(model: TrainedModel) -> None:
    """However many: what is wanted of them depends on their share of the names."""

    def answer(*without: str) -> str | None:
        names = [name for name in model.bank.classes if not {*without} & {*name.split()}]
        found = starcli.predict(model, clip("squat"), actions=names, layout="kinect-v2")
        return found["predictions"][0]["none"]

    assert answer("wave") is None
    reason = answer("squat", "crouch", "lunge", "kneel", "sit", "jump", "curtsy")
    assert reason and "times less likely beside" in reason


def test_probabilities_and_margin_are_of_all_candidates(model: TrainedModel) -> None:
    sure = replace(model, confidence=model.confidence.model_copy(update={"temperature": 0.1}))
    (one,) = starcli.predict(sure, clip(), actions=ACTIONS, layout="kinect-v2")["predictions"]
    powers = np.exp(np.array([each["score"] for each in one["actions"]]) / 0.1)
    shares = powers / powers.sum()
    assert [each["probability"] for each in one["actions"]] == pytest.approx(shares, abs=1e-5)
    assert one["margin"] == pytest.approx(shares[0] - shares[1], abs=1e-5)
    (first,) = starcli.predict(sure, clip(), actions=ACTIONS, layout="kinect-v2", top=1)[
        "predictions"
    ]
    assert (first["margin"], first["actions"]) == (one["margin"], one["actions"][:1])


class Even(torch.nn.Module):
    """Scores all classes the same."""

    def score(self, tokens: Tensor) -> Tensor:
        return torch.ones(len(tokens), 309)


def test_equal_scores_are_even_probabilities(
    model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(model, Actions(("squat", "wave", "jump rope", "run")))
    monkeypatch.setattr(predictor, "method", Even())
    monkeypatch.setattr(predictor, "gamma", 0.0)
    joints = np.random.default_rng(0).normal(size=(8, 1, 15, 3)).astype(np.float32)
    (answer,) = predictor.answers([Incoming("a", "a", joints)], 4)
    assert [action["probability"] for action in answer["actions"]] == [0.25] * 4
    assert (answer["margin"], answer["none"]) == (0.0, None)


def test_each_part_says_which_sentence_it_is_like(model: TrainedModel) -> None:
    """Best first, of the first action; cosines whose mean is a share of its score."""
    found = starcli.predict(model, clip(), actions=ACTIONS, layout="kinect-v2", reasons=True)
    (one,) = found["predictions"]
    label = model.bank.classes.index(one["actions"][0]["name"])
    sentences = dict(zip(model.bank.facets[1:], model.texts[label][1:], strict=True))
    assert {why["part"]: why["text"] for why in one["reasons"]} == sentences
    similarities = [why["similarity"] for why in one["reasons"]]
    assert similarities == sorted(similarities, reverse=True)
    assert "reasons" not in starcli.predict(model, clip(), layout="kinect-v2")["predictions"][0]


def test_a_method_that_compares_no_parts_knows_no_reasons(
    model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(model, Actions(("squat", "wave")))
    monkeypatch.setattr(predictor, "method", Even())
    with pytest.raises(UsageError, match="compares no parts with sentences"):
        next(predictor.answers([], 1, reasons=True))


def test_reasons_are_of_the_first_action_and_a_clip_is_encoded_once(
    model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(model, Actions(("squat", "wave", "run")))
    rng = np.random.default_rng(0)
    clips = [
        Incoming(name, name, rng.normal(size=(8, 1, 15, 3)).astype(np.float32)) for name in "abc"
    ]
    tokens, taken = predictor._tokens(clips), list[int]()

    def once(clips: Sequence[Incoming]) -> Tensor:
        taken.append(len(clips))
        return tokens

    monkeypatch.setattr(predictor, "_tokens", once)
    answers = list(predictor.answers(clips, 1, reasons=True))
    assert taken == [3]
    scores_of = predictor._require_parts().part_scores(tokens)
    parts = dict(zip(model.bank.facets[1:], scores_of, strict=True))
    for row, answer in enumerate(answers):
        chosen = predictor.names.index(answer["actions"][0]["name"])
        told = {why["part"]: why["similarity"] for why in answer["reasons"]}
        assert told == {part: float(scores[row, chosen]) for part, scores in parts.items()}


def test_the_table_says_none_of_these_and_why(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    np.save(tmp_path / "good.npy", clip())
    np.save(tmp_path / "short.npy", clip()[:3])
    arguments = ["predict", str(tmp_path), "--run", "general", "--actions", ", ".join(ACTIONS)]
    arguments += ["--layout", "kinect-v2", "--up", "y", "--unit", "m"]
    outcome = cli(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)["predictions"]
    assert [each["none"] for each in found] == [None, "it has 3 frames or fewer"]
    shown = " ".join(cli(*arguments, "--reasons").out.split())
    assert "none of these: it has" in shown and "margin" in shown and "sentence" in shown

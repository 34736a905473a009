"""What the nested run chooses and hands on, and what every result admits of the method."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from starcli import pipeline
from starcli.contracts import TokenSet
from starcli.errors import NumericalError
from starcli.evaluation.model_selection import select_model
from starcli.stages import train
from tests.test_pipeline import TRAIN, Cli, tiny

CPU = torch.device("cpu")
RIGHT = torch.tensor([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]])


def clips() -> TokenSet:
    """One clip of each of three classes, its token the number of its class."""
    tokens = torch.arange(3.0).reshape(3, 1, 1, 1)
    return TokenSet([tokens], torch.arange(3), torch.arange(3), ["x", "y", "z"])


class Variants(torch.nn.Module):
    """Knows the classes in its second variant from the second epoch on, else nothing."""

    variants = (0.1, 0.9)
    epoch = 0

    def choose(self, variant: float) -> None:
        self.chosen = variant

    def score(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(tokens), 3)

    def score_variants(self, tokens: torch.Tensor) -> torch.Tensor:
        known = RIGHT[tokens.flatten().long()] * (self.epoch >= 2)
        return torch.stack([torch.zeros(len(tokens), 3), known])


def watcher(method: Any, folder: Path) -> train._Watcher:
    task: Any = SimpleNamespace(seen=(0, 1), unseen=(2,))
    experiment: Any = SimpleNamespace(source=SimpleNamespace(classes=("a", "b", "c")))
    return train._Watcher(experiment, method, clips(), task, folder)


class Mean(torch.nn.Module):
    """Reads nothing but the mean token."""

    reads_mean_token = True


def test_mean_tokens_are_taken_once_where_a_method_reads_no_more() -> None:
    tokens = torch.arange(24.0).reshape(3, 2, 2, 2)
    every = TokenSet([tokens[:2], tokens[2:]], torch.tensor([2, 0]), torch.arange(2), ["z", "x"])
    reader: Any = Mean()
    means = train._judged(reader, every)
    expected = torch.stack([tokens[2].mean((0, 1)), tokens[0].mean((0, 1))])
    torch.testing.assert_close(means.batch(torch.arange(2)), expected[:, None, None])
    assert (means.names, means.labels.tolist()) == (["z", "x"], [0, 1])
    reader = Variants()
    assert train._judged(reader, every) is every


def test_every_epoch_and_variant_is_judged(tmp_path: Path) -> None:
    method = Variants()
    watched = watcher(method, tmp_path)
    best = []
    for method.epoch in (1, 2, 3):
        best.append(watched.after_epoch(method.epoch))
    epochs, scores, areas = watched.collected()
    assert epochs == [1, 2, 3]
    # Scores that are all equal name the first class: half of S, and later all of U, so 1/4.
    assert areas == [[0.25, 0.25], [0.25, 1.0], [0.25, 1.0]]
    assert best == [0.25, 1.0, 1.0]
    assert scores.shape == (3, 2, 3, 3)
    assert torch.equal(scores[2, 1], RIGHT)


def test_a_method_without_variants_has_its_only_scores(tmp_path: Path) -> None:
    method = SimpleNamespace(
        score=lambda tokens: RIGHT[tokens.flatten().long()], parameters=lambda: iter(())
    )
    watched = watcher(method, tmp_path)
    assert watched.after_epoch(1) == 1.0
    epochs, scores, areas = watched.collected()
    assert (epochs, areas) == ([1], [[1.0]])
    assert torch.equal(scores, RIGHT[None, None])


def test_scores_that_are_not_finite_name_the_clip() -> None:
    def nan_in_one_variant(tokens: torch.Tensor) -> torch.Tensor:
        scores = torch.zeros(2, len(tokens), 3)
        scores[1, 1, 0] = float("nan")
        return scores

    method: Any = Variants()
    method.score_variants = nan_in_one_variant
    with pytest.raises(NumericalError, match="first of 'y'"):
        train.score_variants(method, clips(), CPU)


@pytest.mark.slow
def test_the_chosen_inference_reaches_the_reported_run(tmp_path: Path) -> None:
    experiment = tiny(tmp_path, method__inference="auto")
    results, _ = pipeline.run_steps(experiment, "calibrate")
    nested, final = (results[name] for name in ("train/validation", "train"))
    assert nested.summary["variants"] == [0.0, 0.25, 0.5, 0.75, 1.0]
    chosen = select_model([nested])
    assert final.summary["variant"] == chosen.variant
    assert final.tensors()["share"].item() == chosen.variant


@pytest.mark.slow
def test_results_of_a_transductive_method_are_marked(cli: Cli) -> None:
    assert cli("train", *TRAIN, "--set", "method.semantic_classes=all").code == 0
    for report in (["evaluate"], ["calibrate"]):
        assert "TRANSDUCTIVE: the method learned from text of the unseen classes" in " ".join(
            cli(*report).out.replace("│", "").split()
        )
        document = json.loads(cli(*report, "--json").out)
        assert document["transductive"] is True
        assert "TRANSDUCTIVE" in document["warning"]


@pytest.mark.slow
def test_other_results_are_not_marked(cli: Cli) -> None:
    assert cli("train", *TRAIN, "--ablate", "spp").code == 0
    document = json.loads(cli("evaluate", "--json").out)
    assert (document["transductive"], document["warning"]) == (False, None)


def test_ablate_is_short_for_its_setting(cli: Cli) -> None:
    shown = cli("train", "--ablate", "vap", "--ablate", "sce", "--show-settings", "--json")
    rows = {row["setting"]: row for row in json.loads(shown.out)["settings"]}
    assert rows["method.ablate"]["origin"] == "flag"
    assert rows["method.ablate"]["value"] == "['sce', 'vap']"
    refused = cli("train", "--ablate", "prompts")
    assert refused.code == 2
    assert "there are: attention, gce, mpce, sce, spp, vap" in refused.err

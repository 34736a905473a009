"""`import starcli` does what the commands do: the same results, settings and errors, in silence."""

from __future__ import annotations

import json
import operator
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import starcli
from starcli import pipeline
from tests.progress import Watching
from tests.test_pipeline import TINY, TRAIN, Cli, tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> starcli.Run:
    """A tiny run that the function trained."""
    return starcli.train(store=tmp_path_factory.mktemp("api") / "store", settings=TINY, run="mine")


def store(run: starcli.Run) -> Path:
    return run.experiment.store.root


def test_importing_starcli_imports_nothing_heavy() -> None:
    script = (
        "import sys, starcli; starcli.plugins(); starcli.train; "
        "print(sorted({'torch', 'numpy', 'starcli_plugins'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_every_name_is_there_and_no_other() -> None:
    assert set(starcli.__all__) <= set(dir(starcli))
    assert all(getattr(starcli, name) is not None for name in starcli.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        operator.attrgetter("nothing")(starcli)


def test_functions_find_what_commands_made_and_the_other_way_round(
    cli: Cli, run: starcli.Run
) -> None:
    outcome = cli("train", *TRAIN, "--store", str(store(run)), "--json")
    assert json.loads(outcome.out)["ran"] == []
    name = json.loads(outcome.out)["run"]
    assert starcli.open_run(store=store(run)).name == name
    assert starcli.open_run("mine", store=store(run)).name == "mine"


@pytest.mark.parametrize("stage", ["prepare", "describe", "embed", "pretrain", "extract"])
def test_a_stage_gives_the_artifact_of_the_run(run: starcli.Run, stage: str) -> None:
    found = getattr(starcli, stage)(store=store(run), settings=TINY)
    planned = {p.step.name: p.artifact for p in pipeline.plan(tiny(store(run)), "train")}
    assert found == planned[stage]


@pytest.mark.slow
def test_evaluate_and_calibrate_are_the_documents_of_the_commands(
    cli: Cli, run: starcli.Run
) -> None:
    for command in ("evaluate", "calibrate"):
        outcome = cli(command, "mine", "--store", str(store(run)), "--gamma", "0.25", "--json")
        found = getattr(starcli, command)(run, gamma=0.25)
        assert found == json.loads(outcome.out)
        assert found["selection"] == "user"


WHAT = ["dataset", "protocol", "split", "parts", "seed", "backbone", "backbone_weights"]
HOW = ["selection", "selected_by", "validation_folds"]
TEXT = ["encoder", "describer", "method"]


def test_documents_have_these_keys_in_this_order(run: starcli.Run) -> None:
    found = starcli.evaluate(run)
    why, made = ["transductive", "warning"], ["calibrator", "doubts", "epochs", "variant"]
    judged = ["zsl", "gzsl", "confidence", "trust", "classes", "run", "other_folds"]
    assert list(found) == ["ok", *WHAT, *why, *TEXT, *HOW, *made, *judged]
    assert list(found["gzsl"])[-3:] == ["gamma", "oracle_harmonic_mean", "oracle_gamma"]
    assert list(found["classes"]) == ["names", "seen", "unseen", "without_test_clips"]
    measured = ["ZSL", "S", "U", "H", "harmonic_mean", "oracle", "gap", "curves", "files"]
    assert list(starcli.calibrate(run)) == [
        *("ok", "run", *HOW, *why, "doubts", "calibrator", "gamma", "confidence"),
        *measured,
    ]


def test_options_are_settings_of_the_same_meaning(cli: Cli, tmp_path: Path) -> None:
    made = starcli.describe(store=tmp_path, dataset="simulated", parts=2, describer="names")
    assert len(made.summary["parts"]) == 2
    texts = made.data()["actions"]
    assert all(set(said.values()) == {name} for name, said in texts.items())
    arguments = ["--dataset", "simulated", "--parts", "2", "--describer", "names"]
    outcome = cli("describe", *arguments, "--store", str(tmp_path), "--json")
    assert json.loads(outcome.out)["key"] == made.key


def test_nothing_is_printed_and_progress_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    progress = Watching()
    starcli.describe(store=tmp_path / "a", progress=progress)
    starcli.describe(store=tmp_path / "b")
    assert progress.finished == ["describe"]
    assert capfd.readouterr() == ("", "")


def test_plugins_are_the_rows_of_the_command(cli: Cli) -> None:
    assert starcli.plugins() == json.loads(cli("plugins", "--json").out)["plugins"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"splt": "fold0"}, "no option 'splt'"),
        ({"split": "fold99"}, "simulated has no split 'fold99'"),
        ({"settings": {"method.epoch": 3}}, "method.epoch"),
        ({"parts": 3}, "no partition into 3 parts"),
        ({"run": "../x"}, "a run cannot be called '../x'"),
        ({"settings": {"run.num_processes": 2}}, "2 was asked for, but 1 started"),
        ({"config": "missing.toml"}, "no such settings file"),
    ],
)
def test_bad_options_are_errors_of_ours(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(starcli.StarError, match=said) as caught:
        starcli.train(store=tmp_path, **options)
    assert (caught.value.exit_code, bool(caught.value.fix)) == (2, True)
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(starcli.StarError, match="no run 'x'") as caught:
        starcli.open_run("x", store=tmp_path)
    assert caught.value.exit_code == 2

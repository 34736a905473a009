"""A command has the options that apply to it, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from inspect import signature
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from starcli import api
from starcli.cli.app import app
from starcli.cli.describe import describe
from starcli.cli.embed import embed
from starcli.cli.stages import extract, prepare, pretrain, train
from starcli.experiment import Experiment
from starcli.pipeline import plan
from starcli.settings.resolve import load

STAGES = {
    command.__name__: command for command in (prepare, describe, embed, pretrain, extract, train)
}
OTHER: dict[str, dict[str, object]] = {
    "dataset": {"dataset.name": "simulated", "dataset.split": "fold0"},
    "skip_bad": {"prepare.skip_bad": True},
    "protocol": {"dataset.protocol": "xview"},
    "split": {"dataset.split": "48/12"},
    "parts": {"parts": 4},
    "seed": {"seed": 1},
    "backbone": {"backbone.name": "shift-gcn"},
    "preset": {"preset": "general"},
    "teacher": {"pretrain.teacher": "movements", "pretrain.objective": "texts"},
    "recipe": {"pretrain.recipe": "published"},
    "encoder": {"encoder.name": "glove-50"},
    "describer": {"describer.name": "names"},
    "cut": {"text.cut": True},
    "method": {"method.name": "smie"},
    "ablate": {"method.ablate": ["vap"]},
    "raw": {"run.raw": "other"},
    "weights": {"backbone.weights": "other.pt"},
}
"""Option -> the setting it stands for, with another value than `BASE` has."""
BASE = {"dataset.name": "ntu60", "dataset.protocol": "xsub", "dataset.split": "55/5"}
MACHINE = {"store", "device", "verify", "num_processes", "allow_unknown_classes"}
"""Options that change no result: where and how it is made, and a permission."""
MACHINES = {"pretrain", "extract", "train"}
"""Stages that compute on a device, in several processes."""


def keys(store: Path, stage: str, settings: Mapping[str, object]) -> list[str]:
    experiment = Experiment(load({**BASE, **settings, "run.store": store}))
    # What the recordings and weights are is asked of their files, of which there are none here.
    experiment.__dict__["raw_digest"] = str(settings.get("run.raw", ""))
    experiment.__dict__["weights_digest"] = settings.get("backbone.weights")
    return [planned.key for planned in plan(experiment, stage, explain=False)]


def options(stage: str) -> set[str]:
    return signature(STAGES[stage]).parameters.keys() & api.OPTIONS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_options_are_those_that_change_the_result(tmp_path: Path, stage: str) -> None:
    """An option that changes the key of no step does nothing, and one that does is there."""
    before = keys(tmp_path, stage, {})
    changing = {o for o, other in OTHER.items() if keys(tmp_path, stage, other) != before}
    assert options(stage) - MACHINE == changing


def test_options_that_change_no_result_are_where_they_mean_something() -> None:
    for stage in STAGES:
        kept = {"store", "verify"} | (MACHINE if stage in MACHINES else set())
        assert options(stage) & MACHINE == kept


def test_options_of_the_functions_are_those_of_the_commands() -> None:
    """Each stands for a setting that there is."""
    assert set().union(*map(options, STAGES)) == api.OPTIONS.keys()
    assert OTHER.keys() | MACHINE == api.OPTIONS.keys()
    assert set(api.Options.__annotations__) - api.OPTIONS.keys() == {"settings", "config"}
    known = dict(load(BASE).values())
    assert set(api.OPTIONS.values()) <= known.keys()
    assert all(api.OPTIONS[option] in other for option, other in OTHER.items()), (
        "a test changes another setting than the option's"
    )


@pytest.mark.parametrize("stage", STAGES)
def test_options_are_shown_by_the_program(stage: str) -> None:
    command = get_group(app).commands[stage]
    assert [p.name for p in command.params] == list(signature(STAGES[stage]).parameters)


def arguments(name: str, command: TyperCommand | TyperGroup) -> Iterator[tuple[str, list[str]]]:
    """A command and all below it, with their arguments as the program shows them."""
    own = [p for p in command.params if p.param_type_name == "argument"]
    yield name, [parameter.metavar or parameter.name or "" for parameter in own]
    for word, below in getattr(command, "commands", {}).items():
        yield from arguments(f"{name} {word}", below)


def test_arguments_are_words_in_capitals_that_the_program_puts_in_brackets() -> None:
    """`{NAME}` where one is needed, `[RUN]...` where there may be several."""
    shown = dict(arguments("starcli", get_group(app)))
    assert shown["starcli data import"] == ["NAME", "SOURCE"]
    for name, own in shown.items():
        assert len(set(own)) == len(own), name
        for word in own:
            assert re.fullmatch("[A-Z]+([|][A-Z]+)*", word), f"{name}: {word}"


READING = {
    "reader": "--reader",
    "layout": "--layout",
    "up": "--up",
    "unit": "--unit",
    "fps": "--fps",
    "people": "--people",
    "mirrored": "--mirrored",
    "swap_sides": "--swap-sides",
}
"""What is said of files, wherever they are read."""


def test_what_is_said_of_files_is_said_alike_wherever_they_are_read() -> None:
    data = get_group(app).commands["data"]
    assert isinstance(data, TyperGroup)
    commands = {**get_group(app).commands, **data.commands}
    shown = {
        name: {
            param.name: (param.opts, param.default, getattr(param, "help", None))
            for param in commands[name].params
        }
        for name in ("inspect", "import", "predict", "view")
    }
    for name, own in shown.items():
        assert {key: own[key][0] for key in READING} == {k: [o] for k, o in READING.items()}, name
        assert {key: own[key] for key in READING} == {k: shown["view"][k] for k in READING}, name
    labelling = [name for name, own in shown.items() if "class_pattern" in own]
    assert labelling == ["inspect", "import", "view"]  # a run names clips whatever their class

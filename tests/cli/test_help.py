"""The help of commands, what a shell completes, and what is said of mistyped words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer import Context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from starcli import registry
from starcli.cli import completion
from starcli.cli.app import app
from starcli.cli.help import EVENTS, FILES, OPTIONS, PANELS
from starcli.settings.resolve import Settings
from tests import stores
from tests.conftest import Outcome

Cli = Callable[..., Outcome]


def walk(words: list[str], command: TyperCommand | TyperGroup) -> Iterator[list[str]]:
    """The words of every command that does something."""
    below = getattr(command, "commands", {})
    if not below:
        yield words
    for name, inner in below.items():
        yield from walk([*words, name], inner)


COMMANDS = list(walk([], get_group(app)))


def test_alone_it_shows_the_commands_to_begin_with(cli: Cli, tmp_path: Path) -> None:
    done = cli()
    assert (done.code, done.err) == (0, "")
    begin = [line.split()[1] for line in done.out.splitlines() if line.startswith("  starcli ")]
    assert begin == ["predict", "data", "train"]
    assert max(map(len, done.out.splitlines())) <= 80
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_fits_80_columns_and_has_an_example_that_parses(cli: Cli, words: list[str]) -> None:
    done = cli(*words, "--help")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    (example,) = re.findall(r"^  Example: starcli (.*)$", done.out, re.MULTILINE)
    given = shlex.split(example)
    assert given[: len(words)] == words
    assert cli(*given, "--help").code == 0


def panels(text: str) -> dict[str, str]:
    """Heading of a group of options -> its lines."""
    pieces = re.split(r"^(\S.*):$", text, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def test_options_are_in_groups_with_defaults_and_choices(cli: Cli) -> None:
    shown = panels(cli("train", "--help").out)
    assert list(shown) == [panel for panel in PANELS if panel not in (OPTIONS, EVENTS, FILES)]
    for panel, option, default, choice in (
        ("Data", "--dataset", "simulated", "utd-mhad"),
        ("Text", "--encoder", "minilm", "word2vec"),
        ("Text", "--describer", "bundled", "lexicon"),
        ("Backbone", "--backbone", "st-gcn", "ctr-gcn"),
        ("Method", "--method", "star", "eszsl"),
        ("Method", "--parts", "6", "2, 4 or 6"),
        ("Where and how", "--device", "auto", "cuda:N"),
    ):
        text = " ".join(shown[panel].partition(f"  {option} ")[2].partition("\n  --")[0].split())
        assert f"[default: {default}]" in text, option
        assert choice in text, option


def test_values_have_words_in_place_of_types(cli: Cli) -> None:
    """Of Python's types nobody needs to know; what must be there has no brackets."""
    for words in COMMANDS:
        text = cli(*words, "--help").out
        assert not re.findall(r"<(?:str|int|float|Path|list|\w+ range)\b", text), words
        assert "{" not in text.splitlines()[0], words
    shown = panels(cli("train", "--help").out)
    assert "--set KEY=VALUE " in shown["Where and how"]
    assert "--weights FILE " in shown["Backbone"]
    assert "--parts N " in shown["Method"]


def test_what_is_done_when_is_a_group_of_its_own(cli: Cli) -> None:
    shown = panels(cli("predict", "--help").out)
    assert list(shown) == ["Arguments", OPTIONS, EVENTS, FILES, "Where and how"]
    own = ["--windows", "--stride", "--enter", "--leave", "--stream"]
    assert re.findall(r"^  (--\w+)", shown[EVENTS], re.MULTILINE) == own
    assert "[default: half a window]" in shown[EVENTS]
    assert "[default: 3; x>=1]" in " ".join(shown[OPTIONS].split())


def test_defaults_are_those_of_the_settings() -> None:
    settings, shown = Settings(), {p.name: p for p in get_group(app).commands["train"].params}
    for name, default in {
        "dataset": settings.dataset.name,
        "encoder": settings.encoder.name,
        "describer": settings.describer.name,
        "backbone": settings.backbone.name,
        "method": settings.method.name,
        "recipe": settings.pretrain.recipe,
        "parts": settings.parts,
        "seed": settings.seed,
        "device": settings.run.device,
        "store": settings.run.store,
    }.items():
        assert getattr(shown[name], "show_default", None) == str(default), name


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (["train", "--sedd", "3"], "did you mean --seed, "),
        (["evaluate", "--select", "valdation"], "did you mean 'validation'? there are: oracle"),
        (["train", "--nothing-like-it"], "see the options with: starcli train --help"),
        (["store", "list", "--stage", "trian"], "did you mean 'train'? there are: calibrate"),
        (["data", "imprt"], "see the options with: starcli data --help"),
        (["train", "--set", "pretrain.epocs=3"], "see every setting"),
    ],
)
def test_mistyped_words(cli: Cli, words: list[str], fix: str) -> None:
    done = cli(*words)
    assert done.code == 2
    assert done.err.splitlines()[1].startswith(f"fix: {fix}")


def test_a_mistyped_choice_of_a_plugin_is_known(cli: Cli) -> None:
    said = cli("train", "--ablate", "vpa", "--dry-run").err.splitlines()[0]
    assert "'vpa' is none of these; did you mean 'vap'? there are: attention, gce" in said
    said = cli("evaluate", "--select", "valdation").err.splitlines()[0]
    assert "Value error" not in said


def context(**given: object) -> Context:
    made = Context(get_group(app).commands["train"])
    made.params = given
    return made


def test_completion_knows_what_there_is(tmp_path: Path) -> None:
    stores.run(tmp_path / "store", "first")
    here = context(store=tmp_path / "store", dataset="ntu60", method="smie")
    assert completion.runs(here, "f") == ["first"]
    assert completion.runs(here, "x") == []
    assert completion.datasets(here, "ntu") == ["ntu120", "ntu60"]
    assert completion.splits(here, "55") == ["55/5"]
    assert completion.protocols(here, "") == ["xsub", "xview"]
    assert completion.plugins("backbone")(here, "s") == ["shift-gcn", "st-gcn"]
    assert "pretrain.epochs=" in completion.settings(here, "pretrain.e")
    smie = registry.declared("method", "smie").Settings.model_fields
    assert {f"method.{key}=" for key in smie} < set(completion.settings(here, "method."))
    assert completion.splits(context(dataset="absent"), "") == []


@pytest.mark.parametrize(
    ("option", "said"), [("--quiet", False), ("--verbose", True), ("--json", True)]
)
def test_quiet_leaves_results_and_errors(cli: Cli, option: str, said: bool) -> None:
    done = cli("runs", "list", option)
    assert done.code == 0
    assert ("no run yet" in done.err) == (said and option != "--json")
    assert "error: " in cli("runs", "show", option).err
    assert cli(option, "--version").code in (0, 2)


def test_quiet_comes_before_a_command_or_after_it(cli: Cli) -> None:
    assert cli("--quiet", "runs", "list").err == cli("runs", "list", "--quiet").err == ""
    assert cli("runs", "list").err != ""
    assert cli("runs", "--quiet", "list").err == ""

"""Every command of the README runs, and what it says exists."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli import registry
from starcli.contracts import KINDS
from starcli_plugins.datasets.utd_mhad import UtdMhad
from starcli_plugins.layouts import COCO_17, H36M_17
from tests.bodies import body, pixels
from tests.conftest import ROOT
from tests.test_pipeline import TINY, Cli

README = (ROOT / "README.md").read_text("utf-8")


def commands(text: str) -> list[str]:
    """What a text tells to run, but for the set-up."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines() if "&&" not in line]
    return [x.partition("#")[0].strip() for x in lines if x.startswith("starcli ")]


def section(heading: str) -> str:
    """The text below a heading, up to the next."""
    return README.split(f"\n## {heading}\n")[1].split("\n## ")[0]


REAL = commands(section("Real recordings"))
OWN = commands(section("Your own recordings")) + commands(section("Name recordings"))


def test_the_two_set_up_commands_are_marked_for_ci() -> None:
    for marker, command in (("quickstart", "starcli train"), ("tests", "pytest")):
        block = README.split(f"<!-- {marker} -->\n```sh\n")[1].split("```")[0]
        assert command in block
        assert "-c constraints.txt" in block


def own_clips(
    folder: Path, subjects: str = "abc", joints: Sequence[int] | None = None, *, deep: bool = False
) -> None:
    """8 classes by some subjects: pixels of 17 keypoints, or metres of some of Kinect v2's.

    Deep: metres of the 17 joints of Human3.6M.
    """
    for label in range(8):
        for number, subject in enumerate(subjects):
            place = folder / f"action {label}" / subject
            place.mkdir(parents=True)
            if deep:
                np.save(place / "1.npy", body(label, number, H36M_17))
            elif joints is None:
                np.save(place / "1.npy", pixels(body(label, number, COCO_17)))
            else:
                np.save(place / "1.npy", body(label, number)[:, list(joints)])


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny network and few epochs, whatever the data set, and the texts as everybody has them."""
    for key, value in TINY.items():
        if key not in ("dataset.subjects", "encoder.name"):
            monkeypatch.setenv("STARCLI_" + key.upper().replace(".", "__"), str(value))


def run(cli: Cli, given: list[str]) -> None:
    """Run commands in the order of the README, in one folder."""
    for command in given:
        outcome = cli(*shlex.split(command)[1:])
        assert outcome.code == 0, f"{command}\n{outcome.err}"


def test_every_command_is_in_one_of_the_tests() -> None:
    assert commands(README) == REAL + OWN
    assert REAL
    assert OWN


def test_the_tutorial_has_the_commands_on_real_recordings() -> None:
    """With all recordings: tests/test_docs_commands.py."""
    tutorial = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    assert set(REAL) <= set(commands(tutorial))


@pytest.mark.slow
@pytest.mark.usefixtures("tiny")
def test_commands_on_recordings_as_they_are_distributed_run(cli: Cli, tmp_path: Path) -> None:
    UtdMhad(UtdMhad.Settings()).write_sample(tmp_path)
    run(cli, REAL)


@pytest.mark.slow
@pytest.mark.usefixtures("tiny")
def test_commands_and_python_on_own_recordings_run(cli: Cli, tmp_path: Path) -> None:
    own_clips(tmp_path / "clips", deep=True)
    run(cli, OWN)
    (python,) = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    found: dict[str, Any] = {}
    exec(python, found)
    assert {item["name"] for item in found["named"]["candidates"]} == {"wave", "juggle"}
    assert len(found["named"]["predictions"]) == 24


def test_the_table_of_plugins_has_them_all() -> None:
    rows = re.findall(r"^\| ([a-z -]+) \| (`.*) \|$", section("What is there"), flags=re.MULTILINE)
    listed = {kind: re.findall("`([^`]+)`", names) for kind, names in rows}
    for kind in KINDS:
        own = [e.name for e in registry.entries(kind) if e.distribution == registry.OURS]
        words = {"dataset": "data set"}.get(kind, kind.replace("-", " "))
        assert sorted(listed.pop(f"{words}s")) == sorted(own)
    assert not listed


def test_links_lead_to_pages() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert {f"docs/{name}.md" for name in ("method", "results-measured", "tutorial")} <= set(links)
    for link in links:
        file, _, anchor = link.partition("#")
        text = (ROOT / file).read_text("utf-8")
        headings = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
        assert not anchor or anchor in [h.lower().replace(" ", "-") for h in headings], link

"""Every command that does not compute, and a few that do, in surroundings that nobody tested in."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from starcli.conformance.bodies import sample
from starcli.store.recipe_key import key_of
from tests import forks, stores
from tests.cli.test_help import COMMANDS
from tests.faults.rights import as_others

PLACE = "späce and 動作\n"
"""A folder."""
LOOKS = (
    "plugins",
    "plugins show describer names",
    "data list",
    "data show simulated",
    "data inspect poses",
    "data import mine poses --overwrite",
    "view mine --out page.html --overwrite",
    "describe --dataset simulated",
    "train --show-settings",
    "benchmark real --dry-run",
    "runs list",
    "runs show",
    "runs compare first second",
    "runs rename second third",
    "runs rename third second",
    "store list",
    "store verify",
    f"store explain {key_of({'stage': 'describe', 'inputs': {}})}",
    "store prune --unused --dry-run",
    "runs delete second",
    "plugins new backbone",
)
ELSEWHERE = {
    *("evaluate", "prepare", "embed", "pretrain", "extract", "calibrate", "export"),
    *(f"figure {name}" for name in ("gamma", "attributes", "space", "confusion", "reliability")),
    *("report", "data check", "doctor"),
}
"""Commands that train, or read what was trained, published recordings, or every plugin."""
COMPUTES = ("predict poses/bow --run general --windows 0.1 --fps 60 --out e.csv",)


def bare_and_narrow() -> None:
    """No home, no colour, few columns, and `PYTHONIOENCODING=ascii`."""
    for name in [*os.environ]:
        if name in ("HOME", "TERM", "LANG", "LC_ALL") or name.startswith("XDG_"):
            del os.environ[name]
    os.environ |= {"NO_COLOR": "1", "COLUMNS": "20", "TERM": "dumb"}
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = io.TextIOWrapper(os.fdopen(os.dup(number), "wb"), "ascii", "strict")
        setattr(sys, name, stream)


def read_only_and_closed() -> None:
    """A home and a cache that may not be written into, and `<&- >&-`."""
    os.mkdir("home", 0o500)
    os.environ["HOME"] = os.environ["XDG_CACHE_HOME"] = os.path.abspath("home")
    os.close(0)
    os.close(1)
    sys.stdin = sys.stdout = None


SURROUNDINGS = (bare_and_narrow, read_only_and_closed)


def each_of(commands: Sequence[str], surround: Callable[[], None]) -> Callable[[], None]:
    """What runs commands one after another, and says which did not end well."""

    def work() -> None:
        surround()
        for command in commands:
            try:
                forks.starcli(*command.split())()
            except SystemExit as end:
                if end.code not in (0, None):
                    print(f"failed: {command}: {end.code}", file=sys.stderr)
        sys.stderr.flush()

    return work


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Recordings and two runs."""
    place = tmp_path / PLACE
    body = sample("kinect-v2", 3, 1).joints[:, 0]
    for name in ("bow", "wave"):
        (place / "poses" / name).mkdir(parents=True)
        for take in ("1.npy", "2.npy"):
            np.save(place / "poses" / name / take, np.repeat(body, 4, 0))
    for name in ("first", "second"):
        stores.run(place / "starcli-store", name)
    yield place


def ends_well(folder: Path, commands: Sequence[str], surround: Callable[[], None]) -> str:
    """What the commands say, which all end well."""
    with as_others():
        code, said = forks.end(each_of(commands, surround), folder)
    assert (code, "failed:" in said, "bug in starcli" in said) == (0, False, False), said
    assert "\x1b" not in said
    assert not [*(folder / "home").glob("*")]
    return said


@pytest.mark.parametrize("surround", SURROUNDINGS)
def test_looking_works_anywhere_f10_g21_g22_g23_g29(
    folder: Path, surround: Callable[[], None], _one_parser: None
) -> None:
    ends_well(folder, LOOKS, surround)


@pytest.mark.slow
def test_naming_works_anywhere_f10_g23_g29(folder: Path, _one_parser: None) -> None:
    ends_well(folder, COMPUTES, read_only_and_closed)
    assert (folder / "e.csv").read_text("utf-8").startswith("clip,person,start,end")


def test_a_new_command_is_tried_too() -> None:
    commands = {" ".join(words) for words in COMMANDS}
    tried = {
        each
        for line in (*LOOKS, *COMPUTES)
        for each in commands
        if f"{line} ".startswith(f"{each} ")
    }
    assert commands - tried == ELSEWHERE

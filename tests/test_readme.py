"""Every command of the README runs, and what it says exists."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Outcome
from test_pipeline import TINY, Cli

from starcli_plugins.datasets.ntu import Ntu60

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
PYTHON = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
COMMANDS = [
    line.partition("#")[0].strip()
    for block in BLOCKS
    for line in block.splitlines()
    if line.startswith("starcli ") and "&&" not in line
]


def test_the_two_set_up_commands_are_marked_for_ci() -> None:
    for marker, command in (("quickstart", "starcli train"), ("tests", "pytest")):
        block = README.split(f"<!-- {marker} -->\n```sh\n")[1].split("```")[0]
        assert command in block
        assert "-c constraints.txt" in block


def own_clips(folder: Path) -> None:
    """Pixels of 17 keypoints, 8 classes by 3 subjects."""
    rng = np.random.default_rng(0)
    for label in range(8):
        for subject in "abc":
            place = folder / f"action {label}" / subject
            place.mkdir(parents=True)
            np.save(place / "1.npy", rng.uniform(0, 500, (20, 17, 2)))


def test_every_command_runs(
    cli: Cli, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a tiny network, in the order of the README, in one folder."""
    archive = shared / "data" / "utd_mhad" / "Skeleton.zip"
    if not archive.exists():
        pytest.skip(f"no {archive}")
    shutil.copy(archive, tmp_path / "Skeleton.zip")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "nturgbd").mkdir()
    Ntu60(Ntu60.Settings()).write_sample(tmp_path / "nturgbd")
    own_clips(tmp_path / "clips")
    (tmp_path / "data").mkdir()
    for key, value in TINY.items():
        if key != "dataset.subjects":
            monkeypatch.setenv("STARCLI_" + key.upper().replace(".", "__"), str(value))
    assert len(COMMANDS) >= 9
    for command in COMMANDS:
        arguments = shlex.split(command)[1:]
        if "--num-processes" in arguments:  # they meet over a socket, which tests may not open
            done = subprocess.run([sys.executable, "-m", "starcli", *arguments], timeout=300,
                                  capture_output=True, text=True)  # fmt: skip
            outcome = Outcome(done.returncode, done.stdout, done.stderr)
        else:
            outcome = cli(*arguments)
        assert outcome.code == 0, f"{command}\n{outcome.err}"
    (python,) = PYTHON
    found: dict[str, Any] = {}
    exec(python, found)
    assert {item["name"] for item in found["named"]["candidates"]} == {"wave", "juggle"}
    assert len(found["named"]["predictions"]) == 24


def test_data_sets_and_splits_of_the_table_exist() -> None:
    from starcli import registry

    rows = re.findall(r"^\| `([a-z0-9-]+)` \((\d+) actions\) \|.*$", README, flags=re.MULTILINE)
    assert {name for name, _ in rows} == {e.name for e in registry.entries("dataset")}
    for name, count in rows:
        source = registry.load("dataset", name)
        assert len(source.classes) == int(count)
        line = next(x for x in README.splitlines() if x.startswith(f"| `{name}`"))
        assert all(f"`{protocol}`" in line for protocol in source.protocols)
        for split in re.findall(r"`(fold\d|\d+/\d+)`", line):
            assert split in source.splits

"""Killed at any change of files, or on a full disk: run again, a command ends as undisturbed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from starcli import registry
from starcli.conformance.readers import people_of, write
from starcli.contracts import NoSettings
from starcli.data import imported
from starcli.store import runs, unfinished
from starcli_plugins.layouts import COCO_17
from tests.bodies import body, pixels
from tests.faults_at import Commands, Fault

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="counts changes by /proc"),
    pytest.mark.slow,
]
MOST = int(os.environ.get("PYTEST_KILLS", "0"))
"""Changes of each command that are tried; 0 for a few. All are: `PYTEST_KILLS=1000`."""
STORE = ["--store", "store"]
IMPORT = ["data", "import", "poses", "poses", "--layout", "coco-17"]
AGAIN = ["data", "import", "poses", "few", "--layout", "coco-17", "--overwrite"]
"""Of a few recordings, which change as many files as all."""
BENCHMARK = ["benchmark", "cheap.toml"]
SETTINGS = {
    "run.workers": 1,
    "encoder.name": "minilm",
    "backbone.widths": [4],
    "backbone.strides": [4],
    "pretrain.frames": 8,
    "pretrain.epochs": 1,
    "extract.batch": 8,
    "extract.shard_mb": 0.002,
}
TABLE = """
seeds = [0]
[settings]
{}
[[columns]]
dataset = "poses"
protocol = "xsub"
splits = ["fold0"]
[rows]
eszsl = {{ method.name = "eszsl" }}
"""


def stage(name: str) -> list[str]:
    chosen = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    return [name, "--dataset", "poses", *STORE, *chosen]


class Toy:
    """Vectors that a text's digest draws."""

    api, revision, Settings = 1, 1, NoSettings
    dim, limit = 6, None
    unkeyed: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: NoSettings) -> None:
        self.settings = settings

    def fingerprint(self) -> str:
        return "toy"

    def length(self, text: str) -> int:
        return len(text)

    def encode(self, texts: Sequence[str]) -> Tensor:
        seeds = [int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) for text in texts]
        rows = [torch.randn(6, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return torch.nn.functional.normalize(torch.stack(rows), dim=1)


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """A folder with eight actions of three people, a table, a store, and what runs commands."""
    folder = tmp_path_factory.mktemp("kills")
    for number in range(8):
        for person, subject in enumerate("abc"):
            path = folder / "poses" / f"action {number}" / subject / "1.npy"
            path.parent.mkdir(parents=True)
            np.save(path, pixels(body(number, person, COCO_17))[:10])
    for few in ("action 0", "action 1"):
        shutil.copytree(folder / "poses" / few, folder / "few" / few)
    values = "\n".join(f"{key} = {json.dumps(value)}" for key, value in SETTINGS.items())
    (folder / "cheap.toml").write_text(TABLE.format(values))
    made = Commands(folder)
    for command in (IMPORT, [*BENCHMARK, "--out", "first"]):
        ended = made.run(*command, "--store", "whole", fault="none")
        assert ended.code == 0, ended.said
    yield made
    made.close()


def content(folder: Path) -> dict[str, Any]:
    """What the store and the folder of tables have, but for times, locks and logs."""
    found: dict[str, Any] = {}
    for path in (*(folder / "store").rglob("*"), *(folder / "out").rglob("*")):
        if folder / "store" / "logs" in (path, path.parent):
            continue  # as many as commands that worked
        if path.is_dir() or path.suffix in (".lock", ".jsonl"):
            found[str(path)] = path.suffix
        elif path.name == "meta.json":
            meta = json.loads(path.read_text())
            timed = ("created", "seconds", "seal")
            found[str(path)] = {key: value for key, value in meta.items() if key not in timed}
        elif path.suffix == ".eaf":
            found[str(path)] = re.sub(rb' DATE="[^"]*"', b"", path.read_bytes())
        else:
            found[str(path)] = path.read_bytes()
    return {path: value for path, value in found.items() if value != ".lock"}


def fresh(folder: Path, without: Sequence[str]) -> None:
    """A store as the first commands left it, but for some of its folders."""
    for name in ("store", "out"):
        shutil.rmtree(folder / name, ignore_errors=True)
    shutil.copytree(folder / "whole", folder / "store")
    for name in without:
        shutil.rmtree(folder / "store" / name, ignore_errors=True)


def survives(
    commands: Commands,
    command: Sequence[str],
    without: Sequence[str],
    fault: Fault,
    most: int,
    between: Callable[[], None] = lambda: None,
    *,
    over: int = 0,
) -> None:
    """Disturb a command at its changes, at most so many, and run it again.

    Where it had come to its end all the same, it may then say so with an exit code of its own.
    """
    folder = commands.folder
    fresh(folder, without)
    undisturbed = commands.run(*command)
    assert undisturbed.code == 0, undisturbed.said
    wanted = content(folder)
    most = min(MOST or most, undisturbed.changes)
    points = np.linspace(1, undisturbed.changes, most).round()
    print(len(points), "of", undisturbed.changes)
    for at in map(int, points):
        fresh(folder, without)
        disturbed = commands.run(*command, at=at, fault=fault)
        codes = (-signal.SIGKILL,) if fault == "kill" else (0, 6, 9)
        assert disturbed.code in codes, (at, disturbed.said)
        between()
        again = commands.run(*command)
        assert again.code in (0, over), (at, disturbed.said, again.said)
        unfinished.sweep(folder / "store")
        found = content(folder)
        assert found.keys() == wanted.keys(), at
        assert found == wanted, at


@pytest.mark.parametrize(("fault", "most"), [("kill", 60), ("full", 12)])
def test_prepare_f07(commands: Commands, fault: Fault, most: int) -> None:
    survives(commands, stage("prepare"), ["prepare"], fault, most)


@pytest.mark.parametrize(("fault", "most"), [("kill", 24), ("full", 6)])
def test_a_stage_of_several_shards_f03(commands: Commands, fault: Fault, most: int) -> None:
    final = next(
        path
        for path in (commands.folder / "whole" / "extract").iterdir()
        if json.loads((path / "meta.json").read_text())["recipe"]["task"]["role"] == "final"
    )
    assert len(list(final.glob("plain-*"))) > 1
    survives(commands, stage("extract"), [f"extract/{final.name}"], fault, most)


@pytest.mark.parametrize(("fault", "most"), [("kill", 60), ("full", 5)])
def test_a_stage_of_one_file_f02(commands: Commands, fault: Fault, most: int) -> None:
    survives(commands, stage("embed"), ["embed"], fault, most)


@pytest.mark.parametrize(("fault", "most"), [("kill", 60), ("full", 6)])
def test_import(commands: Commands, fault: Fault, most: int) -> None:
    survives(commands, [*AGAIN, *STORE], ["datasets"], fault, most)


@pytest.mark.skipif(not MOST, reason="PYTEST_KILLS=1000 tries it; arrays are tried above")
@pytest.mark.parametrize("fault", ["kill", "full"])
@pytest.mark.parametrize("name", [e.name for e in registry.entries("reader")])
def test_import_by_any_reader_f02_f07(commands: Commands, name: str, fault: Fault) -> None:
    plugin = registry.load("reader", name)
    layout = next(iter(plugin.layouts))
    place = commands.folder / name
    for take in ("bow/ann", "bow/bob", "wave/ann", "wave/bob"):
        (place / take).mkdir(parents=True, exist_ok=True)
        write(plugin(NoSettings()), people_of(plugin, layout), place / take)
    given = ["--layout", layout] if name == "arrays" else []
    command = ["data", "import", "others", name, "--reader", name, *given, "--overwrite"]
    survives(commands, [*command, *STORE], [], fault, 2)


@pytest.mark.parametrize(("fault", "most"), [("kill", 60), ("full", 9)])
def test_import_in_place_of_another(commands: Commands, fault: Fault, most: int) -> None:
    """At every instant the name stands for the old data or for the new."""
    seen = set()

    def is_whole() -> None:
        source = imported.load(commands.folder / "store", "poses")(NoSettings())
        seen.add(sum(1 for each in source.recordings(None) for _ in source.clips(each)))

    survives(commands, [*AGAIN, *STORE], [], fault, most, is_whole)
    assert seen == {24, 6}


@pytest.mark.parametrize(("fault", "most"), [("kill", 12), ("full", 6)])
def test_benchmark_of_what_is_cached(commands: Commands, fault: Fault, most: int) -> None:
    survives(commands, [*BENCHMARK, "--out", "out", *STORE], ["runs"], fault, most)


@pytest.mark.parametrize(("fault", "most"), [("kill", 8), ("full", 3)])
def test_benchmark(commands: Commands, fault: Fault, most: int) -> None:
    stages = ["prepare", "describe", "embed", "pretrain", "extract", "train", "evaluate"]
    command = [*BENCHMARK, "--out", "out", *STORE]
    survives(commands, command, [*stages, "calibrate", "runs"], fault, most)


@pytest.mark.parametrize(("fault", "most"), [("kill", 30), ("full", 6)])
def test_export(commands: Commands, fault: Fault, most: int) -> None:
    survives(commands, ["export", "out/model", "--overwrite", *STORE], [], fault, most)


@pytest.mark.parametrize(("fault", "most"), [("kill", 8), ("full", 2)])
def test_prune(commands: Commands, fault: Fault, most: int) -> None:
    """Half of a result is nowhere, and what is left in between is removed."""
    survives(commands, ["store", "prune", "--unused", *STORE], ["runs"], fault, most)


OUT = ["--overwrite", *STORE]
WINDOWS = ["--layout", "coco-17", "--fps", "30", "--windows", "0.2"]
EVENTS = ["predict", "poses/action 0", *WINDOWS]
ONE = ["predict", "poses/action 0/a/1.npy", *WINDOWS]
WRITTEN = {
    "report": ["report", "--out", "out/page.html", "--figures", "out/figures", *OUT],
    "figures": ["figure", "gamma", "--out", "out", *STORE],
    "page": ["view", "poses", "--clips", "2", "--out", "out/page.html", *OUT],
    "sheet": ["view", "poses", "--clips", "2", "--out", "out/sheet.png", *OUT],
    "gif": ["view", "poses", "--clips", "1", "--out", "out/clip.gif", *OUT],
    "jsonl": [*EVENTS, "--out", "out/events.jsonl", *OUT],
    "csv": [*EVENTS, "--out", "out/events.csv", *OUT],
    "vtt": [*ONE, "--out", "out/events.vtt", *OUT],
    "eaf": [*ONE, "--out", "out/events.eaf", *OUT],
    "gate": ["calibrate", "--calibrator", "gate", *STORE],
}
"""What writes files that are made of results, or a result that takes no time."""


@pytest.mark.skipif(not MOST, reason="takes minutes; PYTEST_KILLS=1000 tries it")
@pytest.mark.parametrize("fault", ["kill", "full"])
@pytest.mark.parametrize("name", WRITTEN)
def test_files_that_are_made_of_results_f02_f07(
    commands: Commands, name: str, fault: Fault
) -> None:
    survives(commands, WRITTEN[name], [], fault, 2)


@pytest.mark.parametrize("fault", ["kill", "full"])
@pytest.mark.parametrize("change", [["rename", "new"], ["delete"]], ids=["rename", "delete"])
def test_runs_are_changed_whole_or_not_at_all_f02_f07(
    commands: Commands, change: list[str], fault: Fault
) -> None:
    (name,) = runs.names(commands.folder / "whole")
    survives(commands, ["runs", change[0], name, *change[1:], *STORE], [], fault, 2, over=2)

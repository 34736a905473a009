"""Commands that compute nothing import no library that takes long to import."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import starcli
from starcli import registry
from tests.test_pipeline import TINY, TRAIN

COMPUTING = (
    "accelerate",
    "matplotlib",
    "pandas",
    "scipy",
    "sentence_transformers",
    "sklearn",
    "torch",
    "torch_geometric",
    "transformers",
)
"""Libraries that only commands that compute or draw may import."""
RUN = """
import json, sys

class Refused(BaseException):
    pass

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in refused:
            raise Refused(f"imports {name}")

refused, commands = map(json.loads, sys.argv[1:])
sys.meta_path.insert(0, Refuse())
from starcli.__main__ import main
ends = []
for command in commands:
    sys.argv = ["starcli", *command]
    try:
        main()
        ends.append("0")
    except SystemExit as end:
        ends.append(str(end.code or 0))
    except Refused as error:
        ends.append(str(error))
print("ends:" + json.dumps(ends))
"""


def ends(
    commands: Sequence[Sequence[str]], folder: Path, refused: Sequence[str] = COMPUTING
) -> list[str]:
    """How commands end, one after another in a process of its own: code, or what they import.

    Args:
        commands: The commands.
        folder: Where they run.
        refused: Libraries whose import ends a command.
    """
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(refused), json.dumps(commands)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.rpartition("ends:")[2])
    assert len(found) == len(commands)
    return found


OURS = [e for e in registry.entries() if e.distribution == registry.OURS]


def asks_for_more(entry: registry.Entry) -> bool:
    """Whether a plugin has a setting without a default."""
    fields = registry.declared(entry.kind, entry.name).Settings.model_fields.values()
    return any(field.is_required() for field in fields)


OPTIONS = {
    "describer": "--describer",
    "text-encoder": "--encoder",
    "backbone": "--backbone",
    "method": "--method",
}
SHOW = ["train", "--show-settings", "--json"]
SMALL = [*TRAIN, "--set", "run.device=cpu"]
ASKED: dict[str, list[str]] = {
    "help": ["--help"],
    "plugins": ["plugins"],
    "data list": ["data", "list"],
    "data show": ["data", "show", "ntu60"],
    "data check": ["data", "check", "simulated", "--set", "dataset.subjects=2"],
    "describe --schema": ["describe", "--schema"],
    "describe --actions": ["describe", "--actions", "squat, wave"],
    "show-settings": ["train", "--show-settings"],
    "dry-run": ["train", "--dry-run", "--encoder", "glove-50"],
    "doctor": ["doctor"],
    **{
        f"show-settings, {e.kind} {e.name}": [
            "train",
            "--show-settings",
            "--json",
            OPTIONS[e.kind],
            e.name,
        ]
        for e in OURS
        if e.kind in OPTIONS and not asks_for_more(e)
    },
}
"""Commands that need no store, each of which says what is asked for."""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    found = ends(list(ASKED.values()), tmp_path_factory.mktemp("asked"))
    return dict(zip(ASKED, found, strict=True))


def test_help_and_a_plan_compute_nothing(tmp_path: Path) -> None:
    assert ends([ASKED["help"], ASKED["dry-run"]], tmp_path) == ["0", "0"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ASKED)
def test_what_asks_only_computes_nothing(name: str, asked: dict[str, str]) -> None:
    assert asked[name] == "0"


STORED: dict[str, list[str]] = {
    "evaluate": ["evaluate", "first"],
    "evaluate --json": ["evaluate", "first", "--json"],
    "calibrate": ["calibrate", "first", "--gamma-sweep"],
    "dry-run": ["train", *SMALL, "--dry-run"],
    "train": ["train", *SMALL, "--run", "again"],
    "embed": ["embed", *SMALL],
    "prepare": ["prepare", *SMALL],
    "runs list": ["runs", "list"],
    "runs show": ["runs", "show", "first"],
    "runs compare": ["runs", "compare", "first", "again"],
    "store list": ["store", "list"],
    "store verify": ["store", "verify"],
    "store prune": ["store", "prune", "--unused"],
}
"""Commands whose answer is in the store."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> starcli.Run:
    """A tiny run whose results are all in its store."""
    store = tmp_path_factory.mktemp("trained") / "store"
    run = starcli.train(run="first", store=store, device="cpu", settings=TINY)
    starcli.calibrate(run)
    return run


def store_of(run: starcli.Run) -> Path:
    return run.experiment.store.root


@pytest.fixture(scope="module")
def answered(trained: starcli.Run) -> dict[str, str]:
    store = store_of(trained)
    found = ends([[*each, "--store", str(store)] for each in STORED.values()], store.parent)
    return dict(zip(STORED, found, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", STORED)
def test_what_is_in_the_store_is_not_computed(name: str, answered: dict[str, str]) -> None:
    assert answered[name] == "0"


@pytest.mark.slow
def test_only_a_graph_network_imports_the_library_of_graphs(trained: starcli.Run) -> None:
    """Another head is trained on the tokens that are there, other texts are embedded."""
    place = ["--store", str(store_of(trained))]
    commands = [
        ["train", *SMALL, "--set", "method.alpha=0.5", *place],
        ["embed", *SMALL, "--set", "text.name_template={name}", *place],
        ["extract", *SMALL, "--set", "extract.crop=0.9", *place],
    ]
    assert ends(commands, store_of(trained).parent, ["torch_geometric"]) == [
        "0",
        "0",
        "imports torch_geometric",
    ]


@pytest.mark.slow
def test_a_picture_is_drawn_only_where_its_numbers_have_changed(trained: starcli.Run) -> None:
    picture, numbers = trained.folder / "calibration.png", trained.folder / "calibration.json"
    drawn, found = picture.read_bytes(), numbers.read_bytes()
    picture.write_bytes(b"kept")
    starcli.calibrate(trained)
    assert picture.read_bytes() == b"kept"
    numbers.write_text("{}")
    starcli.calibrate(trained)
    assert (picture.read_bytes(), numbers.read_bytes()) == (drawn, found)
    picture.unlink()
    starcli.calibrate(trained)
    assert picture.read_bytes() == drawn

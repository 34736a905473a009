"""`starcli doctor`: what is here, and whether it works."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from starcli import __version__, doctor, registry
from starcli.cli.output import size
from starcli.errors import MissingError
from starcli.store.artifacts import Store
from tests import forks, stores
from tests.conftest import Outcome
from tests.faults.rights import give_up

Cli = Callable[..., Outcome]
CPU = [{"name": "cpu", "model": "", "memory": None}]


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch is not asked, and of the encoders only the smallest."""

    def entries(kind: str | None = None) -> tuple[registry.Entry, ...]:
        named = {"names", "devise", "glove-50", "simulated", "coco-17", "word2vec", "kard"}
        return tuple(e for e in every(kind) if e.name in named)

    every: Callable[[Any], tuple[registry.Entry, ...]] = registry.entries
    monkeypatch.setattr(registry, "entries", entries)
    monkeypatch.setattr(doctor, "_devices", lambda problems: CPU)


def found(cli: Cli, code: int = 0) -> dict[str, Any]:
    done = cli("doctor", "--json", "--store", "store")
    answer: dict[str, Any] = json.loads(done.out)
    assert done.code == code, done.err
    assert answer["ok"] == (code == 0)
    return answer


def test_what_is_here(cli: Cli, tmp_path: Path) -> None:
    answer = found(cli)
    assert answer["versions"]["starcli"] == __version__
    assert {"python", "torch", "typer"} <= answer["versions"].keys()
    assert "c3d" not in answer["versions"]  # only an extra needs it
    assert answer["machine"]["cores"] >= 1
    assert answer["machine"]["memory"] >= answer["machine"]["memory_free"] > 0
    assert answer["machine"]["devices"] == CPU
    assert {row["status"] for row in answer["plugins"]} == {"ok"}
    encoders = {each["name"]: each for each in answer["encoders"]}
    assert encoders["glove-50"]["offline"]
    assert encoders["word2vec"] == {
        "name": "word2vec",
        "offline": False,
        "reason": "needs encoder.model",
    }
    states = {each["name"]: each["state"] for each in answer["datasets"]}
    assert (states["simulated"], states["kard"]) == ("needs no recordings", "needs --raw")
    assert answer["store"]["size"] == answer["store"]["results"] == 0
    assert answer["problems"] == []
    assert list(tmp_path.iterdir()) == []
    table = cli("doctor", "--store", "store")
    assert "works offline" in table.out and "no problems found" in table.err


def test_a_store_with_a_damaged_result_and_a_damaged_run(cli: Cli, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for stage in ("prepare", "embed"):
        with store.writing(stage, {"stage": stage, "plugin": "starcli:kard"}) as draft:
            draft.summary = {"skipped": []}
    (meta,) = store.root.glob("embed/*/meta.json")
    meta.write_text("{}")
    run = store.root / "runs" / "mine" / "run.json"
    run.parent.mkdir(parents=True)
    run.write_text("[]")
    answer = found(cli, 3)
    health = answer["store"]
    assert (health["results"], health["runs"], health["unfinished"]) == (2, 1, 0)
    assert health["damaged"] == ["store/" + str(p.relative_to(store.root)) for p in (meta, run)]
    assert health["size"] == sum(p.stat().st_size for p in store.root.rglob("*") if p.is_file())
    assert {each["name"]: each["state"] for each in answer["datasets"]}["kard"] == "prepared"
    assert [each["exit_code"] for each in answer["problems"]] == [3, 3]
    done = cli("doctor", "--store", "store")
    assert done.code == 3
    assert done.err.startswith("problem: store/embed/")


def test_a_run_that_lost_a_result(cli: Cli, tmp_path: Path) -> None:
    stores.run(tmp_path / "store", "first")
    (pretrained,) = (tmp_path / "store").glob("pretrain/*")
    shutil.rmtree(pretrained)
    answer = found(cli, 3)
    assert answer["store"]["damaged"] == ["run 'first' lost its pretrain"]
    assert answer["problems"][0]["fix"] == "make it again with: starcli evaluate 'first'"


def test_a_plugin_that_cannot_be_imported(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(kind: str, name: str) -> None:
        raise MissingError("its library is away", "")

    monkeypatch.setattr(registry, "declared", broken)
    row = next(row for row in found(cli, 4)["plugins"] if row["name"] == "names")
    assert (row["status"], row["reason"]) == ("broken", "its library is away")


@pytest.mark.parametrize(
    ("printed", "code", "said"),
    [("", 1, "ImportError: no torch"), ("noise\ndevices: " + json.dumps(CPU), 0, "")],
)
def test_torch_is_asked_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch, printed: str, code: int, said: str
) -> None:
    monkeypatch.undo()
    done = subprocess.CompletedProcess([], code, printed, "Traceback\nImportError: no torch\n")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: done)
    problems: list[Any] = []
    devices = doctor._devices(problems)
    assert [str(problem) for problem in problems] == (
        [f"torch cannot be imported: {said}"] if said else []
    )
    assert devices == ([] if said else CPU)


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    """In a fork, which gives up what root may do."""

    def work() -> None:
        give_up()
        forks.starcli("doctor", "--json", "--store", "store")()

    (tmp_path / "store").mkdir(mode=0o500)
    code, said = forks.end(work, tmp_path)
    assert code == 6, said
    assert json.loads(said.splitlines()[0])["store"]["writable"] is False


def test_a_file_where_the_store_should_be(cli: Cli) -> None:
    Path("store").write_text("mine")
    assert found(cli, 6)["store"]["writable"] is False


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12 MB"), (4e12, "4.0 TB")],
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text

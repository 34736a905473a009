"""Cells run: what is shared runs once, a failure leaves the rest, parts and jobs change nothing."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest

from starcli import pipeline
from starcli.benchmark import grid
from starcli.benchmark.runner import run_cells
from starcli.benchmark.table import read
from starcli.errors import DataError
from starcli.executors import Executor
from starcli.store.artifacts import Finished, Store
from tests.conftest import Outcome
from tests.test_pipeline import TINY

Cli = Callable[..., Outcome]
TABLE = """
title = "Tiny"
seeds = [0, 1]

[settings]
{settings}

[[columns]]
dataset = "simulated"
protocol = "xsub"
splits = ["fold0", "fold1"]
measures = ["zsl", "H"]

[rows]
eszsl = {{ method.name = "eszsl" }}
star = {{ method.name = "star" }}
synse = {{ method.name = "synse" }}
"""
BACKBONES = 8
"""Two folds and two seeds, each with a nested run."""
NEEDED = "method synse reads a text for verb, noun, describer bundled gives one for each part"


def settings() -> str:
    own = {key.replace("method.", "method.star."): value for key, value in TINY.items()}
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in own.items())


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tables") / "tiny.toml"
    path.write_text(TABLE.format(settings=settings()))
    return str(path)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that the first test to use it fills."""
    return tmp_path_factory.mktemp("filled") / "store"


def run(cli: Cli, table: str, store: Path, *options: str) -> tuple[int, dict[str, Any]]:
    outcome = cli("benchmark", table, "--store", str(store), "--json", *options)
    return outcome.code, json.loads(outcome.out)


def made(store: Path, stage: str) -> set[str]:
    return {path.parent.name for path in store.glob(f"{stage}/*/meta.json")}


def cells(found: dict[str, Any], **names: Any) -> list[dict[str, Any]]:
    return [c for c in found["cells"] if names.items() <= c.items()]


@pytest.mark.slow
def test_every_row_is_measured_and_one_that_fails_leaves_the_rest(
    cli: Cli, table: str, store: Path
) -> None:
    code, found = run(cli, table, store)
    assert code == 9
    assert (found["ok"], found["title"], found["seeds"], found["not_run"]) == (
        True,
        "Tiny",
        [0, 1],
        [],
    )
    assert len(found["cells"]) == 12
    for cell in cells(found, row="synse"):
        assert (cell["status"], cell["error"]["exit_code"]) == ("failed", 2)
        assert cell["error"]["message"] == NEEDED
    for value in found["values"]:
        done = cells(found, row=value["row"], status="done")
        if value["row"] == "synse":
            assert (value["mean"], value["std"]) == (None, None)
            continue
        key = {"zsl": "ZSL", "H": "H"}[value["measure"]]
        of_seeds = [mean(c[key] for c in done if c["seed"] == seed) for seed in (0, 1)]
        assert value["mean"] == pytest.approx(mean(of_seeds))
        assert value["std"] == pytest.approx(stdev(of_seeds))
    assert len(made(store, "pretrain")) == BACKBONES
    assert [len(made(store, stage)) for stage in ("prepare", "embed")] == [1, 1]


@pytest.mark.slow
def test_a_cell_is_a_run_like_any_other(cli: Cli, table: str, store: Path) -> None:
    _, found = run(cli, table, store)
    (cell,) = cells(found, row="star", split="fold1", seed=1)
    document = json.loads(cli("evaluate", cell["run"], "--store", str(store), "--json").out)
    assert document["zsl"]["accuracy"] == cell["ZSL"]
    assert document["gzsl"]["harmonic_mean"] == cell["H"]
    assert (document["split"], document["seed"], document["epochs"]) == ("fold1", 1, cell["epochs"])


@pytest.mark.slow
def test_what_is_done_does_not_run_again(cli: Cli, table: str, store: Path) -> None:
    before = made(store, "*")
    first, second = (run(cli, table, store) for _ in range(2))
    assert first == second
    assert made(store, "*") == before


@pytest.mark.slow
def test_rows_and_data_sets_can_be_chosen(cli: Cli, table: str, store: Path) -> None:
    options = ("--only", "eszsl", "--dataset", "simulated", "--seeds", "1")
    code, found = run(cli, table, store, *options)
    assert (code, found["rows"], found["seeds"]) == (0, ["eszsl"], [1])
    assert [(c["split"], c["seed"]) for c in found["cells"]] == [("fold0", 1), ("fold1", 1)]


@pytest.mark.slow
def test_what_a_run_must_admit_stays_with_its_numbers(cli: Cli, table: str, store: Path) -> None:
    chosen = ("--only", "star", "--only", "eszsl", "--seeds", "0")
    _, found = run(cli, table, store, *chosen, "--set", "method.star.semantic_classes=all")
    for value in found["values"]:
        told = value["row"] == "star"
        assert told == ("TRANSDUCTIVE" in (value["warning"] or ""))
        assert not value["best"]  # of one seed nothing is
        assert value["against"] == ("eszsl" if told else None)


@pytest.mark.slow
def test_parts_merged_are_the_whole(cli: Cli, table: str, store: Path, tmp_path: Path) -> None:
    code, whole = run(cli, table, store)
    for part in ("1/2", "2/2"):
        printed = cli("benchmark", table, "--store", str(store), "--shard", part)
        outcome = cli("benchmark", table, "--store", str(store), "--shard", part, "--out", "parts")
        file = Path(outcome.out.strip())
        assert json.loads(file.read_text()) == json.loads(printed.out)
        assert outcome.code == printed.code == 9  # synse failed
        both = cli(
            "benchmark", table, "--store", str(store), "--shard", part, "--out", "parts", "--json"
        )
        assert both.out == printed.out
    files = sorted(str(path) for path in (tmp_path / "parts").iterdir())
    assert [Path(file).name for file in files] == ["tiny-1-of-2.json", "tiny-2-of-2.json"]
    outcome = cli("benchmark", "--merge", *files, "--json")
    assert (outcome.code, json.loads(outcome.out)) == (code, whole)
    half = cli("benchmark", "--merge", files[0])
    assert half.code == 9
    assert "6 did not run" in " ".join(half.err.split())
    assert "Empty, 6 of 12 runs (first eszsl: simulated xsub fold0, seed 1): not run" in half.out
    other = cli("benchmark", table, "--store", str(store), "--shard", "2/2", "--only", "eszsl")
    (tmp_path / "other.json").write_text(other.out)
    refused = cli("benchmark", "--merge", files[0], "other.json")
    assert refused.code == 3
    assert f"other.json: differs from {files[0]} in recipe, rows, paper" in refused.err


@pytest.mark.slow
def test_several_jobs_find_the_same(
    cli: Cli, table: str, tmp_path: Path, one_thread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With as many threads, that is: with others, sums are rounded in another order."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of the processes
    chosen = ("--only", "eszsl", "--seeds", "0")  # a fold for each of two jobs
    _, one = run(cli, table, tmp_path / "one", *chosen)
    code, several = run(cli, table, tmp_path / "several", *chosen, "--jobs", "2")
    assert (code, several) == (0, one)
    assert len(made(tmp_path / "several", "pretrain")) == BACKBONES / 2


@dataclass
class Refusing(Executor):
    """Notes what it is given, and has it all end well but for one job that dies, and the cells."""

    given: list[tuple[str, str]] = field(default_factory=list)

    def run(self, work: Any, jobs: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        for job in jobs:
            self.given.append((job.stage, str(job.cell)))
            if (job.stage, job.cell.split, job.cell.seed) == ("pretrain", "fold1", 1):
                yield job, None
            else:
                yield job, job.stage != "calibrate" or DataError(f"ran {job.cell}")

    def shares(self, items: Sequence[Any]) -> list[Sequence[Any]]:
        raise NotImplementedError


def test_what_cells_share_is_made_first_and_once(table: str, tmp_path: Path) -> None:
    chosen = grid.cells(read(table), {"run.store": tmp_path}, None)
    executor = Refusing()
    results = list(run_cells(chosen, None, executor))
    assert sorted(map(grid.title, results)) == sorted(map(str, chosen))
    stages = [stage for stage, _ in executor.given]
    assert stages == sorted(
        stages, key=["prepare", "embed", "pretrain", "extract", "calibrate"].index
    )
    assert stages[:2] == ["prepare", "embed"]
    backbones = [f"eszsl: simulated xsub fold{fold}, seed {seed}" for fold in "01" for seed in "01"]
    pretrained = [name for stage, name in executor.given if stage == "pretrain"]
    assert pretrained == [*backbones, backbones[-1]]  # the one that died once more
    left = [
        str(cell)
        for cell in chosen
        if (cell.split, cell.seed) != ("fold1", 1) and cell.row != "synse"
    ]
    assert [name for stage, name in executor.given if stage == "calibrate"] == left
    messages = {grid.title(r): r["error"]["message"] for r in results if r["status"] == "failed"}
    assert {name: messages.pop(name) for name in left} == {name: f"ran {name}" for name in left}
    told = Counter(message.partition(",")[0] for message in messages.values())
    assert told == {"its process was killed twice": 3, NEEDED.partition(",")[0]: 3}


@pytest.mark.slow
def test_what_is_in_the_store_is_no_job(table: str, store: Path, cli: Cli) -> None:
    _, found = run(cli, table, store, "--only", "eszsl")
    chosen = grid.cells(read(table).only(["eszsl"], []), {"run.store": store}, None)
    executor = Refusing()
    assert list(run_cells(chosen, None, executor)) == found["cells"]
    assert not executor.given


def test_recordings_that_are_not_there_leave_cells_empty(
    cli: Cli, table: str, tmp_path: Path
) -> None:
    text = Path(table).read_text().replace('"simulated"', '"utd-mhad"')
    absent = tmp_path / "absent.toml"
    absent.write_text(text.replace("dataset.subjects = 2", ""))
    code, found = run(cli, str(absent), tmp_path / "store", "--only", "eszsl")
    assert code == 0
    assert {cell["status"] for cell in found["cells"]} == {"absent"}
    assert all(value["mean"] is None for value in found["values"])
    outcome = cli("benchmark", str(absent), "--store", str(tmp_path / "store"), "--only", "eszsl")
    assert "Empty, 4 of 4 runs" in outcome.out
    assert "no recordings of utd-mhad" in outcome.out
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_a_dry_run_knows_what_similar_runs_took(
    cli: Cli, table: str, store: Path, tmp_path: Path
) -> None:
    options = ("--dry-run", "--only", "eszsl", "--seeds", "1,7")
    _, never = run(cli, table, tmp_path / "none", *options)
    assert [cell["status"] for cell in never["cells"]] == ["run"] * 4
    assert [cell["steps"] for cell in never["cells"]] == [11, 8, 8, 8]
    assert never["total"] == {"steps": 35, "unknown_steps": 35, "seconds": None, "bytes": None}
    assert not (tmp_path / "none").exists()
    run(cli, table, store)
    _, known = run(cli, table, store, *options)
    status = {(cell["split"], cell["seed"]): cell["status"] for cell in known["cells"]}
    assert status == {
        ("fold0", 1): "cached",
        ("fold1", 1): "cached",
        ("fold0", 7): "run",
        ("fold1", 7): "run",
    }
    metas = [json.loads(p.read_text()) for p in store.glob("pretrain/*/meta.json")]
    least = min(meta["seconds"] for meta in metas)
    (cell,) = [c for c in known["cells"] if (c["split"], c["seed"]) == ("fold0", 7)]
    assert (cell["steps"], cell["unknown_steps"]) == (8, 0)
    assert cell["seconds"] >= 2 * least - 0.1
    assert cell["bytes"] > 0
    table_of = cli("benchmark", table, "--store", str(store), *options).out
    assert "cached" in table_of


def test_an_estimate_is_the_mean_of_the_most_similar(tmp_path: Path) -> None:
    from starcli.benchmark.forecast import Cost, Estimator

    store = Store(tmp_path)
    clips = {"clips": "c"}
    for seed, plugin, lr, seconds in (
        (0, "a", 1, 2),
        (1, "a", 1, 4),
        (0, "a", 2, 9),
        (0, "b", 1, 1),
    ):
        recipe = {"stage": "train", "plugin": plugin, "seed": seed, "lr": lr, "inputs": clips}
        with store.writing("train", recipe) as draft:
            draft.json([1])
        (meta,) = [
            p
            for p in tmp_path.glob("train/*/meta.json")
            if json.loads(p.read_text())["recipe"] == recipe
        ]
        changed = {"seconds": seconds, "seal": None}
        meta.write_text(json.dumps(json.loads(meta.read_text()) | changed))

    def cost(**recipe: Any) -> Cost:
        whole = {"stage": "train", "plugin": "a", "seed": 5, "lr": 1, "inputs": clips, **recipe}
        step = pipeline.Step("train", {})
        return Estimator(store).cost(pipeline.Planned(step, whole, None, ""))

    assert cost().seconds == 3  # another seed only: 2 and 4
    assert cost(lr=2).seconds == 9
    assert cost(plugin="b").seconds == 1
    assert cost().size == pytest.approx(
        sum(
            f.stat().st_size
            for m in tmp_path.glob("train/*/meta.json")
            if json.loads(m.read_text())["seconds"] in (2, 4)
            for f in m.parent.iterdir()
        )
        / 2
    )
    for unlike in ({"plugin": "c"}, {"inputs": {"clips": "other"}}):
        assert cost(**unlike) == Cost(steps=1, unknown=1)
    assert cost().plus(cost(plugin="c")).document()["unknown_steps"] == 1


@pytest.mark.slow
def test_a_bug_in_one_row_is_told_and_leaves_the_rest(
    cli: Cli, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from starcli_plugins.methods.eszsl import Eszsl

    def broken(self: Any, train: Any, callbacks: Any, *, seed: int) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(Eszsl, "fit", broken)
    chosen = ("--only", "eszsl", "--only", "star", "--seeds", "0")
    code, found = run(cli, table, tmp_path / "store", *chosen)
    assert code == 9
    error = cells(found, row="eszsl")[0]["error"]
    assert error["message"] == "bug in starcli: ZeroDivisionError: by nought"
    log = Path(error["fix"].removeprefix("please report it with "))
    assert "in broken" in log.read_text()
    log.unlink()
    assert [cell["status"] for cell in cells(found, row="star")] == ["done", "done"]


@pytest.mark.slow
def test_stopping_leaves_finished_cells(
    cli: Cli, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pipeline.run_steps
    ran: list[bool] = []

    def stopped_in_the_second(*arguments: Any) -> Any:
        if ran:
            raise KeyboardInterrupt
        ran.append(True)
        return whole(*arguments)

    monkeypatch.setattr(pipeline, "run_steps", stopped_in_the_second)
    outcome = cli("benchmark", table, "--store", "store", "--only", "eszsl", "--out", "out")
    assert outcome.code == 130
    assert len(made(tmp_path / "store", "calibrate")) == 1
    assert not list((tmp_path / "out").iterdir())
    monkeypatch.setattr(pipeline, "run_steps", whole)
    _, found = run(cli, table, tmp_path / "store", "--only", "eszsl", "--dry-run")
    assert [cell["status"] for cell in found["cells"]] == ["cached", "run", "run", "run"]


def test_who_waits_takes_what_another_made(tmp_path: Path) -> None:
    recipe, began, found = {"stage": "embed"}, threading.Event(), []

    def second() -> None:
        began.set()
        try:
            with Store(tmp_path, wait=True).writing("embed", recipe):
                found.append("wrote it again")
        except Finished:
            found.append("took it")

    other = threading.Thread(target=second)
    with Store(tmp_path).writing("embed", recipe) as draft:
        other.start()
        assert began.wait(20)
        draft.json([1])
    other.join(20)
    assert found == ["took it"]

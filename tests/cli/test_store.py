"""`starcli store`: results, whether they are whole, why they are there, and removing them."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from starcli import pipeline
from starcli.errors import OutputError
from starcli.store import commands, inventory, pruning
from starcli.store.artifacts import Store
from starcli.store.pruning import Limits, parse_age, parse_size
from tests import stores
from tests.conftest import Outcome
from tests.test_pipeline import tiny

Cli = Callable[..., Outcome]
DAY = 86_400.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with a run."""
    stores.run(tmp_path / "store", "mine")
    return tmp_path / "store"


def document(cli: Cli, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = cli("store", *arguments, "--store", "store", "--json")
    assert done.code == code, done.err
    answer: dict[str, Any] = json.loads(done.out)
    return answer


def keys(root: Path) -> set[str]:
    return {path.parent.name for path in root.glob("*/*/meta.json")}


def test_the_list_says_which_runs_need_a_result(cli: Cli, root: Path) -> None:
    extra = stores.put(root, "embed", plugin="other")
    found = document(cli, "list")
    needed = {each["key"]: each["needed_by"] for each in found["results"]}
    assert needed.pop(extra) == []
    assert list(needed.values()) == [["mine"]] * 7
    assert found["size"] == sum(each["size"] for each in found["results"]) > 0
    embedded = document(cli, "list", "--stage", "embed")["results"]
    assert {each["stage"] for each in embedded} == {"embed"}
    table = cli("store", "list", "--store", "store").out
    assert "no run" in table and "1 run" in table


def test_verify_reads_every_byte(cli: Cli, root: Path) -> None:
    assert document(cli, "verify") == {"ok": True, "verified": 7, "faults": []}
    (file,) = root.glob("pretrain/*/data.json")
    text = file.read_text()
    file.write_text(text.replace("1", "2"))
    found = document(cli, "verify", code=3)
    (fault,) = found["faults"]
    assert fault["file"] == f"store/{file.relative_to(root)}"
    assert "not those that were written" in fault["message"]
    assert "starcli pretrain" in fault["fix"]
    assert document(cli, "verify", file.parent.name, code=3)["verified"] == 1
    (train,) = root.glob("train/*")
    assert document(cli, "verify", train.name)["ok"]


def test_verify_finds_what_a_run_lost(cli: Cli, root: Path) -> None:
    shutil.rmtree(next(root.glob("embed/*")))
    (fault,) = document(cli, "verify", code=3)["faults"]
    assert fault["message"] == "run 'mine' lost its embed"
    assert fault["fix"] == "make it again with: starcli evaluate 'mine'"
    assert "lost its embed" in cli("store", "verify", "--store", "store").err


def test_why_a_result_is_there(cli: Cli, root: Path) -> None:
    first = document(cli, "list", "--stage", "pretrain")["results"][0]["key"]
    (clips,) = (path.name for path in root.glob("prepare/*"))
    other = stores.put(root, "pretrain", {"clips": clips}, seed=7)
    found = document(cli, "explain", other[:6])
    assert (found["stage"], found["key"], found["needed_by"]) == ("pretrain", other, [])
    assert found["inputs"] == {"clips": f"prepare/{clips}"}
    assert found["recipe"] == {"stage": "pretrain", "seed": 7}
    assert (found["nearest"], found["differs"]) == (first, ["seed: 0 -> 7"])
    assert document(cli, "explain", f"pretrain/{first}")["needed_by"] == ["mine"]
    shutil.rmtree(root / "prepare" / clips)
    assert document(cli, "explain", first)["inputs"] == {"clips": f"lost/{clips}"}
    assert "seed: 0 -> 7" in cli("store", "explain", other, "--store", "store").out


@pytest.mark.parametrize("name", ["abc", "xyzw", "..", "embed/", "\x1b[31m"])
def test_a_key_that_there_is_not(cli: Cli, root: Path, name: str) -> None:
    error = document(cli, "explain", name, code=2)["error"]
    assert error["fix"] == "see which there are with: starcli store list"


def test_only_what_no_run_needs_is_removed(cli: Cli, root: Path) -> None:
    needed = keys(root)
    extra = stores.put(root, "train", seed=9)
    after = stores.put(root, "evaluate", {"method": extra})
    plan = document(cli, "prune", "--unused", "--dry-run")
    assert {each["key"] for each in plan["removed"]} == {extra, after}
    assert keys(root) == needed | {extra, after}
    done = document(cli, "prune", "--unused")
    assert done["removed"] == plan["removed"]
    assert keys(root) == needed
    assert not list((root / "unfinished").glob("*"))
    assert document(cli, "prune", "--unused")["removed"] == []
    assert cli("runs", "delete", "mine", "--store", "store").code == 0
    assert len(document(cli, "prune", "--unused")["removed"]) == len(needed)
    assert keys(root) == set()


def test_nothing_is_removed_unless_it_is_said_what(cli: Cli, root: Path) -> None:
    assert "nothing says what" in document(cli, "prune", code=2)["error"]["message"]
    for option in ("--older-than", "--max-size"):
        assert document(cli, "prune", option, "many", code=2)["error"]["id"] == "usage"


def test_by_age_and_until_the_store_is_small(root: Path) -> None:
    made, now = {}, time.time()
    for days in (1, 10, 100):
        made[days] = stores.put(root, "embed", days=days)
        stores.age(root, "embed", made[days], now - days * DAY)
    chosen = pruning.prunable(root, Limits(older_than=5 * DAY))
    assert [each.key for each in chosen] == [made[100], made[10]]
    size = sum(each.size for each in inventory.results(root))
    chosen = pruning.prunable(root, Limits(max_size=size - 1))
    assert [each.key for each in chosen] == [made[100]]
    assert pruning.prunable(root, Limits(max_size=size)) == []
    assert len(pruning.prunable(root, Limits(max_size=0))) == 3


def test_texts_that_were_edited_by_hand_stay(root: Path) -> None:
    key = stores.put(root, "describe", plugin="other")
    assert [each.key for each in pruning.prunable(root, Limits())] == [key]
    (root / "describe" / key / "data.json").write_text('{"x": 2}\n')
    assert pruning.prunable(root, Limits()) == []


def test_what_a_damaged_run_needs_nobody_knows(cli: Cli, root: Path) -> None:
    (root / "runs" / "mine" / "run.json").write_text("{")
    before = keys(root)
    assert document(cli, "prune", "--unused", code=3)["error"]["id"] == "data"
    assert keys(root) == before
    assert len(document(cli, "list")["results"]) == 7


def test_while_a_command_works_nothing_is_removed(cli: Cli, root: Path) -> None:
    stores.put(root, "embed", plugin="other")
    before = keys(root)
    with commands.using(root):
        error = document(cli, "prune", "--unused", code=6)["error"]
        assert error["message"] == "a command is working with this store"
    assert keys(root) == before
    left = root / "locks" / "command-dead.lock"
    left.touch()  # of a command that was killed
    assert len(document(cli, "prune", "--unused")["removed"]) == 1
    assert not left.exists()


@pytest.mark.parametrize("is_new", [True, False])
def test_stages_keep_the_store_to_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    def run(job: object) -> None:
        with pytest.raises(OutputError, match="a command is working"):
            pruning.prune(tmp_path / "store", Limits())
        raise ZeroDivisionError

    if not is_new:
        stores.put(tmp_path / "store", "embed")
    monkeypatch.setattr("starcli.stages.describe.run", run)
    with pytest.raises(ZeroDivisionError):
        pipeline.run_steps(tiny(tmp_path / "store"), "describe")
    assert len(pruning.prune(tmp_path / "store", Limits())) == (not is_new)


def test_a_store_that_cannot_be_written(cli: Cli, root: Path) -> None:
    stores.put(root, "embed", plugin="other")
    before = keys(root)
    shutil.rmtree(root / "locks")
    (root / "locks").write_text("no folder")
    assert document(cli, "prune", "--unused", code=6)["error"]["id"] == "output"
    assert keys(root) == before
    with commands.using(root):  # a command that finds everything there needs to write nothing
        assert Store(root).all("embed")


@pytest.mark.parametrize(
    ("text", "seconds"), [("12h", 43_200), ("1.5d", 129_600), ("2w", 14 * DAY)]
)
def test_ages(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize(("text", "count"), [("500MB", 5e8), ("1.5 gb", 1.5e9), ("0B", 0)])
def test_sizes(text: str, count: float) -> None:
    assert parse_size(text) == count

"""`starcli runs`: what there is, what it was made of, and giving it up."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from starcli.errors import UsageError
from starcli.store import runs
from starcli.store.unfinished import sweep
from tests import stores
from tests.conftest import Outcome

Cli = Callable[..., Outcome]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with two runs, the second the latest."""
    place = tmp_path / "store"
    stores.run(place, "first")
    stores.run(place, "second", seed=1)
    for number, name in enumerate(("first", "second")):
        os.utime(runs.folder(place, name) / "run.json", (number, number))
    return place


def document(cli: Cli, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = cli("runs", *arguments, "--store", "store", "--json")
    assert done.code == code, done.err
    answer: dict[str, Any] = json.loads(done.out)
    return answer


def test_the_list_has_every_run_with_its_accuracies(cli: Cli, root: Path) -> None:
    second, first = document(cli, "list")["runs"]
    assert (first["run"], first["latest"], first["recorded"]) == ("first", False, 0.0)
    assert (second["run"], second["latest"]) == ("second", True)
    assert first["measures"] == {"ZSL": 0.5, "S": 0.5, "U": 0.25, "H": 0.333}
    assert (first["dataset"], first["split"], first["seed"]) == ("kard", "fold0", 0)
    assert first["lost"] == [] and first["fault"] is None
    table = cli("runs", "list", "--store", "store").out
    assert "second (latest)" in table and "33.3" in table


def test_without_runs_it_is_said_how_to_make_one(cli: Cli) -> None:
    done = cli("runs", "list")
    assert (done.code, "starcli train" in done.err) == (0, True)


def test_what_a_run_was_made_of(cli: Cli, root: Path) -> None:
    found = document(cli, "show", "first")
    assert found["recordings"] == "abc"
    assert found["settings"]["dataset.name"] == "kard"
    steps = {each["step"]: each for each in found["steps"]}
    assert list(steps) == ["prepare", "describe", "embed", "pretrain", "train"]
    assert steps["train"]["state"] == "there"
    assert steps["train"]["size"] == sum(
        p.stat().st_size for p in root.glob(f"train/{steps['train']['key']}/*")
    )
    assert document(cli, "show")["run"] == "second"
    assert "ZSL 50.0, S 50.0, U 25.0, H 33.3" in cli("runs", "show", "--store", "store").out


def test_what_a_run_was_told_does_not_depend_on_where_it_is_shown(
    cli: Cli, root: Path, tmp_path: Path
) -> None:
    """Neither the settings of this folder nor variables are the defaults of plugins."""
    told = document(cli, "show", "first")["set"]
    assert "dataset.subjects" not in told
    (tmp_path / "starcli.toml").write_text("seed = 0\n[dataset]\nsubjects = 2\n")
    assert document(cli, "show", "second")["set"]["seed"] == 1
    assert document(cli, "show", "first")["set"] == told


def test_a_run_that_lost_a_result(cli: Cli, root: Path) -> None:
    step = next(s for s in document(cli, "show", "first")["steps"] if s["step"] == "pretrain")
    shutil.rmtree(root / "pretrain" / step["key"])
    found = document(cli, "show", "first")
    assert found["lost"] == ["pretrain"]
    done = cli("runs", "show", "first", "--store", "store")
    assert done.code == 0
    assert "lost pretrain" in done.out and "starcli evaluate 'first'" in done.err


def test_what_runs_differ_in(cli: Cli, root: Path) -> None:
    found = document(cli, "compare", "first", "second")
    assert found["differ"] == {"seed": [0, 1]}
    assert [run["measures"]["ZSL"] for run in found["runs"]] == [0.5, 0.5]
    assert (
        "two different runs"
        in document(cli, "compare", "first", "first", code=2)["error"]["message"]
    )


def test_another_name(cli: Cli, root: Path) -> None:
    assert document(cli, "rename", "second", "best") == {
        "ok": True,
        "run": "best",
        "before": "second",
    }
    assert (runs.names(root), runs.latest(root)) == (["best", "first"], "best")
    taken = document(cli, "rename", "best", "first", code=2)["error"]
    assert taken["message"] == "there is a run 'first'"
    assert runs.names(root) == ["best", "first"]


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "latest", "a\x1b[31m", "", ".x", "x" * 201])
def test_impossible_names(cli: Cli, root: Path, name: str) -> None:
    assert document(cli, "rename", "first", name, code=2)["error"]["id"] == "usage"
    assert document(cli, "delete", name, code=2)["error"]["id"] == "usage"
    assert runs.names(root) == ["first", "second"]


def test_a_name_that_a_terminal_would_act_on_is_shown_harmless(cli: Cli, root: Path) -> None:
    os.rename(root / "runs" / "first", root / "runs" / "a\x1b[31mred")
    done = cli("runs", "list", "--store", "store")
    assert done.code == 0 and "\x1b" not in done.out + done.err
    assert cli("runs", "delete", "a\x1b[31mred", "--store", "store").code == 0
    assert runs.names(root) == ["second"]


def test_when_the_latest_is_deleted_the_newest_of_the_others_is(cli: Cli, root: Path) -> None:
    assert document(cli, "delete", "second")["deleted"] == ["second"]
    assert (runs.names(root), runs.latest(root)) == (["first"], "first")
    assert not list((root / "unfinished").glob("*"))
    document(cli, "delete", "first")
    assert (runs.names(root), runs.latest(root)) == ([], None)
    assert document(cli, "delete", "first", code=2)["error"]["fix"] == (
        "make one with: starcli train"
    )
    assert list(root.glob("train/*"))  # results stay


def test_a_mistyped_run_leaves_the_others(cli: Cli, root: Path) -> None:
    assert cli("runs", "delete", "first", "secnd", "--store", "store").code == 2
    assert runs.names(root) == ["first", "second"]
    assert document(cli, "delete", "first", "first")["deleted"] == ["first"]
    assert runs.names(root) == ["second"]


def test_a_damaged_run_is_listed_and_can_be_deleted(cli: Cli, root: Path) -> None:
    (root / "runs" / "first" / "run.json").write_text("{")
    assert "is damaged" in document(cli, "list")["runs"][0]["fault"]
    assert document(cli, "show", "first", code=3)["error"]["id"] == "data"
    document(cli, "delete", "first")
    assert runs.names(root) == ["second"]


def test_of_two_who_delete_a_run_one_does(root: Path) -> None:
    def deleted(number: int) -> bool:
        try:
            runs.delete_run(root, "first")
        except UsageError:
            return False
        return True

    for _ in range(10):
        stores.run(root, "first")
        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(deleted, range(2))) == [False, True]
        assert runs.names(root) == ["second"]


def test_a_store_that_cannot_be_written(cli: Cli, root: Path) -> None:
    shutil.rmtree(root / "locks")
    (root / "locks").write_text("no folder")
    for command in (["delete", "first"], ["rename", "first", "third"]):
        assert document(cli, *command, code=6)["error"]["id"] == "output"
    assert runs.names(root) == ["first", "second"]


def test_killed_within_a_deletion_a_run_is_gone_or_whole(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("starcli.store.unfinished.os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            runs.delete_run(root, "first")
    assert runs.load_run(root, "first")[1]["steps"].keys() >= {"prepare", "train"}
    with monkeypatch.context() as patch:
        patch.setattr("starcli.store.unfinished.sync", killed)
        patch.setattr("starcli.store.unfinished.shutil.rmtree", lambda *a, **more: None)
        with pytest.raises(KeyboardInterrupt):
            runs.delete_run(root, "first")
    assert runs.names(root) == ["second"]
    assert list((root / "unfinished").glob("*"))
    sweep(root)
    assert not list((root / "unfinished").glob("*"))

"""Results appear whole or not at all, under a key that their recipe alone decides."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from starcli.errors import DataError, OutputError, UsageError
from starcli.store import SHARD_BYTES, Store, canonical, digest, key_of, split_evenly

RECIPE: dict[str, Any] = {
    "stage": "embed",
    "revision": 1,
    "plugin": "starcli:minilm",
    "settings": {"normalise": True, "width": 4, "name": "a"},
    "inputs": {"texts": "abc"},
    "seed": 0,
}
HOLD = """
import json, sys, time
from pathlib import Path
from starcli.store import Store
with Store(Path(sys.argv[1])).writing("embed", json.loads(sys.argv[2])) as draft:
    draft.checkpoint.mkdir(parents=True)
    (draft.checkpoint / "epoch").write_text("3")
    draft.json({"half": "done"})
    print("holding", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def holder(store: Store) -> Iterator[subprocess.Popen[str]]:
    """Another process in the middle of writing RECIPE."""
    command = [sys.executable, "-c", HOLD, str(store.root), json.dumps(RECIPE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        yield process
        process.kill()


def make(store: Store, content: Any = "made", recipe: dict[str, Any] = RECIPE) -> Path:
    with store.writing("embed", recipe) as draft:
        draft.json(content)
        draft.summary = {"classes": 2}
        path = store.root / "embed" / key_of(recipe)
        assert not (path / "meta.json").exists()
    return path


def test_the_key_does_not_depend_on_the_order_of_the_recipe() -> None:
    turned = {k: RECIPE[k] for k in reversed(RECIPE)}
    turned["settings"] = {k: RECIPE["settings"][k] for k in reversed(RECIPE["settings"])}
    assert key_of(turned) == key_of(RECIPE)
    assert len(key_of(RECIPE)) == 16
    assert canonical({"b": (1, 2), "a": None}) == '{"a":null,"b":[1,2]}'


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "train"}, {"revision": 2}, {"plugin": "acme:minilm"}, {"seed": 1},
        {"settings": {**RECIPE["settings"], "width": 5}}, {"inputs": {"texts": "abd"}},
        {"inputs": {"texts": "abc+edited"}}, {"settings": {**RECIPE["settings"], "new": None}},
        {"seed": "0"},
    ],
)  # fmt: skip
def test_the_key_depends_on_every_value(change: dict[str, Any]) -> None:
    assert key_of({**RECIPE, **change}) != key_of(RECIPE)


def test_what_was_written_is_found_again(store: Store) -> None:
    assert store.get("embed", key_of(RECIPE)) is None
    with store.writing("embed", RECIPE) as draft:
        draft.json({"name": "ü [/foo]"})
        draft.tensors({"x": torch.arange(6).view(2, 3).T})
        for number in range(2):
            draft.tensors({"rows": torch.full((2,), number)}, f"part-{number:05d}")
        draft.summary = {"classes": 2}
    first, second = (store.get("embed", key_of(RECIPE)) for _ in range(2))
    assert first is not None
    assert first == second
    assert first.data() == {"name": "ü [/foo]"}
    assert first.tensors()["x"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert [shard["rows"].tolist() for shard in first.shards("part")] == [[0, 0], [1, 1]]
    assert first.summary == {"classes": 2}
    assert first.meta["recipe"] == RECIPE
    assert first.meta["files"]["data.json"] == digest(first.path / "data.json")
    names = ["data.json", "data.safetensors", "part-00000.safetensors", "part-00001.safetensors"]
    assert sorted(first.meta["files"]) == names
    assert first.meta["versions"]["torch"] == version("torch")


def test_all_lists_the_newest_first(store: Store) -> None:
    for seed in (1, 2, 3):
        make(store, recipe={**RECIPE, "seed": seed})
    assert [a.meta["recipe"]["seed"] for a in store.all("embed")] == [3, 2, 1]
    assert store.all("train") == []


def test_an_interruption_leaves_the_checkpoint_only(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), store.writing("embed", RECIPE) as draft:
        draft.checkpoint.mkdir(parents=True)
        (draft.checkpoint / "epoch").write_text("3")
        draft.json("half")
        raise KeyboardInterrupt
    assert store.get("embed", key_of(RECIPE)) is None
    assert store.all("embed") == []
    with store.writing("embed", RECIPE) as draft:
        assert (draft.checkpoint / "epoch").read_text() == "3"
        assert list(draft.path.iterdir()) == []
        draft.tensors({"x": torch.ones(1)})
    artifact = store.get("embed", key_of(RECIPE))
    assert artifact is not None
    assert sorted(p.name for p in artifact.path.iterdir()) == ["data.safetensors", "meta.json"]
    assert [p for p in (store.root / "unfinished").iterdir() if p.is_dir()] == []


def test_an_array_without_metadata_is_no_result(store: Store) -> None:
    path = make(store, "good")
    (path / "meta.json").unlink()
    assert store.get("embed", key_of(RECIPE)) is None
    assert store.all("embed") == []
    make(store, "better")
    artifact = store.get("embed", key_of(RECIPE))
    assert artifact is not None
    assert artifact.data() == "better"


def test_only_one_process_writes_a_result(store: Store, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(OutputError) as caught, store.writing("embed", RECIPE):
        raise AssertionError("entered")
    assert caught.value.exit_code == 6
    assert caught.value.message == "another process is running the same embed"
    assert (
        caught.value.fix == "wait for it with --set run.wait=true, or run again when it has ended"
    )
    make(store, recipe={**RECIPE, "seed": 1})  # something else may be written
    assert holder.poll() is None


def test_a_killed_process_leaves_nothing_visible(
    store: Store, holder: subprocess.Popen[str]
) -> None:
    holder.kill()
    holder.wait()
    assert store.get("embed", key_of(RECIPE)) is None
    assert not (store.root / "embed").exists()
    with store.writing("embed", RECIPE) as draft:
        assert (draft.checkpoint / "epoch").read_text() == "3"
        assert list(draft.path.iterdir()) == []
        draft.json("whole")
    artifact = store.get("embed", key_of(RECIPE))
    assert artifact is not None
    assert artifact.data() == "whole"


def test_a_file_in_place_of_the_store(store: Store) -> None:
    store.root.write_text("I was here first")
    for attempt in (store.check_writable, lambda: make(store), lambda: store.save_run("a", {})):
        with pytest.raises(OutputError, match="cannot write: ") as caught:
            attempt()
        assert caught.value.exit_code == 6
        assert str(store.root) in str(caught.value)
    assert store.root.read_text() == "I was here first"


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "name another with --store"),
        (errno.EACCES, "name another with --store"),
        (errno.EROFS, "name another with --store"),
    ],
)
@pytest.mark.parametrize("moment", ["check", "json", "tensors", "commit", "record"])
def test_the_systems_refusals(
    monkeypatch: pytest.MonkeyPatch, store: Store, number: int, fix: str, moment: str
) -> None:
    make(store, "old")

    def refuse(*args: Any, **more: Any) -> None:
        raise OSError(number, os.strerror(number), "the-place")

    def attempt() -> None:
        if moment == "check":
            monkeypatch.setattr(Path, "touch", refuse)
            return store.check_writable()
        if moment == "record":
            monkeypatch.setattr(Path, "write_text", refuse)
            store.save_run("a", {})
        with store.writing("embed", {**RECIPE, "seed": 1}) as draft:
            if moment == "json":
                monkeypatch.setattr(Path, "write_text", refuse)
                draft.json("new")
            monkeypatch.setattr("safetensors.torch.save_file", refuse)
            if moment == "tensors":
                draft.tensors({"x": torch.ones(1)})
            monkeypatch.setattr(os, "replace", refuse)

    with pytest.raises(OutputError) as caught:
        attempt()
    assert str(caught.value) == f"the-place: cannot write: {os.strerror(number)}"
    assert (caught.value.exit_code, caught.value.fix) == (6, fix)
    monkeypatch.undo()
    assert [a.data() for a in store.all("embed")] == ["old"]


def test_safetensors_own_error_of_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    from safetensors import SafetensorError

    def refuse(*args: Any, **more: Any) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", refuse)
    with pytest.raises(OutputError, match="No space left"), store.writing("embed", RECIPE) as draft:
        draft.tensors({"x": torch.ones(1)})
    assert store.all("embed") == []


def test_a_lock_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    def refuse(*args: Any, **more: Any) -> None:
        raise PermissionError(errno.EACCES, "no", "the-lock")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.raises(OutputError) as caught:
        make(store)
    assert str(caught.value) == "the-lock: cannot write: Permission denied"


def test_hand_edits_change_the_identity(store: Store) -> None:
    path = make(store, {"actions": {"wave": "old"}})
    artifact = store.get("embed", key_of(RECIPE))
    assert artifact is not None
    assert artifact.identity() == artifact.key == path.name
    original = (path / "data.json").read_text()
    (path / "data.json").write_text(original.replace("old", "new"))
    edited = artifact.identity()
    assert edited == f"{artifact.key}+{digest(path / 'data.json')[:16]}"
    assert artifact.data() == {"actions": {"wave": "new"}}
    (path / "data.json").write_text(original)
    assert artifact.identity() == artifact.key


@pytest.mark.parametrize(("name", "line"), [("data.json", 2), ("meta.json", None)])
def test_damaged_json_is_named(store: Store, name: str, line: int | None) -> None:
    path = make(store)
    (path / name).write_text('{\n"a": oops}')
    with pytest.raises(DataError) as caught:
        artifact = store.get("embed", key_of(RECIPE))
        assert artifact is not None
        artifact.data()
    assert (caught.value.file, caught.value.exit_code) == (str(path / name), 3)
    assert caught.value.line in (line, 2)
    assert "not readable JSON" in caught.value.message


def test_damaged_tensors_are_named(store: Store) -> None:
    with store.writing("embed", RECIPE) as draft:
        draft.tensors({"x": torch.ones(100)})
    artifact = store.get("embed", key_of(RECIPE))
    assert artifact is not None
    path = artifact.path / "data.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match="not a readable safetensors file") as caught:
        artifact.tensors()
    assert caught.value.file == str(path)


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_files_follow_the_umask(store: Store, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        with store.writing("embed", RECIPE) as draft:
            draft.json("x")
            draft.tensors({"x": torch.ones(1)})
        store.save_run("a", {})
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    files = [p for folder in ("embed", "runs") for p in (store.root / folder).rglob("*.*")]
    assert {p.name: oct(p.stat().st_mode & 0o777) for p in files} == dict.fromkeys(
        ["data.json", "meta.json", "data.safetensors", "run.json"], oct(mode)
    )


def test_runs_are_found_by_name_and_the_latest_without(store: Store) -> None:
    store.save_run("one", {"settings": {"seed": 1}})
    store.save_run("two", {"settings": {"seed": 2}})
    assert store.load_run(None) == ("two", {"settings": {"seed": 2}})
    assert store.load_run("one") == ("one", {"settings": {"seed": 1}})
    store.save_run("one", {"settings": {"seed": 3}})
    assert store.load_run(None) == ("one", {"settings": {"seed": 3}})


def test_unknown_runs_name_the_known_ones(store: Store) -> None:
    with pytest.raises(UsageError) as caught:
        store.load_run(None)
    assert caught.value.message == f"no run yet in {store.root}"
    assert caught.value.fix == "make one with: starcli train"
    store.save_run("two", {})
    store.save_run("one", {})
    with pytest.raises(UsageError) as caught:
        store.load_run("three")
    assert caught.value.message == f"no run 'three' in {store.root}"
    assert (caught.value.fix, caught.value.exit_code) == ("there are: one, two", 2)


@pytest.mark.parametrize("name", ["../../outside", "latest", "a/b", ".."])
def test_a_run_cannot_be_named_out_of_its_folder(store: Store, name: str) -> None:
    with pytest.raises(UsageError):
        store.save_run(name, {})
    assert not (store.root.parent / "outside").exists()


@pytest.mark.parametrize(
    ("count", "each", "sizes"),
    [(5, SHARD_BYTES // 2, [2, 2, 1]), (4, SHARD_BYTES * 2, [1, 1, 1, 1]), (3, 0, [3]), (0, 8, [])],
)
def test_ranges_cover_all_clips_in_order(count: int, each: int, sizes: list[int]) -> None:
    ranges = split_evenly(count, each, SHARD_BYTES)
    assert [len(r) for r in ranges] == sizes
    assert [i for r in ranges for i in r] == list(range(count))

"""Results appear whole or not at all, under a key that their recipe alone decides."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from starcli import files
from starcli.errors import DataError, OutputError, UsageError
from starcli.files import digest
from starcli.store.artifacts import SHARD_BYTES, Store, split_evenly
from starcli.store.recipe_key import canonical, key_of
from starcli.store.runs import Run, load_run, save_run
from starcli.store.unfinished import sweep

RECIPE: dict[str, Any] = {
    "stage": "embed",
    "revision": 1,
    "plugin": "starcli:minilm",
    "settings": {"normalise": True, "width": 4, "name": "a"},
    "inputs": {"texts": "abc"},
    "seed": 0,
}
RUN: Run = {"settings": {}, "steps": {}}
HOLD = """
import json, sys, time
from pathlib import Path
from starcli.store.artifacts import Store
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


def make(
    store: Store, content: Any = "made", recipe: dict[str, Any] = RECIPE, stage: str = "embed"
) -> Path:
    with store.writing(stage, recipe) as draft:
        draft.json(content)
        draft.summary = {"classes": 2}
        path = store.root / stage / key_of(recipe)
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
        {"stage": "train"},
        {"revision": 2},
        {"plugin": "acme:minilm"},
        {"seed": 1},
        {"settings": {**RECIPE["settings"], "width": 5}},
        {"inputs": {"texts": "abd"}},
        {"inputs": {"texts": "abc+edited"}},
        {"settings": {**RECIPE["settings"], "new": None}},
        {"seed": "0"},
    ],
)
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


def test_an_array_without_metadata_is_no_result_f04(store: Store) -> None:
    path = make(store, "good")
    (path / "meta.json").unlink()
    assert store.get("embed", key_of(RECIPE)) is None
    assert store.all("embed") == []
    make(store, "better")
    artifact = store.get("embed", key_of(RECIPE))
    assert artifact is not None
    assert artifact.data() == "better"


def test_only_one_process_writes_a_result_f13(store: Store, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(OutputError) as caught, store.writing("embed", RECIPE):
        raise AssertionError("entered")
    assert caught.value.exit_code == 6
    assert caught.value.message == "another process is running the same embed"
    assert (
        caught.value.fix == "wait for it with --set run.wait=true, or run again when it has ended"
    )
    make(store, recipe={**RECIPE, "seed": 1})  # something else may be written
    assert holder.poll() is None


def test_a_killed_process_leaves_nothing_visible_f14(
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


def test_a_file_in_place_of_the_store_f12(store: Store) -> None:
    store.root.write_text("I was here first")
    record = partial(save_run, store.root, "a", RUN)
    for attempt in (store.check_writable, partial(make, store), record):
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
def test_the_systems_refusals_f09(
    monkeypatch: pytest.MonkeyPatch, store: Store, number: int, fix: str, moment: str
) -> None:
    make(store, "old")

    def refuse(*args: Any, **more: Any) -> None:
        raise OSError(number, os.strerror(number), "the-place")

    def attempt() -> None:
        if moment == "check":
            monkeypatch.setattr("tempfile.TemporaryFile", refuse)
            return store.check_writable()
        if moment == "record":
            monkeypatch.setattr(Path, "write_text", refuse)
            save_run(store.root, "a", RUN)
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


def test_safetensors_own_error_of_a_full_disk_f08(
    monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    from safetensors import SafetensorError

    def refuse(*args: Any, **more: Any) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", refuse)
    with pytest.raises(OutputError, match="No space left"), store.writing("embed", RECIPE) as draft:
        draft.tensors({"x": torch.ones(1)})
    assert store.all("embed") == []


def test_a_lock_that_cannot_be_made_f15(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    def refuse(*args: Any, **more: Any) -> None:
        raise PermissionError(errno.EACCES, "no", "the-lock")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.raises(OutputError) as caught:
        make(store)
    assert str(caught.value) == "the-lock: cannot write: Permission denied"


def test_hand_edits_change_the_identity(store: Store) -> None:
    path = make(store, {"actions": {"wave": "old"}}, stage="describe")
    artifact = store.get("describe", key_of(RECIPE))
    assert artifact is not None
    assert artifact.identity() == artifact.key == path.name
    original = (path / "data.json").read_text()
    (path / "data.json").write_text(original.replace("old", "new"))
    edited = artifact.identity()
    assert edited == f"{artifact.key}+{digest(path / 'data.json')[:16]}"
    assert artifact.data() == {"actions": {"wave": "new"}}
    (path / "data.json").write_text(original)
    assert artifact.identity() == artifact.key


@pytest.mark.parametrize("call", [errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.EMLINK])
def test_without_links_files_of_the_checkpoint_are_copied(
    monkeypatch: pytest.MonkeyPatch, store: Store, call: int
) -> None:
    def refuse(*args: Any, **more: Any) -> None:
        raise OSError(call, os.strerror(call))

    monkeypatch.setattr(os, "link", refuse)
    with store.writing("embed", RECIPE) as draft:
        draft.checkpoint.mkdir()
        (draft.checkpoint / "rows-0-9").write_text("rows")
        draft.adopt(draft.checkpoint / "rows-0-9", "rows-00000")
        assert (draft.checkpoint / "rows-0-9").read_text() == "rows"
    [artifact] = store.all("embed")
    assert (artifact.path / "rows-00000").read_text() == "rows"
    assert list((store.root / "unfinished").iterdir()) == []


def test_a_sweep_leaves_checkpoints_and_the_work_of_others(
    store: Store, holder: subprocess.Popen[str]
) -> None:
    make(store, recipe={**RECIPE, "seed": 1})
    unfinished = store.root / "unfinished"
    left = {
        f"embed-{key_of({**RECIPE, 'seed': 1})}": ["checkpoint/epoch", "files/data.json"],
        f"train-{key_of({**RECIPE, 'seed': 2})}": [
            "checkpoint/epoch",
            "checkpoint/.tmpAbCdEf",
            "checkpoint/a/x.9.tmp",
            "files/data.json",
        ],
        f"train-{key_of({**RECIPE, 'seed': 3})}": ["files/data.json"],
    }
    for name, names in left.items():
        for file in names:
            (unfinished / name / file).parent.mkdir(parents=True, exist_ok=True)
            (unfinished / name / file).write_text("x")
    sweep(store.root)
    there = {str(path.relative_to(unfinished)) for path in unfinished.rglob("*") if path.is_file()}
    held, interrupted = f"embed-{key_of(RECIPE)}", list(left)[1]
    assert there == {
        f"{held}/checkpoint/epoch",
        f"{held}/files/data.json",
        f"{interrupted}/checkpoint/epoch",
    }
    assert {path.name for path in unfinished.iterdir()} == {held, interrupted}


def test_a_store_that_can_only_be_read_is_not_swept(tmp_path: Path) -> None:
    sweep(tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    sweep(tmp_path / "file")


def test_drafts_of_dead_processes_are_removed(tmp_path: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    ).stdout.strip()
    elsewhere = "0" * len(files.HERE)
    kept = {
        f"a.json.{files.HERE}-{os.getppid()}.tmp",
        f"a.json.{elsewhere}-{dead}.tmp",
        f"a.json.{dead}.tmp",
        f"b.{files.HERE}-1x.tmp",
    }
    for name in (*kept, f"a.json.{files.HERE}-{dead}.tmp", f"b.{files.HERE}-{dead}.tmp"):
        (tmp_path / name).write_text("half")
    (tmp_path / f"c.old.{files.HERE}-{dead}.tmp" / "inside").mkdir(parents=True)
    files.save_text(tmp_path / "a.json", "whole")
    assert {path.name for path in tmp_path.iterdir()} == kept | {"a.json"}


def test_a_file_that_cannot_be_written_leaves_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("before")

    def write(draft: Path) -> None:
        draft.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutputError, match="No space left"):
        files.save_whole(tmp_path / "a", write)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def pages(*texts: str) -> Callable[[Path], None]:
    """Writes a file for each text; one without any cannot be written."""

    def write(draft: Path) -> None:
        for number, text in enumerate(texts):
            (draft / f"{number}").write_text(text)
            if not text:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return write


def texts_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "a"
    with pytest.raises(OutputError, match="No space left"):
        files.save_folder(folder, pages("half", ""))
    assert list(folder.parent.iterdir()) == []
    files.save_folder(folder, pages("one", "two"))
    assert texts_of(folder) == {"0": "one", "1": "two"}
    with pytest.raises(OutputError, match="not empty"):
        files.save_folder(folder, pages("other"))
    with pytest.raises(OutputError, match="No space left"):
        files.save_folder(folder, pages("half", ""), replace=True)
    assert texts_of(folder) == {"0": "one", "1": "two"}
    files.save_folder(folder, pages("new"), replace=True)
    assert texts_of(folder) == {"0": "new"}
    assert [path.name for path in folder.parent.iterdir()] == ["a"]


def test_a_folder_that_cannot_be_replaced_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.save_folder(tmp_path / "a", pages("old"))
    replace, left = os.replace, [1]

    def replaces_once(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] == -1:  # the new one, in the place of the old one
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        replace(source, target)

    monkeypatch.setattr(os, "replace", replaces_once)
    with pytest.raises(OutputError, match="Permission denied"):
        files.save_folder(tmp_path / "a", pages("new"), replace=True)
    assert texts_of(tmp_path / "a") == {"0": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_files_follow_the_umask_f16(store: Store, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        with store.writing("embed", RECIPE) as draft:
            draft.json("x")
            draft.tensors({"x": torch.ones(1)})
        save_run(store.root, "a", RUN)
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    made = [p for folder in ("embed", "runs") for p in (store.root / folder).rglob("*.*")]
    assert {p.name: oct(p.stat().st_mode & 0o777) for p in made} == dict.fromkeys(
        ["data.json", "meta.json", "data.safetensors", "run.json"], oct(mode)
    )


def test_runs_are_found_by_name_and_the_latest_without(store: Store) -> None:
    save_run(store.root, "one", RUN | {"settings": {"seed": 1}})
    save_run(store.root, "two", RUN | {"settings": {"seed": 2}})
    assert load_run(store.root, None) == ("two", RUN | {"settings": {"seed": 2}})
    assert load_run(store.root, "one") == ("one", RUN | {"settings": {"seed": 1}})
    save_run(store.root, "one", RUN | {"settings": {"seed": 3}})
    assert load_run(store.root, None) == ("one", RUN | {"settings": {"seed": 3}})


def test_unknown_runs_name_the_known_ones(store: Store) -> None:
    with pytest.raises(UsageError) as caught:
        load_run(store.root, None)
    assert caught.value.message == f"no run yet in {store.root}"
    assert caught.value.fix == "make one with: starcli train"
    save_run(store.root, "two", RUN)
    save_run(store.root, "one", RUN)
    with pytest.raises(UsageError) as caught:
        load_run(store.root, "three")
    assert caught.value.message == f"no run 'three' in {store.root}"
    assert (caught.value.fix, caught.value.exit_code) == ("there are: one, two", 2)


@pytest.mark.parametrize("text", ["[]", "{}", '{"settings": []}', "x", '{"settings": {}'])
def test_a_damaged_run_is_named_e11(store: Store, text: str) -> None:
    save_run(store.root, "one", RUN)
    path = store.root / "runs" / "one" / "run.json"
    path.write_text(text)
    with pytest.raises(DataError, match="is damaged") as caught:
        load_run(store.root, "one")
    assert (caught.value.file, caught.value.exit_code) == (str(path), 3)
    assert "starcli train" in caught.value.fix


@pytest.mark.parametrize("name", [b"\xff\xfe", b"../../x", b"a\0b"])
def test_a_damaged_name_of_the_latest_run_is_named_e11(store: Store, name: bytes) -> None:
    save_run(store.root, "one", RUN)
    path = store.root / "runs" / "latest"
    path.write_bytes(name)
    with pytest.raises(DataError, match="is not the name of a run") as caught:
        load_run(store.root, None)
    assert caught.value.file == str(path)
    assert load_run(store.root, "one") == ("one", RUN)


@pytest.mark.parametrize("name", ["../../outside", "latest", "a/b", ".."])
def test_a_run_cannot_be_named_out_of_its_folder(store: Store, name: str) -> None:
    with pytest.raises(UsageError):
        save_run(store.root, name, RUN)
    assert not (store.root.parent / "outside").exists()


@pytest.mark.parametrize(
    ("count", "each", "sizes"),
    [(5, SHARD_BYTES // 2, [2, 2, 1]), (4, SHARD_BYTES * 2, [1, 1, 1, 1]), (3, 0, [3]), (0, 8, [])],
)
def test_ranges_cover_all_clips_in_order(count: int, each: int, sizes: list[int]) -> None:
    ranges = split_evenly(count, each, SHARD_BYTES)
    assert [len(r) for r in ranges] == sizes
    assert [i for r in ranges for i in r] == list(range(count))

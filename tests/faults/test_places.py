"""Files and folders that may not be used, are links, or lie elsewhere."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from starcli import files
from starcli.conformance.bodies import sample
from starcli.errors import DataError
from starcli.store.artifacts import Store
from starcli_plugins.datasets.ntu import sample as ntu
from tests import stores
from tests.conftest import Outcome
from tests.faults.rights import as_others

Cli = Callable[..., Outcome]
NAMES = [f"S001C001P001R001A{action:03}" for action in (1, 2)]


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file may become longer than so many bytes, as on a file system or by a quota."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_recording_that_may_not_be_read_is_named_a31(cli: Cli, tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.skeleton").write_bytes(ntu.text(name, 6))
    closed = tmp_path / f"{NAMES[1]}.skeleton"
    closed.chmod(0)
    with as_others():
        done = cli("prepare", "--dataset", "ntu60", "--raw", str(tmp_path), "--json")
    error = json.loads(done.out)["error"]
    assert (done.code, error["file"]) == (3, str(closed))
    assert "Permission denied" in error["message"]


def test_nothing_is_followed_out_of_a_result_e09(tmp_path: Path) -> None:
    """Its description names a file beside the store, with the right digest."""
    secret = tmp_path / "secret.safetensors"
    save_file({"x": np.ones(1)}, secret)
    store = Store(tmp_path / "store")
    key = stores.put(store.root, "embed")
    meta = store.root / "embed" / key / "meta.json"
    content = json.loads(meta.read_text("utf-8"))
    del content["seal"]
    name = "rows-../../../../secret.safetensors"
    content["files"][name] = files.digest(secret)
    meta.write_text(json.dumps(content), "utf-8")
    with pytest.raises(DataError, match=r"a file elsewhere: rows-\.\./"):
        store.get("embed", key)


def test_keys_and_names_in_files_lead_nowhere_else_e09(cli: Cli, tmp_path: Path) -> None:
    """A sound result beside the store is what each of them asks for."""
    root = tmp_path / "store"
    key = stores.put(tmp_path / "x" / "y", "prepare")
    stores.run(root, "mine")
    record = root / "runs" / "mine" / "run.json"
    run = json.loads(record.read_text("utf-8"))
    elsewhere = f"../../x/y/prepare/{key}"
    assert (root / "prepare" / elsewhere / "meta.json").is_file()
    assert Store(root).get("prepare", elsewhere) is None
    for damaged in (elsewhere, str(tmp_path / elsewhere), "", 7, None):
        record.write_text(json.dumps({**run, "steps": {"prepare": damaged}}), "utf-8")
        for command in (("view", "mine"), ("evaluate", "mine"), ("runs", "show", "mine")):
            done = cli(*command, "--store", "store")
            assert done.code == 3, (command, damaged, done.err)
            assert "run.json" in done.err


def test_a_data_set_reads_its_own_files_only_e09(cli: Cli, tmp_path: Path) -> None:
    for name in ("bow", "wave"):
        (tmp_path / "poses" / name).mkdir(parents=True)
        np.save(tmp_path / "poses" / name / "1.npy", sample("kinect-v2", 3, 1).joints[:, 0])
        np.save(tmp_path / "poses" / name / "2.npy", sample("kinect-v2", 3, 1).joints[:, 0])
    assert cli("data", "import", "mine", "poses", "--store", "store").code == 0
    described = tmp_path / "store" / "datasets" / "mine" / "dataset.json"
    content = json.loads(described.read_text("utf-8"))
    (shard,) = described.parent.glob("*/clips-00000.safetensors")
    shard.rename(tmp_path / "clips-00000.safetensors")
    for elsewhere in ("../../../clips-00000.safetensors", f"{tmp_path}/clips-00000.safetensors"):
        content["shards"][0]["file"] = elsewhere
        described.write_text(json.dumps(content), "utf-8")
        done = cli("data", "show", "mine", "--store", "store")
        assert done.code == 3
        assert "is not the name of a file of clips" in done.err


def test_files_of_an_index_that_lie_elsewhere_are_told_e09(cli: Cli, tmp_path: Path) -> None:
    for folder in ("here", "elsewhere"):
        (tmp_path / folder).mkdir()
    body = sample("kinect-v2", 3, 1).joints[:, 0]
    for file in ("here/a.npy", "here/b.npy", "elsewhere/c.npy", "elsewhere/d.npy"):
        np.save(tmp_path / file, body)
    rows = ("a.npy,bow", "b.npy,wave", "../elsewhere/c.npy,bow", f"{tmp_path}/elsewhere/d.npy,wave")
    (tmp_path / "here" / "index.csv").write_text("\n".join(("file,class", *rows)), "utf-8")
    done = cli("data", "inspect", "here/index.csv", "--json")
    assert done.code == 0, done.err
    told = [w for w in json.loads(done.out)["warnings"] if "outside" in w]
    assert told == ["2 files lie outside the folder of the index, the first is ../elsewhere/c.npy"]


def test_a_link_is_replaced_and_what_it_leads_to_stays_e12(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs", "utf-8")
    (tmp_path / "ours").symlink_to("theirs")
    files.save_text(tmp_path / "ours", "ours")
    assert not (tmp_path / "ours").is_symlink()
    assert [(tmp_path / name).read_text("utf-8") for name in ("ours", "theirs")] == [
        "ours",
        "theirs",
    ]


@pytest.mark.parametrize("size", [0, 4000])
def test_a_limit_of_file_sizes_leaves_nothing_half_written_f09(
    cli: Cli, tmp_path: Path, size: int
) -> None:
    command = ("describe", "--dataset", "simulated", "--store", str(tmp_path / "store"))
    with files_up_to(size):
        done = cli(*command)
    assert done.code == 6
    assert "cannot write: File too large" in done.err
    assert not list((tmp_path / "store").glob("describe/*"))
    assert not list((tmp_path / "store").rglob("*.tmp"))
    assert cli(*command).code == 0
    assert len(list((tmp_path / "store").glob("describe/*/data.json"))) == 1


def test_a_store_that_may_not_be_written_is_found_before_any_work_f10(
    cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with as_others():
        done = cli("describe", "--store", "closed/store")
    assert done.code == 6
    assert "closed/store: cannot write: Permission denied" in done.err
    assert "--store" in done.err
    assert "done" not in done.err


def test_no_home_folder_is_needed_f10(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.chdir(tmp_path)
    for command in (("plugins",), ("data", "list"), ("describe", "--dataset", "simulated")):
        done = cli(*command)
        assert done.code == 0, done.err
        assert "nonexistent" not in done.err

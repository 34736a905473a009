"""Training the head on stored tokens: killed at any step, on bad tokens, in bounded memory."""

from __future__ import annotations

import copy
import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from starcli import pipeline
from starcli.contracts import TokenSet, TrainingCallbacks
from starcli.errors import NumericalError
from starcli.files import digest
from starcli.head.star import Star
from starcli.store.artifacts import save_tensors
from tests import forks
from tests.conftest import ROOT
from tests.head.test_star import make_head, random_tokens
from tests.progress import Watching
from tests.test_pipeline import tiny

CLIPS, STEPS = 10, 6
"""Two epochs of three steps."""


class StoppedError(Exception):
    pass


def fit(callbacks: TrainingCallbacks) -> Star:
    head = make_head(epochs=2, dropout=0.3)
    tokens = random_tokens(CLIPS)
    labels = torch.tensor([0, 2, 3] * 4)[:CLIPS]
    train = TokenSet([tokens[:6], tokens[6:]], torch.arange(CLIPS), labels, list("abcdefghij"))
    head.fit(train, callbacks, seed=0)
    return head


def same(one: Star, other: Star) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(mine[key], theirs[key]) for key in mine)


@pytest.mark.slow
@pytest.mark.parametrize("steps", range(1, STEPS))
def test_the_head_continues_from_every_step(tmp_path: Path, steps: int) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if done == steps + 1:
            raise StoppedError

    with pytest.raises(StoppedError):
        fit(TrainingCallbacks(checkpoint=tmp_path, interval=0, progress=Watching(interrupt)))
    assert same(fit(TrainingCallbacks(checkpoint=tmp_path, interval=0)), fit(TrainingCallbacks()))


def killed() -> None:
    """Train until the third step of this process, before its checkpoint, or to the end."""
    begun = []

    def progress(what: str, done: int, total: int) -> None:
        begun.append(done)
        if len(begun) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint = Path("checkpoint")
    own = TrainingCallbacks(checkpoint=checkpoint, interval=0, progress=Watching(progress))
    save_tensors(fit(own).state_dict(), Path("done.safetensors"))


def python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(str(ROOT / folder) for folder in (".", "plugins"))
    # Large blocks go back to the system as soon as they are freed: glibc otherwise keeps some, at
    # times 80 MB of them, and what is measured would be its habits.
    memory = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": paths, **memory},
    )


@pytest.mark.slow
def test_killed_again_and_again_the_head_ends_with_the_same_bytes_f01(tmp_path: Path) -> None:
    for _ in range(2):
        assert forks.end(killed, tmp_path) == (-signal.SIGKILL, "")
    code, said = forks.end(killed, tmp_path)
    assert code == 0, said
    save_tensors(fit(TrainingCallbacks()).state_dict(), tmp_path / "undisturbed.safetensors")
    bytes_of = [(tmp_path / f"{n}.safetensors").read_bytes() for n in ("done", "undisturbed")]
    assert bytes_of[0] == bytes_of[1]


@pytest.mark.slow
def test_other_settings_do_not_continue_an_interrupted_training_e13(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a folder of its own, and both end as if nothing had been interrupted."""
    from starcli.stages import train

    original = train._Watcher.after_epoch

    def stop(self: Any, epoch: int) -> float:
        area = original(self, epoch)
        if epoch == 2:
            raise KeyboardInterrupt
        return area

    monkeypatch.setattr(train._Watcher, "after_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run_steps(tiny(tmp_path / "one"), "train")
    monkeypatch.setattr(train._Watcher, "after_epoch", original)
    [left] = (tmp_path / "one" / "unfinished").iterdir()
    reason = {p.step.name: p for p in pipeline.plan(tiny(tmp_path / "one"), "train")}
    assert left.name == f"train-{reason['train/validation'].key}"
    changed, _ = pipeline.run_steps(tiny(tmp_path / "one", method__alpha=0.5), "train")
    assert [p.name for p in (tmp_path / "one" / "unfinished").iterdir()] == [left.name]
    fresh, _ = pipeline.run_steps(tiny(tmp_path / "other", method__alpha=0.5), "train")
    for name in ("train/validation", "train"):
        assert changed[name].meta["files"] == fresh[name].meta["files"]
    planned = {p.step.name: p for p in pipeline.plan(tiny(tmp_path / "one"), "train")}
    assert planned["train/validation"].reason == "settings.alpha: 0.5 -> 0.1"
    pipeline.run_steps(tiny(tmp_path / "one"), "train")
    assert list((tmp_path / "one" / "unfinished").iterdir()) == []


@pytest.mark.slow
def test_every_training_keeps_its_measures(tmp_path: Path) -> None:
    results, _ = pipeline.run_steps(tiny(tmp_path), "train")
    for name, criterion in (("train/validation", True), ("train", False)):
        lines = (results[name].path / "metrics.jsonl").read_text("utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
        assert all(row["loss"] > 0 and row["seconds"] >= 0 for row in rows)
        for row in rows:
            assert row["mpce"] + row["sce"] + row["gce"] == pytest.approx(row["loss"])
        assert all(("criterion" in row) == criterion for row in rows)
    nested = results["train/validation"]
    rows = [json.loads(line) for line in (nested.path / "metrics.jsonl").open(encoding="utf-8")]
    assert [row["criterion"] for row in rows] == nested.summary["area_by_epoch"]
    assert "metrics.jsonl" not in nested.meta["files"]


def test_a_tracker_is_told_of_pretrain_and_train(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    results, _ = pipeline.run_steps(tiny(tmp_path, run__tracker="tensorboard"), "train")
    names = {p.name for p in (tmp_path / "tensorboard").iterdir()}
    assert names == {
        f"{name.partition('/')[0]}-{results[name].key}-{role}"
        for role, more in (("validation", "/validation"), ("final", ""))
        for name in (f"pretrain{more}", f"train{more}")
    }


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_token_that_is_no_number_names_its_clip(value: float) -> None:
    tokens = random_tokens(4)
    tokens[2, 1, 3, 5] = value
    clips = TokenSet([tokens[:3], tokens[3:]], torch.tensor([3, 2, 1]), torch.zeros(3), list("abc"))
    assert clips.batch(torch.tensor([0, 2])).shape == (2, 4, 20, 9)
    with pytest.raises(NumericalError, match="tokens of clip 'b' are not finite"):
        clips.batch(torch.tensor([2, 1]))


@pytest.mark.slow
def test_a_spoiled_store_of_tokens_stops_the_training(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    results, _ = pipeline.run_steps(tiny(tmp_path), "extract")
    extracted = results["extract/validation"]
    [shard] = extracted.path.glob("plain-*.safetensors")
    tokens = load_file(shard)["tokens"].clone()
    tokens[5, 0, 0, 0] = torch.nan
    shard.unlink()
    save_tensors({"tokens": tokens}, shard)
    meta = copy.deepcopy(extracted.meta)
    del meta["seal"], meta["bytes"]
    meta["files"][shard.name] = digest(shard)  # not damaged, but made so
    (extracted.path / "meta.json").write_text(json.dumps(meta))
    position = extracted.data()["clips"]["plain"][5]
    name = results["prepare"].data()["names"][position]
    with pytest.raises(NumericalError, match=f"tokens of clip '{name}' are not finite"):
        pipeline.run_steps(tiny(tmp_path), "train")


def sparse_shard(path: Path, clips: int, joints: int, width: int) -> None:
    """A file of tokens [clips, 16, joints, width] that are all zero and take no space on disk."""
    size = 2 * clips * 16 * joints * width
    about = {"dtype": "F16", "shape": [clips, 16, joints, width], "data_offsets": [0, size]}
    header = json.dumps({"tokens": about}).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + size)


STREAMED = """
import sys
from pathlib import Path
import torch
from safetensors import safe_open
from starcli.contracts import Problem, TextBank, TokenSet, TrainingCallbacks
from starcli.head.star import Star
from starcli_plugins.layouts import KINECT_V2
from tests.progress import Watching

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) for x in lines if x.startswith("RssAnon")) / 1024

def opened(path):
    with safe_open(path, framework="pt") as file:
        return file.get_tensor("tokens")

for folder in sys.argv[1:]:
    shards = [opened(p) for p in sorted(Path(folder).glob("*.safetensors"))]
    size, width = sum(map(len, shards)), shards[0].shape[-1]
    groups = KINECT_V2.parts[6]
    bank = TextBank(tuple("abcdef"), ("name", *groups), torch.randn(6, 7, 32))
    problem = Problem(KINECT_V2, groups, width, bank, (0, 1, 2, 3, 4), (5,))
    own = Star.Settings(attributes=4, width=16, heads=8, batch=64, epochs=1)
    head = Star(own, problem, 0)
    names = [str(i) for i in range(size)]
    train = TokenSet(shards, torch.arange(size), torch.arange(size) % 5, names)
    most = 0.0
    def progress(what, done, total):
        global most
        most = max(most, anonymous())
    head.fit(train, TrainingCallbacks(progress=Watching(progress)), seed=0)
    print(most)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc of Linux")
def test_memory_does_not_grow_with_the_tokens_g12(tmp_path: Path) -> None:
    """Eight times the tokens, in the same memory beside the page cache."""
    folders = {shards: tmp_path / str(shards) for shards in (8, 64)}
    for shards, folder in folders.items():
        folder.mkdir()
        for number in range(shards):
            sparse_shard(folder / f"plain-{number:05d}.safetensors", 64, 25, 64)
    done = python(STREAMED, *map(str, folders.values()))
    assert done.returncode == 0, done.stderr
    few, many = map(float, done.stdout.split())
    more = (64 - 8) * 64 * 16 * 25 * 64 * 2 / 2**20
    assert more == 175
    assert many < few + more / 5

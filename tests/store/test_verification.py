"""Results that are not as they were written are named, with what makes them again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from starcli import files
from starcli.errors import DataError
from starcli.store import verification
from starcli.store.artifacts import Artifact, Store
from tests.conftest import Outcome
from tests.test_pipeline import TINY, TRAIN

Cli = Callable[..., Outcome]
RECIPE = {"stage": "embed"}
CHANGED = "is damaged: its bytes are not those that were written"


def damage(path: Path, at: int = -3) -> None:
    """Flip a bit of a file, which then is another one, whatever the clock says."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.with_name("copy").write_bytes(content)
    os.replace(path.with_name("copy"), path)


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    """A result of JSON and of a thousand bytes of tensors in each of two shards."""
    store = Store(tmp_path / "store")
    with store.writing("embed", RECIPE) as draft:
        draft.json({"name": "wave"})
        for number in range(2):
            draft.tensors({"rows": torch.arange(250.0)}, f"rows-{number:05d}")
    [made] = store.all("embed")
    return made


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A size above which the shards are large, and three samples of 100 bytes."""
    for name, value in (("LARGE", 500), ("BLOCK", 100), ("BLOCKS", 3)):
        monkeypatch.setattr(verification, name, value)


def refused(read: Callable[[], Any], path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read()
    assert (caught.value.file, caught.value.exit_code) == (str(path), 3)
    assert caught.value.fix == f"delete {path.parent} and make it again with: starcli embed"
    return caught.value


def test_sound_files_are_read(artifact: Artifact) -> None:
    artifact.verify(whole=True)
    assert artifact.data() == {"name": "wave"}
    assert len(artifact.shards("rows")) == 2


def test_a_flipped_bit_is_found_where_it_is_read_e11(artifact: Artifact) -> None:
    damage(artifact.path / "rows-00001.safetensors")
    assert artifact.data() == {"name": "wave"}
    assert artifact.tensors("rows-00000")["rows"][7] == 7
    path = artifact.path / "rows-00001.safetensors"
    assert refused(lambda: artifact.shards("rows"), path).message == CHANGED
    assert refused(artifact.verify, path).message == CHANGED
    damage(artifact.path / "data.json")
    assert refused(artifact.data, artifact.path / "data.json").message == CHANGED


def test_a_file_that_is_cut_or_gone_is_found_e11(artifact: Artifact) -> None:
    path = artifact.path / "rows-00001.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    error = refused(lambda: artifact.shards("rows"), path)
    assert (
        error.message == f"is damaged: expected {len(content):,} bytes, got {len(content) - 10:,}"
    )
    path.unlink()
    error = refused(lambda: artifact.shards("rows"), path)
    assert error.message == "cannot be read (No such file or directory)"


def test_exchanged_files_are_found_e10(artifact: Artifact) -> None:
    with Store(artifact.path.parents[1]).writing("embed", {**RECIPE, "seed": 1}) as draft:
        draft.tensors({"rows": torch.ones(250)}, "rows-00000")
    other = Store(artifact.path.parents[1]).all("embed")[0].path / "rows-00000.safetensors"
    os.replace(other, artifact.path / other.name)
    assert refused(lambda: artifact.shards("rows"), artifact.path / other.name).message == CHANGED


@pytest.mark.parametrize("where", [3, 70, 560, -1])
@pytest.mark.usefixtures("small")
def test_of_a_large_file_header_and_samples_are_checked(tmp_path: Path, where: int) -> None:
    store = Store(tmp_path)
    with store.writing("embed", RECIPE) as draft:
        draft.tensors({"rows": torch.arange(250.0)})
    [made] = store.all("embed")
    path = made.path / "data.safetensors"
    assert 1000 < path.stat().st_size < 1100
    assert list(made.meta["samples"]) == ["data.safetensors"]
    damage(path, where)
    assert refused(made.tensors, path).message == CHANGED


@pytest.mark.usefixtures("small")
def test_between_samples_only_the_whole_tells(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writing("embed", RECIPE) as draft:
        draft.tensors({"rows": torch.arange(250.0)})
    [made] = store.all("embed")
    damage(made.path / "data.safetensors", 300)
    made.verify()
    assert made.tensors()["rows"].shape == (250,)
    path = made.path / "data.safetensors"
    assert refused(lambda: made.verify(whole=True), path).message == CHANGED


def test_a_file_is_read_once_for_it(artifact: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_known", {})
    read: list[str] = []
    digest = files.digest

    def noted(path: Path) -> str:
        read.append(path.name)
        return digest(path)

    monkeypatch.setattr(files, "digest", noted)
    for _ in range(2):
        artifact.data()
        artifact.shards("rows")
        artifact.verify(whole=True)
    assert sorted(read) == ["data.json", "rows-00000.safetensors", "rows-00001.safetensors"]


def test_results_of_earlier_versions_are_read(artifact: Artifact) -> None:
    """They recorded digests only."""
    path = artifact.path / "meta.json"
    meta = json.loads(path.read_text())
    path.write_text(
        json.dumps({k: v for k, v in meta.items() if k not in ("bytes", "samples", "seal")})
    )
    [again] = Store(artifact.path.parents[1]).all("embed")
    again.verify(whole=True)
    damage(artifact.path / "data.json")
    assert refused(again.data, artifact.path / "data.json").message == CHANGED


@pytest.mark.parametrize("text", ["{}", "[]", "", "{", None])
def test_a_damaged_description_of_a_result_is_named(artifact: Artifact, text: str | None) -> None:
    path = artifact.path / "meta.json"
    path.write_text(path.read_text().replace('"embed"', '"embad"') if text is None else text)
    store = Store(artifact.path.parents[1])
    refused(lambda: store.get("embed", artifact.key), path)
    refused(lambda: store.all("embed"), path)
    assert store.all("embed", damaged=True) == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a tiny run."""
    import starcli

    store = tmp_path_factory.mktemp("sound") / "store"
    starcli.evaluate(starcli.train(store=store, settings=TINY, run="mine"))
    return store


READ = ("prepare", "embed", "extract", "evaluate")


@pytest.mark.slow
@pytest.mark.parametrize("stage", READ)
def test_what_is_damaged_is_named_and_made_again_as_told_e11(
    cli: Cli, trained: Path, tmp_path: Path, stage: str
) -> None:
    store = tmp_path / "store"
    shutil.copytree(trained, store)
    run = json.loads((store / "runs" / "mine" / "run.json").read_text())
    folder = store / stage / run["steps"].get(stage, "")
    if stage == "evaluate":
        [folder] = (store / stage).iterdir()
    path = next(path for path in sorted(folder.iterdir()) if path.suffix == ".safetensors")
    sound = path.read_bytes()
    damage(path, len(sound) // 2)
    command = ["evaluate", "mine"] if stage == "evaluate" else ["train", *TRAIN]
    outcome = cli(*command, "--store", str(store), "--verify", "--json")
    error = json.loads(outcome.out)["error"]
    assert (outcome.code, error["file"], error["message"]) == (3, str(path), CHANGED)
    assert error["fix"] == f"delete {folder} and make it again with: starcli {stage}"
    shutil.rmtree(folder)
    again = ["evaluate", "mine"] if stage == "evaluate" else [stage, *TRAIN]
    assert cli(*again, "--store", str(store)).code == 0
    assert path.read_bytes() == sound
    assert cli(*command, "--store", str(store), "--verify").code == 0


@pytest.mark.slow
def test_damage_is_found_without_asking_where_it_would_count(cli: Cli, trained: Path) -> None:
    """Scores that `evaluate` would measure; nothing that it does not read."""
    [folder] = (trained / "evaluate").iterdir()
    path = folder / "data.safetensors"
    sound = path.read_bytes()
    damage(path)
    gamma = cli("evaluate", "mine", "--gamma", "0.5", "--store", str(trained))
    assert (gamma.code, str(path) in gamma.err) == (3, True)
    assert cli("evaluate", "mine", "--store", str(trained)).code == 0  # measured before
    path.write_bytes(sound)


@pytest.mark.slow
def test_descriptions_may_be_edited(cli: Cli, trained: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(trained, store)
    [path] = store.glob("describe/*/data.json")
    path.write_text(path.read_text().replace(".", "!", 1))
    outcome = cli("embed", *TRAIN, "--store", str(store), "--verify", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["ran"] == ["embed"]

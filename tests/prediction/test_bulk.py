"""Any number of files into one: each answered as alone, once, whatever stops the command."""

from __future__ import annotations

import csv
import json
import pickle
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import starcli
from starcli.api import models
from starcli.errors import DataError, StarError, UsageError
from starcli.executors import Executor
from starcli.prediction import bulk, bulk_parts
from starcli.prediction.bulk_files import Row
from starcli.prediction.reader import Reader
from starcli.prediction.units import list_digest
from tests import forks
from tests.bodies import body
from tests.progress import Watching

pytestmark = pytest.mark.slow
ACTIONS = ["wave", "squat", "bow"]
"""Names that the shipped model has texts of."""


@cache
def opened(*given: object) -> starcli.PretrainedModel:
    """In place of what opens the model anew for each command."""
    return starcli.load("general")


@pytest.fixture(scope="module")
def model() -> starcli.PretrainedModel:
    return opened("general", None, None, None)


@pytest.fixture(autouse=True)
def _opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes open the model for themselves."""
    monkeypatch.setattr(models, "_opened", opened)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Eight recordings, two of them in a zip, one that is none, and lists that are none."""
    folder = tmp_path / "clips"
    for number in range(8):
        file = folder / "abc"[number % 3] / f"{number}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, body(number))
    (folder / "a" / "damaged.npy").write_bytes(b"\x93NUMPY")
    (folder / "a" / "list.csv").write_text("file,class\n0.npy,wave\n3.npy,kick\n")
    (folder / "notes.md").write_text("no recording")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        for name in ("b/1.npy", "b/4.npy"):
            archive.write(folder / name, name)
            (folder / name).unlink()
    return folder


def named(places: Sequence[Path], out: Path, **more: Any) -> list[Row]:
    starcli.predict_files("general", places, out, actions=ACTIONS, **more)
    assert not out.with_name(f"{out.name}.unfinished").exists()
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def files(rows: Sequence[Row]) -> list[str]:
    return sorted(row["file"] for row in rows)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PART", 2)
    monkeypatch.setattr(bulk_parts, "PART", 2)


def test_each_file_is_answered_as_alone(
    clips: Path, tmp_path: Path, model: starcli.PretrainedModel
) -> None:
    (tmp_path / "list.txt").write_text(f"{clips / 'c' / '2.npy'}\n")
    archive = tmp_path / "more.zip"
    rows = named(
        [clips / "a", clips / "b", archive], tmp_path / "n.jsonl", files_from=tmp_path / "list.txt"
    )
    inside = [f"{archive}/b/{n}.npy" for n in "14"]
    below = [str(clips / name) for name in ("a/0.npy", "a/3.npy", "a/6.npy", "b/7.npy", "c/2.npy")]
    bad = str(clips / "a" / "damaged.npy")
    assert files(rows) == sorted([*inside, *below, bad])
    (refused,) = [row for row in rows if row["file"] == bad]
    assert (refused["clip"], refused["error"]["exit_code"]) == (None, 3)
    for row in rows:
        if row["file"] in below:
            (alone,) = model.predict(row["file"], actions=ACTIONS)["predictions"]
            assert row["clip"] == alone["clip"]
            assert [a["name"] for a in row["actions"]] == [a["name"] for a in alone["actions"]]
            assert row["margin"] == pytest.approx(alone["margin"], abs=1e-4)
            assert (row["none"] is None) == (alone["none"] is None)


def test_the_forms_say_the_same(clips: Path, tmp_path: Path) -> None:
    from pyarrow.parquet import read_table

    rows = named([clips], tmp_path / "n.jsonl")
    for ending in ("csv", "parquet"):
        starcli.predict_files("general", [clips], tmp_path / f"n.{ending}", actions=ACTIONS)
    with (tmp_path / "n.csv").open(newline="", encoding="utf-8") as file:
        cells = list(csv.DictReader(file))
    flat = read_table(tmp_path / "n.parquet").to_pylist()
    assert len(rows) == len(cells) == len(flat) == 7
    for row, cell, column in zip(rows, cells, flat, strict=True):
        assert row["file"] == cell["file"] == column["file"]
        if "error" in row:
            assert row["error"]["message"] == cell["error"] == column["error"]
        else:
            assert row["actions"] == column["actions"]
            best = row["actions"][:1]
            assert [a["name"] for a in best] == [cell["name1"]] * len(best)
            assert float(cell["margin"]) == row["margin"] == column["margin"]


def test_a_killed_command_goes_on_and_names_no_file_twice(
    clips: Path, tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = named([clips], tmp_path / "whole.jsonl")
    out = tmp_path / "n.jsonl"
    work = tmp_path / "n.jsonl.unfinished"

    def stops_after_three(what: str, at: int, of: int) -> None:
        if at >= 3:
            time.sleep(60)

    process = forks.begin(
        lambda: named([clips], out, progress=Watching(stops_after_three)), tmp_path
    )
    while sum(p.read_bytes().count(b"\n") for p in work.glob("part-*.jsonl")) < 4:
        assert process.is_alive()
        time.sleep(0.02)
    process.kill()
    process.join()
    assert not out.exists()
    first, second = sorted(work.glob("part-*.jsonl"))
    second.write_bytes(second.read_bytes()[:-1])  # as a kill within a line would leave it
    done = [*first.read_text().splitlines(), *second.read_text().splitlines()[:-1]]
    answered = {row["file"] for line in done for row in json.loads(line)}
    read = Counter[str]()
    reads = Reader.read

    def counted(self: Reader, place: Path) -> Iterator[Any]:
        read[str(place)] += 1
        return reads(self, place)

    monkeypatch.setattr(Reader, "read", counted)
    rows = named([clips], out)
    assert files(rows) == files(whole)
    assert len(done) == 3
    assert read == dict.fromkeys(set(files(whole)) - answered, 1)


def test_parts_of_several_machines_are_the_whole(clips: Path, tmp_path: Path) -> None:
    whole = named([clips], tmp_path / "whole.jsonl")
    shards = [
        row
        for number in (1, 2, 3)
        for row in named([clips], tmp_path / f"{number}.jsonl", shard=(number, 3))
    ]
    assert files(shards) == files(whole)


class Here(Executor):
    """Does each job in this process, handed over as to another one, and has one die."""

    def __init__(self, dies: int | None = None) -> None:
        self.dies, self.jobs = dies, 0

    def shares(self, items: Sequence[Any]) -> list[Sequence[Any]]:
        return [[item] for item in items]

    def run(self, work: Any, jobs: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        for job in jobs:
            self.jobs += 1
            handed_over, given = pickle.loads(pickle.dumps((work, job)))
            yield job, None if job[0].number == self.dies else handed_over(given)


def test_processes_name_parts_and_one_that_dies_is_told(
    clips: Path, tmp_path: Path, small_parts: None
) -> None:
    whole = named([clips], tmp_path / "whole.jsonl")
    executor = Here()
    assert named([clips], tmp_path / "n.jsonl", executor=executor) == whole
    assert executor.jobs == 4
    with pytest.raises(StarError, match="killed twice") as died:
        named([clips], tmp_path / "m.jsonl", executor=Here(dies=1))
    assert died.value.file == whole[2]["file"]
    left = Here()
    assert named([clips], tmp_path / "m.jsonl", executor=left) == whole


def test_what_was_begun_is_not_finished_as_something_else(
    clips: Path, tmp_path: Path, small_parts: None
) -> None:
    out = tmp_path / "n.jsonl"
    with pytest.raises(StarError):
        named([clips], out, executor=Here(dies=1))
    with pytest.raises(UsageError, match="begun with other options") as refused:
        named([clips], out, top=1)
    assert "--overwrite" in refused.value.fix
    assert all(
        len(row.get("actions", ())) <= 1 for row in named([clips], out, top=1, overwrite=True)
    )
    with pytest.raises(UsageError, match="already exists"):
        named([clips], out)
    with pytest.raises(UsageError, match="reasons have no column in CSV"):
        named([clips], tmp_path / "e.csv", reasons=True)
    with pytest.raises(DataError, match="no such file"):
        named([tmp_path / "nowhere"], tmp_path / "e.jsonl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no recordings"):
        named([tmp_path / "empty"], tmp_path / "e.jsonl")
    assert not list(tmp_path.glob("e.*"))


def test_a_list_that_changes_and_a_part_without_files(clips: Path, tmp_path: Path) -> None:
    """What was begun of a list is told from one of other lines; some parts of many are empty."""
    names, out = tmp_path / "list.txt", tmp_path / "n.jsonl"
    names.write_text(f"{clips / 'c' / '2.npy'}\n{'a' * 5000}\n")
    rows = named([], out, files_from=names)
    assert [row["error"]["exit_code"] for row in rows if "error" in row] == [3]
    assert len(rows) == 2
    digests = {list_digest(names)}
    names.write_text(f"{clips / 'a' / '0.npy'}\n")
    assert list_digest(names) not in digests
    several = [named([clips], tmp_path / f"{n}.jsonl", shard=(n, 9)) for n in range(1, 10)]
    assert [] in several and sum(map(len, several)) == 7

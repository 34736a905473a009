"""`starcli benchmark`: tables as files, and input that is bad."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from starcli import registry
from starcli.benchmark.grid import cells, groups, recipe, shard
from starcli.benchmark.paper import Column, tables
from starcli.benchmark.table import read, shipped, splits
from starcli.contracts import is_in_text_space
from starcli.errors import UsageError
from starcli.experiment import Experiment
from starcli.settings.resolve import load
from tests.conftest import ROOT, Outcome

Cli = Callable[..., Outcome]
COLUMN = """
[[columns]]
dataset = "simulated"
protocol = "xsub"
splits = ["fold0", "fold1"]
measures = ["zsl"]
"""
ROWS = """
[rows]
first = { method.name = "eszsl" }
second = { method.name = "eszsl", method.gamma = 0.2 }
"""


def write(folder: Path, text: str, name: str = "mine") -> str:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return str(path)


def test_a_table_says_what_is_compared_on_what(tmp_path: Path) -> None:
    settings = "seeds = [3, 1]\n[raw]\nutd-mhad = 'a.zip'\n[settings]\nmethod.star.width = 8\n"
    table = read(write(tmp_path, settings + COLUMN + ROWS))
    assert (table.name, table.title, table.seeds) == ("mine", "mine", (3, 1))
    assert table.columns == (Column("simulated", "xsub", "fold0+fold1", "zsl"),)
    assert table.rows["second"] == {"method.name": "eszsl", "method.gamma": 0.2}
    assert table.settings == {"method.star.width": 8}
    assert table.raw == {"utd-mhad": Path("a.zip")}
    assert math.isnan(table.paper("first", table.columns[0]))


def test_measures_that_are_not_named_are_all_four(tmp_path: Path) -> None:
    table = read(write(tmp_path, COLUMN.replace('measures = ["zsl"]', "") + ROWS))
    assert [column.measure for column in table.columns] == ["zsl", "S", "U", "H"]


@pytest.mark.parametrize("name", sorted(tables()))
def test_the_papers_tables_have_its_rows_columns_and_numbers(name: str) -> None:
    ours, paper = read(name), tables()[name]
    assert (ours.title, ours.columns) == (paper.title, paper.columns)
    assert list(ours.rows) == list(paper.rows)
    for row, numbers in paper.rows.items():
        for column, number in zip(paper.columns, numbers, strict=True):
            found = ours.paper(row, column)
            assert found == number or (math.isnan(found) and math.isnan(number))


def test_a_row_of_the_papers_does_what_its_label_says() -> None:
    for name in ("table2", "table3", "table4", "table5"):
        assert all(row["method.name"] == label for label, row in read(name).rows.items())
    assert {label: row["parts"] for label, row in read("table6").rows.items()} == {
        "2 parts": 2,
        "4 parts": 4,
        "6 parts": 6,
    }
    left_out = {label: row.get("method.ablate") for label, row in read("table7").rows.items()}
    assert left_out.pop("full") is None
    assert all(left == [label] for label, left in left_out.items())


def test_the_real_tables_hold_every_method_and_fold() -> None:
    """Methods in the space of the texts need weights of their own, and are no row beside others."""
    table = read("real")
    names = [e.name for e in registry.entries("method") if e.distribution == "starcli"]
    assert {row["method.name"] for row in table.rows.values()} == {
        name for name in names if not is_in_text_space(registry.load("method", name))
    }
    others = ("real-ablations", "real-texts", "real-lexicon")
    assert [read(name).columns for name in others] == [table.columns] * 3
    for column in table.columns:
        source = registry.load("dataset", column.dataset)
        folds = [split for split in source.splits if split.startswith("fold")]
        assert splits(column) == folds
        assert column.protocol in source.protocols


@pytest.mark.parametrize("name", [*shipped(), str(ROOT / "examples/tables/methods.toml")])
def test_every_setting_of_a_table_exists(name: str) -> None:
    table = read(name)
    every = cells(table, {}, None)
    assert recipe(every, table, None)
    of_splits = sum(len(splits(c)) for c in {c._replace(measure="") for c in table.columns})
    assert len(every) == len(set(every)) == of_splits * len(table.rows) * len(table.seeds)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seed = [0]\n" + COLUMN + ROWS, "seed: no such key; did you mean 'seeds'?"),
        (
            COLUMN.replace("splits", "split") + ROWS,
            "columns.0.splits: Field required; "
            "columns.0.split: no such key; did you mean 'splits'?",
        ),
        (COLUMN.replace("zsl", "ZSL") + ROWS, "columns.0.measures.0: Input should be"),
        (COLUMN, "rows: Field required"),
        (COLUMN + "[rows]", "rows: Dictionary should have at least 1 item"),
        (ROWS, "columns: there are none"),
        ("published = 'table9'\n" + ROWS, "published: no table 'table9'"),
        ("seeds = [-1]\n" + COLUMN + ROWS, "seeds.0: Input should be greater"),
        ("seeds = [1, 1]\n" + COLUMN + ROWS, "duplicate cells: two seeds 1"),
        (COLUMN + COLUMN + ROWS, "duplicate cells: two columns simulated, xsub"),
        (COLUMN.replace("fold1", "fold0") + ROWS, "duplicate cells: two splits fold0"),
        (COLUMN + ROWS.replace(", method.gamma = 0.2", ""), "duplicate cells: two rows"),
        *(
            (
                COLUMN + ROWS.replace("first", f'"{label}"'),
                f"{shown!r} is not a title or row's label",
            )
            for label, shown in (
                ("\\u001b[31mred", "\x1b[31mred"),
                ("a\\nb", "a\nb"),
                ("a\\u202eb", "a\u202eb"),
                (" ", " "),
                ("x" * 201, "x" * 200),
            )
        ),
        ('title = "a\\tb"\n' + COLUMN + ROWS, "'a\\tb' is not a title"),
    ],
)
def test_a_file_that_is_no_table_is_named_with_the_key_g24(
    tmp_path: Path, text: str, told: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: {told}")
    assert caught.value.fix


@pytest.mark.parametrize(("text", "line"), [("title = ", 1), ("seeds = [0]\n[rows\n", 2)])
def test_a_file_that_is_not_toml_is_named_with_the_line(
    tmp_path: Path, text: str, line: int
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:{line}: not readable TOML")


def test_a_table_that_is_not_there(cli: Cli) -> None:
    outcome = cli("benchmark", "tabel2", "--json")
    error = json.loads(outcome.out)["error"]
    assert (outcome.code, error["message"]) == (2, "no table 'tabel2'")
    assert error["fix"].startswith(
        "did you mean 'table2'? there are: real, real-ablations, real-lexicon, real-sources, "
        "real-teacher, real-texts, simulated-ablations, table2"
    )
    assert "there are: real" in cli("benchmark").err
    assert cli("benchmark", "missing.toml").code == 2


@pytest.mark.parametrize(
    ("old", "new", "told", "fix"),
    [
        (
            '"eszsl" }',
            '"eszls" }',
            "first: simulated xsub fold0, seed 0: no method 'eszls'",
            "did you mean 'eszsl'?",
        ),
        (
            "method.gamma",
            "method.gama",
            "second: simulated xsub fold0, seed 0: settings: method.gama: no such setting; did you "
            "mean 'method.gamma'?",
            "see every setting",
        ),
        (
            '"fold0"',
            '"foldO"',
            "first: simulated xsub foldO, seed 0: simulated has no split 'foldO'",
            "did you mean 'fold",
        ),
        ("simulated", "simulatd", "columns: no dataset 'simulatd'", "did you mean 'simulated'?"),
        ("method.gamma", "dataset.split", "second: dataset.split is not for a row", "name data"),
        ("method.gamma", "run.workers", "second: run.workers is not for a row", "name data"),
        ("method.gamma", "method.sttar.width", "second: no method 'sttar'", "did you mean 'star'?"),
    ],
)
def test_settings_that_do_not_exist_stop_it_before_any_run(
    cli: Cli, tmp_path: Path, old: str, new: str, told: str, fix: str
) -> None:
    path = write(tmp_path, (COLUMN + ROWS).replace(old, new))
    outcome = cli("benchmark", path, "--json")
    error = json.loads(outcome.out)["error"]
    assert (outcome.code, error["file"]) == (2, path)
    assert error["message"].startswith(told)
    assert error["fix"].startswith(fix)
    assert not (tmp_path / "starcli-store").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--only", "thrid"], "table mine has no row 'thrid'"),
        (["--dataset", "ntu60"], "table mine has no data set 'ntu60'"),
        (["--shard", "3/2"], "invalid shard '3/2'"),
        (["--shard", "0/2"], "invalid shard '0/2'"),
        (["--shard", "1"], "invalid shard '1'"),
        (["--shard", "²/3"], "invalid shard"),
        (["--seeds", "1,1"], "--seeds '1,1' is not a list of different seeds"),
        (["--jobs", "0"], "--jobs"),
        (["--set", "pretrain.epoch=3"], "settings: pretrain.epoch: no such setting"),
        (["--set", "seed=3"], "--set: seed is not for a row to set"),
        (["--config", "nowhere.toml"], "nowhere.toml: no such settings file"),
        (["--merge", "--shard", "1/2"], "--merge puts files of --shard together"),
        (["--by-fold", "--shard", "1/2"], "--by-fold is for the result of all parts"),
        (["another.toml"], "name one table"),
    ],
)
def test_options_that_cannot_be_used(
    cli: Cli, tmp_path: Path, options: list[str], told: str
) -> None:
    outcome = cli("benchmark", write(tmp_path, COLUMN + ROWS), *options)
    assert outcome.code == 2
    assert told in outcome.err.replace("\n", " ")
    assert "fix:" in outcome.err
    assert not (tmp_path / "starcli-store").exists()


def test_a_place_for_the_result_that_is_a_file(cli: Cli, tmp_path: Path) -> None:
    path = write(tmp_path, COLUMN + ROWS)
    outcome = cli("benchmark", path, "--out", path)
    assert outcome.code == 6
    assert "--out" in outcome.err
    assert not (tmp_path / "starcli-store").exists()


def test_later_settings_outrank_earlier_ones(tmp_path: Path) -> None:
    text = (
        "[settings]\nmethod.epochs = 1\nmethod.star.epochs = 2\nparts = 2\n"
        + COLUMN
        + """
[rows]
star = { method.name = "star" }
devise = { method.name = "devise", parts = 6 }
"""
    )
    table = read(write(tmp_path, text))

    def found(given: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        return {
            c.row: (c.flags["method.epochs"], c.flags["parts"]) for c in cells(table, given, None)
        }

    assert found({}) == {"star": (2, 2), "devise": (1, 6)}
    assert found({"method.epochs": 3, "parts": 4}) == {"star": (3, 4), "devise": (3, 6)}
    assert found({"method.devise.epochs": 4}) == {"star": (2, 2), "devise": (4, 6)}


def test_recordings_lie_in_a_folder_named_like_the_data_set(tmp_path: Path) -> None:
    text = COLUMN.replace("simulated", "utd-mhad")
    table = read(write(tmp_path, text + ROWS))

    def raw(root: Path | None, of: Any = table) -> Any:
        return cells(of, {}, root)[0].flags.get("run.raw")

    assert raw(None) is None
    assert raw(tmp_path) is None
    (tmp_path / "utd_mhad").mkdir()
    assert raw(tmp_path) == tmp_path / "utd_mhad"
    (tmp_path / "utd-mhad").mkdir()
    assert raw(tmp_path) == tmp_path / "utd-mhad"
    (tmp_path / "a").mkdir()
    named = read(write(tmp_path, "[raw]\nutd-mhad = 'a'\n" + text + ROWS))
    assert raw(tmp_path, named) == tmp_path / "a"
    (tmp_path / "simulated").mkdir()
    assert raw(tmp_path, read(write(tmp_path, COLUMN + ROWS))) is None
    assert Experiment(load(cells(table, {}, tmp_path)[0].flags)).settings.run.raw is not None


def test_parts_keep_what_shares_a_backbone_together_and_are_the_whole() -> None:
    every = cells(read("real"), {}, None)
    assert len(groups(every)) == 8
    assert len({cell.backbone for cell in every}) == 8
    parts = [shard(every, f"{number}/3") for number in (1, 2, 3)]
    assert sorted(str(cell) for part in parts for cell in part) == sorted(map(str, every))
    backbones = [{cell.backbone for cell in part} for part in parts]
    assert [len(found) for found in backbones] == [3, 3, 2]
    assert not backbones[0] & backbones[1] | backbones[1] & backbones[2]
    assert shard(every, None) == every
    assert shard(every, "9/9") == []


def test_the_recipe_is_of_everything_that_is_computed(tmp_path: Path) -> None:
    table = read(write(tmp_path, COLUMN + ROWS))
    every = cells(table, {}, None)

    def of(given: dict[str, Any]) -> str:
        return recipe(cells(table, given, None), table, None)

    assert of({}) == recipe(every, table, None) == of({"run.device": "cpu"})
    assert of({"pretrain.epochs": 7}) != of({}) != of({"method.lam": 2.0})
    fewer = table.only(["first"], [])
    assert recipe(cells(fewer, {}, None), fewer, None) != of({})

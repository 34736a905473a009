"""How rows of a benchmark differ: from which row, by how much, what is bold, and in which files."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from starcli.benchmark.blocks import blocks, notes
from starcli.benchmark.export import latex, markdown, table_of_values
from starcli.benchmark.paper import Column
from starcli.benchmark.results import by_fold, document
from tests.benchmark.test_results import TABLE, ZSL, clear, result, results, values

OTHER = ZSL._replace(dataset="other")
BOTH = replace(TABLE, columns=(ZSL, OTHER), published=None)


def of_both() -> list[Any]:
    """Clear on the one data set; on the other the rows are alike."""
    alike = [result(r["row"], r["split"], r["seed"], 0.5) | {"dataset": "other"} for r in results()]
    return [*clear(), *alike]


def test_rows_are_compared_with_the_highest() -> None:
    first, second = values(document(TABLE, "recipe", clear())).values()
    assert first["against"] == "second"
    assert first["difference"] == pytest.approx(-0.8)
    assert first["low"] is not None and first["high"] is not None
    assert -1 <= first["low"] < -0.8 < first["high"] < 0
    assert (second["against"], second["low"], second["best"]) == (None, None, True)


def test_nothing_is_best_where_an_interval_has_zero_in_it() -> None:
    """35 and 40 percent of 20 clips: they may as well be alike."""
    first, second = values(document(TABLE, "recipe", results())).values()
    assert first["low"] is not None and first["high"] is not None
    assert first["low"] < 0 < first["high"]
    assert not second["best"]


def test_one_seed_makes_nothing_best() -> None:
    found = document(replace(TABLE, seeds=(0,)), "recipe", clear())
    first, second = values(found).values()
    assert first["high"] is not None and first["high"] < 0
    assert not second["best"]
    assert "one seed does not tell what training varies" in " ".join(notes(found))


def test_more_rows_make_wider_intervals() -> None:
    """The same two rows, alone and beside a third."""
    table = replace(TABLE, rows={"first": {}, "second": {}, "third": {}})
    third = [r | {"row": "third"} for r in clear() if r["row"] == "first"]
    few = values(document(TABLE, "recipe", clear()))["first"]
    many = values(document(table, "recipe", [*clear(), *third]))["first"]
    assert few["high"] is not None and many["high"] is not None
    assert few["high"] < many["high"]


def test_what_must_admit_something_is_compared_and_in_nobodys_way() -> None:
    """The best of the others is bold though a transductive row is as good."""
    table = replace(TABLE, rows={"first": {}, "second": {}, "told": {}})
    told = [r | {"row": "told", "warning": "TOLD"} for r in clear() if r["row"] == "second"]
    found = values(document(table, "recipe", [*clear(), *told]))
    assert (found["told"]["against"], found["told"]["difference"]) == ("second", 0)
    assert [value["best"] for value in found.values()] == [False, True, False]


def test_the_mean_over_data_sets_is_compared_too() -> None:
    """-80 on one data set and 0 on the other are -40 in the mean, with half of the interval."""
    found = document(BOTH, "recipe", of_both())
    mean, _ = found["overall"]
    clear_one = next(v for v in found["values"] if v["dataset"] == "made-up")
    assert mean["dataset"] == "all"
    assert mean["difference"] == pytest.approx(-0.4)
    assert mean["high"] is not None and clear_one["high"] is not None
    assert mean["high"] + 0.4 == pytest.approx((clear_one["high"] + 0.8) / 2)
    assert [block.title for block in blocks(found)] == [
        "made-up, xsub, mean of a, b",
        "made-up, xsub, mean of a, b: ZSL",
        "other, xsub, mean of a, b",
        "other, xsub, mean of a, b: ZSL",
        "all, mean of the 2 above",
        "all, mean of the 2 above: ZSL",
    ]
    assert document(replace(BOTH, columns=(ZSL,)), "recipe", clear())["overall"] == []


def test_the_table_of_differences_has_spreads_apart_and_fits_80_columns() -> None:
    found = document(TABLE, "recipe", results())
    block = blocks(found)[1]
    low, high = (100 * (values(found)["first"][end] or 0) for end in ("low", "high"))
    assert block.head == ("method", "minus second", "interval", "± seeds", "± folds")
    assert block.rows == (
        ("first", "-5.0", f"{low:+.1f} to {high:+.1f}", "21.2", "14.1"),
        ("second", "-", "-", "14.1", "0.0"),
    )
    assert block.bold == set()
    assert blocks(document(TABLE, "recipe", clear()))[1].bold == {(0, 2)}
    widest = [max(map(len, column)) for column in zip(block.head, *block.rows, strict=True)]
    assert sum(widest) - len("first") + len("relation-net") + 3 * 5 + 1 <= 80


def test_files_have_differences() -> None:
    found = document(TABLE, "recipe", clear())
    (low, high) = (100 * (values(found)["first"][end] or 0) for end in ("low", "high"))
    interval = f"{low:+.1f} to {high:+.1f}"
    assert f"| first | -80.0 | **{interval}** | 0.0 | 0.0 |" in markdown(found)
    lines = latex(found).splitlines()
    assert r"made-up, xsub, mean of a, b: differences\\[2pt]" in lines
    assert rf"first & -80.0 & \textbf{{{interval}}} & 0.0 & 0.0 &" in "\n".join(lines)
    first = next(csv.DictReader(io.StringIO(table_of_values(found))))
    assert first["against"] == "second"
    assert float(first["low"]) == pytest.approx(low / 100)
    both = document(BOTH, "recipe", of_both())
    assert [row["dataset"] for row in csv.DictReader(io.StringIO(table_of_values(both)))] == [
        "made-up", "other", "made-up", "other", "all", "all",
    ]  # fmt: skip


def test_by_fold_there_are_values_alone() -> None:
    found = by_fold(document(BOTH, "recipe", of_both()))
    assert len(blocks(found)) == 2
    split = Column("made-up", "xsub", "a", "zsl")._asdict().items()
    first = next(v for v in found["values"] if split <= v.items())
    assert first["against"] == "second"


def test_a_column_that_counts_names_is_not_compared() -> None:
    def named(row: str, value: float) -> dict[str, Any]:
        digits = "1" * 9 if value else "0" * 9
        right = {"top1": {"x": digits}, "top5": {}}
        whole: dict[str, Any] = result(row, "a", 0, value, right=right, top1=value, frequent=value)
        return whole

    columns = (ZSL._replace(split="a", measure="top1"), ZSL._replace(split="a", measure="frequent"))
    table = replace(TABLE, columns=columns, seeds=(0,), published=None)
    found: list[Any] = [named("first", 0.0), named("second", 1.0)]
    against = {v["measure"]: v["against"] for v in document(table, "recipe", found)["values"][:2]}
    assert against == {"top1": "second", "frequent": None}

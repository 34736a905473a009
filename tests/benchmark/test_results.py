"""What a benchmark makes of its cells: means, deviations, marks, files, and parts merged."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.container import BarContainer
from matplotlib.patches import Rectangle

from starcli.benchmark import paper
from starcli.benchmark.blocks import blocks, notes
from starcli.benchmark.export import draw, latex, markdown, save, table_of_values
from starcli.benchmark.fields import Document, Value
from starcli.benchmark.paper import Column
from starcli.benchmark.results import by_fold, document, merged
from starcli.benchmark.table import Table, read
from starcli.errors import DataError, OutputError

ZSL = Column("made-up", "xsub", "a+b", "zsl")
H = ZSL._replace(measure="H")
PAPER = paper.Table("Table 0", (H,), {"first": (50.0,), "second": (float("nan"),)})
TABLE = Table(
    "mine",
    Path("mine.toml"),
    "Mine",
    (ZSL, H),
    {"first": {}, "second": {"parts": 2}},
    {},
    (0, 1),
    {},
    PAPER,
)
FOUND = {
    ("first", "a", 0): 0.1,
    ("first", "b", 0): 0.3,
    ("first", "a", 1): 0.4,
    ("first", "b", 1): 0.6,
    ("second", "a", 0): 0.5,
    ("second", "b", 0): 0.5,
    ("second", "a", 1): 0.3,
    ("second", "b", 1): 0.3,
}
"""Means over splits: 0.2 and 0.5, then 0.35 with deviation 0.3 / sqrt(2); 0.5, 0.3, then 0.4."""


def result(row: str, split: str, seed: int, value: float, **more: Any) -> Any:  # what is read
    """Of 20 clips so many are right, among unseen classes, and all those of seen ones wrong."""
    digits = "".join("1" if clip < round(20 * value) else "0" for clip in range(20))
    return {
        "row": row,
        "dataset": "made-up",
        "protocol": "xsub",
        "split": split,
        "seed": seed,
        "status": "done",
        "recordings": "r",
        "warning": None,
        "selected_by": "chosen on validation",
        "backbone": "st-gcn",
        "encoder": "minilm",
        "describer": "names",
        "right": {"zsl": {"wave": digits}, "gzsl": {"wave": digits, "sit": digits}},
        "ZSL": value,
        "S": 0.0,
        "U": 0.0,
        "H": value / 2,
        **more,
    }


def failed(row: str, split: str, seed: int, status: str = "failed") -> Any:
    error = {"message": "no luck", "fix": "try again", "file": None}
    return {**result(row, split, seed, 0), "status": status, "error": error}


def results(**more: Any) -> list[Any]:
    return [result(*names, value, **more) for names, value in FOUND.items()]


def clear() -> list[Any]:
    """The second row has nine tenths of the clips, the first one, whatever split and seed."""
    return [result(*names, {"first": 0.1, "second": 0.9}[names[0]]) for names in FOUND]


def values(found: Document, measure: str = "zsl") -> dict[str, Value]:
    return {v["row"]: v for v in found["values"] if v["measure"] == measure}


def test_values_are_means_of_seeds_of_means_of_splits() -> None:
    found = document(TABLE, "recipe", results())
    first, second = values(found).values()
    assert first["mean"] == pytest.approx(0.35)
    assert first["std"] == pytest.approx(0.3 / 2**0.5)
    assert second["mean"] == pytest.approx(0.4)
    assert first["std_folds"] == pytest.approx(0.2 / 2**0.5)
    assert second["std_folds"] == 0
    assert values(found, "H")["first"]["mean"] == pytest.approx(0.175)
    assert found["paper"] == [[None, 0.5], [None, None]]
    assert values(found, "H")["first"]["paper"] == 0.5


def test_by_fold_every_split_stands_before_the_mean() -> None:
    whole = document(TABLE, "recipe", results())
    found = by_fold(whole)
    assert [(c["split"], c["measure"]) for c in found["columns"]] == [
        ("a", "zsl"),
        ("b", "zsl"),
        ("a+b", "zsl"),
        ("a", "H"),
        ("b", "H"),
        ("a+b", "H"),
    ]
    zsl, h = blocks(found)
    assert (zsl.title, zsl.head) == ("made-up, xsub, ZSL by fold", ("method", "a", "b", "mean"))
    # Of the first row 0.1 and 0.4 on split a, 0.3 and 0.6 on split b.
    assert zsl.rows == (
        ("first", "25.0 ± 21.2", "45.0 ± 21.2", "35.0 ± 21.2"),
        ("second", "40.0 ± 14.1", "40.0 ± 14.1", "40.0 ± 14.1"),
    )
    assert zsl.bold == set()
    assert h.head == ("method", "a", "b", "mean")
    assert [row[3][-7:] for row in h.rows] == [" (50.0)", "0 ± 7.1"]
    assert (found["cells"], found["not_run"]) == (whole["cells"], [])
    lines = table_of_values(found).splitlines()
    assert [line.split(",")[:5] for line in lines[1:3]] == [
        ["first", "made-up", "xsub", "a", "zsl"],
        ["first", "made-up", "xsub", "b", "zsl"],
    ]


def test_a_fold_has_one_colour_whatever_the_number_of_folds() -> None:
    """Of two data sets with other numbers of folds; the legend names each once."""
    other = ZSL._replace(dataset="other", split="a")
    more = [r | {"dataset": "other"} for r in results() if r["split"] == "a"]
    found = by_fold(
        document(
            replace(TABLE, columns=(ZSL, other), published=None), "recipe", [*results(), *more]
        )
    )
    drawn = draw(found)
    colours = [
        {
            c.get_label(): c.patches[0].get_facecolor()
            for c in axes.containers
            if isinstance(c, BarContainer)
        }
        for axes in drawn.axes
    ]
    assert colours[0]["a"] == colours[1]["a"] != colours[0]["mean"]
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["a", "b", "mean"]


@pytest.mark.slow
def test_files_by_fold_lie_beside_the_others(tmp_path: Path) -> None:
    whole = document(TABLE, "recipe", results())
    files = [*save(whole, tmp_path), *save(by_fold(whole), tmp_path)]
    assert len(files) == len({*files}) == len(list(tmp_path.iterdir())) == 14
    assert {file.stem for file in files} == {"mine", "mine-by-fold"}


def test_one_seed_has_no_deviation() -> None:
    table = replace(TABLE, seeds=(1,))
    first = values(document(table, "recipe", results()))["first"]
    assert (first["mean"], first["std"]) == (0.5, None)


@pytest.mark.parametrize("status", ["failed", "absent", None])
def test_a_value_without_all_its_cells_is_none(status: str | None) -> None:
    kept = [r for r in results() if (r["row"], r["split"], r["seed"]) != ("second", "b", 1)]
    if status:
        kept.append(failed("second", "b", 1, status))
    found = document(TABLE, "recipe", kept)
    first, second = values(found).values()
    assert (second["mean"], second["std"], second["std_folds"]) == (None, None, None)
    assert (first["against"], second["against"]) == (None, None)
    assert len(found["not_run"]) == (status is None)
    text = notes(found)[-1]
    assert text.startswith("Empty, 1 of 8 runs (first second: made-up xsub b, seed 1): ")
    reason = {"failed": "failed: no luck; try again", "absent": "no luck; try again"}
    assert text.endswith(reason.get(status or "", "not run"))


def test_what_must_admit_something_is_marked_and_never_best() -> None:
    told = "TRANSDUCTIVE: learned from text of the unseen classes"
    marked = [r | {"warning": told} if r["row"] == "second" else r for r in results()]
    found = document(TABLE, "recipe", marked)
    assert values(found)["second"]["against"] == "first"
    assert values(found)["second"]["difference"] == pytest.approx(0.05)
    assert not any(value["best"] for value in found["values"])
    block = blocks(found)[0]
    assert block.rows[1][1] == "40.0 ± 14.1 [1]"
    assert f"[1] {told}" in notes(found)
    assert "40.0 ± 14.1 \\[1\\]" in markdown(found)
    assert told in table_of_values(found)


def test_tables_show_percent_beside_the_papers_with_the_best_bold() -> None:
    found = document(TABLE, "recipe", clear())
    block = blocks(found)[0]
    assert block.title == "made-up, xsub, mean of a, b, ours (the paper's)"
    assert block.head == ("method", "ZSL", "H")
    assert block.rows == (
        ("first", "10.0 ± 0.0", "5.0 ± 0.0 (50.0)"),
        ("second", "90.0 ± 0.0", "45.0 ± 0.0"),
    )
    assert block.bold == {(1, 1), (1, 2)}
    assert "| second | **90.0 ± 0.0** | **45.0 ± 0.0** |" in markdown(found)
    told = " ".join(notes(found))
    assert "over seeds 0, 1" in told
    assert "Chosen on validation." in told
    assert "The paper's: as published" in told


def test_latex_has_a_heading_for_each_split_and_says_once_what_is_the_papers() -> None:
    other = (ZSL._replace(split="c"), H._replace(split="c"))
    table = replace(TABLE, columns=(ZSL, H, *other))
    more = [result(row, "c", seed, 0.5) for row in TABLE.rows for seed in TABLE.seeds]
    lines = latex(document(table, "recipe", [*clear(), *more])).splitlines()
    assert lines[0] == r"% needs \usepackage{booktabs}"
    assert lines[3:5] == [r"\caption{Mine}", r"\label{tab:mine}"]
    start = lines.index(r"\begin{tabular}{lrrrrr}")
    assert lines[start + 1 : start + 8] == [
        r"\toprule",
        r" & \multicolumn{2}{c}{mean of a, b} & \multicolumn{1}{c}{mean of a, b, in the paper}"
        r" & \multicolumn{2}{c}{c} \\",
        r"\cmidrule(lr){2-3} \cmidrule(lr){4-4} \cmidrule(lr){5-6}",
        r"method & ZSL & H & H & ZSL & H \\",
        r"\midrule",
        r"first & 10.0 $\pm$ 0.0 & 5.0 $\pm$ 0.0 & 50.0 & 50.0 $\pm$ 0.0 & 25.0 $\pm$ 0.0 \\",
        r"second & \textbf{90.0 $\pm$ 0.0} & \textbf{45.0 $\pm$ 0.0} & - & 50.0 $\pm$ 0.0"
        r" & 25.0 $\pm$ 0.0 \\",
    ]
    assert "\n".join(lines).count("in the paper") == 1


def test_a_column_without_a_papers_number_has_none_beside_it() -> None:
    found = document(replace(TABLE, published=None), "recipe", results())
    assert blocks(found)[0].head == ("method", "ZSL", "H")
    assert not any("paper" in note for note in notes(found))


def test_names_are_shown_as_they_are_g24(tmp_path: Path) -> None:
    name = "=cmd() | `a`_b $x$ [/foo] & \\ 50% 走"
    table = replace(TABLE, rows={name: {}, "second": {}}, title="a_b $ | *")
    found = document(
        table, "recipe", [r | {"row": name} if r["row"] == "first" else r for r in results()]
    )
    assert r"| =cmd() \| \`a\`\_b $x$ \[/foo\] & \\ 50% 走 |" in markdown(found)
    assert r"=cmd() | `a`\_b \$x\$ [/foo] \& \textbackslash{} 50\% 走 &" in latex(found)
    lines = list(csv.DictReader(io.StringIO(table_of_values(found))))
    assert lines[0]["row"] == f"'{name}"
    assert float(lines[0]["mean"]) == pytest.approx(0.35)
    assert save(found, tmp_path)[4].read_bytes().startswith(b"\x89PNG")


def test_files_are_written_whole_and_in_place_of_earlier_ones(tmp_path: Path) -> None:
    found = document(TABLE, "recipe", results())
    for _ in range(2):
        files = save(found, tmp_path / "out")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(
        f"mine.{suffix}" for suffix in ("md", "tex", "csv", "json", "png", "svg", "pdf")
    )
    assert json.loads(files[3].read_text("utf-8")) == found
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught:
        save(found, tmp_path / "file")
    assert caught.value.fix == "name another with --out"


def test_bars_are_the_values_with_deviations_and_the_papers_numbers() -> None:
    (axes,) = draw(document(TABLE, "recipe", results())).axes
    bars = [bars for bars in axes.containers if isinstance(bars, BarContainer)]
    assert [bar.get_label() for bar in bars] == ["ZSL", "H"]
    heights = [[bar.get_height() for bar in some] for some in bars]
    assert heights == [pytest.approx([35, 40]), pytest.approx([17.5, 20])]
    assert bars[0].errorbar is not None
    (low, high), _ = bars[0].errorbar.lines[2][0].get_segments()
    assert [low[1], high[1]] == pytest.approx([35 - 30 / 2**0.5, 35 + 30 / 2**0.5])
    (marks,) = (marks for marks in axes.collections if marks.get_label() == "paper")
    assert np.asarray(marks.get_offsets())[:, 1].tolist() == [50]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["first", "second"]


@pytest.mark.slow
def test_empty_results_are_drawn_too(tmp_path: Path) -> None:
    found = document(read("table2"), "recipe", [])
    assert len(found["not_run"]) == 24
    axes = draw(found).axes
    assert len(axes) == 4
    bars = [bar for one in axes for bar in one.patches if isinstance(bar, Rectangle)]
    assert {bar.get_height() for bar in bars} == {0}
    marks = sum(len(np.asarray(marks.get_offsets())) for one in axes for marks in one.collections)
    numbers = [number for row in found["paper"] for number in row if number is not None]
    assert marks == len(numbers) > 80
    assert "24 of 24 runs" in save(found, tmp_path)[0].read_text("utf-8")


def parts(folder: Path, *contents: object) -> list[Path]:
    paths = [folder / f"{number}.json" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(json.dumps(content))
    return paths


def test_parts_together_are_the_whole(tmp_path: Path) -> None:
    every = [*results()[:-1], failed("second", "b", 1)]
    cut = [document(TABLE, "recipe", every[n::3]) for n in range(3)]
    assert merged(parts(tmp_path, *cut)) == document(TABLE, "recipe", every)
    some = merged(parts(tmp_path, *cut[:2]))
    assert some == document(TABLE, "recipe", [*every[0::3], *every[1::3]])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"recipe": "other"}, "1.json: differs from {0} in recipe"),
        ({"table": "real", "title": "Real"}, "1.json: differs from {0} in table, title"),
        ({"seeds": [0]}, "1.json: differs from {0} in seeds"),
        (
            {"cells": [result("first", "a", 0, 0.5)]},
            "1.json: duplicate cell, first: made-up xsub a, seed 0",
        ),
        (
            {"cells": [result("first", "b", 1, 0.5, recordings="other")]},
            "the parts read different recordings of made-up",
        ),
        (
            {
                "cells": [
                    result("first", "a", 1, 0.5)
                    | {"right": {"zsl": {"wave": "1"}, "gzsl": {"wave": "1"}}}
                ]
            },
            "the parts read different recordings of made-up",
        ),
        ({"cells": 5}, "1.json: is not a result of starcli benchmark, see cells"),
        ({"cells": [{}]}, "1.json: is not a result of starcli benchmark, see cells.0"),
        ({"cells": [result("first", "b", 1, 0.5) | {"H": None}]}, "see cells.0"),
        ({"table": "../../x"}, "1.json: is not a result of starcli benchmark, see table"),
        ({"title": "a\x1b[2J"}, "1.json: is not a result of starcli benchmark, see title"),
        (
            {"columns": [["made-up", "xsub", "a", "zsl"], ["made-up", "xsub", "b", "zsl"]]},
            "1.json: is not a result of starcli benchmark, see columns.0",
        ),
        ({"paper": [[None]]}, "1.json: is not a result of starcli benchmark, see it"),
        ({"cells": [result("first", "b", 1, 0.5) | {"right": {}}]}, "see cells.0"),
        ({"columns": [["a"]]}, "1.json: is not a result of starcli benchmark, see columns.0"),
    ],
)
def test_parts_that_do_not_belong_together(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    whole: Any = document(TABLE, "recipe", results()[:1])
    paths = parts(tmp_path, whole, whole | {"cells": []} | change)
    with pytest.raises(DataError) as caught:
        merged(paths)
    assert told.format(paths[0]) in str(caught.value)
    assert caught.value.fix


def test_a_part_named_twice(tmp_path: Path) -> None:
    (path,) = parts(tmp_path, document(TABLE, "recipe", results()))
    with pytest.raises(DataError, match="duplicate cell"):
        merged([path, path])


@pytest.mark.parametrize("text", ["", "[]", "5", "{", '{"ok": true, "stage": "train"}'])
def test_a_file_that_is_no_part(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError) as caught:
        merged([tmp_path / "a.json"])
    assert str(caught.value).startswith(str(tmp_path / "a.json"))


def test_a_part_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.json: cannot be read"):
        merged([tmp_path / "no.json"])

"""The result of a benchmark as tables for terminal, Markdown, LaTeX and CSV, and as bars.

Written by hand: a library would save the joins of cells, not what must be escaped in them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from starcli.benchmark import grid
from starcli.benchmark.paper import Column
from starcli.benchmark.results import MEASURES, Document, Value
from starcli.errors import ErrorFields
from starcli.figures import style
from starcli.files import csv_text, save_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}
OF_NAMING = {
    "top1": "top-1",
    "by_class": "by class",
    "top5": "top-5",
    "frequent": "most frequent",
}


@dataclass(frozen=True)
class Block:
    """What was measured on one data set, protocol and mean of splits.

    Args:
        title: These three.
        head: Titles of the columns.
        rows: Their texts, of a row's label and every value.
        best: Places in `rows`, row and column, of the highest values.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: frozenset[tuple[int, int]]


def blocks(document: Document) -> list[Block]:
    """The values of a document, those of one data set, protocol and mean of splits together."""
    return [_block(document, title, measures) for title, measures in _measured(document).items()]


def _measured(document: Document) -> dict[str, list[list[Value]]]:
    """Title of a block -> the values of each of its columns, from the first row to the last.

    A result by fold has a block for each measure, with a column for each split and their mean.
    """
    by_title: dict[str, list[list[Value]]] = {}
    for number, column in enumerate(document["columns"]):
        splits = column["split"].split("+")
        where = splits[0] if len(splits) == 1 else f"mean of {', '.join(splits)}"
        if document.get("by_fold"):
            where = f"{MEASURES[column['measure']]} by fold"
        title = f"{column['dataset']}, {column['protocol']}, {where}"
        values = document["values"][number :: len(document["columns"])]
        by_title.setdefault(title, []).append(values)
    return by_title


def _block(document: Document, title: str, measures: Sequence[Sequence[Value]]) -> Block:
    head, columns, best = ["method"], [list(document["rows"])], set()
    marks = _marks(document)
    for values in measures:
        name = _name(document, values[0])
        best |= {(row, len(head)) for row, value in enumerate(values) if value["best"]}
        head.append(name)
        columns.append([_beside_paper(value, marks) for value in values])
    if any(value["paper"] is not None for values in measures for value in values):
        title = f"{title}, ours (the paper's)"
    return Block(title, tuple(head), tuple(zip(*columns, strict=True)), frozenset(best))


def _name(document: Document, value: Value) -> str:
    """What a column is called: its measure, or in a result by fold its split."""
    if not document.get("by_fold"):
        return _title(value["measure"])
    return "mean" if "+" in value["split"] else str(value["split"])


def _title(measure: str) -> str:
    """What a measure is called above a column."""
    return OF_NAMING.get(measure, MEASURES[measure])


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.1f}"


def _text(value: Value, marks: Mapping[str, int]) -> str:
    text = _percent(value["mean"])
    if value["std"] is not None:
        text += f" ± {100 * value['std']:.1f}"
    return f"{text} [{marks[value['warning']]}]" if value["warning"] else text


def _beside_paper(value: Value, marks: Mapping[str, int]) -> str:
    """A value, and in brackets the paper's."""
    text, paper = _text(value, marks), value["paper"]
    return text if paper is None else f"{text} ({_percent(paper)})"


def _marks(document: Document) -> dict[str, int]:
    """What values must admit -> number of its note."""
    admitted = dict.fromkeys(v["warning"] for v in document["values"] if v["warning"])
    return {warning: number for number, warning in enumerate(admitted, 1)}


def notes(document: Document) -> list[str]:
    """What stands below the tables: how the numbers came about, and why some are missing."""
    done = [cell for cell in document["cells"] if cell["status"] == "done"]
    many, seeds = len(document["seeds"]) > 1, ", ".join(map(str, document["seeds"]))
    over = "mean ± sample standard deviation over seeds" if many else "seed"
    lines = [f"Percent; {over} {seeds}; the best of a column is bold. {_of_measures(document)}"]
    lines += _of_names(document)
    lines += [f"{how[:1].upper()}{how[1:]}." for how in sorted({c["selected_by"] for c in done})]
    for what, used in (
        ("Backbone", {cell["backbone"] for cell in done}),
        ("Text encoder", {cell["encoder"] for cell in done}),
        ("Texts", {cell["describer"] for cell in done}),
    ):
        lines += [f"{what}: {', '.join(sorted(used))}."] if used else []
    if any(number is not None for row in document["paper"] for number in row):
        lines.append("The paper's: as published, with its own backbone, texts and training.")
    lines += [f"[{number}] {warning}" for warning, number in _marks(document).items()]
    return lines + missing(document)


def _of_measures(document: Document) -> str:
    """What the measures of a document mean."""
    if {column["measure"] for column in document["columns"]} <= set(OF_NAMING):
        return (
            "Every clip is named among the target's names: by class is the mean over these, most "
            "frequent the share of clips that are given the name that is given most."
        )
    return "ZSL chooses among the unseen classes, S, U and H among all."


def _of_names(document: Document) -> list[str]:
    """Which name each run gives most, and how many classes and movements it had to do without."""
    lines = []
    for cell in document["cells"]:
        if cell["status"] == "done" and "most_frequent" in cell:
            left, movements = len(cell["left_out"]), len(cell["left_out_movements"])
            lines.append(
                f"{grid.title(cell)}: {_percent(cell['frequent'])} % are named "
                f"'{cell['most_frequent']}'; {left} classes and {movements} movements left out."
            )
    return lines


def missing(document: Document) -> list[str]:
    """Why cells are empty, each reason once, with their number and the first."""
    reasons: dict[str, list[str]] = {}
    for cell in document["cells"]:
        if cell["status"] != "done":
            failed = "failed: " if cell["status"] == "failed" else ""
            reasons.setdefault(failed + reason(cell["error"]), []).append(grid.title(cell))
    for names in document["not_run"]:
        reasons.setdefault("not run", []).append(grid.title(names))
    total = len(document["cells"]) + len(document["not_run"])
    return [
        f"Empty, {len(titles)} of {total} runs (first {titles[0]}): {why}"
        for why, titles in reasons.items()
    ]


def reason(error: ErrorFields) -> str:
    """An error of a cell in one line."""
    place = f"{error['file']}: " if error["file"] else ""
    return f"{place}{error['message']}; {error['fix']}"


def markdown(document: Document) -> str:
    """Tables of GitHub's Markdown."""
    lines = [f"# {_of_markdown(document['title'])}", ""]
    for block in blocks(document):
        lines += [f"**{_of_markdown(block.title)}**", ""]
        lines += [_line(block.head), _line(["---"] + ["---:"] * (len(block.head) - 1))]
        for r, row in enumerate(block.rows):
            texts = map(_of_markdown, row)
            lines.append(
                _line([f"**{t}**" if (r, c) in block.best else t for c, t in enumerate(texts)])
            )
        lines.append("")
    return "\n".join([*lines, *(f"- {_of_markdown(note)}" for note in notes(document)), ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _of_markdown(text: str) -> str:
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>#|" else c for c in " ".join(text.split()))


def latex(document: Document) -> str:
    """A table of LaTeX for the package booktabs: a part for each data set and protocol."""
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_of_latex(document['title'])}}}",
        rf"\label{{tab:{re.sub(r'[^A-Za-z0-9-]', '-', document['table'])}}}",
    ]
    for title, spans in _spans(document).items():
        lines += ["", rf"{_of_latex(title)}\\[2pt]", *_tabular(document["rows"], spans)]
    lines += ["", *(rf"{{\footnotesize {_of_latex(note)}\par}}" for note in notes(document))]
    return "\n".join([*lines, r"\end{table}", ""])


@dataclass(frozen=True)
class Span:
    """Columns of LaTeX that have a heading in common, such as those of a split.

    Args:
        heading: It.
        head: Titles of the columns.
        columns: Their cells, row by row, as LaTeX.
    """

    heading: str
    head: list[str]
    columns: list[list[str]]


def _spans(document: Document) -> dict[str, list[Span]]:
    """Data set and protocol -> our numbers by split, each with the paper's after them."""
    found: dict[str, list[Span]] = {}
    marks = _marks(document)
    for title, measures in _measured(document).items():
        dataset, protocol, where = title.split(", ", 2)
        ours, paper = Span(where, [], []), Span(f"{where}, in the paper", [], [])
        for values in measures:
            name = _name(document, values[0])
            ours.head.append(name)
            texts = [(_of_latex(_text(value, marks)), value["best"]) for value in values]
            ours.columns.append([rf"\textbf{{{t}}}" if best else t for t, best in texts])
            if any(value["paper"] is not None for value in values):
                paper.head.append(name)
                paper.columns.append([_percent(value["paper"]) for value in values])
        own = found.setdefault(f"{dataset}, {protocol}", [])
        own += [ours, paper] if paper.head else [ours]
    return found


def _tabular(rows: Sequence[str], spans: Sequence[Span]) -> list[str]:
    """Rows of LaTeX, with the headings of spans above the titles of their columns."""
    heads, rules, at = [""], list[str](), 2
    for span in spans:
        last = at + len(span.head) - 1
        heads.append(rf"\multicolumn{{{len(span.head)}}}{{c}}{{{_of_latex(span.heading)}}}")
        rules.append(rf"\cmidrule(lr){{{at}-{last}}}")
        at = last + 1
    columns = [column for span in spans for column in span.columns]
    titles = ["method", *(title for span in spans for title in span.head)]
    return [
        rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"\toprule",
        " & ".join(heads) + r" \\",
        " ".join(rules),
        " & ".join(map(_of_latex, titles)) + r" \\",
        r"\midrule",
        *(
            " & ".join((_of_latex(row), *cells)) + r" \\"
            for row, *cells in zip(rows, *columns, strict=True)
        ),
        r"\bottomrule",
        r"\end{tabular}\\[6pt]",
    ]


def _of_latex(text: str) -> str:
    escaped = "".join(LATEX.get(c, c) for c in " ".join(text.split()))
    return escaped.replace("±", r"$\pm$")


def table_of_values(document: Document) -> str:
    """One line of CSV for every value, as fractions."""
    keys = ("row", *Column._fields, "mean", "std", "paper", "best", "warning")
    return csv_text(keys, document["values"])


def draw(document: Document) -> Figure:
    """Bars of every row, data set and measure, with deviations and the paper's numbers."""
    from matplotlib.figure import Figure

    measured = _measured(document)
    rows = len(document["rows"])
    figure = Figure(
        figsize=(max(6.0, 0.9 * rows + 2), 3.2 * len(measured) + 1), layout="constrained"
    )
    figure.suptitle(document["title"], fontsize=10)
    places = figure.subplots(len(measured), 1, squeeze=False, sharey=True)[:, 0]
    for axes, (title, measures) in zip(places, measured.items(), strict=True):
        axes.set_title(title)
        _draw_block(axes, measures, document)
    named = {
        label: handle
        for axes in places
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=len(named))
    figure.supylabel("accuracy, %", fontsize=9)
    return figure


def _draw_block(axes: Axes, measures: Sequence[Sequence[Value]], document: Document) -> None:
    rows, width = document["rows"], 0.8 / len(measures)
    known = list(dict.fromkeys(_name(document, value) for value in document["values"]))
    for number, values in enumerate(measures):
        left = [row + width * (number - (len(measures) - 1) / 2) for row in range(len(values))]
        heights = [100 * (value["mean"] or 0) for value in values]
        errors = [100 * (value["std"] or 0) for value in values]
        name = _name(document, values[0])
        colour = style.COLOURS[known.index(name) % len(style.COLOURS)]
        axes.bar(
            left,
            heights,
            width,
            yerr=errors if any(errors) else None,
            capsize=2,
            label=name,
            color=colour,
        )
        paper = [
            (x, 100 * v["paper"])
            for x, v in zip(left, values, strict=True)
            if v["paper"] is not None
        ]
        if paper:
            x, y = zip(*paper, strict=True)
            axes.scatter(
                x,
                y,
                marker="_",
                color="black",
                s=60,
                zorder=3,
                label="paper" if number == len(measures) - 1 else None,
            )
    axes.set_xticks(
        range(len(rows)),
        rows,
        fontsize=8,
        rotation=30 if len(rows) > 6 else 0,
        ha="right" if len(rows) > 6 else "center",
    )
    axes.set_ylim(0, 100)


def save(document: Document, folder: Path) -> list[Path]:
    """Write a document in every form; each file is whole or not there.

    Args:
        document: What a benchmark found.
        folder: Made if it is not there; files of an earlier result are replaced.

    Raises:
        OutputError: It cannot be written.
    """
    texts = {
        "md": markdown(document),
        "tex": latex(document),
        "csv": table_of_values(document),
        "json": json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
    }
    name = f"{document['table']}-by-fold" if document.get("by_fold") else document["table"]
    files = [folder / f"{name}.{suffix}" for suffix in (*texts, "png", "svg", "pdf")]
    for file, text in zip(files, texts.values(), strict=False):
        save_text(file, text, "--out")
    style.save(partial(draw, document), *files[len(texts) :])
    return files

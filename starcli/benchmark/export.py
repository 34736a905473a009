"""The result of a benchmark as tables for terminal, Markdown, LaTeX and CSV, and as bars.

Written by hand: a library would save the joins of cells, not what must be escaped in them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from starcli.benchmark.blocks import (
    Title,
    blocks,
    column_name,
    columns_by_title,
    compared,
    differences,
    notes,
    overall_columns,
    percent,
    text,
    warnings,
)
from starcli.benchmark.fields import Document, Value
from starcli.benchmark.paper import Column
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


def markdown(document: Document) -> str:
    """Tables of GitHub's Markdown."""
    lines = [f"# {_of_markdown(document['title'])}", ""]
    for block in blocks(document):
        lines += [f"**{_of_markdown(block.title)}**", ""]
        lines += [_line(block.head), _line(["---"] + ["---:"] * (len(block.head) - 1))]
        for r, row in enumerate(block.rows):
            texts = map(_of_markdown, row)
            lines.append(
                _line([f"**{t}**" if (r, c) in block.bold else t for c, t in enumerate(texts)])
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
    for title, spans in {**_spans(document), **_spans_of_differences(document)}.items():
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
    marks = warnings(document)
    for (place, where), measures in _measured(document).items():
        ours, paper = Span(where, [], []), Span(f"{where}, in the paper", [], [])
        for values in measures:
            name = column_name(document, values[0])
            ours.head.append(name)
            texts = [(_of_latex(text(value, marks)), value["best"]) for value in values]
            ours.columns.append([rf"\textbf{{{t}}}" if best else t for t, best in texts])
            if any(value["paper"] is not None for value in values):
                paper.head.append(name)
                paper.columns.append([percent(value["paper"]) for value in values])
        own = found.setdefault(place, [])
        own += [ours, paper] if paper.head else [ours]
    return found


def _spans_of_differences(document: Document) -> dict[str, list[Span]]:
    """Data set, protocol and splits -> how rows differ from the highest in each measure."""
    found: dict[str, list[Span]] = {}
    for title, measures in _measured(document).items():
        for values in compared(document, measures):
            head, texts, bold = differences(values)
            columns = [
                [
                    rf"\textbf{{{_of_latex(t)}}}" if (row, number) in bold else _of_latex(t)
                    for row, t in enumerate(column)
                ]
                for number, column in enumerate(texts)
            ]
            span = Span(column_name(document, values[0]), head, columns)
            found.setdefault(f"{', '.join(title)}: differences", []).append(span)
    return found


def _measured(document: Document) -> dict[Title, list[list[Value]]]:
    return {**columns_by_title(document), **overall_columns(document)}


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
    compared = ("mean", "std", "std_folds", "against", "difference", "low", "high")
    keys = ("row", *Column._fields, *compared, "paper", "best", "warning")
    return csv_text(keys, [*document["values"], *document["overall"]])


def draw(document: Document) -> Figure:
    """Bars of every row, data set and measure, with deviations and the paper's numbers."""
    from matplotlib.figure import Figure

    measured = columns_by_title(document)
    rows = len(document["rows"])
    figure = Figure(
        figsize=(max(6.0, 0.9 * rows + 2), 3.2 * len(measured) + 1), layout="constrained"
    )
    figure.suptitle(document["title"], fontsize=10)
    places = figure.subplots(len(measured), 1, squeeze=False, sharey=True)[:, 0]
    for axes, (title, measures) in zip(places, measured.items(), strict=True):
        axes.set_title(", ".join(title))
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
    known = list(dict.fromkeys(column_name(document, value) for value in document["values"]))
    for number, values in enumerate(measures):
        left = [row + width * (number - (len(measures) - 1) / 2) for row in range(len(values))]
        heights = [100 * (value["mean"] or 0) for value in values]
        errors = [100 * (value["std"] or 0) for value in values]
        name = column_name(document, values[0])
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
    for file, content in zip(files, texts.values(), strict=False):
        save_text(file, content, "--out")
    style.save(partial(draw, document), *files[len(texts) :])
    return files

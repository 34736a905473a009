"""The tables of benchmarks: which rows are compared on which columns.

A table is a TOML file, one of ours by name or any by path:

    title = "..."                    # what stands above it
    published = "table2"             # numbers of the paper beside ours; its columns if none follow
    seeds = [0, 1, 2]                # default 0

    [raw]                            # recordings that do not lie in ROOT/<data set>
    utd-mhad = "Skeleton.zip"        # relative to --dataset-root

    [settings]                       # of every run, as in starcli.toml; --set outranks them
    parts = 6
    method.star.width = 128          # where the method is star

    [[columns]]                      # one column for each measure
    dataset = "utd-mhad"
    protocol = "xsub"
    splits = ["fold0", "fold1"]      # averaged
    measures = ["zsl", "H"]          # default zsl, S, U, H

    [rows]                           # label -> what sets the row apart; outranks --set
    star = {}
    jpose = { method.name = "jpose", describer.name = "parts-of-speech" }

In place of columns it may have targets, data sets that are named and never learned from:

    [[targets]]
    dataset = "florence3d"           # taken out of every row's data sets
    clips = "2_*"                    # pattern of the clips' names; default all
    names = ["walk", "run"]          # among which they are named; default all classes

    [rows]                           # may choose data sets; "target" stands for the target's names
    zero-shot = { dataset.name = "utd-mhad,kard", dataset.leave_out = "target" }
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError

from starcli import files
from starcli.benchmark import paper
from starcli.benchmark.paper import Column
from starcli.errors import UsageError, suggest
from starcli.settings.resolve import flatten
from starcli.settings.schema import Section
from starcli.store.recipe_key import canonical

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


LONGEST = 200
"""Letters of a title or of a row's label."""
CLIPS = "clips"
"""What stands in the place of a target's protocol: all of its clips are named."""
OF_TARGETS = ("top1", "by_class", "top5", "frequent")
"""What is measured of a target."""


class _Columns(Section):
    """What is measured on the mean of some splits."""

    dataset: str
    protocol: str
    splits: tuple[str, ...] = Field(min_length=1)
    measures: tuple[Literal["zsl", "S", "U", "H"], ...] = ("zsl", "S", "U", "H")


class Target(Section):
    """A data set whose clips are named, and never learned from.

    Args:
        dataset: The data set.
        clips: Pattern of the names of clips that are meant.
        names: Classes among which clips are named; empty for all.
    """

    dataset: str
    clips: str = "*"
    names: tuple[str, ...] = ()


class _File(Section):
    """The content of a table's file."""

    title: str = ""
    published: str | None = None
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((0,), min_length=1)
    raw: dict[str, Path] = Field({})
    settings: dict[str, object] = Field({})
    columns: tuple[_Columns, ...] = ()
    targets: tuple[Target, ...] = ()
    rows: dict[str, dict[str, object]] = Field(min_length=1)


@dataclass(frozen=True)
class Table:
    """A table: rows of settings that are compared on columns of data sets and splits.

    Args:
        name: Of its file, without the suffix.
        path: Its file.
        title: What stands above it.
        columns: What is measured.
        rows: Label -> dotted settings that set the row apart.
        settings: Dotted settings of every run.
        seeds: Each is a run of its own.
        raw: Data set -> path of its recordings, where it is not the usual one.
        published: The paper's table whose numbers stand beside ours.
        targets: Data sets that are named and not learned from, whose measures the columns are.
    """

    name: str
    path: Path
    title: str
    columns: tuple[Column, ...]
    rows: Mapping[str, Mapping[str, object]]
    settings: Mapping[str, object]
    seeds: tuple[int, ...]
    raw: Mapping[str, Path]
    published: paper.Table | None
    targets: tuple[Target, ...] = ()

    def only(self, rows: Sequence[str], datasets: Sequence[str]) -> Table:
        """The part of some rows and data sets; of all where none are named.

        Raises:
            UsageError: It has no such row or data set.
        """
        measured = dict.fromkeys(column.dataset for column in self.columns)
        for what, wanted, known in (("row", rows, self.rows), ("data set", datasets, measured)):
            for name in wanted:
                if name not in known:
                    raise UsageError(
                        f"table {self.name} has no {what} '{name}'", suggest(name, known)
                    )
        return replace(
            self,
            rows={label: row for label, row in self.rows.items() if not rows or label in rows},
            columns=tuple(c for c in self.columns if not datasets or c.dataset in datasets),
            targets=tuple(t for t in self.targets if not datasets or t.dataset in datasets),
        )

    def paper(self, row: str, column: Column) -> float:
        """The paper's number in percent; NaN where it gives none."""
        there = self.published
        if there is None or row not in there.rows or column not in there.columns:
            return float("nan")
        return there.value(row, column)


def shipped() -> list[str]:
    """Names of our tables."""
    folder = resources.files("starcli.benchmark") / "tables"
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir())


def read(name: str) -> Table:
    """A table by its name, or by the path of its file.

    Raises:
        UsageError: There is none, or its file cannot be read or is not a table.
    """
    path = Path(str(resources.files("starcli.benchmark") / "tables")) / f"{name}.toml"
    if name not in shipped():
        path = Path(name)
        if path.suffix != ".toml" or not path.is_file():
            raise UsageError(
                f"no table '{name}'", f"{suggest(name, shipped())}, or the path of a .toml file"
            )
    try:
        content = _File.model_validate(files.toml(path, UsageError))
    except ValidationError as error:
        raise UsageError(
            "; ".join(map(_problem, error.errors())),
            f"fix the file; its keys are {', '.join(_File.model_fields)}",
            file=path,
        ) from error
    return _checked(_table(path, content))


def _problem(error: ErrorDetails) -> str:
    """What is wrong with one key of a file."""
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        return f"{key}: {error['msg']}"
    parts: dict[str, type[Section]] = {"columns": _Columns, "targets": Target}
    known = parts.get(str(error["loc"][0]), _File)
    return f"{key}: no such key; {suggest(str(error['loc'][-1]), known.model_fields)}"


def _table(path: Path, content: _File) -> Table:
    numbers = None
    if content.published is not None:
        known = paper.tables()
        if content.published not in known:
            raise UsageError(
                f"published: no table '{content.published}'",
                suggest(content.published, known),
                file=path,
            )
        numbers = known[content.published]
    columns = tuple(
        Column(c.dataset, c.protocol, "+".join(c.splits), measure)
        for c in content.columns
        for measure in c.measures
    )
    columns += tuple(
        Column(target.dataset, CLIPS, target.clips, measure)
        for target in content.targets
        for measure in OF_TARGETS
    )
    return Table(
        name=path.stem,
        path=path,
        title=content.title or (numbers.title if numbers else path.stem),
        columns=columns or (numbers.columns if numbers else ()),
        rows={label: dict(flatten(row)) for label, row in content.rows.items()},
        settings=dict(flatten(content.settings)),
        seeds=content.seeds,
        raw=content.raw,
        published=numbers,
        targets=content.targets,
    )


def _checked(table: Table) -> Table:
    """The table, unless it measures nothing, or something twice, or cannot be printed."""
    if not table.columns:
        raise UsageError(
            "columns: there are none", "add [[columns]], [[targets]] or published", file=table.path
        )
    if table.targets and len(table.columns) > len(table.targets) * len(OF_TARGETS):
        raise UsageError("a table has columns or targets, not both", "use two", file=table.path)
    for name in (table.title, *table.rows):
        if not name.strip() or not name.isprintable() or len(name) > LONGEST:
            raise UsageError(
                f"{name[:LONGEST]!r} is not a title or row's label of one line",
                f"write plain characters, at most {LONGEST}",
                file=table.path,
            )
    cells = [f"columns {', '.join(c)}" for c in table.columns]
    cells += [f"splits {s} in column {', '.join(c)}" for c in table.columns for s in splits(c)]
    cells += [f"rows with settings {canonical(row)}" for row in table.rows.values()]
    cells += [f"seeds {seed}" for seed in table.seeds]
    for cell in cells:
        if cells.count(cell) > 1:
            raise UsageError(f"duplicate cells: two {cell}", "remove one", file=table.path)
    return table


def splits(column: Column) -> list[str]:
    """The splits whose mean a column is."""
    return column.split.split("+")

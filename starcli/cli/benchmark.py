"""Compare methods on a table of data sets, splits and seeds: `starcli benchmark`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starcli.cli.evaluate import parse_seeds
from starcli.cli.given import executor_of, store_of
from starcli.cli.options import Config, Device, ExecutorName, Jobs, Json, StorePath, Submit, path
from starcli.errors import DataError, OutputError, UsageError, one_line, suggest

if TYPE_CHECKING:
    from starcli.benchmark.fields import Document, Result
    from starcli.benchmark.grid import Cell
    from starcli.benchmark.table import Table
    from starcli.executors import Executor

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TABLE",
        help="One of ours, such as table2 or real, or a .toml file; with --merge, "
        "the files to merge.",
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(
        parser=path, help="Folder of recordings: those of utd-mhad in its utd-mhad or utd_mhad."
    ),
]
Seeds = Annotated[
    str | None, typer.Option(metavar="N,N", help="In place of the table's, as 0,1,2.")
]
Rows = Annotated[list[str] | None, typer.Option("--only", help="A row; repeatable.")]
Datasets = Annotated[list[str] | None, typer.Option("--dataset", help="A data set; repeatable.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A setting of every run: section.key=value, or method.star.width=64 where the "
        "method is star; repeatable.",
    ),
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="N/COUNT", help="Only a part of the runs, as 2/8: its JSON, to be merged."
    ),
]
Merge = Annotated[bool, typer.Option("--merge", help="Put the JSON of all parts together.")]
ByFold = Annotated[
    bool,
    typer.Option(
        "--by-fold", help="Show every split that a column is the mean of, beside the mean."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what is to run, and stop.")]
Out = Annotated[
    Path | None,
    typer.Option(
        parser=path, help="Folder for the result as Markdown, LaTeX, CSV, JSON, PNG, SVG and PDF."
    ),
]


def benchmark(
    names: Names = None,
    dataset_root: Root = None,
    seeds: Seeds = None,
    only: Rows = None,
    dataset: Datasets = None,
    settings: Set = None,
    jobs: Jobs = 1,
    executor: ExecutorName = None,
    submit: Submit = None,
    shard: Shard = None,
    merge: Merge = False,
    by_fold: ByFold = False,
    dry_run: DryRun = False,
    out: Out = None,
    config: Config = None,
    store: StorePath = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Run every row of a table on every split and seed, and print them beside the paper's.

    Example: starcli benchmark real --dataset-root recordings --seeds 0,1,2
    """
    from starcli.benchmark import grid, results
    from starcli.cli.forecast import print_forecast

    unused = (
        dataset_root,
        seeds,
        only,
        dataset,
        settings,
        jobs > 1,
        executor,
        submit,
        shard,
        dry_run,
        config,
        store,
        device,
    )
    if out is not None and not dry_run:
        _require_folder(out)
    if merge:
        if any(unused) or not names:
            raise UsageError(
                "--merge puts files of --shard together, and nothing else",
                "give it their names, and --out or --json",
            )
        merged = results.merged([Path(name) for name in names])
        _show(results.by_fold(merged) if by_fold else merged, out, as_json)
        return
    if shard is not None and by_fold:
        raise UsageError("--by-fold is for the result of all parts", "give it to --merge")
    table = _open_table(names or [], seeds).only(only or [], dataset or [])
    given = _given(settings or [], store, device)
    every = grid.cells(table, given, _existing(dataset_root), config)
    identity = grid.recipe(every, table, config)
    chosen = grid.shard(every, shard)
    runs_in = executor_of(executor, jobs, submit, store_of(store, config))
    if dry_run:
        print_forecast(table, chosen, config, as_json)
        return
    document = results.document(table, identity, _run(chosen, config, runs_in))
    if shard is None:
        _show(results.by_fold(document) if by_fold else document, out, as_json)
    else:
        _hand_over(document, shard, out, as_json)


def _open_table(names: Sequence[str], seeds: str | None) -> Table:
    from starcli.benchmark.table import read, shipped

    if len(names) != 1:
        raise UsageError("name one table", suggest("", shipped()))
    table = read(names[0])
    return table if seeds is None else replace(table, seeds=tuple(parse_seeds(seeds)))


def _given(settings: Sequence[str], store: Path | None, device: str | None) -> dict[str, object]:
    """The settings of every run that were given on the command line."""
    from starcli.settings.resolve import parse_assignment

    places = {"run.store": store, "run.device": device}
    return dict(map(parse_assignment, settings)) | {k: v for k, v in places.items() if v}


def _existing(root: Path | None) -> Path | None:
    if root is not None and not root.is_dir():
        raise DataError("no such folder", "check --dataset-root", file=root)
    return root


def _require_folder(out: Path) -> None:
    """Find out before hours of work whether the result can be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot be a folder ({error.strerror})", "name another with --out", file=out
        ) from error


def _run(chosen: Sequence[Cell], config: Path | None, executor: Executor | None) -> list[Result]:
    """The results of cells, with progress on stderr."""
    from starcli.benchmark import grid
    from starcli.benchmark.runner import run_cells
    from starcli.cli import console

    results = []
    with console.progress() as progress:
        for result in run_cells(chosen, config, executor, progress):
            results.append(result)
            how = _ended(result)
            progress.done(f"{len(results)} of {len(chosen)}: {grid.title(result)}: {how}")
    return results


def _ended(result: Result) -> str:
    """How a run ended, in a few words."""
    if result["status"] == "done" and "top1" in result:
        return f"top-1 {100 * result['top1']:.1f} %, top-5 {100 * result['top5']:.1f} %"
    if result["status"] == "done":
        return f"ZSL {100 * result['ZSL']:.1f} %, H {100 * result['H']:.1f} %"
    return f"{result['status']}, {result['error']['message']}"


def _show(document: Document, out: Path | None, as_json: bool) -> None:
    """Print and write a result; where runs are missing that could be there, end with 9."""
    from starcli.benchmark import blocks, export
    from starcli.cli import console
    from starcli.cli.output import print_document

    files = export.save(document, out) if out is not None else []
    if as_json:
        print_document({**document, "files": [str(file) for file in files]})
    else:
        print(one_line(document["title"]))
        for block in blocks.blocks(document):
            console.table(block.title, block.head, block.rows, block.bold)
        for line in (*blocks.notes(document), *map(str, files)):
            print(one_line(line))
    _end(document, len(document["not_run"]))


def _hand_over(document: Document, shard: str, out: Path | None, as_json: bool) -> None:
    """Print or write the results of a part of the runs."""
    from starcli.cli.output import print_document
    from starcli.files import save_text

    if out is not None:
        file = out / f"{document['table']}-{shard.replace('/', '-of-')}.json"
        save_text(file, json.dumps(document) + "\n", "--out")
    if out is None or as_json:
        print_document(document)
    else:
        print(file)
    _end(document, 0)


def _end(document: Document, not_run: int) -> None:
    """End with a code of its own where runs failed or are in no part."""
    from starcli.cli import console
    from starcli.cli.output import SKIPPED

    failed = sum(cell["status"] == "failed" for cell in document["cells"])
    counts = {"failed": failed, "did not run": not_run}
    if missing := " and ".join(f"{count} {what}" for what, count in counts.items() if count):
        console.note(f"of the runs {missing}; the others are kept, only these run again")
        raise typer.Exit(SKIPPED)

"""The cells of a table: one run of the pipeline for each row, split and seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from starcli import __version__, registry
from starcli.benchmark.table import Table, Target, splits
from starcli.class_names import require_classes
from starcli.data.joined import SEPARATOR, names_in
from starcli.errors import StarError, UsageError
from starcli.executors import parse_shard
from starcli.experiment import Experiment, make_source
from starcli.settings.resolve import Loaded, for_chosen, load
from starcli.settings.schema import PLUGIN_SECTIONS
from starcli.store.recipe_key import canonical

AFTER_BACKBONE = frozenset({"parts", "describer", "encoder", "text", "method"})
"""Settings, and sections of settings, that the training of a backbone does not depend on."""
OF_TARGETS = frozenset({"seed"})
OF_COLUMNS = OF_TARGETS | {"dataset.name", "dataset.protocol", "dataset.split"}
"""Settings that are the columns' and seeds' to say, also where columns are targets."""
TARGET = "target"
"""What stands for the names of a target in `dataset.leave_out`."""


class Names(TypedDict):
    """What tells a cell apart from the others."""

    row: str
    dataset: str
    protocol: str
    split: str
    seed: int


NAMES = tuple(Names.__annotations__)


@dataclass(frozen=True)
class Cell:
    """One run of the pipeline.

    Args:
        row: Label of its row.
        dataset: Name of the data set.
        protocol: Name of its protocol.
        split: Name of one split.
        seed: Seed of every random draw.
        flags: Dotted settings, which outrank variables and settings files.
    """

    row: str
    dataset: str
    protocol: str
    split: str
    seed: int
    flags: Mapping[str, object] = field(compare=False)
    target: Target | None = field(default=None, compare=False)
    """What is named by the run, where it is no split of the data set that is learned from."""
    target_raw: Path | None = field(default=None, compare=False)
    """Recordings of the target, where they were found."""

    @property
    def stage(self) -> str:
        """The stage that the run ends with."""
        return "calibrate" if self.target is None else "train"

    def names(self) -> Names:
        """What tells it apart from the others."""
        return {
            "row": self.row,
            "dataset": self.dataset,
            "protocol": self.protocol,
            "split": self.split,
            "seed": self.seed,
        }

    def __str__(self) -> str:
        return title(self.names())

    @property
    def backbone(self) -> str:
        """What is the same for cells that share a backbone."""
        return canonical(
            {
                key: str(value)
                for key, value in self.flags.items()
                if key.partition(".")[0] not in AFTER_BACKBONE
            }
        )


def title(names: Mapping[str, object]) -> str:
    """A cell in one line."""
    return "{row}: {dataset} {protocol} {split}, seed {seed}".format_map(names)


def cells(
    table: Table, given: Mapping[str, object], root: Path | None, config: Path | None = None
) -> list[Cell]:
    """Every cell of a table once, those that share a backbone side by side.

    Args:
        table: The table.
        given: Dotted settings of the user.
        root: Folder of all recordings, those of `utd-mhad` in `utd-mhad` or `utd_mhad` below it.
        config: A settings file; None for `starcli.toml` where there is one.

    Raises:
        UsageError: A setting or plugin does not exist, or a setting is not a row's to make.
    """
    free = {k: v for k, v in given.items() if k.partition(".")[0] not in PLUGIN_SECTIONS}
    load(free, config)  # first, so that the table is not blamed for what the user set
    of_columns = OF_TARGETS if table.targets else OF_COLUMNS
    for label, row in {"settings": table.settings, "--set": given, **table.rows}.items():
        _require_possible(label, row, table.path, of_columns)
    datasets = dict.fromkeys(column.dataset for column in table.columns)
    with _blamed_on("columns", table.path):
        raw = {
            name: _recordings(table, name, root, load({**free, "dataset.name": name}, config))
            for name in datasets
        }
    places = dict.fromkeys(
        (c.dataset, c.protocol, split) for c in table.columns for split in splits(c)
    )
    if table.targets:
        return [
            Cell(
                *(label, *place, seed),
                _flags_of_sources(table, layers, target, seed, root),
                target,
                raw[target.dataset].get("run.raw"),
            )
            for place, target in zip(places, table.targets, strict=True)
            for seed in table.seeds
            for label, row in table.rows.items()
            if (layers := (table.settings, given, row))
        ]
    return [
        Cell(label, *place, seed, _flags((table.settings, given, row), place, seed) | raw[place[0]])
        for place in places
        for seed in table.seeds
        for label, row in table.rows.items()
    ]


def _require_possible(
    label: str, values: Mapping[str, object], file: Path, of_columns: frozenset[str]
) -> None:
    place = None if label == "--set" else file
    of_a_row = label not in ("settings", "--set")
    for key in values:
        if key in of_columns or (of_a_row and key.startswith("run.")):
            raise UsageError(
                f"{label}: {key} is not for a row to set",
                "name data sets, splits and seeds in columns and seeds",
                file=place,
            )
        section, _, rest = key.partition(".")
        plugin, dot, _ = rest.partition(".")
        if dot and section in PLUGIN_SECTIONS:
            with _blamed_on(label, place):
                registry.find(PLUGIN_SECTIONS[section], plugin)


@contextmanager
def _blamed_on(what: str, file: Path | None) -> Iterator[None]:
    """Say of a wrong setting where it stands."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{what}: {error}", error.fix, file=file) from error


def _flags(
    layers: Sequence[Mapping[str, object]], place: tuple[str, str, str], seed: int
) -> dict[str, object]:
    """Settings of a cell, later layers outranking earlier ones."""
    dataset, protocol, split = place
    own = {"dataset.name": dataset, "dataset.protocol": protocol, "dataset.split": split}
    return {**_layered(layers, seed), **own}


def _layered(layers: Sequence[Mapping[str, object]], seed: int) -> dict[str, object]:
    chosen = {key: value for layer in layers for key, value in layer.items()}
    flags = {k: v for layer in layers for k, v in for_chosen(layer, chosen).items()}
    # Others may make what cells share: --jobs, other shards.
    return {**flags, "seed": seed, "run.wait": True}


def _flags_of_sources(
    table: Table,
    layers: Sequence[Mapping[str, object]],
    target: Target,
    seed: int,
    root: Path | None,
) -> dict[str, object]:
    """Settings of a cell that learns from data sets, of which its target is none."""
    flags = _layered(layers, seed)
    sources = names_in(str(flags["dataset.name"])) if "dataset.name" in flags else [""]
    others = [name for name in sources if name != target.dataset]
    if not others:
        raise UsageError(
            f"nothing is left to learn from but the target {target.dataset}",
            "name another data set in dataset.name",
            file=table.path,
        )
    if "dataset.name" in flags:
        name = flags["dataset.name"] = SEPARATOR.join(others)
        flags |= _recordings(table, name, root, load({"dataset.name": name}))
    if flags.get("dataset.leave_out") == TARGET:
        flags["dataset.leave_out"] = names_of(target)
    return flags


def names_of(target: Target) -> tuple[str, ...]:
    """Names among which a target's clips are named.

    Raises:
        UsageError: There is no such data set or class, or fewer than two names.
    """
    classes = make_source(load({"dataset.name": target.dataset})).classes
    chosen = require_classes(target.names or classes, classes, f"target {target.dataset}: ")
    if len(chosen) < 2:
        raise UsageError(
            f"target {target.dataset} has one name, which is always right",
            "name two classes or more in names",
        )
    return tuple(classes[label] for label in chosen)


def _recordings(table: Table, dataset: str, root: Path | None, loaded: Loaded) -> dict[str, Path]:
    """`run.raw` of a data set, where it has recordings and they are found.

    Of several that are joined it is the folder that has all of them.
    """
    if SEPARATOR in dataset:
        return {} if root is None else {"run.raw": root}
    if loaded.plugins["dataset"].request is None:
        return {}
    if dataset in table.raw:
        places = [(root or Path()) / table.raw[dataset]]
    else:
        places = [root / name for name in (dataset, dataset.replace("-", "_")) if root]
    place = next((place for place in places if place.exists()), None)
    return {} if place is None else {"run.raw": place}


def shard(every: Sequence[Cell], part: str | None) -> list[Cell]:
    """The cells of one part, `2/8`, in which cells that share a backbone stay together.

    Raises:
        UsageError: There is no such part.
    """
    together = groups(every)
    if part is None:
        return list(every)
    number, count = parse_shard(part)
    return [cell for group in together[number - 1 :: count] for cell in group]


def groups(every: Sequence[Cell]) -> list[list[Cell]]:
    """The cells, those that share a backbone together."""
    by_backbone: dict[str, list[Cell]] = {}
    for cell in every:
        by_backbone.setdefault(cell.backbone, []).append(cell)
    return list(by_backbone.values())


def recipe(every: Sequence[Cell], table: Table, config: Path | None) -> str:
    """What identifies all that the cells compute, recordings and texts aside.

    Args:
        every: All cells of a table.
        table: Named where one of its settings is wrong.
        config: A settings file; None for `starcli.toml` where there is one.

    Raises:
        UsageError: A cell has a setting, plugin, protocol or split that does not exist.
    """
    content: list[object] = [__version__]
    for cell in every:
        values: Iterable[tuple[str, object]]
        try:
            with _blamed_on(str(cell), table.path):
                values = Experiment(load(cell.flags, config)).loaded.values()
        except UsageError:
            raise
        except StarError:  # a plugin that is broken or not installed: the cell says so in its turn
            values = ((key, str(value)) for key, value in cell.flags.items())
        kept = [(key, value) for key, value in values if not key.startswith("run.")]
        content.append([cell.names(), kept])
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:16]

"""What each row of a benchmark has in each column, and whether that is more than others have."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from starcli.benchmark.fields import MEASURES, About, Cells, Done, Transferred, Value
from starcli.benchmark.paper import Column
from starcli.data.joined import SEPARATOR
from starcli.evaluation.statistics import Draws, Part, interval, resample

ALL = "all"
"""What stands in the place of a data set where the mean is over all columns."""
COUNTED = "frequent"
"""The measure of which neither more nor less is better."""


class Comparison:
    """Values of a benchmark's cells, in which clips are drawn again once for all columns.

    Args:
        about: What was compared.
        cells: The results.
    """

    def __init__(self, about: About, cells: Cells) -> None:
        self._about = about
        self._cells = cells
        self._columns = [Column(**column) for column in about["columns"]]
        self._draws: dict[tuple[str, ...], Draws] = {}

    def values(self) -> list[Value]:
        """What every row has in every column, row by row."""
        paper = list(zip(*self._about["paper"], strict=True))
        columns = [
            self._column([column], numbers)
            for column, numbers in zip(self._columns, paper, strict=True)
        ]
        return [value for row in zip(*columns, strict=True) for value in row]

    def overall(self) -> list[Value]:
        """The mean of every row over all columns of a measure, where there are several."""
        measures = dict.fromkeys(column.measure for column in self._columns)
        found = []
        for measure in measures:
            same = [column for column in self._columns if column.measure == measure]
            if len(same) > 1:
                found += self._column(same, [None] * len(self._about["rows"]))
        return found

    def _column(self, columns: Sequence[Column], paper: Sequence[float | None]) -> list[Value]:
        rows = zip(self._about["rows"], paper, strict=True)
        values = [self._value(row, columns, number) for row, number in rows]
        self._compare(values, columns)
        return values

    def _value(self, row: str, columns: Sequence[Column], paper: float | None) -> Value:
        """Mean over splits, and columns, and seeds; none unless every cell is done."""
        cells = [[self._runs(row, fold) for fold in _folds(column)] for column in columns]
        every = [run for column in cells for runs in column for run in runs]
        warnings = {run["warning"] for run in every if run is not None and run["warning"]}
        name = columns[0] if len(columns) == 1 else Column(ALL, "", "", columns[0].measure)
        value: Value = {
            "row": row,
            "dataset": name.dataset,
            "protocol": name.protocol,
            "split": name.split,
            "measure": name.measure,
            "mean": None,
            "std": None,
            "std_folds": None,
            "against": None,
            "difference": None,
            "low": None,
            "high": None,
            "best": False,
            "warning": "; ".join(sorted(warnings)) or None,
            "paper": paper,
        }
        if any(run is None for run in every):
            return value
        found = [
            [[_measured(run, name.measure) for run in runs if run] for runs in column]
            for column in cells
        ]
        by_seed = [
            mean(mean(split[seed] for split in column) for column in found)
            for seed in range(len(self._about["seeds"]))
        ]
        by_fold = [mean(split) for split in found[0]] if len(columns) == 1 else []
        value["mean"] = mean(by_seed)
        value["std"] = stdev(by_seed) if len(by_seed) > 1 else None
        value["std_folds"] = stdev(by_fold) if len(by_fold) > 1 else None
        return value

    def _runs(self, row: str, fold: Column) -> list[Done | Transferred | None]:
        """The runs of a row on a fold, seed by seed; None for one that is not done."""
        places = ((row, *fold[:3], seed) for seed in self._about["seeds"])
        found = [self._cells.get(place) for place in places]
        return [cell if cell and cell["status"] == "done" else None for cell in found]

    def _compare(self, values: Sequence[Value], columns: Sequence[Column]) -> None:
        """Compare rows with the highest; what must admit something is never the highest."""
        means = {v["row"]: v["mean"] for v in values if v["mean"] is not None}
        competing = [v for v in values if v["row"] in means and v["warning"] is None]
        if not competing or len(means) < 2 or columns[0].measure == COUNTED:
            return
        highest = max(competing, key=lambda value: means[value["row"]])
        row, parts = highest["row"], self._parts(list(means), columns)
        pairs, beaten = math.comb(len(means), 2), []
        for value in values:
            if value["row"] not in means or value is highest:
                continue
            value["against"] = row
            value["difference"] = difference = means[value["row"]] - means[row]
            found = interval(difference, parts, value["row"], row, pairs)
            value["low"], value["high"] = found
            if value["warning"] is None:
                beaten.append(found.excludes_zero)
        # One seed does not tell what training varies.
        highest["best"] = bool(beaten) and all(beaten) and len(self._about["seeds"]) > 1

    def _parts(self, rows: Sequence[str], columns: Sequence[Column]) -> list[Part]:
        """The folds that a value is the mean of; one that several columns have counts once."""
        shares: dict[Column, float] = {}
        for column in columns:
            folds = _folds(column)
            for fold in folds:
                shares[fold] = shares.get(fold, 0.0) + 1 / (len(columns) * len(folds))
        measure, seeds = MEASURES[columns[0].measure], len(self._about["seeds"])
        return [
            Part(share, self._resampled(rows, fold)[measure], seeds, _clips(fold, measure))
            for fold, share in shares.items()
        ]

    def _resampled(self, rows: Sequence[str], fold: Column) -> Draws:
        key = (fold.dataset, fold.protocol, fold.split, *rows)
        if key not in self._draws:
            runs = {row: self._runs(row, fold) for row in rows}
            self._draws[key] = resample(
                {row: [run["right"] for run in own if run] for row, own in runs.items()}
            )
        return self._draws[key]


def _clips(fold: Column, measure: str) -> str:
    """What names the clips that a measure counts on a fold: those of seen classes recur.

    Of several data sets that are learned from together, the first one has the test clips.
    """
    of = [fold.dataset.partition(SEPARATOR)[0], fold.protocol]
    return " ".join(of if measure in ("S", "H") else [*of, fold.split])


def _folds(column: Column) -> list[Column]:
    """A column for each split that it is the mean of."""
    return [column._replace(split=split) for split in column.split.split("+")]


def _measured(cell: Done | Transferred, measure: str) -> float:
    fields: Mapping[str, object] = cell
    value = fields[MEASURES[measure]]
    assert isinstance(value, float)
    return value

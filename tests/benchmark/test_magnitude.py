"""An order of magnitude of a table's time, without its recordings."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from starcli.benchmark import grid
from starcli.benchmark.magnitude import BACKBONES, DEVICES, METHODS, OTHERS, READING, magnitude
from starcli.benchmark.table import read
from starcli.cli.forecast import _about, published
from tests.conftest import Outcome

Cli = Callable[..., Outcome]


def seconds(*rows: str, **settings: object) -> dict[str, float]:
    """Of some rows of table 2."""
    given = {key.replace("__", "."): value for key, value in settings.items()}
    found = magnitude(grid.cells(read("table2").only(rows, []), given, None), None)
    assert found is not None
    return found


def test_by_hand() -> None:
    """NTU RGB+D 60: 40,091 clips train in xsub, 37,646 in xview; a fraction of them in 55/5."""
    whole, shorter = seconds("star"), seconds("star", pretrain__epochs=29)
    totals = grid.cells(read("table2").only(["star"], []), {}, None)
    assert len(totals) == 4
    epoch = whole["one core"] - shorter["one core"]
    steps = epoch / BACKBONES["st-gcn", "light"].train
    runs = 1 + 0.75 * 0.8
    assert 0.8 * 2 * (40_091 + 37_646) * runs < steps < 2 * (40_091 + 37_646) * runs
    head = seconds("star", method__star__width=384)["one core"]
    both = seconds("star", method__star__width=192)["one core"]
    assert whole["one core"] - head == pytest.approx(2 * (head - both))
    assert METHODS["star"].train > 10 * OTHERS.train
    assert whole["one core"] > READING * 56_578


def test_rows_share_their_backbones_and_devices_their_work() -> None:
    one, two, same = seconds("smie"), seconds("smie", "revise"), seconds("revise")
    assert two["one core"] < 1.3 * one["one core"]
    assert one["one core"] + same["one core"] > 1.5 * two["one core"]
    assert list(one) == list(DEVICES)
    assert one["a GPU"] < one["16 cores"] < one["one core"]


def test_nobody_knows_of_a_backbone_that_was_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starcli.benchmark.magnitude.BACKBONES", {})
    cells = grid.cells(read("table2").only(["star"], []), {}, None)
    assert magnitude(cells, None) is None


def test_the_paper_has_numbers_for_the_rows() -> None:
    found = published(read("table2").only(["smie", "star"], []))
    assert list(found) == [f"ntu60, {p}, {s}" for p in ("xsub", "xview") for s in ("55/5", "48/12")]
    assert found["ntu60, xsub, 55/5"] == {
        "smie": {"ZSL": 0.779, "S": None, "U": None, "H": None},
        "star": {"ZSL": 0.814, "S": 0.69, "U": 0.699, "H": 0.694},
    }
    assert published(read("real")) == {}


def test_a_dry_run_without_recordings_says_how_long_and_what_the_paper_has(cli: Cli) -> None:
    done = cli("benchmark", "table2", "--only", "star", "--dry-run")
    assert done.code == 0
    lines = done.out.splitlines()
    assert "absent" not in done.out
    assert sum("81.4" in line for line in lines) == 1
    times = [line.split("│")[2].strip() for line in lines if "one core" in line or "a GPU" in line]
    assert len(times) == 2
    assert times[0].endswith(" days")
    assert times[1].endswith(" h")
    document = json.loads(cli("benchmark", "table2", "--only", "star", "--dry-run", "--json").out)
    assert {cell["status"] for cell in document["cells"]} == {"absent"}
    assert set(document["rough_seconds"]) == set(DEVICES)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(5, "1 min"), (33 * 60, "30 min"), (16.6 * 3600, "20 h"), (6.9 * 86_400, "7 days")],
)
def test_one_digit_counts(seconds: float, said: str) -> None:
    assert _about(seconds) == said

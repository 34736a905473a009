"""Names that would do something, in every output that is made without computing."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from starcli.conformance.bodies import sample
from starcli.files import csv_text
from tests.conftest import Outcome

Cli = Callable[..., Outcome]
HOSTILE = (
    '=HYPERLINK("http://127.0.0.1/")',
    "<script>alert(1)</script>",
    "[bold red]x[/] `id` $(id) %n",
    "@SUM(1+1)|cmd ' /C calc'!A0",
)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index whose classes have these names."""
    folder = tmp_path_factory.mktemp("named")
    body = sample("kinect-v2", 3, 1).joints[:, 0]
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(("file", "class"))
    for number, name in enumerate(HOSTILE):
        for take in range(2):
            np.save(folder / f"{number}-{take}.npy", body)
            table.writerow((f"{number}-{take}.npy", name))
    (folder / "index.csv").write_text(out.getvalue(), "utf-8")
    return folder


class Tags(HTMLParser):
    """The elements of a page, and how many have a handler of events."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.handlers = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.handlers += sum(name.startswith("on") for name, _ in attrs)


def test_names_of_classes_do_nothing_g24(cli: Cli, named: Path, tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "store"))
    done = cli("data", "import", "mine", str(named / "index.csv"), *store)
    assert done.code == 0, done.err
    shown = cli("data", "show", "mine", *store)
    assert all(name in shown.out for name in HOSTILE), shown.out
    found = json.loads(cli("data", "show", "mine", "--json", *store).out)
    assert found["classes"] == sorted(HOSTILE)
    assert cli("view", "mine", "--out", "page.html", *store).code == 0
    plain = Tags(Path("page.html").read_text("utf-8"))
    assert plain.seen.count("script") == 2
    assert plain.handlers == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "store"]


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\u202eb", "a\x00b", "\x9b2J"])
def test_names_that_a_terminal_would_act_on_are_refused_g24(
    cli: Cli, named: Path, tmp_path: Path, name: str
) -> None:
    index = named / f"{ord(name[1])}.csv"
    index.write_text(f"file,class\n0-0.npy,{name}\n1-0.npy,wave\n", "utf-8")
    done = cli("data", "import", "bad", str(index), "--store", str(tmp_path / "store"))
    assert done.code == 3
    assert name not in done.err + done.out
    assert not list((tmp_path / "store").glob("datasets/*"))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_begins_a_formula_g24(start: str) -> None:
    """Numbers stay numbers."""
    written = csv_text(("name", "mean"), [{"name": f"{start}1+1\n=2", "mean": -0.5, "more": 1}])
    assert list(csv.reader(io.StringIO(written))) == [
        ["name", "mean"],
        [f"'{start}1+1\n=2", "-0.5"],
    ]

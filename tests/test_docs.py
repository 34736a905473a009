"""The documentation builds, and its reference has all that the code has."""

from __future__ import annotations

import html
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from fontTools.ttLib import TTFont
from typer.main import get_command

import starcli
from starcli import contracts, registry
from starcli.cli.app import app
from starcli.cli.output import SKIPPED
from starcli.contracts import KINDS, Kind
from starcli.errors import StarError
from starcli.settings.resolve import Settings
from starcli.settings.schema import PLUGIN_SECTIONS
from tests.conftest import ROOT

pytestmark = pytest.mark.slow  # all that builds the site
DOCS = ROOT / "docs"
NEEDED = ("mkdocs", "material", "mkdocstrings", "mkdocstrings_handlers.python", "latex2mathml")
"""What builds the site; the extra `docs`, and part of `test`."""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The site as `mkdocs build --strict` makes it, once for all processes of the tests."""
    for name in NEEDED:
        pytest.importorskip(name, reason=f"{name} is not installed: pip install '.[docs]'")
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "site"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            build(folder)
    return folder


def build(folder: Path) -> None:
    draft = folder.with_name("site-draft")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(draft)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    draft.rename(folder)


def article(site: Path, page: str) -> str:
    """The HTML of a page without what surrounds it."""
    text = (site / page).read_text("utf-8")
    return text[text.index("<article") : text.index("</article>")]


def sections(page: str, level: int) -> dict[str, str]:
    """Heading -> the HTML after it, up to the next heading of its level."""
    pieces = re.split(rf"<h{level} id=[^>]*>([^<]*)<a", page)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def test_every_page_is_in_the_site_and_loads_nothing_from_elsewhere(site: Path) -> None:
    wanted = {page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")}
    made = {page.relative_to(site) for page in site.rglob("*.html")}
    assert made == wanted | {Path("404.html")}
    assert not list(site.rglob("*.py"))
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        assert not re.findall(r'\bsrc="(?:https?:)?//[^"]*', text)
        assert not re.findall(r'<link[^>]* href="(?:https?:)?//[^"]*', text)
        assert "from the code:" not in text, f"{page.name}: a marker is left"


def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for word, below in getattr(command, "commands", {}).items():
        yield from walk(f"{name} {word}", below)


def test_every_command_and_option_is_in_the_reference(site: Path) -> None:
    described = sections(article(site, "reference/commands.html"), 2)
    commands = dict(walk("starcli", get_command(app)))
    assert set(described) == set(commands)
    assert "starcli data import" in commands
    for name, command in commands.items():
        assert plain(html.escape(command.help.split("\n")[0])) in plain(described[name])
        for parameter in command.params:
            names = [*parameter.opts, *parameter.secondary_opts]
            if parameter.param_type_name == "argument":
                names = [parameter.metavar or parameter.name]
            for each in names:
                assert each in plain(described[name]), f"{name}: {each}"


def plain(text: str) -> str:
    """HTML, or our own text that may have backquotes, as it is read."""
    return html.unescape(re.sub(r"<[^>]+>", "", text)).replace("`", "")


def test_every_setting_is_in_the_reference(site: Path) -> None:
    page = article(site, "reference/settings.html")
    for name, field in Settings.model_fields.items():
        inner = getattr(type(field.default), "model_fields", None)
        for key, own in {name: field}.items() if inner is None else inner.items():
            dotted = key if inner is None else f"{name}.{key}"
            row = page.partition(f"<code>{dotted}</code>")[2].partition("</tr>")[0]
            assert row, dotted
            assert html.escape(str(own.default)) in row, dotted
            assert own.description, dotted
            assert plain(html.escape(own.description)) in plain(row), dotted


@pytest.mark.parametrize("kind", KINDS)
def test_every_plugin_is_in_the_reference(site: Path, kind: Kind) -> None:
    described = sections(article(site, "reference/plugins.html"), 2)
    own = [entry for entry in registry.entries(kind) if entry.distribution == registry.OURS]
    found = sections(described[kind], 3)
    assert set(found) == {entry.name for entry in own}
    prefix = {kind: section for section, kind in PLUGIN_SECTIONS.items()}
    for entry in own:
        text = found[entry.name]
        if kind == "layout":
            assert all(joint in text for joint in registry.layout(entry.name).joints)
            continue
        for key in registry.load(kind, entry.name).Settings.model_fields:
            assert f"<code>{prefix[kind]}.{key}</code>" in text


def test_every_exit_code_is_in_the_reference(site: Path) -> None:
    def kinds(error: type[StarError]) -> Iterator[type[StarError]]:
        yield error
        for below in error.__subclasses__():
            yield from kinds(below)

    for page in ("reference/exit-codes.html", "errors.html"):
        rows = re.findall(r"<tr>\s*<td>(\d+)</td>\s*<td>(.*?)</td>", article(site, page))
        assert {int(number) for number, _ in rows} >= {0, SKIPPED, 129, 130, 143}
        for kind in kinds(StarError):
            if kind.__module__ == "starcli.errors":
                assert (str(kind.exit_code), f"<code>{kind.kind}</code>") in rows


def test_every_contract_is_in_the_reference(site: Path) -> None:
    page = article(site, "reference/contracts.html")
    homes = {
        name: getattr(getattr(contracts, name), "__module__", "") for name in contracts.__all__
    }
    own = {n: home for n, home in homes.items() if home.startswith("starcli.contracts.")}
    assert {"Layout", "Backbone", "silent", "TunableMethod"} <= set(own)
    assert all(f'id="{home}.{name}"' in page for name, home in own.items())


def test_every_function_of_python_is_in_the_reference(site: Path) -> None:
    page = article(site, "reference/python.html")
    names = [f"{getattr(starcli, n).__module__}.{n}" for n in getattr(starcli, "__all__", ())]
    for name in (*names, "starcli.conformance.conforms", "starcli.conformance.rules"):
        assert f'id="{name}"' in page


def test_every_difference_from_a_paper_is_told(site: Path) -> None:
    sources = [p for place in ("starcli", "plugins") for p in (ROOT / place).rglob("*.py")]
    count = sum(p.read_text("utf-8").count("    Differs from the paper") for p in sources)
    told = article(site, "method.html").partition('id="differences-from-the-papers"')[2]
    assert told.count("<li>") == count > 10
    assert "similarity is cosine with a temperature" in plain(told)


def test_equations_are_mathml(site: Path) -> None:
    page = article(site, "method.html")
    source = (DOCS / "method.md").read_text("utf-8")
    assert page.count('display="block"') == source.count("\n$$\n") / 2 > 20
    assert "arithmatex" not in page
    assert not re.findall(r"\\[a-z]+|\$", page), "TeX is left"


def test_every_how_to_page_has_a_picture_that_its_commands_make() -> None:
    """`python docs/pictures.py` makes them anew."""
    made = runpy.run_path(str(DOCS / "pictures.py"))
    pages = {page.stem: page.read_text("utf-8") for page in (DOCS / "how-to").glob("*.md")}
    files = {file.stem: file for file in (DOCS / "pictures").iterdir()}
    assert set(pages) == set(made["PICTURES"]) == set(files)
    for name, picture in made["PICTURES"].items():
        assert f"](../pictures/{files[name].name})" in pages[name]
        assert files[name].stat().st_size <= made["LARGEST"]
        lines = pages[name].splitlines()
        assert [command for command in picture.commands if command not in lines] == []
        assert str(Path.home()) not in files[name].read_bytes().decode("latin-1")


def test_equations_have_a_font_of_their_own(site: Path) -> None:
    """With the table that says how large sums, roots and brackets are."""
    page = (site / "method.html").read_text("utf-8")
    assert 'href="fonts/math.css"' in page
    assert "starcli-math.woff" in (site / "fonts/math.css").read_text("utf-8")
    with TTFont(site / "fonts/starcli-math.woff") as font:
        assert "MATH" in font
        letters = set(font.getBestCmap())
    equations = "".join(re.findall(r"<math.*?</math>", page, re.DOTALL))
    assert {letter for letter in plain(equations) if ord(letter) not in letters} <= {"\n"}


def test_data_sets_and_splits_of_the_table_exist() -> None:
    page = (DOCS / "how-to/recordings.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z0-9-]+)` \((\d+) actions\) \|(.*)$", page, flags=re.MULTILINE)
    own = {e.name for e in registry.entries("dataset") if e.distribution == registry.OURS}
    assert {name for name, *_ in rows} == own
    for name, count, row in rows:
        source = registry.load("dataset", name)
        assert len(source.classes) == int(count)
        assert all(f"`{protocol}`" in row for protocol in source.protocols)
        splits = re.findall(r"`(fold\d|\d+/\d+)`", row)
        assert splits
        assert set(splits) <= set(source.splits)


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("compare", "method"),
        ("descriptions", "describer"),
        ("encoders", "text-encoder"),
        ("reader", "reader"),
    ],
)
def test_tables_of_plugins_have_them_all(page: str, kind: Kind) -> None:
    text = (DOCS / f"how-to/{page}.md").read_text("utf-8")
    table = text[text.index("\n| ") :].split("\n\n")[0]
    listed = re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE)
    own = [e.name for e in registry.entries(kind) if e.distribution == registry.OURS]
    assert sorted(listed) == sorted(own)

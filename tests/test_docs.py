"""The documentation builds, has all that the code has, and every command in it runs."""

from __future__ import annotations

import html
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from conftest import ROOT, Outcome
from test_pipeline import TINY, Cli
from test_readme import own_clips
from test_registry import install
from typer.main import get_command

import starcli
from starcli import contracts, registry
from starcli.cli import SKIPPED, app
from starcli.contracts import KINDS, Kind
from starcli.errors import StarError
from starcli.settings import PLUGIN_SECTIONS, Settings
from starcli_plugins.datasets.ntu import Ntu60

DOCS = ROOT / "docs"
NEEDED = ("mkdocs", "material", "mkdocstrings", "mkdocstrings_handlers.python", "latex2mathml")
"""What builds the site; the extra `docs`, and part of `test`."""


class Block(NamedTuple):
    """A fenced block of a page: how it is marked, its language, its file and its lines."""

    mark: str
    language: str
    file: str
    text: str

    @property
    def commands(self) -> list[str]:
        return self.text.splitlines() if self.language == "sh" else []


def blocks(page: Path) -> list[Block]:
    pattern = r'(?:^<!-- ([^>]*) -->\n)?^```(\w*)(?: title="([^"]+)")?\n(.*?)^```'
    found = re.findall(pattern, page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [Block(*each) for each in found]


PAGES = {
    str(page.relative_to(DOCS)): commands
    for page in sorted(DOCS.rglob("*.md"))
    if (commands := [c for b in blocks(page) for c in b.commands if c.startswith("starcli ")])
}
"""Page -> its commands, of the pages that have some."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `mkdocs build --strict` makes it."""
    for name in NEEDED:
        pytest.importorskip(name, reason=f"{name} is not installed: pip install '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


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
        assert {int(number) for number, _ in rows} >= {0, SKIPPED, 130, 143}
        for kind in kinds(StarError):
            if kind.__module__ == "starcli.errors":
                assert (str(kind.exit_code), f"<code>{kind.kind}</code>") in rows


def test_every_contract_is_in_the_reference(site: Path) -> None:
    page = article(site, "reference/contracts.html")
    own = {name for name, value in vars(contracts).items()
           if getattr(value, "__module__", "") == "starcli.contracts"}  # fmt: skip
    assert {"Layout", "Backbone", "silent"} <= own
    assert all(f'id="starcli.contracts.{name}"' in page for name in own)


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


def test_every_command_is_found() -> None:
    lines = [line for page in DOCS.rglob("*.md") for line in page.read_text("utf-8").splitlines()]
    commands = [line for line in lines if re.match(r"\s*starcli ", line)]
    assert sorted(commands) == sorted(c for page in PAGES.values() for c in page)
    assert len(PAGES) > 10


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all pages: what they have in common is computed once."""
    return tmp_path_factory.mktemp("docs") / "store"


def sticks(folder: Path) -> None:
    """Metres of seven joints, 8 classes by 2 subjects."""
    rng = np.random.default_rng(0)
    for label in range(8):
        for subject in "ab":
            place = folder / f"action {label}" / subject
            place.mkdir(parents=True)
            np.save(place / "1.npy", rng.uniform(0, 1, (20, 7, 3)))


def nturgbd(folder: Path) -> None:
    folder.mkdir()
    Ntu60(Ntu60.Settings()).write_sample(folder)


AT_HAND: dict[str, Callable[[Path], None]] = {
    "clips": own_clips,
    "stick-clips": sticks,
    "nturgbd": nturgbd,
    "examples": lambda folder: shutil.copytree(ROOT / "examples", folder) and None,
}
"""What a page takes for granted -> how the test makes it."""


class Reader:
    """Does what a page says, in a folder of its own.

    Args:
        page: The commands of the page, which tell how they can be made small.
        cli: Runs `starcli` in this process.
        patch: Changes variables and the search path until the end of the test.
    """

    def __init__(self, page: list[str], cli: Cli, patch: pytest.MonkeyPatch) -> None:
        self.page, self.cli, self.patch = page, cli, patch

    def does(self, block: Block) -> None:
        """Write the block's file, make its change, or run its commands."""
        if block.language == "diff":
            changed(Path(block.file), block.text)
        elif block.file:
            Path(block.file).parent.mkdir(exist_ok=True)
            Path(block.file).write_text(block.text, "utf-8")
        for command in block.commands:
            words = shlex.split(command, comments=True)
            if words[:1] == ["starcli"]:
                self.runs(command, words[1:] + ["--help"] * block.mark.startswith("only parsed"))
            elif words[:3] == ["pip", "install", "-e"]:
                self.installs(Path(words[3]))
            elif words[:1] == ["pytest"]:
                done = subprocess.run([sys.executable, "-m", *words, "-p", "no:cacheprovider"],
                                      capture_output=True, text=True, timeout=300)  # fmt: skip
                assert done.returncode == 0, done.stdout

    def runs(self, command: str, words: list[str]) -> None:
        """One command, small: with few persons, a tiny network and few epochs."""
        dropped = [section for section in ("backbone", "method") if f"--{section}" in words]
        dropped += ["dataset"] if any("--dataset" in each for each in self.page) else []
        for key, value in TINY.items():
            variable = "STARCLI_" + key.upper().replace(".", "__")
            if key.partition(".")[0] in dropped:
                self.patch.delenv(variable, raising=False)
            else:
                self.patch.setenv(variable, str(value))
        if "--num-processes" in words:  # they meet over a socket, which tests may not open
            done = subprocess.run([sys.executable, "-m", "starcli", *words], timeout=300,
                                  capture_output=True, text=True)  # fmt: skip
            outcome = Outcome(done.returncode, done.stdout, done.stderr)
        else:
            outcome = self.cli(*words)
        assert outcome.code == 0, f"{command}\n{outcome.err}"

    def installs(self, project: Path) -> None:
        """What pip would do: metadata on the search path, beside the project's own modules."""
        about = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
        (module,) = about["tool"]["setuptools"]["py-modules"]
        points = "".join(
            f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in members.items())
            for group, members in about["project"]["entry-points"].items()
        )
        source = (project / f"{module}.py").read_text("utf-8")
        install(project, module, points, source)
        self.patch.syspath_prepend(str(project.absolute()))
        self.patch.setenv("PYTHONPATH", str(project.absolute()))
        registry._scan.cache_clear()


def changed(file: Path, difference: str) -> None:
    """Make a change that a page shows: lines with - become those with +."""
    lines = difference.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    text = file.read_text("utf-8")
    assert text.count(before) == 1, f"{file} has no lines:\n{before}"
    file.write_text(text.replace(before, after), "utf-8")


@pytest.fixture
def _forgotten() -> Iterator[None]:
    """What a page installs is gone after it."""
    before = set(sys.modules)
    yield
    registry._scan.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("my_"):
            del sys.modules[name]


@pytest.mark.usefixtures("_forgotten")
@pytest.mark.parametrize("page", PAGES)
def test_every_command_runs(
    page: str, cli: Cli, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = PAGES[page]
    if any("Skeleton.zip" in command for command in commands):
        shared = (ROOT / os.environ.get("STARCLI_SHARED", "../shared")).resolve()
        archive = shared / "data/utd_mhad/Skeleton.zip"
        if not archive.exists():
            pytest.skip(f"no {archive}; name its folder with STARCLI_SHARED")
        shutil.copy(archive, tmp_path)
    for name, make in AT_HAND.items():
        if any(re.search(rf"(?<![\w-]){name}\b", command) for command in commands):
            make(tmp_path / name)
    monkeypatch.setenv("STARCLI_RUN__STORE", str(store))
    reader = Reader(commands, cli, monkeypatch)
    for block in blocks(DOCS / page):
        reader.does(block)

"""Every page of the documentation is followed: files written, changes made, commands run."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from starcli import registry
from starcli.contracts import Kind
from starcli_plugins.datasets.ntu.source import Ntu60
from starcli_plugins.datasets.utd_mhad import UtdMhad
from tests import forks
from tests.conftest import ROOT
from tests.registry.test_registry import install, with_path
from tests.test_pipeline import TINY, Cli
from tests.test_readme import own_clips

DOCS = ROOT / "docs"


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
    """Metres of seven joints: hip, neck, head, hands and feet."""
    own_clips(folder, subjects="ab", joints=(0, 2, 3, 7, 11, 15, 19))


def nturgbd(folder: Path) -> None:
    folder.mkdir()
    Ntu60(Ntu60.Settings()).write_sample(folder)


def skeleton_zip(archive: Path) -> None:
    """A clip of every class by two people."""
    UtdMhad(UtdMhad.Settings()).write_sample(archive.parent)


def examples(folder: Path) -> None:
    shutil.copytree(ROOT / "examples", folder)


def nothing(folder: Path) -> None:
    folder.mkdir()


AT_HAND: dict[str, Callable[[Path], None]] = {
    "clips": own_clips,
    "stick-clips": sticks,
    "nturgbd": nturgbd,
    "Skeleton.zip": skeleton_zip,
    "examples": examples,
    "recordings": nothing,  # a dry run says what is missing
}
"""What a page takes for granted -> how the test makes it."""
WHOLE = "tutorial.md"
"""The page that counts the recordings, and has those that there are."""


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
            forget(Path.cwd())
        elif block.file:
            Path(block.file).parent.mkdir(exist_ok=True)
            Path(block.file).write_text(block.text, "utf-8")
        elif block.language == "python":
            exec(block.text, {})
        for command in block.commands:
            words = shlex.split(command, comments=True)
            if words[:1] == ["starcli"]:
                self.runs(command, words[1:] + ["--help"] * block.mark.startswith("only parsed"))
            elif words[:3] == ["pip", "install", "-e"]:
                self.installs(Path(words[3]))
            elif words[:1] == ["pytest"]:
                code, said = forks.end(forks.pytest(Path(*words[1:])), Path.cwd())
                assert code == 0, said

    def runs(self, command: str, words: list[str]) -> None:
        """One command, small: with few persons, a tiny network and few epochs."""
        for key, value in TINY.items():
            variable = "STARCLI_" + key.upper().replace(".", "__")
            if self.knows(key, words):
                self.patch.setenv(variable, str(value))
            else:
                self.patch.delenv(variable, raising=False)
        with self.patch.context() as patch:
            if words == ["plugins", "--check"]:  # a process each: one is enough
                layout = registry.entries("layout")[:1]
                patch.setattr(registry, "entries", lambda kind=None: layout)
            outcome = self.cli(*words)
        assert outcome.code == 0, f"{command}\n{outcome.err}"

    def knows(self, key: str, words: list[str]) -> bool:
        """Whether a command's data set, backbone or method has a setting."""
        section, _, name = key.partition(".")
        if section == "encoder":
            return not any("part-pure" in command for command in self.page)  # as wide as the texts
        if section == "dataset":
            others = [c for c in self.page if not c.startswith("starcli benchmark")]
            return "--dataset-root" not in words and "--dataset " not in " ".join(others)
        kinds: dict[str, Kind] = {"backbone": "backbone", "method": "method"}
        if section in kinds and words[:2] == ["benchmark", "transfer"]:
            return False  # its table says which, and their sizes
        if section in kinds and f"--{section}" in words:
            plugin = words[words.index(f"--{section}") + 1]
            return name in registry.load(kinds[section], plugin).Settings.model_fields
        return True

    def installs(self, project: Path) -> None:
        """What pip would do: metadata on the search path, beside the project's own modules."""
        about = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
        module, *_ = about["tool"]["setuptools"]["py-modules"]
        points = "".join(
            f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in members.items())
            for group, members in about["project"]["entry-points"].items()
        )
        source = (project / f"{module}.py").read_text("utf-8")
        install(project, module, points, source)
        self.patch.syspath_prepend(str(project.absolute()))
        self.patch.setenv("PYTHONPATH", with_path(project.absolute())["PYTHONPATH"])
        forget(Path.cwd())


def changed(file: Path, difference: str) -> None:
    """Make a change that a page shows: lines with - become those with +."""
    lines = difference.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    text = file.read_text("utf-8")
    assert text.count(before) == 1, f"{file} has no lines:\n{before}"
    file.write_text(text.replace(before, after), "utf-8")


def forget(folder: Path) -> None:
    """Find plugins anew, and import anew what lies in a folder."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(folder)):
            del sys.modules[name]
    registry._scan.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_command_runs(
    page: str,
    cli: Cli,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    commands = PAGES[page]
    for name, make in AT_HAND.items():
        if any(re.search(rf"(?<![\w-]){re.escape(name)}\b", command) for command in commands):
            make(tmp_path / name)
    if page == WHOLE:
        archive = request.getfixturevalue("shared") / "data" / "utd_mhad" / "Skeleton.zip"
        if not archive.exists():
            pytest.skip(f"no {archive}")
        shutil.copy(archive, tmp_path)
    monkeypatch.setenv("STARCLI_RUN__STORE", str(store))
    reader = Reader(commands, cli, monkeypatch)
    try:
        for block in blocks(DOCS / page):
            reader.does(block)
    finally:
        forget(tmp_path)

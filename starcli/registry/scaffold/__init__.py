"""A small backbone plugin to begin with: a distribution of its own, with its test."""

from __future__ import annotations

import keyword
import re
from importlib import resources
from pathlib import Path
from string import Template

from starcli import registry
from starcli.errors import UsageError, writes_to

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
FILES = {
    "pyproject.toml.in": "pyproject.toml",
    "README.md.in": "README.md",
    "module.py.in": "{module}.py",
    "test_module.py.in": "test_{module}.py",
}
"""File of the template -> file that it becomes."""


def write(name: str, folder: Path) -> list[Path]:
    """Write the template under a name.

    Args:
        name: Name of the backbone: lower case letters, digits and hyphens.
        folder: An empty folder, or one that does not exist.

    Returns:
        The files.

    Raises:
        UsageError: The name is taken or none, or the folder is not empty.
        OutputError: The folder cannot be written.
    """
    module = name.replace("-", "_")
    if not NAME.fullmatch(name) or keyword.iskeyword(module):
        raise UsageError(
            f"'{name}' is no name for a plugin",
            "lower case letters, digits and hyphens, such as my-net",
        )
    if registry.matches("backbone", name):
        raise UsageError(f"there is a backbone '{name}' already", "choose another name")
    words = {
        "name": name,
        "module": module,
        "plugin": "".join(word.capitalize() for word in name.split("-")),
    }
    with writes_to(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is there already and not empty", "name another --folder")
        folder.mkdir(parents=True, exist_ok=True)
        return [
            _write(source, folder / target.format(**words), words)
            for source, target in FILES.items()
        ]


def _write(source: str, target: Path, words: dict[str, str]) -> Path:
    text = resources.files("starcli.registry.scaffold").joinpath("files", source).read_text("utf-8")
    target.write_text(Template(text).substitute(words), "utf-8")
    return target

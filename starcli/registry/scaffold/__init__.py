"""A small plugin to begin with: a distribution of its own, with its test."""

from __future__ import annotations

import keyword
import re
from importlib import resources
from pathlib import Path
from string import Template

from starcli import registry
from starcli.contracts import Kind
from starcli.errors import UsageError, writes_to
from starcli.files import save_text

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
USES: dict[Kind, str] = {
    "backbone": "starcli train --backbone {name}",
    "reader": "starcli plugins show reader {name}",
}
"""Kinds that there is a template of -> a command that uses such a plugin."""
MODULES: dict[Kind, dict[str, str]] = {
    # Read without torch, which the network imports.
    "backbone": {
        "backbone.py.in": "{module}.py",
        "backbone_settings.py.in": "{module}_settings.py",
    },
    "reader": {"reader.py.in": "{module}.py"},
}
"""Kind -> modules of its template, as `FILES`."""
FILES = {
    "pyproject.toml.in": "pyproject.toml",
    "README.md.in": "README.md",
    "test_module.py.in": "test_{module}.py",
}
"""File of every template -> file that it becomes."""
TARGETS: dict[Kind, str] = {
    "backbone": "{module}_settings:{plugin}Facts",
    "reader": "{module}:{plugin}",
}
"""Kind -> what its entry point names."""


def write(kind: Kind, name: str, folder: Path) -> list[Path]:
    """Write the template of a kind under a name.

    Args:
        kind: Kind of the plugin.
        name: Its name: lower case letters, digits and hyphens.
        folder: An empty folder, or one that does not exist.

    Returns:
        The files.

    Raises:
        UsageError: There is no such template, the name is taken or none, or the folder is not
            empty.
        OutputError: The folder cannot be written.
    """
    module = name.replace("-", "_")
    if kind not in USES:
        raise UsageError(f"no template of a {kind}", f"there are: {', '.join(USES)}")
    if not NAME.fullmatch(name) or keyword.iskeyword(module):
        raise UsageError(
            f"'{name}' is not a name for a plugin",
            "use lower case letters, digits and hyphens, such as my-net",
        )
    if registry.matches(kind, name):
        raise UsageError(f"there is a {kind} '{name}' already", "choose another name")
    words = {
        "kind": kind,
        "group": registry.GROUPS[kind],
        "name": name,
        "module": module,
        "plugin": "".join(word.capitalize() for word in name.split("-")),
        "use": USES[kind].format(name=name),
    }
    words["target"] = TARGETS[kind].format(**words)
    modules = [target.format(**words) for target in MODULES[kind].values()]
    words["modules"] = ", ".join(f'"{Path(file).stem}"' for file in modules)
    words["files"] = " and ".join(f"`{file}`" for file in modules)
    with writes_to(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} exists and is not empty", "name another --folder")
        folder.mkdir(parents=True, exist_ok=True)
        return [
            _write(source, folder / target.format(**words), words)
            for source, target in {**FILES, **MODULES[kind]}.items()
        ]


def _write(source: str, target: Path, words: dict[str, str]) -> Path:
    text = resources.files("starcli.registry.scaffold").joinpath("files", source).read_text("utf-8")
    save_text(target, Template(text).substitute(words), "--folder")
    return target

"""The rules of the design that the code itself can be asked about."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from starcli import registry

ROOT = Path(__file__).resolve().parents[1]
CORE = sorted((ROOT / "starcli").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
HEAVY = {
    "torch", "torch_geometric", "accelerate", "transformers", "sentence_transformers", "scipy",
    "matplotlib", "numpy", "sklearn",
}  # fmt: skip
COMMANDS = (
    "cli", "cli_benchmark", "cli_data", "cli_describe", "cli_embed", "cli_figures", "cli_options",
    "cli_plugins", "cli_predict", "cli_results",
)  # fmt: skip
"""Modules of commands, the only users of typer."""
LIGHT = (
    "workers", "weights", "cli", "console", "registry", "settings", "errors", "contracts", "store",
    "api", "children", "layouts", "imported", "names", "descriptions", "journal", "totals", "files",
    "verification", "unfinished", "runs",
    *COMMANDS,
)  # fmt: skip
LAYERS = (
    {"errors", "names", "documents", "children", "files", "verification"},
    {"contracts"},
    {"totals"},
    {"sections", "published"},
    {"checkpoint_files"},
    {"workers", "synchronised", "checkpoint", "weights"},
    {"training"},
    {
        "skeletons",
        "sampling",
        "splits",
        "metrics",
        "calibration",
        "gate",
        "branches",
        "head",
        "head_settings",
        "layouts",
        "similarity",
    },
    {"registry", "imported", "settings", "descriptions"},
    {"store", "unfinished", "runs", "journal"},
    {"benchmark"},
    {"clips", "folds", "recordings", "importing", "incoming"},
    {"experiment"},
    {"inventory", "inspection", "promises", "template", "cells"},
    {"stages"},
    {"pipeline", "report", "heatmap", "figures", "prediction"},
    {"running", "replicates", "estimate", "comparison", "comparison_files"},
    {"api"},
    {"console"},
    {*COMMANDS},
    {"__main__"},
)
"""Import directions: a module imports from its own layer and the ones above it in this list."""
BESIDE = {"conformance", "__init__"}
"""Modules that belong to no layer: for plugin authors, and the version."""
FOR_PLUGINS = {"contracts", "descriptions", "errors", "names", "skeletons", "totals", "training"}
SHOWN_BY = {"console": {"contracts", "errors"}}
"""Modules that may import less than their layer allows."""


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module(path: Path) -> str:
    """`pipeline` of starcli/pipeline.py, `stages` of every file of starcli/stages."""
    return path.relative_to(ROOT / "starcli").with_suffix("").parts[0]


def typing_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def targets(nodes: list[ast.stmt], *, everywhere: bool) -> Iterator[str]:
    """Dotted names that are imported; without `everywhere`, at import of the module only."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif everywhere or not (
            typing_only(node) or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ):
            inner = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.stmt)]
            handlers = getattr(node, "handlers", [])
            inner += [n for handler in handlers for n in handler.body]
            yield from targets(inner, everywhere=everywhere)


def imports(path: Path, *, everywhere: bool = True) -> set[str]:
    return set(targets(ast.parse(path.read_text("utf-8")).body, everywhere=everywhere))


def packages(path: Path, *, everywhere: bool = True) -> set[str]:
    return {name.partition(".")[0] for name in imports(path, everywhere=everywhere)}


def core_modules(path: Path) -> set[str]:
    """The modules of starcli that a file imports."""
    known = {module(p) for p in CORE}
    parts = [name.split(".") for name in imports(path) if name.startswith("starcli.")]
    return {part[1] for part in parts if part[1] in known}


def rank(name: str) -> int:
    found = [number for number, layer in enumerate(LAYERS) if name in layer]
    assert found, f"module {name} has no layer"
    return found[0]


def test_there_is_something_to_check() -> None:
    assert {"cli", "stages", "head"} <= {module(p) for p in CORE}
    assert len(PLUGINS) > 8
    assert "starcli.contracts.Layout" in imports(ROOT / "plugins/starcli_plugins/layouts.py")
    assert core_modules(ROOT / "starcli/cli.py") >= {"errors", "settings", "pipeline", "console"}
    assert "torch.Tensor" in imports(ROOT / "starcli/contracts.py")


@pytest.mark.parametrize("path", CORE, ids=label)
def test_the_core_imports_in_one_direction(path: Path) -> None:
    name = module(path)
    if name in BESIDE:
        pytest.skip("belongs to no layer")
    wrong = {other for other in core_modules(path) - BESIDE if rank(other) > rank(name)}
    assert wrong == set()
    assert core_modules(path) <= SHOWN_BY.get(name, core_modules(path))


@pytest.mark.parametrize("path", CORE, ids=label)
def test_the_core_knows_no_plugin(path: Path) -> None:
    assert "starcli_plugins" not in packages(path)
    assert "starcli_plugins" not in path.read_text("utf-8")


@pytest.mark.parametrize("path", PLUGINS, ids=label)
def test_plugins_know_contracts_only(path: Path) -> None:
    assert core_modules(path) <= FOR_PLUGINS
    assert "starcli" not in imports(path)


@pytest.mark.parametrize("path", CORE + PLUGINS, ids=label)
def test_typer_and_rich_have_few_users(path: Path) -> None:
    assert ("typer" in packages(path)) == (path.stem in COMMANDS and path in CORE)
    assert ("rich" in packages(path)) == (path == ROOT / "starcli/console.py")
    # Only the reader of annotation files, which admits arrays and plain containers.
    assert "pickle" not in packages(path) or path.name == "annotations.py"
    assert not packages(path) & {"click", "cloudpickle", "joblib"}


@pytest.mark.parametrize("name", LIGHT)
def test_light_modules_import_nothing_heavy(name: str) -> None:
    assert not packages(ROOT / f"starcli/{name}.py", everywhere=False) & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"], ["plugins"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys; from starcli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print(sorted(set(sys.modules) & {HEAVY | {'starcli_plugins'}}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "[]\n"
    assert done.stdout


@pytest.mark.parametrize("path", CORE + PLUGINS, ids=label)
def test_functions_are_short(path: Path) -> None:
    """No function body, docstring aside, is longer than 50 lines."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[ast.get_docstring(node) is not None :]
            last = node.end_lineno or 0
            lines = last - body[0].lineno + 1 if body else 0
            assert lines <= 50, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", CORE + PLUGINS, ids=label)
def test_only_cli_and_console_print(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    ends = {"sys.exit", "exit", "quit", "os._exit", "print"}
    if calls & ends and path in CORE:
        assert module(path) in (*COMMANDS, "console", "__main__", "children")
    assert not calls & ends or path in CORE


@pytest.mark.parametrize("entry", registry.entries(), ids=lambda e: f"{e.kind}-{e.name}")
def test_every_plugin_is_tested(entry: registry.Entry) -> None:
    if entry.distribution != "starcli":
        pytest.skip("not ours")
    home, _, member = entry.target.partition(":")
    leaf = home.rpartition(".")[2]
    if list((ROOT / "tests").rglob(f"test_{leaf}.py")):
        return
    texts = [path.read_text("utf-8") for path in (ROOT / "tests/plugins").glob("test_*.py")]
    pattern = rf"from {re.escape(home)} import \(?[\w\s,]*\b{member}\b|\"{entry.name}\""
    assert any(re.search(pattern, text) for text in texts), f"no test of {entry.target}"

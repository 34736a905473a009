"""The rules of the design that the code itself can be asked about."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from starcli import registry
from starcli.contracts import implementation_of
from tests.every import of_every

ROOT = Path(__file__).resolve().parents[1]
CORE = sorted((ROOT / "starcli").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
HEAVY = {
    "torch",
    "torch_geometric",
    "accelerate",
    "transformers",
    "sentence_transformers",
    "scipy",
    "matplotlib",
    "numpy",
    "sklearn",
}
LIGHT = (
    "api",
    "executors",
    "processes",
    "class_names",
    "cli",
    "contracts",
    "data/fingerprint",
    "data/imported",
    "data/layouts",
    "doctor",
    "errors",
    "experiment",
    "files",
    "head/settings",
    "pipeline",
    "registry",
    "settings",
    "stages/recipes",
    "store",
    "text/descriptions",
    "totals",
    "training/distributed",
    "training/schedules",
    "training/seeds",
    "training/tracking",
    "weights/matching",
)
"""Modules and rooms whose import brings in nothing heavy."""
LAYERS = (
    {
        "errors",
        "files",
        "array_files",
        "class_names",
        "processes",
        "executors",
        "contracts",
        "poses",
        "totals",
    },
    {"store", "training", "weights", "registry"},
    {"text", "data", "evaluation", "head"},
    {"settings"},
    {"experiment"},
    {"stages", "pipeline"},
    {"figures", "viewing"},
    {"report"},
    {"prediction"},
    {"exporting"},
    {"api", "benchmark", "doctor"},
    {"cli"},
)
"""Rooms, the lowest first: one imports only from lower layers. Within the lowest layer, and between
`stages` and `pipeline`, there is one direction too: no ring is allowed anywhere."""
BESIDE = {"conformance", "__init__", "__main__"}
"""Modules that belong to no layer: for plugin authors, the version, and the start."""
NO_COMMANDS = {"__init__.py", "console.py", "forecast.py", "given.py", "log.py"}
"""Files of `cli` without options."""
FOR_PLUGINS = {
    "array_files",
    "class_names",
    "contracts",
    "data.mapping",
    "data.normalise",
    "errors",
    "poses",
    "text.descriptions",
    "text.equivalences",
    "totals",
    "training.loop",
    "training.schedules",
    "training.seeds",
    "training.text_alignment",
}
"""What plugins may import."""


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


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def imports(path: Path, *, everywhere: bool = True) -> set[str]:
    return set(targets(parsed(path).body, everywhere=everywhere))


def packages(path: Path, *, everywhere: bool = True) -> set[str]:
    return {name.partition(".")[0] for name in imports(path, everywhere=everywhere)}


def dotted(path: Path) -> str:
    """`data.splits` of starcli/data/splits.py, `registry` of starcli/registry/__init__.py."""
    parts = path.relative_to(ROOT / "starcli").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {dotted(path): path for path in CORE}


def core_modules(path: Path, *, everywhere: bool = True) -> set[str]:
    """The modules of starcli that a file imports, dotted."""
    names = imports(path, everywhere=everywhere)
    found = set()
    for name in (name.removeprefix("starcli.") for name in names if name.startswith("starcli.")):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        found |= {name} - {""}
    return found


def rooms(path: Path) -> set[str]:
    """The rooms that a file imports from."""
    return {name.partition(".")[0] for name in core_modules(path)}


def rank(name: str) -> int:
    found = [number for number, layer in enumerate(LAYERS) if name in layer]
    assert found, f"room {name} has no layer"
    return found[0]


def test_there_is_something_to_check() -> None:
    assert {"cli", "stages", "head"} <= {module(p) for p in CORE}
    assert len(PLUGINS) > 8
    assert "starcli.contracts.Layout" in imports(ROOT / "plugins/starcli_plugins/layouts/kinect.py")
    used = core_modules(ROOT / "starcli/cli/stages.py")
    assert used >= {"errors", "settings.resolve", "pipeline", "cli.console"}
    assert "torch.Tensor" in imports(ROOT / "starcli/contracts/values.py")


@of_every(CORE, label)
def test_rooms_import_from_lower_layers_only(path: Path) -> None:
    room = module(path)
    if room in BESIDE:
        return
    others = rooms(path) - BESIDE - {room}
    level = rank(room)
    assert {other for other in others if rank(other) > level} == set()
    beside = {other for other in others if rank(other) == level}
    assert level == 0 or beside <= {"stages"} - {room}, f"{room} imports its neighbour {beside}"


def test_no_modules_import_one_another_in_a_ring() -> None:
    """As they are imported at their start; within functions, an import can be put off."""
    left = {name: core_modules(path, everywhere=False) - {name} for name, path in MODULES.items()}
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert left == {}


def test_any_is_for_what_has_no_types() -> None:
    """JSON of stages and files, torch's and matplotlib's own, `locals()`: each says why there."""
    nodes = [node for path in CORE for node in ast.walk(parsed(path))]
    assert sum(isinstance(node, ast.Name) and node.id == "Any" for node in nodes) < 40


@of_every(CORE, label)
def test_the_core_knows_no_plugin(path: Path) -> None:
    assert "starcli_plugins" not in packages(path)
    assert "starcli_plugins" not in path.read_text("utf-8")


@of_every(PLUGINS, label)
def test_plugins_know_contracts_only(path: Path) -> None:
    assert core_modules(path) <= FOR_PLUGINS
    assert "starcli" not in imports(path)


@of_every(CORE + PLUGINS, label)
def test_typer_and_rich_have_few_users(path: Path) -> None:
    assert ("typer" in packages(path)) == (
        path.parent == ROOT / "starcli/cli" and path.name not in NO_COMMANDS
    )
    assert ("rich" in packages(path)) == (path == ROOT / "starcli/cli/console.py")
    # Only the reader of annotation files, which admits arrays and plain containers.
    assert "pickle" not in packages(path) or path.name == "annotations.py"
    assert not packages(path) & {"click", "cloudpickle"}
    # They hand jobs to other processes as pickles.
    assert not packages(path) & {"joblib", "submitit"} or path.name == "executors.py"


@pytest.mark.parametrize("name", LIGHT)
def test_light_modules_import_nothing_heavy(name: str) -> None:
    place = ROOT / "starcli" / name
    files = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    for path in files:
        assert not packages(path, everywhere=False) & HEAVY, label(path)


@pytest.mark.slow
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


@of_every(CORE + PLUGINS, label)
def test_functions_are_short(path: Path) -> None:
    """No function body, docstring aside, is longer than 50 lines."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[ast.get_docstring(node) is not None :]
            last = node.end_lineno or 0
            lines = last - body[0].lineno + 1 if body else 0
            assert lines <= 50, f"{node.name} has {lines} lines"


@of_every(CORE + PLUGINS, label)
def test_only_cli_and_console_print(path: Path) -> None:
    tree = parsed(path)
    calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    ends = {"sys.exit", "exit", "quit", "os._exit", "print"}
    if calls & ends and path in CORE:
        assert module(path) in ("cli", "__main__", "processes")
    assert not calls & ends or path in CORE


@of_every(registry.entries(), lambda entry: f"{entry.kind} {entry.name}")
def test_every_plugin_is_tested(entry: registry.Entry) -> None:
    if entry.distribution != "starcli":
        return
    target = entry.target
    if entry.kind != "layout":
        target = implementation_of(registry.declared(entry.kind, entry.name)) or target
    home, _, member = target.partition(":")
    leaf = home.rpartition(".")[2]
    if list((ROOT / "tests").rglob(f"test_{leaf}.py")):
        return
    texts = [path.read_text("utf-8") for path in (ROOT / "tests/plugins").rglob("test_*.py")]
    pattern = rf"from {re.escape(home)} import \(?[\w\s,]*\b{member}\b|\"{entry.name}\""
    assert any(re.search(pattern, text) for text in texts), f"no test of {target}"

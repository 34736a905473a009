"""Plugins are listed from metadata alone, and a broken one hurts only whoever asks for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from starcli import registry
from starcli.contracts import KINDS, Kind
from starcli.errors import UsageError

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))[
    "project"
]
BUILT_IN: list[tuple[Kind, str, str]] = [
    (kind, name, target)
    for kind, group in registry.GROUPS.items()
    for name, target in PROJECT["entry-points"][group].items()
]
GOOD = """
from pydantic import BaseModel
class Talker:
    api, revision = 1, 1
    class Settings(BaseModel): pass
    def __init__(self, settings): pass
    def describe(self, actions, parts, context): return []
"""
LOAD = """
import json, sys
from starcli import registry
from starcli.errors import StarError
try:
    plugin = registry.load(*sys.argv[1:])
    answer = {"module": plugin.__module__, "name": plugin.__name__}
except StarError as error:
    answer = error.document()["error"]
print(json.dumps(answer))
"""


def install(folder: Path, name: str, points: str, source: str = GOOD, metadata: str = "") -> None:
    """Put a distribution `name` 1.0 with the module `name` into a folder."""
    (folder / f"{name}.py").write_text(source, "utf-8")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    metadata = metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    (info / "METADATA").write_text(metadata, "utf-8")
    (info / "entry_points.txt").write_text(points, "utf-8")


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=with_path(folder),
        capture_output=True,
        text=True,
        timeout=300,
    )


def with_path(folder: Path) -> dict[str, str]:
    """The environment, with a folder of modules before all others."""
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {**os.environ, "PYTHONPATH": path}


def load(folder: Path, kind: str, name: str) -> tuple[dict[str, Any], str]:
    """What loading answers, with stderr; all of stdout is the answer."""
    done = python(folder, "-c", LOAD, kind, name)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer, done.stderr


def describer(name: str, module: str = "acme", member: str = "Talker") -> str:
    return f"[starcli.describers]\n{name} = {module}:{member}\n"


def test_every_built_in_is_listed_once() -> None:
    assert [kind for kind in KINDS if kind not in registry.GROUPS] == []
    ours = [e for e in registry.entries() if e.distribution == "starcli"]
    assert sorted((e.kind, e.name, e.target) for e in ours) == sorted(BUILT_IN)
    assert {e.version for e in ours} == {PROJECT["version"]}
    assert ours[0].row().keys() == {"kind", "name", "distribution", "version"}


@pytest.mark.parametrize(("kind", "name", "target"), [b for b in BUILT_IN if b[0] != "layout"])
def test_every_built_in_loads(kind: Kind, name: str, target: str) -> None:
    declared, plugin = registry.declared(kind, name), registry.load(kind, name)
    assert f"{declared.__module__}:{declared.__name__}" == target
    assert issubclass(plugin, declared)
    assert registry.load(kind, f"starcli:{name}") is plugin


@pytest.mark.parametrize("name", PROJECT["entry-points"]["starcli.data.layouts"])
def test_every_layout_is_found_by_its_own_name(name: str) -> None:
    assert registry.layout(name).name == name
    assert registry.layout(f"starcli:{name}") is registry.layout(name)


def test_what_is_no_layout_is_refused(tmp_path: Path) -> None:
    install(tmp_path, "acme", "[starcli.data.layouts]\nacme = acme:Talker\n")
    script = LOAD.replace("registry.load(*sys.argv[1:])", "registry.layout(sys.argv[1])")
    answer = json.loads(python(tmp_path, "-c", script, "acme").stdout)
    assert answer["message"] == "layout 'acme' (acme 1.0) is not a Layout"
    assert json.loads(python(tmp_path, "-c", script, "acne").stdout)["exit_code"] == 2


def test_entries_of_one_kind() -> None:
    assert {e.kind for e in registry.entries("method")} == {"method"}


def test_listing_imports_no_plugin(tmp_path: Path) -> None:
    install(tmp_path, "acme", describer("acme"), "raise RuntimeError('imported')")
    script = (
        "import sys; from starcli import registry; assert any(e.name == 'acme' for e in "
        "registry.entries()); registry.broken(); "
        "print([m for m in sys.modules if m.partition('.')[0] in "
        "('torch', 'starcli_plugins', 'acme', 'transformers', 'numpy')])"
    )
    done = python(tmp_path, "-c", script)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.slow
def test_presets_and_shipped_models_are_there_beside_what_is_broken(tmp_path: Path) -> None:
    points = "[starcli.datasets]\naaa = acme:Data\n[starcli.models]\nlost = acne.model\n"
    install(tmp_path, "acme", points, "raise RuntimeError('imported')")
    install(tmp_path, "bad", "[starcli.models]\nno equals sign here\n")
    install(tmp_path, "good", "[starcli.models]\nmine = good_model\n")
    (tmp_path / "good_model").mkdir()
    (tmp_path / "good_model" / "__init__.py").write_text("raise RuntimeError('imported')", "utf-8")
    script = (
        "from starcli.settings.resolve import load; from starcli.exporting.shipped import shipped\n"
        "print(load({'preset': 'general'}).settings.dataset.name, *sorted(shipped()))\n"
        "print(shipped()['mine'])"
    )
    done = python(tmp_path, "-c", script)
    assert done.stdout.split("\n")[:2] == [
        "movements general mine",
        str(tmp_path / "good_model" / "model"),
    ], done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nowhere_to_be_found", "cannot be imported: ModuleNotFoundError: No module named"),
        ("def broken(:", "cannot be imported: SyntaxError"),
        ("import sys; sys.exit('bye')", "cannot be imported: SystemExit: bye"),
        ("Other = 1", "cannot be imported: AttributeError: module 'acme' has no attribute"),
        (
            GOOD.replace("api, revision = 1, 1", "api, revision = 2, 1"),
            "is written for plugin API 2, this starcli has 1",
        ),
        (GOOD.replace("api, revision = 1, 1", "revision = 1"), "is written for plugin API None"),
        (GOOD.replace("def describe", "def tell"), "lacks describe"),
        (GOOD.replace("class Settings", "class Options"), "lacks Settings"),
        (GOOD.replace("api, revision = 1, 1", "api = 1"), "lacks revision"),
        (GOOD.replace("class Settings(BaseModel): pass", "Settings = dict"), "Settings"),
    ],
)
def test_a_broken_plugin_is_named_with_the_reason_g01_g02_g05_g09(
    tmp_path: Path, source: str, reason: str
) -> None:
    install(tmp_path, "acme", describer("talker"), source)
    answer, _ = load(tmp_path, "describer", "talker")
    assert answer.get("exit_code") == 4, answer
    assert answer["message"].startswith("describer 'talker' (acme 1.0)")
    assert reason in answer["message"]
    assert "acme" in answer["fix"]
    # Nobody else is hurt by it.
    assert load(tmp_path, "describer", "names")[0]["name"] == "Names"


@pytest.mark.parametrize(
    ("points", "metadata"),
    [
        ("[starcli.describers]\nno equals sign here\n", ""),
        (describer("simulated").replace("describers", "datasets"), "Metadata-Version: 2.1\n"),
    ],
    ids=["entry points", "no name"],
)
def test_malformed_metadata_hides_nothing_else_g03(
    tmp_path: Path, points: str, metadata: str
) -> None:
    install(tmp_path, "acme", points, metadata=metadata)
    done = python(tmp_path, "-m", "starcli", "plugins", "--json")
    assert done.returncode == 0, done.stderr
    listed = {(p["kind"], p["name"]) for p in json.loads(done.stdout)["plugins"]}
    assert listed == {(kind, name) for kind, name, _ in BUILT_IN}
    assert "warning" in done.stderr
    assert "acme-1.0.dist-info" in done.stderr


def test_malformed_metadata_does_not_stop_pydantic(tmp_path: Path) -> None:
    """Pydantic scans every distribution for plugins of its own when the first model is made."""
    install(tmp_path, "acme", "[starcli.describers]\nno equals sign here\n")
    done = python(
        tmp_path,
        "-c",
        "from starcli.settings import resolve; print(resolve.Settings.__name__)",
    )
    assert (done.stdout, done.stderr) == ("Settings\n", "")


def test_what_a_plugin_prints_at_import_stays_out_of_stdout_g08(tmp_path: Path) -> None:
    install(tmp_path, "acme", describer("talker"), "print('hello there')" + GOOD)
    answer, errors = load(tmp_path, "describer", "talker")
    assert answer == {"module": "acme", "name": "Talker"}
    assert "hello there" in errors


def test_threads_that_import_at_once_leave_stdout_as_it_is() -> None:
    """The first to begin ends first: what it puts back must not be what it gave the second."""
    (first, second), stdout = registry.entries("reader")[:2], sys.stdout
    begun = threading.Event()

    def first_import() -> None:
        with registry._importing(first):
            begun.set()
            time.sleep(0.1)

    def second_import() -> None:
        begun.wait()
        with registry._importing(second):
            first_thread.join()

    first_thread = threading.Thread(target=first_import)
    second_thread = threading.Thread(target=second_import)
    for thread in (first_thread, second_thread):
        thread.start()
    second_thread.join()
    assert sys.stdout is stdout


@pytest.mark.slow
def test_what_a_plugin_prints_at_work_stays_out_of_stdout_g08(tmp_path: Path) -> None:
    source = GOOD.replace(
        "return []", "print('hello there'); return [dict.fromkeys(parts, a) for a in actions]"
    )
    install(tmp_path, "acme", describer("talker"), source)
    done = python(
        tmp_path,
        "-m",
        "starcli",
        "describe",
        "--describer",
        "talker",
        "--json",
        "--store",
        str(tmp_path / "store"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True
    assert "hello there" in done.stderr


FACTS = """
from pydantic import BaseModel
class Facts:
    api, revision = 1, 1
    implementation = "acme_talking:Talker"
    class Settings(BaseModel): pass
"""
TALKING = """
from acme import Facts
class Talker(Facts):
    def __init__(self, settings): pass
    def describe(self, actions, parts, context): return []
"""


def test_facts_are_read_without_what_computes(tmp_path: Path) -> None:
    install(tmp_path, "acme", describer("talker", member="Facts"), FACTS)
    (tmp_path / "acme_talking.py").write_text(TALKING, "utf-8")
    script = (
        "import sys; from starcli import registry; "
        "facts = registry.declared('describer', 'talker'); "
        "print(facts.__name__, 'acme_talking' in sys.modules); "
        "print(registry.load('describer', 'talker').__name__)"
    )
    done = python(tmp_path, "-c", script)
    assert (done.stdout, done.stderr) == ("Facts False\nTalker\n", "")


@pytest.mark.parametrize(
    ("talking", "reason"),
    [
        ("", "cannot be imported: AttributeError: module 'acme_talking' has no attribute 'Talker'"),
        (TALKING.replace("def describe", "def tell"), "lacks describe"),
        (
            TALKING.replace("(Facts)", "(Facts.__base__)").replace(
                "def describe", "api, revision, Settings = 1, 1, Facts.Settings\n    def describe"
            ),
            "acme_talking:Talker is not a subclass of Facts",
        ),
    ],
)
def test_what_computes_is_checked_when_it_is_loaded_g05(
    tmp_path: Path, talking: str, reason: str
) -> None:
    install(tmp_path, "acme", describer("talker", member="Facts"), FACTS)
    (tmp_path / "acme_talking.py").write_text(talking, "utf-8")
    answer, _ = load(tmp_path, "describer", "talker")
    assert answer.get("exit_code") == 4, answer
    assert answer["message"].startswith("describer 'talker' (acme 1.0)")
    assert reason in answer["message"]


def test_what_computes_can_be_a_plugin_itself_and_be_inherited(tmp_path: Path) -> None:
    """Its `implementation` is inherited, and names another class than it."""
    source = "from acme_talking import Talker\nclass Shouter(Talker): pass\n"
    install(tmp_path, "acme", "", FACTS)
    install(tmp_path, "bolt", describer("shouter", "bolt", "Shouter"), source)
    (tmp_path / "acme_talking.py").write_text(TALKING, "utf-8")
    assert load(tmp_path, "describer", "shouter")[0] == {"module": "bolt", "name": "Shouter"}


def test_our_names_are_ours_g04(tmp_path: Path) -> None:
    install(tmp_path, "acme", describer("names"))
    assert load(tmp_path, "describer", "names")[0]["module"] == "starcli_plugins.describers.names"
    assert load(tmp_path, "describer", "acme:names")[0]["module"] == "acme"


@pytest.mark.slow
def test_two_third_parties_with_one_name_g04(tmp_path: Path) -> None:
    install(tmp_path, "acme", describer("talker"))
    install(tmp_path, "bolt", describer("talker", "bolt"))
    answer, _ = load(tmp_path, "describer", "talker")
    assert answer["exit_code"] == 2
    assert answer["message"] == "several distributions have a describer 'talker'"
    assert answer["fix"] == "use acme:talker or bolt:talker"
    assert load(tmp_path, "describer", "bolt:talker")[0]["module"] == "bolt"
    assert load(tmp_path, "describer", "acme:talker")[0]["module"] == "acme"


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("utd-mhat", "did you mean 'utd-mhad'? there are: "),
        ("zzz", "there are: "),
        ("nobody:simulated", "there are: "),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(name: str, fix: str) -> None:
    with pytest.raises(UsageError) as caught:
        registry.load("dataset", name)
    assert caught.value.message == f"no dataset '{name}'"
    known = ", ".join(sorted(PROJECT["entry-points"]["starcli.datasets"]))
    assert caught.value.fix.endswith(fix + known)

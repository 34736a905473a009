"""`starcli plugins`: list, check, show and new, on distributions that misbehave."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typer.testing import CliRunner

from starcli import registry
from starcli.cli.app import app
from starcli.contracts import Kind
from starcli.errors import MissingError, UsageError
from starcli.registry import Entry, diagnostics
from starcli.registry.scaffold import USES, write
from tests import forks
from tests.registry.test_registry import GOOD, describer, install, python, with_path

HANG = "import time\ntime.sleep(600)\n"
SPAWNING = (
    "import subprocess, sys, time\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\ntime.sleep(600)\n"
)


def verdict(folder: Path, seconds: float = 60) -> dict[str, Any]:
    """What `plugins --check` says of the one plugin that is not ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", with_path(folder)["PYTHONPATH"])
        registry._scan.cache_clear()
        entries = [e for e in registry.entries() if e.distribution != registry.OURS]
        (row,) = diagnostics.check(entries, seconds)
    registry._scan.cache_clear()
    return dict(row)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "status", "reason"),
    [
        (GOOD, "ok", ""),
        ("print('hello')" + GOOD, "ok", ""),
        ("import os; os.write(1, b'starcli verdict: [1]\\n')" + GOOD, "ok", ""),
        ("import nowhere", "broken", "ModuleNotFoundError: No module named 'nowhere'"),
        ("raise SystemExit", "broken", "cannot be imported: SystemExit"),
        ("import os; os._exit(7)", "broken", "its import ended the process with code 7"),
        ("Other = 1", "broken", "has no attribute"),
        (
            GOOD.replace("api, revision = 1, 1", "api, revision = 2, 1"),
            "incompatible",
            "written for plugin API 2, this starcli has 1",
        ),
        (
            GOOD.replace("(self, actions, parts, context)", "(self)"),
            "incompatible",
            "describe cannot be called with (actions, parts, context)",
        ),
        (GOOD.replace("def describe", "def tell"), "incompatible", "lacks describe"),
        (
            GOOD.replace("__init__(self, settings)", "__init__(self)"),
            "incompatible",
            "__init__ cannot be called with (settings)",
        ),
    ],
)
def test_check(tmp_path: Path, source: str, status: str, reason: str) -> None:
    install(tmp_path, "acme", describer("talker"), source)
    found = verdict(tmp_path)
    assert (found["kind"], found["name"], found["distribution"]) == ("describer", "talker", "acme")
    assert found["status"] == status
    assert reason in found["reason"]


@pytest.mark.parametrize("source", [HANG, SPAWNING], ids=["hangs", "starts another that hangs"])
def test_an_import_that_hangs_is_given_up_g06(tmp_path: Path, source: str) -> None:
    install(tmp_path, "acme", describer("talker"), source)
    found = verdict(tmp_path, 1.5)
    assert found["status"] == "broken"
    assert found["reason"] == "its import did not end within 1.5 seconds"


class Sample(BaseModel):
    share: Literal["auto"] | Annotated[float, Field(ge=0)] = Field("auto", description="a share")
    path: Path | None = None
    sizes: tuple[int, ...]
    names: Mapping[str, list[str]] = {}


def test_types_of_settings_are_told_as_they_are_written() -> None:
    rows = diagnostics.settings_of(Sample)
    assert rows[0] == {
        "setting": "share",
        "type": "'auto' | float",
        "default": "auto",
        "meaning": "a share",
    }
    assert [(row["type"], row["default"]) for row in rows[1:]] == [
        ("Path | None", "None"),
        ("tuple[int, ...]", "required"),
        ("Mapping[str, list[str]]", "{}"),
    ]


def test_an_import_that_hangs_is_named_while_it_hangs_g06(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    named = threading.Event()
    said = registry._say_slow
    monkeypatch.setattr(registry, "PATIENCE_SECONDS", 0.0)

    def say(entry: Entry) -> None:
        said(entry)
        named.set()

    monkeypatch.setattr(registry, "_say_slow", say)
    monkeypatch.setattr(EntryPoint, "load", lambda point: named.wait(30))
    registry._target(Entry("describer", "talker", "acme", "1.0", "acme:Talker"))
    told = "still importing describer 'talker' (acme 1.0); if it never ends, remove acme\n"
    assert told in capfd.readouterr().err


def test_nobody_is_told_to_remove_starcli(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Entry("backbone", "st-gcn", "starcli", "0.1.0", "no_such_module:Net")
    registry._say_slow(entry)
    assert capfd.readouterr().err == "still importing backbone 'st-gcn' (starcli 0.1.0)\n"
    with pytest.raises(MissingError) as caught:
        registry._target(entry)
    assert caught.value.fix == "install starcli again with all that it needs"
    assert registry.repair(["starcli", "b", "a", "b"]) == (
        "install starcli again with all that it needs; fix, update or remove a, b"
    )


@pytest.mark.slow
def test_check_exits_with_4_and_one_document(tmp_path: Path) -> None:
    install(tmp_path, "acme", describer("talker"), "import nowhere")
    script = (
        "import sys; from starcli import registry; everything = registry.entries; "
        "registry.entries = lambda kind=None: tuple(e for e in everything(kind) "
        "if e.distribution != 'starcli'); "
        "sys.argv = ['starcli', 'plugins', '--check', *sys.argv[1:]]; "
        "from starcli.__main__ import main; main()"
    )
    done = python(tmp_path, "-c", script, "--json")
    assert done.returncode == 4, done.stderr
    document = json.loads(done.stdout)
    assert document["ok"] is False
    assert document["error"]["message"] == "1 of 1 plugins cannot be used"
    assert [row["status"] for row in document["plugins"]] == ["broken"]
    shown = python(tmp_path, "-c", script)
    assert shown.returncode == 4
    assert "talker" in shown.stdout and "No module named 'nowhere'" in shown.stdout


def run(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_show_says_where_a_plugin_lies_and_what_it_takes() -> None:
    shown = run("plugins", "show", "backbone", "shift-gcn")
    assert shown["summary"] == "Shift-GCN over any skeleton layout."
    assert "CVPR 2020" in shown["about"]
    lines = Path(shown["file"]).read_text("utf-8").splitlines()
    assert lines[shown["line"] - 1].startswith("class ShiftGcn")
    assert "published" in shown["recipes"]
    widths = next(row for row in shown["settings"] if row["setting"] == "widths")
    assert widths["default"] == "(48, 64, 64, 128, 128)"
    assert widths["meaning"] == "channels per block"


@pytest.mark.parametrize(
    "entry",
    [e for e in registry.entries() if e.distribution == registry.OURS],
    ids=lambda e: f"{e.kind}-{e.name}",
)
def test_everything_can_be_shown(entry: Entry) -> None:
    shown = diagnostics.facts(entry.kind, f"{entry.distribution}:{entry.name}")
    assert shown["summary"]
    assert json.loads(json.dumps(shown))["name"] == entry.name


def test_show_of_a_layout() -> None:
    shown = run("plugins", "show", "layout", "coco-17")
    assert shown["summary"] == "17 joints"
    assert shown["parts"]["2"] == ["upper body", "lower body"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bakbone", "st-gcn"), "no kind of plugin 'bakbone'"),
        (("backbone", "st-gnc"), "no backbone 'st-gnc'"),
    ],
)
def test_show_of_what_is_not_there(arguments: tuple[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(app, ["plugins", "show", *arguments], catch_exceptions=False)
    assert caught.value.message == message
    assert "did you mean" in caught.value.fix


@pytest.mark.slow
@pytest.mark.parametrize("kind", USES)
def test_new_writes_a_plugin_that_conforms(tmp_path: Path, kind: Kind) -> None:
    folder = tmp_path / "a folder" / "my-net"
    files = write(kind, "my-net", folder)
    expected = {"pyproject.toml", "README.md", "test_my_net.py", "my_net.py"}
    if kind == "backbone":
        expected.add("my_net_settings.py")
    assert {file.name for file in files} == expected
    assert all("$" not in file.read_text("utf-8") for file in files)
    code, said = forks.end(forks.pytest(folder), tmp_path)
    assert code == 0, said
    assert "passed" in said


@pytest.mark.slow
@pytest.mark.parametrize("kind", USES)
def test_new_is_listed_once_installed(tmp_path: Path, kind: Kind) -> None:
    write(kind, "my-net", tmp_path / "my-net")
    project = tomllib.loads((tmp_path / "my-net" / "pyproject.toml").read_text("utf-8"))
    target = project["project"]["entry-points"][registry.GROUPS[kind]]["my-net"]
    for module in project["tool"]["setuptools"]["py-modules"]:
        shutil.copy(tmp_path / "my-net" / f"{module}.py", tmp_path)
    install(
        tmp_path,
        "my_net",
        f"[{registry.GROUPS[kind]}]\nmy-net = {target}\n",
        (tmp_path / "my_net.py").read_text("utf-8"),
    )
    assert verdict(tmp_path)["status"] == "ok"


@pytest.mark.parametrize("name", ["", "My-Net", "my_net", "9net", "my--net", "../net", "class"])
def test_new_refuses_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is not a name for a plugin"):
        write("backbone", name, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_new_overwrites_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is a backbone 'st-gcn' already"):
        write("backbone", "st-gcn", tmp_path / "folder")
    with pytest.raises(UsageError, match="there is a reader 'mediapipe' already"):
        write("reader", "mediapipe", tmp_path / "folder")
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(UsageError, match="exists and is not empty"):
        write("backbone", "my-net", tmp_path)
    with pytest.raises(UsageError, match="exists and is not empty"):
        write("backbone", "my-net", tmp_path / "mine.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_new_knows_kinds(tmp_path: Path) -> None:
    folder = str(tmp_path / "mine")
    made = run("plugins", "new", "my-poses", "--kind", "reader", "--folder", folder)
    assert [Path(file).name for file in made["files"]][2:] == ["test_my_poses.py", "my_poses.py"]
    for kind, message in [
        ("method", "no template of a method"),
        ("raeder", "no kind of plugin 'raeder'"),
    ]:
        with pytest.raises(UsageError, match=message):
            CliRunner().invoke(
                app, ["plugins", "new", "other", "--kind", kind], catch_exceptions=False
            )

"""What users meet: results on stdout, the rest on stderr, one exit code per kind of outcome."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from starcli import __version__
from starcli.benchmark.forecast import Cost
from starcli.cli import console
from starcli.cli.output import duration, working
from starcli.errors import StarError
from starcli.experiment import Experiment
from starcli.settings.resolve import load
from starcli.training.checkpoint import Checkpoint
from tests import forks

Cli = Callable[..., Any]
SCRIPT = Path(sys.executable).with_name("starcli")
TINY = [
    "--set",
    "dataset.subjects=2",
    "--set",
    "pretrain.frames=8",
    "--set",
    "backbone.widths=[4]",
    "--set",
    "backbone.strides=[4]",
    "--set",
    "run.device=cpu",
]


def document(text: str) -> dict[str, Any]:
    """The one JSON document that a command printed."""
    assert text.endswith("\n")
    assert text.count("\n") == 1
    value: dict[str, Any] = json.loads(text)
    return value


def starcli(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **more.pop("env", {})}
    more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 300, **more}
    command = [sys.executable, "-m", "starcli", *arguments]
    return subprocess.run(command, env=environment, encoding="utf-8", **more)


def test_plugins_is_one_document(cli: Cli) -> None:
    done = cli("plugins", "--json")
    answer = document(done.out)
    assert (done.code, answer["ok"], sorted(answer)) == (0, True, ["ok", "plugins"])
    row = {
        "kind": "dataset",
        "name": "simulated",
        "distribution": "starcli",
        "version": __version__,
    }
    assert row in answer["plugins"]
    assert all(p.keys() == row.keys() for p in answer["plugins"])
    table = cli("plugins")
    assert table.code == 0
    assert all(p["name"] in table.out and p["kind"] in table.out for p in answer["plugins"])


def test_help_and_version(cli: Cli) -> None:
    assert cli("--version").out == f"starcli {__version__}\n"
    done = cli("--help")
    assert (done.code, done.err) == (0, "")
    for name in (
        "prepare",
        "describe",
        "embed",
        "pretrain",
        "extract",
        "train",
        "evaluate",
        "calibrate",
        "plugins",
    ):
        assert f"  {name}  " in done.out
    assert "--show-settings" in cli("train", "--help").out


def test_a_group_without_a_command_shows_its_help(cli: Cli) -> None:
    shown = cli("data").out.splitlines()
    assert any(line.endswith(" data [OPTIONS] COMMAND [ARGS]...") for line in shown)
    assert any(line.startswith("  import  ") for line in shown)


WRONG = [
    (
        ["prepare", "--dataset", "simulatd"],
        2,
        "usage",
        "no dataset 'simulatd'",
        "did you mean 'simulated'? there are: bandai-namco, florence3d, hdm05, kard, "
        "kinder-gator, movements, ntu120, ntu60, nw-ucla, pku-mmd, simulated, utd-mhad, utkinect",
    ),
    (
        ["pretrain", "--split", "fold"],
        2,
        "usage",
        "simulated has no split 'fold'",
        "there are: all, fold0, fold1",
    ),
    (
        ["extract", "--protocol", "xsubject"],
        2,
        "usage",
        "simulated has no protocol 'xsubject'",
        "did you mean 'xsub'? there are: all, xsub, xview",
    ),
    (["train", "--dry-run", "--split", "[/foo]"], 2, "usage", "has no split '[/foo]'", "fold0"),
    (
        ["train", "--parts", "3"],
        2,
        "usage",
        "kinect-v2 has no partition into 3 parts",
        "there are: 2, 4, 6",
    ),
    (["train", "--parts", "many"], 2, "usage", "Invalid value for '--parts'", "--help"),
    (["train", "--describer", "bundle"], 2, "usage", "no describer 'bundle'", "'bundled'"),
    (["train", "--no-such-option"], 2, "usage", "No such option: --no-such-option", "--help"),
    (["prepare", "--run", "x"], 2, "usage", "No such option: --run", "--help"),
    (["extract", "--seeds", "0,1"], 2, "usage", "No such option: --seeds", "--help"),
    (["trian"], 2, "usage", "No such command 'trian'", "--help"),
    (["train", "--set", "seed"], 2, "usage", "--set 'seed' is not key=value", "method.epochs=20"),
    (
        ["train", "--set", "pretrain.epocs=3"],
        2,
        "usage",
        "pretrain.epocs: no such setting",
        "starcli train --show-settings",
    ),
    (["train", "--set", "pretrain.lr=nan"], 2, "usage", "pretrain.lr: Input should be", "starcli"),
    (["train", "--config", "absent.toml"], 2, "usage", "no such settings file", "check --config"),
    (["evaluate", "--config", "absent.toml"], 2, "usage", "no such settings file", "--config"),
    (
        ["prepare", "--dataset", "utd-mhad"],
        3,
        "data",
        "utd-mhad needs its recordings: --raw",
        "personal.utdallas.edu/~kehtar/UTD-MHAD.html",
    ),
    (["train", "--dataset", "utd-mhad", "--dry-run"], 3, "data", "--raw is missing", "request"),
    (["prepare", "--dataset", "nw-ucla"], 3, "data", "nw-ucla needs its recordings", "--raw"),
    (
        ["prepare", "--dataset", "utd-mhad", "--raw", "absent"],
        3,
        "data",
        "no such file or folder",
        "--raw must name the data",
    ),
    (["evaluate"], 2, "usage", "no run yet in starcli-store", "make one with: starcli train"),
    (["calibrate", "mine"], 2, "usage", "no run 'mine'", "make one with: starcli train"),
    (["evaluate", "../taken"], 2, "usage", "no run '../taken'", "make one with: starcli train"),
    (
        ["predict", "taken", "--run", "mine"],
        2,
        "usage",
        "no run 'mine'",
        "make one with: starcli train",
    ),
    *(
        (["figure", name, "mine"], 2, "usage", "no run 'mine'", "make one with: starcli train")
        for name in ("gamma", "attributes", "space")
    ),
    (["figure", "confusion", "mine", "own"], 2, "usage", "no run 'mine'", "starcli train"),
    (["data", "show", "mine"], 2, "usage", "no dataset 'mine'", "there are: bandai-namco"),
    (["benchmark", "mine"], 2, "usage", "no table 'mine'", "or the path of a .toml file"),
    (["benchmark", "mine.toml"], 2, "usage", "no table 'mine.toml'", "the path of a .toml file"),
    (
        ["benchmark", "real", "--dataset-root", "absent"],
        3,
        "data",
        "no such folder",
        "check --dataset-root",
    ),
    (["benchmark", "--merge", "absent.json"], 3, "data", "cannot be read", "path"),
    (
        ["train", "--weights", "absent.pt"],
        3,
        "data",
        "no such file of weights",
        "check backbone.weights",
    ),
    (["describe", "--check", "absent.json"], 3, "data", "cannot be read", "path"),
    (
        ["describe", "--describer", "file", "--set", "describer.path=absent.json"],
        3,
        "data",
        "cannot be read",
        "check the path",
    ),
    (["data", "check", "utd-mhad", "--raw", "absent"], 3, "data", "no such file or folder", "raw"),
    (
        ["data", "import", "x", "absent", "--layout", "coco-17"],
        3,
        "data",
        "no such file or folder",
        "path",
    ),
    (
        ["data", "import", "x", "taken", "--layout", "absent.toml"],
        3,
        "data",
        "cannot be read",
        "check the path",
    ),
    *(
        ([*command, ""], 2, "usage", "the path is empty; the current folder is '.'", "--help")
        for command in (
            ["train", "--store"],
            ["train", "--raw"],
            ["train", "--config"],
            ["train", "--weights"],
            ["evaluate", "--store"],
            ["predict"],
            ["benchmark", "real", "--out"],
            ["figure", "gamma", "--out"],
            ["data", "import", "x"],
            ["describe", "--check"],
            ["plugins", "new", "x", "--folder"],
        )
    ),
    *(
        (["train", "--run", name, *more], 2, "usage", f"a run cannot be called '{name}", "--run")
        for name in ("", "-x", " x", ".x", "a/b", "x" * 201)
        for more in ([], ["--seeds", "0,1"], ["--dry-run"])
    ),
    *(
        (["train", *more, "x" * 300], 6, "output", "File name too long", "name another")
        for more in (["--store"], ["--config"], ["--weights"], ["--dataset", "utd-mhad", "--raw"])
    ),
    (["data", "list", "--store", "x" * 300], 6, "output", "File name too long", "name another"),
    (["prepare", "--store", "taken"], 6, "output", "cannot write: ", "--store"),
    (
        ["pretrain", "--device", "cuda:9", *TINY[:-2]],
        2,
        "usage",
        "no device 'cuda:9' here",
        "there are: cpu",
    ),
    (["extract", "--device", "gpu", *TINY[:-2]], 2, "usage", "did you mean 'cuda'?", "starcli"),
    (["train", "--weights", "taken", *TINY], 3, "data", "", "right file"),
    (
        ["pretrain", "--set", "pretrain.precision=fp16", "--device", "cpu"],
        2,
        "usage",
        "fp16 does not train on the CPU",
        "use bf16 or fp32",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "code", "kind", "message", "fix"), WRONG, ids=[" ".join(w[0][:3]) for w in WRONG]
)
def test_errors_c02_g15_g31(
    cli: Cli, tmp_path: Path, arguments: list[str], code: int, kind: str, message: str, fix: str
) -> None:
    """Two lines for people, one document for programs, and nothing is written."""
    (tmp_path / "taken").write_text("a file")
    done = cli(*arguments)
    assert (done.code, done.out) == (code, "")
    first, second = done.err.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert second.startswith("fix: ")
    assert fix in second
    done = cli(*arguments, "--json")
    answer = document(done.out)
    assert (done.code, answer["ok"]) == (code, False)
    error = answer["error"]
    assert sorted(error) == ["exit_code", "file", "fix", "frame", "id", "line", "message"]
    assert (error["exit_code"], error["id"]) == (code, kind)
    assert message in error["message"]
    assert fix in error["fix"]
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("name", ["../../outside", "latest"])
def test_an_impossible_run_name_is_refused_before_any_work(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def forbidden(*args: object) -> None:
        raise AssertionError("work was started")

    monkeypatch.setattr("starcli.pipeline.run_steps", forbidden)
    done = cli("train", "--run", name, "--json", *TINY)
    assert (done.code, document(done.out)["error"]["id"]) == (2, "usage")


@pytest.mark.slow
def test_several_seeds_have_a_plan_each(cli: Cli, tmp_path: Path) -> None:
    """What the first seed makes, the others share."""
    one = document(cli("train", *TINY, "--seed", "1", "--dry-run", "--json").out)["plan"]
    answer = document(cli("train", *TINY, "--seeds", "0,1", "--dry-run", "--json").out)
    first, second = answer["plans"]
    assert (first["seed"], second["seed"], sorted(answer)) == (0, 1, ["ok", "plans"])
    assert [(step["step"], step["key"]) for step in second["plan"]] == [
        (step["step"], step["key"]) for step in one
    ]
    shared = {step["step"]: step["reason"] for step in second["plan"] if step["status"] != "run"}
    assert shared == dict.fromkeys(["prepare", "describe", "embed"], "runs for seed 0")
    assert {step["status"] for step in first["plan"]} == {"run"}
    alone = cli("train", *TINY, "--dry-run")
    assert (alone.code, alone.out.count("plan")) == (0, 1)
    shown = cli("train", *TINY, "--seeds", "0,1", "--dry-run").out
    assert "plan, seed 0" in shown and "plan, seed 1" in shown
    assert list(tmp_path.iterdir()) == []


def test_a_bug_is_reported_without_secrets_or_traceback_g33(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_sesame")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def broken(*args: object) -> None:
        raise ZeroDivisionError("oh no")

    monkeypatch.setattr("starcli.registry.entries", broken)
    done = cli("plugins", "--json")
    error = document(done.out)["error"]
    assert (done.code, error["id"], error["exit_code"]) == (1, "bug", 1)
    assert error["message"] == "bug in starcli: ZeroDivisionError: oh no"
    assert "Traceback" not in done.err
    (log,) = tmp_path.glob("starcli-*.log")
    assert str(log) in error["fix"]
    assert "ZeroDivisionError: oh no" in log.read_text()
    assert "hf_sesame" not in log.read_text() + done.out + done.err


def test_out_of_memory(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr("starcli.registry.entries", broken)
    done = cli("plugins", "--json")
    assert (done.code, document(done.out)["error"]["id"]) == (7, "memory")


def test_show_settings_tells_every_origin(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARCLI_TEXT__PART_TEMPLATE", "{text}")
    monkeypatch.setenv("HF_TOKEN", "hf_sesame")
    Path("starcli.toml").write_text("[validation]\nclips = 0.3\n")
    done = cli("train", "--show-settings", "--json", "--seed", "5", "--set", "seed=4")
    rows = {r["setting"]: (r["value"], r["origin"]) for r in document(done.out)["settings"]}
    assert done.code == 0
    assert rows["seed"] == ("5", "flag")
    assert rows["text.part_template"] == ("{text}", "environment")
    assert rows["validation.clips"] == ("0.3", "starcli.toml")
    assert rows["dataset.protocol"] == ("xsub", "preset of simulated")
    assert rows["dataset.name"] == ("simulated", "default")
    assert "hf_sesame" not in done.out
    table = cli("train", "--show-settings")
    assert all(name in table.out for name in rows)
    assert "starcli.toml" in table.out
    assert not Path("starcli-store").exists()


@pytest.mark.slow
def test_dry_run_prints_the_plan_and_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    done = cli("train", "--dry-run", "--json", "--store", "store", *TINY)
    plan = document(done.out)["plan"]
    assert (done.code, done.err) == (0, "")
    assert [p["step"] for p in plan] == [
        "prepare",
        "describe",
        "embed",
        "pretrain/validation",
        "extract/validation",
        "train/validation",
        "pretrain",
        "extract",
        "train",
    ]
    assert {p["status"] for p in plan} == {"run"}
    assert plan[0]["reason"] == "never run"
    assert plan[2]["reason"] == "after describe"
    assert len({p["key"] for p in plan}) == len(plan)
    assert list(tmp_path.iterdir()) == []
    assert all(p["key"] in cli("train", "--dry-run", "--store", "store", *TINY).out for p in plan)


@pytest.mark.slow
def test_a_stage_runs_once_and_the_plan_says_what_changed(cli: Cli) -> None:
    first = cli("prepare", "--json", "--store", "store", *TINY)
    answer = document(first.out)
    assert (first.code, answer["ok"], answer["ran"]) == (0, True, ["prepare"])
    assert answer["summary"]["layout"] == "kinect-v2"
    assert Path(answer["path"], "meta.json").is_file()
    again = cli("prepare", "--store", "store", *TINY)
    assert again.out.strip() == answer["path"]
    assert again.err.strip() == "prepare: everything is up to date, nothing to do"
    changed = [*TINY, "--set", "dataset.noise=0.02", "--dry-run", "--json", "--store", "store"]
    (row,) = document(cli("prepare", *changed).out)["plan"]
    assert (row["status"], row["reason"]) == ("run", "settings.noise: 0.01 -> 0.02")


class Stop:
    """Presses Ctrl-C in `Checkpoint.save` once `after` checkpoints are written, and counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.after: int | None = None
        self.saved = 0
        self.save = Checkpoint.save
        monkeypatch.setattr(Checkpoint, "save", lambda *arguments: self(*arguments))

    def __call__(self, *arguments: Any) -> None:
        self.save(*arguments)
        self.saved += 1
        if self.saved == self.after:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
def test_ctrl_c_and_the_same_command_again_f06(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted in the nested run, again in the reported one, then continued to the end."""
    command = ["pretrain", *TINY, "--set", "pretrain.epochs=3", "--json", "--store"]
    stop = Stop(monkeypatch)
    undisturbed = document(cli(*command, "quiet").out)
    assert stop.saved == 6
    for after in (1, 4):
        stop.saved, stop.after = 0, after
        done = cli(*command, "stormy")
        assert done.code == 130
        assert "stopped; run the same command again to continue" in done.err
        assert "Traceback" not in done.err
        assert document(done.out)["error"]["id"] == "interrupted"
    stop.saved, stop.after = 0, None
    answer = document(cli(*command, "stormy").out)
    # The first left one epoch of three; the second finished those two and two of the other three.
    assert stop.saved == 1
    assert answer["ran"] == ["pretrain"]
    assert answer["key"] == undisturbed["key"]
    weights = [load_file(Path(a["path"], "data.safetensors")) for a in (undisturbed, answer)]
    assert {k: v.tolist() for k, v in weights[0].items()} == {
        k: v.tolist() for k, v in weights[1].items()
    }


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_run_with_their_code_f05_f06(tmp_path: Path, number: int, code: int) -> None:
    command = ["pretrain", *TINY, "--set", "pretrain.epochs=100000", "--store", "store"]
    process = forks.begin(forks.starcli(*command), tmp_path)
    try:
        while not list(tmp_path.rglob("checkpoint.safetensors")) and process.is_alive():
            time.sleep(0.05)
        assert process.pid is not None
        os.kill(process.pid, number)
        process.join(300)
    finally:
        process.kill()
    out, err = ((tmp_path / name).read_text("utf-8") for name in (forks.OUT, forks.ERR))
    assert process.exitcode == code, err
    assert out == ""
    assert "stopped; run the same command again" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["plugins"],
        pytest.param(["plugins", "--json"], marks=pytest.mark.slow),
        pytest.param(["--help"], marks=pytest.mark.slow),
        pytest.param(["train", "--show-settings"], marks=pytest.mark.slow),
    ],
)
def test_a_reader_that_left_is_no_error_g23(tmp_path: Path, arguments: list[str]) -> None:
    """`starcli ... | head -0`."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = starcli(*arguments, stdout=closed, cwd=tmp_path)
    # On a busy machine an import may take long enough for a note.
    complaints = [x for x in done.stderr.splitlines() if not x.startswith("still importing")]
    assert (done.returncode, complaints) == (0, [])


def shell(redirected: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirected", "arguments", "code", "said"),
    [
        (">&-", ["plugins", "--json"], 0, ""),
        (">&-", ["train", "--show-settings"], 0, ""),
        ("2>&-", ["trian"], 2, ""),
        ("<&- >&- 2>&-", ["plugins"], 0, ""),
        (">/dev/full", ["plugins"], 6, "error: cannot print: No space left on device"),
        (">/dev/full", ["plugins", "--json"], 6, "error: cannot print: No space left on device"),
    ],
)
def test_closed_and_full_streams_are_no_bug_g23(
    redirected: str, arguments: list[str], code: int, said: str
) -> None:
    done = shell(redirected, "-m", "starcli", *arguments)
    complaints = [x for x in done.stderr.splitlines() if not x.startswith("still importing")]
    assert (done.returncode, done.stdout, complaints[:1]) == (code, "", [said] if said else [])


def test_no_file_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    """What others print to descriptor 1 must not end in the next file that is opened."""
    script = (
        "import os, sys; from starcli.cli.console import prepare_streams; prepare_streams()\n"
        "with open(sys.argv[1], 'w') as file: os.write(1, b'x'); print('y', flush=True)"
    )
    done = shell(">&-", "-c", script, str(tmp_path / "file"))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.slow
@pytest.mark.skipif(
    sys.getfilesystemencoding() != "utf-8", reason="arguments here cannot have every character"
)
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_narrow_stdout_replaces_characters_g22(tmp_path: Path, encoding: str) -> None:
    narrow = {"env": {"PYTHONIOENCODING": encoding}, "cwd": tmp_path}
    done = starcli("plugins", **narrow)
    assert done.returncode == 0, done.stderr
    assert "simulated" in done.stdout
    assert done.stdout.isascii()
    done = starcli("plugins", "show", "layout", "x動作", "--json", **narrow)
    assert done.returncode == 2, done.stderr
    assert document(done.stdout)["error"]["exit_code"] == 2
    assert "no layout 'x" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_pipes_get_plain_text_g21(tmp_path: Path, env: dict[str, str]) -> None:
    done = starcli("plugins", env=env, cwd=tmp_path)
    assert "\x1b" not in done.stdout + done.stderr
    assert "\x1b" not in starcli("trian", env=env, cwd=tmp_path).stderr


HOSTILE = [
    "[/foo]",
    "[bold]x[/bold]",
    "[",
    "]",
    "a\\",
    "\\[x]",
    "[link=http://x]y[/link]",
    ":bomb:",
    "$x$",
    "</script>",
    "=cmd()",
    "動作",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_shown_as_it_is_g24(capsys: pytest.CaptureFixture[str], text: str) -> None:
    console.table(text, ("name", "other"), [(text, "end")])
    title, *_, row, _ = capsys.readouterr().out.rstrip("\n").splitlines()
    assert title.strip() == text
    assert [cell.strip() for cell in row.strip("│").split("│")] == [text, "end"]
    console.note(f"{text} done")
    assert capsys.readouterr().err == f"{text} done\n"
    console.error(StarError(f"class '{text}'", f"fix {text}"))
    assert capsys.readouterr().err == f"error: class '{text}'\nfix: fix {text}\n"
    with console.progress() as progress:
        progress.update(text, 1, 0)
        progress.done(text, 1.25)
    assert f"done {text} in 1.2 s" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["\x1b[31mred", "\x1b]0;title\x07", "one\ntwo", "a\r b", "a\x9bb"])
def test_control_characters_do_not_reach_the_terminal_g24(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    console.table("t", ("name",), [(text,)])
    console.error(StarError(text, text))
    console.note(text)
    printed = capsys.readouterr()
    assert not set("\x1b\x07\r\x9b") & set(printed.out + printed.err)
    assert len(printed.out.splitlines()) == 6
    assert len(printed.err.splitlines()) == 3


def test_a_long_cell_stays_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    console.table("t", ("name", "value"), [("x" * 120, "end")])
    assert "x" * 120 in capsys.readouterr().out


def test_tables_fit_a_terminal_of_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    console.table("t" * 120, ("name", "value"), [("x" * 120, "word " * 40)])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.count("x") == 120 and shown.count("word") == 40


def test_a_terminal_shows_the_first_rows_of_a_long_table_and_a_file_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(f"row-{number}",) for number in range(console.LONGEST + 3)]
    console.table("t", ("name",), rows)
    out, err = capsys.readouterr()
    assert out.count("row-") == len(rows) and not err
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    console.table("t", ("name",), iter(rows))
    out, err = capsys.readouterr()
    assert out.count("row-") == console.LONGEST and "row-0 " in out
    assert f"the first {console.LONGEST} of {len(rows)} rows" in err


@pytest.mark.slow
@pytest.mark.skipif(not SCRIPT.exists(), reason="the script starcli is not installed")
@pytest.mark.skipif(not shutil.which("bash"), reason="completion is asked for from bash")
def test_completion(tmp_path: Path) -> None:
    show = subprocess.run(
        ["bash", "-c", f"'{SCRIPT}' --show-completion; echo code $?"],
        env={**os.environ, "SHELL": shutil.which("bash") or ""},
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
    )
    assert "_STARCLI_COMPLETE=complete_bash" in show.stdout, show.stderr
    assert show.stdout.endswith("code 0\n")
    ask = {"_STARCLI_COMPLETE": "complete_bash", "COMP_WORDS": "starcli pl", "COMP_CWORD": "1"}
    done = subprocess.run(
        [SCRIPT], env={**os.environ, **ask}, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stdout.split()) == (0, ["plugins"])


def test_progress_says_step_measures_and_rest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no terminal, as a line now and then."""
    monkeypatch.setattr(console, "EVERY_SECONDS", 0.0)
    with console.progress() as progress:
        progress.starts("pretrain", 7, 9)
        progress.measured("pretrain (final)", {"loss": 0.5})
        progress.measured("pretrain (final)", {"accuracy": 0.625})
        progress.left("12 min left")
        progress.update("pretrain (final)", 3, 10)
        progress.done("pretrain")
        progress.update("extract", 1, 2)
    assert capsys.readouterr().err.splitlines() == [
        "step 7 of 9: pretrain; 30 % of pretrain (final), loss 0.500, accuracy 62.5 %; 12 min left",
        "done pretrain",
        "50 % of extract",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (300, "5 min"), (10_800, "3 h"), (259_200, "3.0 days")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_training_says_once_how_long_it_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cost = Cost(steps=3, seconds=600.0, size=2e6, unknown=1)
    monkeypatch.setattr("starcli.benchmark.outlook.Outlook.cost", lambda self: cost)
    experiment = Experiment(load({"run.store": tmp_path / "store"}))
    with working("train", experiment) as progress:
        progress.starts("pretrain", 1, 3)
        for step in range(3):
            progress.update("pretrain (final)", step, 9)
        progress.done("pretrain")
    assert capsys.readouterr().err.splitlines() == [
        "about 10 min and 2.0 MB of disk for what is left, 1 of 3 steps not counted",
        "done pretrain",
    ]

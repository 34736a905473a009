"""`predict --windows` and `--stream`: events of files and of what comes, whatever ends it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TextIO

import numpy as np
import pytest

import starcli
from starcli.contracts import NoSettings
from starcli.poses import Poses
from starcli.prediction.events import Event
from starcli_plugins.datasets.movements.composer import Composer
from starcli_plugins.readers.arrays import Arrays
from tests.conftest import Outcome

Cli = Callable[..., Outcome]
NAMED = ["--run", "general", "--actions", "squat, wave, kick forward", "--layout", "kinect-v2"]
SAID = [*NAMED, "--up", "y", "--unit", "m"]
LOW = ["--enter", "0.02", "--leave", "0.01"]
"""Thresholds that the likeliest of three passes however sure the shipped model is."""


@pytest.fixture(scope="module")
def joints() -> np.ndarray:
    """Somebody who squats and waves, about six seconds of 30 frames [T, 1, 25, 3]."""
    clips = [Composer().clip(10**9, name).joints[:, :1] for name in ("squat", "wave")]
    return np.concatenate(clips).astype(np.float64)


@pytest.fixture
def recording(joints: np.ndarray, tmp_path: Path) -> Path:
    path = tmp_path / "two.npz"
    Arrays(NoSettings()).write_sample(Poses(joints, "kinect-v2", fps=30.0), path)
    return path


def lines(joints: np.ndarray) -> list[bytes]:
    """The frames as a stream of JSON, each a line."""
    frames = [{"time": n / 30, "persons": each.tolist()} for n, each in enumerate(joints)]
    return [json.dumps(frame).encode() + b"\n" for frame in frames]


@pytest.fixture
def streamed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs the command on a stream."""

    def run(frames: Sequence[bytes], *arguments: str) -> Outcome:
        stdin = SimpleNamespace(buffer=io.BytesIO(b"".join(frames)))
        monkeypatch.setattr(sys, "stdin", stdin)
        return cli("predict", "--stream", *NAMED, *LOW, *arguments)

    return run


def told(outcome: Outcome) -> list[dict[str, object]]:
    """The events that have ended."""
    events = [json.loads(line) for line in outcome.out.splitlines()]
    return [event for event in events if event["end"] is not None]


def test_a_stream_and_a_file_have_the_same_events(
    cli: Cli, streamed: Callable[..., Outcome], joints: np.ndarray, recording: Path
) -> None:
    file = ["predict", str(recording), *SAID, *LOW, "--windows", "1.5"]
    found = cli(*file, "--json", "--out", "events.jsonl")
    assert found.code == 0, found.err
    events = json.loads(found.out)["events"]
    seconds = len(joints) / 30
    assert (events[0]["start"], events[-1]["end"]) == (0, pytest.approx(seconds, abs=0.01))
    written = Path("events.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in written] == events
    first, second = events  # 155 frames of a squat, 79 of waving
    assert (first["name"], second["name"]) == ("squat", "wave")
    # A window of both may be of neither.
    assert first["end"] <= second["start"]
    assert (first["end"], second["start"]) == pytest.approx((155 / 30, 155 / 30), abs=1.5)

    live = streamed(lines(joints), "--windows", "1.5")
    assert live.code == 0, live.err
    assert [{"clip": str(recording), **event} for event in told(live)] == events
    assert len(live.out.splitlines()) == 2 * len(events)  # as each begins, too

    shown = cli(*file)
    assert f"general: {len(events)} events" in shown.out and events[0]["name"] in shown.out
    again = cli(*file, "--out", "events.jsonl")
    assert again.code == 2 and "already exists" in again.err


def test_bad_lines_are_named_and_the_stream_goes_on(
    streamed: Callable[..., Outcome], joints: np.ndarray
) -> None:
    good = lines(joints[:75])
    bad = [b"no json\n", b'{"time": 1}\n', good[3], b'{"time": 9, "per']
    outcome = streamed([*good[:50], *bad[:3], b"\n", *good[50:], bad[3]])
    assert outcome.code == 9
    assert told(outcome) == told(streamed(good))
    for number, reason in ((51, "not readable JSON"), (53, "time 0.1 is not after 1.63333333333")):
        assert f"left out: standard input:{number}: {reason}" in outcome.err
    assert "standard input:80: not readable JSON" in outcome.err
    assert "and the stream ends in it" in outcome.err
    assert "4 lines of 79 are left out" in outcome.err


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ([], "no frame came"),
        ([b"\n", b"\n"], "no frame came"),
        ([b"1\n"] * 20, "expected a frame with time and persons"),
        ([b'{"time": 0, "persons": [[[0, 0, 0]]]}\n'], "has 1 joints, layout kinect-v2 has 25"),
    ],
)
def test_a_stream_without_a_frame_is_an_error(
    streamed: Callable[..., Outcome], frames: list[bytes], said: str
) -> None:
    outcome = streamed(frames)
    assert (outcome.code, outcome.out) == (3, "")
    assert said in outcome.err and "fix: " in outcome.err
    assert outcome.err.count("left out") <= 10


def test_nobody_is_no_event(streamed: Callable[..., Outcome]) -> None:
    outcome = streamed([b'{"time": 0.%02d, "persons": []}\n' % n for n in range(20)])
    assert (outcome.code, outcome.out) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["clips", "--windows", "0"], "--windows 0"),
        (["clips", "--windows", "-2"], "--windows -2"),
        (["clips", "--windows", "2", "--stride", "3"], "--stride 3"),
        (["clips", "--windows", "2", "--enter", "0.1"], "--enter 0.1 --leave 0.25"),
        (["clips", "--stride", "0"], "--stride is not for whole clips"),
        (["clips", "--overwrite"], "--overwrite is not for whole clips"),
        (["clips", "--jobs", "2"], "--jobs is not for whole clips"),
        (["clips", "--windows", "2", "--shard", "1/2"], "--shard is not for --windows"),
        (["clips", "--out", "e.csv", "--shard", "3/2"], "invalid shard '3/2'"),
        (["clips", "--out", "e.vtt"], "expected a file .jsonl, .csv, .parquet, got '.vtt'"),
        (["clips", "--windows", "2", "--out", "e.txt"], "expected a file .jsonl, .csv, .vtt, .eaf"),
        (["clips", "--windows", "2", "--people", "largest"], "--people is not for --windows"),
        (["clips", "--stream"], "SOURCE is not for --stream"),
        (["--stream", "--fps", "30"], "--fps is not for --stream"),
        (["--windows", "2"], "recordings are missing"),
        (["clips", "--windows", "2", "--top", "3"], "--top is not for --windows"),
        (["--stream", "--top", "1"], "--top is not for --stream"),
        (["--stream", "--overwrite"], "--overwrite is not for --stream"),
        ([], "recordings are missing"),
    ],
)
def test_options_that_do_not_fit(cli: Cli, arguments: list[str], said: str) -> None:
    Path("clips").mkdir(exist_ok=True)
    outcome = cli("predict", *arguments, "--run", "general")
    assert outcome.code == 2
    assert said in outcome.err and "fix: " in outcome.err


def test_a_form_whose_package_is_missing_is_refused_first(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starcli.prediction.event_files.find_spec", lambda name: None)
    outcome = cli("predict", "absent", *SAID, "--windows", "2", "--out", "events.eaf")
    assert outcome.code == 4
    assert "needs the package pympi-ling" in outcome.err and "starcli[elan]" in outcome.err


@pytest.mark.parametrize("form", [".vtt", ".eaf"])
def test_forms_of_one_recording_refuse_several_before_any_is_answered(
    cli: Cli, joints: np.ndarray, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    for name in ("first", "second"):
        place = Path("several", f"{name}.npz")
        place.parent.mkdir(exist_ok=True)
        Arrays(NoSettings()).write_sample(Poses(joints, "kinect-v2", fps=30.0), place)
    monkeypatch.setattr("starcli.prediction.timeline.Stream", None)
    outcome = cli("predict", "several", *SAID, "--windows", "2", "--out", f"events{form}")
    assert outcome.code == 2
    assert "second.npz: there are several recordings, and times are of one" in outcome.err
    assert not Path(f"events{form}").exists()


def test_a_window_of_too_few_frames_is_refused(cli: Cli, recording: Path) -> None:
    outcome = cli("predict", str(recording), *SAID, "--windows", "0.05", "--out", "events.csv")
    assert outcome.code == 2
    assert "a window of 0.05 s has less than 4 frames" in outcome.err
    assert not Path("events.csv").exists()


def test_from_python_a_stream_is_fed_arrays(joints: np.ndarray) -> None:
    live = starcli.stream(
        starcli.load("general"),
        actions=["squat", "wave"],
        layout="kinect-v2",
        enter=0.02,
        leave=0.01,
    )
    begun = [live.feed({"time": n / 30, "persons": each}) for n, each in enumerate(joints[:75])]
    first = next(n for n, events in enumerate(begun) if events)
    assert first == 60
    assert begun[60][0]["end"] is None and live.close()[-1]["end"] == pytest.approx(2.5)


def test_who_no_longer_reads_ends_a_stream(
    streamed: Callable[..., Outcome], joints: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left(events: Sequence[Event], out: TextIO) -> None:
        if events:
            raise BrokenPipeError

    monkeypatch.setattr("starcli.cli.events._print", left)
    monkeypatch.setattr("starcli.__main__._silence", lambda stream: None)
    outcome = streamed(lines(joints[:75]))
    assert outcome.code == 0 and "error" not in outcome.err


def test_ctrl_c_closes_open_events(
    cli: Cli, joints: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = iter(lines(joints[:75]))

    def readline(limit: int) -> bytes:
        for frame in frames:
            return frame
        raise KeyboardInterrupt

    stdin = SimpleNamespace(buffer=SimpleNamespace(readline=readline))
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr("starcli.__main__._leave_terminal", lambda: None)
    outcome = cli("predict", "--stream", *NAMED, *LOW)
    assert outcome.code == 130
    assert "stopped" in outcome.err and "checkpoint" not in outcome.err
    assert [event["end"] for event in told(outcome)] == [pytest.approx(2.5)]


def started(folder: Path) -> subprocess.Popen[bytes]:
    """The command, reading a stream, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "starcli", "predict", "--stream", *NAMED, *LOW],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
def test_events_come_at_once_and_open_ones_are_closed_when_it_is_stopped(
    tmp_path: Path, joints: np.ndarray
) -> None:
    process = started(tmp_path)
    assert process.stdin and process.stdout
    process.stdin.write(b"".join(lines(joints[:75])))
    process.stdin.flush()
    first = json.loads(process.stdout.readline())
    assert first["end"] is None
    os.kill(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 143, err
    assert b"stopped" in err and b"checkpoint" not in err
    last = json.loads(out.splitlines()[-1])
    assert 2.0 < last["end"] <= 2.501  # as far as it had read

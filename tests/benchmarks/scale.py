"""How time and memory grow with the number of clips: python -m tests.benchmarks.scale [COUNT ...]

The clips of NTU RGB+D 120, 114,480 with those without skeletons, by their names, and with made-up
skeletons: each file is one of a hundred, so that they take little disk. They go through the whole
pipeline, with a tiny backbone that learns for one epoch: it is everything else that is measured.
Each step runs in a process of its own, whose memory beside the page cache, and that of the
processes that it starts, is looked at twenty times a second.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from starcli import pipeline
from starcli.data.importing.builder import ImportRequest, make
from starcli.data.importing.options import meaning
from starcli.experiment import Experiment
from starcli.settings.resolve import load
from starcli_plugins.datasets.ntu import sample
from starcli_plugins.datasets.ntu.facts import NTU120
from tests.test_pipeline import TINY

FRAMES = 16
"""Of the longest clip."""
CONTENTS = 100
"""Different files: a file has at most 65,000 names on many file systems."""
STAGES = ("prepare", "pretrain", "plan", "extract", "train", "evaluate", "calibrate")
STEPS = (*STAGES, "import")
SETTINGS = {
    **{k: v for k, v in TINY.items() if not k.startswith(("dataset.", "method."))},
    "dataset.name": "ntu120",
    "describer.name": "names",
    "method.name": "eszsl",
    "parts": 6,
}


def write(folder: Path, count: int) -> None:
    """Clips spread over all actions and performers."""
    folder.mkdir()
    names = [str(name) for name in NTU120.expected()]
    count = min(count, len(names))
    chosen = [names[number * len(names) // count] for number in range(count)]
    first: dict[bytes, Path] = {}
    made = [sample.text(name, FRAMES) for name in chosen[:: max(1, count // CONTENTS)][:CONTENTS]]
    for number, name in enumerate(chosen):
        text, file = made[number % len(made)], folder / f"{name}.skeleton"
        if text in first:
            os.link(first[text], file)
        else:
            file.write_bytes(text)
            first[text] = file


def experiment(folder: Path) -> Experiment:
    """The tiny run on the clips of a folder."""
    flags = {"run.raw": folder / "raw", "run.store": folder / "store", "run.workers": 2}
    return Experiment(load({**SETTINGS, **flags}))


def do(step: str, folder: Path) -> None:
    """One step."""
    if step == "import":
        request = ImportRequest(folder / "raw", meaning(), pattern=r"A(?P<class>\d{3})")
        make("own", request, folder / "own")
    elif step == "plan":
        e = experiment(folder)
        pipeline.plan(e, "calibrate")
        prepared = pipeline.run_steps(e, "prepare")[0]["prepare"]
        from starcli.stages.extract import forecast_bytes

        for role in (*e.folds, "final"):
            forecast_bytes(e, prepared, role)
    else:
        pipeline.run_steps(experiment(folder), step)


def alone(step: str, folder: Path) -> None:
    """Do one step, and print its seconds and the peak of its memory, MB."""
    peak, over = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        this = psutil.Process()
        while not over.wait(0.05):
            peak = max(peak, sum(map(anonymous, [this, *this.children(recursive=True)])))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started, cpu = time.perf_counter(), os.times()
    do(step, folder)
    seconds, now = time.perf_counter() - started, os.times()
    over.set()
    watcher.join()
    used = sum(now[:4]) - sum(cpu[:4])
    print(json.dumps({"seconds": seconds, "cpu": used, "peak": peak / 2**20}))


def anonymous(process: psutil.Process) -> int:
    """Bytes of a process that are not pages of files."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line[:8] == "RssAnon:"), 0)


def main() -> None:
    """Print a row for each step and number of clips."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("counts", type=int, nargs="*", default=[1000, 10_000, 114_480])
    parser.add_argument("--steps", nargs="*", default=STEPS, choices=STEPS)
    parser.add_argument("--alone", type=Path, help="do the steps in this folder, in this process")
    given = parser.parse_args()
    if given.alone:
        alone(given.steps[0], given.alone)
        return
    print(f"{'clips':>8} {'step':10}{'seconds':>9}{'CPU':>9}{'ms/clip':>9}{'peak MB':>9}")
    for count in given.counts:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            write(folder / "raw", count)
            for step in given.steps:
                command = [sys.executable, "-m", "tests.benchmarks.scale", "--alone", place]
                run = subprocess.run([*command, "--steps", step], capture_output=True, check=True)
                found = json.loads(run.stdout.splitlines()[-1])
                cpu, each = found["cpu"], 1000 * found["cpu"] / count
                row = f"{count:8} {step:10}{found['seconds']:9.1f}{cpu:9.1f}{each:9.3f}"
                print(f"{row}{found['peak']:9.0f}", flush=True)


if __name__ == "__main__":
    main()

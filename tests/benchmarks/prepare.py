"""How fast `prepare` reads NTU `.skeleton` files, against a plain line-by-line reader.

Both read the same made-up clips from the same folder in the same run and do the same work: read,
find the actors, move them to the origin, write. The plain one is a single process and converts only
the coordinates it keeps; ours takes every core, and also looks at the columns that nobody keeps.
Arrays are compared. Then the peak memory for two numbers of clips, each measured in a process of
its own.

Run: python -m tests.benchmarks.prepare [CLIPS]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from safetensors.numpy import save_file

from starcli import pipeline
from starcli.data.clips import ClipSet
from starcli.experiment import Experiment
from starcli.settings.resolve import load
from starcli.store.artifacts import Artifact
from starcli_plugins.datasets.ntu import sample
from starcli_plugins.datasets.ntu.body_selection import assemble
from starcli_plugins.datasets.ntu.facts import NTU60
from tests.benchmarks.straight_skeleton import read_plain


def write(folder: Path, count: int) -> Path:
    """Clips of NTU RGB+D 60 spread over its actions and performers."""
    folder.mkdir()
    names = [str(name) for name in NTU60.expected()]
    for name in names[:: len(names) // count][:count]:
        (folder / f"{name}.skeleton").write_bytes(sample.text(name))
    return folder


def prepared(raw: Path, store: Path) -> Artifact:
    """The result of `prepare`."""
    flags = {"dataset.name": "ntu60", "run.raw": raw, "run.store": store}
    results, _ = pipeline.run_steps(Experiment(load(flags)), "prepare")
    return results["prepare"]


def plain(raw: Path, out: Path) -> dict[str, np.ndarray]:
    """The same by a plain reader."""
    clips = {p.stem: assemble(read_plain(p.read_bytes())) for p in sorted(raw.iterdir())}
    rows = [joints.reshape(-1, 25, 3) for joints in clips.values()]
    save_file({"joints": np.concatenate(rows)}, out)
    return clips


def speed(folder: Path, count: int) -> None:
    """Print the times of both readers, medians of five runs each, taken in turn."""
    raw = write(folder / "raw", count)
    prepared(write(folder / "few", 10), folder / "warm")  # modules are imported
    times: dict[str, list[float]] = {"plain": [], "prepare": []}
    for number in range(5):
        started = time.perf_counter()
        want = plain(raw, folder / "plain.safetensors")
        times["plain"].append(time.perf_counter() - started)
        started = time.perf_counter()
        artifact = prepared(raw, folder / f"store{number}")
        times["prepare"].append(time.perf_counter() - started)
    clips = ClipSet.open(artifact)
    for number, name in enumerate(clips.index.names):
        joints = clips.joints(number).numpy()[:, : want[name].shape[1]]
        np.testing.assert_array_equal(joints, want[name])
    size = sum(p.stat().st_size for p in raw.iterdir()) / count / 1000
    print(f"{count} clips of {size:.0f} kB on average; identical arrays")
    for who, seconds in times.items():
        runs = ", ".join(f"{s:.2f}" for s in seconds)
        print(f"{who:8s} {median(seconds):6.2f} s (runs: {runs})")
    print(f"ratio {median(times['plain']) / median(times['prepare']):.2f}")


def peak(folder: Path, count: int) -> None:
    """Print the largest memory of the reading processes and of the one that stores, MB."""
    raw = write(folder / f"raw{count}", count)
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.prepare",
        "--alone",
        str(raw),
        str(folder / f"store-{count}"),
    ]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    print(f"{count} clips: peak {found['self']:.0f} MB, readers {found['children']:.0f} MB each")


def alone(raw: Path, store: Path) -> None:
    """Prepare, and print the peak memory of this process and of the largest reader."""
    prepared(raw, store)
    who = {"self": resource.RUSAGE_SELF, "processes": resource.RUSAGE_CHILDREN}
    print(json.dumps({k: resource.getrusage(v).ru_maxrss / 1024 for k, v in who.items()}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--alone"]:
        alone(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as place:
            speed(Path(place), int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
            for clips in (200, 2000):
                peak(Path(place), clips)

"""Our dual-prompt head against its formulas as they read: python -m tests.benchmarks.head

B = 64, tokens [64, 16, 25, 256], 6 parts, m = 100, width 768, 8 heads, 60 classes. Times are
medians over interleaved repetitions (formulas, ours, formulas, ours, ...), in units of one
1024 x 1024 x 1024 float32 matrix product on the same threads. A training step is the loss and its
gradients; the optimiser is left out. Inference is the scores of all classes. bfloat16 is mixed
precision. Peak memory, of a process of its own each, is what a run adds to the model and its input.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from starcli.contracts import Problem, TextBank
from starcli.head.star import Star
from starcli_plugins.layouts import KINECT_V2
from tests.benchmarks.backbones import interleaved, unit
from tests.benchmarks.straight_head import StraightHead

CLASSES, UNSEEN, TEXT = 60, 5, 768
WHATS = ("inference", "training step")
PRECISIONS = ("float32", "bfloat16")


def heads(**sizes: Any) -> tuple[StraightHead, Star]:
    """The formulas and ours with the same weights."""
    parts = KINECT_V2.parts[6]
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(CLASSES, 1 + len(parts), TEXT, generator=generator)
    bank = TextBank(tuple(map(str, range(CLASSES))), ("name", *parts), vectors)
    seen = tuple(range(CLASSES - UNSEEN))
    unseen = tuple(range(CLASSES - UNSEEN, CLASSES))
    problem = Problem(KINECT_V2, parts, sizes.pop("token_dim", 256), bank, seen, unseen)
    ours = Star(Star.Settings(inference=0.5, **sizes), problem, seed=0)
    return StraightHead(ours), ours


def run_of(head: Any, what: str, precision: str, batch: int = 64) -> Callable[[], None]:
    """One run of a head on random tokens."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(batch, 16, len(KINECT_V2.joints), 256, generator=generator)
    targets = torch.randint(CLASSES - UNSEEN, (batch,), generator=generator)

    def mixed() -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")

    def infer() -> None:
        head.eval()
        with torch.inference_mode(), mixed():
            head.score(tokens)

    def train() -> None:
        head.train()
        head.zero_grad()
        with mixed():
            value = head.loss(tokens, targets)
        value.backward()

    return infer if what == "inference" else train


def peak(which: int, what: str, precision: str) -> float:
    """Megabytes that runs of one head add to the peak of this process."""
    head = heads()[which]
    head.zero_grad()
    run = run_of(head, what, precision)
    before = highest()
    run()
    run()
    return highest() - before


def highest() -> float:
    """Peak resident memory of this process in megabytes (Linux)."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def in_own_process(which: int, what: str, precision: str) -> float:
    """`peak` in a new process."""
    call = f"from tests.benchmarks.head import peak; print(peak({which}, {what!r}, {precision!r}))"
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Print the unit and, per precision and kind of run, times, their ratio and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    one = unit()
    print(f"unit {one * 1e3:.1f} ms; {given.threads} threads")
    print(f"{'':24}{'formulas':>9}{'ours':>8}{'ratio':>7}{'MB':>13}{'ours':>7}")
    pair = heads()
    for precision in PRECISIONS:
        for what in WHATS:
            runs: list[Callable[[], object]] = [run_of(head, what, precision) for head in pair]
            straight, ours = interleaved(runs, given.repeats)
            memory = [in_own_process(which, what, precision) for which in (0, 1)]
            print(
                f"{f'{precision} {what}':24}{straight / one:9.1f}{ours / one:8.1f}"
                f"{straight / ours:7.2f}{memory[0]:13.0f}{memory[1]:7.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""How long a stream takes to answer, and how well events of joined recordings meet the truth.

The first by the shipped model with the default plan, in milliseconds: of every frame, and of those
at which a window is over. The second on files made of six clips of UTD-MHAD one after the other, of
one test subject each, who goes on from where the clip before has left them; among the 27 names of
the data set. Nothing is chosen on them.

Run: python -m tests.benchmarks.streams SKELETON.zip
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import numpy as np
import torch

import starcli
from starcli.contracts import Clip, NoSettings
from starcli.poses import Poses
from starcli.prediction.events import Event
from starcli.prediction.model import TrainedModel
from starcli_plugins.datasets.utd_mhad import UtdMhad
from starcli_plugins.readers.arrays import Arrays

FPS = 30.0
SUBJECTS = ("s2", "s4", "s6", "s8")
"""Those who test."""
SIX = [range(first, 24, 4) for first in range(4)]
"""The classes of a recording."""


class Span(NamedTuple):
    """What is done from when to when."""

    start: float
    end: float
    name: str


def joined(clips: Sequence[Clip]) -> tuple[np.ndarray, list[Span]]:
    """Clips one after the other [T, 1, V, 3], and when each begins and ends."""
    parts, truth, place, end = list[np.ndarray](), list[Span](), None, 0
    for clip in clips:
        joints = clip.joints[:, :1].astype(np.float64)
        hips = joints[:, 0, UtdMhad.layout.origin] * (1, 0, 1)
        parts.append(joints + (0 if place is None else place - hips[0]))
        place = parts[-1][-1, 0, UtdMhad.layout.origin] * (1, 0, 1)
        truth.append(Span(end / FPS, (end + len(joints)) / FPS, UtdMhad.classes[clip.label]))
        end += len(joints)
    return np.concatenate(parts), truth


def recordings(raw: Path) -> Iterator[tuple[np.ndarray, list[Span]]]:
    """Six clips of each of four subjects, four times: first takes of classes in their order."""
    source, clips = UtdMhad(NoSettings()), dict[tuple[str, int], Clip]()
    for recording in source.recordings(raw):
        for clip in source.clips(recording):
            clips.setdefault((clip.subject, clip.label), clip)
    for subject in SUBJECTS:
        for labels in SIX:
            yield joined([clips[subject, label] for label in labels])


def overlap(event: Event, span: Span) -> float:
    return min(event["end"] or 0.0, span.end) - max(event["start"], span.start)


def accuracy(model: TrainedModel, raw: Path, windows: float) -> str:
    """How often the events of joined recordings have the right name, start and end."""
    right, starts, ends, timed, whole, counts = 0, [0.0], [0.0], 0.0, 0.0, list[int]()
    starts.clear()
    ends.clear()
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        for joints, truth in recordings(raw):
            file = Path(folder) / "joined.npz"
            Arrays(NoSettings()).write_sample(Poses(joints, "kinect-v1", fps=FPS), file)
            found = starcli.events(
                model,
                file,
                actions=UtdMhad.classes,
                windows=windows,
                layout="kinect-v1",
                up="y",
                unit="m",
            )
            counts.append(len(found["events"]))
            for span in truth:
                total += 1
                whole += span.end - span.start
                own = [e for e in found["events"] if e["name"] == span.name]
                timed += sum(max(0.0, overlap(e, span)) for e in own)
                most = max(found["events"], key=lambda e: overlap(e, span), default=None)
                if most and overlap(most, span) > 0 and most["name"] == span.name:
                    right += 1
                    starts.append(abs(most["start"] - span.start))
                    ends.append(abs((most["end"] or 0.0) - span.end))
    return (
        f"windows of {windows:g} s: {right} of {total} names right, {timed / whole:.1%} of the "
        f"time; starts {median(starts):.2f} s and ends {median(ends):.2f} s away (medians); "
        f"{mean(counts):.1f} events a recording of 6"
    )


def speed(model: TrainedModel, raw: Path) -> str:
    """Milliseconds of frames, and of those at which a window is over."""
    joints = np.concatenate([joints for joints, _ in recordings(raw)])[:, 0].tolist()
    stream = starcli.stream(model, layout="kinect-v1")
    plain, steps = list[float](), list[float]()
    for number, person in enumerate(joints):
        begun = time.perf_counter()
        windows = number and number % FPS == 0 and number >= 2 * FPS
        stream.feed({"time": number / FPS, "persons": [person]})
        (steps if windows else plain).append(1000 * (time.perf_counter() - begun))
    warm = sorted(steps[5:])
    return (
        f"{len(plain)} frames, {len(steps)} windows, {torch.get_num_threads()} threads: "
        f"{median(plain):.2f} ms a frame, {median(warm):.1f} ms a step "
        f"({warm[len(warm) * 95 // 100]:.1f} at most in 95 %)"
    )


if __name__ == "__main__":
    shipped = starcli.load("general")
    print(speed(shipped, Path(sys.argv[1])))
    for seconds in (1.5, 2.0, 3.0):
        print(accuracy(shipped, Path(sys.argv[1]), seconds))

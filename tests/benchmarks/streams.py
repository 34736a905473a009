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
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import numpy as np
import torch

import starcli
from starcli.contracts import Clip, NoSettings
from starcli.evaluation import confidence
from starcli.evaluation.confidence import Confidence
from starcli.poses import Poses
from starcli.prediction.model import TrainedModel
from starcli.prediction.predictor import Predictor
from starcli.prediction.question import EventOptions
from starcli.prediction.reader import Incoming, Reader
from starcli.prediction.timeline import FoundEvent
from starcli_plugins.datasets.movements.source import Movements
from starcli_plugins.datasets.utd_mhad import UtdMhad
from starcli_plugins.readers.arrays import Arrays

FPS = 30.0
FALSE_ALARMS = 0.05
WARM = 5
"""Windows before those that are timed."""
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


def calibrated(model: TrainedModel) -> TrainedModel:
    """A model with a temperature and a threshold; from made-up clips where it has none itself.

    They are two of each name that it knows by its text only, of a seed that it did not learn from.
    """
    if model.confidence.threshold is not None:
        return model
    source = Movements(Movements.Settings(clips=2, seed=1, layout="openni-15"))
    reader = Reader(model.source, model.normalise, model.persons)
    made = [clip for recording in source.recordings(None) for clip in source.clips(recording)]
    chosen = [clip for clip in made if clip.label in model.unseen]
    read = [reader._incoming(Path(), clip.name, clip.joints) for clip in chosen]
    clips = [clip for clip in read if isinstance(clip, Incoming)]
    scores = Predictor(model).scores(clips).double().numpy()
    truth = np.array([clip.label for clip in chosen])
    own = scores[np.arange(len(truth)), truth]
    return replace(
        model,
        confidence=Confidence(
            temperature=confidence.temperature([(scores, truth)]),
            threshold=confidence.lowest(own, FALSE_ALARMS),
            false_alarms=FALSE_ALARMS,
        ),
    )


class Met(NamedTuple):
    """How an action of a recording was met: its share of the time, and by the longest event."""

    share: float
    right: bool
    start: float
    end: float


def met(span: Span, events: Sequence[FoundEvent]) -> Met:
    """How the events of a recording meet one of its actions."""

    def common(event: FoundEvent) -> float:
        return max(0.0, min(event["end"] or 0.0, span.end) - max(event["start"], span.start))

    share = sum(common(event) for event in events if event["name"] == span.name)
    most = max(events, key=common, default=None)
    if most is None or not common(most):
        return Met(0.0, False, 0.0, 0.0)
    starts, ends = abs(most["start"] - span.start), abs((most["end"] or 0.0) - span.end)
    return Met(share / (span.end - span.start), most["name"] == span.name, starts, ends)


def accuracy(model: TrainedModel, raw: Path, windows: float) -> str:
    """How often the events of joined recordings have the right name, start and end."""
    every, counts = list[Met](), list[int]()
    with tempfile.TemporaryDirectory() as folder:
        for joints, truth in recordings(raw):
            file = Path(folder) / "joined.npz"
            Arrays(NoSettings()).write_sample(Poses(joints, "kinect-v1", fps=FPS), file)
            said: EventOptions = {"layout": "kinect-v1", "up": "y", "unit": "m"}
            said |= {"actions": UtdMhad.classes, "windows": windows}
            found = starcli.events(model, file, **said)
            counts.append(len(found["events"]))
            every += [met(span, found["events"]) for span in truth]
    right = [each for each in every if each.right]
    return (
        f"windows of {windows:g} s: {len(right)} of {len(every)} names right, "
        f"{mean(each.share for each in every):.1%} of the time; of those right starts "
        f"{median(each.start for each in right):.2f} s and ends "
        f"{median(each.end for each in right):.2f} s away; {mean(counts):.1f} events a recording"
    )


def speed(model: TrainedModel, raw: Path) -> str:
    """Milliseconds of frames, and of those at which a window is over."""
    joints = np.concatenate([joints for joints, _ in recordings(raw)])[:, 0].tolist()
    stream = starcli.stream(model, layout="kinect-v1")
    plain, steps = list[tuple[float, float]](), list[tuple[float, float]]()
    for number, person in enumerate(joints):
        begun = time.perf_counter(), time.process_time()
        stream.feed({"time": number / FPS, "persons": [person]})
        took = 1000 * (time.perf_counter() - begun[0]), 1000 * (time.process_time() - begun[1])
        is_step = number >= 2 * FPS and number % FPS == 0
        (steps if is_step else plain).append(took)
    frame, step = (
        [median(each) for each in zip(*times, strict=True)] for times in (plain, steps[WARM:])
    )
    return (
        f"{len(plain)} frames, {len(steps)} windows, {torch.get_num_threads()} threads: "
        f"{frame[0]:.2f} ms a frame, {frame[1]:.2f} of them computing; "
        f"{step[0]:.1f} ms a step, {step[1]:.1f} of them computing"
    )


if __name__ == "__main__":
    shipped = calibrated(starcli.load("general"))
    print(speed(shipped, Path(sys.argv[1])))
    for seconds in (1.5, 2.0, 3.0):
        print(accuracy(shipped, Path(sys.argv[1]), seconds))

"""A made-up data set: 30 actions of a simulated body, each a composition of part motions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from starcli.contracts import Clip, Recording, Subset
from starcli.totals import Totals, per_class
from starcli_plugins.datasets import SMALL
from starcli_plugins.datasets.simulated.body import AXES, INDEX, Array, Body, turned
from starcli_plugins.datasets.simulated.motions import ACTIONS, FOLD, PRIMITIVES, Primitive, Wave
from starcli_plugins.layouts import KINECT_V2

FPS = 30
VIEWS = (0.0, 45.0, -45.0)
"""Yaw of cameras 1, 2 and 3, degrees."""
TEST_VIEW = 1
NAME = "S000C{:03d}P{:03d}R{:03d}A{:03d}"
"""View, subject, repetition, action, counted from 1."""
CAMERA_HEIGHT = 1.0
"""Metres above the floor."""
SLIP = 0.35
"""Largest share of another primitive that slips into a performance."""
HABIT, WOBBLE = 5.0, 4.0
"""Standard deviations of a subject's posture and of unsteadiness, degrees."""


@dataclass(frozen=True)
class Performer:
    """One subject's body and habits.

    Args:
        body: Limb lengths.
        posture: Constant offsets of all angles, degrees, [V, S].
        tempo: Cycles per second when unhurried.
        vigour: Factor on the range of movements.
    """

    body: Body
    posture: Array
    tempo: float
    vigour: float

    @classmethod
    def of(cls, seed: int, subject: int) -> Performer:
        """The subject of this number, counted from 1; independent of all other subjects."""
        rng = np.random.default_rng([seed, subject])
        scale, *proportions = 1 + np.array([0.06, 0.03, 0.03, 0.03, 0.06]) * rng.normal(size=5)
        return cls(
            body=Body.of(scale, *proportions),
            posture=rng.normal(0, HABIT, (len(INDEX), 3)),
            tempo=rng.uniform(0.85, 1.35),
            vigour=rng.uniform(0.65, 1.1),
        )


def smooth(rng: np.random.Generator, shape: tuple[int, ...], width: int) -> Array:
    """Noise of standard deviation 1, correlated over `width` steps of the first axis."""
    white = rng.normal(size=(shape[0] + width, *shape[1:]))
    total = white.cumsum(0)
    change: Array = (total[width:] - total[:-width]) / np.sqrt(width)
    return change


def _course(wave: Wave, phase: Array) -> Array:
    """The wave at phases in cycles, [frames]."""
    angle = 2 * np.pi * phase
    if wave == "pulse":
        return np.asarray((1 - np.cos(angle)) / 2)
    return np.asarray(np.sin(angle) if wave == "sine" else np.sin(angle).clip(0))


def _entry(rng: np.random.Generator, frames: int) -> Array:
    """How far the performer has gone from standing at rest to the action, [frames].

    Half of the recordings start in the middle of the action, half on the way to it.
    """
    ramp = np.linspace(0, frames / FPS, frames) / rng.uniform(0.4, 0.9)
    return np.asarray((ramp + rng.uniform(0, 2)).clip(0, 1) ** 2)


def angles_of(primitive: Primitive, phase: Array, hold: float = 1, swing: float = 1) -> Array:
    """What a primitive adds to the angles at rest.

    Args:
        primitive: The motion of a part.
        phase: Cycles gone by, [frames].
        hold: Factor on its constant angles.
        swing: Factor on its changing angles.

    Returns:
        Angles about `AXES`, degrees, [frames, V, S].
    """
    angles = np.zeros((len(phase), len(INDEX), 3))
    for turn in primitive.turns:
        value = hold * turn.hold + swing * turn.swing * _course(turn.wave, phase + turn.phase)
        angles[:, INDEX[turn.joint], AXES.index(turn.axis)] += value
    return angles


def perform(performer: Performer, parts: Mapping[str, str], rng: np.random.Generator) -> Array:
    """One performance in the body frame.

    Args:
        performer: Who performs it.
        parts: Part -> name of its primitive.
        rng: Decides on length, tempo, phases, range, start and slips.

    Returns:
        Positions, metres, [frames, V, S].
    """
    frames = int(rng.integers(40, 101))
    time = (np.arange(frames) + smooth(rng, (frames,), 8)) / FPS
    tempo = performer.tempo * rng.uniform(0.85, 1.2)
    motion = np.zeros((frames, len(INDEX), 3))
    for part, name in parts.items():
        cycles = time * tempo * rng.uniform(0.9, 1.1) + rng.uniform()
        primitive = PRIMITIVES[part][name]
        hold, swing = rng.uniform(0.7, 1.1), performer.vigour * rng.uniform(0.65, 1.15)
        motion += angles_of(primitive, cycles * primitive.rate, hold, swing)
        # Nobody is exact: a faint trace of something else that the part could do.
        slip = PRIMITIVES[part][str(rng.choice(list(PRIMITIVES[part])))]
        motion += angles_of(slip, cycles, *rng.uniform(0, SLIP, 2))
    posture = REST + performer.posture + WOBBLE * smooth(rng, motion.shape, 30)
    angles = posture + _entry(rng, frames)[:, None, None] * motion
    return performer.body.joints(np.deg2rad(angles))


def film(joints: Array, view: int, rng: np.random.Generator, noise: float) -> Array:
    """A performance as a camera records it.

    Args:
        joints: Positions in the body frame, metres, [frames, V, S].
        view: Camera, counted from 1.
        rng: Decides on the place of the performer and the sensor noise.
        noise: Standard deviation of the sensor noise, metres.

    Returns:
        Positions in the camera frame, metres, y up and z away from it, [frames, V, S].
    """
    yaw = np.deg2rad(VIEWS[view - 1] + rng.normal(0, 5))
    place = np.array([rng.uniform(-0.2, 0.2), -CAMERA_HEIGHT, rng.uniform(2.8, 3.2)])
    # Half of a Kinect's error stays for several frames, half is new in each.
    error = smooth(rng, joints.shape, 6) + smooth(rng, joints.shape, 1)
    filmed: Array = turned(joints, yaw) + place + noise * np.sqrt(0.5) * error
    return filmed


def _rest() -> Array:
    """Angles of a person who stands at ease, degrees, [V, S]."""
    rest = np.zeros((len(INDEX), 3))
    for side in ("left", "right"):
        rest[INDEX[f"{side} shoulder"], AXES.index("spread")] = 8
        rest[INDEX[f"{side} elbow"], AXES.index("bend")] = 14
    return rest


REST = _rest()


class Simulated:
    """The embedded data set: nothing to download, made on the fly from its settings."""

    class Settings(BaseModel):
        """Size, seed and sensor of the simulation."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        subjects: int = Field(8, ge=2, le=100, description="number of subjects")
        repetitions: int = Field(
            1, ge=1, le=100, description="performances of an action per subject and view"
        )
        seed: int = Field(0, ge=0, lt=2**32, description="seed of bodies, motions and noise")
        noise: float = Field(
            0.01, ge=0, le=0.2, description="standard deviation of the sensor noise, metres"
        )

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    preset: ClassVar[Mapping[str, Any]] = {
        "dataset.protocol": "xsub",
        "dataset.split": "fold0",
        "pretrain.epochs": 15,
        # Tokens that see neighbouring joints alone, as nested runs like them best: less work, too.
        "backbone.st-gcn.widths": (128,),
        "backbone.st-gcn.strides": (4,),
        **SMALL,
    }
    request: ClassVar[str | None] = None
    fps: ClassVar[float | None] = FPS
    layout = KINECT_V2
    classes = tuple(ACTIONS)
    protocols = ("xsub", "xview")
    splits: Mapping[str, tuple[int, ...]] = {
        f"fold{start // FOLD}": tuple(range(start, start + FOLD))
        for start in range(0, len(ACTIONS), FOLD)
    }

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def totals(self) -> Totals:
        """What its settings ask for."""
        names = [recording.name for recording in self.recordings(None)]
        numbers = map(_numbers, names)
        clips = ((action - 1, _subsets(view, subject)) for view, subject, _, action in numbers)
        return Totals(
            clips=len(names),
            subjects=self.settings.subjects,
            views=len(VIEWS),
            subsets=per_class(clips, len(self.classes)),
            names=lambda: names,
        )

    def files(self, raw: Path) -> Sequence[Path]:
        """No files: the clips are made on the fly."""
        return ()

    def recordings(self, raw: Path | None) -> Sequence[Recording]:
        """One for each performance, in name order; `raw` is not read."""
        numbers = itertools.product(
            range(1, len(VIEWS) + 1),
            range(1, self.settings.subjects + 1),
            range(1, self.settings.repetitions + 1),
            range(1, len(self.classes) + 1),
        )
        return [Recording(NAME.format(*each), Path()) for each in numbers]

    def clips(self, recording: Recording) -> Iterator[Clip]:
        """The clip of a performance."""
        settings = self.settings
        view, subject, repetition, action = _numbers(recording.name)
        rng = np.random.default_rng([settings.seed, action - 1, subject, view, repetition])
        performer = Performer.of(settings.seed, subject)
        parts = ACTIONS[self.classes[action - 1]]
        joints = film(perform(performer, parts, rng), view, rng, settings.noise)
        yield Clip(
            name=recording.name,
            joints=joints[:, None].astype(np.float32),
            label=action - 1,
            subsets=_subsets(view, subject),
            subject=f"P{subject:03d}",
        )

    def write_sample(self, raw: Path) -> None:
        """Nothing to write: the clips are made on the fly."""


def _numbers(name: str) -> tuple[int, int, int, int]:
    """View, subject, repetition and action of a performance, counted from 1."""
    view, subject, repetition, action = map(int, re.findall(r"\d{3}", name)[1:])
    return view, subject, repetition, action


def _subsets(view: int, subject: int) -> dict[str, Subset]:
    return {
        "xsub": "train" if subject % 2 else "test",
        "xview": "test" if view == TEST_VIEW else "train",
    }

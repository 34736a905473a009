"""Clips composed of movements: without end, without a disk, and the same for the same seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field

from starcli.errors import UsageError, suggest
from starcli_plugins.datasets.movements import entries
from starcli_plugins.datasets.movements.entries import (
    PARTS,
    RESTING,
    SIDES,
    Driver,
    Movement,
    Part,
    Side,
    both_forms,
)
from starcli_plugins.datasets.movements.kinematics import (
    Array,
    Body,
    Targets,
    pose,
)
from starcli_plugins.datasets.movements.sensors import SensorSettings, recorded
from starcli_plugins.datasets.movements.stage import Act, Plan, Stage, StageSettings
from starcli_plugins.datasets.simulated.body import INDEX

MAIN: Mapping[str, float] = {"arms": 0.62, "legs": 0.26, "trunk": 0.09, "": 0.03}
"""How often the main act is of a driver; empty: any movement."""
BESIDE: Mapping[Driver, Mapping[str, float]] = {
    "arms": {"hang": 0.70, "on-hips": 0.06, "crossed": 0.04, "carry": 0.04, "": 0.16},
    "trunk": {"upright": 0.82, "head-down": 0.05, "lean-forward": 0.03, "": 0.10},
    "legs": {"stand-still": 0.68, "seated": 0.10, "apart": 0.06, "walk": 0.07, "": 0.09},
}
"""What the others do beside a main act that needs nothing of them; empty: anything possible."""
SWING = "swing-walk"
"""What a free arm does while the legs walk."""
MIRRORED = [
    INDEX[name.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")]
    for name in INDEX
]
"""For each joint, the same one of the other side."""
DEEP = -0.5
"""A pelvis lower than this touches the floor or nearly so: its movement has one size only."""


class Settings(SensorSettings, StageSettings):
    """Bodies, courses, cameras and sensors of composed clips."""

    without: frozenset[str] = Field(
        frozenset(), description="movements left out, with all they go along with"
    )
    children: float = Field(0.2, ge=0, le=1, description="share of bodies that are children's")
    beside: float = Field(1, ge=0, le=1, description="share of clips in which other parts act too")
    mirrored: float = Field(0.5, ge=0, le=1, description="share of clips whose acting side is left")
    cut: float = Field(0.5, ge=0, le=1, description="share of single acts cut at either end")
    begun: float = Field(0.5, ge=0, le=1, description="share of repeated acts that begin at rest")
    ended: float = Field(0.25, ge=0, le=1, description="share of repeated acts that end at rest")
    tempo: tuple[float, float] = Field((0.75, 1.35), description="range of factors on the speed")
    gain: tuple[float, float] = Field((0.85, 1.08), description="range of factors on the size")
    elbows: tuple[float, float] = Field(
        (0.8, 1.0), description="factor on the upper arm, the forearm takes the rest"
    )
    rates: tuple[float, ...] = Field((30.0, 30.0, 30.0, 25.0, 20.0, 15.0), min_length=1)


@dataclass(frozen=True)
class Composed:
    """A made-up clip and all that is true of it.

    Args:
        joints: float32 [T, 1, 25, 3], metres, y up, z away from the camera, layout kinect-v2.
        rate: Frames a second.
        names: What the main act is called, the side named or not.
        sentences: Part -> all sentences that are true of it.
        movements: Ids of the movements in it, the main act first.
        side: The side that acts.
    """

    joints: npt.NDArray[np.float32]
    rate: float
    names: tuple[str, ...]
    sentences: Mapping[Part, tuple[str, ...]]
    movements: tuple[str, ...]
    side: Side


class Composer:
    """A source of made-up clips.

    Args:
        settings: Bodies, courses, cameras and sensors.
        movements: What there is to compose; those of the package where it is None.

    Raises:
        UsageError: A movement to leave out is unknown.
    """

    def __init__(
        self, settings: Settings | None = None, movements: Mapping[str, Movement] | None = None
    ) -> None:
        self.settings = settings or Settings()
        self.movements = entries.movements() if movements is None else movements
        for name in sorted(self.settings.without - self.movements.keys()):
            raise UsageError(f"no movement '{name}' to leave out", suggest(name, self.movements))
        self._mains: dict[str, list[str]] = {"arms": [], "trunk": [], "legs": []}
        self._beside: dict[Driver, list[str]] = {"arms": [], "trunk": [], "legs": []}
        for name, movement in self.movements.items():
            if not movement.names or self.settings.without & {name, *movement.companions}:
                continue
            self._mains[movement.driver].append(name)
            if len(movement.slots) == 1 and not movement.companions and movement.kind != "once":
                self._beside[movement.driver].append(name)
        self._swings = SWING in self.movements and SWING not in self.settings.without
        self._plans: dict[str, Plan] = {}

    def mains(self) -> list[str]:
        """Ids of the movements that a clip can be of."""
        return [name for names in self._mains.values() for name in names]

    def sentences(self) -> dict[Part, tuple[str, ...]]:
        """Part -> every sentence that may be true of it in a clip."""
        every: dict[Part, dict[str, None]] = {part: {} for part in PARTS}
        met = (name for name in self.movements if name not in self.settings.without)
        for name in (*met, *(self.settings.without & set(RESTING.values()))):
            for side in SIDES:
                for part, texts in self._sentences([name], side).items():
                    every[part] |= dict.fromkeys(texts)
        return {part: tuple(texts) for part, texts in every.items()}

    def clip(self, seed: int, main: str | None = None) -> Composed:
        """The clip of a seed, the same on every machine.

        Args:
            seed: Any number from 0 on.
            main: The movement that it is of; chosen at random where it is None.
        """
        rng = np.random.Generator(np.random.PCG64(seed))
        settings = self.settings
        cast = self._cast(rng, main)
        rate = settings.rates[int(rng.integers(len(settings.rates)))]
        side: Side = "left" if rng.random() < settings.mirrored else "right"
        body = _body(rng, settings)
        time, acts = self._course(rng, cast, rate)
        joints = pose(body, self._targets(rng, body, time, acts))
        if side == "left":
            joints = joints[:, MIRRORED] * np.array([-1.0, 1.0, 1.0])
        filmed = recorded(rng, settings, joints)
        return Composed(
            joints=filmed[:, None].astype(np.float32),
            rate=rate,
            names=both_forms(self.movements[cast[0]].names, side),
            sentences=self._sentences(cast, side),
            movements=tuple(cast),
            side=side,
        )

    def _cast(self, rng: np.random.Generator, main: str | None) -> list[str]:
        """The movements of a clip, the main act first; together they speak of every part."""
        if main is None:
            driver = _choice(rng, MAIN)
            pool = self._mains.get(driver) or self.mains()
            main = _choice(rng, {name: self.movements[name].weight for name in pool})
        cast = [main, *self.movements[main].companions]
        taken = {slot for name in cast for slot in self.movements[name].slots}
        order: tuple[Driver, ...] = ("legs", "arms", "trunk")
        acts = main not in RESTING.values() and rng.random() < self.settings.beside
        for driver in order:
            if driver not in taken:
                cast += self._other(rng, driver, taken) if acts else [RESTING[driver]]
                taken |= {slot for name in cast for slot in self.movements[name].slots}
        if self._swings and any(self.movements[name].gait for name in cast):
            cast = [SWING if name == RESTING["arms"] else name for name in cast]
        return cast

    def _other(self, rng: np.random.Generator, driver: Driver, taken: set[Driver]) -> list[str]:
        """What a driver does that the main act leaves alone."""
        name = _choice(rng, BESIDE[driver])
        pool = self._beside[driver]
        if not name and pool:
            name = pool[int(rng.integers(len(pool)))]
        movement = self.movements.get(name)
        others = {} if movement is None else {n: self.movements[n] for n in movement.companions}
        slots = {slot for each in others.values() for slot in each.slots}
        if movement is None or name in self.settings.without or (movement.slots & taken):
            return [RESTING[driver]]
        return [name] if slots & taken else [name, *others]

    def _course(
        self, rng: np.random.Generator, cast: Sequence[str], rate: float
    ) -> tuple[Array, list[Act]]:
        """Times of the frames in seconds, and how far each movement is at them."""
        settings = self.settings
        main = self.movements[cast[0]]
        tempo = rng.uniform(*settings.tempo)
        act = main.act / tempo
        before, after = rng.uniform(0.1, 0.7, 2)
        if main.kind == "once":
            seconds = before + act + after
        else:
            seconds = max(rng.uniform(1.8, 4.2), 2 * act if main.kind == "loop" else 0)
        seconds = min(seconds, *(self._crossing(rng, name) for name in cast))
        start, end = 0.0, seconds
        if main.kind == "once":
            if rng.random() < settings.cut:
                start = rng.uniform(0, before + 0.4 * act)
            if rng.random() < settings.cut:
                end -= rng.uniform(0, after + 0.45 * act)
        time = start + np.arange(max(round((end - start) * rate), 8)) / rate
        whole, cycle = np.clip((time - before) / act, 0, 1), rng.random() + time / act
        share = np.ones(len(time))
        if main.kind != "once" and main.driver != "legs":
            share = self._taken_up(rng, time)
        acts = []
        for name in cast:
            movement = self.movements[name]
            gain = 1.0 if _touches(movement) else rng.uniform(*settings.gain)
            at = whole
            if movement.kind == "loop":
                own = rng.random() + time * rng.uniform(*settings.tempo) / movement.act
                at = cycle if main.kind == "loop" and name in (cast[0], *main.companions) else own
            own_way = movement.kind == "once" or name not in (cast[0], *main.companions)
            whole_time = own_way or movement.driver == "legs" or movement.frame != "chest"
            taken_up = np.ones(len(time)) if whole_time else share
            acts.append(Act(movement, self._plan(name), at, gain, taken_up))
        return time, acts

    def _taken_up(self, rng: np.random.Generator, time: Array) -> Array:
        """How far what is repeated or held is taken up: from rest on, or all the time."""
        share = np.ones(len(time))
        if rng.random() < self.settings.begun:
            start = time[0] + rng.uniform(-0.2, 0.5) * (time[-1] - time[0])
            share *= _smooth((time - start) / rng.uniform(0.3, 0.8))
        if rng.random() < self.settings.ended:
            end = time[-1] - rng.uniform(-0.2, 0.4) * (time[-1] - time[0])
            share *= _smooth((end - time) / rng.uniform(0.3, 0.8))
        return share

    def _crossing(self, rng: np.random.Generator, name: str) -> float:
        """Seconds until a walk has come as far as a room is wide."""
        gait = self.movements[name].gait
        speed = 0.0 if gait is None else np.hypot(gait.forward, gait.sideways)
        way = rng.uniform(2.5, 6)
        return 60.0 if speed < 0.1 else max(float(way / speed), 1.5)

    def _targets(
        self, rng: np.random.Generator, body: Body, time: Array, acts: Sequence[Act]
    ) -> Targets:
        """What drives the body: its own stance, and what every act adds."""
        stage = Stage(rng, body, time, self.settings)
        walks = [act for act in acts if act.movement.gait]
        swing = self.movements[SWING] if self._swings else None
        for act in acts:
            if not (walks and act.movement is swing):
                stage.perform(act)
        if walks:
            stage.stride(walks[0])
            if swing:
                stage.swing(self._plan(SWING), walks[0])
        return stage.targets()

    def _plan(self, name: str) -> Plan:
        if name not in self._plans:
            self._plans[name] = Plan.of(self.movements[name])
        return self._plans[name]

    def _sentences(self, cast: Sequence[str], side: Side) -> dict[Part, tuple[str, ...]]:
        """Part -> all that is true of it, with sides named and not."""
        walks = any(self.movements[name].gait for name in cast)
        out: dict[Part, tuple[str, ...]] = {}
        for part in PARTS:
            texts: list[str] = []
            for name in cast:
                movement = self.movements[name]
                own = movement.sentences(part)
                texts += own
                if not walks and part in ("hand", "arm") and _one_handed(movement):
                    end = "hand hangs still" if part == "hand" else "arm hangs down"
                    texts += [f"{text[:-1]}, {{b}} {end}." for text in own]
            out[part] = both_forms(texts, side)
        return out


def _smooth(at: Array) -> Array:
    at = np.clip(at, 0, 1)
    return np.asarray(at * at * (3 - 2 * at))


def _one_handed(movement: Movement) -> bool:
    arms = {side for channel, side in movement.limbs if channel == "wrist"}
    return movement.sided and movement.driver == "arms" and arms == {0}


def _touches(movement: Movement) -> bool:
    """Whether a movement reaches the floor with more than its feet, and so has one size only."""
    pelvis = movement.central.get("pelvis")
    return movement.frame == "floor" or (pelvis is not None and pelvis[:, 2].min() < DEEP)


def _choice(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    at, names = rng.random() * sum(weights.values()), list(weights)
    for name in names[:-1]:
        at -= weights[name]
        if at < 0:
            return name
    return names[-1]


def _body(rng: np.random.Generator, settings: Settings) -> Body:
    """An adult or a child."""
    child = rng.random() < settings.children
    scale, *proportions = 1 + np.array([0.06, 0.03, 0.03, 0.03, 0.06]) * rng.normal(size=5).clip(
        -2.5, 2.5
    )
    arms, legs, trunk, width = proportions
    if child:
        # Children have shorter legs for their size.
        scale, legs, trunk = scale * rng.uniform(0.62, 0.85), legs * 0.95, trunk * 1.03
    return Body.of(scale, arms, legs, trunk, width).with_elbows(rng.uniform(*settings.elbows))

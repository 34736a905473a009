"""The course of one clip: what its movements add to a body's own stance, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from starcli_plugins.datasets.movements.courses import follow
from starcli_plugins.datasets.movements.entries import Movement
from starcli_plugins.datasets.movements.gait import walk
from starcli_plugins.datasets.movements.kinematics import (
    OUT,
    Array,
    Body,
    Targets,
    level_foot,
    turned,
)

HANG = np.array([0.1, -0.975, 0.06])
"""Where the wrist of a hanging arm is, arm lengths from the shoulder."""
FULL = 1.015
"""Factor on wrist points: those of a stretched arm are written with 0.98 arm lengths or so."""
LOWEST = 0.1
"""Metres above the floor below which no pelvis comes."""


class StageSettings(BaseModel):
    """How loosely a body meets the points of its movements."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    loose: float = Field(0.06, ge=0, le=0.3, description="points vary by so many arm lengths")
    aside: float = Field(0.08, ge=0, le=0.3, description="all points of a clip lie so far aside")
    untimely: float = Field(0.03, ge=0, le=0.1, description="times vary by such a share of an act")
    swivel: float = Field(15.0, ge=0, le=60, description="deviation of elbows, degrees")
    along: float = Field(0.5, ge=0, le=1, description="share of clips whose free arms lean along")


@dataclass(frozen=True)
class Act:
    """A movement in the course of a clip.

    Args:
        movement: The movement.
        plan: Its points, ready to be followed.
        at: Share of the act, or cycles, gone by at each frame, [T].
        gain: Factor on its size.
        share: How far it is taken up at each frame: 0 at rest, 1 in full, [T].
    """

    movement: Movement
    plan: Plan
    at: Array
    gain: float
    share: Array


@dataclass(frozen=True)
class Plan:
    """The points of a movement with those of rest added, ready to be followed.

    Args:
        central: Channel -> times [K] and points [K, n] of pelvis, trunk and neck.
        limbs: Channel and side -> the same.
        repeats: Whether it is a loop.
    """

    central: Mapping[str, tuple[Array, Array]]
    limbs: Mapping[tuple[str, int], tuple[Array, Array]]
    repeats: bool

    @classmethod
    def of(cls, movement: Movement) -> Plan:
        """The plan of a movement."""
        return cls(
            {name: _whole(movement, name, points) for name, points in movement.central.items()},
            {key: _whole(movement, key[0], points) for key, points in movement.limbs.items()},
            movement.kind == "loop",
        )


def _whole(movement: Movement, name: str, points: Array) -> tuple[Array, Array]:
    """Times and points, from rest to rest or around once."""
    times, points = points[:, 0], points[:, 1:]
    if movement.kind == "loop" and len(times) > 1:
        return np.append(times, times[0] + 1), np.concatenate([points, points[:1]])
    if movement.kind == "once":
        rest = HANG[None] if name == "wrist" else np.zeros((1, points.shape[1]))
        if times[0] > 0:
            times, points = np.append(0.0, times), np.concatenate([rest, points])
        if times[-1] < 1:
            times, points = np.append(times, 1.0), np.concatenate([points, rest])
    return times, points


def _sized(points: Array, gain: float) -> Array:
    """Wrist points with the size of a clip; what is said to be stretched stays nearly so."""
    length = np.sqrt((points * points).sum(1, keepdims=True))
    bent = 1 - 0.7 * np.clip((length - 0.6) / 0.4, 0, 1)
    return np.asarray(points * FULL * (1 + (gain - 1) * bent))


class Stage:
    """The targets of one clip in the making.

    Args:
        rng: Decides on stance, unsteadiness and how loosely points are met.
        body: Who acts.
        time: Seconds at each frame, [T].
        settings: How loosely.
    """

    def __init__(
        self, rng: np.random.Generator, body: Body, time: Array, settings: StageSettings
    ) -> None:
        self.rng, self.body, self.time, self.settings = rng, body, time, settings
        frames = len(time)
        self.wide = body.stance + body.unit * rng.uniform(-0.02, 0.05)
        self.yaws = np.deg2rad(rng.uniform(2, 12)) * np.broadcast_to(OUT, (frames, 2))
        lazy = rng.normal(size=(2, 3)) * np.array([0.03, 0.01, 0.05])
        self.wrists = np.broadcast_to(HANG + lazy, (frames, 2, 3)).copy()
        self.aside = np.zeros(3)
        if settings.aside:
            self.aside = settings.aside * rng.normal(size=3) * np.array([0.5, 1.0, 0.7])
        # Arms that do nothing hang straight down, or along a trunk that leans.
        self.upright = np.full(2, float(rng.random() >= settings.along))
        self.pinned = np.zeros(2, np.bool_)
        self.free_arms = np.ones(2, np.bool_)
        self.shoulders = np.zeros((frames, 2))
        swivel = np.deg2rad(settings.swivel) * rng.normal(size=2)
        self.elbows = np.broadcast_to(swivel, (frames, 2)).copy()
        self.ankles = np.zeros((frames, 2, 3))
        self.knees, self.toes = np.zeros((frames, 2)), np.zeros((frames, 2))
        self.heels = np.zeros((frames, 2))
        self.pelvis = np.zeros((frames, 3))
        self.placed = False
        sway = self._unsteady(6)
        self.trunk = (
            np.deg2rad(rng.normal(size=3) * [2.5, 1.0, 2.0]) + np.deg2rad(0.8) * sway[:, :3]
        )
        self.neck = np.deg2rad(rng.normal(size=3) * [4, 2, 4]) + np.deg2rad(1.2) * sway[:, 3:]
        self.heading = np.zeros(frames)
        self.steps: tuple[Array, Array, Array, Array] | None = None

    def _unsteady(self, count: int) -> Array:
        """Slow unsteadiness, about 1 large, [T, count]."""
        speed, phase = self.rng.uniform(1.0, 3.5, count), self.rng.uniform(0, 6.3, count)
        return np.asarray(np.sin(self.time[:, None] * speed + phase))

    def perform(self, act: Act) -> None:
        """Add what an act does; only points in the air are met loosely, not those on the floor."""
        movement, plan, gain = act.movement, act.plan, act.gain
        in_the_air = movement.frame != "floor"
        loose, aside = (self.settings.loose, self.aside) if in_the_air else (0.0, np.zeros(3))
        for (channel, side), (times, points) in plan.limbs.items():
            at = act.at + (0.5 * side if movement.alternate else 0.0)
            if channel == "wrist":
                points = _sized(points, gain) + self.rng.uniform(-loose, loose, points.shape)
                points += aside
                if plan.repeats and len(points) > 1:
                    points[-1] = points[0]
                course = self._swung(times, points, at, plan.repeats)
                rest = self.wrists[:, side]
                self.wrists[:, side] = rest + act.share[:, None] * (course - rest)
                self.upright[side] = movement.frame == "upright"
                self.pinned[side] = movement.frame == "floor"
                self.free_arms[side] = False
            elif channel == "ankle":
                self.ankles[:, side] = act.share[:, None] * self._follow(
                    times, gain * points, at, plan.repeats
                )
            else:
                course = np.deg2rad(self._follow(times, gain * points, at, plan.repeats)[:, 0])
                getattr(self, f"{channel}s")[:, side] += act.share * course
        for name, (times, points) in plan.central.items():
            course = act.share[:, None] * self._follow(times, gain * points, act.at, plan.repeats)
            if name == "pelvis":
                self.pelvis += course
                self.placed = True
            elif name == "trunk":
                self.trunk += np.deg2rad(course)
            else:
                self.neck += np.deg2rad(course)

    def _swung(self, times: Array, points: Array, at: Array, repeats: bool) -> Array:
        """The course of a wrist: an arm that is stretched at two points swings in an arc."""
        length = np.sqrt((points * points).sum(1, keepdims=True))
        course = self._follow(times, np.concatenate([points, length], 1), at, repeats)
        point = course[:, :3]
        short = np.sqrt((point * point).sum(1, keepdims=True))
        return np.asarray(point * np.clip(course[:, 3:] / np.maximum(short, 1e-9), 1, 1.45))

    def _follow(self, times: Array, points: Array, at: Array, repeats: bool) -> Array:
        if len(times) > 2:
            times = times.copy()
            late = self.settings.untimely * np.diff(times).min() / 0.1
            times[1:-1] += self.rng.uniform(-1, 1, len(times) - 2) * min(
                late, self.settings.untimely
            )
            if (np.diff(times) <= 0).any():
                times = np.sort(times)
        if repeats:
            at = times[0] + (at - times[0]) % 1.0
        return follow(times, points, at, repeats=repeats)

    def stride(self, act: Act) -> None:
        """Walk."""
        movement = act.movement
        gait = movement.gait
        if gait is None:
            return
        effort = np.ones(len(self.time))
        cycles = act.at
        if movement.kind == "once":
            effort = np.interp(act.at, [0, 0.2, 0.8, 1], [0, 1, 1, 0])
            cycles = (self.time - self.time[0]) / 1.1 + self.rng.random()
        steps = walk(self.body, gait, self.time, cycles, effort, act.gain)
        self.steps = steps.ankles, steps.toes, steps.yaws, steps.free
        self.pelvis = steps.pelvis + turned(self._forward(self.pelvis), steps.heading)
        self.heading = steps.heading
        self.cycles = cycles

    def swing(self, plan: Plan, walk_act: Act) -> None:
        """Let free arms swing against the legs."""
        for (channel, side), (times, points) in plan.limbs.items():
            if channel == "wrist" and self.free_arms[side]:
                at = self.cycles + 0.5 * side
                self.wrists[:, side] = self._swung(times, walk_act.gain * points, at, True)

    def _forward(self, points: Array) -> Array:
        """Right, up, forward in metres of an adult -> x, y, z in metres."""
        return np.asarray(self.body.unit * points * np.array([1.0, 1.0, -1.0]))

    def targets(self) -> Targets:
        """What drives the body."""
        body = self.body
        wrists = body.arm * self.wrists
        wrists[:, self.pinned] = body.unit * self.wrists[:, self.pinned]
        if self.steps is None:
            self._stand()
        assert self.steps is not None
        ankles, toes, yaws, free = self.steps
        self.pelvis[:, 1] = np.maximum(self.pelvis[:, 1], LOWEST * body.unit)
        return Targets(
            pelvis=self.pelvis,
            heading=self.heading,
            trunk=self.trunk,
            neck=self.neck,
            wrists=wrists,
            upright=self.upright,
            pinned=self.pinned,
            shoulders=self.shoulders,
            elbows=self.elbows,
            ankles=ankles,
            knees=self.knees,
            toes=toes,
            yaws=yaws,
            free=free,
        )

    def _stand(self) -> None:
        """Feet where they stand or are moved to, and the pelvis above them."""
        body, unit = self.body, self.body.unit
        pelvis = self._forward(self.pelvis)
        pelvis[:, 1] += body.standing - 0.004 * unit
        if not self.placed:
            # Who leans stays above the feet.
            pelvis[:, 2] += 0.13 * unit * np.sin(self.trunk[:, 0])
            pelvis[:, 0] -= 0.05 * unit * np.sin(self.trunk[:, 1])
        self.pelvis = pelvis
        ankles = unit * self.ankles * np.array([[1.0, 1.0, -1.0], [-1.0, 1.0, -1.0]])
        ankles[..., 0] += self.wide * OUT
        ankles[..., 1] += body.ankle
        ankles += level_foot(body, np.zeros(()), self.yaws)
        ankles -= level_foot(body, -self.heels, self.yaws)
        lifted = np.clip((self.ankles[..., 1] - 0.01) / 0.2, 0, 1)
        free = lifted * lifted * (3 - 2 * lifted)
        self.steps = ankles, self.toes - self.heels, self.yaws, free

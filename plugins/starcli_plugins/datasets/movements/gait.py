"""Walking: a path over the floor, and feet that stand still on it in turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from starcli_plugins.datasets.movements.kinematics import (
    OUT,
    SOLE,
    Array,
    Body,
    level_foot,
    turned,
)

HEEL = np.deg2rad(38)
"""How far the heel has risen about the toes when a foot leaves the floor."""
STEP = 0.02
"""Seconds between the points of a path."""
STRIDE = 0.15
"""Metres that a foot must be carried to be lifted fully."""


class Gait(BaseModel):
    """How the legs carry the body; speeds are those of an adult of 1.7 m.

    A movement that is made once begins and ends at rest: its speeds rise and fall again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    forward: float = Field(0.0, ge=-2, le=4, description="metres a second")
    sideways: float = Field(0.0, ge=-2, le=2, description="metres a second, to the acting side")
    turn: float = Field(0.0, ge=-360, le=360, description="degrees a second, to the acting side")
    stand: float = Field(0.6, gt=0.2, lt=0.9, description="share of a cycle that a foot stands")
    lift: float = Field(0.1, ge=0, le=0.5, description="metres that a foot is lifted")
    wide: float = Field(0.0, ge=-0.1, le=0.3, description="metres that feet stand further out")
    in_place: bool = Field(False, description="whether feet are lifted though they do not travel")
    bounce: float = Field(0.015, ge=0, le=0.15, description="metres that the pelvis goes up, down")
    drop: float = Field(0.01, ge=0, le=0.4, description="metres that the pelvis is lowered")
    knees: bool = Field(False, description="whether heels are kicked up behind the knees")


@dataclass(frozen=True)
class Steps:
    """Feet and pelvis of a walking body: as in `Targets`, the pelvis above the floor."""

    pelvis: Array
    heading: Array
    ankles: Array
    toes: Array
    yaws: Array
    free: Array


class Path:
    """Where a body is and faces over time, in metres and radians.

    Args:
        times: When, evenly apart, [N].
        along: Speed forward at these times, [N].
        aside: Speed to the right, [N].
        turning: Speed of turning to the right, radians a second, [N].
    """

    def __init__(self, times: Array, along: Array, aside: Array, turning: Array) -> None:
        step = times[1] - times[0]
        self.times = times
        self.heading = np.cumsum(turning) * step
        speed = np.stack([aside, np.zeros_like(aside), -along], -1)
        self.places = np.cumsum(turned(speed, self.heading), axis=0) * step

    def at(self, times: Array) -> tuple[Array, Array]:
        """Places [..., S] and headings [...] at any times [...]."""
        place = [np.interp(times, self.times, self.places[:, axis]) for axis in (0, 2)]
        heading = np.interp(times, self.times, self.heading)
        return np.stack([place[0], np.zeros_like(heading), place[1]], -1), np.asarray(heading)


def walk(
    body: Body, gait: Gait, seconds: Array, cycles: Array, effort: Array, gain: float
) -> Steps:
    """Steps along the path that the speeds of a gait make.

    Args:
        body: Who walks.
        gait: How.
        seconds: Time of each frame, evenly apart, [T].
        cycles: Steps of the right foot gone by at each frame, rising evenly, [T].
        effort: Share of its speed that the body has, at each frame, [T].
        gain: Factor on speeds and lifts.

    Returns:
        Targets of pelvis and feet; a foot that stands does not move.
    """
    rate = (cycles[-1] - cycles[0]) / (seconds[-1] - seconds[0])
    margin = 1.5 / rate
    times = np.arange(seconds[0] - margin, seconds[-1] + margin + STEP, STEP)
    share = gain * np.interp(times, seconds, effort)
    unit = body.unit
    path = Path(
        times,
        share * gait.forward * unit,
        share * gait.sideways * unit,
        share * np.deg2rad(gait.turn),
    )
    place, heading = path.at(seconds)
    phase = cycles[:, None] + np.array([0.0, 0.5])
    count = np.floor(phase)
    part = phase - count
    # The middle of the stand of the step at hand, and of the next one.
    middle = seconds[0] + (count + gait.stand / 2 - np.array([0.0, 0.5]) - cycles[0]) / rate
    here, yaw = _prints(body, gait, path, middle)
    there, turn = _prints(body, gait, path, middle + 1 / rate)
    swing = np.clip((part - gait.stand) / (1 - gait.stand), 0, 1)
    carried = swing * swing * (3 - 2 * swing)
    way = np.linalg.norm(there - here, axis=-1)
    much = (
        np.interp(seconds, times, share)[:, None]
        if gait.in_place
        else np.minimum(way / (STRIDE * unit), 1)
    )
    high = much * np.sin(np.pi * swing) ** 2
    toes = here + carried[..., None] * (there - here)
    toes[..., 1] += gait.lift * unit * high
    yaws = yaw + carried * (turn - yaw)
    push = np.clip((part / gait.stand - 0.7) / 0.3, 0, 1)
    heel = HEEL * much * np.where(swing > 0, 1 - np.clip(1.25 * carried, 0, 1), push * push)
    ankles = toes - level_foot(body, -heel, yaws)
    if gait.knees:
        ankles[..., 1] += 0.25 * unit * high
    pelvis = place.copy()
    pelvis[:, 1] = body.standing - unit * gait.drop * np.interp(seconds, times, share)
    pelvis[:, 1] += gait.bounce * unit * np.cos(4 * np.pi * (cycles - gait.stand / 2)) * much.max(1)
    free = high * min(1.0, gait.lift / 0.15 + gait.knees)
    return Steps(pelvis, heading, ankles, -heel, yaws, free)


def _prints(body: Body, gait: Gait, path: Path, times: Array) -> tuple[Array, Array]:
    """Where toes stand, and point to, with the pelvis above them at given times [T, 2]."""
    place, heading = path.at(times)
    aside = (body.stance + gait.wide * body.unit) * OUT
    ahead = body.foot * np.cos(SOLE) - 0.03 * body.unit
    flat = np.stack([aside, np.full(2, 0.0), np.full(2, -ahead)], -1)
    toes = place + turned(np.broadcast_to(flat, place.shape), heading)
    toes[..., 1] = body.ankle - body.foot * np.sin(SOLE)
    return toes, heading

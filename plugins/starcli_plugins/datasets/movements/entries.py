"""Movements: what people do, as small readable entries of TOML files by domain.

An entry says where wrists, ankles and pelvis go and how the trunk leans, and what may be said of
every part that it moves. One that is made with one side speaks of {A} and {a}, the acting side,
and of {B} and {b}, the other one; it is written for the right side, and mirrored by rule.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from importlib import resources
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from starcli.errors import DataError, suggest
from starcli_plugins.datasets.movements.gait import Gait
from starcli_plugins.datasets.movements.kinematics import LEG, Array

Driver = Literal["arms", "trunk", "legs"]
Kind = Literal["once", "loop", "hold"]
Side = Literal["right", "left"]
SIDES: tuple[Side, ...] = ("right", "left")
Frame = Literal["chest", "upright", "floor"]
Part = Literal["head", "hand", "arm", "hip", "leg", "foot"]
PARTS: tuple[Part, ...] = ("head", "hand", "arm", "hip", "leg", "foot")
SPOKEN: Mapping[Driver, tuple[Part, Part]] = {
    "arms": ("hand", "arm"),
    "trunk": ("hip", "head"),
    "legs": ("leg", "foot"),
}
"""Parts that a movement of a driver must speak of."""
Channel = Literal["wrist", "elbow", "shoulder", "ankle", "heel", "toe", "knee"]
CHANNELS: tuple[Channel, ...] = ("wrist", "elbow", "shoulder", "ankle", "heel", "toe", "knee")
"""What each limb may be driven by: points of wrists and ankles, angles of the others."""
CENTRAL: tuple[Literal["pelvis", "trunk", "neck"], ...] = ("pelvis", "trunk", "neck")
WORDS: Mapping[Side, Mapping[str, str]] = {
    "right": {"A": "Right", "a": "right", "B": "Left", "b": "left"},
    "left": {"A": "Left", "a": "left", "B": "Right", "b": "right"},
}
UNNAMED: Mapping[str, str] = {"A": "One", "a": "one", "B": "The other", "b": "the other"}
ROUND = {"clockwise": "counterclockwise", "counterclockwise": "clockwise"}
REACH = 1.03
"""Arm or leg lengths that a target may be away: a little over 1 means fully stretched."""

Point = Annotated[tuple[float, ...], Field(min_length=2, max_length=4)]
Points = Annotated[tuple[Point, ...], Field(min_length=1)]
Sentences = Annotated[tuple[str, ...], Field(max_length=4)]


class Movement(BaseModel):
    """One entry. Points are `[time, ...]`, the time from 0 to 1 within the act or a cycle.

    A movement made once starts and ends at rest, unless it has points at 0 or 1; a loop comes back
    to its first point; a hold has one point. `wrist` is the acting side's, `other_wrist` the other
    one's, `wrists` both, mirrored, or with `alternate` half a cycle after one another; so for every
    limb. `weight` says how much more often than others it is the main act: everyday acts have 3.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    driver: Driver
    kind: Kind
    names: tuple[str, ...] = ()
    seconds: float = Field(0.0, ge=0, le=20)
    weight: float = Field(1.0, gt=0, le=10)
    companions: tuple[str, ...] = Field((), alias="with")
    frame: Frame = "chest"
    alternate: bool = False
    gait: Gait | None = None
    pelvis: Points | None = None
    trunk: Points | None = None
    neck: Points | None = None
    wrist: Points | None = None
    other_wrist: Points | None = None
    wrists: Points | None = None
    elbow: Points | None = None
    other_elbow: Points | None = None
    elbows: Points | None = None
    shoulder: Points | None = None
    other_shoulder: Points | None = None
    shoulders: Points | None = None
    ankle: Points | None = None
    other_ankle: Points | None = None
    ankles: Points | None = None
    heel: Points | None = None
    other_heel: Points | None = None
    heels: Points | None = None
    toe: Points | None = None
    other_toe: Points | None = None
    toes: Points | None = None
    knee: Points | None = None
    other_knee: Points | None = None
    knees: Points | None = None
    head: Sentences = ()
    hand: Sentences = ()
    arm: Sentences = ()
    hip: Sentences = ()
    leg: Sentences = ()
    foot: Sentences = ()

    @cached_property
    def sided(self) -> bool:
        """Whether it is made with one side."""
        return any(re.search(r"{[AaBb]}", text) for text in (*self.names, *self.texts))

    @property
    def texts(self) -> tuple[str, ...]:
        """Every sentence, as written."""
        return tuple(text for part in PARTS for text in self.sentences(part))

    def sentences(self, part: Part) -> tuple[str, ...]:
        """The sentences of a part, as written."""
        texts: tuple[str, ...] = getattr(self, part)
        return texts

    def points(self, name: str) -> tuple[tuple[float, ...], ...] | None:
        """The points of a field such as `wrist`, `other_wrist` or `pelvis`."""
        points: tuple[tuple[float, ...], ...] | None = getattr(self, name)
        return points

    @cached_property
    def slots(self) -> frozenset[Driver]:
        """The drivers that it takes: those whose parts it speaks of."""
        return frozenset(
            driver
            for driver, parts in SPOKEN.items()
            if all(self.sentences(part) for part in parts)
        )

    @property
    def act(self) -> float:
        """Seconds of the act, or of a cycle."""
        return self.seconds or {"once": 1.8, "loop": 1.1, "hold": 3.0}[self.kind]

    @cached_property
    def central(self) -> Mapping[str, Array]:
        """Points of pelvis, trunk and neck, where it has some, [K, 4]."""
        given = ((name, self.points(name)) for name in CENTRAL)
        return {name: np.array(points) for name, points in given if points}

    @cached_property
    def limbs(self) -> Mapping[tuple[Channel, int], Array]:
        """Points of limbs, by channel and by side: 0 for the acting one, 1 for the other."""
        out = {}
        for channel in CHANNELS:
            both = self.points(f"{channel}s")
            for side, name in enumerate((channel, f"other_{channel}")):
                points = self.points(name) or both
                if points:
                    out[channel, side] = np.array(points)
        return out


@cache
def spoken(text: str, side: Side, *, named: bool) -> str:
    """A sentence or name of a movement.

    Args:
        text: As the entry has it.
        side: The side that acts.
        named: Whether the side is named, or is `one`.
    """
    if side == "left":
        text = re.sub(r"\b(counter)?clockwise\b", lambda match: ROUND[match[0]], text)
    if named:
        return re.sub(r"{([AaBb])}", lambda match: WORDS[side][match[1]], text)
    # "the right one" is "one", "the left hand" is "the other hand".
    text = re.sub(r"\b(?:the|its) {([ab])}(?: one\b)?", lambda match: UNNAMED[match[1]], text)
    text = re.sub(r"\bThe {([ab])}(?: one\b)?", lambda match: UNNAMED[match[1].upper()], text)
    return re.sub(r"{([AaBb])}", lambda match: UNNAMED[match[1]], text)


def both_forms(texts: Iterable[str], side: Side) -> tuple[str, ...]:
    """Sentences with the side named, and then with `one` in its place."""
    texts = tuple(texts)
    forms = [spoken(text, side, named=named) for named in (True, False) for text in texts]
    return tuple(dict.fromkeys(forms))


RESTING: Mapping[Driver, str] = {"arms": "hang", "trunk": "upright", "legs": "stand-still"}
"""The movement that stands for doing nothing."""


@cache
def movements() -> Mapping[str, Movement]:
    """Every movement that comes with the package, by its id.

    Raises:
        DataError: An entry is not one, contradicts itself or another one.
    """
    return collect(_files())


def fingerprint() -> str:
    """What changes whenever an entry does."""
    return hashlib.sha256(repr(list(_files())).encode()).hexdigest()[:16]


def _files() -> Iterator[tuple[str, str]]:
    """Names and texts of the files of entries, in order."""
    folder = resources.files("starcli_plugins.datasets.movements").joinpath("entries")
    for name in sorted(file.name for file in folder.iterdir() if file.name.endswith(".toml")):
        yield name, folder.joinpath(name).read_text("utf-8")


def collect(files: Iterable[tuple[str, str]]) -> Mapping[str, Movement]:
    """The movements of files.

    Args:
        files: Names and texts.

    Raises:
        DataError: An entry is not one, contradicts itself or another one.
    """
    entries: dict[str, Movement] = {}
    homes: dict[str, str] = {}
    for file, text in files:
        for name, movement in read(file, text):
            if name in entries:
                raise DataError(
                    f"movement '{name}' is in {homes[name]} too", "give it another name", file=file
                )
            entries[name], homes[name] = movement, file
    _require_companions(entries, homes)
    _require_different(entries, homes)
    return entries


def read(file: str, text: str) -> Iterator[tuple[str, Movement]]:
    """The movements of one file, checked one by one.

    Raises:
        DataError: The file is not TOML, or an entry is wrong.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"not readable TOML ({error})", "correct the line", file=file) from error
    for name, table in tables.items():
        try:
            movement = Movement.model_validate(table)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            problem = first["msg"].lower()
            known = (each.alias or key for key, each in Movement.model_fields.items())
            fix = (
                suggest(place, known)
                if first["type"] == "extra_forbidden"
                else "docs/how-to/add-a-movement.md shows an entry"
            )
            raise DataError(f"movement '{name}', {place}: {problem}", fix, file=file) from error
        for problem, fix in _faults(movement):
            raise DataError(f"movement '{name}': {problem}", fix, file=file)
        yield name, movement


def _faults(movement: Movement) -> Iterator[tuple[str, str]]:
    """What is wrong with an entry, and what to do."""
    yield from _silence(movement)
    yield from _contradicting_sides(movement)
    for name, points in _given(movement):
        yield from _untimely(movement, name, points)
    if movement.alternate and all(len(points) == 1 for points in movement.limbs.values()):
        yield "alternates between the sides with one point", "give two points or more"
    yield from _out_of_reach(movement)


def _given(movement: Movement) -> Iterator[tuple[str, Sequence[Sequence[float]]]]:
    for channel in CHANNELS:
        for name in (channel, f"other_{channel}", f"{channel}s"):
            if points := movement.points(name):
                yield name, points
    for name in CENTRAL:
        if points := movement.points(name):
            yield name, points


def _silence(movement: Movement) -> Iterator[tuple[str, str]]:
    """Parts that are moved and not spoken of."""
    for driver, parts in SPOKEN.items():
        silent = [part for part in parts if not movement.sentences(part)]
        if silent and (driver == movement.driver or len(silent) == 1):
            yield f"no sentence for the part '{silent[0]}'", f"add {silent[0]} = [...]"
    moved: Mapping[Driver, bool] = {
        "arms": any(channel in ("wrist", "elbow") for channel, _ in movement.limbs),
        "legs": movement.gait is not None or any(key[0] == "ankle" for key in movement.limbs),
        "trunk": bool({"trunk", "neck"} & movement.central.keys()),
    }
    for driver, moves in moved.items():
        if moves and driver not in movement.slots:
            part = SPOKEN[driver][0]
            yield f"moves the {driver} without a sentence for '{part}'", f"add {part} = [...]"
    for part in PARTS:
        texts = [text.casefold() for text in movement.sentences(part)]
        if len(set(texts)) < len(texts):
            yield f"says the same twice of the part '{part}'", "delete one sentence"
        for text in movement.sentences(part):
            if not re.fullmatch(r"[A-Z{][^\n]*[a-z]\.", text):
                yield f"'{text}' is not a sentence", "begin with a capital and end with a full stop"


def _contradicting_sides(movement: Movement) -> Iterator[tuple[str, str]]:
    """Sentences and points that disagree about which sides act."""
    for text in (*movement.names, *movement.texts):
        words = Counter(re.findall(r"\b(?:left|right)\b(?! angle)", text.lower()))
        if movement.sided and words:
            yield (
                f"'{text}' names a side",
                "write {A}, {a} for the acting side, {B}, {b} for the other",
            )
        elif words["left"] != words["right"]:
            yield f"'{text}' names one side", "write {A} or {a} for it"
        if re.search(r"{(?![AaBb]})", text):
            yield f"'{text}' has an unknown placeholder", "use {A}, {a}, {B} or {b}"
    given = [name for name, _ in _given(movement)]
    for channel in CHANNELS:
        single = [name for name in (channel, f"other_{channel}") if name in given]
        if single and f"{channel}s" in given:
            yield f"both {single[0]} and {channel}s", f"leave {channel}s out"
        if single and not movement.sided:
            yield (
                f"{single[0]} is of one side, but no sentence says which",
                f"write {{A}} and {{a}} in the sentences, or {channel}s for both sides",
            )
    way = movement.gait is not None and bool(movement.gait.sideways or movement.gait.turn)
    if movement.sided and not way and not any(_leans(movement, name) for name in given):
        yield "its sentences name a side, but both sides do the same", "give points of one side"


def _leans(movement: Movement, name: str) -> bool:
    """Whether points of this name are of one side."""
    points = movement.points(name) or ()
    if name == "pelvis":
        return any(point[1] for point in points)
    if name in ("trunk", "neck"):
        return any(point[2] or point[3] for point in points if len(point) == 4)
    return not name.endswith("s")


def _untimely(
    movement: Movement, name: str, points: Sequence[Sequence[float]]
) -> Iterator[tuple[str, str]]:
    """Points with too few numbers, or out of order."""
    size = 1 if re.search("elbow|shoulder|heel|toe|knee", name) else 3
    for point in points:
        if len(point) != size + 1:
            yield (
                f"{name} {list(point)} has {len(point)} numbers",
                f"write the time and {size} number{'s' * (size > 1)}",
            )
    times = [point[0] for point in points]
    if not all(0 <= time <= 1 for time in times) or sorted(set(times)) != times:
        yield f"the times of {name} do not rise from 0 to 1", "put its points in order"
    if movement.kind == "hold" and len(points) > 1:
        yield f"{name} has {len(points)} points, but it is held", "give one point, or another kind"
    if movement.kind == "loop" and times[-1] == 1:
        yield f"{name} ends at 1, which is its beginning again", "end before 1"


def _out_of_reach(movement: Movement) -> Iterator[tuple[str, str]]:
    """Wrists further from their shoulder than an arm is long, ankles from their hip."""
    for (channel, side), points in movement.limbs.items():
        name = f"other_{channel}" if side else channel
        if channel == "wrist" and movement.frame != "floor":
            for point in points:
                length = float(np.linalg.norm(point[1:]))
                if length > REACH:
                    yield (
                        f"{name} {point[1:].tolist()} is {length:.2f} arm lengths away",
                        "bring it within 1",
                    )
        if channel == "ankle":
            for point in points:
                length = _leg_needed(movement, point)
                if length > REACH:
                    yield (
                        f"{name} {point[1:].tolist()} is {length:.2f} leg lengths away",
                        "bring it within 1, or move the pelvis",
                    )


def _leg_needed(movement: Movement, point: Array) -> float:
    """Leg lengths from hip to ankle; a pelvis above feet on the floor comes down by itself."""
    pelvis = movement.central.get("pelvis")
    place = np.zeros(3)
    if pelvis is not None:
        if movement.kind == "once":
            rest = np.array([[0.0, 0, 0, 0], [1, 0, 0, 0]])
            first, last = int(pelvis[0, 0] > 0), int(pelvis[-1, 0] < 1)
            pelvis = np.concatenate([rest[:first], pelvis, rest[2 - last :]])
        place = np.array([np.interp(point[0], pelvis[:, 0], pelvis[:, n]) for n in (1, 2, 3)])
    out, up, forward = point[1:] - place
    wide = np.hypot(out, forward)
    tall = (
        max(LEG - up, 0.0) if point[2] > 0.05 else min(LEG - up, np.sqrt(max(LEG**2 - wide**2, 0)))
    )
    return float(np.hypot(wide, tall) / LEG)


def _require_companions(entries: Mapping[str, Movement], homes: Mapping[str, str]) -> None:
    for name, movement in entries.items():
        taken = set(movement.slots)
        for other in movement.companions:
            if other not in entries:
                raise DataError(
                    f"movement '{name}': no movement '{other}' to go with it",
                    suggest(other, entries),
                    file=homes[name],
                )
            clash = taken & entries[other].slots
            if clash:
                raise DataError(
                    f"movement '{name}': '{other}' moves the {min(clash)} too",
                    "leave it out of `with`",
                    file=homes[name],
                )
            taken |= entries[other].slots


def _require_different(entries: Mapping[str, Movement], homes: Mapping[str, str]) -> None:
    """No two movements of a driver may say the same of all parts."""
    known: dict[frozenset[tuple[str, str]], str] = {}
    for name, movement in entries.items():
        saying = frozenset(
            (part, text.casefold())
            for part in SPOKEN[movement.driver]
            for text in movement.sentences(part)
        )
        if saying in known:
            raise DataError(
                f"movement '{name}' has the same sentences as '{known[saying]}' "
                f"in {homes[known[saying]]}",
                "say what is different about it, or delete it",
                file=homes[name],
            )
        known[saying] = name

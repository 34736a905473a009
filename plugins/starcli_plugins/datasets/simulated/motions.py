"""Motions of the simulated body: primitives of each part and the actions composed of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from starcli_plugins.datasets.simulated.body import Axis

Wave = Literal["sine", "pulse", "lift"]
"""Course of a cycle: -1 to 1; 0 to 1 and back; 0 to 1 and back, then half a cycle's rest."""


class Turn(NamedTuple):
    """One rotation of a primitive: `hold + swing * wave`, in degrees, `phase` in cycles."""

    joint: str
    axis: Axis
    hold: float
    swing: float = 0.0
    wave: Wave = "pulse"
    phase: float = 0.0


class Primitive(NamedTuple):
    """A motion of one part: a sentence that says it and the rotations that do it."""

    sentence: str
    turns: tuple[Turn, ...] = ()
    rate: float = 1.0


def _both(joint: str, axis: Axis, hold: float, swing: float = 0.0) -> tuple[Turn, ...]:
    """Left and right do the same, mirrored."""
    return tuple(Turn(f"{side} {joint}", axis, hold, swing) for side in ("left", "right"))


def _alternate(joint: str, axis: Axis, swing: float) -> tuple[Turn, ...]:
    """The right joint swings and returns, then the left one."""
    right = Turn(f"right {joint}", axis, 0, swing, "lift")
    return right, Turn(f"left {joint}", axis, 0, swing, "lift", 0.5)


def _shift(axis: Axis, swing: float, phase: float = 0.0) -> tuple[Turn, ...]:
    """Both legs tilt in parallel, which carries the pelvis along."""
    mirror = -1 if axis == "spread" else 1
    right = Turn("right hip", axis, 0, swing, "sine", phase)
    return right, Turn("left hip", axis, 0, mirror * swing, "sine", phase)


# fmt: off
HEAD = {
    "still": Primitive("The head stays upright and still, looking straight ahead."),
    "nod": Primitive("The head nods forward and back again and again.",
        (Turn("neck", "bend", -8, 30, "sine"),)),
    "sway": Primitive("The head tilts from side to side, towards the left and the right shoulder.",
        (Turn("neck", "spread", 0, 32, "sine"),)),
    "down": Primitive("The head is bowed, the chin near the chest, looking down.",
        (Turn("neck", "bend", -42),)),
    "up": Primitive("The head is tipped back, looking up.", (Turn("neck", "bend", 34),)),
}
HAND = {
    "relaxed": Primitive("Both hands are relaxed and still."),
    "wave": Primitive("The right hand waves quickly from side to side.",
        (Turn("right wrist", "spread", 0, 45, "sine"),
         Turn("right elbow", "spread", 0, 16, "sine")), 1.5),
    "open_close": Primitive("The fingers of both hands open and close again and again.",
        _both("thumb", "spread", 0, -120)),
    "clap": Primitive("Both hands come together and part again, clapping.",
        _both("shoulder", "spread", -18, 38)),
    "flick": Primitive("Both hands flick back and forth at the wrists.",
        (*_both("wrist", "bend", -45, 90),), 1.3),
    "fists": Primitive("Both hands are held closed into tight fists.",
        _both("thumb", "spread", -130)),
}
ARM = {
    "hang": Primitive("Both arms hang down at the sides."),
    "right_up": Primitive("The right arm is held straight up overhead, the left arm hangs down.",
        (Turn("right shoulder", "bend", 162), Turn("right elbow", "bend", -10))),
    "both_up": Primitive("Both arms are held straight up above the head.",
        (*_both("shoulder", "bend", 162), *_both("elbow", "bend", -10))),
    "forward": Primitive("Both arms are stretched out straight in front at shoulder height.",
        (*_both("shoulder", "bend", 84), *_both("elbow", "bend", -10))),
    "side_raise": Primitive("Both arms rise sideways to shoulder height and sink again and again.",
        _both("shoulder", "spread", 0, 90)),
    "crossed": Primitive("Both arms are folded across the chest, the elbows bent.",
        (*_both("shoulder", "bend", 32), *_both("shoulder", "twist", 62),
         *_both("elbow", "bend", 82))),
    "push": Primitive("Both arms push forward from the chest and pull back again and again.",
        (*_both("shoulder", "bend", 5, 78), *_both("elbow", "bend", 110, -115))),
    "circle": Primitive("The right arm draws large circles in front, the left arm hangs down.",
        (Turn("right shoulder", "bend", 88, 38, "sine"),
         Turn("right shoulder", "spread", 8, 38, "sine", 0.25))),
}
HIP = {
    "still": Primitive("The trunk stays upright above the hips, without leaning or turning."),
    "bow": Primitive("The trunk bends forward at the hips and straightens up again and again.",
        (Turn("spine base", "bend", 0, -32), Turn("spine mid", "bend", 0, -26))),
    "lean": Primitive("The trunk leans sideways, to the left and to the right in turn.",
        (Turn("spine base", "spread", 0, 16, "sine"), Turn("spine mid", "spread", 0, 14, "sine"))),
    "twist": Primitive("The trunk twists about the waist, turning the shoulders left and right.",
        (Turn("spine base", "twist", 0, 16, "sine"), Turn("spine mid", "twist", 0, 34, "sine"))),
    "hula": Primitive("The hips circle below the upright trunk, to each side, forward and back.",
        (*_shift("spread", 9), *_shift("bend", 8, 0.25),
         Turn("spine base", "spread", 0, 10, "sine"), Turn("spine mid", "spread", 0, -10, "sine"))),
}
LEG = {
    "still": Primitive("Both legs stand straight and still."),
    "march": Primitive("The right and the left knee are lifted in turn, as in marching.",
        (*_alternate("hip", "bend", 62), *_alternate("knee", "bend", -74))),
    "squat": Primitive("Both knees bend deeply and stretch again, lowering and raising the body.",
        (*_both("hip", "bend", 0, 72), *_both("knee", "bend", 0, -116),
         *_both("ankle", "bend", 0, 44))),
    "knee": Primitive("Only the right knee is lifted to hip height and lowered again and again.",
        (Turn("right hip", "bend", 0, 86), Turn("right knee", "bend", 0, -98))),
    "kick": Primitive("The right leg kicks forward almost straight and swings back.",
        (Turn("right hip", "bend", -14, 84), Turn("right knee", "bend", -16, 14))),
    "step": Primitive("The right and the left leg step out sideways in turn.",
        (*_alternate("hip", "spread", 30), *_alternate("knee", "bend", -8))),
}
FOOT = {
    "flat": Primitive("The feet are kept level and point straight ahead."),
    "tiptoe": Primitive("Both heels rise and sink, lifting the body onto the tiptoes.",
        _both("ankle", "bend", 0, -46)),
    "turned_out": Primitive("Both feet are turned outward, the toes pointing to the sides.",
        _both("ankle", "twist", -58)),
    "tap": Primitive("The toes of the right foot tap up and down, the heel on the floor.",
        (Turn("right ankle", "bend", 0, 38),), 1.3),
    "heels": Primitive("The right and the left heel kick up backwards in turn.",
        _alternate("knee", "bend", -82)),
}
PRIMITIVES: Mapping[str, Mapping[str, Primitive]] = {
    "head": HEAD, "hand": HAND, "arm": ARM, "hip": HIP, "leg": LEG, "foot": FOOT,
}

# Fold by fold: five actions that are unseen together. Each of their primitives is shown by
# at least two actions of the other folds.
_ACTIONS = """
kick forward with crossed arms            : still fists crossed still kick turned_out
lift the knee while circling an arm       : still open_close circle still knee tiptoe
wave to a crowd while dancing sideways    : up wave both_up twist step heels
bow politely with arms folded             : down open_close crossed bow still tap
ask a question with a raised hand         : still wave right_up hula still tap
greet a friend while walking on the spot  : nod wave right_up still march flat
clap overhead while marching in place     : up clap both_up still march tiptoe
box with both fists while squatting       : nod fists push twist squat turned_out
kick a ball with a turn of the body       : down fists hang twist kick flat
do standing crunches with arms overhead   : nod fists both_up bow knee flat
push a cart while walking in place        : down relaxed push bow march flat
sneak on the spot with arms stretched out : down flick forward twist march tiptoe
push someone away with a knee strike      : still open_close push bow knee turned_out
dance hula with side steps                : up flick side_raise hula step flat
stretch sideways with arms overhead       : up open_close both_up lean still tiptoe
do squats with arms held out in front     : still fists forward still squat flat
wave goodbye while squatting              : sway wave right_up lean squat flat
stir a big pot while bending the knees    : down fists circle hula squat turned_out
dance with high kicks and spreading arms  : sway open_close side_raise still kick tiptoe
dance the twist with folded arms          : nod relaxed crossed twist step turned_out
flap like a bird while bobbing up and down: up flick side_raise still squat tiptoe
keep balance on one leg with arms forward : up flick forward lean knee turned_out
swing a lasso while tapping a foot        : sway fists circle hula still tap
wait impatiently while tapping a foot     : nod open_close hang still still tap
clap and pump arms while kicking heels up : still clap push hula still heels
waddle on the spot with folded arms       : sway relaxed crossed lean march turned_out
cheer for a team with high kicks          : up clap both_up lean kick flat
shoo away a dog with hand and knee        : down wave hang lean knee flat
clap to the music with side steps         : sway clap forward still step heels
skate from side to side                   : down relaxed hang bow step heels
"""
# fmt: on


def _actions() -> dict[str, dict[str, str]]:
    rows = (line.split(":") for line in _ACTIONS.strip().splitlines())
    return {name.strip(): dict(zip(PRIMITIVES, names.split(), strict=True)) for name, names in rows}


ACTIONS: Mapping[str, Mapping[str, str]] = _actions()
"""Action -> part -> the primitive that the part performs."""
FOLD = 5
"""Number of actions of a fold."""


def descriptions() -> dict[str, dict[str, str]]:
    """Action -> part -> the sentence of its primitive, which `simulated.json` has for it."""
    return {
        action: {part: PRIMITIVES[part][name].sentence for part, name in parts.items()}
        for action, parts in ACTIONS.items()
    }

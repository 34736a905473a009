"""What contradicts a body in recordings: an error where it holds for most, a warning for some."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starcli.contracts import Layout
from starcli.data.body import DOWN, Body
from starcli.data.importing.conversion import Facts
from starcli.errors import DataError
from starcli.poses import METRES

LOW, HIGH = 0.3, 3.5
"""Metres between which people are tall."""
ODD_LIMBS, ODD_IN_PICTURES = 4, 8
"""Limbs of impossible lengths, of eight, that speak for joints in another order; in pictures, those
that point at the camera are short."""
FAR = 1.0
"""Metres that nobody goes from one frame to the next."""
FEW = 3
"""Frames that make no movement."""
_FEW = f"it has {FEW} frames or fewer"


@dataclass(frozen=True)
class Clip:
    """A recording and what is known of it.

    Args:
        where: Its file, for messages.
        facts: What is known.
    """

    where: str
    facts: Facts


def contradictions(clips: Sequence[Clip], layouts: Sequence[Layout]) -> list[str]:
    """Warnings about some recordings, a line each.

    Args:
        clips: All recordings that are imported, or named, together.
        layouts: Those that exist, to say which one may be meant.

    Raises:
        DataError: Most recordings contradict a body, or some have a depth and some have none.
    """
    if not clips:
        return []
    _require_one_form(clips)
    reasons = _order(clips)
    reasons += _sizes(clips)
    reasons += _limbs(clips, layouts)
    reasons += _upright(clips)
    reasons += _sides(clips)
    reasons += _some(clips, "a body jumps by more than 1 m", lambda f: f.body.step > FAR)
    reasons += _some(clips, "nothing moves", lambda f: not f.body.moves)
    return reasons + _some(clips, _FEW, lambda f: f.frames <= FEW)


def impossible(facts: Facts) -> str | None:
    """Why a recording is of nobody who does anything, whatever others are; None where it may be.

    Args:
        facts: What is known of it.
    """
    reasons = {
        f"joints lie as those of {facts.resembles} do": bool(facts.resembles),
        f"a body is not {LOW} to {HIGH} m tall": not _is_tall(facts.body),
        "limbs have lengths that no body has": _is_odd(facts.body),
        "the body is upside down": facts.body.head_down,
        _FEW: facts.frames <= FEW,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def warnings(clips: Sequence[Clip], layouts: Sequence[Layout]) -> list[str]:
    """What contradicts a body in any recordings, a line each, and nothing raised."""
    try:
        return contradictions(clips, layouts)
    except DataError as error:
        return [f"{error}; {error.fix}"]


def _some(clips: Sequence[Clip], what: str, holds: Callable[[Facts], bool]) -> list[str]:
    """One line about the recordings that something holds for."""
    named = [clip.where for clip in clips if holds(clip.facts)]
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    return [f"{named[0]}{more}: {what}"] if named else []


def _share(wrong: Sequence[Clip], clips: Sequence[Clip]) -> str:
    """In how many recordings something is wrong, where there are several."""
    return f", in {len(wrong)} of {len(clips)} recordings" if len(clips) > 1 else ""


def _require_one_form(clips: Sequence[Clip]) -> None:
    flat = next((clip for clip in clips if clip.facts.body.flat), None)
    deep = next((clip for clip in clips if not clip.facts.body.flat), None)
    if flat and deep:
        raise DataError(
            f"has two axes, {deep.where} has three",
            "import them as data sets of their own",
            file=flat.where,
        )


def _order(clips: Sequence[Clip]) -> list[str]:
    wrong = [clip for clip in clips if clip.facts.resembles]
    if 2 * len(wrong) <= len(clips):
        return _some(wrong, "joints lie as those of another layout do", lambda facts: True)
    facts = wrong[0].facts
    raise DataError(
        f"joints lie as those of {facts.resembles} do, not of {facts.layout}{_share(wrong, clips)}",
        f"use --layout {facts.resembles}",
        file=wrong[0].where,
    )


def _sizes(clips: Sequence[Clip]) -> list[str]:
    wrong = [clip for clip in clips if not _is_tall(clip.facts.body)]
    whole = [clip for clip in wrong if math.isfinite(clip.facts.body.trunk)]
    if 2 * len(whole) <= len(clips):
        return _some(wrong, f"a body is not {LOW} to {HIGH} m tall", lambda facts: True)
    facts = wrong[0].facts
    raw = facts.body.height / METRES.get(facts.unit, 1.0)
    fitting = [unit for unit, metres in METRES.items() if 1.0 <= raw * metres <= 2.2]
    known = f"use --unit {fitting[0]}" if fitting else "name the unit with --unit"
    raise DataError(
        f"bodies are {facts.body.height:.3g} m tall{_share(wrong, clips)}",
        f"{known}, or the joints' layout with --layout",
        file=wrong[0].where,
    )


def _is_tall(body: Body) -> bool:
    return LOW <= body.height <= HIGH


def _is_odd(body: Body) -> bool:
    return len(body.odd) >= (ODD_IN_PICTURES if body.flat else ODD_LIMBS)


def _limbs(clips: Sequence[Clip], layouts: Sequence[Layout]) -> list[str]:
    wrong = [clip for clip in clips if _is_odd(clip.facts.body)]
    if 2 * len(wrong) <= len(clips):
        return _some(wrong, "limbs have lengths that no body has", lambda facts: True)
    first = wrong[0]
    layout = next((x for x in layouts if x.name == first.facts.layout), None)
    same = [x.name for x in layouts if layout and len(x.joints) == len(layout.joints)]
    others = f"; of {len(layout.joints)} joints there are: {', '.join(same)}" if layout else ""
    raise DataError(
        f"no body has such limbs{_share(wrong, clips)} "
        f"({', '.join(first.facts.body.odd[:3])}); the joints may be in another order than "
        f"{first.facts.layout}'s",
        f"name their layout with --layout{others}",
        file=first.where,
    )


def _upright(clips: Sequence[Clip]) -> list[str]:
    known = [clip for clip in clips if math.isfinite(clip.facts.body.head_up)]
    wrong = [clip for clip in known if clip.facts.body.head_up < DOWN]
    if 5 * len(wrong) <= 4 * len(known):
        return _some(wrong, "the head is below the feet throughout", lambda facts: True)
    raise DataError(
        f"heads are below feet{_share(wrong, known)}",
        "name the axis that points up with --up, such as --up -y",
        file=wrong[0].where,
    )


def _sides(clips: Sequence[Clip]) -> list[str]:
    known = [clip for clip in clips if math.isfinite(clip.facts.body.handed)]
    wrong = [clip for clip in known if clip.facts.body.handed < 0.5]
    if 2 * len(wrong) <= len(known):
        return _some(wrong, "left and right contradict the axes", lambda facts: True)
    left, right = (
        sum(getattr(clip.facts.body, f"{side}_higher") for clip in wrong) / len(wrong)
        for side in ("left", "right")
    )
    raise DataError(
        f"left and right contradict the axes{_share(wrong, known)}; as they "
        f"are named, the left hand is the higher one in {left:.0%} of frames, the right in "
        f"{right:.0%}",
        "use --mirrored where the axes are mirrored, --swap-sides where the names are exchanged; "
        "starcli view shows which",
        file=wrong[0].where,
    )

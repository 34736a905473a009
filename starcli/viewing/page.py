"""Clips as one HTML page that needs nothing else: no server, no network, no other file."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from string import Template
from typing import Literal, TypedDict

import numpy as np

from starcli.class_names import printable
from starcli.viewing.skeletons import DARK, LIGHT, LIT, Shown, Skeleton, Table, Values, View

MOST_FRAMES = 1000
"""Frames of a clip in a page; of longer ones, every second, third or nth is taken."""
LARGEST, NOT_SEEN = 32767, -32768
STILLS, CELL = 5, 100
"""Frames of a clip for browsers without JavaScript, and the size of each."""


class Packed(TypedDict):
    """Joints as 16-bit integers: metres = middle + integer * step."""

    middle: list[float]
    step: float
    joints: str


def packed(joints: Values) -> Packed:
    """Joints [T, M, V, 3], NaN where not seen, as base64 of little-endian int16.

    The step is as fine as the extent of the clip allows: half a millimetre for 32 metres.
    """
    low, high = np.nanmin(joints, (0, 1, 2)), np.nanmax(joints, (0, 1, 2))
    middle = (low.astype(np.float64) + high) / 2
    step = max(float((high - low).max()) / 2 / LARGEST, 1e-6)
    scaled = np.round((joints - middle) / step).clip(-LARGEST, LARGEST)
    whole = np.where(np.isfinite(scaled), scaled, NOT_SEEN).astype("<i2")
    return {
        "middle": middle.tolist(),
        "step": step,
        "joints": base64.b64encode(whole.tobytes()).decode(),
    }


def unpacked(clip: Packed, shape: tuple[int, ...]) -> Values:
    """What `packed` was given, as the page's script reads it."""
    whole = np.frombuffer(base64.b64decode(clip["joints"]), "<i2").reshape(shape)
    metres = np.array(clip["middle"]) + whole * clip["step"]
    return np.where(whole == NOT_SEEN, np.nan, metres).astype(np.float32)


def page(title: str, clips: Sequence[Shown]) -> str:
    """The page of clips.

    Args:
        title: What stands above them; like all names, any text.
        clips: One or more.
    """
    style = _part("page.css") + skeleton_style()
    return Template(_part("page.html")).substitute(
        policy=f"default-src 'none'; script-src '{allowed(script())}'; "
        f"style-src '{allowed(style)}'",
        title=_escaped(title),
        style=style,
        script=script(),
        skeletons=skeletons(clips, keys="page"),
    )


def skeletons(clips: Sequence[Shown], keys: Literal["page", "own"] = "own") -> str:
    """Clips as an element of a page that has `script` after it, and `skeleton_style`.

    Args:
        clips: One or more.
        keys: Whether keys are for it wherever in the page they are pressed.
    """
    return Template(_part("skeletons.html")).substitute(
        keys=keys,
        data=inert_json(_document(clips)),
        stills="\n".join(_stills(clip) for clip in clips),
    )


def script() -> str:
    """What moves all skeletons of a page."""
    return _part("skeleton.js")


def skeleton_style() -> str:
    """How skeletons look; the page has the variables of `page.css`."""
    return _colours() + _part("skeletons.css")


@cache
def _part(name: str) -> str:
    return (files("starcli") / "viewing" / name).read_text("utf-8")


def allowed(text: str) -> str:
    """What lets a browser run this script, or use this style, and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _escaped(text: str) -> str:
    """A text that nothing in it can end or hide."""
    return html.escape(printable(text))


def _colours() -> str:
    """The colours of the parts as variables of the page's style."""
    light, dark = (
        "".join(f"--part-{n}: {colour}; " for n, colour in enumerate(colours))
        for colours in (LIGHT, DARK)
    )
    return (
        f":root {{ {light}--lit: {LIT[0]}; }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {dark}--lit: {LIT[1]}; }} }}\n"
        + "".join(f".part-{n} {{ stroke: var(--part-{n}); }}\n" for n in range(len(LIGHT)))
    )


def inert_json(value: object) -> str:
    """JSON that cannot end the element it is in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _document(clips: Sequence[Shown]) -> dict[str, object]:
    """What the script reads; each skeleton is there once."""
    skeletons = list(dict.fromkeys(clip.skeleton for clip in clips))
    return {
        "skeletons": [_skeleton(skeleton) for skeleton in skeletons],
        "clips": [_clip(clip, skeletons.index(clip.skeleton)) for clip in clips],
    }


def _skeleton(skeleton: Skeleton) -> dict[str, object]:
    return {
        "joints": skeleton.joints,
        "bones": skeleton.bones,
        "parts": skeleton.parts,
        "part": skeleton.part,
        "sides": skeleton.sides,
        "marked": skeleton.marked,
    }


def _clip(clip: Shown, skeleton: int) -> dict[str, object]:
    every = -(-len(clip.joints) // MOST_FRAMES)
    joints = clip.visible[::every]
    return {
        "name": clip.name,
        "caption": clip.caption,
        "facts": clip.facts,
        "table": clip.table,
        "attention": None if clip.attention is None else _attention(clip.attention),
        "skeleton": skeleton,
        "shape": joints.shape,
        "every": every,
        "fps": clip.fps,
        "views": [_view(view) for view in clip.views],
        **packed(joints),
    }


def _attention(multiples: Values) -> dict[str, object]:
    """Multiples of the mean [L, V] as base64 of bytes, of which 255 is the most."""
    most = max(float(multiples.max()), 1e-9)
    whole = np.round(multiples / most * 255).astype(np.uint8)
    return {
        "most": round(most, 2),
        "steps": len(multiples),
        "bytes": base64.b64encode(whole.tobytes()).decode(),
    }


def _view(view: View) -> dict[str, object]:
    return {"name": view.name, "caption": view.caption, "right": view.right, "up": view.up}


def _stills(clip: Shown) -> str:
    """A few frames of a clip from the front as SVG, for browsers without JavaScript."""
    joints, size = clip.followed()
    frames = clip.frames(STILLS)
    drawn = "".join(_still(clip, joints[f], size, n, clip.lit(f)) for n, f in enumerate(frames))
    name = _escaped(clip.caption)
    return (
        f'<figure><figcaption>{name}</figcaption><svg role="img" aria-label="{name}: '
        f'{len(frames)} frames from the front" viewBox="0 0 {len(frames) * CELL} {CELL}">'
        f"{drawn}</svg>{_table(clip.table)}</figure>"
    )


def _table(table: Table) -> str:
    """The table of a clip; nothing where it is empty."""
    if not table:
        return ""
    head, *rows = ([_escaped(cell) for cell in row] for row in table)
    columns = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    lines = (
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'
        for first, *others in rows
    )
    return f"<table><thead><tr>{columns}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _still(clip: Shown, joints: Values, size: float, place: int, lit: Values) -> str:
    """One frame [M, V, 3] as a line for each part and side, joints as bright as they are lit."""
    flat = 0.9 * clip.views[0].project(joints) / size
    lines: dict[str, list[str]] = {}
    halos = []
    for person in np.stack([(place + 0.5 + flat[..., 0]) * CELL, (0.95 - flat[..., 1]) * CELL], -1):
        for child, parent in clip.skeleton.bones:
            ends = person[[child, parent]]
            if np.isfinite(ends).all():
                kind = f"part-{clip.skeleton.part[child]} {clip.skeleton.sides[child]}"
                (x, y), (u, v) = ends.round(1).tolist()
                lines.setdefault(kind, []).append(f"M{x:g} {y:g}L{u:g} {v:g}")
        for (x, y), bright in zip(person.round(1).tolist(), lit.tolist(), strict=True):
            if bright > 0 and np.isfinite(x + y):
                halos.append(
                    f'<circle class="lit" cx="{x:g}" cy="{y:g}" r="{2 + 5 * bright:.1f}"/>'
                )
    paths = (f'<path class="{kind}" d="{"".join(d)}"/>' for kind, d in lines.items())
    return "".join([*halos, *paths])

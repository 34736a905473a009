"""Made-up `.skeleton` files of simulated bodies, as large and as busy as recorded ones."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from starcli_plugins.datasets.ntu import skeleton_files
from starcli_plugins.datasets.ntu.facts import NTU120, ClipName
from starcli_plugins.datasets.simulated.body import Array
from starcli_plugins.datasets.simulated.motions import PRIMITIVES
from starcli_plugins.datasets.simulated.source import Performer, film, perform

ZIPS = {1: "nturgbd_skeletons_s001_to_s017.zip", 18: "nturgbd_skeletons_s018_to_s032.zip"}
"""First setup -> archive as distributed."""
FIRST_ID = 72057594037931101
PAIRS = frozenset({*range(50, 61), *range(106, 121)})
"""Actions of two people."""
NOISE = 0.01


def write_zip(path: Path, names: Iterable[str], frames: int | None = None) -> None:
    """Write an archive as distributed.

    Args:
        path: The zip.
        names: Clips, such as `S001C001P001R001A001`.
        frames: Longest clip; None for 40 to 100 frames.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in names:
            archive.writestr(f"nturgb+d_skeletons/{name}.skeleton", text(name, frames))


def text(name: str, frames: int | None = None, *, crlf: bool = True) -> bytes:
    """The file of a clip; the same performer, camera and action look alike in all of them."""
    clip = NTU120.parse(name, name)
    first = _filmed(clip, clip.performer)[:frames]
    bodies = [first]
    if clip.action in PAIRS:
        bodies.append(_filmed(clip, clip.performer + 200)[: len(first)] + np.array([1.0, 0, 0]))
    shown = [
        {FIRST_ID + number: body[frame] for number, body in enumerate(bodies) if frame < len(body)}
        for frame in range(len(first))
    ]
    return skeleton_files.write(shown, crlf=crlf)


def _filmed(clip: ClipName, performer: int) -> Array:
    """One body before the camera, metres, [frames, V, 3]."""
    choose = np.random.default_rng(clip.action)
    parts = {part: str(choose.choice(list(motions))) for part, motions in PRIMITIVES.items()}
    rng = np.random.default_rng([clip.action, clip.camera, performer, clip.replication])
    return film(perform(Performer.of(0, performer), parts, rng), clip.camera, rng, NOISE)

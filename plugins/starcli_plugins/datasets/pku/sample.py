"""A small made-up PKU-MMD of simulated bodies, in the real folders and formats."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from starcli_plugins.datasets.simulated.body import Array
from starcli_plugins.datasets.simulated.motions import ACTIONS
from starcli_plugins.datasets.simulated.source import Performer, film, perform

FOLDERS = {
    1: ("Data/PKU_Skeleton_Renew", "Label/Train_Label_PKU_final", "Split/cross-subject.txt"),
    2: ("Data/skeleton", "Label", "Split/cross_subject_v2.txt"),
}
"""Phase -> folder of skeletons, folder of labels, list of training videos."""
CAMERAS = {"L": 2, "M": 1, "R": 3}
NUMBERS = (2, 3, 4)
"""Videos 0002 to 0004 or N02 to N04; the last one is in the test subset."""
STEP = 5
"""Every fifth frame of a performance is kept."""
PAUSE = 3
NOISE = 0.01


def write(raw: Path, phase: int, actions: Sequence[int], pairs: Collection[int]) -> None:
    """Write the videos of three performers from three views, their labels and the list.

    Args:
        raw: Where to.
        phase: 1 or 2.
        actions: Classes of a video, counted from 1.
        pairs: Class ids, counted from 0, that a second person takes part in.
    """
    skeletons, labels, split = (raw / name for name in FOLDERS[phase])
    for folder in (skeletons, labels, split.parent):
        folder.mkdir(parents=True, exist_ok=True)
    subsets: dict[bool, list[str]] = {True: [], False: []}
    for number in NUMBERS:
        for view, camera in CAMERAS.items():
            video = f"{number:04d}-{view}" if phase == 1 else f"A02N{number:02d}-{view}"
            lines, frames = _video(number, camera, actions, pairs)
            np.savetxt(skeletons / f"{video}.txt", frames, fmt="%.6f")
            (labels / f"{video}.txt").write_text("".join(lines))
            subsets[number != NUMBERS[-1]].append(video)
    split.write_text(
        f"Training videos:\n{', '.join(subsets[True])}\n"
        f"Validation videos:\n{', '.join(subsets[False])}\n"
    )


def _video(
    number: int, camera: int, actions: Sequence[int], pairs: Collection[int]
) -> tuple[list[str], Array]:
    """Label lines, and frames as rows of 150 numbers."""
    lines, parts, stop = [], [], 0
    for action in actions:
        frames = _performance(number, camera, action)
        other = _performance(number + 100, camera, action)
        both = np.zeros((PAUSE + len(frames), 2, *frames.shape[1:]))
        both[:PAUSE, 0], both[PAUSE:, 0] = frames[0], frames
        if action - 1 in pairs:
            common = min(len(frames), len(other))
            both[PAUSE : PAUSE + common, 1] = other[:common]
        lines.append(f"{action},{stop + PAUSE + 1},{stop + len(both)},2\n")
        parts.append(both)
        stop += len(both)
    return lines, np.concatenate(parts).reshape(stop, -1)


def _performance(number: int, camera: int, action: int) -> Array:
    """One action in one view, metres, [frames, V, 3]; the same motion in every view."""
    motions = list(ACTIONS.values())
    joints = perform(
        Performer.of(0, number),
        motions[action % len(motions)],
        np.random.default_rng([number, action]),
    )
    return film(joints, camera, np.random.default_rng([number, action, camera]), NOISE)[::STEP]

"""A straight reader of NTU `.skeleton` files: one line after the other, as most would write it."""

from __future__ import annotations

import numpy as np

from starcli_plugins.datasets.actors import assemble
from starcli_plugins.datasets.skeleton_files import Bodies, Body, Joints

JOINTS = 25


def read_plain(data: bytes) -> Bodies:
    """The bodies of a sound file."""
    lines = data.decode("ascii").splitlines()
    declared = int(lines[0])
    position = 1
    kept = 0
    frames: dict[int, list[int]] = {}
    joints: dict[int, list[list[list[float]]]] = {}
    for _ in range(declared):
        count = int(lines[position])
        position += 1
        for _ in range(count):
            columns = lines[position].split()
            if len(columns) != 10 or int(lines[position + 1]) != JOINTS:
                raise ValueError(f"line {position + 1} does not start a body of 25 joints")
            position += 2
            body = []
            for line in lines[position : position + JOINTS]:
                cells = line.split()
                if len(cells) != 12:
                    raise ValueError(f"{len(cells)} columns in a joint line")
                body.append([float(cells[0]), float(cells[1]), float(cells[2])])
            position += JOINTS
            number = int(columns[0])
            frames.setdefault(number, []).append(kept)
            joints.setdefault(number, []).append(body)
        kept += count > 0
    if position != len(lines):
        raise ValueError("the file is longer than declared")
    bodies = (Body(id, np.array(frames[id]), np.array(joints[id], np.float32)) for id in frames)
    return Bodies(kept, declared - kept, tuple(bodies))


def prepare_plain(data: bytes) -> Joints:
    """The actors of a clip: float32 [frames, M, 25, 3]."""
    return assemble(read_plain(data))

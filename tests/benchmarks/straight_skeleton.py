"""A straight reader of NTU `.skeleton` files: one line after the other, as most would write it."""

from __future__ import annotations

import numpy as np

from starcli.skeletons import LIMIT_METRES
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
        seen = False
        for _ in range(count):
            columns = lines[position].split()
            if len(columns) != 10 or int(lines[position + 1]) != JOINTS:
                raise ValueError(f"line {position + 1} does not start a body of 25 joints")
            position += 2
            body = []
            for line in lines[position : position + JOINTS]:
                values = [float(cell) for cell in line.split()]
                if len(values) != 12 or not max(map(abs, values[:3])) <= LIMIT_METRES:
                    raise ValueError(f"{line!r} is no line of a joint")
                body.append(values[:3])
            position += JOINTS
            if any(any(joint) for joint in body):
                number = int(columns[0])
                frames.setdefault(number, []).append(kept)
                joints.setdefault(number, []).append(body)
                seen = True
        kept += seen
    if position != len(lines):
        raise ValueError("the file is longer than declared")
    bodies = (Body(id, np.array(frames[id]), np.array(joints[id], np.float32)) for id in frames)
    return Bodies(kept, declared - kept, tuple(bodies))


def prepare_plain(data: bytes) -> Joints:
    """The actors of a clip: float32 [frames, M, 25, 3]."""
    return assemble(read_plain(data))

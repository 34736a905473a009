"""What passes through given points at given times: smooth, and never beyond them."""

from __future__ import annotations

import numpy as np

from starcli_plugins.datasets.movements.kinematics import Array


def slopes(times: Array, points: Array, *, repeats: bool) -> Array:
    """Slopes of the monotone cubic through points (Fritsch and Carlson 1980), [K, n].

    Args:
        times: When each point is reached, rising, [K]; of a course that repeats itself, the last
            is the first one again.
        points: The points, [K, n].
        repeats: Whether the course begins again after its last point; else it rests at both ends.
    """
    steps = np.diff(times)[:, None]
    rises = np.diff(points, axis=0) / steps
    if repeats:
        steps = np.concatenate([steps[-1:], steps, steps[:1]])
        rises = np.concatenate([rises[-1:], rises, rises[:1]])
    before, after = rises[:-1], rises[1:]
    weight, other = 2 * steps[1:] + steps[:-1], steps[1:] + 2 * steps[:-1]
    same = before * after > 0
    safe = np.where(same, before, 1), np.where(same, after, 1)
    inner = np.where(same, (weight + other) / (weight / safe[0] + other / safe[1]), 0)
    if repeats:
        return np.asarray(inner)
    rest = np.zeros((1, points.shape[1]))
    return np.concatenate([rest, inner, rest])


def follow(times: Array, points: Array, at: Array, *, repeats: bool) -> Array:
    """The course through points, [T, n].

    Args:
        times: When each point is reached, rising, [K].
        points: The points, [K, n].
        at: The times asked for, within those of the points, [T].
        repeats: Whether the course begins again after its last point.
    """
    if len(times) == 1:
        return np.broadcast_to(points, (len(at), points.shape[1]))
    rates = slopes(times, points, repeats=repeats)
    left = np.searchsorted(times[1:-1], at, side="right")
    width = (times[1:] - times[:-1])[left]
    s = (at - times[left]) / width
    s2, s3 = s * s, s * s * s
    start, width = (2 * s3 - 3 * s2 + 1)[:, None], width[:, None]
    begin, end = (s3 - 2 * s2 + s)[:, None] * width, (s3 - s2)[:, None] * width
    return np.asarray(
        start * points[left]
        + (1 - start) * points[left + 1]
        + begin * rates[left]
        + end * rates[left + 1]
    )

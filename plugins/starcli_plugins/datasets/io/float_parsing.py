"""Many decimal numbers at once out of text, exactly as `float` reads them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

NUMBER = re.compile(rb"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
"""A finite decimal number in ASCII; `float` alone also takes `0_3` and digits of other scripts."""

Indices = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

_WIDTH = 16
_POWERS = 10.0 ** np.arange(_WIDTH)
_PLACES = np.arange(_WIDTH - 1, -1, -1, dtype=np.uint8)[:, None]
_PAIRS: tuple[tuple[int, npt.DTypeLike], ...] = (
    (10, np.uint8),
    (100, np.uint16),
    (10**4, np.uint32),
    (10**8, np.uint64),
)
"""How neighbours are added up: digits to numbers below 100, these to numbers below 10,000, ..."""


def parse(data: bytes, starts: Indices, ends: Indices) -> Doubles | None:
    """The numbers in `data[start:end]`; None where one of these is not a finite number.

    At most 14 digits around a point are a whole number divided by a power of ten. Both are exact
    in float64, so the quotient is rounded once, as by `float`. Other forms are read one by one.

    Args:
        data: ASCII text.
        starts: int64 [n].
        ends: int64 [n], each after its start and at least 16 bytes into the text.
    """
    minus = np.frombuffer(data, np.uint8)[starts] == ord("-")
    size = np.minimum(ends - starts - minus, _WIDTH).astype(np.uint8)
    values, usual = _fixed_point(_digits(data, ends, size))
    usual &= (size > 1) & (size < _WIDTH)
    values *= np.where(minus, -1.0, 1.0)
    others = np.flatnonzero(~usual)
    cells = [data[starts[i] : ends[i]] for i in others.tolist()]
    if not all(NUMBER.fullmatch(cell) for cell in cells):
        return None
    values[others] = [float(cell) for cell in cells]
    return values


def _digits(data: bytes, ends: Indices, size: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """[16, n], the last `size` bytes before each end less `0`, in rows of places, led by zeros."""
    windows = np.ndarray((len(data) - _WIDTH + 1,), f"V{_WIDTH}", data, strides=(1,))
    characters = windows[ends - _WIDTH].view(np.uint8).reshape(-1, _WIDTH)
    digits = np.ascontiguousarray(characters.T) - np.uint8(ord("0"))
    digits *= size > _PLACES
    return digits


def _fixed_point(digits: npt.NDArray[np.uint8]) -> tuple[Doubles, npt.NDArray[np.bool_]]:
    """The values of digits around a point, and which columns are just that."""
    point = digits == (ord(".") - ord("0")) % 256
    digit = digits < 10
    usual = point.sum(0, dtype=np.uint8) == 1
    usual &= digit.sum(0, dtype=np.uint8) == _WIDTH - 1
    total: npt.NDArray[Any] = digits * digit
    for unit, kind in _PAIRS:
        total = total[::2].astype(kind) * unit + total[1::2]
    whole = total[0].astype(np.float64)
    power = _POWERS[(_PLACES * point).sum(0, dtype=np.uint8) * usual]
    # The point took a place of its own, so what is left of it counts ten times too much.
    left = np.floor(whole / (10 * power))
    return (whole - 9 * power * left) / power, usual

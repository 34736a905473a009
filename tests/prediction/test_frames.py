"""Frames of a stream: what a line of JSON or arrays say, and what is none."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from starcli.prediction.frames import LONGEST, FrameError, read_line, seen
from starcli_plugins.layouts import OPENNI_15

JOINTS = [[float(n), 1.0, 2.0] for n in range(15)]


def test_persons_come_in_a_list_by_name_or_as_arrays() -> None:
    line = json.dumps({"time": 1, "persons": [JOINTS, JOINTS], "device": "ignored"}).encode()
    listed = seen(read_line(line), OPENNI_15)
    assert (listed.time, listed.names, listed.joints.shape) == (1.0, None, (2, 15, 3))
    np.testing.assert_array_equal(listed.joints[0], JOINTS)
    named = seen({"time": 1.5, "persons": {"anna": JOINTS}}, OPENNI_15)
    assert (named.names, named.joints.shape) == (("anna",), (1, 15, 3))
    for persons in (np.array([JOINTS], np.float32), [np.array(JOINTS)]):
        found = seen({"time": np.float64(2), "persons": persons}, OPENNI_15)
        np.testing.assert_array_equal(found.joints, [JOINTS])


def test_what_is_not_seen_is_nan_and_nobody_is_left_out() -> None:
    some = [None, [None, 1, 2], [float("nan"), 1, 2], [1e999, 1, 2], *JOINTS[4:]]
    text = json.dumps({"time": 0, "persons": {"a": [None] * 15, "b": some}})
    found = seen(read_line(text.encode()), OPENNI_15)
    assert found.names == ("b",)
    assert np.isnan(found.joints[0]).any(-1).tolist() == [True] * 4 + [False] * 11
    assert seen({"time": 0, "persons": []}, OPENNI_15).joints.shape == (0, 15, 3)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ([], "expected a frame with time and persons"),
        ({"time": 1}, "expected a frame"),
        ({"time": None, "persons": []}, "expected a time in seconds, got None"),
        ({"time": "1", "persons": []}, "expected a time"),
        ({"time": True, "persons": []}, "expected a time"),
        ({"time": float("nan"), "persons": []}, "expected a time"),
        ({"time": 10**400, "persons": []}, "expected a time"),
        ({"time": 1, "persons": "anna"}, "expected a list of persons"),
        ({"time": 1, "persons": [7]}, "expected a person to be a list"),
        ({"time": 1, "persons": [JOINTS[:14]]}, "has 14 joints, layout openni-15 has 15"),
        ({"time": 1, "persons": [[[1.0]] * 15]}, "expected 2 or 3 numbers of the head"),
        ({"time": 1, "persons": [[*JOINTS[:14], [1, 2]]]}, "numbers of the right ankle"),
        ({"time": 1, "persons": [[["1", 2, 3], *JOINTS[1:]]]}, "expected numbers of the head"),
        ({"time": 1, "persons": [[[10**400, 2, 3], *JOINTS[1:]]]}, "number that is too large"),
        ({"time": 1, "persons": [JOINTS, [p[:2] for p in JOINTS]]}, "two axes, others three"),
    ],
)
def test_what_is_no_frame(frame: Any, said: str) -> None:
    with pytest.raises(FrameError, match=said) as caught:
        seen(frame, OPENNI_15)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"time 1\n", "not readable JSON"),
        (b'{"time": 1, "per', "and the stream ends in it"),
        (b"\xff\xfe\n", "not readable JSON"),
        (b"[" * 100_000 + b"\n", "not readable JSON"),
        (b" " * LONGEST + b"1\n", "is longer than 1,048,576 bytes"),
    ],
)
def test_lines_that_are_no_json(line: bytes, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        read_line(line)

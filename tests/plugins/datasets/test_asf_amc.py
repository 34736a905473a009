"""ASF and AMC: forward kinematics by hand, and everything that can be wrong with the text."""

from __future__ import annotations

import numpy as np
import pytest

from starcli.errors import DataError
from starcli_plugins.datasets.mocap.asf_amc import motion, positions, skeleton

ASF = """\
# a comment
:version 1.10
:units
  mass 1.0
  length 0.5
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name a
     direction 0 1 0
     length 2
     axis 0 0 0  XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
     id 2
     name b
     direction 1 0 0
     length 1
     axis 0 0 90  XYZ
    dof rx
    limits (-10.0 170.0)
  end
  begin
     id 3
     name c
     direction 0 0 1
     length 3
     axis 0 0 0  XYZ
  end
:hierarchy
  begin
    root a c
    a b
  end
"""
AMC = """\
#!OML:ASF nowhere
:FULLY-SPECIFIED
:DEGREES
1
root 0 0 0 0 0 0
a 0 0 0
b 0
2
root 1 2 3 0 90 0
a 0 0 90
b 90
3
root 0 0 0 0 0 0
a 90 0 90
b 0
"""


def ends(asf: str = ASF, amc: str = AMC) -> dict[str, np.ndarray]:
    body = skeleton(asf, "s.asf")
    return positions(body, motion(amc, body, "m.amc"))


def close(actual: np.ndarray, *wanted: float) -> None:
    np.testing.assert_allclose(actual, wanted, atol=1e-12)


def test_the_rest_pose_lies_along_the_directions_in_inches() -> None:
    """A unit of length of 0.5 makes 2 inches of every unit."""
    rest = {name: end[0] for name, end in ends().items()}
    close(rest["root"], 0, 0, 0)
    close(rest["a"], 0, 4, 0)
    close(rest["b"], 2, 4, 0)
    close(rest["c"], 0, 0, 6)


def test_turned_root_and_bones_by_hand() -> None:
    """The second frame, in units, times two.

    The root at (1, 2, 3) turns by 90 degrees about y, which takes z to x and x to -z. Bone a turns
    by 90 about z: its end (0, 2, 0) goes to (-2, 0, 0), and with the root to (0, 0, 2), so it lies
    at (1, 2, 5). Bone b turns by 90 about its own x, which its axes put at the world's y: its end
    (1, 0, 0) goes to (0, 0, -1), stays there with a, and goes to (-1, 0, 0) with the root.
    """
    second = {name: end[1] for name, end in ends().items()}
    close(second["root"], 2, 4, 6)
    close(second["a"], 2, 4, 10)
    close(second["b"], 0, 4, 10)
    close(second["c"], 8, 4, 6)


def test_angles_are_applied_in_the_order_of_the_dof() -> None:
    """x first: (0, 2, 0) goes to (0, 0, 2), which turning about z leaves; z first ends at -x."""
    close(ends()["a"][2], 0, 0, 4)
    close(ends(ASF.replace("dof rx ry rz", "dof rz ry rx"))["a"][2], -4, 0, 0)


def test_radians_and_the_direction_of_axes() -> None:
    radians = ASF.replace("angle deg", "angle rad").replace("0 0 90  XYZ", "0 0 1.5707963268  XYZ")
    amc = AMC.replace("90", "1.5707963268")
    for name, end in ends(radians, amc).items():
        np.testing.assert_allclose(end, ends()[name], atol=1e-8)


def test_bones_keep_their_lengths() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for frame in range(1, 6):
        numbers = " ".join(map(str, rng.normal(size=6) * 50))
        rows += [f"{frame}", f"root {numbers}", "a 10 -20 300", f"b {rng.normal() * 90}"]
    found = ends(amc="\n".join(rows))
    for start, end, length in (("root", "a", 4), ("a", "b", 2), ("root", "c", 6)):
        np.testing.assert_allclose(np.linalg.norm(found[end] - found[start], axis=1), length)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("direction 0 1 0", "direction 0 one 0"), ["'one'", "s.asf:16"]),
        (("direction 0 1 0", "direction 0 1"), ["expected 3 numbers, got 2", ":16"]),
        (("length 0.5", "length 0"), ["length unit 0 is not positive"]),
        (("dof rx ry rz", "dof rx ry lz"), ["bone a: 'lz'"]),
        (("    a b\n", ""), ["the hierarchy has 3 of 4 bones"]),
        (("    a b\n", "    a d\n"), ["'d' is not a bone"]),
        (("    root a c\n    a b", "    a b\n    root a c"), ["'a' is not a bone above this line"]),
        ((":hierarchy", ":other"), ["has no section :hierarchy"]),
        ((":bonedata", ":other"), ["has no section :bonedata"]),
    ],
)
def test_a_bad_skeleton_is_named(change: tuple[str, str], words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        skeleton(ASF.replace(*change), "s.asf")
    assert all(word in str(caught.value) for word in ["s.asf", *words]), caught.value
    assert caught.value.fix


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("b 90\n", ""), ["has no values of b", "frame 2"]),
        (("a 0 0 90", "a 0 0"), ["m.amc:10", "a: expected 3 values, got 2"]),
        (("a 0 0 90", "a 0 0 x"), ["m.amc:10", "'x'"]),
        (("a 0 0 90", "z 0 0 90"), ["m.amc:10", "'z' is not a bone"]),
        (("b 90\n", "b 90\nb 90\n"), ["m.amc:12", "duplicate values of b"]),
        ((AMC, ""), ["has no frames"]),
        (("1\nroot", "root"), ["m.amc:4", "before the number of the first frame"]),
        (
            ("3\nroot 0 0 0 0 0 0\na 90 0 90\nb 0\n", "3\nroot 0 0 0 0 0 0\na 90"),
            ["m.amc:14", "got 1"],
        ),
    ],
)
def test_bad_motion_is_named(change: tuple[str, str], words: list[str]) -> None:
    body = skeleton(ASF, "s.asf")
    with pytest.raises(DataError) as caught:
        motion(AMC.replace(*change), body, "m.amc")
    assert all(word in str(caught.value) for word in ["m.amc", *words]), caught.value
    assert caught.value.fix

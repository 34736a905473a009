"""Who is who, and who is meant."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from starcli.data.importing import people
from starcli.errors import UsageError

FRAMES = np.arange(40)


def body(x: float, *, speed: float = 0.0) -> npt.NDArray[np.float64]:
    """Somebody 1.7 m tall at x who goes sideways [40, 17, 3]."""
    joints = np.zeros((40, 17, 3))
    joints[..., 1] = np.linspace(0, 1.7, 17)
    joints[..., 0] = x + speed * FRAMES[:, None]
    return joints


PAIR = np.stack([body(-1), body(1, speed=0.01)], 1)


@pytest.mark.parametrize("rows", [slice(1, None, 2), slice(20, None)], ids=["each", "once"])
def test_people_who_swap_slots_are_linked_again(rows: slice) -> None:
    swapped = PAIR.copy()
    swapped[rows] = swapped[rows, ::-1]
    found = people.followed(swapped, None, FRAMES)
    np.testing.assert_array_equal(found.joints, PAIR)
    assert found.relinked == 20


def test_names_that_swap_are_linked_again_too() -> None:
    swapped = PAIR.copy()
    swapped[20:] = swapped[20:, ::-1]
    found = people.followed(swapped, ("7", "9"), FRAMES)
    np.testing.assert_array_equal(found.joints, PAIR)
    assert found.names == ("7", "9")


def test_a_person_in_any_slot_is_the_person() -> None:
    alone = np.full((40, 3, 17, 3), np.nan)
    for frame in range(40):
        alone[frame, frame % 3] = PAIR[frame, 1]
    np.testing.assert_array_equal(people.followed(alone, None, FRAMES).joints[:, 0], PAIR[:, 1])


def test_somebody_who_comes_back_in_time_is_the_same_and_later_another() -> None:
    gone = PAIR.copy()
    gone[10:20, 1] = np.nan
    assert people.followed(gone, None, FRAMES).joints.shape[1] == 2
    late = np.array([*range(20), *range(60, 80)])
    assert people.followed(PAIR, None, late).joints.shape[1] == 4


def test_ghosts_of_three_joints_are_nobody() -> None:
    joints = np.full((1, 2, 17, 3), np.nan)
    joints[0, 0, :3] = 1.0
    joints[0, 1, :4] = 1.0
    seen = np.isfinite(people.without_ghosts(joints)).all(-1).sum(-1)
    assert seen.tolist() == [[0, 4]]


def test_who_is_meant() -> None:
    small, tall, still = body(-2, speed=0.005) * 0.5, body(0, speed=0.02), body(3)
    everybody = people.followed(np.stack([small, tall, still], 1), ("a", "b", "c"), FRAMES)
    assert people.chosen(everybody, None).names == ("a", "b")
    assert people.chosen(everybody, "most-motion").names == ("b",)
    assert people.chosen(everybody, "largest").names[0] in ("b", "c")
    assert people.chosen(everybody, "c").names == ("c",)
    with pytest.raises(UsageError, match="nobody has this name"):
        people.chosen(everybody, "d")

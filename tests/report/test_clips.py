"""Which clips are shown, and what is said of them."""

from __future__ import annotations

import numpy as np

from starcli.report.clips import cells, one_of_each, part_table


def test_one_of_every_kind_comes_before_two_of_any_and_frequent_kinds_first() -> None:
    kinds = ["a", "a", "b", "c", "c", "c"]
    assert one_of_each(kinds, 3) == [3, 0, 2]
    assert one_of_each(kinds, 4) == [3, 0, 2, 4]
    assert sorted(one_of_each(kinds, 9)) == [0, 1, 2, 3, 4, 5]
    assert one_of_each([], 3) == []


def test_the_table_of_a_clip_by_hand() -> None:
    """The true class first, each class once, and the most alike of the unseen ones only."""
    alike = np.array([[0.9, 0.25, -0.5], [0.9, 0.1, 0.125]])
    found = part_table(["arm", "leg"], alike, [1, 2, 2], ["seen", "one", "two"], [1, 2])
    assert found == (
        ("part", "one (true)", "two", "most like, of unseen classes"),
        ("arm", "0.25", "-0.50", "one"),
        ("leg", "0.10", "0.12", "two"),
    )


def test_cells_name_so_many_clips() -> None:
    labels, named = np.array([0, 0, 1, 0]), np.array([1, 1, 1, 1])
    assert cells(labels, named, "abcd", 2) == {(0, 1): ["a", "b"], (1, 1): ["c"]}

"""What each part matches by itself."""

from __future__ import annotations

import numpy as np

from starcli.report.parts import right_by_part


def test_parts_by_hand() -> None:
    """Classes 0 and 2 are unseen; class 1, which is seen, is never an answer."""
    scores = np.zeros((3, 2, 3))
    scores[:, :, 1] = 9
    scores[0, 0, 0] = scores[1, 0, 2] = scores[2, 0, 2] = 1
    scores[0, 1, 2] = scores[1, 1, 0] = scores[2, 1, 2] = 1
    found = right_by_part(scores, np.array([0, 0, 2]), (0, 2))
    assert found == {0: [0.5, 0.5], 2: [1.0, 1.0]}
    assert right_by_part(scores[:2], np.array([0, 0]), (0, 2))[2] == [None, None]

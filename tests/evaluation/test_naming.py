"""Shares of clips that are named right, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from starcli.evaluation.naming import naming

NAMES = ("wave", "kick", "bow", "clap", "run", "jump")


def test_shares_are_those_counted_by_hand() -> None:
    scores = np.array(
        [
            [0.9, 0.1, 0.2, 0.3, 0.4, 0.5],  # wave, right
            [0.9, 0.1, 0.2, 0.3, 0.4, 0.5],  # wave, and kick is the sixth
            [0.9, 0.8, 0.2, 0.3, 0.4, 0.5],  # wave, and kick is the second
            [0.0, 0.1, 0.9, 0.3, 0.4, 0.5],  # bow, right
        ]
    )
    found = naming(scores, np.array([0, 1, 1, 2]), NAMES)
    assert found == {
        "top1": 0.5,
        "by_class": pytest.approx(2 / 3),  # wave 1, kick 0, bow 1; no clips of the others
        "top5": 0.75,
        "frequent": 0.75,
        "most_frequent": "wave",
        "right": {
            "top1": {"wave": "1", "kick": "00", "bow": "1"},
            "top5": {"wave": "1", "kick": "01", "bow": "1"},
        },
    }


def test_of_equal_scores_the_first_name_is_taken() -> None:
    found = naming(np.zeros((2, 6)), np.array([1, 5]), NAMES)
    assert found["top1"] == 0.0 and found["top5"] == 0.5 and found["most_frequent"] == "wave"

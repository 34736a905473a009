"""What a model was told of an action, by the names that it learned from."""

from __future__ import annotations

import pytest

import starcli
from starcli.prediction.told import learned_names, told_of
from starcli_plugins.datasets.movements.source import Movements

LEARNED = ("wave", "kick a ball", "kick hard", "put on a jacket", "stand up")


@pytest.mark.parametrize(
    ("name", "told", "near", "similarity"),
    [
        ("Wave", "told", None, None),
        ("kick_a_ball", "told", None, None),
        ("waving goodbye", "near", "wave", 1 / 2),
        ("kick", "near", "kick a ball", 1 / 2),  # of two as near the first
        ("throw a ball far", "near", "kick a ball", 1 / 3),
        ("wave one hand", "told", None, None),  # the same by the equivalences
        ("wave with both hands", "near", "wave", 1),
        ("juggle", "new", None, None),
        ("both arms up", "new", None, None),  # no word of doing
    ],
)
def test_told_of_by_hand(name: str, told: str, near: str | None, similarity: float | None) -> None:
    assert told_of(name, LEARNED) == {"told": told, "near": near, "similarity": similarity}


def test_names_of_movements_that_were_not_left_out() -> None:
    teacher = Movements(Movements.Settings())
    every = learned_names(["wave", "mine"], teacher, ())
    assert every[:2] == ("wave", "mine") and "squat" in every and len(set(every)) == len(every)
    assert "squat" not in learned_names([], teacher, ("squat",))
    assert learned_names(["mine"], None, ()) == ("mine",)


def test_the_shipped_model_says_what_it_was_told_of() -> None:
    learned = starcli.load("general", device="cpu").learned
    told = {name: told_of(name, learned)["told"] for name in ("wave", "bow", "squat slowly")}
    assert told == {"wave": "told", "bow": "told", "squat slowly": "near"}
    assert told_of("juggle", learned)["told"] == "new"

"""Words of sides and turns are exchanged, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcli.text.mirroring import mirrored


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("right arm swipe to the left", "left arm swipe to the right"),
        ("Left hand rises, the RIGHT one rests.", "Right hand rises, the LEFT one rests."),
        ("draw circle (clockwise)", "draw circle (counterclockwise)"),
        ("draw circle (counter clockwise)", "draw circle (clockwise)"),
        ("a counter-clockwise turn", "a clockwise turn"),
        ("Anticlockwise, then clockwise", "Clockwise, then counterclockwise"),
        ("steps leftwards", "steps rightwards"),
        ("bent at a right angle", "bent at a right angle"),
        ("the right-handed one", "the left-handed one"),
        ("an upright, bright trunk", "an upright, bright trunk"),
        ("both hands clap", "both hands clap"),
    ],
)
def test_words_that_a_mirror_exchanges(text: str, want: str) -> None:
    assert mirrored(text) == want


WORDS = st.sampled_from(
    ["left", "Right", "CLOCKWISE", "counterclockwise", "hand", "upright", "and"]
)


@given(st.lists(WORDS).map(" ".join))
def test_a_mirror_of_a_mirror_shows_the_thing_itself(text: str) -> None:
    assert mirrored(mirrored(text)) == text

"""Names that mean nearly the same, by their words and by their vectors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from starcli.text.nearness import are_near, near_names


def vectors(**cosines: float) -> dict[str, Tensor]:
    """Unit vectors with these cosines to `wave`."""
    made = {name: torch.tensor([c, (1 - c * c) ** 0.5]) for name, c in cosines.items()}
    return {name.replace("_", " "): vector for name, vector in made.items()}


def test_names_with_a_word_of_doing_in_common_are_near() -> None:
    known = vectors(
        waving=0.0, throw=0.0, right_hand_wave=1.0, pick_up_and_throw=0.0, raise_a_hand=-1.0
    )
    near = near_names(
        {"wave": ["waving"], "throw": ["throw"], "raise": ["raise a hand"]},
        ["right hand wave", "pick up and throw"],
        known,
    )
    assert near == {"wave": "right hand wave", "throw": "pick up and throw"}


def test_names_with_like_vectors_are_near() -> None:
    known = vectors(wave=1.0, greet=0.56, point=0.54)
    assert near_names({"a": ["greet"], "b": ["point"]}, ["wave"], known) == {"a": "wave"}


def test_the_equivalences_decide_before_words_and_vectors() -> None:
    known = vectors(answer_phone=1.0, make_a_call=-1.0, call=1.0)
    assert are_near("answer phone", "make a call", known)
    assert not are_near("answer phone", "call", known)


def test_one_name_of_several_is_enough_and_no_class_is_near_to_nothing() -> None:
    known = vectors(wave=1.0, nod=0.0, say_hello=0.9)
    assert near_names({"a": ["nod", "say hello"]}, ["wave"], known) == {"a": "wave"}
    assert near_names({"a": ["nod", "say hello"]}, [], known) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hug", "hugging"),
        ("run", "running"),
        ("jump", "jumping jacks"),
        ("lift", "lifting"),
        ("point", "pointing"),
        ("hop", "hopping"),
        ("sit", "sitting"),
        ("wave", "waves"),
        ("push", "pushes"),
        ("carry", "carries"),
        ("carry", "carrying"),
        ("kick", "kicked"),
        ("write", "writing"),
        ("press", "pressing"),
        ("roll", "rolled"),
    ],
)
def test_forms_of_a_word_are_one(one: str, other: str) -> None:
    apart = {one: torch.tensor([1.0, 0.0]), other: torch.tensor([0.0, 1.0])}
    assert near_names({"a": [one]}, [other], apart) == {"a": other}
    assert near_names({"a": [other]}, [one], apart) == {"a": one}

"""The describer `parts-of-speech`: what is done, and with what."""

from __future__ import annotations

import pytest

from starcli.contracts import DescriberContext
from starcli_plugins.datasets.ntu.classes import CLASSES
from starcli_plugins.datasets.nw_ucla import NwUcla
from starcli_plugins.datasets.pku.source import PkuMmd
from starcli_plugins.datasets.simulated.source import Simulated
from starcli_plugins.datasets.utd_mhad import UtdMhad
from starcli_plugins.describers.parts_of_speech import EXCEPTIONS, PartsOfSpeech, verb_and_noun

EVERY = {*CLASSES, *PkuMmd.classes, *UtdMhad.classes, *NwUcla.classes, *Simulated.classes}


@pytest.mark.parametrize(
    ("name", "verb", "noun"),
    [
        ("drink water", "drink", "water"),
        ("Put on a hat/cap", "put on", "hat/cap"),
        ("take out something from pocket", "take out", "something from pocket"),
        ("type on a keyboard", "type on", "keyboard"),
        ("shoot at basket", "shoot", "basket"),
        ("dance hula with side steps", "dance", "hula with side steps"),
        ("hopping (one foot jumping)", "hopping", "one foot jumping"),
        ("check time (from watch)", "check", "time (from watch)"),
        ("bow politely with arms folded", "bow politely", "arms folded"),
        ("sneak on the spot with arms stretched out", "sneak on the spot", "arms stretched out"),
        ("sit down", "sit down", "sit down"),
        ("Clapping", "clapping", "Clapping"),
        ("right arm throw", "throw", "right arm"),
        ("right hand knock on door", "knock on", "door"),
        ("hand waving", "wave", "hand"),
        ("back pain", "touch", "back"),
        ("  ", "", "  "),
    ],
)
def test_verb_and_noun(name: str, verb: str, noun: str) -> None:
    assert verb_and_noun(name) == (verb, noun)


def test_the_facets_stand_in_for_parts() -> None:
    describer = PartsOfSpeech(PartsOfSpeech.Settings())
    assert describer.facets == ("verb", "noun")
    assert describer.describe(["tear up paper"], describer.facets, DescriberContext()) == [
        {"verb": "tear up", "noun": "paper"}
    ]


def test_every_class_of_every_data_set_has_both() -> None:
    for name in EVERY:
        verb, noun = verb_and_noun(name)
        assert verb.strip() == verb != "" and noun.strip() == noun != ""
        assert verb.split()[0] not in {"right", "left", "two", "hand", "arm", "front", "tennis"}
        assert noun.split()[0] not in {"a", "an", "the", "on", "with", "to"}
        assert noun.count("(") == noun.count(")")
    assert set(EXCEPTIONS) <= EVERY


def test_different_names_of_a_data_set_stay_apart() -> None:
    for classes in (CLASSES, UtdMhad.classes, NwUcla.classes, Simulated.classes):
        assert len({verb_and_noun(name) for name in classes}) == len(classes)

"""Actions said in the words of movements, and in those of the lexicon where no movement is one."""

from __future__ import annotations

import pytest

from starcli.contracts import DescriberContext
from starcli.errors import DataError
from starcli_plugins.datasets.movements import speech
from starcli_plugins.describers.lexicon.describer import Lexicon
from starcli_plugins.describers.movement_sentences import MovementSentences

PARTS = ("head", "hand", "leg-foot")


def describe(*actions: str, parts: tuple[str, ...] = PARTS) -> tuple[list[dict[str, str]], str]:
    notes: list[str] = []
    describer = MovementSentences(MovementSentences.Settings())
    texts = describer.describe(actions, parts, DescriberContext(note=notes.append))
    return texts, " ".join(notes)


def test_movements_come_first_and_the_lexicon_says_the_rest() -> None:
    (squat, juggle, again), notes = describe("squat", "juggle water", "squat")
    said = speech.said_of("squat")
    assert said is not None
    assert squat == again == {part: said[part] for part in PARTS}
    lexicon = Lexicon(Lexicon.Settings())
    assert [juggle] == lexicon.describe(["juggle water"], PARTS, DescriberContext())
    assert "juggle water" in notes
    assert "squat" not in notes


def test_a_part_that_nothing_is_said_of_is_an_error() -> None:
    with pytest.raises(DataError, match="no lexicon entry has a part 'tail'"):
        describe("squat", parts=("tail",))


def test_its_fingerprint_names_movements_equivalences_and_lexicon() -> None:
    fingerprint = MovementSentences(MovementSentences.Settings()).fingerprint()
    assert fingerprint.endswith(Lexicon(Lexicon.Settings()).fingerprint())
    assert len(set(fingerprint.split("+"))) == 3

"""The file of names that mean the same, nearly the same, or only sound like it."""

from __future__ import annotations

import pytest

from starcli import registry
from starcli.contracts import Teacher
from starcli.errors import DataError
from starcli.text.equivalences import name_key, read_equivalences, shipped

SMALL = """
["bow"]
same = ["bend forward"]
near = ["touch the toes"]
apart = ["shoot an arrow"]

["shoot an arrow"]
same = ["draw a bow"]
"""
REAL = (
    "utd-mhad",
    "nw-ucla",
    "florence3d",
    "utkinect",
    "kard",
    "bandai-namco",
    "kinder-gator",
    "hdm05",
)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Raise the right hand", "raise one hand"),
        ("raise one hand", "raise one hand"),
        ("right hand draw circle (clockwise)", "one hand draw circle clockwise"),
        ("squat", "squat"),
    ],
)
def test_case_articles_and_sides_do_not_count(name: str, key: str) -> None:
    assert name_key(name) == key


@pytest.mark.parametrize(
    ("one", "other", "relation"),
    [
        ("bow", "Bend forward", "same"),
        ("wave left hand", "wave the right hand", "same"),
        ("touch the toes", "bend forward", "near"),
        ("draw a bow", "bend forward", "apart"),
        ("bow", "kneel", None),
    ],
)
def test_a_relation_holds_of_all_names_and_both_ways(
    one: str, other: str, relation: str | None
) -> None:
    known = read_equivalences(SMALL)
    assert known.relation(one, other) == known.relation(other, one) == relation


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["bow"]\nalike = ["bend"]', "action 'bow' has alike"),
        (
            '["bow"]\nsame = ["bend"]\n["nod"]\nsame = ["the bend"]',
            "the name of 'bow' and of 'nod'",
        ),
        ('["bow"]\nnear = ["nod"]\n["nod"]\napart = ["bow"]', "written twice"),
        ('["bow"]\nnear = ["a bow"]', "written twice"),
    ],
)
def test_contradictions_are_refused(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_equivalences(text, "mine.toml")


def test_the_shipped_file_speaks_of_names_that_there_are_and_of_every_class() -> None:
    sources = {name: registry.load("dataset", name) for name in (*REAL, "movements")}
    made = {name: source(source.Settings()) for name, source in sources.items()}
    classes = {name_key(c) for name in REAL for c in made[name].classes}
    teacher = made["movements"]
    assert isinstance(teacher, Teacher)
    movements = {name_key(name) for names in teacher.movements.values() for name in names}
    known = shipped()
    listed = {*known.actions, *(action for pair in known.relations for action in pair)}
    assert listed <= classes | movements
    assert classes <= listed

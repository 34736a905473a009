"""The lexicon: every entry whole and unlike the others, and names that find the right one."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import resources

import numpy as np
import pytest
import torch

from starcli.class_names import casefolded
from starcli.contracts import DescriberContext, EntryMatch
from starcli.errors import DataError
from starcli_plugins.describers.lexicon import files, meaning
from starcli_plugins.describers.lexicon.describer import Lexicon
from starcli_plugins.describers.lexicon.files import PARTS, Entry
from starcli_plugins.describers.lexicon.name_words import (
    movement,
    readings,
    similarity,
    stem,
    stems,
)
from tests.plugins.describers.test_bundled import MEMBERS, NEAR, SOURCES, words

DOMAINS = pytest.mark.parametrize("domain", files.domains())
UNSEEN = re.compile(
    r"\b(?:(?:black|blue|brown|green|grey|orange|pink|purple|red|white|yellow|grins?|sad)\b"
    r"|(?:smil|frown|happ[iy]|sadly|sadness|ang(?:er|ry)|joy|loud|sound|noise)[a-z]*)"
)
"""What joints cannot show."""


def everything() -> list[Entry]:
    return [entry for domain in files.domains() for entry in files.entries(domain)]


def say(*actions: str, parts: Sequence[str] = PARTS, near: float = 0.5) -> list[dict[str, str]]:
    return Lexicon(Lexicon.Settings(near=near)).describe(actions, parts, DescriberContext())


def notes(*actions: str, near: float = 0.5) -> list[str]:
    found: list[str] = []
    context = DescriberContext(note=found.append)
    Lexicon(Lexicon.Settings(near=near)).describe(actions, ["arm"], context)
    return found


def texts(name: str) -> dict[str, str]:
    entry = files.named(name)
    assert entry is not None
    return dict(entry.texts)


@DOMAINS
def test_a_file_is_in_its_form_with_every_part(domain: str) -> None:
    file = resources.files("starcli_plugins.describers.lexicon") / f"{domain}.json"
    written = file.read_text(encoding="utf-8")
    document = json.loads(written)

    assert document["domain"] == domain
    assert [n for n, e in document["actions"].items() if list(e) != ["synonyms", *PARTS]] == []
    assert written == json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def test_the_parts_are_those_of_every_partition() -> None:
    assert tuple(MEMBERS) == PARTS


def test_a_name_stands_once_in_all_domains() -> None:
    count = Counter(casefolded(name) for entry in everything() for name in entry.names)

    assert [name for name, times in count.items() if times > 1] == []


def test_names_are_written_as_they_are_compared() -> None:
    names = [name for entry in everything() for name in entry.names]

    assert [name for name in names if name != casefolded(name) or not name.isascii()] == []


def faults(text: str) -> Iterator[str]:
    """What is wrong with a sentence."""
    count = len(text.split())
    if not 8 <= count <= 25:
        yield f"{count} words, not 8 to 25"
    if not (text.isascii() and text.isprintable() and text == " ".join(text.split())):
        yield "not one plain line"
    if not (text.endswith(".") and text.count(".") == 1 and not set(text) & set(';!?"')):
        yield "not one sentence"
    if not text[:1].isupper():
        yield "begins small"
    if found := UNSEEN.findall(text.lower()):
        yield f"joints do not show {found}"


@DOMAINS
def test_texts_are_short_sentences_of_what_joints_show(domain: str) -> None:
    found = [
        f"{entry.name}, {part}: {fault}"
        for entry in files.entries(domain)
        for part, text in entry.texts.items()
        for fault in faults(text)
    ]

    assert found == []


@pytest.mark.parametrize("part", PARTS)
def test_no_two_entries_say_nearly_the_same_of_a_part(part: str) -> None:
    known = everything()
    said = [words(entry.texts[part]) for entry in known]
    vocabulary = {word: n for n, word in enumerate(sorted(frozenset[str]().union(*said)))}
    has = np.zeros((len(said), len(vocabulary)), np.float32)
    for row, each in enumerate(said):
        has[row, [vocabulary[word] for word in each]] = 1
    shared, sizes = has @ has.T, has.sum(1)
    alike = np.triu(shared / (sizes[:, None] + sizes - shared), 1)

    pairs = zip(*np.nonzero(alike > NEAR), strict=True)
    assert [(known[a].name, known[b].name, f"{alike[a, b]:.2f}") for a, b in pairs] == []


@pytest.mark.parametrize("name", ["SQUAT", "  squat ", "deep\u00a0knee  bend", "Air Squat"])
def test_a_name_or_synonym_is_found_whatever_its_case_and_spacing(name: str) -> None:
    assert say(name) == [texts("squat")]
    assert notes(name) == []


@pytest.mark.parametrize("name", ["squatting", "squats", "Squatted", "the squats", "do air-squats"])
def test_a_plain_form_of_a_name_is_that_name(name: str) -> None:
    assert say(name) == [texts("squat")]
    assert notes(name) == []


def test_another_name_is_mixed_with_the_nearest_entries_and_says_so() -> None:
    """Its own name first, then at most five, the most alike first."""
    [said] = say("squat slowly", parts=["arm"])
    [note] = notes("squat slowly")
    near = re.findall(r"'([^']+)' (0\.\d\d)", note)
    assert near[0] == ("squat", "0.67") and near[1:] and len(near) <= 5
    assert [value for _, value in near] == sorted((value for _, value in near), reverse=True)
    assert said["arm"].split("\n") == ["squat slowly", *(texts(name)["arm"] for name, _ in near)]


def test_a_name_that_is_like_none_is_all_that_is_said() -> None:
    assert say("xyzzy", "plugh", parts=["arm", "leg"]) == [
        {"arm": "xyzzy", "leg": "xyzzy"},
        {"arm": "plugh", "leg": "plugh"},
    ]
    assert notes("xyzzy") == ["xyzzy: not in the lexicon, its name alone"]
    assert notes("squat slowly", near=0.7) == ["squat slowly: not in the lexicon, its name alone"]


ALONE = "saunter: not in the lexicon, its name alone"
VECTORS = {
    "walk": (1.0, 0.0),
    "crawl": (0.0, 1.0),
    "saunter": (0.8, 0.6),
    "squat slowly": (0.0, -1.0),
}
BOTH = "saunter: as 'walk' 0.80 by meaning, 'crawl' 0.60 by meaning"


@pytest.fixture
def meanings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text encoder that knows three names; all others are unlike these."""
    from starcli_plugins.encoders.sentence_bert import MiniLM

    def encode(self: MiniLM, texts: Sequence[str]) -> torch.Tensor:
        return torch.tensor([VECTORS.get(text, (-1.0, 0.0)) for text in texts])

    monkeypatch.setattr(MiniLM, "encode", encode)
    monkeypatch.setattr(meaning, "_vectors", lambda: encode(meaning.encoder(), [*meaning._row()]))


@pytest.mark.parametrize(
    ("settings", "name", "note"),
    [
        ({}, "saunter", ALONE),
        ({"encoder": "minilm"}, "saunter", BOTH),
        ({"encoder": "minilm", "alike": 0.9}, "saunter", ALONE),
        (
            {"encoder": "minilm", "alike": 0.7},
            "saunter",
            "saunter: as 'walk' 0.80 by meaning",
        ),
        (
            {"encoder": "minilm", "leave_out": ["walk"]},
            "saunter",
            "saunter: as 'crawl' 0.60 by meaning",
        ),
        ({"near": 0.66, "encoder": "minilm"}, "squat slowly", "squat slowly: as 'squat' 0.67"),
    ],
)
def test_a_name_takes_the_entries_of_like_meaning_too(
    meanings: None, settings: dict[str, object], name: str, note: str
) -> None:
    found: list[str] = []
    lexicon = Lexicon(Lexicon.Settings.model_validate(settings))
    [said] = lexicon.describe([name], ["arm"], DescriberContext(note=found.append))
    assert found[-1] == note
    entries = re.findall(r"'([^']+)' 0", note)
    assert said["arm"].split("\n") == [name, *(texts(entry)["arm"] for entry in entries)]


def test_the_encoder_that_compares_names_is_a_part_of_the_key() -> None:
    by_words, both = (
        Lexicon(Lexicon.Settings.model_validate({"encoder": encoder})).fingerprint()
        for encoder in (None, "minilm")
    )
    assert both == f"{by_words}+{meaning.fingerprint()}"


@pytest.mark.slow
def test_names_of_like_meaning_are_found_by_the_packaged_encoder() -> None:
    """Each of many at once as alone, whatever is beside it."""
    names = ["guitarist", "pianist", "guffaw"]
    together = [found[0] for found in meaning.nearest(names, 2)]
    assert [(e.name, round(c, 2)) for e, c in together] == [
        (e.name, round(c, 2)) for name in names for e, c in meaning.nearest([name], 1)[0]
    ]
    assert [entry.name for entry, _ in together[:2]] == ["play the guitar", "play the piano"]


@pytest.mark.parametrize(
    "name",
    ["", "...", "\u8dd1\u6b65", pytest.param("x" * 10_000, id="long", marks=pytest.mark.slow)],
)
def test_a_name_without_a_known_word_is_its_own_text(name: str) -> None:
    assert say(name, parts=["arm"]) == [{"arm": name}]


def test_only_the_asked_parts_in_their_order() -> None:
    [found] = say("wave", parts=["leg", "upper body"])

    assert list(found) == ["leg", "upper body"]


def test_a_part_that_no_entry_has_is_named() -> None:
    with pytest.raises(DataError, match="'tail'") as caught:
        say("wave", parts=["arm", "tail"])

    assert "--describer names" in caught.value.fix


def kept(leave_out: object, *actions: str) -> list[str | None]:
    """The entries that actions take where some are left out."""
    settings = Lexicon.Settings.model_validate({"leave_out": leave_out})
    matches = Lexicon(settings).entries(actions)
    return [None if match is None else match.name for match in matches]


def test_an_action_takes_the_entry_of_the_most_similar_name() -> None:
    matches = Lexicon(Lexicon.Settings()).entries(["Air Squat", "squat slowly", "xyzzy"])

    assert matches == [EntryMatch("squat", 1.0), EntryMatch("squat", 2 / 3), None]


@pytest.mark.parametrize(
    "left_out",
    [
        ["squat"],
        "squat",
        "wave, deep knee bend",
        ["Squatting"],
        ["squats (two arms stretch out)"],
        ["two-hand squat"],
        ["hop/squat"],
        "utd-mhad",
    ],
)
def test_an_entry_is_left_out_by_any_name_of_its_movement(left_out: object) -> None:
    taken = kept(left_out, "squat", "squats", "air squat", "sumo squat")

    assert "squat" not in taken
    assert taken[3] == "sumo squat"


def test_other_entries_stay_where_some_are_left_out() -> None:
    assert kept(["squat"], "wave", "squat jump") == ["wave", "jump squat"]
    assert kept(["xyzzy"], "squat") == kept("", "squat") == kept([], "squat") == ["squat"]


@pytest.mark.parametrize("dataset", ["utd-mhad", "nw-ucla", "ntu60", "ntu120", "pku-mmd"])
def test_no_class_of_a_data_set_that_is_left_out_takes_an_entry_of_its_name(dataset: str) -> None:
    classes = SOURCES[dataset].classes
    without = Lexicon(Lexicon.Settings(leave_out=(dataset,)))
    names = {casefolded(name) for name in classes}
    taken = {match.name for match in without.entries(classes) if match}

    assert [e.name for e in everything() if e.name in taken and names & set(e.names)] == []
    assert all(match is None or match.similarity < 1 for match in without.entries(classes))


@pytest.mark.parametrize("dataset", ["utd-mhad", "nw-ucla", "ntu120", "pku-mmd"])
def test_every_class_of_the_public_data_sets_has_an_entry(dataset: str) -> None:
    classes = SOURCES[dataset].classes
    matches = Lexicon(Lexicon.Settings()).entries(classes)

    assert [name for name, match in zip(classes, matches, strict=True) if match is None] == []


def test_what_is_left_out_is_noted_first_and_said_by_another_entry_or_none() -> None:
    lines: list[str] = []
    settings = Lexicon.Settings(leave_out=("squat", "wave"))
    context = DescriberContext(note=lines.append)
    [taken] = Lexicon(settings).describe(["squat"], ["leg"], context)

    assert re.fullmatch(r"\d+ entries of the lexicon are left out: squat, wave", lines[0])
    assert lines[1].startswith("squat: as 'jump squat' 0.67, ")
    assert taken["leg"].split("\n")[:2] == ["squat", texts("jump squat")["leg"]]


def test_the_readme_s_actions_are_known() -> None:
    assert notes("squat", "wave") == []


def test_domains_are_read_only_until_a_name_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"a": (Entry("row", (), {}),), "b": (Entry("ski", ("go skiing",), {}),)}
    read: list[str] = []

    def entries(domain: str) -> tuple[Entry, ...]:
        read.append(domain)
        return known[domain]

    monkeypatch.setattr(files, "domains", lambda: sorted(known))
    monkeypatch.setattr(files, "entries", entries)
    files._by_name.cache_clear()
    try:
        assert files.named("row") == known["a"][0]
        assert read == ["a"]
        assert files.named("Go skiing") == known["b"][0]
        assert files.named("row") == known["a"][0]
        assert read == ["a", "b"]
    finally:
        files._by_name.cache_clear()


@pytest.mark.parametrize(
    "forms",
    [
        "squat squats squatting squatted",
        "wave waves waving waved",
        "carry carries carrying carried",
        "punch punches punching punched",
        "press presses pressing pressed",
        "fall falls falling",
        "run runs running",
        "lie lies lying lied",
        "swing swings swinging",
        "eat eats eating",
        "ski skiing",
        "see sees seeing",
    ],
)
def test_forms_of_a_word_have_one_stem(forms: str) -> None:
    assert len(set(map(stem, forms.split()))) == 1


def test_different_words_have_different_stems() -> None:
    different = ["sit", "sing", "swing", "ring", "run", "row", "roll", "rub", "ski", "kick", "king"]

    assert len(set(map(stem, different))) == len(different)


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        ("wave", {"wave"}),
        ("put on a hat/cap (any)", {"put on a hat/cap (any)", "put on a hat", "put on a cap"}),
        ("squat (arms out)", {"squat (arms out)", "squat"}),
    ],
)
def test_a_name_is_read_with_and_without_remarks(name: str, forms: set[str]) -> None:
    assert forms <= {reading.strip() for reading in readings(name)}


def test_a_movement_is_what_is_not_light() -> None:
    assert movement("right arm throw") == movement("Throwing") == {"throw"}
    assert movement("hands up") == {"hand", "up"}
    assert movement("...") == frozenset()


def test_the_verb_counts_more_than_what_it_is_done_to() -> None:
    def alike(one: str, other: str) -> float:
        return similarity(stems(one), stems(other))

    assert alike("chopping onions", "chop with a knife") > alike("peel onions", "chop onions")
    assert alike("playing chess", "play the guitar") < 0.5
    assert alike("open the door", "opening doors") == 1
    assert alike("two hand push", "push") > alike("two hand push", "two-handed backhand")
    assert alike("right arm throw", "throw") == 2 / 3
    assert alike("throw", "right arm throw") == 0.5
    assert alike("raise the left arm", "left arm raise") == 1
    assert alike("chop onions", "chop with a knife") == alike("chop onions", "chop with the hand")
    assert alike("two hand push", "push") > alike("two hand push", "push a hand truck")
    assert alike("kicking other person", "kick another person") == 1
    assert alike("chest pain", "chest press") < 0.5
    assert alike("giving an object", "give up") == 0
    assert alike("kick something", "kick") == 1
    assert alike("", "") == alike("", "kick") == 0

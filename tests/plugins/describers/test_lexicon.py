"""The lexicon: every entry whole and unlike the others, and names that find the right one."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import resources

import numpy as np
import pytest

from starcli.class_names import casefolded
from starcli.contracts import DescriberContext
from starcli.errors import DataError
from starcli_plugins.describers.lexicon import files
from starcli_plugins.describers.lexicon.describer import Lexicon
from starcli_plugins.describers.lexicon.files import PARTS, Entry
from starcli_plugins.describers.lexicon.name_words import similarity, stem, stems
from tests.plugins.describers.test_bundled import MEMBERS, NEAR, words

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


def test_another_name_takes_the_nearest_entry_and_says_so() -> None:
    assert say("squat slowly") == [texts("squat")]
    assert notes("squat slowly") == ["squat slowly: as 'squat', 0.67"]


def test_a_name_that_is_like_none_is_all_that_is_said() -> None:
    assert say("xyzzy", "plugh", parts=["arm", "leg"]) == [
        {"arm": "xyzzy", "leg": "xyzzy"},
        {"arm": "plugh", "leg": "plugh"},
    ]
    assert notes("xyzzy") == ["xyzzy: not in the lexicon, its name alone"]
    assert notes("squat slowly", near=0.7) == ["squat slowly: not in the lexicon, its name alone"]


@pytest.mark.parametrize("name", ["", "...", "\u8dd1\u6b65", "x" * 10_000])
def test_a_name_without_a_known_word_is_its_own_text(name: str) -> None:
    assert say(name, parts=["arm"]) == [{"arm": name}]


def test_only_the_asked_parts_in_their_order() -> None:
    [found] = say("wave", parts=["leg", "upper body"])

    assert list(found) == ["leg", "upper body"]


def test_a_part_that_no_entry_has_is_named() -> None:
    with pytest.raises(DataError, match="'tail'") as caught:
        say("wave", parts=["arm", "tail"])

    assert "--describer names" in caught.value.fix


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


def test_the_verb_counts_more_than_what_it_is_done_to() -> None:
    def alike(one: str, other: str) -> float:
        return similarity(stems(one), stems(other))

    assert alike("chopping onions", "chop with a knife") > alike("peel onions", "chop onions")
    assert alike("playing chess", "play the guitar") < 0.5
    assert alike("open the door", "opening doors") == 1
    assert alike("two hand push", "push") > alike("two hand push", "two-handed backhand")
    assert alike("right arm throw", "throw") == 0.5
    assert alike("chest pain", "chest press") < 0.5
    assert alike("giving an object", "give up") == 0
    assert alike("kick something", "kick") == 1
    assert alike("", "") == alike("", "kick") == 0

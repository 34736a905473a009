"""How alike two names of actions are, by the stems of their words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starcli.class_names import casefolded

IDLE = re.compile(
    "a|an|and|another|from|her|his|its|my|of|other|some|the|their|to|with|your|do|doing|perform|performing"
    "|objects?|somebody|someone|something"
)
"""Words that tell no two actions apart."""
LIGHT = re.compile(
    "get|give|go|have|hold|make|play|put|take|use"
    "|down|in|off|on|out|up|back|front|side|high|low|left|right|both|one|two|single|double"
    "|arm|chest|foot|hand|head|knee|leg|neck|shoulder"
)
"""Verbs that say little of a movement, and words of where, which and how many before a verb."""
VOWEL = re.compile("[aeiouy]")
REMARK = re.compile(r"\([^()]*\)")
"""What a name has in brackets, such as which hand it is done with."""

EITHER = re.compile(r"([^\W_]+)/([^\W_]+)")
"""Two words, either of which a name may have."""

Stems = Mapping[str, int]
"""Stem -> how much it counts."""


def words(name: str) -> list[str]:
    """The words of a name that tell it from others, folded.

    Args:
        name: Name of an action.
    """
    return [word for word in re.findall(r"[^\W_]+", casefolded(name)) if not IDLE.fullmatch(word)]


def stems(name: str) -> Stems:
    """The stems of a name's words; the first that is not light, mostly its verb, counts twice.

    Args:
        name: Name of an action.
    """
    weights = dict.fromkeys(map(stem, words(name)), 1)
    verb = next((each for each in weights if each not in LIGHT_STEMS), None)
    return weights if verb is None else {**weights, verb: 2}


def readings(name: str) -> list[str]:
    """A name, and what it is without remarks in brackets and with either of two words.

    Args:
        name: Name of an action, such as `put on a hat/cap (any)`.
    """
    plain = REMARK.sub(" ", name)
    return [name, plain, EITHER.sub(r"\1", plain), EITHER.sub(r"\2", plain)]


def movement(name: str) -> frozenset[str]:
    """The stems of a name that are not light; all of them where there is no other.

    Names that have the same name one movement, whichever side, limb or number does it.

    Args:
        name: Name of an action.
    """
    every = frozenset(stems(name))
    return every - LIGHT_STEMS or every


def stem(word: str) -> str:
    """What is common to the plain forms of a word: "squat" to "squats", "squatting" and "squatted".

    Args:
        word: An English word, folded.
    """
    bare = _without_ending(word)
    if bare.endswith("ie") and len(bare) > 2:
        bare = f"{bare[:-2]}y"
    elif bare.endswith("e") and len(bare) > 2:
        bare = bare[:-1]
    doubled = len(bare) > 2 and bare[-1] == bare[-2] and not VOWEL.match(bare[-1])
    return bare[:-1] if doubled else bare


def _without_ending(word: str) -> str:
    """A word without -ing, -ed or -s, where what is left can be a word."""
    if word.endswith(("ies", "ied")) and len(word) > 3:
        return f"{word[:-3]}y"
    if word.endswith("ing") and VOWEL.search(word[:-3]) and len(word) > 4:
        return word[:-3]
    if word.endswith("ed") and not word.endswith("eed") and len(word) > 4:
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 2:
        return word[:-1]
    return word


LIGHT_STEMS = frozenset(map(stem, LIGHT.pattern.split("|")))


def similarity(asked: Stems, known: Stems) -> float:
    """What two names share of all that they say, from 0 to 1: a weighted Jaccard index.

    A light word of the first counts half: it says more closely what a shorter name says, too; one
    of the second that the first has not makes it another movement. Names that share nothing but
    light words share nothing.

    Args:
        asked: Stems of the name that is looked up.
        known: Stems of another.
    """
    shared = asked.keys() & known.keys()
    if asked != known and shared <= LIGHT_STEMS:
        return 0.0
    count = {word: 0.5 if word in LIGHT_STEMS else 1.0 for word in asked}
    common = sum(count[word] * min(asked[word], known[word]) for word in shared)
    theirs = sum(count[word] * max(asked[word], known.get(word, 0)) for word in asked)
    every = theirs + sum(known[word] for word in known.keys() - shared)
    return common / every if every else 0.0

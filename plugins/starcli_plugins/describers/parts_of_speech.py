"""Verb and noun of an action's name (JPoSE, ICCV 2019; SynSE, ICIP 2021)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from starcli.class_names import casefolded
from starcli.contracts import DescriberContext, NoSettings

BODY = re.compile(r"((?:right|left|two) (?:arm|hand)) (.+)")
"""Names such as "right arm throw", which say first who moves."""
VERB = re.compile(
    r"\S+(?: (?:in place|on the spot|[a-z]+ly|apart|around|away|back|down|forward|into|off|on|out"
    r"|over|overhead|sideways|towards|up)(?= |$))?"
)
"""The first word, and what after it belongs to a verb."""
FILLER = re.compile(r"^(?:(?:a|an|and|at|for|from|in|like|of|on|the|to|while|with) )+")
"""What a noun phrase does not begin with."""
EXCEPTIONS: Mapping[str, tuple[str, str]] = {
    "arm circles": ("circle", "arms"),
    "arm curl (two arms)": ("curl", "two arms"),
    "arm swings": ("swing", "arms"),
    "back pain": ("touch", "back"),
    "baseball swing from right": ("swing", "baseball bat from right"),
    "basketball shoot": ("shoot", "basketball"),
    "butt kicks": ("kick", "butt"),
    "cheers and drink": ("cheer and drink", "cup"),
    "chest pain": ("touch", "chest"),
    "cross toe touch": ("touch", "crossed toes"),
    "forward lunge (left foot forward)": ("lunge", "left foot forward"),
    "front boxing": ("box", "front"),
    "hand waving": ("wave", "hand"),
    "handshaking": ("shake", "hands"),
    "headache": ("touch", "head"),
    "high-five": ("slap", "raised hands"),
    "neck pain": ("touch", "neck"),
    "nod head/bow": ("nod/bow", "head"),
    "phone call": ("call", "phone"),
    "pickup": ("pick up", ""),
    "put palms together": ("put together", "palms"),
    "right hand pick up and throw": ("pick up and throw", "right hand"),
    "rock-paper-scissors": ("play", "rock-paper-scissors"),
    "side kick": ("kick", "side"),
    "sit to stand": ("stand up", ""),
    "stand to sit": ("sit down", ""),
    "tennis bat swing": ("swing", "tennis bat"),
    "tennis right hand forehand swing": ("swing", "tennis forehand"),
    "tennis serve": ("serve", "tennis ball"),
    "thumb down": ("show", "thumb down"),
    "thumb up": ("show", "thumb up"),
    "touch back (backache)": ("touch", "back"),
    "two hand front clap": ("clap", "two hands in front"),
    "wear on glasses": ("wear", "glasses"),
}
"""Class names of known data sets that do not begin with their verb."""


class PartsOfSpeech:
    """What is done, and with what: the first words of a name, and the words after them.

    A rule on words and a table for the class names of known data sets, where the published code
    ran a tagger; verbs keep the form that they have in the name. A name without a noun is its own
    noun, which adds nothing to it.

    Args:
        settings: An instance of `PartsOfSpeech.Settings`.
    """

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    Settings: ClassVar[type[NoSettings]] = NoSettings
    facets: ClassVar[tuple[str, ...]] = ("verb", "noun")

    def __init__(self, settings: NoSettings) -> None:
        self.settings = settings

    def describe(
        self, actions: Sequence[str], parts: Sequence[str], context: DescriberContext
    ) -> list[dict[str, str]]:
        """The verb and the noun of each name.

        Args:
            actions: Names of the actions.
            parts: Which of `facets` are wanted.
            context: Not used.
        """
        split = (dict(zip(self.facets, verb_and_noun(action), strict=True)) for action in actions)
        return [{part: both[part] for part in parts} for both in split]


def verb_and_noun(name: str) -> tuple[str, str]:
    """The two facets of an action's name.

    Args:
        name: Name of the action.
    """
    words = casefolded(name)
    body = BODY.fullmatch(words)
    verb, noun = EXCEPTIONS.get(words) or _split(body[2] if body else words)
    return verb, noun or (body[1] if body else name)


def _split(words: str) -> tuple[str, str]:
    """The verb at the beginning of a phrase, and the noun phrase behind it."""
    verb = VERB.match(words)
    if verb is None:  # a name without words
        return words, ""
    rest = words[verb.end() :].strip()
    return verb[0], FILLER.sub("", rest[1:-1] if rest.startswith("(") else rest)

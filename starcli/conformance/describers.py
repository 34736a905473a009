"""Rules of describers."""

from __future__ import annotations

import math

from pydantic import BaseModel

from starcli.contracts import (
    Describer,
    DescriberContext,
    EntryDescriber,
    EstimatingDescriber,
    Fingerprinted,
    facets_of,
)

ACTIONS = ("sit down", "throw")
PARTS = ("head", "hand", "arm", "hip", "leg", "foot")


def facets(plugin: type[Describer]) -> tuple[str, ...]:
    """What it gives: facets of its own, or the parts it is asked for."""
    return facets_of(plugin) or PARTS


def every_part_has_a_text(plugin: type[Describer], settings: BaseModel) -> None:
    """Each action gets exactly the parts, or the describer's own facets, one line each."""
    answers = plugin(settings).describe(ACTIONS, facets(plugin), DescriberContext())
    assert len(answers) == len(ACTIONS)
    for action, texts in zip(ACTIONS, answers, strict=True):
        assert tuple(sorted(texts)) == tuple(sorted(facets(plugin))), f"{action}: {list(texts)}"
        for part, text in texts.items():
            assert isinstance(text, str) and text.strip(), f"{action}, {part}: empty"
            assert text.isprintable(), f"{action}, {part}: {text!r} is not one line"


def an_action_is_described_alone(plugin: type[Describer], settings: BaseModel) -> None:
    """What is said of an action does not depend on the actions asked about beside it."""
    together = plugin(settings).describe(ACTIONS, facets(plugin), DescriberContext())
    for action, texts in zip(ACTIONS, together, strict=True):
        assert plugin(settings).describe((action,), facets(plugin), DescriberContext()) == [
            texts
        ], action


def order_is_kept(plugin: type[Describer], settings: BaseModel) -> None:
    """Answers come in the order of the actions."""
    forward = plugin(settings).describe(ACTIONS, facets(plugin), DescriberContext())
    assert (
        plugin(settings).describe(ACTIONS[::-1], facets(plugin), DescriberContext())
        == forward[::-1]
    )


def fingerprint_stays(plugin: type[Describer], settings: BaseModel) -> None:
    """The fingerprint, where it has one, is a text that describers of the same content share."""
    first, second = plugin(settings), plugin(settings)
    if isinstance(first, Fingerprinted) and isinstance(second, Fingerprinted):
        assert isinstance(first.fingerprint(), str) and first.fingerprint()
        assert first.fingerprint() == second.fingerprint()


def estimates_are_numbers(plugin: type[Describer], settings: BaseModel) -> None:
    """What asking would take, where it can tell, is finite numbers with names."""
    describer = plugin(settings)
    if isinstance(describer, EstimatingDescriber):
        estimate = describer.estimate(ACTIONS, facets(plugin), DescriberContext())
        assert estimate and all(name.strip() for name in estimate)
        assert all(math.isfinite(value) and value >= 0 for value in estimate.values()), estimate


def entries_are_one_an_action(plugin: type[Describer], settings: BaseModel) -> None:
    """The entries that texts are taken from, where it has any, are one an action, each as alike to
    the action as can be, 1, or less."""
    describer = plugin(settings)
    if isinstance(describer, EntryDescriber):
        matches = describer.entries(ACTIONS)
        assert len(matches) == len(ACTIONS)
        for match in matches:
            assert match is None or (match.name.strip() and 0 < match.similarity <= 1), match


RULES = (
    every_part_has_a_text,
    an_action_is_described_alone,
    order_is_kept,
    fingerprint_stays,
    estimates_are_numbers,
    entries_are_one_an_action,
)

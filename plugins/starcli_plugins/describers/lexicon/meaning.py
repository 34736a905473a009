"""Entries of the lexicon whose names mean about what an action's does, where no word says so."""

from __future__ import annotations

from collections.abc import Container, Sequence
from functools import cache
from typing import TYPE_CHECKING

from starcli_plugins.describers.lexicon import files
from starcli_plugins.describers.lexicon.files import Entry
from starcli_plugins.encoders.sentence_bert import MiniLM

if TYPE_CHECKING:
    from torch import Tensor


def fingerprint() -> str:
    """What identifies the text encoder.

    Raises:
        MissingError: It is not installed.
    """
    return encoder().fingerprint()


@cache
def encoder() -> MiniLM:
    """The packaged text encoder, which asks no network."""
    return MiniLM(MiniLM.Settings())


def nearest(
    actions: Sequence[str], most: int, without: Container[str] = ()
) -> list[list[tuple[Entry, float]]]:
    """For each action the entries with names most alike in meaning, and their cosines, best first.

    Args:
        actions: Names of actions, at least one.
        most: How many entries.
        without: Names of the entries that are left out, not all.

    Raises:
        MissingError: The text encoder is not installed.
    """
    entries = [
        entry
        for domain in files.domains()
        for entry in files.entries(domain)
        if entry.name not in without
    ]
    rows = [_row()[entry.name] for entry in entries]
    best = (encoder().encode(actions) @ _vectors()[rows].T).topk(min(most, len(rows)), dim=1)
    return [
        [(entries[place], cosine) for cosine, place in zip(cosines, places, strict=True)]
        for cosines, places in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]


@cache
def _row() -> dict[str, int]:
    """Name of an entry -> its row among the vectors."""
    names = (entry.name for domain in files.domains() for entry in files.entries(domain))
    return {name: row for row, name in enumerate(names)}


@cache
def _vectors() -> Tensor:
    """Vectors [entries, E] of the names of all entries, of length 1."""
    return encoder().encode(list(_row()))

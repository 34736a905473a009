"""Results that no run needs, and removing them: by age, and until a store has a certain size."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starcli.errors import UsageError
from starcli.store import inventory
from starcli.store.commands import unused
from starcli.store.inventory import Stored
from starcli.store.unfinished import remove, sweep

SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}


@dataclass(frozen=True)
class Limits:
    """Which of the results that no run needs are removed.

    Args:
        older_than: Only those older than so many seconds; None for any age.
        max_size: Only the oldest, until all results have at most so many bytes; None for all.
    """

    older_than: float | None = None
    max_size: float | None = None


def prunable(root: Path, limits: Limits) -> list[Stored]:
    """The results that would be removed, the oldest first.

    What runs need stays, and descriptions that were edited by hand: nothing makes them again.

    Args:
        root: The store.
        limits: Which of the others.

    Raises:
        DataError: The record of a run is damaged, so that nobody knows what it needs.
    """
    every = inventory.results(root)
    needed = inventory.users(root, every)
    free = [each for each in every if each.key not in needed and not each.edited]
    free.sort(key=lambda each: each.created)
    if limits.older_than is not None:
        youngest = time.time() - limits.older_than
        free = [each for each in free if each.created < youngest]
    if limits.max_size is None:
        return free
    chosen, size = list[Stored](), float(sum(each.size for each in every))
    for each in free:
        if size <= limits.max_size:
            break
        chosen.append(each)
        size -= each.size
    return chosen


def prune(root: Path, limits: Limits) -> Sequence[Stored]:
    """Remove results that no run needs; each is whole or not there, whenever this is killed.

    Args:
        root: The store.
        limits: Which of them.

    Returns:
        What was removed.

    Raises:
        DataError: The record of a run is damaged, so that nobody knows what it needs.
        OutputError: A command works with the store, or it cannot be written.
    """
    if not root.is_dir():
        return []
    with unused(root):
        sweep(root)
        return [each for each in prunable(root, limits) if remove(root, each.stage, each.key)]


def parse_age(text: str) -> float:
    """`12h`, `30d` or `2w` -> seconds.

    Raises:
        UsageError: It is none of these.
    """
    return _parsed(text, SECONDS, "an age", "12h, 30d or 2w")


def parse_size(text: str) -> float:
    """`500MB` or `1.5GB` -> bytes.

    Raises:
        UsageError: It is none of these.
    """
    return _parsed(text, BYTES, "a size", "500MB or 1.5GB")


def _parsed(text: str, units: dict[str, int], what: str, examples: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+)", text.strip().lower(), re.ASCII)
    if found is None or found[2] not in units:
        raise UsageError(f"'{text}' is not {what}", f"for example {examples}")
    return float(found[1]) * units[found[2]]

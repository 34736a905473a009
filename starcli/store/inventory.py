"""What lies in a store: every result with its size, what it was made of, and which runs need it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from starcli.errors import DataError, UsageError
from starcli.store import runs
from starcli.store.artifacts import Artifact, Store
from starcli.store.recipe_key import KEY

NO_STAGES = frozenset({"runs", "datasets", "unfinished", "locks", "logs"})
"""Folders of a store that have no results."""
SHORTEST = 4
"""Digits of a key that may stand for the whole."""


@dataclass(frozen=True)
class Stored:
    """A result as it lies in a store.

    Args:
        stage: Its stage.
        key: Its key.
        path: Its folder.
        size: Bytes of its files.
        artifact: The result; None where its description is damaged.
        fault: What is wrong with its description.
    """

    stage: str
    key: str
    path: Path
    size: int
    artifact: Artifact | None
    fault: DataError | None = None

    @property
    def created(self) -> float:
        """When it was made, in seconds since 1970; 0 where that is not known."""
        return 0.0 if self.artifact is None else float(self.artifact.meta["created"])

    @property
    def inputs(self) -> dict[str, str]:
        """What its stage calls its inputs -> their keys."""
        if self.artifact is None:
            return {}
        named: Mapping[str, str] = self.artifact.meta["recipe"].get("inputs", {})
        return {label: identity.partition("+")[0] for label, identity in named.items()}

    @property
    def edited(self) -> bool:
        """Whether users changed it by hand, so that no command makes it again."""
        return self.artifact is not None and self.artifact.identity() != self.key


def results(root: Path) -> list[Stored]:
    """All results of a store, the newest first; those whose description is damaged come last."""
    store, found = Store(root), list[Stored]()
    for path in root.glob("*/*/meta.json"):
        stage, key = path.parent.parent.name, path.parent.name
        if stage not in NO_STAGES and KEY.fullmatch(key):
            found.append(_stored(store, stage, key, path.parent))
    return sorted(found, key=lambda each: (-each.created, each.stage, each.key))


def _stored(store: Store, stage: str, key: str, path: Path) -> Stored:
    try:
        return Stored(stage, key, path, size_of(path), store.get(stage, key))
    except DataError as error:
        return Stored(stage, key, path, size_of(path), None, error)


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; those that go away meanwhile do not count."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total


def find(every: Iterable[Stored], name: str) -> Stored:
    """The result of a key, of its first digits, or of `stage/key`.

    Args:
        every: The results of a store.
        name: The name.

    Raises:
        UsageError: There is none, or there are several.
    """
    stage, _, key = name.rpartition("/")
    found = [
        each
        for each in every
        if stage in ("", each.stage) and len(key) >= SHORTEST and each.key.startswith(key)
    ]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{each.stage}/{each.key}" for each in found)
    if found:
        raise UsageError(f"several results begin with '{name}'", f"name one of {listed}")
    raise UsageError(f"no result '{name}'", "see which there are with: starcli store list")


def users(root: Path, every: Iterable[Stored], *, damaged: bool = False) -> dict[str, list[str]]:
    """Key of a result -> names of the runs that need it; of one that none needs, nothing.

    A run needs what it was made of, and what was made of it.

    Args:
        root: The store.
        every: Its results.
        damaged: Leave out runs whose record is damaged.

    Raises:
        DataError: One is, and is not to be left out: nobody knows what it needs.
    """
    made_of: dict[str, list[str]] = {}
    for each in every:
        for key in each.inputs.values():
            made_of.setdefault(key, []).append(each.key)
    needed: dict[str, list[str]] = {}
    for name in runs.names(root):
        try:
            steps = runs.load_run(root, name)[1]["steps"]
        except DataError:
            if damaged:
                continue
            raise
        later = _below(steps.get("train", ""), made_of)
        for key in {*steps.values(), *later}:
            needed.setdefault(key, []).append(name)
    return needed


def faulty_runs(root: Path, every: Iterable[Stored]) -> list[DataError]:
    """What is wrong with runs: damaged records, and results that are gone.

    Args:
        root: The store.
        every: Its results.
    """
    there, faults = {each.key for each in every}, list[DataError]()
    for name in runs.names(root):
        try:
            steps = runs.load_run(root, name)[1]["steps"]
        except DataError as error:
            faults.append(error)
            continue
        lost = [step for step, key in steps.items() if key not in there]
        if lost:
            fix = f"make it again with: starcli evaluate '{name}'"
            faults.append(DataError(f"run '{name}' lost its {', '.join(lost)}", fix))
    return faults


def _below(key: str, made_of: Mapping[str, list[str]]) -> Iterator[str]:
    """All that was made of a result, and of that."""
    for each in made_of.get(key, ()):
        yield each
        yield from _below(each, made_of)

"""Find plugins by entry point: list them from metadata alone, import one at a time."""

from __future__ import annotations

import contextlib
import inspect
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import TYPE_CHECKING, Any, Literal, overload

from starcli.contracts import (
    API,
    KINDS,
    Backbone,
    DatasetSource,
    Kind,
    Layout,
    Method,
    Plugin,
    implementation_of,
)
from starcli.errors import IncompatibleError, MissingError, UsageError, suggest

if TYPE_CHECKING:
    from starcli.poses import Reader

GROUPS: dict[Kind, str] = {
    "dataset": "starcli.datasets",
    "reader": "starcli.readers",
    "layout": "starcli.data.layouts",
    "describer": "starcli.describers",
    "text-encoder": "starcli.text_encoders",
    "backbone": "starcli.backbones",
    "method": "starcli.methods",
}
DATA: dict[Kind, tuple[str, ...]] = {
    "dataset": ("layout", "classes", "protocols", "splits", "preset", "request"),
    "reader": ("title", "suffixes", "layouts", "several"),
    "text-encoder": ("limit",),
}
"""What a plugin of a kind has beside `Settings` and `revision`."""
CALLS: dict[Kind, Mapping[str, tuple[str, ...]]] = {
    "dataset": {
        "__init__": ("settings",),
        "files": ("raw",),
        "recordings": ("raw",),
        "clips": ("recording",),
    },
    "reader": {
        "__init__": ("settings",),
        "recognises": ("file",),
        "frame_of": ("file",),
        "read": ("files",),
        "write_sample": ("poses", "path"),
    },
    "describer": {"__init__": ("settings",), "describe": ("actions", "parts", "context")},
    "text-encoder": {
        "__init__": ("settings",),
        "fingerprint": (),
        "length": ("text",),
        "encode": ("texts",),
    },
    "backbone": {"__init__": ("settings", "layout"), "forward": ("clips",)},
    "method": {
        "__init__": ("settings", "problem", "seed"),
        "fit": ("train", "watch"),
        "score": ("tokens",),
    },
}
"""What is called on a plugin of a kind, with the arguments that are given by position."""
OURS = "starcli"
PATIENCE_SECONDS = 10.0
"""Time after which an import that does not end is named."""
IMPORTS = threading.RLock()
"""Held while a plugin is imported."""


@dataclass(frozen=True)
class Entry:
    """A plugin as its distribution's metadata names it, not yet imported."""

    kind: Kind
    name: str
    distribution: str
    version: str
    target: str

    def row(self) -> dict[str, str]:
        """The entry as a row of `starcli plugins --json`."""
        return {k: str(v) for k, v in asdict(self).items() if k != "target"}


@cache
def _scan() -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """All entries, and the distributions whose metadata cannot be read."""
    entries: dict[tuple[Kind, str, str], Entry] = {}
    broken = []
    for distribution in distributions():
        try:
            for entry in _entries(distribution):
                entries.setdefault((entry.kind, entry.name, entry.distribution), entry)
        except Exception as error:  # one malformed distribution must not hide the others
            broken.append(f"{getattr(distribution, '_path', distribution)}: {error}")
    order = sorted(entries.values(), key=lambda e: (KINDS.index(e.kind), e.name, e.distribution))
    return tuple(order), tuple(broken)


def _entries(distribution: Distribution) -> list[Entry]:
    text = distribution.read_text("entry_points.txt")
    if not text or "starcli." not in text:
        return []
    kinds = {group: kind for kind, group in GROUPS.items()}
    name, version = distribution.metadata["Name"], distribution.version
    if not name or not version:
        raise ValueError("its METADATA has no Name or Version")
    return [
        Entry(kinds[point.group], point.name, name, version, point.value)
        for point in distribution.entry_points
        if point.group in kinds
    ]


def entries(kind: Kind | None = None) -> tuple[Entry, ...]:
    """Every installed plugin, by metadata only."""
    return tuple(e for e in _scan()[0] if kind in (None, e.kind))


def broken() -> tuple[str, ...]:
    """Distributions with unreadable plugin metadata, one line each."""
    return _scan()[1]


def matches(kind: Kind, name: str) -> list[Entry]:
    """The entries of a name, or of `distribution:name`."""
    owner, _, short = name.rpartition(":")
    return [e for e in entries(kind) if e.name == short and owner in ("", e.distribution)]


def find(kind: Kind, name: str) -> Entry:
    """The entry that a name stands for.

    Our own names are ours; where two third parties share a name, `distribution:name` selects.

    Raises:
        UsageError: No such plugin, or several.
    """
    named = matches(kind, name)
    own = [e for e in named if e.distribution == OURS]
    if not named:
        known = [e.name for e in entries(kind)]
        raise UsageError(f"no {kind} '{name}'", suggest(name, known))
    if len(named) > 1 and not own:
        names = " or ".join(f"{e.distribution}:{e.name}" for e in named)
        raise UsageError(f"several distributions have a {kind} '{name}'", f"use {names}")
    return (own or named)[0]


@overload
def load(kind: Literal["dataset"], name: str) -> type[DatasetSource]: ...
@overload
def load(kind: Literal["reader"], name: str) -> type[Reader]: ...
@overload
def load(kind: Literal["backbone"], name: str) -> type[Backbone]: ...
@overload
def load(kind: Literal["method"], name: str) -> type[Method]: ...
@overload
def load(kind: Kind, name: str) -> type[Plugin]: ...


def load(kind: Kind, name: str) -> type[Plugin]:
    """Import one plugin class, ready to compute, and check what it promises.

    Raises:
        UsageError: There is no such plugin.
        MissingError: It cannot be imported, or breaks its contract.
    """
    plugin = declared(kind, name)
    where = implementation_of(plugin)
    if where is None:
        return plugin
    entry = replace(find(kind, name), target=where)
    computes: type[Plugin] = _target(entry)
    _require_contract(entry, computes, CALLS[kind])
    if not issubclass(computes, plugin):
        raise IncompatibleError(
            f"{who(entry)}: {entry.target} is not a subclass of {plugin.__name__}",
            f"update {entry.distribution}",
        )
    return computes


def declared(kind: Kind, name: str) -> type[Plugin]:
    """Import the class that an entry point names; perhaps settings and facts alone.

    Raises:
        UsageError: There is no such plugin.
        MissingError: It cannot be imported, or breaks its contract.
    """
    entry = find(kind, name)
    plugin: type[Plugin] = _target(entry)
    _require_contract(entry, plugin, {} if implementation_of(plugin) else CALLS[kind])
    return plugin


def _require_contract(entry: Entry, plugin: object, calls: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse what another API was the contract of, lacks a member or takes other arguments."""
    whose, update = who(entry), f"update {entry.distribution}"
    api = getattr(plugin, "api", None)
    if api != API:
        raise IncompatibleError(
            f"{whose} is written for plugin API {api}, this starcli has {API}",
            f"install a matching version of {entry.distribution}",
        )
    members = (*DATA.get(entry.kind, ()), *calls, "Settings", "revision")
    missing = [member for member in members if not hasattr(plugin, member)]
    if missing:
        raise IncompatibleError(f"{whose} lacks {', '.join(missing)}", update)
    settings = getattr(plugin, "Settings", None)
    if not (isinstance(settings, type) and hasattr(settings, "model_fields")):
        raise IncompatibleError(f"{whose}: Settings is not a pydantic model", update)
    for name, given in calls.items():
        if not _takes(getattr(plugin, name), len(given)):
            raise IncompatibleError(
                f"{whose}: {name} cannot be called with ({', '.join(given)})", update
            )


@cache  # readers are loaded anew for every file
def _takes(function: Callable[..., object], given: int) -> bool:
    """Whether a method, looked up on its class, can be called with so many arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return callable(function)
    # Arguments by keyword, such as `seed` of `fit`, are not asked for here.
    named = {n: None for n, p in signature.parameters.items() if p.kind is p.KEYWORD_ONLY}
    try:
        signature.bind(None, *[None] * given, **named)
    except TypeError:
        return False
    return True


def layout(name: str) -> Layout:
    """The skeleton layout of a name.

    Raises:
        UsageError: There is no such layout.
        MissingError: It cannot be imported, or is none.
    """
    entry = find("layout", name)
    target = _target(entry)
    if not isinstance(target, Layout):
        raise IncompatibleError(f"{who(entry)} is not a Layout", f"update {entry.distribution}")
    return target


def who(entry: Entry) -> str:
    """A plugin as messages name it, with its distribution and version."""
    return f"{entry.kind} '{entry.name}' ({entry.distribution} {entry.version})"


def _target(entry: Entry) -> Any:  # whatever a third party's module has
    """What an entry point names."""
    point = EntryPoint(entry.name, entry.target, GROUPS[entry.kind])
    try:
        with contextlib.nullcontext() if point.module in sys.modules else _importing(entry):
            return point.load()
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise MissingError(
            f"{who(entry)} cannot be imported: {reason}", repair([entry.distribution])
        ) from error


@contextlib.contextmanager
def _importing(entry: Entry) -> Iterator[None]:
    """While a plugin is imported: what it prints does not mix with the result, and waiting is said.

    One thread at a time, since all have the same stdout.
    """
    slow = threading.Timer(PATIENCE_SECONDS, _say_slow, [entry])
    slow.daemon = True
    with IMPORTS:
        slow.start()
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        finally:
            slow.cancel()


def _say_slow(entry: Entry) -> None:
    stream = sys.__stderr__ or sys.stderr
    # Ours ends: where the machine is busy or its disk slow, its libraries take that long to load.
    own = entry.distribution == OURS
    advice = "" if own else f"; if it never ends, remove {entry.distribution}"
    stream.write(f"still importing {who(entry)}{advice}\n")
    stream.flush()


def repair(distributions: Collection[str]) -> str:
    """What to do about distributions whose plugins cannot be used; nobody is to remove ours."""
    others = sorted({*distributions} - {OURS})
    fixes = [f"install {OURS} again with all that it needs"] if OURS in distributions else []
    if others:
        fixes.append(f"fix, update or remove {', '.join(others)}")
    return "; ".join(fixes)

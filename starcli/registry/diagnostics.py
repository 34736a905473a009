"""What a plugin is, and whether it can be loaded, which a process of its own finds out."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from starcli import registry
from starcli.contracts import Kind
from starcli.errors import IncompatibleError, StarError
from starcli.registry import Entry

ASK = (
    "import os, sys; from starcli.processes import follow; follow(int(sys.argv[1])); "
    "from starcli.registry.diagnostics import answer; answer(*sys.argv[2:]); "
    "os._exit(0)"  # neither threads nor exit handlers of a plugin keep this process
)
MARK = "starcli verdict: "
"""Before the answer: a plugin may print whatever it likes before it."""
DECLARED = ("suffixes", "layouts", "facets", "views", "recipes", "protocols", "splits")
"""Class attributes that `show` prints where a plugin has them."""


def check(
    entries: Sequence[Entry], seconds: float, checked: Callable[[int], None] = lambda done: None
) -> list[dict[str, str]]:
    """Import each plugin in a process of its own.

    Args:
        entries: The plugins.
        seconds: Time after which an import is given up.
        checked: Told how many are done.

    Returns:
        Their rows, with `status` ok, broken or incompatible, and the `reason`.
    """
    rows = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for entry, (status, reason) in zip(
            entries, pool.map(lambda e: _verdict(e, seconds), entries), strict=True
        ):
            rows.append({**entry.row(), "status": status, "reason": reason})
            checked(len(rows))
    return rows


def _verdict(entry: Entry, seconds: float) -> tuple[str, str]:
    name = f"{entry.distribution}:{entry.name}"
    command = [sys.executable, "-c", ASK, str(os.getpid()), entry.kind, name]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # With whatever it started: that would keep the pipe open.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return "broken", f"its import did not end within {seconds:g} seconds"
    _, mark, answered = printed.rpartition(MARK)
    if not mark:
        return "broken", f"its import ended the process with code {process.returncode}"
    status, reason = json.loads(answered)
    return status, reason


def answer(kind: Kind, name: str) -> None:
    """Print the verdict on one plugin; what the process of `check` runs."""
    try:
        registry.layout(name) if kind == "layout" else registry.load(kind, name)
        verdict = ("ok", "")
    except IncompatibleError as error:
        verdict = ("incompatible", str(error))
    except StarError as error:
        verdict = ("broken", str(error))
    sys.stdout.write(MARK + json.dumps(verdict))
    sys.stdout.flush()


def facts(kind: Kind, name: str) -> dict[str, Any]:  # keys differ by the kind
    """What a plugin says of itself.

    Args:
        kind: Its kind.
        name: Its name, or `distribution:name`.

    Raises:
        UsageError: There is no such plugin.
        MissingError: It cannot be loaded.
    """
    entry = registry.find(kind, name)
    row = entry.row()
    if kind == "layout":
        layout = registry.layout(name)
        parts = {str(count): list(parts) for count, parts in layout.parts.items()}
        return {
            **row,
            "summary": f"{len(layout.joints)} joints",
            "parts": parts,
            "joints": list(layout.joints),
        }
    plugin = registry.load(kind, name)
    module = inspect.getmodule(plugin)
    declared = {name: _listed(getattr(plugin, name)) for name in DECLARED if hasattr(plugin, name)}
    return {
        **row,
        "summary": _first_line(plugin),
        "about": _first_line(module),
        "file": inspect.getsourcefile(plugin),
        "line": inspect.getsourcelines(plugin)[1],
        "revision": plugin.revision,
        **declared,
        "settings": settings_of(plugin.Settings),
    }


def settings_of(model: type[BaseModel]) -> list[dict[str, str]]:
    """Name, type, default and meaning of every setting of a model."""
    return [
        {
            "setting": name,
            "type": _type_name(field.annotation),
            "default": "required" if field.is_required() else str(field.get_default()),
            "meaning": field.description or "",
        }
        for name, field in model.model_fields.items()
    ]


def _type_name(annotation: object) -> str:
    """A type as it is written: `int | None`, `tuple[float, ...]`, `'adamw' | 'sgd'`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(arguments[0])
    if origin is Literal:
        return " | ".join(map(repr, arguments))
    names = ["..." if a is ... else _type_name(a) for a in arguments]
    if origin in (Union, UnionType):
        return " | ".join(names)
    name = "None" if annotation is NoneType else getattr(origin or annotation, "__name__", "")
    return f"{name}[{', '.join(names)}]" if names else str(name)


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _listed(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, tuple | dict) else [str(value)]

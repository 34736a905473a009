"""Rules of every plugin."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from functools import cache

from pydantic import BaseModel, ValidationError

from starcli.contracts import (
    API,
    Plugin,
    PromptFeatures,
    SingleFileReader,
    TunableMethod,
    implementation_of,
    unkeyed_of,
)

FACTS = ("api", "revision", "Settings", "facets", "recipes", "transductive", "unkeyed", "views")
"""What of a plugin is read before anything is computed."""
IMPORT = """
import json, os, random, sys, tempfile
import numpy
def drawn():
    torch = sys.modules.get("torch")
    states = random.getstate(), numpy.random.get_state()[1].tobytes()
    return (*states, torch.get_rng_state().tolist()) if torch else states
if sys.argv[4:]:
    import torch
before = drawn()
touched = []
aside = ("__pycache__", tempfile.gettempdir())
def audit(event, arguments):
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        opened = isinstance(arguments[0], int)  # by a name, which was looked at
        if not opened and not any(part in str(arguments[0]) for part in aside):
            touched.append(f"opens {arguments[0]} to write")
    elif event in ("os.remove", "os.rename", "os.mkdir"):
        if not any(part in str(arguments[0]) for part in aside):
            touched.append(f"{event} {arguments[0]}")
    elif event in ("socket.connect", "socket.getaddrinfo"):
        touched.append(f"{event} {arguments[1:]}")
sys.path[:0] = json.loads(sys.argv[2])
from starcli.processes import follow
follow(int(sys.argv[3]))
sys.addaudithook(audit)
__import__(sys.argv[1])
found = list(touched)
if not sys.argv[4:] and "torch" in sys.modules:
    found = None
elif before != drawn():
    found.append("draws from the global random numbers")
print("found:" + json.dumps(found))
"""


def has_the_api_of_this_starcli(plugin: type[Plugin], settings: BaseModel) -> None:
    """`api` is the version of the contracts, `revision` counts from 1."""
    assert plugin.api == API, f"api is {plugin.api}, this starcli has {API}"
    assert isinstance(plugin.revision, int) and plugin.revision >= 1


def settings_survive_json(plugin: type[Plugin], settings: BaseModel) -> None:
    """Settings are the same after a round trip through JSON: runs record them so."""
    again = plugin.Settings.model_validate_json(settings.model_dump_json())
    assert again == settings
    assert json.loads(settings.model_dump_json()) == json.loads(again.model_dump_json())


def settings_cannot_change(plugin: type[Plugin], settings: BaseModel) -> None:
    """Settings are frozen, and an unknown one is refused."""
    assert plugin.Settings.model_config.get("frozen"), "Settings need frozen=True"
    try:
        plugin.Settings.model_validate({**settings.model_dump(), "no_such_setting": 1})
    except ValidationError:
        return
    raise AssertionError('Settings need extra="forbid"')


def settings_are_described(plugin: type[Plugin], settings: BaseModel) -> None:
    """Every setting says what it means."""
    silent = [name for name, field in plugin.Settings.model_fields.items() if not field.description]
    assert not silent, f"no description of {', '.join(silent)}"


def unkeyed_settings_exist(plugin: type[Plugin], settings: BaseModel) -> None:
    """What `unkeyed` names are settings."""
    unknown = sorted({*unkeyed_of(plugin)} - {*plugin.Settings.model_fields})
    assert not unknown, f"unkeyed, but no setting: {', '.join(unknown)}"


def hooks_are_whole(plugin: type[Plugin], settings: BaseModel) -> None:
    """It has all members of an optional protocol or none: with some, it would be left unused."""
    for hook in (SingleFileReader, TunableMethod, PromptFeatures):
        members = [n for n in (*vars(hook), *hook.__annotations__) if not n.startswith("_")]
        lacking = [name for name in members if not hasattr(plugin, name)]
        assert lacking in ([], members), f"{hook.__name__}: lacks {', '.join(lacking)}"


def computes_as_it_declares(plugin: type[Plugin], settings: BaseModel) -> None:
    """Where a class of facts names this one as its implementation, this one has the same facts."""
    own = f"{plugin.__module__}:{plugin.__qualname__}"
    for facts in plugin.__mro__:
        if implementation_of(facts) == own:
            other = [f for f in FACTS if getattr(facts, f, None) != getattr(plugin, f, None)]
            assert not other, f"another {', '.join(other)} than {facts.__name__}"


def import_touches_nothing(plugin: type[Plugin], settings: BaseModel) -> None:
    """Importing the module writes no file, asks no network and draws no global random number."""
    touched = _touched(plugin.__module__)
    assert not touched, "; ".join(touched)


@cache
def _touched(module: str) -> list[str]:
    """What the import of a module touches, in a process of its own."""
    known = sys.modules.get(module)
    if known is not None and "torch" not in inspect.getsource(known):
        # Torch takes seconds to import, which many modules never do.
        touched = _imported(module)
        if touched is not None:
            return touched
    return _imported(module, "with torch") or []


def _imported(module: str, *torch: str) -> list[str] | None:
    """What is touched; None where torch was imported, the random numbers of which were not seen."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, module, json.dumps(sys.path), str(os.getpid()), *torch],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    touched: list[str] | None = json.loads(done.stdout.rpartition("found:")[2])
    return touched


RULES = (
    has_the_api_of_this_starcli,
    settings_survive_json,
    settings_cannot_change,
    settings_are_described,
    unkeyed_settings_exist,
    hooks_are_whole,
    computes_as_it_declares,
    import_touches_nothing,
)

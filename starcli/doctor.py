"""What is here and whether it works: versions, machine, plugins, encoders, data sets, the store."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TypedDict

import psutil

from starcli import registry
from starcli.contracts import Fingerprinted
from starcli.data import imported
from starcli.errors import ErrorFields, MissingError, OutputError, StarError
from starcli.processes import cores
from starcli.registry import diagnostics
from starcli.store import inventory, runs

ASK = (
    "import os, sys; from starcli.processes import follow; follow(int(sys.argv[1])); "
    "import json; from starcli.training.device import devices; "
    "print('\\ndevices: ' + json.dumps(devices()), flush=True)"
)
"""What a process of its own is asked, since torch takes seconds to import."""
SECONDS = 120.0
"""Time that importing torch, or a third party's plugin, may take."""
LITTLE = 10**9
"""Free bytes below which the disk is about to be full."""


class Device(TypedDict):
    """Where can be computed, and the bytes of its memory."""

    name: str
    model: str
    memory: int | None


class Machine(TypedDict):
    """What the machine has; sizes in bytes."""

    system: str
    cores: int
    threads: str
    memory: int
    memory_free: int
    disk: int
    disk_free: int
    devices: list[Device]


class Encoder(TypedDict):
    """Whether a text encoder works here with its default settings, and why not."""

    name: str
    offline: bool
    reason: str


class Dataset(TypedDict):
    """A data set, and where its clips are."""

    name: str
    kind: str
    state: str


class Health(TypedDict):
    """What a store has, in numbers and bytes."""

    path: str
    writable: bool
    size: int
    results: int
    runs: int
    datasets: int
    unfinished: int
    damaged: list[str]


class Diagnosis(TypedDict):
    """All that `starcli doctor` finds."""

    versions: dict[str, str | None]
    machine: Machine
    plugins: list[dict[str, str]]
    encoders: list[Encoder]
    datasets: list[Dataset]
    store: Health
    problems: list[ErrorFields]


def diagnose(store: Path) -> Diagnosis:
    """Look at everything that commands need; nothing is changed.

    Args:
        store: The folder of all results.
    """
    problems: list[StarError] = []
    found: Diagnosis = {
        "versions": _versions(problems),
        "machine": _machine(store, problems),
        "plugins": _plugins(problems),
        "encoders": list(_encoders()),
        "datasets": list(_datasets(store)),
        "store": _health(store, problems),
        "problems": [],
    }
    return {**found, "problems": [problem.document()["error"] for problem in problems]}


def _versions(problems: list[StarError]) -> dict[str, str | None]:
    """Of Python, of starcli and of all that it needs; None where it is not installed."""
    named = [line for line in requires(registry.OURS) or () if "extra ==" not in line]
    needed = sorted(re.split(r"[^\w.-]", line)[0] for line in named)
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in (registry.OURS, *needed):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
            problems.append(MissingError(f"{name} is not installed", f"pip install {name}"))
    return found


def _machine(store: Path, problems: list[StarError]) -> Machine:
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(_there(store))
    if disk.free < LITTLE:
        problems.append(OutputError("the disk is almost full", "free some space", file=store))
    return {
        "system": platform.platform(),
        "cores": cores(),
        "threads": os.environ.get("OMP_NUM_THREADS", "one for each core"),
        "memory": memory.total,
        "memory_free": memory.available,
        "disk": disk.total,
        "disk_free": disk.free,
        "devices": _devices(problems),
    }


def _there(path: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(each for each in (path, *path.absolute().parents) if each.is_dir())


def _devices(problems: list[StarError]) -> list[Device]:
    """Where torch can compute, as a process of its own says."""
    command = [sys.executable, "-c", ASK, str(os.getpid())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        why = done.stderr.strip().rpartition("\n")[2] or f"code {done.returncode}"
    except subprocess.TimeoutExpired:
        problems.append(_no_torch(f"its import did not end within {SECONDS:g} seconds"))
        return []
    _, mark, answer = done.stdout.rpartition("devices: ")
    if not mark:
        problems.append(_no_torch(why))
        return []
    found: list[Device] = json.loads(answer)
    return found


def _no_torch(why: str) -> StarError:
    return MissingError(f"torch cannot be imported: {why}", "install torch again")


def _plugins(problems: list[StarError]) -> list[dict[str, str]]:
    """Every plugin with its state; those of third parties are imported in processes of their own.

    Of ours, settings and facts are imported; `starcli plugins --check` imports everything.
    """
    problems += [
        MissingError(f"plugin metadata cannot be read: {line}", "install it again")
        for line in registry.broken()
    ]
    entries = registry.entries()
    others = [entry for entry in entries if entry.distribution != registry.OURS]
    rows = [
        {**entry.row(), **dict(zip(("status", "reason"), _state(entry), strict=True))}
        for entry in entries
        if entry.distribution == registry.OURS
    ]
    rows += diagnostics.check(others, SECONDS)
    problems += [
        MissingError(row["reason"], registry.repair([row["distribution"]]))
        for row in rows
        if row["status"] != "ok"
    ]
    return rows


def _state(entry: registry.Entry) -> tuple[str, str]:
    try:
        if entry.kind == "layout":
            registry.layout(entry.name)
        else:
            registry.declared(entry.kind, entry.name)
    except StarError as error:
        return "broken", str(error)
    return "ok", ""


def _encoders() -> Iterator[Encoder]:
    """Every text encoder of ours with its default settings; nothing is downloaded."""
    for entry in registry.entries("text-encoder"):
        if entry.distribution != registry.OURS:
            continue
        try:
            plugin = registry.load("text-encoder", entry.name)
            needed = [n for n, f in plugin.Settings.model_fields.items() if f.is_required()]
            if needed:
                reason = f"needs encoder.{needed[0]}"
            else:
                encoder: object = plugin(plugin.Settings())
                assert isinstance(encoder, Fingerprinted)
                encoder.fingerprint()
                reason = ""
        except StarError as error:
            reason = f"{error}; {error.fix}"
        yield {"name": entry.name, "offline": not reason, "reason": reason}


def _datasets(store: Path) -> Iterator[Dataset]:
    """Data sets that can be used here: installed ones, and those that were imported."""
    prepared = {
        each.artifact.meta["recipe"].get("plugin")
        for each in inventory.results(store)
        if each.stage == "prepare" and each.artifact is not None
    }
    for entry in registry.entries("dataset"):
        try:
            needs = registry.load("dataset", entry.name).request
        except StarError as error:
            state = f"cannot be used: {error}"
        else:
            there = f"{entry.distribution}:{entry.name}" in prepared
            state = "prepared" if there else "needs --raw" if needs else "needs no recordings"
        yield {"name": entry.name, "kind": "installed", "state": state}
    for name in imported.names(store):
        try:
            state = f"{len(imported.load(store, name).rows)} clips"
        except StarError as error:
            state = f"cannot be used: {error}"
        yield {"name": name, "kind": "imported", "state": state}


def _health(store: Path, problems: list[StarError]) -> Health:
    """What a store has; descriptions and records are read, and no other files."""
    every = inventory.results(store)
    faults = [each.fault for each in every if each.fault is not None]
    faults += inventory.faulty_runs(store, every)
    writable = (store.is_dir() or not store.exists()) and os.access(_there(store), os.W_OK)
    if not writable:
        problems.append(OutputError("cannot write here", "name another with --store", file=store))
    problems += faults
    return {
        "path": str(store),
        "writable": writable,
        "size": inventory.size_of(store),
        "results": len(every),
        "runs": len(runs.names(store)),
        "datasets": len(imported.names(store)),
        "unfinished": len(list((store / "unfinished").glob("*"))),
        "damaged": [str(fault.file or fault) for fault in faults],
    }

"""`starcli doctor`: what is here, and whether it works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from starcli.cli.given import place_of_store
from starcli.cli.options import Config, Json, StorePath

if TYPE_CHECKING:
    from starcli.doctor import Diagnosis

Table = tuple[str, tuple[str, ...], Sequence[Sequence[object]]]


def doctor(store: StorePath = None, config: Config = None, as_json: Json = False) -> None:
    """Say what is here and whether it works: versions, machine, plugins, data sets, store.

    Example: starcli doctor
    """
    from starcli.cli import console
    from starcli.cli.output import print_document
    from starcli.doctor import diagnose

    found = diagnose(place_of_store(store, config))
    problems = found["problems"]
    if as_json:
        more = {"error": problems[0]} if problems else {}
        print_document({"ok": not problems, **more, **found})
    else:
        for table in _tables(found):
            console.table(*table)
    for problem in problems:
        place_of = f"{problem['file']}: " if problem["file"] else ""
        console.warn(f"problem: {place_of}{problem['message']}; {problem['fix']}")
    if problems:
        raise typer.Exit(problems[0]["exit_code"])
    console.note("no problems found; starcli plugins --check imports every plugin whole")


def _tables(found: Diagnosis) -> list[Table]:
    versions = [(name, version or "not installed") for name, version in found["versions"].items()]
    encoders = [
        (each["name"], "works offline" if each["offline"] else each["reason"])
        for each in found["encoders"]
    ]
    datasets = [(each["name"], each["kind"], each["state"]) for each in found["datasets"]]
    return [
        ("versions", ("package", "version"), versions),
        ("machine", ("what", "value"), _machine(found)),
        ("plugins", ("kind", "how many", "broken"), _plugins(found)),
        ("text encoders", ("name", "state"), encoders),
        ("data sets", ("name", "kind", "state"), datasets),
        ("store", ("what", "value"), _store(found)),
    ]


def _machine(found: Diagnosis) -> list[tuple[str, object]]:
    from starcli.cli.output import size

    machine = found["machine"]
    return [
        ("system", machine["system"]),
        ("cores", machine["cores"]),
        ("threads of torch", machine["threads"]),
        ("memory", f"{size(machine['memory_free'])} free of {size(machine['memory'])}"),
        ("disk", f"{size(machine['disk_free'])} free of {size(machine['disk'])}"),
        *(
            (
                "device",
                " ".join(
                    (each["name"], each["model"], size(each["memory"]) if each["memory"] else "")
                ).strip(),
            )
            for each in machine["devices"]
        ),
    ]


def _plugins(found: Diagnosis) -> list[tuple[str, int, str]]:
    """Kind -> how many there are, and the names of those that cannot be used."""
    kinds: dict[str, list[str]] = {}
    for row in found["plugins"]:
        kinds.setdefault(row["kind"], []).append("" if row["status"] == "ok" else row["name"])
    return [(kind, len(own), ", ".join(filter(None, own))) for kind, own in kinds.items()]


def _store(found: Diagnosis) -> list[tuple[str, object]]:
    from starcli.cli.output import size

    store = found["store"]
    return [
        ("path", store["path"] if store["size"] else f"{store['path']} (empty, or not there)"),
        ("size", size(store["size"])),
        *((what, store[what]) for what in ("results", "runs", "datasets", "unfinished")),
        ("damaged", ", ".join(store["damaged"]) or "none"),
    ]

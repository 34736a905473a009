"""Readers side by side: each knows its own files only, and none falls over damaged ones."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from starcli import registry
from starcli.conformance.readers import people_of, write
from starcli.contracts import NoSettings
from starcli.errors import DataError
from starcli.poses import PoseFile

OURS = [e.name for e in registry.entries("reader") if e.distribution == registry.OURS]
DAMAGE: tuple[Any, ...] = (None, "x", [], {}, 3, -2.5, True, [[]], {"x": 1}, 10**400, [None])
TIMES = 60


def cases(suffix: str = "") -> list[Any]:
    """Readers and layouts; only of readers that write files which end so."""
    return [
        pytest.param(name, layout, id=f"{name}-{layout}")
        for name in OURS
        if suffix in ("", registry.load("reader", name).suffixes[0])
        for layout in registry.load("reader", name).layouts
    ]


@pytest.mark.parametrize(("name", "layout"), cases())
def test_files_are_recognised_by_their_own_reader_only_b20(
    tmp_path: Path, name: str, layout: str
) -> None:
    plugin = registry.load("reader", name)
    files = write(plugin(NoSettings()), people_of(plugin, layout), tmp_path)
    readers = {other: registry.load("reader", other)(NoSettings()) for other in OURS}
    for file in files:
        for other, reader in readers.items():
            if file.name.lower().endswith(reader.suffixes):
                assert reader.recognises(file) == (other == name), f"{other}: {file.name}"


def places(item: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a document with every key in it."""
    for key in item if isinstance(item, dict) else range(len(item)):
        yield item, key
        if isinstance(item[key], dict | list):
            yield from places(item[key])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "layout"), cases(".json"))
def test_damaged_json_is_read_or_an_error_of_ours(tmp_path: Path, name: str, layout: str) -> None:
    plugin = registry.load("reader", name)
    reader, draw = plugin(NoSettings()), random.Random(0)
    files = write(reader, people_of(plugin, layout), tmp_path)
    text = files[0].path.read_text("utf-8")
    for time in range(TIMES):
        document = json.loads(text)
        found = list(places(document))
        # Numbers are many and alike: rather damage what they lie in.
        if time % 2:
            found = [place for place in found if isinstance(place[1], str)] or found
        container, key = draw.choice(found)
        container[key] = draw.choice(DAMAGE)
        path = tmp_path / f"damaged_{time}.json"
        path.write_text(json.dumps(document), "utf-8")
        file = PoseFile(path, path.name)
        if reader.recognises(file):
            reader.frame_of(file)
            try:
                list(reader.read([file]))
            except DataError as error:
                assert path.name in str(error) and error.fix

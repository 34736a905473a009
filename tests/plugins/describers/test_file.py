"""The describer `file`: the user's own texts, known by what they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from starcli.contracts import DescriberContext
from starcli.errors import DataError
from starcli_plugins.describers.file import File
from tests.conftest import Outcome

Cli = Callable[..., Outcome]
TEXTS = {"throw": {"arm": "It swings.", "leg": "It stays."}, "run": {"arm": "a", "leg": "b"}}


def made(path: Path, actions: Any = TEXTS) -> File:
    path.write_text(json.dumps({"actions": actions}), encoding="utf-8")
    return File(File.Settings(path=path))


def test_only_what_is_asked_for_is_needed(tmp_path: Path) -> None:
    file = made(tmp_path / "a.json")
    assert file.describe(["run", "throw"], ["leg"], DescriberContext()) == [
        {"leg": "b"},
        {"leg": "It stays."},
    ]
    with pytest.raises(DataError, match="class 'sit': no description") as caught:
        file.describe(["throw", "sit"], ["leg"], DescriberContext())
    assert caught.value.file == str(tmp_path / "a.json")


def test_the_fingerprint_is_of_the_texts(tmp_path: Path) -> None:
    one, other = made(tmp_path / "a.json"), made(tmp_path / "b.json")
    assert one.fingerprint() == other.fingerprint()
    assert made(tmp_path / "b.json", {**TEXTS, "run": {}}).fingerprint() != one.fingerprint()


def test_texts_are_asked_for_anew_when_they_changed_and_wherever_they_lie(
    cli: Cli, tmp_path: Path
) -> None:
    made_by = json.loads(cli("describe", "--json").out)
    path = tmp_path / "mine.json"
    path.write_bytes((Path(made_by["path"]) / "data.json").read_bytes())

    def ran(name: str) -> Any:
        options = ("--describer", "file", "--set", f"describer.path={name}")
        return json.loads(cli("describe", *options, "--json").out)["ran"]

    assert ran("mine.json") == ["describe"]
    path.rename(tmp_path / "moved.json")
    assert ran("moved.json") == []
    path = tmp_path / "moved.json"
    path.write_text(path.read_text().replace("The head", "My head"))
    assert ran("moved.json") == ["describe"]

"""Every example is a settings file that this starcli understands."""

from pathlib import Path

import pytest
from conftest import ROOT

from starcli.experiment import Experiment
from starcli.settings import flatten, load


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda p: p.stem)
def test_every_value_of_an_example_is_set(path: Path) -> None:
    import tomllib

    loaded = load({}, path)
    Experiment(loaded)
    values, origins = dict(loaded.values()), loaded.origins
    wanted = dict(flatten(tomllib.loads(path.read_text("utf-8"))))
    assert wanted
    for key, value in wanted.items():
        assert values[key] == value
        assert origins[key] == str(path)
    assert f"--config examples/{path.name}" in path.read_text("utf-8")

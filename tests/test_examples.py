"""Every settings file among the examples is understood, and the walkthrough runs."""

import re
import runpy
from pathlib import Path

import pytest

from starcli.experiment import Experiment
from starcli.settings.resolve import flatten, load
from tests.conftest import ROOT


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


@pytest.mark.slow
def test_the_walkthrough_goes_through(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every step prints what it found, and the last one an error with its remedy."""
    runpy.run_path(str(ROOT / "examples" / "walkthrough.py"))["main"](tmp_path)
    out = capsys.readouterr().out
    assert re.search(r"ZSL \d+%, chance 20%\n", out)
    assert re.search(r"H \d+% at gamma -?\d", out)
    assert "calibration.png" in out
    assert len(re.findall(r"  -?\d\.\d{3}  .* \((?:seen|unseen)\)\n", out)) == 3
    assert re.search(r"  -?\d\.\d{3}  do a squat \(new\)\n", out)
    assert "no split 'fold9'; did you mean 'fold" in out

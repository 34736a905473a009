"""What surrounds a command: no network, nobody to ask, numbers that overflow."""

from __future__ import annotations

import platform
import re
import socket
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from pytest_socket import SocketBlockedError

from starcli.training.loop import Numerics
from tests.conftest import ROOT, Outcome
from tests.training.test_loop import Problem

ASKING = re.compile(r"(?<![\w.])input\(|\.confirm\(|typer\.prompt|\bprompt=|getpass")
"""What waits for somebody to answer."""


def test_all_tests_pass_without_a_network_g29() -> None:
    """What needs one in them is a server on this machine, asked for by `enable_socket`."""
    with pytest.warns(UserWarning, match="tried to use"), pytest.raises(SocketBlockedError):
        socket.socket(socket.AF_INET)


def test_nothing_is_ever_asked_for_g32() -> None:
    asking = {
        str(path.relative_to(ROOT))
        for folder in ("starcli", "plugins")
        for path in (ROOT / folder).rglob("*.py")
        if ASKING.search(path.read_text("utf-8"))
    }
    assert asking == set()


def test_an_operation_that_a_device_lacks_is_named_g17(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch says it alike of all devices; here is none of Apple, so it is another's tensor."""

    def convolve(**options: object) -> None:
        torch.nn.functional.relu(torch.eye(2).to_mkldnn()).addmm(torch.eye(2), torch.eye(2))

    monkeypatch.setattr("starcli.__main__.app", convolve)
    done = cli("train")
    assert done.code == 1
    assert "bug in starcli: NotImplementedError: Could not run 'aten::" in done.err


def test_the_oldest_and_the_newest_versions_are_those_that_pip_takes_g30() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [Requirement(each) for each in project["dependencies"]]
    oldest = pinned(ROOT / ".ci" / "lower-bounds.txt")
    assert {r.name: str(r.specifier) for r in wanted} == {n: f">={v}" for n, v in oldest.items()}
    newest = pinned(ROOT / "constraints.txt")
    for each in [*wanted, *map(Requirement, project["optional-dependencies"]["test"])]:
        assert each.specifier.contains(newest[each.name]), each
    assert SpecifierSet(project["requires-python"]).contains(platform.python_version())


def pinned(path: Path) -> dict[str, str]:
    """Name -> version of every line."""
    lines = path.read_text("utf-8").splitlines()
    pairs = (line.partition("==") for line in lines if "==" in line)
    return {name: version for name, _, version in pairs}


@pytest.mark.slow
def test_steps_whose_gradients_overflow_are_left_out_g14() -> None:
    """The scale that half precision needs begins far too high here, and is halved."""
    scales: list[float] = []
    weights: list[list[object]] = []

    class Watched(torch.amp.GradScaler):
        def update(self, new_scale: float | torch.Tensor | None = None) -> None:
            super().update(new_scale)
            scales.append(self.get_scale())
            weights.append([p.tolist() for p in problem.model.parameters()])

    class Half(Numerics):
        def scaler(self) -> torch.amp.GradScaler:
            return Watched("cpu", init_scale=2.0**20, enabled=True)

    problem = Problem()
    before = [p.tolist() for p in problem.model.parameters()]
    problem.train(numerics=Half("cpu", "fp16"))
    assert scales[0] == 2.0**19
    assert weights[0] == before
    assert weights[-1] != before
    assert all(p.isfinite().all() for p in problem.model.parameters())

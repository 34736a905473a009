"""What surrounds a command: no network, nobody to ask, numbers that overflow."""

from __future__ import annotations

import re
import socket

import pytest
import torch
from pytest_socket import SocketBlockedError

from starcli.training.loop import Numerics
from tests.conftest import ROOT
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

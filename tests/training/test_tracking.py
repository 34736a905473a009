"""Measures of a training: what is written, and a tracker that never stops the training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from accelerate import tracking

from starcli.errors import MissingError
from starcli.training.tracking import NAME, Journal, Tracker, require


class Fake:
    """A tracker that dies in its second epoch."""

    def __init__(self, **own: Any) -> None:
        self.own, self.finished = own, False
        self.logged: list[tuple[int, dict[str, float]]] = []
        FAKES.append(self)

    def start(self) -> None:
        pass

    def log(self, measures: dict[str, float], step: int) -> None:
        if step == 2:
            raise ConnectionError("nobody there")
        self.logged.append((step, measures))

    def finish(self) -> None:
        self.finished = True


FAKES: list[Fake] = []


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[Fake]:
    FAKES.clear()
    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "wandb", Fake)
    return FAKES


def read(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_of_a_repeated_epoch_the_last_time_counts(tmp_path: Path) -> None:
    first = Journal(tmp_path / "checkpoint")
    first.record(1, {"loss": 3.0})
    first.record(2, {"loss": 2.0})
    with (tmp_path / "checkpoint" / NAME).open("a") as file:
        file.write('{"epoch": 3, "lo\n')  # killed as it wrote
    again = Journal(tmp_path / "checkpoint")
    again.record(2, {"loss": 1.5})
    again.record(3, {"loss": 1.0})
    again.close(tmp_path)
    assert read(tmp_path / NAME) == [
        {"epoch": 1, "loss": 3.0},
        {"epoch": 2, "loss": 1.5},
        {"epoch": 3, "loss": 1.0},
    ]


def test_nothing_recorded_leaves_no_file(tmp_path: Path) -> None:
    Journal(tmp_path / "checkpoint").close(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_tracker_that_dies_is_warned_of_once_f20(
    tmp_path: Path, fake: list[Fake], caplog: pytest.LogCaptureFixture
) -> None:
    told = Journal(tmp_path / "c", Tracker("wandb", "train-x", tmp_path / "wandb"))
    for epoch in range(1, 5):
        told.record(epoch, {"loss": 1.0})
    told.close(tmp_path)
    assert fake[0].logged == [(1, {"loss": 1.0})]
    assert [record.getMessage() for record in caplog.records] == [
        "wandb failed and is left out from now on: nobody there"
    ]
    assert len(read(tmp_path / NAME)) == 4
    assert fake[0].own["id"] == fake[0].own["name"] == "train-x"


def test_a_tracker_that_does_not_start_is_left_out(
    tmp_path: Path,
    fake: list[Fake],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(self: Fake) -> None:
        raise RuntimeError("no key")

    monkeypatch.setattr(Fake, "start", refuse)
    tracker = Tracker("wandb", "train-x", tmp_path / "wandb")
    tracker.log({"loss": 1.0}, 1)
    tracker.close()
    assert fake[0].logged == []
    assert len(caplog.records) == 1


def test_tensorboard_gets_every_epoch(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    told = Journal(tmp_path / "c", Tracker("tensorboard", "train-x", tmp_path / "tensorboard"))
    told.record(1, {"loss": 2.0, "criterion": 0.25})
    told.record(2, {"loss": 1.0, "criterion": 0.5})
    told.close(tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard" / "train-x")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("criterion")] == [(1, 0.25), (2, 0.5)]
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(1, 2.0), (2, 1.0)]


def test_a_tracker_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starcli.training.tracking.find_spec", lambda name: None)
    require(None)
    with pytest.raises(MissingError, match="wandb is not installed") as caught:
        require("wandb")
    assert caught.value.fix == "install it with: pip install wandb"

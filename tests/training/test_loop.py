"""The epoch loop: continued equals undisturbed, nothing global is touched, NaN is named."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from starcli.contracts import TrainingCallbacks
from starcli.errors import DataError, NumericalError, OutputError, UsageError
from starcli.training.checkpoint import NAME, PREVIOUS, History
from starcli.training.distributed import Workers
from starcli.training.loop import (
    DRAWS,
    Numerics,
    moving_average,
    run_epochs,
)
from starcli.training.schedules import warm_cosine
from tests.progress import Watching

SIZE, BATCH, EPOCHS = 10, 4, 4
X = torch.linspace(-1, 1, SIZE * 3).view(SIZE, 3)
Y = X.sin().sum(1, keepdim=True)
OPTIMIZERS: dict[str, Callable[[nn.Module], torch.optim.Optimizer]] = {
    "adamw": lambda model: torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.1),
    "momentum": lambda model: torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
    "sgd": lambda model: torch.optim.SGD(model.parameters(), lr=0.05),
}


class StoppedError(Exception):
    pass


class Problem:
    """A tiny regression with batch statistics, dropout and noise drawn from the epoch."""

    def __init__(self, optimizer: str = "adamw", what: str = "tiny", decay: float = 0) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(7)
            self.model = nn.Sequential(
                nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1)
            )
        self.optimizer = OPTIMIZERS[optimizer](self.model)
        self.what = what
        self.decay = decay
        self.seen: list[list[int]] = []
        self.values: list[float] = []

    def loss(self, ids: Tensor, draws: Tensor) -> Tensor:
        self.seen.append(ids.tolist())
        assert draws.shape == (len(ids), DRAWS)
        value: Tensor = (self.model(X[ids] + 0.2 * draws[:, :3]) - Y[ids]).square().mean()
        self.values.append(float(value.detach()))
        return value

    def train(
        self,
        callbacks: TrainingCallbacks | None = None,
        *,
        seed: int = 0,
        epochs: int = EPOCHS,
        **more: Any,
    ) -> Problem:
        if self.decay:
            more["average"] = moving_average(self.model, self.decay)
        self.history = run_epochs(
            self.model,
            self.loss,
            self.optimizer,
            what=self.what,
            size=SIZE,
            batch=BATCH,
            epochs=epochs,
            seed=seed,
            callbacks=callbacks or TrainingCallbacks(),
            **more,
        )
        return self

    def weights(self) -> dict[str, list[float]]:
        return {name: value.tolist() for name, value in self.model.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("epoch", range(1, EPOCHS + 1))
def test_continued_equals_undisturbed(tmp_path: Path, optimizer: str, epoch: int) -> None:
    """Interrupted in the first step after `epoch`, or in the call that follows the last."""
    first = Problem(optimizer)

    def interrupt(what: str, done: int, total: int) -> None:
        if done == epoch * math.ceil(SIZE / BATCH) + 1:
            raise StoppedError

    def after(finished: int) -> None:
        if finished == epoch == EPOCHS:
            raise StoppedError

    with pytest.raises(StoppedError):
        first.train(
            TrainingCallbacks(checkpoint=tmp_path, after_epoch=after, progress=Watching(interrupt))
        )
    torch.randn(3)  # another process has another global state
    continued = Problem(optimizer).train(TrainingCallbacks(checkpoint=tmp_path))
    assert continued.weights() == Problem(optimizer).train().weights()
    done = epoch if epoch < EPOCHS else EPOCHS - 1
    assert len(continued.seen) == (EPOCHS - done) * 3
    assert continued.optimizer.param_groups[0]["lr"] == pytest.approx(0.05 * warm_cosine(11 / 12))


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    done = Problem().train(TrainingCallbacks(checkpoint=tmp_path))
    again = Problem().train(TrainingCallbacks(checkpoint=tmp_path))
    assert again.seen == []
    assert again.weights() == done.weights()
    assert sorted(p.name for p in tmp_path.iterdir()) == [PREVIOUS, NAME]


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    Problem().train(TrainingCallbacks(epochs=1, checkpoint=tmp_path))
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"checkpoint\.safetensors"):
        Problem().train(TrainingCallbacks(checkpoint=tmp_path))


def test_a_half_written_checkpoint_is_not_read(tmp_path: Path) -> None:
    Problem().train(TrainingCallbacks(epochs=2, checkpoint=tmp_path))
    (tmp_path / "checkpoint.tmp").write_bytes(b"half")
    continued = Problem().train(TrainingCallbacks(checkpoint=tmp_path))
    assert continued.weights() == Problem().train().weights()


def test_a_checkpoint_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError) as caught:
        Problem().train(TrainingCallbacks(checkpoint=tmp_path / "file" / "checkpoint"))
    assert caught.value.exit_code == 6


def test_the_same_seed_gives_the_same_weights_and_another_gives_others() -> None:
    one, other = Problem().train(seed=1), Problem().train(seed=2)
    assert Problem().train(seed=1).weights() == one.weights()
    assert other.weights() != one.weights()
    assert other.seen != one.seen


def test_every_epoch_reads_every_clip_once_in_an_order_of_its_own() -> None:
    problem = Problem().train()
    orders = [list(itertools.chain(*problem.seen[i : i + 3])) for i in range(0, 12, 3)]
    assert [sorted(order) for order in orders] == [list(range(SIZE))] * EPOCHS
    assert len({tuple(order) for order in orders}) == EPOCHS
    assert [len(batch) for batch in problem.seen[:3]] == [4, 3, 3]


def test_fewer_epochs_follow_the_same_schedule() -> None:
    problem, states = Problem(), []
    problem.train(
        TrainingCallbacks(after_epoch=lambda epoch: states.append((epoch, problem.weights())))
    )
    assert [epoch for epoch, _ in states] == [1, 2, 3, 4]
    for epochs, state in states:
        assert Problem().train(TrainingCallbacks(epochs=epochs)).weights() == state
    assert Problem().train(TrainingCallbacks(epochs=99)).weights() == problem.weights()
    assert Problem().train(epochs=2).weights() != states[1][1]


def test_progress_counts_steps() -> None:
    calls: list[tuple[str, int, int]] = []
    Problem().train(
        TrainingCallbacks(epochs=2, progress=Watching(lambda *call: calls.append(call)))
    )
    assert calls == [("tiny", done, 6) for done in range(1, 7)]


def test_the_model_is_ready_to_score_after_each_epoch() -> None:
    problem, modes = Problem(), []
    problem.train(TrainingCallbacks(after_epoch=lambda epoch: modes.append(problem.model.training)))
    assert modes == [False] * EPOCHS
    assert not problem.model.training


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_named(bad: float) -> None:
    problem = Problem(what="train (final)")
    state = torch.random.get_rng_state()
    own = problem.loss

    def loss(ids: Tensor, draws: Tensor) -> Tensor:
        return own(ids, draws) * (bad if len(problem.seen) == 5 else 1)

    problem.loss = loss  # type: ignore[method-assign]
    with pytest.raises(NumericalError) as caught:
        problem.train()
    message = f"train (final): loss is {bad} in epoch 2, step 2, at learning rate 0.0467"
    assert caught.value.message == message
    assert "lower the learning rate" in caught.value.fix
    assert caught.value.exit_code == 8
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.isfinite(value).all() for value in problem.model.state_dict().values())


def test_the_global_generator_is_untouched_and_unused() -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = Problem().train()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert Problem().train().weights() == one.weights()


@pytest.mark.slow
@pytest.mark.parametrize("decay", [0.0, 0.9])
@pytest.mark.parametrize("steps", range(1, 12))
def test_continued_inside_an_epoch_equals_undisturbed(
    tmp_path: Path, steps: int, decay: float
) -> None:
    first = Problem(decay=decay)

    def interrupt(what: str, done: int, total: int) -> None:
        if done == steps + 1:
            raise StoppedError

    callbacks = TrainingCallbacks(checkpoint=tmp_path, progress=Watching(interrupt), interval=0)
    with pytest.raises(StoppedError):
        first.train(callbacks)
    continued = Problem(decay=decay).train(TrainingCallbacks(checkpoint=tmp_path, interval=0))
    undisturbed = Problem(decay=decay).train()
    assert continued.weights() == undisturbed.weights()
    assert continued.history == undisturbed.history
    assert len(continued.seen) == 12 - steps


def test_a_damaged_last_checkpoint_leaves_the_one_before_e14(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Problem().train(TrainingCallbacks(epochs=2, checkpoint=tmp_path))
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-9])
    continued = Problem().train(TrainingCallbacks(checkpoint=tmp_path))
    assert len(continued.seen) == 9
    assert continued.weights() == Problem().train().weights()
    assert "going on from the one before it" in caplog.text


def test_weights_that_are_no_number_do_not_replace_a_good_checkpoint(tmp_path: Path) -> None:
    problem = Problem()

    def spoil(epoch: int) -> None:
        if epoch == 2:
            problem.model.get_parameter("0.weight").data[0, 0] = math.nan

    with pytest.raises(NumericalError, match="is not finite after epoch 2"):
        problem.train(TrainingCallbacks(checkpoint=tmp_path, after_epoch=spoil))
    continued = Problem().train(TrainingCallbacks(checkpoint=tmp_path))
    assert len(continued.seen) == 9
    assert continued.weights() == Problem().train().weights()


def test_the_history_holds_mean_losses_and_what_was_said() -> None:
    problem = Problem().train(TrainingCallbacks(after_epoch=lambda epoch: epoch / 10))
    sizes = [4, 3, 3]
    for epoch in range(EPOCHS):
        values = problem.values[3 * epoch : 3 * epoch + 3]
        mean = sum(v * n for v, n in zip(values, sizes, strict=True)) / SIZE
        assert problem.history.losses[epoch] == pytest.approx(mean, rel=1e-6)
    assert problem.history.scores == [0.1, 0.2, 0.3, 0.4]


def test_the_moving_average_by_hand() -> None:
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    average = moving_average(model, 0.5)
    want = None
    for step, value in enumerate([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]):
        model.weight.data.fill_(value)
        average.update_parameters(model)
        keep = min(0.5, (1 + step) / (10 + step))
        want = value if want is None else keep * want + (1 - keep) * value
        assert average.get_parameter("module.weight").item() == pytest.approx(want)


def test_the_model_ends_with_the_averaged_weights() -> None:
    plain, averaged = Problem().train(), Problem(decay=0.9).train()
    assert averaged.values == plain.values, "the average only follows"
    assert averaged.weights() != plain.weights()


def test_learning_rates_follow_the_given_schedule() -> None:
    rates: list[float] = []
    problem = Problem()
    own = problem.loss

    def loss(ids: Tensor, draws: Tensor) -> Tensor:
        rates.append(problem.optimizer.param_groups[0]["lr"])
        return own(ids, draws)

    problem.loss = loss  # type: ignore[method-assign]
    problem.train(rate=lambda progress: 1 - progress)
    assert rates == pytest.approx([0.05 * (1 - n / 12) for n in range(12)])


def test_bfloat16_computes_in_low_and_keeps_weights_in_full() -> None:
    low = Problem().train(numerics=Numerics("cpu", "bf16"))
    assert low.weights() != Problem().train().weights()
    assert all(v.dtype == torch.float32 for v in low.model.parameters())
    for mine, full in zip(low.history.losses, Problem().train().history.losses, strict=True):
        assert mine == pytest.approx(full, rel=0.05)


def test_more_processes_than_clips_in_a_batch_are_refused() -> None:
    with pytest.raises(UsageError, match="batches of 3 clips for 4 processes"):
        Problem().train(workers=Workers(0, 4))


@pytest.mark.parametrize(
    ("scores", "patience", "stale"),
    [
        ([0.1, 0.3, 0.2], 2, False),
        ([0.1, 0.3, 0.2, 0.1], 2, True),
        ([0.1, 0.3, 0.3, 0.3], 2, True),  # as good as the best is not better
        ([0.3, 0.2, 0.1, 0.4], 2, False),
        ([0.9, 0.1, 0.1, 0.1], 0, False),
        ([], 1, False),
        ([None, None, None], 1, False),
    ],
)
def test_when_a_score_is_stale(scores: list[float | None], patience: int, stale: bool) -> None:
    assert History(scores=scores).stale(patience) is stale


AREAS = [0.1, 0.4, 0.2, 0.3, 0.9, 0.9]
"""With a patience of 2 nobody gets to see the fifth."""


@pytest.mark.slow
@pytest.mark.parametrize("stop", range(1, 13))
def test_training_stops_where_it_does_not_get_better(tmp_path: Path, stop: int) -> None:
    """Also where it is interrupted after a step and continued."""

    def watch(**more: Any) -> TrainingCallbacks:
        return TrainingCallbacks(after_epoch=lambda epoch: AREAS[epoch - 1], patience=2, **more)

    def interrupt(what: str, done: int, total: int) -> None:
        if done == stop:
            raise StoppedError

    whole = Problem().train(watch(), epochs=6)
    assert whole.history.scores == AREAS[:4]
    assert len(whole.seen) == 4 * 3
    with pytest.raises(StoppedError):
        Problem().train(
            watch(checkpoint=tmp_path, interval=0, progress=Watching(interrupt)), epochs=6
        )
    continued = Problem().train(watch(checkpoint=tmp_path, interval=0), epochs=6)
    assert continued.weights() == whole.weights()
    assert continued.history == whole.history
    assert (
        len(Problem().train(TrainingCallbacks(after_epoch=watch().after_epoch), epochs=6).seen)
        == 18
    )


def test_measures_of_every_epoch_are_recorded(tmp_path: Path) -> None:
    rows: list[tuple[int, dict[str, float]]] = []
    callbacks = TrainingCallbacks(
        after_epoch=lambda epoch: epoch / 8 if epoch % 2 else None,
        record=lambda epoch, measures: rows.append((epoch, dict(measures))),
    )
    problem = Problem().train(callbacks)
    assert [epoch for epoch, _ in rows] == [1, 2, 3, 4]
    assert [row["loss"] for _, row in rows] == problem.history.losses
    assert [row.get("criterion") for _, row in rows] == [0.125, None, 0.375, None]
    assert all(row["seconds"] >= 0 for _, row in rows)


def test_a_loss_of_several_terms_is_their_sum_and_each_is_recorded() -> None:
    rows: list[dict[str, float]] = []
    problem = Problem()
    own = problem.loss

    def loss(ids: Tensor, draws: Tensor) -> dict[str, Tensor]:
        value = own(ids, draws)
        return {"fit": 0.75 * value, "rest": 0.25 * value}

    problem.loss = loss  # type: ignore[assignment,method-assign]
    problem.train(TrainingCallbacks(record=lambda epoch, measures: rows.append(dict(measures))))
    plain = Problem().train()
    for row, whole in zip(rows, plain.history.losses, strict=True):
        assert row["loss"] == pytest.approx(whole, rel=1e-5)
        assert row["fit"] == pytest.approx(0.75 * whole, rel=1e-5)
        assert row["rest"] == pytest.approx(0.25 * whole, rel=1e-5)
    torch.testing.assert_close(problem.model.state_dict(), plain.model.state_dict())

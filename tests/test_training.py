"""The epoch loop: continued equals undisturbed, nothing global is touched, NaN is named."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from starcli.contracts import Watch
from starcli.errors import DataError, NumericalError, OutputError
from starcli.training import derive, run_epochs, warm_cosine

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

    def __init__(self, optimizer: str = "adamw", what: str = "tiny") -> None:
        with torch.random.fork_rng():
            torch.manual_seed(7)
            self.model = nn.Sequential(
                nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1)
            )
        self.optimizer = OPTIMIZERS[optimizer](self.model)
        self.what = what
        self.seen: list[list[int]] = []

    def loss(self, ids: Tensor, generator: torch.Generator) -> Tensor:
        self.seen.append(ids.tolist())
        noise = 0.1 * torch.randn(len(ids), 3, generator=generator)
        return (self.model(X[ids] + noise) - Y[ids]).square().mean()

    def train(self, watch: Watch | None = None, *, seed: int = 0, epochs: int = EPOCHS) -> Problem:
        run_epochs(
            self.model, self.loss, self.optimizer, what=self.what, size=SIZE, batch=BATCH,
            epochs=epochs, seed=seed, watch=watch or Watch(),
        )  # fmt: skip
        return self

    def weights(self) -> dict[str, list[float]]:
        return {name: value.tolist() for name, value in self.model.state_dict().items()}


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
        first.train(Watch(checkpoint=tmp_path, after_epoch=after, progress=interrupt))
    torch.randn(3)  # another process has another global state
    continued = Problem(optimizer).train(Watch(checkpoint=tmp_path))
    assert continued.weights() == Problem(optimizer).train().weights()
    done = epoch if epoch < EPOCHS else EPOCHS - 1
    assert len(continued.seen) == (EPOCHS - done) * 3
    assert continued.optimizer.param_groups[0]["lr"] == pytest.approx(0.05 * warm_cosine(11 / 12))


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    done = Problem().train(Watch(checkpoint=tmp_path))
    again = Problem().train(Watch(checkpoint=tmp_path))
    assert again.seen == []
    assert again.weights() == done.weights()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.safetensors"]


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    Problem().train(Watch(epochs=1, checkpoint=tmp_path))
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"checkpoint\.safetensors"):
        Problem().train(Watch(checkpoint=tmp_path))


def test_a_half_written_checkpoint_is_not_read(tmp_path: Path) -> None:
    Problem().train(Watch(epochs=2, checkpoint=tmp_path))
    (tmp_path / "checkpoint.tmp").write_bytes(b"half")
    continued = Problem().train(Watch(checkpoint=tmp_path))
    assert continued.weights() == Problem().train().weights()


def test_a_checkpoint_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError) as caught:
        Problem().train(Watch(checkpoint=tmp_path / "file" / "checkpoint"))
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
    assert [len(batch) for batch in problem.seen[:3]] == [4, 4, 2]


def test_fewer_epochs_follow_the_same_schedule() -> None:
    problem, states = Problem(), []
    problem.train(Watch(after_epoch=lambda epoch: states.append((epoch, problem.weights()))))
    assert [epoch for epoch, _ in states] == [1, 2, 3, 4]
    for epochs, state in states:
        assert Problem().train(Watch(epochs=epochs)).weights() == state
    assert Problem().train(Watch(epochs=99)).weights() == problem.weights()
    assert Problem().train(epochs=2).weights() != states[1][1]


def test_progress_counts_steps() -> None:
    calls: list[tuple[str, int, int]] = []
    Problem().train(Watch(epochs=2, progress=lambda *call: calls.append(call)))
    assert calls == [("tiny", done, 6) for done in range(1, 7)]


def test_the_model_is_ready_to_score_after_each_epoch() -> None:
    problem, modes = Problem(), []
    problem.train(Watch(after_epoch=lambda epoch: modes.append(problem.model.training)))
    assert modes == [False] * EPOCHS
    assert not problem.model.training


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_named(bad: float) -> None:
    problem = Problem(what="train (final)")
    state = torch.random.get_rng_state()
    own = problem.loss

    def loss(ids: Tensor, generator: torch.Generator) -> Tensor:
        return own(ids, generator) * (bad if len(problem.seen) == 5 else 1)

    problem.loss = loss  # type: ignore[method-assign]
    with pytest.raises(NumericalError) as caught:
        problem.train()
    assert caught.value.message == f"train (final): loss is {bad} in epoch 2, step 2"
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


def test_derived_seeds_differ_by_every_name() -> None:
    names: list[tuple[str | int, ...]] = [
        (), ("epoch",), ("epoch", 0), ("epoch", 1), ("dropout", 0), ("epoch", "0"), ("e", "poch"),
        ("train", "final"), ("train", "validation"), ("trainfinal",),
    ]  # fmt: skip
    seeds = [derive(seed, *name) for seed in (0, 1) for name in names]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive(0, "train", "final") == derive(0, "train", "final") == 70445503460374445


@pytest.mark.parametrize(
    ("progress", "share"),
    [(0.0, 0.04), (0.05, 0.28), (0.1, 0.52), (0.2, 1.0), (0.4, 0.5 + math.sqrt(2) / 4),
     (0.6, 0.5), (1.0, 0.0)],
)  # fmt: skip
def test_warm_cosine(progress: float, share: float) -> None:
    assert warm_cosine(progress) == pytest.approx(share, abs=1e-12)


def test_warm_cosine_with_another_warm_share() -> None:
    assert warm_cosine(0.25, 0.5) == pytest.approx(0.52)
    assert warm_cosine(0.75, 0.5) == pytest.approx(0.5)

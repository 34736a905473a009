"""The one epoch loop: seeds, learning rate, NaN guard, progress, and resume after any step."""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from starcli.contracts import TrainingCallbacks
from starcli.errors import NumericalError, UsageError
from starcli.training.checkpoint import Checkpoint, History
from starcli.training.distributed import Workers
from starcli.training.schedules import Rate, warm_cosine
from starcli.training.seeds import derive

DRAWS = 8
"""Random numbers that a clip may use in a step."""

Loss = Callable[[Tensor, Tensor], Tensor | Mapping[str, Tensor]]
"""Ids of a batch [B] and each clip's own draws [B, DRAWS], uniform in [0, 1) -> scalar loss, or
the named terms that it is the sum of."""


def moving_average(model: nn.Module, decay: float) -> AveragedModel:
    """A copy of a model that follows its weights and statistics as an exponential average.

    Args:
        model: The model in training.
        decay: Share of the average that a step keeps, smaller in the first steps, when there is
            little to keep.
    """

    def follow(averaged: Tensor, current: Tensor, steps: Tensor | int) -> Tensor:
        keep = min(decay, (1 + int(steps)) / (10 + int(steps)))
        if not averaged.is_floating_point():
            return current
        return averaged.lerp(current, 1 - keep)

    return AveragedModel(model, avg_fn=follow, use_buffers=True)


@dataclass(frozen=True)
class Numerics:
    """The numbers that a model computes with.

    Args:
        device: Kind of the device, such as `cpu` or `cuda`.
        precision: `fp32`, or `bf16` or `fp16` for the products of mixed precision.
    """

    device: str = "cpu"
    precision: str = "fp32"

    def devices(self) -> list[int]:
        """The devices whose random state training uses and leaves as it was, beside the CPU."""
        return [torch.cuda.current_device()] if self.device == "cuda" else []

    def autocast(self) -> torch.autocast:
        """The context of the forward pass."""
        low = torch.float16 if self.precision == "fp16" else torch.bfloat16
        return torch.autocast(self.device, low, enabled=self.precision != "fp32")

    def scaler(self) -> torch.amp.GradScaler:
        """Loss scaling, which half precision needs and the others pass through."""
        return torch.amp.GradScaler(self.device, enabled=self.precision == "fp16")


def run_epochs(
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    *,
    what: str,
    size: int,
    batch: int,
    epochs: int,
    seed: int,
    callbacks: TrainingCallbacks,
    rate: Rate = warm_cosine,
    average: AveragedModel | None = None,
    numerics: Numerics | None = None,
    workers: Workers | None = None,
) -> History:
    """Train a model for `callbacks.epochs` of the `epochs` that its schedule is laid out for.

    Every draw comes from (seed, epoch, step), so that a training continued from its last
    checkpoint gives the same weights as an undisturbed one. An epoch's batches are of equal size
    or differ by one clip: none is so small that its batch statistics mean nothing.

    Args:
        model: Trained in place.
        loss: Mean loss of the clips with these ids, below `size`.
        optimizer: Its learning rates are the peaks of the schedule.
        what: Name shown with the progress.
        size: Number of training clips.
        batch: B, over all processes.
        epochs: Length of the schedule.
        seed: Seed of order, augmentation and dropout.
        callbacks: How many epochs, who is told, when to stop, where the checkpoint is kept.
        rate: The schedule.
        average: Follows the model, which gets its weights in the end.
        numerics: Precision.
        workers: The processes that share each batch; each computes its loss on its share.

    Returns:
        The mean loss of every epoch, and what `callbacks.after_epoch` said of it.

    Raises:
        NumericalError: The loss or a weight is NaN or infinite; the last checkpoint stays.
    """
    loop = _Loop(
        model,
        loss,
        optimizer,
        what,
        size,
        math.ceil(size / batch),
        epochs,
        seed,
        callbacks,
        rate,
        average,
        numerics or Numerics(),
        workers or Workers(),
    )
    last = epochs if callbacks.epochs is None else min(epochs, callbacks.epochs)
    while loop.history.epoch < last and not loop.history.stale(callbacks.patience):
        loop.run_epoch(last)
    if average is not None:
        model.load_state_dict(average.module.state_dict())
    model.eval()
    return loop.history


class _Loop:
    """One call of `run_epochs`: its arguments, and how far it has come."""

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        optimizer: torch.optim.Optimizer,
        what: str,
        size: int,
        steps: int,
        epochs: int,
        seed: int,
        callbacks: TrainingCallbacks,
        rate: Rate,
        average: AveragedModel | None,
        numerics: Numerics,
        workers: Workers,
    ) -> None:
        if size // steps < workers.size:
            raise UsageError(
                f"{what}: batches of {size // steps} clips for {workers.size} processes",
                "use fewer processes or a larger batch",
            )
        self.model, self.loss, self.optimizer, self.average = model, loss, optimizer, average
        self.what, self.size, self.steps, self.epochs = what, size, steps, epochs
        self.seed, self.callbacks, self.rate = seed, callbacks, rate
        self.numerics, self.workers = numerics, workers
        self.scaler = numerics.scaler()
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.checkpoint = Checkpoint(callbacks.checkpoint, model, optimizer, average, self.scaler)
        self.history = self.checkpoint.load()
        # Also a meeting: nobody may write a checkpoint that another process has yet to read.
        here = self.history.epoch, self.history.step
        if workers.agree(here) != here:
            raise UsageError(
                f"{what}: processes continue from different checkpoints",
                "give all of them the same --store, on a shared disk",
            )
        workers.wait()

    def run_epoch(self, last: int) -> None:
        """The rest of the epoch under way, and its checkpoint."""
        at, callbacks = self.history, self.callbacks
        self.model.train()
        saved = since = time.monotonic()
        order, draws = _epoch(self.size, derive(self.seed, "epoch", at.epoch))
        for ids in torch.tensor_split(order, self.steps)[at.step :]:
            with torch.random.fork_rng(devices=self.numerics.devices()):
                torch.manual_seed(
                    derive(self.seed, "dropout", at.epoch, at.step, self.workers.rank)
                )
                at.add(self._step(ids, draws[ids]), len(ids))
            at.seconds, since = at.seconds + time.monotonic() - since, time.monotonic()
            callbacks.progress.measured(self.what, {"loss": at.total / at.clips})
            callbacks.progress.update(self.what, at.epoch * self.steps + at.step, last * self.steps)
            if at.step < self.steps and time.monotonic() - saved >= callbacks.interval:
                self._save()
                saved = time.monotonic()
        self.model.eval()
        measures = at.close(callbacks.after_epoch(at.epoch + 1) if self.workers.leads else None)
        if self.workers.leads:
            callbacks.record(at.epoch, measures)
        self._save()

    def _save(self) -> None:
        if self.workers.leads:
            self.checkpoint.save(self.history)

    def _step(self, ids: Tensor, draws: Tensor) -> dict[str, float]:
        """Learn from a batch; the terms of its mean loss."""
        at, share_of = self.history, self.workers.share
        share = self.rate((at.epoch * self.steps + at.step) / (self.epochs * self.steps))
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * share
        with self.numerics.autocast():
            losses = self.loss(share_of(ids), share_of(draws))
            terms = losses if isinstance(losses, Mapping) else {"loss": losses}
            part = len(share_of(ids)) / len(ids)
            value = reduce(operator.add, terms.values()) * part
        wholes = {k: float(self.workers.total(v.detach() * part)) for k, v in terms.items()}
        whole = sum(wholes.values())
        if not math.isfinite(whole):
            raise NumericalError(
                f"{self.what}: loss is {whole} in epoch {at.epoch + 1}, step {at.step + 1}, "
                f"at learning rate {self.peaks[0] * share:.3g}",
                "lower the learning rate of this stage and run the command again",
            )
        self.optimizer.zero_grad(set_to_none=True)
        # Gradients are averaged over the processes, while their shares of the loss add up.
        self.scaler.scale(value * self.workers.size).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return wholes


def _epoch(size: int, seed: int) -> tuple[Tensor, Tensor]:
    """The order of the clips [N] in an epoch, and each clip's draws [N, DRAWS]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(size, generator=generator), torch.rand(size, DRAWS, generator=generator)

"""The one epoch loop: seeds, learning rate, NaN guard, progress, and resume after any epoch."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from starcli.contracts import Watch
from starcli.errors import DataError, NumericalError, writes_to

Loss = Callable[[Tensor, torch.Generator], Tensor]
"""Ids of a batch [B] and the epoch's own generator -> scalar loss."""


def derive(seed: int, *names: str | int) -> int:
    """A seed of its own for each purpose, so that no stage's draws shift another's."""
    text = json.dumps([seed, *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def warm_cosine(progress: float, warm: float = 0.2) -> float:
    """Share of the learning rate: linear rise over `warm` of the steps, then half a cosine."""
    if progress < warm:
        return 0.04 + 0.96 * progress / warm
    return 0.5 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm)))


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
    watch: Watch,
) -> None:
    """Train a model for `watch.epochs` of the `epochs` that its schedule is laid out for.

    Every draw of an epoch comes from (seed, epoch), so that a training continued from its last
    checkpoint gives the same weights as an undisturbed one.

    Args:
        model: Trained in place.
        loss: Loss of a batch of ids below `size`.
        optimizer: Its learning rates are the peaks of the schedule.
        what: Name shown with the progress.
        size: Number of training clips.
        batch: B.
        epochs: Length of the schedule.
        seed: Seed of order, augmentation and dropout.
        watch: How many epochs, who is told, where the checkpoint is kept.

    Raises:
        NumericalError: The loss is NaN or infinite.
    """
    steps = math.ceil(size / batch)
    peaks = [group["lr"] for group in optimizer.param_groups]
    last = epochs if watch.epochs is None else min(epochs, watch.epochs)
    for epoch in range(_resume(model, optimizer, watch.checkpoint), last):
        generator = torch.Generator().manual_seed(derive(seed, "epoch", epoch))
        order = torch.randperm(size, generator=generator)
        model.train()
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "dropout", epoch))
            for step, ids in enumerate(torch.split(order, batch)):
                share = warm_cosine((epoch * steps + step) / (epochs * steps))
                for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                    group["lr"] = peak * share
                value = loss(ids, generator)
                if not torch.isfinite(value):
                    raise NumericalError(
                        f"{what}: loss is {value.item()} in epoch {epoch + 1}, step {step + 1}",
                        "lower the learning rate of this stage and run the command again",
                    )
                optimizer.zero_grad(set_to_none=True)
                value.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                watch.progress(what, epoch * steps + step + 1, last * steps)
        model.eval()
        watch.after_epoch(epoch + 1)
        if watch.checkpoint is not None:
            _save(model, optimizer, epoch + 1, watch.checkpoint)
    model.eval()


def _save(model: nn.Module, optimizer: torch.optim.Optimizer, epoch: int, folder: Path) -> None:
    from safetensors.torch import save_file

    tensors = {f"model/{name}": value for name, value in model.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            tensors[f"optimizer/{number}/{name}"] = torch.as_tensor(value)
    draft = folder / "checkpoint.tmp"
    tensors = {name: value.contiguous() for name, value in tensors.items()}
    with writes_to(draft):
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, draft, metadata={"epoch": str(epoch)})
        os.replace(draft, folder / "checkpoint.safetensors")


def _resume(model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path | None) -> int:
    """Load the last checkpoint, if any, and return the number of epochs it has finished."""
    from safetensors import SafetensorError, safe_open

    path = None if folder is None else folder / "checkpoint.safetensors"
    if path is None or not path.exists():
        return 0
    weights: dict[str, Tensor] = {}
    state: dict[int, dict[str, Tensor]] = {}
    try:
        opened = safe_open(path, framework="pt")
    except (OSError, SafetensorError) as error:
        raise DataError(f"not a readable checkpoint ({error})",
                        "delete it to train from the start", file=path) from error  # fmt: skip
    with opened as file:
        for key in file.keys():  # noqa: SIM118  (not a mapping)
            tensor = file.get_tensor(key)
            kind, _, name = key.partition("/")
            if kind == "model":
                weights[name] = tensor
            else:
                number, _, entry = name.partition("/")
                state.setdefault(int(number), {})[entry] = tensor
        epoch = int(file.metadata()["epoch"])
    model.load_state_dict(weights)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    return epoch

"""The device to compute on."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from starcli.errors import UsageError
from starcli.training.distributed import size

T = TypeVar("T")


def choose(name: str) -> torch.device:
    """The device of a name that is here; of several processes, each has its own.

    Args:
        name: `cpu`, `cuda`, `cuda:N`, `mps`, or `auto` for the fastest one.

    Raises:
        UsageError: It is not there, or several processes cannot share it.
    """
    there = ["cpu"]
    if torch.cuda.is_available():
        there += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        there.append("mps")
    if name == "auto":
        known = ("cuda", "mps") if size() == 1 else ("cuda",)
        name = next((d for d in known if d in there), "cpu")
    if size() > 1 and name not in ("cpu", "cuda"):
        raise UsageError(f"several processes cannot share {name}", "name cpu or cuda")
    if name == "cuda" and size() > 1:
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    if name not in there:
        raise UsageError(f"no device '{name}' here", f"there are: {', '.join(there)}")
    return torch.device(name)


def devices() -> list[dict[str, object]]:
    """Where can be computed here: names, models, and bytes of memory where they have their own."""
    found: list[dict[str, object]] = [{"name": "cpu", "model": "", "memory": None}]
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        facts = torch.cuda.get_device_properties(number)
        found.append({"name": f"cuda:{number}", "model": facts.name, "memory": facts.total_memory})
    if torch.backends.mps.is_available():
        found.append({"name": "mps", "model": "", "memory": None})
    return found


def batches(
    make: Callable[[T], Tensor], items: Iterable[T], device: torch.device
) -> Iterator[Tensor]:
    """Batches on a device, of which the next is made and sent while the device works on one.

    A CPU, which would do both, makes one after the other.

    Args:
        make: Makes a batch in the memory of the host.
        items: What it makes them of.
        device: Where they go.
    """
    if device.type == "cpu":
        yield from map(make, items)
        return

    def sent(item: T) -> Tensor:
        batch = make(item)
        if device.type == "cuda":  # from pages that stay, it copies without waiting
            batch = batch.pin_memory()
        return batch.to(device, non_blocking=True)

    yield from ahead(sent, items)


def ahead(make: Callable[[T], Tensor], items: Iterable[T]) -> Iterator[Tensor]:
    """What is made of items, in order; the next is made while one is used."""
    with ThreadPoolExecutor(1) as thread:
        waiting = deque[Future[Tensor]]()
        for item in items:
            waiting.append(thread.submit(make, item))
            if len(waiting) > 1:
                yield waiting.popleft().result()
        yield from (each.result() for each in waiting)

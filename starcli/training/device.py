"""The device to compute on."""

from __future__ import annotations

import os

import torch

from starcli.errors import UsageError
from starcli.training.distributed import size


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

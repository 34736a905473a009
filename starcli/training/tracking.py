"""Losses of a training run, epoch by epoch: a file beside its result, and an optional tracker.

Both are for people. No stage reads them again, so neither changes what a recipe determines.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ParamSpec

from starcli.errors import MissingError, writes_to

NAME = "metrics.jsonl"
Measures = Mapping[str, float]
P = ParamSpec("P")


class Tracker:
    """Tensorboard or wandb, through the trackers of Hugging Face Accelerate.

    Whatever fails in it is warned of once and ends the tracking, not the training.

    Args:
        kind: `tensorboard` or `wandb`.
        name: What the training is called there; a continued one goes on under the same.
        folder: Where a tracker writes what it keeps on disk.
    """

    def __init__(self, kind: str, name: str, folder: Path) -> None:
        self._kind = kind
        self._tracker: Any = None  # of accelerate, which has no types
        self._guard(self._start, kind, name, folder)

    def _start(self, kind: str, name: str, folder: Path) -> None:
        from accelerate import PartialState
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS

        PartialState()  # its trackers ask it who they are
        folder.mkdir(parents=True, exist_ok=True)
        own: dict[str, dict[str, object]] = {
            "tensorboard": {"run_name": name, "logging_dir": folder},
            "wandb": {
                "run_name": "starcli",
                "name": name,
                "id": name,
                "resume": "allow",
                "dir": str(folder),
            },
        }
        self._tracker = LOGGER_TYPE_TO_CLASS[kind](**own[kind])
        self._tracker.start()

    def log(self, measures: Measures, epoch: int) -> None:
        """Send what was measured in an epoch."""
        if self._tracker is not None:
            self._guard(self._tracker.log, dict(measures), step=epoch)

    def close(self) -> None:
        """Send what is left."""
        if self._tracker is not None:
            self._guard(self._tracker.finish)

    def _guard(self, call: Callable[P, object], *arguments: P.args, **named: P.kwargs) -> None:
        try:
            call(*arguments, **named)
        except Exception as error:
            self._tracker = None
            logging.getLogger("starcli").warning(
                "%s failed and is left out from now on: %s", self._kind, error
            )


def require(kind: str | None) -> None:
    """Find out before any work whether a tracker is installed.

    Raises:
        MissingError: It is not.
    """
    if kind is not None and find_spec(kind) is None:
        raise MissingError(
            f"run.tracker: {kind} is not installed", f"install it with: pip install {kind}"
        )


class Journal:
    """The measures of a training, kept where an interruption leaves them.

    Args:
        folder: Folder of its checkpoint.
        tracker: Is told as well; None without one.
    """

    def __init__(self, folder: Path, tracker: Tracker | None = None) -> None:
        self._path = folder / NAME
        self._tracker = tracker

    def record(self, epoch: int, measures: Measures) -> None:
        """Note what was measured in an epoch."""
        with writes_to(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"epoch": epoch, **measures}) + "\n")
        if self._tracker is not None:
            self._tracker.log(measures, epoch)

    def close(self, folder: Path) -> None:
        """Write the file beside the result; of an epoch that was repeated, the last time counts."""
        if self._tracker is not None:
            self._tracker.close()
        if not self._path.exists():
            return
        rows: dict[int, str] = {}
        for line in self._path.read_text("utf-8").splitlines():
            try:
                rows[json.loads(line)["epoch"]] = line
            except ValueError:  # the last line of a process that was killed as it wrote
                continue
        with writes_to(folder):
            text = "".join(f"{rows[epoch]}\n" for epoch in sorted(rows))
            (folder / NAME).write_text(text, "utf-8")


def measured(folder: Path) -> list[Measures]:
    """What was measured in each epoch of a training; nothing where that was not kept.

    Args:
        folder: Folder of its result; lines that are damaged are left out.
    """
    rows: list[Measures] = []
    with contextlib.suppress(OSError):
        for line in (folder / NAME).read_text("utf-8", "replace").splitlines():
            with contextlib.suppress(ValueError):
                row = json.loads(line)
                if isinstance(row, dict) and {"epoch", "loss"} <= row.keys():
                    rows.append({key: float(value) for key, value in row.items()})
    return rows

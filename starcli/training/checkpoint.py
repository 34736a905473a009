"""What an interrupted training goes on from: two files, of which one is always whole.

They lie where `starcli.store.unfinished` keeps the work of any stage.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from starcli.errors import DataError, NumericalError, writes_to

NAME, PREVIOUS = "checkpoint.safetensors", "checkpoint.previous.safetensors"


@dataclass
class History:
    """Finished epochs of a training and their measures.

    Args:
        epoch: Finished epochs.
        step: Finished steps of the epoch after them.
        losses: Mean loss of every finished epoch.
        scores: What was said of every finished epoch; None where nothing was.
        total: Sum of the losses of the clips in the epoch under way.
        clips: Number of these clips.
        terms: Sums of the terms that their losses are made of.
        seconds: Time spent in the epoch under way.
    """

    epoch: int = 0
    step: int = 0
    losses: list[float] = field(default_factory=list)
    scores: list[float | None] = field(default_factory=list)
    total: float = 0.0
    clips: int = 0
    terms: dict[str, float] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)

    def add(self, terms: Mapping[str, float], clips: int) -> None:
        """Count a step with the terms of the mean loss of its clips."""
        self.step += 1
        self.total += sum(terms.values()) * clips
        self.clips += clips
        for name, value in terms.items():
            self.terms[name] = self.terms.get(name, 0.0) + value * clips

    def close(self, score: float | None) -> dict[str, float]:
        """End the epoch; what was measured in it."""
        measures = {name: total / self.clips for name, total in self.terms.items()}
        measures |= {"loss": self.total / self.clips, "seconds": round(self.seconds, 3)}
        measures |= {} if score is None else {"criterion": score}
        self.losses.append(measures["loss"])
        self.scores.append(score)
        self.epoch, self.step, self.total, self.clips = self.epoch + 1, 0, 0.0, 0
        self.terms, self.seconds = {}, 0.0
        return measures

    def stale(self, patience: int) -> bool:
        """Whether the best score is so many epochs old; never with a patience of 0."""
        scores = [score for score in self.scores if score is not None]
        return bool(scores) and 0 < patience < len(scores) - scores.index(max(scores))


class Checkpoint:
    """The state of a training on disk.

    Args:
        folder: Where it is kept; None to keep nothing.
        model: The model in training.
        optimizer: Its optimiser.
        average: The moving average of the model, if there is one.
        scaler: Its loss scaling.
    """

    def __init__(
        self,
        folder: Path | None,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: nn.Module | None,
        scaler: torch.amp.GradScaler,
    ) -> None:
        self.folder = folder
        self.model = model
        self.optimizer = optimizer
        self.average = average
        self.scaler = scaler

    def save(self, history: History) -> None:
        """Write the state beside the previous one, then take its place.

        Raises:
            NumericalError: A weight is not finite; what is on disk stays.
            OutputError: The folder cannot be written.
        """
        from safetensors.torch import save_file

        if self.folder is None:
            return
        tensors = self._tensors()
        bad = [k for k, v in tensors.items() if v.is_floating_point() and not v.isfinite().all()]
        if bad:
            raise NumericalError(
                f"{bad[0]} is not finite after epoch {history.epoch}",
                "lower the learning rate of this stage",
            )
        state = {"history": asdict(history), "scaler": self.scaler.state_dict()}
        path, draft = self.folder / NAME, self.folder / "checkpoint.tmp"
        with writes_to(draft):
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file(tensors, draft, metadata={"state": json.dumps(state)})
            if path.exists():
                os.replace(path, self.folder / PREVIOUS)
            os.replace(draft, path)

    def load(self) -> History:
        """Take up the last state that can be read; a fresh history where there is none.

        Raises:
            DataError: There are checkpoints, and none can be read.
        """
        from safetensors import SafetensorError

        if self.folder is None:
            return History()
        broken: tuple[Path, Exception] | None = None
        for path in (self.folder / NAME, self.folder / PREVIOUS):
            if not path.exists():
                continue
            try:
                tensors, state = _read(path)
            except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
                broken = broken or (path, error)
                continue
            if broken:
                logging.getLogger("starcli").warning(
                    "%s is damaged; going on from the one before it", broken[0]
                )
            self._take(tensors, state["scaler"])
            return History(**state["history"])
        if broken:
            raise DataError(
                f"not a readable checkpoint ({broken[1]})",
                "delete it to train from the start",
                file=broken[0],
            )
        return History()

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        if self.average is not None:
            state = self.average.state_dict()
            tensors |= {f"average/{name}": value for name, value in state.items()}
        for number, entries in self.optimizer.state_dict()["state"].items():
            for name, value in entries.items():
                if value is not None:
                    tensors[f"optimizer/{number}/{name}"] = torch.as_tensor(value)
        return {name: value.cpu().contiguous() for name, value in tensors.items()}

    def _take(self, tensors: dict[str, Tensor], scaler: dict[str, object]) -> None:
        groups: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
        for key, tensor in tensors.items():
            kind, _, name = key.partition("/")
            groups[kind][name] = tensor
        self.model.load_state_dict(groups["model"])
        if self.average is not None:
            self.average.load_state_dict(groups["average"])
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in groups["optimizer"].items():
            number, _, entry = key.partition("/")
            state.setdefault(int(number), {})[entry] = tensor
        known = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": known})
        if scaler:
            self.scaler.load_state_dict(scaler)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:  # JSON of `save`
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
        return tensors, json.loads(file.metadata()["state"])

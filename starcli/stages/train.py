"""train: the method learns to align tokens with text.

The nested run (role validation) judges itself after every epoch on classes it never saw and keeps
the scores of its best epoch; the reported run trains for that many epochs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from starcli.calibration import sweep
from starcli.clips import ClipSet
from starcli.contracts import Problem, TokenSet, Watch
from starcli.errors import UsageError, writes_to
from starcli.experiment import FINAL, Experiment, Job
from starcli.metrics import Judged, require_finite
from starcli.splits import Task
from starcli.stages.embed import open_bank
from starcli.stages.extract import open_tokens
from starcli.store import Artifact
from starcli.training import derive

REVISION = 1
SCORE_BATCH = 256


def recipe(experiment: Experiment, role: str) -> dict[str, Any]:
    """The method, the task and the seed."""
    _require_facets(experiment)
    return {
        **experiment.plugin("method"),
        "parts": experiment.settings.parts,
        "task": experiment.task_recipe(role),
        "seed": experiment.settings.seed,
    }


def _require_facets(experiment: Experiment) -> None:
    """Refuse a describer whose texts the method cannot read, before anything is computed."""
    plugins, settings = experiment.loaded.plugins, experiment.settings
    given = tuple(getattr(plugins["describer"], "facets", ()))
    if given != tuple(getattr(plugins["method"], "facets", ())):
        wanted = ", ".join(getattr(plugins["method"], "facets", ())) or "each part"
        raise UsageError(
            f"method {settings.method.name} reads a text for {wanted}, describer "
            f"{settings.describer.name} gives one for {', '.join(given) or 'each part'}",
            "choose another with --describer or --method",
        )


def run(job: Job) -> None:
    """Fit the method on the task's training clips."""
    e = job.experiment
    clips = ClipSet.open(job.inputs["clips"])
    task = e.task(clips.index, job.role)
    train = open_tokens(job.inputs["tokens"], clips, task.train)
    method = build(e, task, job.inputs["bank"], train)
    seed = derive(e.settings.seed, "train", job.role)
    if job.role == FINAL:
        epochs = job.inputs["validation"].summary["epochs"]
        watch = Watch(epochs, checkpoint=job.checkpoint, progress=job.progress)
        method.fit(train, watch, seed=seed)
        job.draft.tensors({k: v.cpu() for k, v in method.state_dict().items()})
        job.draft.summary = {"epochs": epochs, "seen": task.seen, "unseen": task.unseen}
        return
    test = open_tokens(job.inputs["tokens"], clips, task.test)
    watcher = _Watcher(method, test, task, job.checkpoint)
    watch = Watch(None, watcher.after_epoch, job.checkpoint, job.progress)
    method.fit(train, watch, seed=seed)
    chosen, areas = watcher.choose()
    scores = watcher.scores(chosen)
    job.draft.tensors({"scores": scores, "labels": test.labels})
    job.draft.json({"clips": list(test.names)})
    job.draft.summary = {
        "epochs": chosen,
        "area_by_epoch": areas,
        "seen": task.seen,
        "unseen": task.unseen,
    }


def build(e: Experiment, task: Task, bank: Artifact, tokens: TokenSet) -> Any:
    """The method before training, on the experiment's device."""
    layout = e.source.layout
    width = tokens.shards[0].shape[-1]
    parts = layout.parts[e.settings.parts]
    problem = Problem(layout, parts, width, open_bank(bank), task.seen, task.unseen)
    return e.make("method", problem, derive(e.settings.seed, "method")).to(e.device)


@torch.inference_mode()
def score(method: Any, tokens: TokenSet, device: torch.device) -> Tensor:
    """Scores [N, C] of all clips of a set.

    Raises:
        NumericalError: Some are not finite.
    """
    batches = torch.split(torch.arange(len(tokens)), SCORE_BATCH)
    scores = torch.cat([method.score(tokens.batch(ids).to(device)).cpu() for ids in batches])
    require_finite(scores.double().numpy(), tokens.names)
    return scores


class _Watcher:
    """Scores of the validation clips after every epoch, kept where an interruption leaves them."""

    def __init__(self, method: Any, test: TokenSet, task: Task, folder: Path) -> None:
        self.method, self.test, self.task, self.folder = method, test, task, folder

    def after_epoch(self, epoch: int) -> None:
        from safetensors.torch import save_file

        device = next(self.method.parameters(), torch.empty(0)).device
        scores = score(self.method, self.test, device)
        with writes_to(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file({"scores": scores}, self._path(epoch))

    def scores(self, epoch: int) -> Tensor:
        from safetensors.torch import load_file

        return load_file(self._path(epoch))["scores"]

    def _path(self, epoch: int) -> Path:
        return self.folder / f"scores-{epoch:05d}.safetensors"

    def choose(self) -> tuple[int, list[float]]:
        """The epoch of the largest area under the seen-unseen curve, and every epoch's area.

        The area needs both sides, so an epoch that knows the pseudo-unseen classes by luck before
        it knows the seen ones is not chosen. It is averaged with its neighbours': on few clips a
        single epoch's area jumps.
        """
        epochs = sorted(int(p.stem.rpartition("-")[2]) for p in self.folder.glob("scores-*"))
        areas = [self._area(epoch) for epoch in epochs]
        smooth = np.convolve(np.pad(areas, 1, mode="edge"), np.ones(3) / 3, mode="valid")
        return epochs[int(smooth.argmax())], areas

    def _area(self, epoch: int) -> float:
        scores, labels = self.scores(epoch).double().numpy(), self.test.labels.numpy()
        return sweep(Judged(scores, labels, self.task.seen, self.task.unseen)).area

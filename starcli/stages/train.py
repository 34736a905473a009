"""train: the method learns to align tokens with text.

A nested run (role validation) judges itself after every epoch on classes it never saw and keeps
its scores; the reported run trains for the number of epochs that is chosen on all nested runs. A
number of its inference that a method leaves open is chosen in the same way. Where no class is
unseen there is no nested run, and the method trains for its own number of epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from starcli.contracts import (
    MeanTokenMethod,
    Method,
    PartScores,
    Problem,
    TokenSet,
    TrainingCallbacks,
    TunableMethod,
)
from starcli.data.clips import ClipSet
from starcli.data.splits import Task
from starcli.errors import writes_to
from starcli.evaluation.calibrated_stacking import sweep
from starcli.evaluation.metrics import ScoredClips, require_finite
from starcli.evaluation.model_selection import choose, select_model
from starcli.experiment import FINAL, Experiment
from starcli.stages.embed import open_bank
from starcli.stages.extract import open_tokens
from starcli.stages.job import Job
from starcli.stages.plugin_checks import require_floats
from starcli.store.artifacts import Artifact
from starcli.training.seeds import derive

SCORE_BATCH = 256


def run(job: Job) -> None:
    """Fit the method on the task's training clips."""
    e = job.experiment
    clips = ClipSet.open(job.inputs["clips"])
    task = e.task(clips.index, job.role)
    train = open_tokens(job.inputs["tokens"], clips, task.train)
    width = train.shards[0].shape[-1]
    method = build(e, job.inputs["bank"], width, task.seen, task.unseen)
    seed = derive(e.settings.seed, "train", job.role)
    journal = job.journal()
    callbacks = TrainingCallbacks(
        None, checkpoint=job.checkpoint, progress=job.progress, record=journal.record
    )
    learned = {"seen": task.seen, "unseen": task.unseen}
    if job.role == FINAL:
        chosen = select_model(job.nested) if job.nested else None
        epochs, variant = (chosen.epochs, chosen.variant) if chosen else (None, None)
        if variant is not None and isinstance(method, TunableMethod):
            method.choose(variant)
        method.fit(train, replace(callbacks, epochs=epochs), seed=seed)
        journal.close(job.draft.path)
        job.draft.tensors({k: v.cpu() for k, v in method.state_dict().items()})
        job.draft.summary = {"epochs": epochs, "variant": variant, **learned}
        return
    test = open_tokens(job.inputs["tokens"], clips, task.test)
    watcher = _Watcher(e, method, _judged(method, test), task, job.checkpoint)
    patience = e.settings.validation.patience
    callbacks = replace(callbacks, after_epoch=watcher.after_epoch, patience=patience)
    method.fit(train, callbacks, seed=seed)
    journal.close(job.draft.path)
    judged, scores, areas = watcher.collected()
    job.draft.tensors({"scores": scores, "labels": test.labels})
    job.draft.json({"clips": list(test.names)})
    job.draft.summary = {
        "axes": "epochs variants N C",
        "epochs": judged[choose([areas])[0]],
        "judged_epochs": judged,
        "area_by_epoch": list(map(max, areas)),
        "variants": list(_variants(method)),
        "areas": areas,
        **learned,
    }


def build(
    e: Experiment, bank: Artifact, width: int, seen: tuple[int, ...], unseen: tuple[int, ...]
) -> Method:
    """The method before training for tokens of a width D, on the experiment's device."""
    layout = e.source.layout
    parts = layout.parts[e.settings.parts]
    problem = Problem(layout, parts, width, open_bank(bank), seen, unseen)
    return e.make("method", problem, derive(e.settings.seed, "method")).to(e.device)


def score(method: Method, tokens: TokenSet, device: torch.device) -> Tensor:
    """Scores [N, C] of all clips of a set.

    Raises:
        NumericalError: Some are not finite.
    """
    return _scores(method.score, tokens, device)


def score_variants(method: Method, tokens: TokenSet, device: torch.device) -> Tensor:
    """Scores [R, N, C] of all clips of a set with each variant of a method, or its only ones.

    Raises:
        NumericalError: Some are not finite.
    """
    if not (isinstance(method, TunableMethod) and method.variants):
        return score(method, tokens, device)[None]
    # Clips first, along which batches are put together.
    of = method.score_variants
    scores = _scores(lambda x: of(x).transpose(0, 1), tokens, device)
    return scores.transpose(0, 1).contiguous()


def score_parts(method: PartScores, tokens: TokenSet, device: torch.device) -> Tensor:
    """Scores [N, K, C] of every part of all clips of a set.

    Raises:
        NumericalError: Some are not finite.
    """
    # Clips first, along which batches are put together.
    of = method.part_scores
    return _scores(lambda x: of(x).transpose(0, 1), tokens, device)


@torch.inference_mode()
def _scores(of: Callable[[Tensor], Tensor], tokens: TokenSet, device: torch.device) -> Tensor:
    batches = torch.split(torch.arange(len(tokens)), SCORE_BATCH)
    scores = torch.cat([of(tokens.batch(ids).to(device)).cpu() for ids in batches])
    require_finite(scores.flatten(1).double().numpy(), tokens.names)
    return scores


def _judged(method: Method, tokens: TokenSet) -> TokenSet:
    """What a method reads of clips that are scored after every epoch."""
    if not (isinstance(method, MeanTokenMethod) and method.reads_mean_token):
        return tokens
    batches = torch.split(torch.arange(len(tokens)), SCORE_BATCH)
    means = [tokens.batch(ids).mean((1, 2), keepdim=True) for ids in batches]
    return replace(tokens, shards=[torch.cat(means)], rows=torch.arange(len(tokens)))


def _variants(method: Method) -> Sequence[float]:
    return method.variants if isinstance(method, TunableMethod) else ()


class _Watcher:
    """Scores of the validation clips after every epoch, kept where an interruption leaves them."""

    def __init__(
        self, e: Experiment, method: Method, test: TokenSet, task: Task, folder: Path
    ) -> None:
        self.e, self.method, self.test, self.task, self.folder = e, method, test, task, folder

    def after_epoch(self, epoch: int) -> float:
        """Score the clips; the area under the seen-unseen curve, of the best variant."""
        from safetensors.torch import save_file

        device = next(self.method.parameters(), torch.empty(0)).device
        scores = score_variants(self.method, self.test, device)
        promised = (len(scores), len(self.test), len(self.e.source.classes))
        require_floats(self.e, "method", scores, "[R, N, C]", promised)
        with writes_to(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file({"scores": scores}, self._path(epoch))
        return max(self._areas(scores))

    def collected(self) -> tuple[list[int], Tensor, list[list[float]]]:
        """The judged epochs, the scores [epochs, R, N, C] after them, and the areas."""
        from safetensors.torch import load_file

        epochs = sorted(int(p.stem.rpartition("-")[2]) for p in self.folder.glob("scores-*"))
        scores = torch.stack([load_file(self._path(epoch))["scores"] for epoch in epochs])
        return epochs, scores, [self._areas(each) for each in scores]

    def _areas(self, scores: Tensor) -> list[float]:
        labels, task = self.test.labels.numpy(), self.task
        scored = (ScoredClips(s.double().numpy(), labels, task.seen, task.unseen) for s in scores)
        return [sweep(each).area for each in scored]

    def _path(self, epoch: int) -> Path:
        return self.folder / f"scores-{epoch:05d}.safetensors"

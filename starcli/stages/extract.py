"""extract: the frozen backbone turns clips into joint tokens, one shard after another.

A shard is written whole and under its final name only when it is done, so that an interrupted
extraction goes on with the shards it lacks; several processes divide the shards among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from starcli.contracts import Backbone, TokenSet, tokens_of
from starcli.data.clips import ClipSet
from starcli.data.splits import Task, refuse_leak
from starcli.errors import NumericalError
from starcli.experiment import Experiment
from starcli.files import save_whole
from starcli.stages.job import Job
from starcli.stages.plugin_checks import new_backbone
from starcli.stages.recipes import wanted_views
from starcli.stages.views import open_views
from starcli.store.artifacts import Artifact, save_tensors, split_evenly
from starcli.training.device import batches
from starcli.training.loop import DRAWS
from starcli.training.seeds import derive

View = Callable[[Sequence[int]], Tensor]
"""Clips by their positions -> what the backbone reads [B, 3, T, V, M]."""


@dataclass(frozen=True)
class Shard:
    """One file of tokens.

    Args:
        view: The view it holds.
        number: Its place among the files of the view.
        clips: Positions of its clips among all clips.
        start: Place of the first of them among the clips of the view.
    """

    view: str
    number: int
    clips: Sequence[int]
    start: int = 0

    @property
    def file(self) -> str:
        """Name of the file, without ending."""
        return f"{self.view}-{self.number:05d}"


def forecast_bytes(e: Experiment, prepared: Artifact, role: str) -> int:
    """Bytes of the tokens that a run or a nested one will extract.

    Args:
        e: The experiment.
        prepared: Its clips.
        role: Which of the runs.
    """
    with torch.random.fork_rng(devices=[]):
        backbone = new_backbone(e)
    task = e.task(ClipSet.open(prepared).index, role)
    return _clip_bytes(e, backbone) * sum(map(len, _wanted(task, wanted_views(e)).values()))


def _clip_bytes(e: Experiment, backbone: Backbone) -> int:
    tokens = tokens_of(backbone, e.source.layout)
    return 2 * (e.settings.pretrain.frames // backbone.stride) * backbone.dim * tokens


def run(job: Job) -> None:
    """Extract the clips that the task trains and tests on.

    Raises:
        DataError: The backbone was trained on an unseen class.
        NumericalError: A token is not finite.
        OutputError: There is too little space.
    """
    e = job.experiment
    clips = ClipSet.open(job.inputs["clips"])
    task = e.task(clips.index, job.role)
    _refuse_leak(job, task)
    backbone = frozen(e, job.inputs["weights"])
    clip_bytes = _clip_bytes(e, backbone)
    wanted = _wanted(task, wanted_views(e))
    shards = list(_shards(wanted, clip_bytes, int(e.settings.extract.shard_mb * 2**20)))
    total = sum(len(s.clips) for s in shards)
    if e.workers.leads:
        missing = [s for s in shards if not _path(job, s).exists()]
        e.store.require_space(sum(len(s.clips) for s in missing) * clip_bytes)
    done = 0
    for number, shard in enumerate(shards):
        path = _path(job, shard)
        if number % e.workers.size == e.workers.rank and not path.exists():
            tokens = {"tokens": encode(e, backbone, clips, shard)}
            save_whole(path, partial(save_tensors, tokens))
        done += len(shard.clips)
        job.progress.update(f"extract ({job.role})", done, total)
    e.workers.wait()
    if not e.workers.leads:
        return
    for shard in shards:
        job.draft.adopt(_path(job, shard), f"{shard.file}.safetensors")
    job.draft.json({"clips": wanted})
    steps, count = (
        e.settings.pretrain.frames // backbone.stride,
        tokens_of(backbone, e.source.layout),
    )
    job.draft.summary = {
        "axes": "N L V D",
        "shape": [len(wanted["plain"]), steps, count, backbone.dim],
        "views": list(wanted),
        "backbone_saw": job.inputs["weights"].summary["classes"],
    }


def _refuse_leak(job: Job, task: Task) -> None:
    e = job.experiment
    given = e.settings.backbone.weights is not None
    refuse_leak(
        job.inputs["weights"].summary["classes"],
        # Weights from a file know the classes that play unseen in the nested run; results say so.
        e.unseen if given else task.unseen,
        e.source.classes,
        allow_unknown=e.settings.backbone.allow_unknown_classes,
    )


def frozen(e: Experiment, weights: Artifact) -> Backbone:
    """The backbone with its weights, in eval mode."""
    backbone = new_backbone(e)
    own = {
        k.removeprefix("backbone."): v
        for k, v in weights.tensors().items()
        if k.startswith("backbone.")
    }
    backbone.load_state_dict(own)
    return backbone.to(e.device).eval().requires_grad_(False)


def _wanted(task: Task, views: Sequence[str]) -> dict[str, list[int]]:
    """View -> positions of its clips; views beside the plain one are for learning only."""
    every = sorted({*task.train, *task.test})
    return {view: every if view == "plain" else list(task.train) for view in views}


def _shards(
    wanted: Mapping[str, Sequence[int]], clip_bytes: int, shard_bytes: int
) -> Iterator[Shard]:
    for view, clips in wanted.items():
        for number, rows in enumerate(split_evenly(len(clips), clip_bytes, shard_bytes)):
            yield Shard(view, number, [clips[r] for r in rows], rows.start)


def _path(job: Job, shard: Shard) -> Path:
    """Its file in the checkpoint, where shards of other sizes may be left."""
    return job.checkpoint / f"{shard.view}-from-{shard.start}-{len(shard.clips)}.safetensors"


def encode(e: Experiment, backbone: Backbone, clips: ClipSet, shard: Shard) -> Tensor:
    """Tokens float16 [n, L, V, D] of a shard's clips."""
    read, size = _view(e, clips, shard.view), e.settings.extract.batch
    return encode_clips(backbone, read, clips, shard.clips, size, e.device)


@torch.inference_mode()
def encode_clips(
    backbone: Backbone,
    read: View,
    clips: ClipSet,
    chosen: Sequence[int],
    size: int,
    device: torch.device,
) -> Tensor:
    """Tokens float16 [n, L, V, D] of n clips; those of like length go together.

    Args:
        backbone: In eval mode, on the device.
        read: What it reads of clips.
        clips: All clips.
        chosen: Positions of those that are meant.
        size: Clips at a time.
        device: Where to compute.

    Raises:
        NumericalError: A token is not finite.
    """
    order = sorted(range(len(chosen)), key=lambda row: clips.frames(chosen[row]))
    out: Tensor | None = None
    parts = [order[start : start + size] for start in range(0, len(order), size)]
    made = batches(lambda rows: read([chosen[r] for r in rows]), parts, device)
    for rows, batch in zip(parts, made, strict=True):
        tokens = backbone(batch).half().cpu()
        good = torch.isfinite(tokens).flatten(1).all(1)
        if not good.all():
            name = clips.index.names[chosen[rows[int((~good).nonzero()[0])]]]
            raise NumericalError(
                f"tokens of clip '{name}' are not finite or exceed half precision",
                "pretrain with a lower learning rate",
            )
        if out is None:
            out = tokens.new_empty(len(order), *tokens.shape[1:])
        out[rows] = tokens
    assert out is not None
    return out


def _view(e: Experiment, clips: ClipSet, view: str) -> View:
    """How a view reads clips."""
    views = open_views(e, clips)

    def augmented(chosen: Sequence[int]) -> Tensor:
        draws = [_draws(e.settings.seed, clips.index.names[clip]) for clip in chosen]
        return views.augmented(chosen, torch.stack(draws))

    return {"plain": views.plain, "motion-masked": views.masked_motion, "augmented": augmented}[
        view
    ]


def _draws(seed: int, name: str) -> Tensor:
    """The draws of a clip, whatever batch or process it is in."""
    generator = torch.Generator().manual_seed(derive(seed, "augmented", name))
    return torch.rand(DRAWS, generator=generator)


def open_tokens(artifact: Artifact, clips: ClipSet, chosen: Sequence[int]) -> TokenSet:
    """The tokens of chosen clips, given by their positions among all clips.

    Further views come with it where they hold all of these clips.
    """
    wanted = artifact.data()["clips"]
    views = {
        view: _token_set(artifact, clips, chosen, view, wanted[view])
        for view in wanted
        if view == "plain" or set(chosen) <= set(wanted[view])
    }
    plain = views.pop("plain")
    return TokenSet(plain.shards, plain.rows, plain.labels, plain.names, views)


def _token_set(
    artifact: Artifact, clips: ClipSet, chosen: Sequence[int], view: str, stored: Sequence[int]
) -> TokenSet:
    place = {clip: row for row, clip in enumerate(stored)}
    return TokenSet(
        shards=[shard["tokens"] for shard in artifact.shards(view)],
        rows=torch.tensor([place[c] for c in chosen]),
        labels=torch.tensor([clips.index.labels[c] for c in chosen]),
        names=[clips.index.names[c] for c in chosen],
    )
